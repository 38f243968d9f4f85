"""Parts of a stream that are maps, as lines for people."""

from __future__ import annotations

from datetime import datetime

from secure_client.answers.streamed import line_of

COLUMNS = ("time", "event", "id", "user", "arguments", "outcome")


def test_what_speaks_for_itself_has_no_key() -> None:
    """In the order of the columns, with the time of day here; what is missing or empty leaves no gap."""
    event: dict[object, object] = {
        "time": "2026-01-02T03:04:05.678Z", "event": "command", "id": 17, "user": "",
        "outcome": "ok", "arguments": ["web", "a b"], "took": 0.012, "exit_code": 0,
    }  # fmt: skip
    here = datetime.fromisoformat("2026-01-02T03:04:05.678Z").astimezone().strftime("%H:%M:%S")
    assert line_of(event, COLUMNS) == f"{here} command 17 web a b ok took=0.012 exit_code=0"
    assert line_of({"time": "2026-01-02T03:04:05Z", "event": "dropped"}, COLUMNS).endswith(" dropped")


def test_what_is_no_moment_is_shown_as_it_came() -> None:
    """And what somebody smuggled in is made visible."""
    assert line_of({"time": "2026-13-02T03:04:05Z", "event": "\x1b[31m"}, COLUMNS) == "2026-13-02T03:04:05Z \\x1b[31m"
    assert line_of({"a": 1, "b": [2, 3]}, ()) == "a=1 b=2,3"
