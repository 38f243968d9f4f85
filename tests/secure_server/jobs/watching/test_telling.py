"""How one end, and one place in a line, is told by each codec."""

from __future__ import annotations

import pytest

from secure_protocol.replies import ErrorReply
from secure_server.jobs.job import JobState
from secure_server.jobs.watching.seen import Seen
from secure_server.jobs.watching.telling import Telling, end_told, number_told, parts_told, reply_of
from secure_server.session.codecs import RESP2, RESP3, TEXT, Codec
from tests.secure_server.jobs.desk import job

SEEN = Seen(job(7, state=JobState.DONE), 2)
MAP = b"%1\r\n+a\r\n,0.5\r\n"


@pytest.mark.parametrize(
    ("codec", "told"),
    [(RESP3, MAP), (RESP2, b"*2\r\n$1\r\na\r\n$3\r\n0.5\r\n"), (TEXT, b"a: 0.5\n.\n")],
    ids=["RESP3", "RESP2", "text"],
)
def test_who_waits_is_told_the_result_as_the_codec_has_it(codec: Codec, told: bytes) -> None:
    """RESP3 as it was kept, to the byte."""
    assert end_told(codec).end(SEEN, MAP) == told
    assert end_told(codec).end(SEEN, ErrorReply("ERR", "no")) == codec.failure(ErrorReply("ERR", "no"))


@pytest.mark.parametrize(
    ("reply", "told"),
    [(b"+OK\r\n", b".\n"), (b"_\r\n", b".\n"), (b"$2\r\n.x\r\n", b"..x\n.\n"), (b":3\r\n", b"3\n.\n")],
)
def test_lines_end_with_what_there_is_to_say(reply: bytes, told: bytes) -> None:
    """Nothing where that is merely that it went well."""
    assert parts_told(TEXT).end(SEEN, reply) == told


def test_a_place_is_told_where_there_is_one() -> None:
    """By a push alone: who reads lines is told of output."""
    waits = Seen(job(7, state=JobState.QUEUED), 0, None, 3)
    assert parts_told(RESP3).stands(waits, 0) == b">5\r\n$3\r\njob\r\n:7\r\n$6\r\nqueued\r\n:0\r\n:3\r\n"
    lines = parts_told(TEXT)
    assert [lines.stands(waits, 0), lines.stands(waits, 0)] == [b"JOB 7 FROM 0\n", b""]


@pytest.mark.parametrize(
    ("telling", "awaits_end", "heeds_output"),
    [
        (parts_told(RESP3), True, True),
        (parts_told(TEXT), True, True),
        (end_told(RESP2), True, False),
        (number_told(RESP2), False, False),
    ],
)
def test_what_each_lasts_for(telling: Telling, *, awaits_end: bool, heeds_output: bool) -> None:
    """A number alone is told at once."""
    assert (telling.awaits_end, telling.heeds_output) == (awaits_end, heeds_output)


def test_what_ended_well_without_a_result_is_ok() -> None:
    """And what did not, its error."""
    assert reply_of(job(1)) == b"+OK\r\n"
    assert reply_of(job(1, code="ERR", message="no", result=b":1\r\n")) == ErrorReply("ERR", "no")
