"""A line of the trail: bounded, printable, without a secret."""

from __future__ import annotations

import json

import pytest

from secure_protocol.token import Token
from secure_server.audit.chain import NOTHING
from secure_server.audit.record import (
    ARGUMENT_CHARACTERS,
    ARGUMENTS,
    HELD_BYTES,
    Entry,
    Withheld,
    held,
    line_of,
    parse,
    utc,
)


def written(**fields: object) -> dict[str, object]:
    """An entry as its line's JSON."""
    entry = Entry(0.0, "command", "ok", **fields)  # type: ignore[arg-type] # the test's own
    decoded = json.loads(line_of(entry, 1, NOTHING))
    assert isinstance(decoded, dict)
    return decoded


def test_a_line_is_json_with_its_fields_in_order() -> None:
    """What is empty is left out; the hash of the line before comes last."""
    entry = Entry(1.5, "command", "ok", "ada", "127.0.0.1:5", 3, "DISK", [b"/srv"], detail={"why": "x"})
    assert line_of(entry, 7, NOTHING).decode() == (
        '{"seq":7,"time":"1970-01-01T00:00:01.500000Z","event":"command","outcome":"ok","who":"ada",'
        '"address":"127.0.0.1:5","session":3,"command":"DISK","arguments":["/srv"],"detail":{"why":"x"},'
        f'"previous":"{NOTHING}"}}'
    )
    assert list(json.loads(line_of(Entry(0.0, "server", "stopped"), 1, NOTHING))) == [
        "seq",
        "time",
        "event",
        "outcome",
        "previous",
    ]


def test_a_line_can_be_read_again() -> None:
    """What was written is what is shown."""
    entry = Entry(0.0, "command", "ok", arguments=[b"a"], more=2)
    record = parse(line_of(entry, 4, NOTHING))
    assert (record.seq, record.arguments, record.arguments_left_out) == (4, ("a",), 2)


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        (b"caf\xc3\xa9", "café"),
        (b"\xff\x00\n", "\\xff\\x00\\x0a"),
        ("a\u202eb".encode(), "a\\u202eb"),
        (b"x" * ARGUMENT_CHARACTERS, "x" * ARGUMENT_CHARACTERS),
        (b"x" * 100_000, "x" * ARGUMENT_CHARACTERS + "…"),
        ("\U0001f600".encode() * 1000, "\U0001f600" * ARGUMENT_CHARACTERS + "…"),
        ("é".encode() * 300, "é" * ARGUMENT_CHARACTERS + "…"),
    ],
)
def test_arguments_are_printable_and_bounded(argument: bytes, shown: str) -> None:
    """Bytes are escaped, what is long is cut and marked, however much of it the queue held."""
    kept, more = held([argument])
    assert written(arguments=kept, more=more)["arguments"] == [shown]


def test_many_arguments_are_cut_and_counted() -> None:
    """The first are kept; nothing of the others stays in memory."""
    kept, more = held([b"x" * 5000] * (ARGUMENTS + 5))
    assert (len(kept), more) == (ARGUMENTS, 5)
    assert all(isinstance(argument, bytes) and len(argument) == HELD_BYTES for argument in kept)
    assert written(arguments=kept, more=more)["arguments_left_out"] == 5


def test_small_arguments_are_not_copied() -> None:
    """The I/O thread pays for what is long alone."""
    given = [b"a", b"b"]
    assert held(given) == (given, 0)
    assert held(given)[0] is given


def test_secret_arguments_are_not_there() -> None:
    """And it is said that there were some."""
    assert written(arguments=None)["arguments_secret"] is True
    assert "arguments" not in written(arguments=None)


def test_what_is_withheld_is_no_text_in_the_trail() -> None:
    """A secret is null, data have size and hash; so no argument can look like one, and both can be read again."""
    body = Withheld(3, "ab" * 32)
    given: list[bytes | Withheld] = [b"null", Withheld(), body, b'{"size":3}', b"x" * HELD_BYTES * 2]
    kept, more = held(given)
    shown = written(arguments=kept, more=more)["arguments"]
    assert shown[:4] == ["null", None, {"size": 3, "sha256": "ab" * 32}, '{"size":3}']  # type: ignore[index] # JSON
    record = parse(line_of(Entry(0.0, "command", "ok", arguments=kept), 1, NOTHING))
    assert record.arguments[:3] == ("null", None, body)


def test_a_token_in_a_wrong_place_is_cut_to_its_id() -> None:
    """Whole or in part, in an argument or in a detail."""
    token = Token.generate()
    line = json.dumps(
        [
            written(arguments=[token.reveal().encode(), f"x={token.reveal()[:-9]}".encode()]),
            written(detail={"text": token.reveal()}),
        ]
    )
    assert token.secret[:8] not in line
    assert line.count(token.id) == 3


def test_times_are_utc_to_the_microsecond() -> None:
    """All of one width, so that they sort as text."""
    assert utc(1_795_000_000) == "2026-11-18T11:06:40.000000Z"


@pytest.mark.parametrize("text", [b"", b"{}", b"nonsense", b'{"seq":"1"}', b"\xff"])
def test_what_is_no_record_is_refused(text: bytes) -> None:
    """Garbage is a ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - the sentence is the library's
        parse(text)


@pytest.mark.parametrize(("value", "shown"), [(object(), "object"), (7, 7), ("\ud800", "\\ud800")])
def test_a_detail_that_cannot_be_written_keeps_no_record_from_the_trail(value: object, shown: object) -> None:
    """A handler may set an exit code to anything; the rest of its record is written."""
    assert written(detail={"exit_code": value, "ms": 1})["detail"] == {"exit_code": shown, "ms": 1}


def test_an_outcome_is_printable() -> None:
    """A handler may make a code of its own."""
    assert json.loads(line_of(Entry(0.0, "command", "A\r\n\ud800"), 1, NOTHING))["outcome"] == "A\\x0d\\x0a\\ud800"
