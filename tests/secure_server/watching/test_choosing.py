"""Which events, and which lines, a filter chooses; and which kinds nobody has to make for it."""

from __future__ import annotations

import pytest

from secure_protocol.errors import CommandError
from secure_server.audit.who import Who
from secure_server.recording.events import KINDS, Event
from secure_server.watching.choosing import EVENT_FIELDS, chosen_events, chosen_lines

EVENT = Event(
    0.0, "command", Who(17, "ana", "10.0.0.7:4000"), "ok", "DISK", seconds=1.5, detail={"job": 3, "reason": "x"}
)
LINE = "2026-11-28T10:00:00.123+00:00 command session=17 principal=ana address=10.0.0.7:4000 name=DISK outcome=ok"
WARNING = "2026-11-28T10:00:00.123+00:00 log level=WARNING source=secure_server.net the disk is full\n  traceback"


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ("", True),
        ("event=command", True),
        ("event = close", False),
        ("id=17 user=ana", True),
        ("user!=ana", False),
        ("address in 10.0.0.0/8", True),
        ("network=10.0.0.7", True),
        ("address=10.0.0.7:4000", True),
        ("command=disk", True),
        ("not command=disk", False),
        ("outcome!=ok", False),
        ("took>1s", True),
        ("took>1500ms", False),
        ("job=3", True),
        ("reason=x", True),
        ("mechanism=bearer", False),
        ("transport!=tls", True),
    ],
)
def test_events_are_chosen_by_their_fields(words: str, chosen: bool) -> None:  # noqa: FBT001 - the parameter
    """What an event does not have is unlike any value."""
    assert chosen_events(words.split())(EVENT, 0.0) is chosen


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        ("", set(KINDS)),
        ("user=ana", set(KINDS)),
        ("event=command user=ana", {"command"}),
        ("event in connect,close", {"connect", "close"}),
        ("not event=command took>1s", set(KINDS) - {"command"}),
        ("event!=command event!=close", set(KINDS) - {"command", "close"}),
        ("event~con", {"connect", "configuration"}),
        ("event=close event=command", set()),
    ],
)
def test_kinds_that_cannot_be_chosen_are_not_wanted(words: str, kinds: set[str]) -> None:
    """Whatever else the filter asks for, which nobody knows before there is an event."""
    assert chosen_events(words.split()).kinds == kinds


@pytest.mark.parametrize(
    ("words", "line", "warning"),
    [
        ("event=command", True, False),
        ("id=17", True, False),
        ("id<18", True, False),
        ("user=ana address in 10.0.0.0/8 network=10.0.0.7", True, False),
        ("command=disk outcome=ok", True, False),
        ("level=warning", False, True),
        ("source~net", False, True),
        ("text~FULL", False, True),
        ("text~traceback", False, True),
        ("level!=warning", True, False),
    ],
)
def test_lines_are_chosen_by_their_words(words: str, line: bool, warning: bool) -> None:  # noqa: FBT001 - parameters
    """By the names that an event's fields have."""
    chosen = chosen_lines(words.split())
    assert (chosen(LINE, 0.0), chosen(WARNING, 0.0)) == (line, warning)


@pytest.mark.parametrize("line", ["", "x", "a b", "a log level=ERROR", "t refused session=0 principal=- address=unix"])
def test_any_line_can_be_asked(line: str) -> None:
    """Also one that somebody else wrote into the file."""
    for words in ("id=1", "user=ana", "address=10.0.0.0/8", "level=info", "text~zzz"):
        assert not chosen_lines([words])(line, 0.0)


def test_a_filter_that_is_not_understood_says_what_is() -> None:
    """With the fields that there are."""
    with pytest.raises(CommandError) as found:
        chosen_events(["colour=blue"])
    assert found.value.values["choices"] == ", ".join(EVENT_FIELDS)
