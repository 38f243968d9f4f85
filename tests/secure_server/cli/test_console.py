"""What the server writes to stderr, while somebody reads it and while nobody does."""

from __future__ import annotations

import io
import logging
import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from secure_protocol.token import Token
from secure_server.cli import console
from secure_server.cli.console import Console
from secure_server.recording.activity_log import WARNINGS_PER_SECOND

PATIENCE = 30.0


def test_lines_are_written_in_order_and_tokens_are_not() -> None:
    """All of them, by the time `flush` returns."""
    stream, token = io.StringIO(), Token.generate().reveal()
    handler = Console(stream)
    handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "a %s", (token,), None))
    handler.say("stopping …")
    handler.flush()
    first, second = stream.getvalue().splitlines()
    assert token not in first
    assert (first[:2], second) == ("a ", "stopping …")


def test_a_terminal_has_nothing_to_obey() -> None:
    """An exception of somebody's command may quote what a peer sent; its lines and blanks stay."""
    stream = io.StringIO()
    handler = Console(stream)
    error = ValueError("no service \x1b[2J\u202e\rweb")
    known = (ValueError, error, None)
    handler.handle(logging.LogRecord("x", logging.ERROR, "", 0, "olá %s", ("\x9b1m\t!",), known))
    handler.flush()
    first, *_more, last = stream.getvalue().rstrip("\n").split("\n")
    assert (first, last) == ("olá \\x9b1m\t!", r"ValueError: no service \x1b[2J\u202e\x0dweb")


def test_what_nobody_reads_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever says something never waits; who reads later learns how many lines are missing."""
    reader, writer = os.pipe()
    with (
        os.fdopen(reader, "rb") as reading,
        ThreadPoolExecutor(1) as later,
        os.fdopen(writer, "w", encoding="utf-8") as stream,
    ):
        handler = Console(stream)
        count = 3 * console.QUEUE
        for number in range(count):
            handler.say(f"{number} {'x' * 1000}")
        monkeypatch.setattr(console, "FLUSH_SECONDS", 0.0)
        handler.flush()  # does not wait for a reader
        lines = later.submit(reading.readlines)
        monkeypatch.setattr(console, "FLUSH_SECONDS", PATIENCE)
        handler.flush()
    told = re.compile(rb"(\d+) lines are lost: nobody read them in time\n")
    lost = sum(int(found[1]) for line in lines.result() if (found := told.fullmatch(line)))
    written = [int(line.split()[0]) for line in lines.result() if not told.fullmatch(line)]
    assert written == sorted(written)
    assert lost > console.QUEUE
    assert len(written) + lost == count


def test_warnings_without_end_are_bounded_and_counted() -> None:
    """A user whose every request has the server warn fills no disk; what others log is theirs to bound."""
    stream, now = io.StringIO(), 100.0
    handler = Console(stream, lambda: now)

    def log(name: str, level: int, count: int) -> list[str]:
        for number in range(count):
            handler.handle(logging.LogRecord(name, level, "", 0, f"{name} {number}", (), None))
        handler.flush()
        written = stream.getvalue().splitlines()
        stream.seek(0)
        stream.truncate()
        return written

    first = [f"secure_server.commands {number}" for number in range(WARNINGS_PER_SECOND)]
    lines = log("secure_server.commands", logging.ERROR, 500)
    assert lines == [*first, "ERROR secure_server.commands: 450 more are left out"]
    assert log("secure_server.net", logging.WARNING, 7) == ["WARNING secure_server.net: 7 more are left out"]
    assert len(log("theirs", logging.ERROR, 100)) == len(log("secure_server.net", logging.INFO, 100)) == 100
    handler.handle(logging.LogRecord("secure_server", logging.ERROR, "", 0, "left out", (), None))
    now += 1
    assert log("secure_server", logging.ERROR, 1) == ["ERROR secure_server: 1 more are left out", "secure_server 0"]


def test_it_ends_with_all_that_was_said() -> None:
    """And its thread with it: one that is busy when the interpreter ends could abort the process."""
    stream = io.StringIO()
    handler = Console(stream)
    handler.say("stopping …")
    handler.close()
    assert stream.getvalue() == "stopping …\n"
    assert not handler._thread.is_alive()
    handler.say("too late")  # nobody waits for it
