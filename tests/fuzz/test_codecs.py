"""Four codecs against any bytes. The seeds in corpus/ are attacks and slips seen against other servers."""

from __future__ import annotations

import tracemalloc
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_protocol.errors import ProtocolError
from secure_protocol.limits import AUTHENTICATED, BEFORE_AUTHENTICATION, RequestLimits
from secure_protocol.replies import ErrorReply, Push, ReplyKind
from secure_protocol.resp_encoding import encode
from secure_protocol.resp_replies import ReplyDecoder
from secure_protocol.resp_requests import RespRequestDecoder
from secure_protocol.text_replies import encode as encode_text
from secure_protocol.text_requests import TextRequestDecoder

SEEDS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "corpus").glob("*.bin"))}
MOST_REPLY_BYTES = 4096
MANY = settings().max_examples * 3
"""Examples where any byte may matter."""

numbers = st.integers(-2, 70).map(lambda number: b"%d" % number) | st.sampled_from(
    [b"1025", b"9" * 12, b"9" * 40, b"\xb2"]
)
fragments = (
    st.sampled_from(
        [b"\r\n", b"\r", b"\n", b"ECHO", b'"', b"'", b"\\", b" ", b"\x00", b"\xff", b"\xc3\xa9", b"t", b"x", b""]
    )
    | st.builds(
        lambda kind, number: kind + number + b"\r\n",
        st.sampled_from([bytes([b]) for b in b"*$%~>|=!+-:,(#_."]),
        numbers,
    )
    | st.binary(max_size=4).map(lambda data: b"$%d\r\n%b\r\n" % (len(data), data))
)
mutations = st.tuples(st.sampled_from(sorted(SEEDS)), st.integers(0, 400), st.integers(0, 8), st.binary(max_size=4))
any_bytes = (
    st.binary(max_size=120)
    | st.lists(fragments, max_size=24).map(b"".join)
    | mutations.map(lambda m: SEEDS[m[0]][:400][: m[1]] + m[3] + SEEDS[m[0]][:400][m[1] + m[2] :])
)
limits = st.sampled_from([AUTHENTICATED, BEFORE_AUTHENTICATION]) | st.builds(
    RequestLimits, st.integers(1, 80), st.integers(1, 12), st.integers(0, 60), st.integers(0, 60)
)
cuts = st.lists(st.integers(0, 400), max_size=6)


def pieces(data: bytes, at: list[int]) -> Iterator[bytes]:
    """Cut `data` as a network might; at least one piece, which may be empty."""
    for start, end in pairwise([0, *sorted(min(cut, len(data)) for cut in at), len(data)]):
        yield data[start:end]


def check_requests(
    decoder: RespRequestDecoder | TextRequestDecoder, data: bytes, at: list[int], allowed: RequestLimits
) -> list[object]:
    """Feed `data` in pieces, hold the invariant after each, return what came out, errors as their sentences."""
    found: list[object] = []
    ended = False
    most_held = max(allowed.request_bytes + 2, allowed.line_bytes + 1, 32)
    for piece in pieces(data, at):
        decoder.feed(piece)
        for one in decoder.decode(allowed, 1_000_000):
            assert not ended, "something follows a fatal error"
            if isinstance(one, ProtocolError):
                ended = one.fatal
                found.append(one.sentence())
                continue
            assert one
            assert all(type(argument) is bytes for argument in one)
            assert len(one) <= allowed.arguments
            assert max(map(len, one)) <= allowed.argument_bytes
            assert sum(map(len, one)) <= allowed.request_bytes
            found.append(one)
        assert decoder.buffered <= (0 if ended else most_held)
    return found


def check_replies(data: bytes, at: list[int]) -> tuple[list[object], str]:
    """Feed `data` in pieces, hold the invariant after each, return what came out and the error's sentence, if any."""
    decoder = ReplyDecoder(MOST_REPLY_BYTES)
    found: list[object] = []
    for piece in pieces(data, at):
        decoder.feed(piece)
        try:
            found += decoder.decode()
        except ProtocolError as error:
            return found, error.sentence()
    return found, ""


