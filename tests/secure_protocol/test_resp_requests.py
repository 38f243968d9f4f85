"""Requests of programs: what is one, what is refused, and that no peer makes the decoder hold or do much."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_protocol.errors import ProtocolError
from secure_protocol.limits import AUTHENTICATED, BEFORE_AUTHENTICATION, RequestLimits
from secure_protocol.resp_requests import HEADER_BYTES, RespRequestDecoder, Runs, encode_request, requests_in

PING = b"*1\r\n$4\r\nPING\r\n"
SMALL = RequestLimits(line_bytes=64, arguments=3, argument_bytes=8, request_bytes=12)
MANY = 10_000

requests = st.lists(st.lists(st.binary(max_size=20), min_size=1, max_size=12), min_size=1, max_size=8)
wire_pieces = st.lists(
    st.sampled_from(
        [PING, b"*", b"$", b"1", b"0", b"9", b"-1", b"\r\n", b"\r", b"\n", b"*2\r\n", b"$4\r\n", b"ECHO", b"*0\r\n"]
    )
    | st.sampled_from(
        [b"$0\r\n\r\n", b"*1\r\n$13\r\n1234567890123\r\n", b"*4\r\n", b"_", b"+", b" ", b"$2\r\n\r\n\r\n"]
    )
    | st.binary(max_size=3),
    max_size=12,
)


def outcome(decoder: RespRequestDecoder, limits: RequestLimits, most: int = MANY) -> list[object]:
    """What a decode gives, comparable: an error by its sentence."""
    return [str(one) if isinstance(one, ProtocolError) else one for one in decoder.decode(limits, most)]


def decode(data: bytes, limits: RequestLimits = AUTHENTICATED, most: int = MANY) -> list[object]:
    """What a fresh decoder makes of `data`, given whole."""
    decoder = RespRequestDecoder()
    decoder.feed(data)
    return outcome(decoder, limits, most)


def decode_pieces(pieces: list[bytes], limits: RequestLimits = AUTHENTICATED) -> list[object]:
    """What a fresh decoder makes of the pieces, decoding after each."""
    decoder, found = RespRequestDecoder(), []
    for piece in pieces:
        decoder.feed(piece)
        found += outcome(decoder, limits)
    return found


def take_pieces(pieces: list[bytes], limits: RequestLimits = AUTHENTICATED, most: int = MANY) -> list[object]:
    """What a fresh decoder takes of the pieces, run by run, and the rest of it; each run is what it says it is."""
    decoder = RespRequestDecoder()
    found: list[object] = []
    for data in pieces + [b""] * len(b"".join(pieces)):
        runs = decoder.take(data, limits, most)
        for run in runs:
            if not isinstance(run, ProtocolError):
                assert len({len(arguments) for arguments in run[1]}) == 1
        requests = requests_in(runs)
        assert len(requests) <= most
        found += [str(one) if isinstance(one, ProtocolError) else one for one in requests]
    return found


def bytewise(data: bytes, limits: RequestLimits = AUTHENTICATED) -> list[object]:
    """What the strict road alone makes of `data`: no byte completes a request for the fast one."""
    return decode_pieces([data[i : i + 1] for i in range(len(data))], limits)


def refusal(data: bytes, limits: RequestLimits = AUTHENTICATED) -> str:
    """The sentence of the one fatal error that `data` gives, the same whole and byte by byte."""
    decoder = RespRequestDecoder()
    decoder.feed(data)
    found = decoder.decode(limits, MANY)
    assert len(found) == 1
    assert isinstance(found[0], ProtocolError)
    assert found[0].fatal
    assert bytewise(data, limits) == [str(found[0])]
    return found[0].sentence()


def test_a_request_has_the_published_bytes() -> None:
    """The wire form is the one of the RESP specification, byte for byte."""
    assert encode_request([b"ECHO", b"hello"]) == b"*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n"
    assert decode(b"*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n") == [[b"ECHO", b"hello"]]


@given(requests)
def test_round_trip_whole_and_byte_by_byte(sent: list[list[bytes]]) -> None:
    """What is encoded is decoded, whatever the arguments hold, in one read or in single bytes."""
    data = b"".join(map(encode_request, sent))
    assert decode(data) == sent
    assert bytewise(data) == sent


@given(requests, st.data())
def test_round_trip_through_any_splits(sent: list[list[bytes]], data: st.DataObject) -> None:
    """How the network cuts the bytes changes nothing."""
    wire = b"".join(map(encode_request, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    pieces = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert decode_pieces(pieces) == take_pieces(pieces) == take_pieces(pieces, most=2) == sent


@given(wire_pieces, st.sampled_from([AUTHENTICATED, BEFORE_AUTHENTICATION, SMALL]))
def test_both_roads_speak_one_language(pieces: list[bytes], limits: RequestLimits) -> None:
    """The fast road and the strict one give the same requests and errors for every input and all limits."""
    data = b"".join(pieces)
    strict = bytewise(data, limits)
    assert decode(data, limits) == strict == decode_pieces(pieces, limits)
    assert take_pieces([data], limits) == strict == take_pieces(pieces, limits) == take_pieces(pieces, limits, 2)


@given(
    st.lists(st.binary(max_size=3), min_size=1, max_size=3),
    st.lists(st.binary(max_size=3), max_size=4),
    st.integers(1, 4),
    st.data(),
)
def test_a_pipeline_of_one_command_is_what_the_strict_road_says(
    first: list[bytes], others: list[bytes], width: int, data: st.DataObject
) -> None:
    """All alike, or with a byte of it changed, which is where a road that looks at all at once might guess."""
    name, *arguments = first
    sent = [[name, *arguments[:width]] for _ in range(3)]
    sent += [[name, *([other] * len(arguments[:width]))] for other in others]
    wire = bytearray(b"".join(map(encode_request, sent)))
    assert take_pieces([bytes(wire)]) == sent
    assert len(RespRequestDecoder().take(bytes(wire), AUTHENTICATED, MANY)) == 1
    wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.sampled_from(b"*$0123\r\nx"))
    assert take_pieces([bytes(wire)]) == bytewise(bytes(wire))


@pytest.mark.parametrize(
    "wrong",
    [
        b"*3\r\n$4\r\nECHO\r\n$1\r\na\r\n",
        b"*2\r\n$5\r\nECHO\r\n$1\r\na\r\n",
        b"*2\r\n$4\r\nECHO\r\n$2\r\na\r\n",
        b"*2\r\n$4\r\nECHO\r\n$1\r\na\r\n\r\n",
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_pipeline_all_wrong_alike_is_refused(wrong: bytes, count: int) -> None:
    """What all have in common is not right for that."""
    assert take_pieces([wrong * count]) == bytewise(wrong * count)


def test_requests_for_one_command_come_together() -> None:
    """Each run has one name and as many arguments in all; order stays."""
    sent = [[b"PING"], [b"PING"], [b"ECHO", b"a"], [b"ECHO", b"b"], [b"ECHO", b"c", b"d"], [b"echo", b"e"], [b"PING"]]
    wire = b"".join(map(encode_request, sent))
    expected: Runs = [
        (b"PING", [[], []]),
        (b"ECHO", [[b"a"], [b"b"]]),
        (b"ECHO", [[b"c", b"d"]]),
        (b"echo", [[b"e"]]),
        (b"PING", [[]]),
    ]
    assert RespRequestDecoder().take(wire, AUTHENTICATED, MANY) == expected
    assert requests_in(expected) == sent


@pytest.mark.parametrize("cut", range(len(PING)))
def test_trailing_data_waits_for_its_rest(cut: int) -> None:
    """A whole request is given at once; the start of the next is kept and finished later."""
    decoder = RespRequestDecoder()
    decoder.feed(PING + PING[:cut])
    assert outcome(decoder, AUTHENTICATED) == [[b"PING"]]
    decoder.feed(PING[cut:])
    assert outcome(decoder, AUTHENTICATED) == [[b"PING"]]
    assert decoder.buffered == 0


@pytest.mark.parametrize(
    "argument", [b"\r\n", b"a\r\nb", b"\r", b"\n", b"\r\r\n\n", b"$4\r\nEVIL\r\n", b"\r\n" * 9, b""]
)
def test_arguments_hold_any_bytes(argument: bytes) -> None:
    """Line ends and headers inside an argument are data, never structure."""
    data = encode_request([b"ECHO", argument, argument]) + PING
    assert decode(data) == bytewise(data) == [[b"ECHO", argument, argument], [b"PING"]]


@pytest.mark.parametrize("header", [b"$3", b"$5", b"$04", b"$", b":4", b"$4 "])
def test_a_wrong_length_in_a_pipeline_is_not_passed_over(header: bytes) -> None:
    """Where all requests have as many lines, each length is held against its argument all the same."""
    data = PING * 3 + b"*1\r\n%b\r\nPING\r\n" % header + PING * 2
    assert decode(data) == bytewise(data)


BLANKS = [b"*0\r\n", b"*00\r\n", b"*-1\r\n", b"\r\n", b"\n"]


@pytest.mark.parametrize("blank", BLANKS)
def test_what_asks_for_nothing_is_passed_over(blank: bytes) -> None:
    """Empty and null arrays and bare line ends get no answer between requests, as in Redis, however they are cut."""
    data = blank + PING + blank * 2 + PING + blank
    assert decode(data) == bytewise(data) == [[b"PING"], [b"PING"]]
    assert take_pieces([data]) == take_pieces([PING + blank, PING]) == [[b"PING"], [b"PING"]]


@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("blank", BLANKS)
def test_what_asks_for_nothing_counts_like_a_request(blank: bytes, most: int) -> None:
    """No call passes over more of it than it would give requests, and all of it is told."""
    decoder = RespRequestDecoder()
    decoder.feed(blank * 10 + PING)
    for passed in range(0, 10, most):
        assert decoder.blank == passed
        before = decoder.buffered
        found = outcome(decoder, AUTHENTICATED, most)
        taken = min(most, 10 - passed)
        assert found == ([[b"PING"]] if taken < most else [])
        assert before - decoder.buffered == taken * len(blank) + (len(PING) if found else 0)
    assert decoder.blank == 10


@pytest.mark.parametrize("blank", BLANKS[2:])
def test_inside_a_request_nothing_is_passed_over(blank: bytes) -> None:
    """There it is an error: a length is awaited."""
    assert refusal(b"*1\r\n" + blank + b"$4\r\nPING\r\n").startswith("Protocol error: expected '$', got ")


@pytest.mark.parametrize(
    "count",
    [b"-2", b"1000000000", b"1025", b"x", b"", b" 1", b"1 ", b"+1", b"1_0", b"0x1", "\u0661".encode(), b"1\n", b"1.0"],
)
def test_a_count_that_is_none_is_refused(count: bytes) -> None:
    """Only ASCII digits within the limit count arguments: what `int()` would also take is no number here."""
    assert refusal(b"*" + count + b"\r\n") == "Protocol error: invalid multibulk length"


@pytest.mark.parametrize(
    "length", [b"-1", b"999999999999", b"524289", b"x", b"", b" 4", b"4 ", b"+4", b"1_0", "\u0664".encode(), b"4\n"]
)
def test_a_length_that_is_none_is_refused(length: bytes) -> None:
    """A null argument, a huge one and anything but ASCII digits is refused before a byte of it is awaited."""
    assert refusal(b"*1\r\n$" + length + b"\r\n") == "Protocol error: invalid bulk length"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"PING\r\n", "Protocol error: expected '*', got 'P'"),
        (b"\x1b[2J\r\n", "Protocol error: expected '*', got something else"),
        (b"\xff\r\n", "Protocol error: expected '*', got something else"),
        (b"*1\r\n:4\r\n", "Protocol error: expected '$', got something else"),
        (b"*1\r\n*1\r\n", "Protocol error: expected '$', got '*'"),
        (b"*1\r\n$4\r\nPINGS\r", "Protocol error: the argument is longer than its length says"),
        (b"*1\r\n$4\r\nPING\n\n", "Protocol error: the argument is longer than its length says"),
        (b"*1\r\n$4\r\nPING\rX", "Protocol error: the argument is longer than its length says"),
        (b"*1\n$4\nPING\n" * 3, "Protocol error: too big count string"),
        (b"*" + b"0" * HEADER_BYTES, "Protocol error: too big count string"),
        (b"*1\r\n$" + b"0" * HEADER_BYTES, "Protocol error: too big count string"),
    ],
)
def test_what_is_no_request_is_refused(data: bytes, sentence: str) -> None:
    """Every other form ends the connection with one sentence that repeats nothing a terminal would act on."""
    assert refusal(data) == sentence


def test_each_limit_holds_at_its_edge() -> None:
    """As many arguments, as long ones and as much together as allowed pass; one more of any does not."""
    assert decode(encode_request([b"1", b"2", b"3"]), SMALL) == [[b"1", b"2", b"3"]]
    assert refusal(b"*4\r\n", SMALL) == "Protocol error: invalid multibulk length"
    assert decode(encode_request([b"12345678"]), SMALL) == [[b"12345678"]]
    assert refusal(encode_request([b"123456789"])[:8], SMALL) == "Protocol error: invalid bulk length"
    assert decode(encode_request([b"12345678", b"1234"]), SMALL) == [[b"12345678", b"1234"]]
    assert refusal(b"*2\r\n$8\r\n12345678\r\n$5\r\n", SMALL) == "The request is longer than 12 bytes."


def test_a_whole_argument_over_its_limit_is_refused() -> None:
    """An argument is judged the same when it arrives in one read with its header as when only the header is there."""
    assert decode(encode_request([b"123456789"]), SMALL) == ["ERR Protocol error: invalid bulk length"]


def test_many_and_long_arguments_pass_within_the_limits() -> None:
    """What is beyond the fast road, in number or length, takes the strict one and arrives whole."""
    for sent in ([b"x" * 1024] * 9, [b"x" * 1025], [b""] * 1024, [b"x" * (512 * 1024)] * 2):
        assert decode(encode_request(sent)) == [sent]


@given(st.lists(st.sampled_from([1, 2, 3]), max_size=8), st.integers(0, 12))
def test_most_is_honoured_and_nothing_is_lost(mosts: list[int], extra: int) -> None:
    """No call gives more than it was asked for, and what it left comes with the next calls, in order."""
    sent = [[b"ECHO", b"%d" % i] for i in range(sum(mosts) + extra)]
    decoder = RespRequestDecoder()
    decoder.feed(b"".join(map(encode_request, sent)))
    found: list[object] = []
    for most in mosts:
        got = outcome(decoder, AUTHENTICATED, most)
        assert len(got) == most
        found += got
    assert outcome(decoder, AUTHENTICATED, 0) == []
    assert found + outcome(decoder, AUTHENTICATED) == sent


@pytest.mark.parametrize("arguments", [9, 2])
def test_bytes_behind_auth_are_judged_by_the_new_limits(arguments: int) -> None:
    """After AUTH in the same read a request may be larger than a stranger's; without AUTH it may not."""
    large = encode_request([b"x" * 600] * arguments + [b"y" * 5000])
    decoder = RespRequestDecoder()
    decoder.feed(encode_request([b"AUTH", b"token"]) + large)
    assert outcome(decoder, BEFORE_AUTHENTICATION, 1) == [[b"AUTH", b"token"]]
    assert outcome(decoder, AUTHENTICATED) == [[b"x" * 600] * arguments + [b"y" * 5000]]
    assert len(decode(large, BEFORE_AUTHENTICATION)) == 1
    assert isinstance(decode(large, BEFORE_AUTHENTICATION)[0], str)


