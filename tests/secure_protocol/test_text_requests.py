"""Requests that people type: lines, Redis' quoting, and what is refused for good or for once."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from secure_protocol import text_requests
from secure_protocol.errors import ProtocolError
from secure_protocol.limits import AUTHENTICATED, BEFORE_AUTHENTICATION, RequestLimits
from secure_protocol.text_requests import TextRequestDecoder, decode_line, quote, split

SMALL = RequestLimits(line_bytes=20, arguments=3, argument_bytes=8, request_bytes=10)
MANY = 10_000
ISSPACE = b" \t\n\v\f\r"

lines = st.lists(
    st.sampled_from([b'"', b"'", b"\\", b" ", b"\t", b"x", b"41", b"n", b"word", b"\\'", b'\\"', b"\\x4", b"\xc3\xa9"])
    | st.sampled_from([b"\n", b"\r", b"\v", b"\f", b"\\\\", b"\\x41", b"''", b'""']),
    max_size=10,
).map(b"".join)


def sdssplitargs(line: bytes) -> list[bytes] | None:  # noqa: C901, PLR0912 - follows the C code branch by branch
    """Redis' `sdssplitargs` (src/sds.c), step by step, with a NUL behind the line as C has it; None is its NULL."""
    text, p = line + b"\0", 0
    vector: list[bytes] = []
    while True:
        while text[p] and text[p] in ISSPACE:
            p += 1
        if not text[p]:
            return vector
        in_double = in_single = done = False
        current = bytearray()
        while not done:
            c = text[p : p + 1]
            if in_double:
                if c == b"\\" and text[p + 1 : p + 2] == b"x" and _both_hex(text[p + 2 : p + 4]):
                    current.append(int(text[p + 2 : p + 4], 16))
                    p += 3
                elif c == b"\\" and text[p + 1]:
                    p += 1
                    escape = text[p : p + 1]
                    current += {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}.get(escape, escape)
                elif c == b'"':
                    if text[p + 1] and text[p + 1] not in ISSPACE:
                        return None
                    done = True
                elif c == b"\0":
                    return None
                else:
                    current += c
            elif in_single:
                if c == b"\\" and text[p + 1 : p + 2] == b"'":
                    p += 1
                    current += b"'"
                elif c == b"'":
                    if text[p + 1] and text[p + 1] not in ISSPACE:
                        return None
                    done = True
                elif c == b"\0":
                    return None
                else:
                    current += c
            elif c in (b" ", b"\n", b"\r", b"\t", b"\0"):
                done = True
            elif c == b'"':
                in_double = True
            elif c == b"'":
                in_single = True
            else:
                current += c
            if p < len(line):
                p += 1
        vector.append(bytes(current))


words = st.text("aZ0 -\\/:\"'\t\x7fé", max_size=6).map(str.encode) | st.sampled_from([b"POST", b"Host:", b"A b HTTP/1"])
ends = st.sampled_from([b"\n", b"\r\n", b" \n", b"\n\n", b"\r\r\n", b"\r", b""])
wire_pieces = st.lists(st.tuples(words, ends).map(b"".join), max_size=4)


def _both_hex(pair: bytes) -> bool:
    return len(pair) == 2 and all(byte in b"0123456789abcdefABCDEF" for byte in pair)


def decode(data: bytes, limits: RequestLimits = AUTHENTICATED, most: int = MANY) -> list[object]:
    """What a fresh decoder makes of `data`, an error by its sentence."""
    decoder = TextRequestDecoder()
    decoder.feed(data)
    return outcome(decoder, limits, most)


def outcome(decoder: TextRequestDecoder, limits: RequestLimits = AUTHENTICATED, most: int = MANY) -> list[object]:
    """What a decode gives, comparable: an error by its sentence."""
    return comparable(decoder.decode(limits, most))


def comparable(found: list[list[bytes] | ProtocolError]) -> list[object]:
    """The same, an error by its sentence."""
    return [str(one) if isinstance(one, ProtocolError) else one for one in found]


