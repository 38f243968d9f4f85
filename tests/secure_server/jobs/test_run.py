"""One run of a job: what is kept of it, whatever its handler does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.replies import Push
from secure_server.commands.context import Context
from secure_server.jobs.job import KEPT_BYTES
from secure_server.jobs.keeping.output import Output, Room
from secure_server.jobs.keeping.reader import Reader
from secure_server.jobs.run import Ended, Run, RunCall
from secure_server.jobs.unattended import Unattended
from secure_server.session.call import CallEndedError
from secure_server.session.codecs import RESP3
from tests.secure_server.host import PATIENCE, Host
from tests.secure_server.jobs.desk import ADA

Handler = Callable[[Context], object]


def run(host: Host, directory: Path, handler: Handler, most: int = 1_000_000) -> tuple[Run, Callable[[], Ended]]:
    """Start one; returns it, and what waits for its end."""
    ends: list[Ended] = []
    over = threading.Event()

    def ended(how: Ended) -> None:
        ends.append(how)
        over.set()

    command = host.command(f"RUN-{len(list(host.registry))}", lambda _context: None, job=True)
    made = Run(
        1, command, handler, Unattended(ADA, "pt_BR", "10.0.0.1:5", host.clock), host.services,
        output=Output(directory / "1", most, Room(10 * most)), noticed=lambda: None, launch=lambda _pid: None,
        ended=ended,
    )  # fmt: skip
    made.start()

    def wait() -> Ended:
        assert over.wait(PATIENCE)
        assert made.join(PATIENCE)
        (only,) = ends
        return only

    return made, wait


def kept(directory: Path, upto: int) -> list[bytes]:
    """The parts that there are."""
    return Reader(directory / "1").read(0, upto, 10_000_000).parts


def test_parts_and_the_result_are_kept(host: Host, tmp_path: Path) -> None:
    """In RESP3, whoever asked."""

    def handler(_context: Context) -> Generator[object, None, object]:
        yield "one"
        yield 2
        return {"a": True}

    _, wait = run(host, tmp_path, handler)
    ended = wait()
    assert (ended.outcome, ended.reply, ended.parts) == ("ok", b"%1\r\n$1\r\na\r\n#t\r\n", 2)
    assert kept(tmp_path, 2) == [b"$3\r\none\r\n", b":2\r\n"]


@pytest.mark.parametrize(
    ("error", "outcome", "told"),
    [
        (CommandError("It broke."), "ERR", b"-ERR It broke."),
        (ZeroDivisionError("secret"), "internal-error", b"-ERR "),
        (SystemExit(3), "internal-error", b"-ERR "),
        (KeyboardInterrupt(), "internal-error", b"-ERR "),
    ],
)
def test_whatever_is_raised_is_an_end(
    host: Host, tmp_path: Path, error: BaseException, outcome: str, told: bytes
) -> None:
    """And said in the language of who started it, without the exception's own text."""

    def handler(_context: Context) -> None:
        raise error

    _, wait = run(host, tmp_path, handler)
    ended = wait()
    assert ended.outcome == outcome
    assert ended.reply is not None
    assert ended.reply.startswith(told)
    assert b"secret" not in ended.reply


def test_a_long_result_is_kept_behind_the_output(host: Host, tmp_path: Path) -> None:
    """A record holds so much; a thousand are in memory."""
    _, wait = run(host, tmp_path, lambda _context: "y" * KEPT_BYTES)
    ended = wait()
    assert (ended.reply, ended.parts) == (None, 0)
    assert len(kept(tmp_path, 1)[0]) > KEPT_BYTES


def test_what_is_told_to_stop_sends_no_more(host: Host, tmp_path: Path) -> None:
    """And its end is what it was told."""
    began = threading.Event()

    def handler(context: Context) -> Iterator[str]:
        began.set()
        while True:
            yield "more"
            context.cancelled.wait(PATIENCE)

    made, wait = run(host, tmp_path, handler)
    assert began.wait(PATIENCE)
    made.cancel(ErrorCode.TIMEOUT)
    made.cancel(ErrorCode.CANCELLED)
    ended = wait()
    assert (ended.outcome, ended.parts) == ("TIMEOUT", 1)


def test_a_thread_that_was_left_behind_is_heard_no_more(host: Host, tmp_path: Path) -> None:
    """What it sends after the end raises; the number of parts holds."""
    over, raised = threading.Event(), threading.Event()

    def late(call: RunCall) -> None:
        try:
            while not over.wait(0.001):
                call.send(b":1\r\n")
            call.send(b":2\r\n")
        except CallEndedError:
            raised.set()

    def handler(context: Context) -> str:
        assert isinstance(context.call, RunCall)
        threading.Thread(target=late, args=(context.call,), daemon=True).start()
        return "over"

    made, wait = run(host, tmp_path, handler)
    ended = wait()
    over.set()
    assert raised.wait(PATIENCE)
    assert made.output.next == ended.parts
    with pytest.raises(CallEndedError):
        made.call.tell(Push("progress", (0.5, "")), RESP3)


def test_progress_is_kept_though_nobody_watches(host: Host, tmp_path: Path) -> None:
    """Who comes later is told the last."""
    made, wait = run(host, tmp_path, lambda context: context.progress(0.5, "half"))
    wait()
    assert made.call.progress == Push("progress", (0.5, "half"))


def test_a_context_has_who_and_where(host: Host, tmp_path: Path) -> None:
    """And no session: what is missing explains itself."""
    found: list[object] = []

    def handler(context: Context) -> None:
        found.extend((context.principal, context.language, context.address, context.translate("OK")))
        found.append(hasattr(context.session, "output"))
        context.session.output += b"x"

    _, wait = run(host, tmp_path, handler)
    assert wait().outcome == "internal-error"
    assert found[:3] == [ADA, "pt_BR", "10.0.0.1:5"]
    assert found[4] is False


def test_an_endless_one_fills_no_disk(host: Host, tmp_path: Path) -> None:
    """The middle is dropped."""

    def handler(context: Context) -> Iterator[str]:
        for number in range(5_000):
            yield f"{number:06} {'x' * 1000}"
        del context

    made, wait = run(host, tmp_path, handler, most=200_000)
    ended = wait()
    assert ended.parts == 5_000
    assert sum(path.stat().st_size for path in (tmp_path / "1").iterdir()) <= 200_000
    assert made.output.dropped > 4_000