def test_limits_may_tighten_between_calls() -> None:
    """What was left over under wide limits is refused under narrow ones."""
    decoder = RespRequestDecoder()
    decoder.feed(PING + encode_request([b"123456789"]))
    assert outcome(decoder, AUTHENTICATED, 1) == [[b"PING"]]
    assert outcome(decoder, SMALL) == ["ERR Protocol error: invalid bulk length"]


def test_nothing_follows_an_error() -> None:
    """After a fatal error the decoder gives and holds nothing, whatever else comes: no smuggled request runs."""
    for wrong in (
        b"GET / HTTP/1.1\r\n",
        b"*1\r\n$12\r\n123456789012\r\n$1\r\nx\r\n",
        b"*2\r\n$8\r\n12345678\r\n$8\r\n12345678\r\n",
    ):
        decoder = RespRequestDecoder()
        decoder.feed(PING + wrong + PING)
        assert [type(one) for one in decoder.decode(SMALL, MANY)] == [list, ProtocolError]
        assert decoder.buffered == 0
        decoder.feed(PING)
        assert decoder.decode(AUTHENTICATED, MANY) == []
        assert decoder.buffered == 0


def test_buffered_counts_what_is_held() -> None:
    """`buffered` is the bytes held, each once: the announced length of an argument that has not come is not held."""
    decoder = RespRequestDecoder()
    decoder.feed(b"*2\r\n$5\r\nhello\r\n$1000\r\nabc")
    assert decoder.decode(AUTHENTICATED, MANY) == []
    assert decoder.buffered == len(b"hello") + len(b"abc")


def test_memory_stays_within_the_limits_and_one_read() -> None:
    """A peer that sends as much as it may and never finishes makes us hold a request and one read, no more."""
    read = 16 * 1024
    for data in (
        encode_request([b"x" * (512 * 1024)] * 2),
        encode_request([b""] * 1024),
        b"*1\r\n$524288\r\n" + b"x" * 524288,
    ):
        decoder, held = RespRequestDecoder(), 0
        for start in range(0, len(data) - 1, read):
            decoder.feed(data[start : start + read])
            decoder.decode(AUTHENTICATED, MANY)
            held = max(held, decoder.buffered)
        assert held <= AUTHENTICATED.request_bytes + read


def test_taking_one_at_a_time_costs_no_rescanning() -> None:
    """Many small requests in one buffer taken singly cost what they cost together, within a wide factor."""
    data = PING * 20_000

    def seconds(most: int) -> float:
        decoder = RespRequestDecoder()
        decoder.feed(data)
        begun, count = time.thread_time(), 0
        while found := decoder.decode(BEFORE_AUTHENTICATION, most):
            count += len(found)
        assert count == 20_000
        return time.thread_time() - begun

    assert seconds(1) < 40 * seconds(MANY) + 0.5
