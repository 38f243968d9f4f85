"""The real program in a terminal, over QUIC, while its network changes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("aioquic", reason="needs aioquic, which the extra `quic` has")
pytest.importorskip("pty", reason="POSIX only")

from tests.conftest import ServerFactory
from tests.integration.datagram_proxy import DatagramProxy
from tests.integration.running import eventually
from tests.terminal.screen import Screen


def test_the_toolbar_says_by_what_it_goes_and_where_it_went(server: ServerFactory, tmp_path: Path) -> None:
    """A command that was typed while the network was away is answered in the same session."""
    running = server(quic={"enabled": True})
    variables = {"SECURE_CLIENT_HOME": str(tmp_path / "home"), "SECURE_CLIENT_TOKEN": running.token()}
    with DatagramProxy(running.port) as proxy:
        argv = [sys.executable, "-m", "secure_client", f"scs+quic://localhost:{proxy.port}", "--ca", str(running.ca)]
        with Screen(argv, variables, rows=24, columns=80) as screen:
            screen.wait(lambda: "connected (quic)" in screen.toolbar and screen.typing == "secure>")
            proxy.swallow()
            screen.type("ECHO still-there\r")
            eventually(lambda: len(proxy.addresses()) > 1)  # it has gone on from another socket
            proxy.clear()
            screen.wait(lambda: "ECHO: still-there" in screen.text)
            screen.wait(lambda: "connected (quic), moved to 127.0.0.1" in screen.toolbar)
            assert "Connected again" not in screen.text