def bytewise(data: bytes, limits: RequestLimits = AUTHENTICATED) -> list[object]:
    """The same, one byte a read."""
    decoder, found = TextRequestDecoder(), []
    for byte in data:
        decoder.feed(bytes([byte]))
        found += outcome(decoder, limits)
    return found


def refusal(line: bytes, limits: RequestLimits = AUTHENTICATED) -> tuple[str, bool]:
    """The sentence of the error that `line` is, and whether it is fatal."""
    error = decode_line(line, limits)
    assert isinstance(error, ProtocolError)
    return error.sentence(), error.fatal


@given(lines)
@example(rb"'a\\'")  # the second backslash escapes the quote all the same
@example(rb"'a\\' 'b'")
@example(b'a\x0bb "c"')
@example(b'\x0ba"b"\x0bc')
@example(rb'"\x4" "\x41" "\xzz"')
@example(b"a'b'")
def test_split_is_redis_own(line: bytes) -> None:
    """For every line without a NUL, `split` gives what Redis' C code gives, and fails where it fails."""
    expected = sdssplitargs(line)
    if expected is None:
        with pytest.raises(ValueError, match="quote"):
            split(line)
    else:
        assert split(line) == expected


@given(st.binary(max_size=12).filter(lambda line: b"\0" not in line))
def test_split_is_redis_own_for_any_bytes(line: bytes) -> None:
    """The same for bytes nobody would type."""
    test_split_is_redis_own.hypothesis.inner_test(line)  # type: ignore[attr-defined] # hypothesis adds it


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b"ECHO hello world", [b"ECHO", b"hello", b"world"]),
        (b'  ECHO\t"hello  world" ', [b"ECHO", b"hello  world"]),
        (rb'ECHO "a\n\r\t\b\a\x41\q\"\\"', [b"ECHO", b'a\n\r\t\b\aAq"\\']),
        (rb"ECHO 'it\'s \n'", [b"ECHO", rb"it's \n"]),
        (b"ECHO '' \"\"", [b"ECHO", b"", b""]),
        (rb"ECHO C:\dir", [b"ECHO", rb"C:\dir"]),
        ("ECHO olá".encode(), [b"ECHO", "olá".encode()]),
        (b"", []),
        (b" \t ", []),
    ],
)
def test_lines_people_type(line: bytes, request_: list[bytes]) -> None:
    """Words, both quotes, every escape, empty arguments and accents give the arguments meant."""
    assert decode_line(line, AUTHENTICATED) == request_


@given(st.lists(st.text(max_size=8), min_size=1, max_size=4))
def test_quote_and_split_round_trip(arguments: list[str]) -> None:
    """Quoted words joined by blanks split into themselves, and the line they make is a lawful one."""
    line = " ".join(map(quote, arguments)).encode()
    assert split(line) == [argument.encode() for argument in arguments]
    assert decode_line(line, AUTHENTICATED) == split(line)


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=4))
def test_quote_carries_bytes_that_are_no_text(arguments: list[bytes]) -> None:
    """Bytes from a file name or argv, held as surrogates, can be quoted, sent as UTF-8 and come back."""
    line = " ".join(quote(argument.decode("utf-8", "surrogateescape")) for argument in arguments).encode()
    assume(not text_requests._HTTP.match(line))  # refused on purpose, whoever says it
    assert decode_line(line, AUTHENTICATED) == arguments


def test_quote_leaves_plain_words_alone() -> None:
    """Only what needs quotes gets them; an empty word does."""
    assert [quote("web"), quote("olá"), quote("/srv/a-b_c.txt"), quote("")] == ["web", "olá", "/srv/a-b_c.txt", '""']
    assert quote("it's\n") == '"it\'s\\x0a"'