def check_written(value: object) -> None:
    """Whatever was decoded can be written again, in every form, and nothing in it moves a terminal's cursor."""
    for version in (2, 3):
        assert encode(value, version).endswith(b"\r\n")
    for kind in ReplyKind:
        text = encode_text(value, kind).decode()
        shown = text.replace("\n", "").replace("\t", "")
        assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert text.count("\n") == 1 or (text.endswith("\n.\n") and not kind.one_line)


@settings(max_examples=MANY)
@given(any_bytes, cuts, limits)
def test_resp_requests(data: bytes, at: list[int], allowed: RequestLimits) -> None:
    """Any bytes give requests or ProtocolError, nothing else; memory stays within the limits; cuts change nothing."""
    found = check_requests(RespRequestDecoder(), data, at, allowed)
    assert found == check_requests(RespRequestDecoder(), data, [], allowed)
    assert found == check_requests(RespRequestDecoder(), data, list(range(len(data))), allowed)


@settings(max_examples=MANY)
@given(any_bytes, cuts, limits)
def test_text_requests(data: bytes, at: list[int], allowed: RequestLimits) -> None:
    """Any bytes give requests or ProtocolError, nothing else; memory stays within the limits; cuts change nothing."""
    found = check_requests(TextRequestDecoder(), data, at, allowed)
    assert found == check_requests(TextRequestDecoder(), data, [], allowed)


@settings(max_examples=MANY)
@given(any_bytes, cuts)
def test_resp_replies(data: bytes, at: list[int]) -> None:
    """Any bytes give replies or ProtocolError, nothing else; cuts lose no reply; what came can be written again."""
    found, error = check_replies(data, list(range(len(data))))
    for value in found:
        check_written(value)
    for cut in (at, []):
        some, same_error = check_replies(data, cut)
        assert same_error == error
        # An error takes with it the replies of the same read, for the connection is of no more use.
        assert repr(some) == repr(found[: len(some)] if error else found)


@settings(max_examples=MANY)
@given(any_bytes)
def test_text_replies(data: bytes) -> None:
    """Any bytes that a handler returns give printable lines with one end, nothing else."""
    text = data.decode("utf-8", "surrogateescape")
    for value in (data, text, [data, {text: data}], ErrorReply("ERR", text), Push(text, (data,))):
        check_written(value)


@pytest.mark.parametrize("seed", SEEDS)
def test_seeds_hold_the_invariant(seed: str) -> None:
    """Any bytes give requests or ProtocolError, nothing else: each seed, whole, cut in half and byte by byte."""
    data = SEEDS[seed]
    bytewise = list(range(len(data))) if len(data) < 5000 else []
    for at in ([], [len(data) // 2], bytewise):
        for allowed in (BEFORE_AUTHENTICATION, AUTHENTICATED):
            check_requests(RespRequestDecoder(), data, at, allowed)
            check_requests(TextRequestDecoder(), data, at, allowed)
        for value in check_replies(data, at)[0]:
            check_written(value)


@pytest.mark.parametrize("seed", SEEDS)
def test_seeds_cost_no_memory(seed: str) -> None:
    """Memory stays within the limits: no announced number makes any decoder allocate more than what came, and a bit."""
    data = SEEDS[seed]
    tracemalloc.start()
    try:
        check_requests(RespRequestDecoder(), data, [], BEFORE_AUTHENTICATION)
        check_requests(TextRequestDecoder(), data, [], BEFORE_AUTHENTICATION)
        check_replies(data, [])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 256 * 1024 + 100 * len(data)


def test_the_corpus_is_there() -> None:
    """The seeds are read: an empty directory would let every seed's test pass by having none."""
    assert {"resp_huge_count", "resp_huge_length", "reply_attribute_chain", "text_unbalanced"} <= SEEDS.keys()
