"""Jobs for programs, `-c` and batches: what they wait for, and for how long."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from secure_client import Client, NoAnswerError, Part, State
from secure_client.answers.formats import Format
from secure_client.answers.rendering import Renderer
from secure_client.catalogue import Catalogue
from secure_client.connection.request import OnPart, OnProgress, Request
from secure_client.core.call import ANSWER_TIMEOUT, NoSignError
from secure_client.core.watch import Watch
from secure_client.errors import GivenUpError
from secure_client.terminal import running
from secure_client.terminal.interrupts import Interrupts
from secure_client.terminal.manner import USUAL, Manner
from secure_client.terminal.oneshot import run_commands
from secure_client.terminal.progress import ProgressBar
from secure_client.typed.line import Line
from secure_client.typed.precautions import Precautions
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.replies import ErrorReply, Push, Status
from secure_protocol.token import Token
from tests.secure_client.certificates import Authority
from tests.secure_client.scripted_server import Peer, ScriptedServer

PATIENCE = Manner(timeout=1.5)
"""Waits until the job is silent for that long; its first sign comes over a new connection, which a busy machine may
take more than a tenth of a second to make."""

Stream = Generator[object, None, object]


def run(
    server: ScriptedServer, authority: Authority, token: Token, *lines: str, manner: Manner = USUAL
) -> tuple[int, list[object], str]:
    """Run lines as `-c --json` does; return exit code, what was written, and what was complained of."""
    written, told = io.StringIO(), list[str]()
    server.commands.append(CommandDescription("DEPLOY", "Deploy", job=True))
    with Client(server.address, token=token, ca=authority.ca, reconnect=False) as client:
        renderer = Renderer(written, form=Format.JSON)
        status = run_commands(client, lines, renderer, told.append, Precautions("work"), manner)
    return status, [json.loads(line) for line in written.getvalue().splitlines()], "\n".join(told)


def test_a_server_that_stays_away_is_not_waited_for_without_end(
    server: ScriptedServer, authority: Authority, token: Token
) -> None:
    """The job may go on; the error says how to come back, and what would follow is not run."""

    def job(peer: Peer, _arguments: list[str]) -> Stream:
        yield Push("job", (7, "running", 0))
        yield "one"
        server.refusal = ErrorReply("DRAINING", "Going down.")
        peer.cut()
        return "unheard"

    server.handlers["JOB"] = job
    status, written, told = run(server, authority, token, "DEPLOY", "ECHO x", manner=PATIENCE)
    assert status == 3
    assert "Job 7 goes on; JOB ATTACH 7 1 comes back to it." in told
    part, failure = written
    assert part == {"command": "DEPLOY", "job": 7, "number": 0, "part": "one"}
    assert isinstance(failure, dict)
    assert (failure["job"], failure["ok"], failure["code"]) == (7, False, "LOST")


def test_a_server_that_hangs_is_not_waited_for_either(
    server: ScriptedServer, authority: Authority, token: Token
) -> None:
    """The connection stands, but of a job something is said every 15 s."""

    def job(peer: Peer, _arguments: list[str]) -> Stream:
        yield Push("job", (7, "running", 0))
        yield "one"
        while ["DETACH"] not in peer.waiting and peer.read():
            pass
        return "unheard"

    server.handlers["JOB"] = job
    status, written, told = run(server, authority, token, "DEPLOY", "ECHO x", manner=PATIENCE)
    assert status == 3
    assert told.endswith("said nothing for 1.5 s. Job 7 goes on; JOB ATTACH 7 1 comes back to it.")
    assert len(written) == 2, "a part and the failure"


SILENT, SIGN, PART, ANOTHER = "silent", "sign", "part", "another connection"


class Waits(Request):
    """A job of which this comes, one after the other; nothing waits.

    Args:
        script: what comes.
        status: of the client.
    """

    def __init__(self, script: list[str], status: SimpleNamespace) -> None:
        super().__init__(Watch([b"DEPLOY"]))
        self.script, self._status, self.call.begun = script, status, True

    def wait(
        self,
        timeout: float,  # noqa: ARG002 - as the script says
        on_part: OnPart | None = None,
        on_progress: OnProgress | None = None,
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,  # noqa: ARG002 - nothing waits
    ) -> object:
        """Go on in the script."""
        while self.script:
            came = self.script.pop(0)
            if came == ANOTHER:
                self._status.session = object()
            if came in (SILENT, ANOTHER):
                raise NoSignError
            assert on_part is not None
            assert on_progress is not None
            if came == SIGN:
                on_progress(0.5, "")
            else:
                on_part(Part(0, "x"))
        return Status("OK")


@pytest.mark.parametrize(
    ("script", "given_up"),
    [
        ([SILENT], True),
        ([SIGN, *[SILENT] * 2], True),
        ([ANOTHER, *[SILENT] * 59, SIGN, *[SILENT] * 59, PART, *[SILENT] * 59], False),
        ([ANOTHER, *[SILENT] * 60], True),
        ([ANOTHER, *[SILENT] * 59, ANOTHER, *[SILENT] * 59], False),
    ],
)
def test_how_long_a_silent_job_is_waited_for(script: list[str], given_up: bool) -> None:  # noqa: FBT001 - a table's column
    """A minute since the last sign of it, or of another connection; also of one that waits in the line."""
    status = SimpleNamespace(state=State.CONNECTED, session=object())
    client = SimpleNamespace(status=status, catalogue=Catalogue())
    request, line = Waits(script, status), Line("DEPLOY", (b"DEPLOY",))
    renderer, bar = Renderer(io.StringIO(), form=Format.JSON), ProgressBar(io.StringIO(), shown=False)

    def silence() -> None:
        raise NoAnswerError

    with Interrupts() as interrupts, pytest.raises(NoAnswerError) if given_up else nullcontext():
        shown = running.Running(cast("Client", client), line, request, renderer, bar, interrupts)
        shown.show(ANSWER_TIMEOUT, silence)
    assert given_up or not script


def test_to_be_detached_from_a_job_is_no_failure(server: ScriptedServer, authority: Authority, token: Token) -> None:
    """The exit code is 0, and what follows is run."""

    def job(_peer: Peer, _arguments: list[str]) -> Stream:
        yield Push("job", (7, "running", 0))
        return ErrorReply("DETACHED", "Job 7 goes on; JOB ATTACH 7 0 comes back to it.")

    server.handlers["JOB"] = job
    status, written, told = run(server, authority, token, "DEPLOY", "PING")
    assert (status, told) == (0, "Job 7 goes on; JOB ATTACH 7 0 comes back to it.")
    assert len(written) == 2


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("deploy web", ["START", "--key", "?", "deploy", "web"]),
        ("JOB START deploy web", ["START", "--key", "?", "deploy", "web"]),
        ("job start --key mine deploy", ["start", "--key", "mine", "deploy"]),
        ("job start --key=mine deploy", ["start", "--key=mine", "deploy"]),
        ("JOB RERUN 7 again", ["RERUN", "--key", "?", "7", "again"]),
        ("JOB RERUN 7 --key=mine", ["RERUN", "7", "--key=mine"]),
        ("JOB ATTACH 7", ["ATTACH", "7", "0"]),
        ("JOB ATTACH 7 12 --numbered", ["ATTACH", "7", "12"]),
        ("JOB ATTACH seven", ["ATTACH", "seven"]),
        ("JOB SHOW 7", ["SHOW", "7"]),
    ],
)
def test_what_is_sent_for_a_line(
    server: ScriptedServer, authority: Authority, token: Token, line: str, sent: list[str]
) -> None:
    """A start has a key, one's own where one is given; what is none is the server's to refuse."""
    server.handlers["JOB"] = lambda _peer, _arguments: "OK"
    run(server, authority, token, line)
    (asked,) = [request[1:] for request in server.received if request[0].upper() == "JOB"]
    assert len(asked) == len(sent)
    assert all(
        given == wanted or (wanted == "?" and len(given) == 36) for given, wanted in zip(asked, sent, strict=True)
    )


@pytest.mark.parametrize(
    ("line", "asked", "code", "sent"),
    [
        ("DEPLOY web", "COMMANDS", "THROTTLED", False),
        ("DEPLOY web", "COMMANDS", "ERR", True),
        ("DEPLOY web", "COMMANDS", "NOPERM", True),
        ("JOB RERUN 7", "JOB SHOW", "THROTTLED", False),
        ("JOB RERUN 7", "JOB SHOW", "ERR", True),
    ],
)
def test_what_could_not_be_asked_about_is_not_sent(
    server: ScriptedServer,
    authority: Authority,
    token: Token,
    line: str,
    asked: str,
    code: str,
    sent: bool,  # noqa: FBT001 - a table's column
) -> None:
    """A server that tells nothing of its commands, or of a job, is not one that has nothing to be asked about."""
    sends: list[str] = []
    told = server.handlers["COMMANDS"]

    def handle(name: str) -> None:
        def handler(peer: Peer, arguments: list[str]) -> object:
            words = " ".join([name, *arguments[:1]]).strip()
            if words == asked:
                return ErrorReply(code, "Not now.")
            if name != "COMMANDS":
                sends.append(words)
                return "OK"
            return told(peer, arguments)

        server.handlers[name] = handler

    for name in ("COMMANDS", "JOB", "DEPLOY"):
        handle(name)
    server.commands.append(CommandDescription("JOB RERUN", arguments=(ArgumentDescription("job", "int"),)))
    status, written, _complaints = run(server, authority, token, line, "PING")
    assert (status, len(sends)) == (int(not sent), int(sent))
    assert len(written) == 2, "what follows is run in any case"


def test_a_file_is_as_long_as_the_server_says(
    server: ScriptedServer, authority: Authority, token: Token, tmp_path: Path
) -> None:
    """At the login, of this connection."""
    server.hello |= {"argument-bytes": 3, "request-bytes": 200}
    server.commands.append(CommandDescription("STORE", arguments=(ArgumentDescription("body", file=True),)))
    server.handlers["STORE"] = lambda _peer, _arguments: "stored"
    (tmp_path / "three").write_text("abc", encoding="ascii")
    (tmp_path / "four").write_text("abcd", encoding="ascii")
    status, written, told = run(server, authority, token, f"STORE @{tmp_path}/three", f"STORE @{tmp_path}/four")
    assert (status, len(written)) == (2, 2)
    assert "four cannot be read (it is longer than 3 bytes)" in told


def test_a_second_ctrl_c_leaves_a_job_that_does_not_end(
    server: ScriptedServer, authority: Authority, token: Token
) -> None:
    """The connection is free for what comes next."""
    words: list[list[str]] = []

    def job(peer: Peer, _arguments: list[str]) -> Stream:
        yield Push("job", (7, "running", 0))
        yield "one"
        while ["DETACH"] not in peer.waiting:
            assert peer.read()
        words.extend(peer.waiting)
        return ErrorReply("DETACHED", "Job 7 goes on; JOB ATTACH 7 1 comes back to it.")

    class Pressed(Interrupts):
        """Ctrl-C is pressed when the server has begun, and again when it was asked to end it."""

        @contextmanager
        def waiting(self) -> Iterator[None]:
            asked = ["CANCEL"] in server.received or request.call.told == (b"CANCEL",)
            if request.begun and (asked or not request.call.unwanted):
                raise KeyboardInterrupt
            yield

    server.handlers |= {"JOB": job, "CANCEL": lambda _peer, _arguments: 1, "DETACH": lambda _peer, _arguments: 1}
    line, bar = Line("DEPLOY", (b"DEPLOY",)), ProgressBar(io.StringIO(), shown=False)
    with Client(server.address, token=token, ca=authority.ca) as client:
        request = client.send(Watch.start([b"DEPLOY"], "key"))
        shown = running.Running(client, line, request, Renderer(io.StringIO(), form=Format.JSON), bar, Pressed())
        with pytest.raises(GivenUpError, match="No longer waiting; job 7 may still run"):
            shown.show(0.05, lambda: None)
        assert client.execute("ECHO", "x") == "x"
    assert words[:2] == [["CANCEL"], ["DETACH"]], "and perhaps what came next"
