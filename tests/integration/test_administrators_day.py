"""What an administrator does all day, on the screen: in each language, in a small window and in a large one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from secure_server.i18n import translator
from tests.conftest import ServerFactory
from tests.integration.running import eventually
from tests.terminal.screen import Screen


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (50, 200)])
@pytest.mark.parametrize(("locale", "language"), [("C", "en"), ("pt_BR", "pt_BR")])
@pytest.mark.usefixtures("unmeasured")
def test_see_and_steer(
    server: ServerFactory, tmp_path: Path, rows: int, columns: int, locale: str, language: str
) -> None:
    """Who is there, get them off, keep them out, why, and that taken back; a drain that is asked about, and begun."""
    translate = translator(language)
    yes, no = ("s", "n") if language == "pt_BR" else ("y", "n")
    running = server()
    ana = running.new_token("ana").reveal()
    command = [sys.executable, "-m", "secure_server", "admin", "--data-dir", str(running.data)]
    environment = {"SECURE_CLIENT_HOME": str(tmp_path / "home"), "LC_ALL": locale}
    with running.resp(ana) as peer, Screen(command, environment, rows=rows, columns=columns) as screen:

        def said(sentence: str, **values: object) -> bool:
            """Whether a sentence is on the screen, folded or not."""
            wanted = translate(sentence).partition("{")[0] if not values else translate(sentence).format(**values)
            return "".join(wanted.split()) in "".join(screen.text.split())

        def typed(line: str, sentence: str, **values: object) -> None:
            """Type a line at the prompt, in an empty window, and wait for what is said to it."""
            screen.wait(lambda: screen.typing == "admin>")
            screen.type("\x0c")  # Ctrl-L
            screen.wait(lambda: sum(map(bool, screen.lines)) <= 2)
            screen.type(f"{line}\r")
            screen.wait(lambda: said(sentence, **values))
            assert all(len(shown) <= columns for shown in screen.lines)

        number = min(session.number for session in running.server.sessions)
        typed("clients user=eve", "None of the {count} clients match {given}.", count=2, given="user=eve")
        typed("kick user=ana", "Close these connections to {server}?", server=f"unix:{running.data}/admin.sock")
        assert any(line.split()[:3] == [str(number), "ana", "user"] for line in screen.lines)
        screen.type(f"{no}\r")
        screen.wait(lambda: screen.typing == "admin>")
        assert peer.ask("PING") == "PONG"
        typed("kick user=ana --ban 1h", "Close these connections to {server}?")
        screen.type(f"{yes}\r")
        screen.wait(lambda: said("Kicked clients: {count}: {whom}."))
        eventually(lambda: running.server.sessions.clients == 0)
        typed("why ana", "{what} is banned until {until}, by {by}; reason: {reason}")
        typed("bans", "user=ana")
        typed("unban user=ana", "Not banned any more: {what}.", what="user=ana")
        typed("why ana", "Nothing keeps {who} out.", who="ana")
        typed("closed", "banned")
        typed("drain --cancel", "There is no drain to take back.")
        typed("drain --within 10s", "Drain {server}?")
        screen.type(f"{yes}\r")
        screen.wait(lambda: said("Draining: clients that have to leave: {count}, at the latest in {left}."))
        typed("drain --cancel", "The drain is over: everybody may come in again.")