@given(wire_pieces, st.sampled_from([AUTHENTICATED, BEFORE_AUTHENTICATION, SMALL]), st.sampled_from([1, 2, MANY]))
@example([b"a b c d\n"], SMALL, MANY)
@example([b"POST\n"], AUTHENTICATED, MANY)
@example([b"\r\r\n"], AUTHENTICATED, MANY)
@example([b"a\n", b"b\n"], AUTHENTICATED, 1)
@example([b"a\n\n"], AUTHENTICATED, 1)
def test_both_roads_speak_one_language(pieces: list[bytes], limits: RequestLimits, most: int) -> None:
    """Whole, ordinary lines at once give what each line alone gives, in one read or in several, and keep as much."""
    data = b"".join(pieces)
    both, strict = TextRequestDecoder(), TextRequestDecoder()
    both.feed(data)
    strict.feed(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_requests, "_ordinary", lambda *_: None)
        expected, rest = outcome(strict, limits, most), outcome(strict, limits)
    assert outcome(both, limits, most) == expected
    assert outcome(both, limits) == rest
    assert both.buffered == strict.buffered
    cut, found = TextRequestDecoder(), []
    for piece in pieces:
        cut.feed(piece)
        found += outcome(cut, limits)
    assert found == expected + rest


def test_more_lines_than_may_be_taken_are_not_looked_at_all_together() -> None:
    """Else each of many waiting lines would cost a look at all of them."""

    class Waiting(bytearray):
        def __bytes__(self) -> bytes:
            raise AssertionError("looked at")

    assert text_requests._ordinary(Waiting(b"a\n" * 3), AUTHENTICATED, 2) is None
    with pytest.raises(AssertionError, match="looked at"):
        text_requests._ordinary(Waiting(b"a\n" * 3), AUTHENTICATED, 3)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_both_line_ends_and_every_cut(end: bytes) -> None:
    """LF and CRLF end a line, empty lines pass, and the cuts of the network change nothing."""
    data = end.join([b"ECHO a", b"", b"TIME", b" ", b"EXIT", b"rest"])
    assert decode(data) == bytewise(data) == [[b"ECHO", b"a"], [b"TIME"], [b"EXIT"]]
    for cut in range(len(data)):
        decoder = TextRequestDecoder()
        decoder.feed(data[:cut])
        first = outcome(decoder)
        decoder.feed(data[cut:])
        assert first + outcome(decoder) == [[b"ECHO", b"a"], [b"TIME"], [b"EXIT"]]
        assert decoder.buffered == len(b"rest")


@pytest.mark.parametrize("most", [1, 3, MANY])
@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" \t\n"])
def test_empty_lines_count_like_requests(blank: bytes, most: int) -> None:
    """No call passes over more of them than it would give requests, and all of them are told."""
    decoder = TextRequestDecoder()
    decoder.feed(blank * 10 + b"PING\n")
    for passed in range(0, 10, most):
        assert decoder.blank == passed
        before = decoder.buffered
        found = outcome(decoder, most=most)
        taken = min(most, 10 - passed)
        assert found == ([[b"PING"]] if taken < most else [])
        assert before - decoder.buffered == taken * len(blank) + (len(b"PING\n") if found else 0)
    assert decoder.blank == 10


