r"""Commands of the terminal itself, typed with a backslash, in the real program; and what they have it remember."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.replies import ErrorReply, ReplyKind
from tests.secure_client.scripted_server import ScriptedServer
from tests.terminal.conftest import Open
from tests.terminal.fault_proxy import FaultProxy
from tests.terminal.resting import at_prompt
from tests.terminal.screen import Screen
from tests.terminal.test_asking import answer, sent
from tests.terminal.test_repl import CTRL_C, ENTER, enter, known_anew, leave


@pytest.fixture(autouse=True)
def _commands(server: ScriptedServer) -> None:
    server.commands += [
        CommandDescription("HOSTS", reply=ReplyKind.TABLE, columns=("host", "load")),
        CommandDescription("WIPE", arguments=(ArgumentDescription("host"),), danger=True),
        CommandDescription("UNLOCK", arguments=(ArgumentDescription("key", secret=True),)),
        CommandDescription("BUILD", job=True),
    ]
    server.handlers["HOSTS"] = lambda _peer, _arguments: [{"host": "web", "load": 3}, {"host": "db", "load": 12}]
    server.handlers["WIPE"] = lambda _peer, arguments: f"wiped {arguments[0]}"
    server.handlers["JOBS"] = lambda _peer, _arguments: "no jobs"


def told(screen: Screen, line: str, wanted: str) -> None:
    """Type a line, and wait for what comes of it and for the next prompt."""
    enter(screen, line)
    screen.wait(wanted)
    at_prompt(screen)


def test_answers_are_shown_as_one_likes(screen: Screen, open_client: Open, home: Path) -> None:
    """From the next answer on, and the next time, too; for this server alone. A form on the command line wins."""
    enter(screen, "HOSTS")
    screen.wait(lambda: re.search(r"^host +load$", screen.text, re.MULTILINE))
    told(screen, "\\format", "The format is table.")
    told(screen, "\\format vertical", "The format is vertical.")
    enter(screen, "HOSTS")
    screen.wait(lambda: re.search(r"^load +12$", screen.text, re.MULTILINE))
    enter(screen, "WHOAMI")
    screen.wait(lambda: re.search(r"^1 ─+\nuser +ana$", screen.text, re.MULTILINE))
    told(screen, "\\format csv", "The format is csv.")
    told(screen, "HOSTS", "db,12")
    told(screen, "\\format xml", "There is no format xml: there is table, vertical, json, csv, raw.")
    told(screen, "\\format json", "format is json")
    leave(screen)
    (kept,) = json.loads((home / "terminal.json").read_text(encoding="ascii")).values()
    assert kept == {"form": "json"}
    assert (home / "terminal.json").stat().st_mode & 0o777 == 0o600
    again = open_client()
    told(again, "ECHO x", '{"command": "ECHO x", "ok": true, "reply": "x"}')
    told(again, "\\format text", "format is table")
    told(again, "\\format json", "format is json")
    leave(again)
    other = open_client("--csv")
    told(other, "HOSTS", "db,12")
    leave(other)


def test_how_long_a_command_took(screen: Screen) -> None:
    """Behind its answer, also where it failed."""
    told(screen, "\\timing", "The timing is on.")
    enter(screen, "ECHO x")
    screen.wait(lambda: re.search(r"^Time: \d+\.\d ms$", screen.text, re.MULTILINE))
    told(screen, "\\timing on", "The timing is on.")
    told(screen, "\\timing off", "The timing is off.")
    told(screen, "\\timing maybe", "There is no timing maybe: there is on, off.")
    leave(screen)


def test_a_command_is_run_again_and_again(screen: Screen, server: ScriptedServer) -> None:
    """Until Ctrl-C, also where it fails; asked about once; no job, no goodbye."""
    runs: list[str] = []

    def count(_peer: object, _arguments: list[str]) -> object:
        runs.append("")
        return ErrorReply("ERR", "Not now.") if len(runs) == 2 else len(runs)

    server.handlers["COUNT"] = count
    enter(screen, "\\watch 0.1 COUNT")
    server.wait_for(lambda: len(runs) >= 4)
    screen.type(CTRL_C)
    screen.wait(lambda: re.search(r"watch ended; runs: \d+\.$", screen.text, re.MULTILINE))
    at_prompt(screen)
    so_far = len(runs)
    told(screen, "COUNT", str(so_far + 1))
    enter(screen, "\\watch 0.1")
    server.wait_for(lambda: len(runs) >= so_far + 3)
    screen.type(CTRL_C)
    at_prompt(screen)
    for line, said in (
        ("\\watch 2 EXIT", "Type \\watch SECONDS COMMAND …"),
        ("\\watch x COUNT", "Type \\watch SECONDS COMMAND …, with 0.1 seconds at least."),
        ("\\watch 2 \\help", "Type \\watch SECONDS COMMAND …, with 0.1 seconds at least."),
        ("\\watch 2 BUILD", "it is not to be watched"),
        ("\\watch 2 --count 0 COUNT", "Type \\watch SECONDS COMMAND …, with 0.1 seconds at least."),
        ("\\watch", "Type \\watch SECONDS COMMAND …, with 0.1 seconds at least."),
    ):
        told(screen, line, said)
    enter(screen, f"\\watch 0.1 --count 2 count{ENTER}")
    screen.wait("watch ended; runs: 2.")
    enter(screen, "\\watch 0.1 WIPE web")
    answer(screen, "go on:", "yes" + ENTER)
    server.wait_for(lambda: server.names().count("WIPE") >= 3)
    screen.type(CTRL_C)
    at_prompt(screen)
    assert "EXIT" not in sent(server)
    leave(screen)


def test_a_lost_connection_is_waited_for(screen: Screen, server: ScriptedServer, proxy: FaultProxy) -> None:
    """And the command run on, also where nobody knows what became of the last run."""
    runs: list[str] = []

    def count(_peer: object, _arguments: list[str]) -> object:
        runs.append("")
        return len(runs) if len(runs) != 2 else None  # which is no answer

    server.handlers["COUNT"] = count
    enter(screen, "\\watch 0.1 COUNT")
    server.wait_for(lambda: len(runs) == 2)
    proxy.down()
    screen.wait("may have run")
    proxy.up()
    server.wait_for(lambda: len(runs) >= 4)
    screen.type(CTRL_C)
    screen.wait("watch ended; runs:")
    leave(screen)


def test_a_word_stands_for_a_command(screen: Screen, open_client: Open, server: ScriptedServer) -> None:
    """Once, and the next time, too; it hides no command, and no secret."""
    told(screen, "\\alias", "There are no aliases.")
    told(screen, "\\alias say = ECHO 'two  words'", "secure>")
    told(screen, "say and more", "two words and more")
    assert sent(server)[-1] == "ECHO two  words and more"
    told(screen, "\\alias echo = COUNT", "ECHO is a command of the server, which an alias would hide")
    told(screen, "\\alias open = UNLOCK", "A command that takes a secret has no alias")
    told(screen, "\\alias =", "Type \\alias WORD = COMMAND …")
    told(screen, "\\alias nobody", "There is no alias nobody.")
    told(screen, "\\alias wipe-web = WIPE web", "secure>")
    enter(screen, "wipe-web")
    answer(screen, "go on:", "no" + ENTER)
    at_prompt(screen)
    leave(screen)
    again = open_client()
    told(again, "\\alias say", "say = ECHO 'two words'")
    told(again, "\\unalias say", "secure>")
    told(again, "\\unalias say", "There is no alias say.")
    told(again, "say x", "Unknown command")
    leave(again)


def test_lines_are_found_again(screen: Screen) -> None:
    """The newest last; by number, and by a word."""
    for number in range(3):
        told(screen, f"ECHO line-{number}", f"ECHO: line-{number}")
    screen.type("\x0c")
    screen.wait(lambda: screen.lines[0] == "secure>")
    screen.type("\\history 3" + ENTER)
    screen.wait(
        lambda: re.search(r"^(\d+)  ECHO line-1\n\d+  ECHO line-2\n\d+  \\history 3$", screen.text, re.MULTILINE)
    )
    at_prompt(screen)
    enter(screen, "\\history LINE-0")
    screen.wait(lambda: re.search(r"^\d+  ECHO line-0\n\d+  \\history LINE-0$", screen.text, re.MULTILINE))
    at_prompt(screen)
    told(screen, "\\history nothing-like-it-\\ ", "\\history nothing-like-it")
    leave(screen)


def test_jobs_that_run_come_first(screen: Screen, server: ScriptedServer) -> None:
    """With how to follow one."""
    server.commands.append(CommandDescription("JOBS", reply=ReplyKind.TABLE, columns=("job", "state")))
    server.handlers["JOBS"] = lambda _peer, _arguments: [
        {"job": 40 - number, "state": "running" if number == 25 else "done"} for number in range(30)
    ]
    known_anew(screen, server)
    enter(screen, "\\jobs")
    screen.wait("attach 15 follows job 15. secure>")
    assert re.search(r"jobs\njob +state\n─+\n15 +running\n40 +done$", screen.text, re.MULTILINE), "all is in sight"
    assert "… and 13 more: JOBS" in screen.text
    leave(screen)


def test_each_is_explained(screen: Screen) -> None:
    """By subject with an example of each; or one of them whole."""
    enter(screen, "\\help")
    screen.wait("Answers \\format vertical Show answers as")
    screen.wait("Leave; so does Ctrl-D. secure>")
    told(screen, "\\help watch", "\\watch SECONDS [--count N] [COMMAND …] Run a command again and again, until Ctrl-C.")
    told(screen, "\\help \\alais", "There is no \\alais; did you mean \\alias?")
    leave(screen)


def test_what_is_kept_and_damaged_stops_nobody(open_client: Open, home: Path) -> None:
    """It is said once, and the terminal is as it comes."""
    home.mkdir(mode=0o700)
    (home / "terminal.json").write_text("{", encoding="ascii")
    screen = open_client()
    screen.wait("is damaged: the terminal is as it comes.")
    told(screen, "ECHO x", "ECHO: x")
    told(screen, "\\set pager off", "The pager is off.")
    leave(screen)
    (kept,) = json.loads((home / "terminal.json").read_text(encoding="ascii")).values()
    assert kept == {"pager": False}


def test_what_there_is_not_is_told_with_what_there_is(screen: Screen) -> None:
    """As of commands of the server."""
    told(screen, "\\tming", "There is no \\tming; did you mean \\timing? \\help lists what there is.")
    told(screen, "\\xyzzy", "There is no \\xyzzy; \\help lists what there is.")
    told(screen, "\\jobs", "no jobs")
    told(screen, "\\set editing vi", "The editing is vi.")
    screen.type("ECHO ac\x1b")
    screen.wait(lambda: "vi: normal  connected" in screen.toolbar)
    screen.type("v")
    screen.wait(lambda: "vi: visual  connected" in screen.toolbar)
    screen.type("\x1bib")
    screen.wait(lambda: "ECHO abc" in screen.text and "vi:" not in screen.toolbar)
    screen.type("\x1b")
    screen.type(ENTER)
    screen.wait("ECHO: abc")
    told(screen, "\\set editing emacs", "The editing is emacs.")
    told(screen, "\\set nothing", "There is no preference nothing: there is editing, format, pager, timing.")
    told(screen, "\\set", "editing emacs format table pager on timing off")
    leave(screen)


def test_a_secret_behind_them_is_hidden_and_kept_nowhere(screen: Screen, server: ScriptedServer, home: Path) -> None:
    """As in a line of its own, for it is one."""
    server.handlers["UNLOCK"] = lambda _peer, _arguments: "open"
    enter(screen, "\\watch 0.1 UNLOCK s3cret")
    server.wait_for(lambda: server.names().count("UNLOCK") >= 2)
    screen.type(CTRL_C)
    screen.wait("watch ended; runs:")
    told(screen, "\\alias open = UNLOCK s3cret", "A command that takes a secret has no alias")
    assert "UNLOCK ***" in screen.text
    told(screen, "\\format json", "The format is json.")
    told(screen, "\\alias again = UNLOCK s3cret", "A command that takes a secret has no alias")
    assert b"s3cret" not in screen.raw
    leave(screen)
    kept = "".join(path.read_text(encoding="utf-8") for path in home.rglob("*") if path.is_file())
    assert "s3cret" not in kept
