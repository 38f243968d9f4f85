"""What a person is asked before a command is sent, in the real program; and files that they name."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.token import Token
from tests.secure_client.certificates import Authority
from tests.secure_client.scripted_server import Peer, ScriptedServer
from tests.terminal.conftest import Open
from tests.terminal.fault_proxy import FaultProxy
from tests.terminal.resting import at_prompt
from tests.terminal.screen import Screen
from tests.terminal.test_repl import CTRL_C, CTRL_D, ENTER, TAB, enter, known_anew, leave

RED = re.compile(rb"\x1b\[(\d+;)*31[;m]")


@pytest.fixture(autouse=True)
def _commands(server: ScriptedServer) -> None:
    host, body = ArgumentDescription("host"), ArgumentDescription("body", "bytes", file=True)
    server.commands += [
        CommandDescription("DEPLOY", arguments=(host,), confirm="Deploy {host}?"),
        CommandDescription("WIPE", arguments=(host,), danger=True),
        CommandDescription("STORE", arguments=(body,)),
        CommandDescription("UNLOCK", arguments=(host, ArgumentDescription("key", secret=True))),
    ]
    for name in ("DEPLOY", "WIPE", "STORE", "UNLOCK"):
        server.handlers[name] = lambda _peer, arguments: f"done {' '.join(arguments)}"


def sent(server: ScriptedServer) -> list[str]:
    """What reached the server, but for what the client asks by itself."""
    return [" ".join(request) for request in server.received if request[0] not in ("COMMANDS", "COMPLETE", "LANG")]


def answer(screen: Screen, question: str, keys: str) -> None:
    """Wait for a question, and type."""
    screen.wait(lambda: screen.typing.rstrip().endswith(question))
    screen.type(keys)


def test_the_prompt_asks_first(screen: Screen, server: ScriptedServer, proxy: FaultProxy) -> None:
    """Yes sends; all else, Ctrl-C and Ctrl-D too, sends nothing and says so. Where it is dangerous `yes` is a word."""
    danger = f"Run WIPE web on localhost:{proxy.port}? Type yes in full to go on:"
    for line, question, keys in (
        ("DEPLOY web", "Deploy web? [y/N]", ENTER),
        ("DEPLOY web", "Deploy web? [y/N]", "no" + ENTER),
        ("DEPLOY web", "Deploy web? [y/N]", CTRL_C),
        ("DEPLOY web", "Deploy web? [y/N]", CTRL_D),
        ("WIPE web", danger[-20:], "y" + ENTER),
    ):
        enter(screen, line)
        answer(screen, question, keys)
        screen.wait("Not confirmed; nothing was sent.")
        enter(screen, "\\help")
        screen.wait("\\quit")
        at_prompt(screen)
        screen.type("\x0c")  # Ctrl-L: an empty screen
        screen.wait(lambda: "Not confirmed" not in screen.text)
    assert sent(server) == []
    enter(screen, "DEPLOY web")
    answer(screen, "Deploy web? [y/N]", "y" + ENTER)
    screen.wait("done web")
    enter(screen, "WIPE all")
    screen.wait(f"DANGER Run WIPE all on localhost:{proxy.port}? Type yes in full to go on:")
    assert RED.search(screen.raw)
    screen.type("yes" + ENTER)
    screen.wait("done all")
    assert sent(server) == ["DEPLOY web", "WIPE all"]
    leave(screen)


def test_a_repeated_command_is_asked_about_once(screen: Screen, server: ScriptedServer) -> None:
    """The link sends it again after a broken connection; the user meant it already."""
    runs: list[Peer] = []

    def deploy(peer: Peer, _arguments: list[str]) -> object:
        runs.append(peer)
        if len(runs) == 1:
            peer.cut()
            return None
        return "done twice"

    server.handlers["DEPLOY"] = deploy
    enter(screen, "DEPLOY web")
    answer(screen, "Deploy web? [y/N]", "y" + ENTER)
    screen.wait("done twice")
    assert sent(server) == ["DEPLOY web", "DEPLOY web"]
    assert screen.text.count("[y/N]") == 1
    leave(screen)


@pytest.mark.parametrize(
    ("keys", "code", "said"),
    [
        ("y" + ENTER, 0, "done web"),
        ("x" + ENTER, 1, "Not confirmed; nothing was sent."),
        (CTRL_D, 1, "Not confirmed; nothing was sent."),
        (CTRL_C, 130, "Interrupted; nothing was sent."),
    ],
    ids=["yes", "no", "end", "interrupt"],
)
def test_one_shot_commands_ask_on_a_terminal(
    open_client: Open, server: ScriptedServer, keys: str, code: int, said: str
) -> None:
    """A no is a command that failed, and the next one runs; Ctrl-C ends all."""
    screen = open_client("-c", "DEPLOY web", "-c", "ECHO next")
    answer(screen, "Deploy web? [y/N]", keys)
    assert screen.ended() == code
    assert said in screen.lines
    assert sent(server) == ["DEPLOY web"] * (code == 0) + ["ECHO next"] * (code != 130)


def test_nobody_is_asked_who_would_not_see_it(
    proxy: FaultProxy, authority: Authority, token: Token, home: Path, server: ScriptedServer
) -> None:
    """Standard error goes elsewhere: the question would stand in a file, and the program still."""
    argv = [sys.executable, "-m", "secure_client", f"localhost:{proxy.port}", "--ca", str(authority.ca)]
    variables = {"SECURE_CLIENT_HOME": str(home), "SECURE_CLIENT_TOKEN": token.reveal()}
    words = ["/bin/sh", "-c", f'exec "$@" 2>{home}.txt', "sh", *argv, "-c", "DEPLOY web"]
    with Screen(words, variables) as screen:
        assert screen.ended() == 2
    assert "There is no terminal to answer on" in Path(f"{home}.txt").read_text(encoding="utf-8")
    assert sent(server) == []


def test_terminals_without_colours_show_the_same_words(open_client: Open, server: ScriptedServer) -> None:
    """NO_COLOR, in one shot, and TERM=dumb at the prompt. `--yes` asks nothing."""
    screen = open_client("-c", "WIPE web", NO_COLOR="1", LC_ALL="pt_BR.UTF-8")
    screen.wait("PERIGO Executar WIPE web em")
    screen.wait("Digite sim por extenso para contin")
    screen.type("sim" + ENTER)
    assert screen.ended() == 0
    assert not RED.search(screen.raw)
    screen = open_client(TERM="dumb")
    enter(screen, "WIPE all")
    screen.wait("DANGER Run WIPE all on")
    screen.type("no" + ENTER)
    screen.wait("Not confirmed; nothing was sent.")
    leave(screen)
    screen = open_client("--yes")
    enter(screen, "WIPE these")
    screen.wait("done these")
    leave(screen)
    assert sent(server) == ["WIPE web", "WIPE these"]


def test_files_are_named_and_secrets_forgotten(
    screen: Screen, server: ScriptedServer, home: Path, tmp_path: Path
) -> None:
    """Paths are completed; history and screen have the name, not what is in the file; and no secret is kept."""
    (tmp_path / "notes.txt").write_text("what is inside", encoding="utf-8")
    at_prompt(screen)
    screen.type(f"STORE @{tmp_path}/no")
    screen.wait("notes.txt")
    screen.type(TAB)
    screen.wait(lambda: "notes.txt" in screen.text.split("secure>")[-1].split("\n")[0] + screen.typing)
    screen.type(ENTER)  # one: a second would be an empty line, and what is typed as that ends would be echoed
    screen.wait("done what is inside")
    at_prompt(screen)
    screen.type("UNLOCK front s3cret")
    screen.wait("UNLOCK front ******")
    screen.type(ENTER)
    screen.wait("done front s3cret")
    assert screen.raw.count(b"s3cret") == 1, "but for the answer it was stars"
    enter(screen, "STORE @gone")
    screen.wait("@gone cannot be read (No such file or directory), so nothing was sent.")
    leave(screen)
    history = (home / "history").read_text(encoding="utf-8")
    assert f"STORE @{tmp_path}/notes.txt" in history
    assert "inside" not in history
    assert "UNLOCK" not in history
    assert sent(server) == ["STORE what is inside", "UNLOCK front s3cret"]


# What a command would choose


def choosing(server: ScriptedServer, count: int) -> list[dict[str, object]]:
    """Have the server know a command that chooses among so many; return whom it would choose, to be changed."""
    rows: list[dict[str, object]] = [{"id": number, "user": f"u{number}"} for number in range(1, count + 1)]
    words = ArgumentDescription("words", variadic=True)
    shown = ArgumentDescription("shown", flag=True, optional=True)
    yes = ArgumentDescription("yes", "bool", flag=True, optional=True)
    server.commands.append(
        CommandDescription("EXPEL", arguments=(words, shown, yes), confirm="Expel these?", preview="PREVIEW EXPEL")
    )
    server.handlers["PREVIEW"] = lambda _peer, arguments: list(rows) if "7" not in arguments else []
    server.handlers["EXPEL"] = lambda _peer, arguments: f"gone {' '.join(arguments)}"
    return rows


def test_what_is_chosen_is_shown_and_held_to(screen: Screen, server: ScriptedServer) -> None:
    """Who came between the question and its answer is not chosen; a no chooses nobody."""
    rows = choosing(server, 2)
    known_anew(screen, server)
    enter(screen, "EXPEL idle>5m --yes=no")
    answer(screen, "Expel these? [y/N]", "n" + ENTER)
    screen.wait("Not confirmed; nothing was sent.")
    enter(screen, "EXPEL idle>5m")
    screen.wait(lambda: screen.text.count("Expel these?") == 2)
    assert [line.split() for line in screen.lines].count(["2", "u2"]) == 2
    rows.append({"id": 3, "user": "u3"})
    answer(screen, "Expel these? [y/N]", "y" + ENTER)
    screen.wait("gone --shown=1,2 idle>5m")
    enter(screen, "EXPEL 7")
    screen.wait("gone 7")
    enter(screen, "EXPEL all --yes")
    screen.wait("gone all --yes")
    leave(screen)


def test_of_many_the_first_are_shown_in_a_small_window(open_client: Open, server: ScriptedServer) -> None:
    """And how many more there are; with `-c` too."""
    choosing(server, 40)
    screen = open_client("-c", "EXPEL all", rows=24, columns=80)
    screen.wait("… and 25 more")
    assert any(line.split() == ["15", "u15"] for line in screen.lines)
    answer(screen, "Expel these? [y/N]", "y" + ENTER)
    assert screen.ended() == 0
    assert [request[1] for request in server.received if request[0] == "EXPEL"] == [
        "--shown=" + ",".join(map(str, range(1, 41)))
    ]