def test_a_long_empty_line_counts_for_its_bytes() -> None:
    """As one request for each 64 bytes begun, so that 64 of them are four kilobytes at most, in whatever lines."""
    for length, counted in ((0, 1), (63, 1), (64, 2), (4000, 63)):
        decoder = TextRequestDecoder()
        decoder.feed(b" " * length + b"\n")
        assert outcome(decoder, limits=BEFORE_AUTHENTICATION) == []
        assert decoder.blank == counted


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"ECHO \0", "The line holds a control character (byte 6)."),
        (b"ECHO \x1b[2J", "The line holds a control character (byte 6)."),
        (b"ECHO a\rb", "The line holds a control character (byte 7)."),
        (b"ECHO \x7f", "The line holds a control character (byte 6)."),
        (b"ECHO \xff", "The line is not valid UTF-8 (byte 6)."),
        (b"\xc3(", "The line is not valid UTF-8 (byte 1)."),
        (b"\xed\xa0\x80", "The line is not valid UTF-8 (byte 1)."),
        (b'ECHO "open', "Unbalanced quotes in the line."),
        (b"ECHO 'open", "Unbalanced quotes in the line."),
        (b'ECHO "a"b', "Unbalanced quotes in the line."),
        (b"ECHO 'a'b", "Unbalanced quotes in the line."),
        (b"a b c d", "More than 3 arguments."),
        (b"ECHO 123456789", "An argument is longer than 8 bytes."),
        (b"12345 678901", "The request is longer than 10 bytes."),
    ],
)
def test_a_wrong_line_spoils_only_itself(line: bytes, sentence: str) -> None:
    """A person's slip is told and the next line is read: where it begins is known."""
    assert refusal(line, SMALL) == (sentence, False)
    data = b"TIME\n" + line + b"\nEXIT\n"
    assert decode(data, SMALL) == bytewise(data, SMALL) == [[b"TIME"], f"ERR {sentence}", [b"EXIT"]]


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"POST", b"POST /x", b"Host: here", b"host:", b"OPTIONS * HTTP/2"])
def test_http_ends_the_connection(line: bytes) -> None:
    """A browser made to talk to us runs nothing: neither its first line nor any line of its body."""
    assert refusal(line) == ("This is not an HTTP server.", True)
    data = line + b"\r\nEXIT\r\n"
    assert decode(data) == bytewise(data) == ["ERR This is not an HTTP server."]


@pytest.mark.parametrize("line", [b"ECHO GET / HTTP/1.1", b"POSTPONE x", b"GET key"])
def test_what_only_looks_like_http_is_a_request(line: bytes) -> None:
    """Only HTTP's own lines are refused."""
    assert decode_line(line, AUTHENTICATED) == line.split()


def test_the_length_of_a_line_holds_at_its_edge() -> None:
    """A line of the limit passes with either end, one byte more is fatal, finished or not."""
    wide = RequestLimits(line_bytes=20, arguments=3, argument_bytes=99, request_bytes=99)
    for end in (b"\n", b"\r\n"):
        assert decode(b"x" * 20 + end, wide) == bytewise(b"x" * 20 + end, wide) == [[b"x" * 20]]
        for made in (decode(b"x" * 21 + end + b"EXIT\n", wide), bytewise(b"x" * 21 + end + b"EXIT\n", wide)):
            assert made == ["ERR The line is longer than 20 bytes."]
    assert decode(b"x" * 22, wide) == ["ERR The line is longer than 20 bytes."]


def test_nothing_follows_a_fatal_error() -> None:
    """After a fatal error nothing is given or held, whatever else comes."""
    for wrong in (b"POST / HTTP/1.1\r\n", b"x" * 5000):
        decoder = TextRequestDecoder()
        decoder.feed(b"EXIT\n" + wrong)
        assert len(decoder.decode(BEFORE_AUTHENTICATION, MANY)) == 2
        decoder.feed(b"\nEXIT\n")
        assert decoder.decode(AUTHENTICATED, MANY) == []
        assert decoder.buffered == 0


def test_bytes_behind_auth_are_judged_by_the_new_limits() -> None:
    """`most` is honoured, and a line left over is measured by the limits of the call that takes it."""
    decoder = TextRequestDecoder()
    decoder.feed(b"AUTH token\nECHO " + b"x" * 5000 + b"\nEXIT\nTIME")
    assert outcome(decoder, BEFORE_AUTHENTICATION, 1) == [[b"AUTH", b"token"]]
    assert outcome(decoder, AUTHENTICATED, 1) == [[b"ECHO", b"x" * 5000]]
    assert outcome(decoder, AUTHENTICATED, 0) == []
    assert outcome(decoder) == [[b"EXIT"]]
    assert decoder.buffered == 4


def test_memory_stays_within_a_line_and_one_read() -> None:
    """A line that never ends is held up to its limit and one read."""
    decoder, held = TextRequestDecoder(), 0
    for _ in range(100):
        decoder.feed(b"x" * 4000)
        decoder.decode(AUTHENTICATED, MANY)
        held = max(held, decoder.buffered)
    assert held <= AUTHENTICATED.line_bytes + 4000
