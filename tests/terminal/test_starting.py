"""How the terminal begins, in the real program."""

from __future__ import annotations

from tests.terminal.conftest import Open
from tests.terminal.fault_proxy import FaultProxy


def test_a_server_that_is_away_is_told_of_once(open_client: Open, proxy: FaultProxy) -> None:
    """And nobody is told to wait for what is not waited for."""
    proxy.down()
    screen = open_client()
    assert screen.ended() == 3
    assert "Waiting" not in screen.text
    assert screen.text.count("Is the server running") == 1
