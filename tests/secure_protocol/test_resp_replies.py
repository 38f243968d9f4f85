"""Replies as programs read them: what the server writes, the client reads, however it is cut and whatever comes."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_protocol.errors import CommandError, ProtocolError
from secure_protocol.replies import ErrorReply, Push, Status, Table, Timestamp, Verbatim
from secure_protocol.resp_encoding import encode
from secure_protocol.resp_replies import ELEMENT_BYTES, ReplyDecoder


def _as_sent(text: str) -> str:
    """Join halves of a character that stood apart: bytes that UTF-8 has no name for come back as they were sent."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


any_text = st.text(max_size=10) | st.binary(max_size=6).map(lambda data: data.decode("utf-8", "surrogateescape"))
line_text = any_text.map(lambda text: _as_sent(text.replace("\r", "").replace("\n", "")))
integers = st.integers(-(2**63), 2**63 - 1)
leaves = (
    st.none()
    | st.booleans()
    | integers
    | st.integers(2**63, 2**200)
    | st.floats(allow_nan=False)
    | any_text
    | any_text.map(Verbatim)
    | line_text.map(Status)
    | st.builds(ErrorReply, st.sampled_from(["ERR", "NOAUTH"]), line_text)
)
replies = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(any_text, inner, max_size=4)
        | st.builds(Push, any_text, st.lists(inner, max_size=3).map(tuple))
    ),
    max_leaves=12,
)


def decode(data: bytes, most_bytes: int = 1 << 20, most_depth: int = 32) -> list[object]:
    """What a fresh decoder makes of `data`, given whole."""
    decoder = ReplyDecoder(most_bytes, most_depth)
    decoder.feed(data)
    return decoder.decode()


def bytewise(data: bytes) -> list[object]:
    """The same, one byte a read."""
    decoder, found = ReplyDecoder(), []
    for byte in data:
        decoder.feed(bytes([byte]))
        found += decoder.decode()
    return found


wire_pieces = st.lists(
    replies.map(lambda value: encode(value, 3))
    | st.sampled_from([b"$2\r\nab\r\n", b"$3\r\na\r\n\r\n", b"$3\r\nab\r\n", b"$1", b"$-1\r\n", b"*-1\r\n", b"*x\r\n"])
    | st.sampled_from([b"*2\r\n", b"%1\r\n", b"|1\r\n", b"*0\r\n", b">0\r\n", b":x\r\n", b":7\r\n", b"?\r\n", b"\r\n"])
    | st.just(b"$1030\r\n" + b"x" * 1030 + b"\r\n"),
    max_size=8,
)


def told(pieces: list[bytes], most_bytes: int, most_depth: int) -> tuple[list[object], str]:
    """What a fresh decoder makes of the pieces: its values, or the error that ends them."""
    decoder, found = ReplyDecoder(most_bytes, most_depth), []
    try:
        for piece in pieces:
            decoder.feed(piece)
            found += decoder.decode()
    except ProtocolError as error:
        return [], str(error)
    return found, ""


def same(one: object, other: object) -> bool:
    """Equal in value and in kind: `Status("OK")` is not `"OK"`, `True` is not `1`."""
    return one == other and repr(one) == repr(other) and type(one) is type(other)


def in_resp2(value: object) -> object:
    """What of a reply is left on RESP2, which has neither maps, doubles, booleans nor verbatim strings."""
    if isinstance(value, dict):
        return [in_resp2(part) for pair in value.items() for part in pair]
    if isinstance(value, list):
        return [in_resp2(item) for item in value]
    if isinstance(value, Push):
        return Push(value.kind, tuple(map(in_resp2, value.items)))
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) or (isinstance(value, int) and value >= 2**63):
        return str(value)
    return str(value) if isinstance(value, Verbatim) else value


@given(st.lists(replies, min_size=1, max_size=4))
def test_resp3_round_trip(sent: list[object]) -> None:
    """Every kind of reply, nested too, comes back as it was, whole and byte by byte."""
    data = b"".join(encode(value, 3) for value in sent)
    assert same(decode(data), sent)
    assert same(bytewise(data), sent)


@given(st.lists(replies, min_size=1, max_size=4))
def test_resp2_round_trip(sent: list[object]) -> None:
    """On RESP2 the same comes back, flattened to what that version can say."""
    data = b"".join(encode(value, 2) for value in sent)
    assert same(decode(data), [in_resp2(value) for value in sent])
    assert same(bytewise(data), decode(data))


@given(wire_pieces, st.sampled_from([1 << 20, 1200, 300]), st.sampled_from([32, 2]))
def test_both_roads_speak_one_language(pieces: list[bytes], most_bytes: int, most_depth: int) -> None:
    """The fast road and the strict one, which alone sees single bytes, give the same values and errors."""
    data = b"".join(pieces)
    strict = told([data[i : i + 1] for i in range(len(data))], most_bytes, most_depth)
    assert same(told([data], most_bytes, most_depth), strict)
    assert same(told(pieces, most_bytes, most_depth), strict)


@given(st.lists(replies, max_size=3), st.data())
def test_splits_change_nothing(sent: list[object], data: st.DataObject) -> None:
    """Replies arrive once each and in order however the network cuts them."""
    wire = b"".join(encode(value, 3) for value in sent)
    decoder, found, start = ReplyDecoder(), [], 0
    for cut in [*sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6))), len(wire)]:
        decoder.feed(wire[start:cut])
        found += decoder.decode()
        start = cut
    assert same(found, sent)


@pytest.mark.parametrize(
    ("value", "resp2", "resp3"),
    [
        ("olá", b"$4\r\nol\xc3\xa1\r\n", b"$4\r\nol\xc3\xa1\r\n"),
        (b"\r\n\0", b"$3\r\n\r\n\0\r\n", b"$3\r\n\r\n\0\r\n"),
        (Status("OK"), b"+OK\r\n", b"+OK\r\n"),
        (Verbatim("a\nb"), b"$3\r\na\nb\r\n", b"=7\r\ntxt:a\nb\r\n"),
        (None, b"$-1\r\n", b"_\r\n"),
        (True, b":1\r\n", b"#t\r\n"),
        (False, b":0\r\n", b"#f\r\n"),
        (-7, b":-7\r\n", b":-7\r\n"),
        (2**63, b"$19\r\n9223372036854775808\r\n", b"(9223372036854775808\r\n"),
        (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"),
        (-math.inf, b"$4\r\n-inf\r\n", b",-inf\r\n"),
        ([1, "a"], b"*2\r\n:1\r\n$1\r\na\r\n", b"*2\r\n:1\r\n$1\r\na\r\n"),
        ((), b"*0\r\n", b"*0\r\n"),
        ({"a": 1}, b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
        (ErrorReply("NOAUTH", "Say\r\nwho."), b"-NOAUTH Say  who.\r\n", b"-NOAUTH Say  who.\r\n"),
        (Timestamp(12, 34), b"*2\r\n$2\r\n12\r\n$2\r\n34\r\n", b"*2\r\n$2\r\n12\r\n$2\r\n34\r\n"),
        (Push("closed", ("idle",)), b">2\r\n$6\r\nclosed\r\n$4\r\nidle\r\n", b">2\r\n$6\r\nclosed\r\n$4\r\nidle\r\n"),
        (Table(("a",), [(1,)]), b"*1\r\n*2\r\n$1\r\na\r\n:1\r\n", b"*1\r\n%1\r\n$1\r\na\r\n:1\r\n"),
        (Status("two\r\nlines"), b"+two  lines\r\n", b"+two  lines\r\n"),
    ],
)
def test_each_kind_has_the_published_bytes(value: object, resp2: bytes, resp3: bytes) -> None:
    """Each kind has the form of the RESP specification, which other programs read; a line stays one line."""
    assert encode(value, 2) == resp2
    assert encode(value, 3) == resp3


@given(st.lists(st.tuples(replies, replies), max_size=3), st.sampled_from([2, 3]))
def test_a_table_is_an_array_of_maps(rows: list[tuple[object, ...]], version: int) -> None:
    """Its keys stand in each row, as in any map."""
    maps = [{"id": one, "name": other} for one, other in rows]
    assert encode(Table(("id", "name"), rows), version) == encode(maps, version)


def test_not_a_number_round_trips() -> None:
    """A NaN is written and read, as RESP3 has it."""
    (value,) = decode(encode(math.nan, 3))
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize("text", ["\ud800", "a\udcffb\ud800"])
@pytest.mark.parametrize("make", [str, Status, Verbatim, lambda text: ErrorReply("ERR", text)])
def test_text_that_utf8_cannot_hold_is_still_written(make: type[str], text: str) -> None:
    """A lone surrogate that stands for no byte, as JSON may hold, becomes `?` instead of ending the connection."""
    assert b"?" in encode(make(text), 3)


def nested(depth: int) -> list[object]:
    """A list in a list, `depth` deep."""
    value: list[object] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, [object()], {"a": bytearray()}, [10**5000], nested(100_000), Table(("a",), [(1, 2)])]
)
def test_what_is_no_reply_is_a_type_error(value: object) -> None:
    """Whatever a handler returns, the encoder gives bytes or TypeError, which the server is ready for."""
    with pytest.raises(TypeError, match="reply"):
        encode(value, 3)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"*-1\r\n", None),
        (b"~2\r\n:1\r\n:2\r\n", [1, 2]),
        (b"!9\r\nERR a\r\nb!\r\n", ErrorReply("ERR", "a\r\nb!")),
        (b"-LONELY\r\n", ErrorReply("LONELY", "")),
        (b":+5\r\n", 5),
        (b",1e3\r\n", 1000.0),
        (b",10\r\n", 10.0),
        (b"(-12345678901234567890\r\n", -12345678901234567890),
        (b">0\r\n", Push("")),
        (b"|1\r\n+ttl\r\n:3\r\n+OK\r\n", Status("OK")),
        (b"*2\r\n|1\r\n+a\r\n*1\r\n:1\r\n:1\r\n|0\r\n:2\r\n", [1, 2]),
        (b"%2\r\n|1\r\n+a\r\n+b\r\n+k\r\n:1\r\n:7\r\n|0\r\n:2\r\n", {"k": 1, "7": 2}),
        (b"%1\r\n*1\r\n:1\r\n%0\r\n", {"[1]": {}}),
        (b"%2\r\n%0\r\n:1\r\n_\r\n:2\r\n", {"{}": 1, "None": 2}),
    ],
)
def test_what_other_servers_say_is_read(data: bytes, value: object) -> None:
    """Sets, null arrays, bulk errors, attributes and keys of any kind are read, whole and byte by byte."""
    assert same(decode(data + b"+next\r\n"), [value, Status("next")])
    assert same(bytewise(data), [value])


def test_a_map_costs_no_more_than_its_length() -> None:
    """Numbers as keys can have one hash, whose maps take time by the square; maps in keys write out backslashes."""
    numbers = [(number + 1) * (2**61 - 1) for number in range(1000)]
    assert len({hash(number) for number in numbers}) == 1
    (read,) = decode(b"%1000\r\n" + b"".join(b"(%d\r\n_\r\n" % number for number in numbers))
    assert isinstance(read, dict)
    assert len(set(map(hash, read))) > 990
    with pytest.raises(ProtocolError, match="a key that is too long"):
        decode(b"%1\r\n" * 24 + b"$1\r\n\\\r\n" + b"_\r\n" * 24)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"HTTP/1.1 400 Bad\r\n",
        b"\x15\x03\x03\r\n",
        b":\r\n",
        b":x\r\n",
        b":1_0\r\n",
        b": 1\r\n",
        b":1.0\r\n",
        b":" + b"9" * 5000 + b"\r\n",
        b",\r\n",
        b",1_0\r\n",
        b",x\r\n",
        b", 1\r\n",
        b"_x\r\n",
        b"#x\r\n",
        b"#\r\n",
        b"$x\r\n",
        b"$-2\r\n",
        b"$+1\r\n",
        b"$ 1\r\n",
        b"$1_0\r\n",
        b"$99999999999999\r\n",
        b"$?\r\n",
        b"%-1\r\n",
        b"*999999999999\r\n",
        b"~-1\r\n",
        b"=-1\r\n",
        b"$1\r\nabc",
        b"=2\r\nab\r\n",
        b"=5\r\ntxtab\r\n",
        b".\r\n",
    ],
)
def test_garbage_is_a_protocol_error_for_good(data: bytes) -> None:
    """What is no reply raises ProtocolError, whole and byte by byte, and so does every later call."""
    decoder = ReplyDecoder(most_bytes=10_000)
    decoder.feed(data)
    for _ in range(2):
        with pytest.raises(ProtocolError) as raised:
            decoder.decode()
        assert raised.value.fatal
        decoder.feed(b"+OK\r\n")
    with pytest.raises(ProtocolError):
        bytewise(data)


@pytest.mark.parametrize("opening", [b"*1\r\n", b"%1\r\n+k\r\n", b"%1\r\n", b"~1\r\n", b">1\r\n", b"|1\r\n"])
def test_depth_is_bounded(opening: bytes) -> None:
    """Ten thousand nested aggregates are refused, and cost no recursion."""
    with pytest.raises(ProtocolError, match="deeper than 32"):
        decode(opening * 10_000)


def test_depth_holds_at_its_edge() -> None:
    """As deep as allowed passes, one deeper does not."""
    assert decode(encode(nested(5)), most_depth=5) == [nested(5)]
    with pytest.raises(ProtocolError, match="deeper"):
        decode(encode(nested(6)), most_depth=5)


def test_attribute_chains_end() -> None:
    """Attributes that only introduce attributes cost no recursion and count towards the length of the reply."""
    assert decode(b"|0\r\n" * 10_000 + b"+OK\r\n") == [Status("OK")]
    with pytest.raises(ProtocolError, match="longer than"):
        decode(b"|0\r\n" * 100_000)


@pytest.mark.parametrize(
    "data",
    [b"$1001\r\n", b"+" + b"x" * 1001, b"*2\r\n$600\r\n" + b"x" * 600 + b"\r\n$600\r\n", b"*99\r\n" + b"_\r\n" * 99],
)
def test_a_reply_is_bounded_in_bytes_and_values(data: bytes) -> None:
    """A long string, an endless line, their sum and very many small values are each refused as too long."""
    with pytest.raises(ProtocolError, match=r"length|longer than 1000 bytes"):
        decode(data, most_bytes=1000)


def test_the_bound_holds_over_many_reads() -> None:
    """Whichever road a value of a reply took, it counts."""
    data = b"*999\r\n" + b"_\r\n" * 999
    _, error = told([data[start : start + 20] for start in range(0, len(data), 20)], 20_000, 32)
    assert "longer than 20000 bytes" in error


def test_the_bound_is_each_replys_own() -> None:
    """Many replies in one read may together be longer than one may be."""
    one = encode("x" * 800)
    assert decode(one * 50, most_bytes=800 + ELEMENT_BYTES + 10) == ["x" * 800] * 50


def seconds(data: bytes, piece: int) -> float:
    """How long it takes to decode `data`, fed in pieces."""
    decoder, begun, found = ReplyDecoder(), time.thread_time(), 0
    for start in range(0, len(data), piece):
        decoder.feed(data[start : start + piece])
        found += len(decoder.decode())
    assert found == 1
    return time.thread_time() - begun


@pytest.mark.parametrize(
    "value",
    [
        [{f"field{field}": f"{field}" for field in range(8)} for _ in range(4000)],
        Status("x" * 2_000_000),
        "x" * 4_000_000,
        [[[["x" * 10]]]] * 10_000,
    ],
)
def test_small_pieces_cost_no_rescanning(value: object) -> None:
    """A long reply in 512-byte pieces costs what it costs whole, within a wide factor: never its square."""
    data = encode(value, 3)
    assert seconds(data, 512) < 8 * seconds(data, len(data)) + 0.5


class Growing(list[object]):
    """A list to which another thread adds while it is written; so its length is not what was written."""

    def __len__(self) -> int:
        return super().__len__() + 1


@pytest.mark.parametrize("version", [2, 3])
def test_what_changes_while_it_is_written_has_the_length_it_is_written_with(version: int) -> None:
    """Else what follows on the connection would be taken for its rest."""
    decoder = ReplyDecoder()
    decoder.feed(encode(Growing([1]), version) + encode(Table(("a",), Growing([("x",)])), version))  # type: ignore[arg-type] # rows
    assert len(decoder.decode()) == 2


class Endless(list[object]):
    """A list that never ends."""

    def __iter__(self) -> Iterator[object]:
        return itertools.repeat(self[0])


class EndlessMap(dict[object, object]):
    """A map that never ends."""

    def items(self) -> Iterator[tuple[object, object]]:  # type: ignore[override] # nobody knows what a handler returns
        """Pairs, without end."""
        return itertools.repeat(("k", None))


def shared(leaf: object, depth: int = 64) -> object:
    """A value that doubles at each level, and takes next to nothing in memory."""
    value = leaf
    for _ in range(depth):
        value = [value, value]
    return value


EXPANDING = [
    shared([]),
    shared("x"),
    shared({"a": b"x" * 100}),
    ["x" * 1000] * 10_000_000,
    {"a": shared(None)},
    (shared(Timestamp(0, 0)),),
    Endless([""]),
    Endless([{}]),
    EndlessMap(),
    Table(("a", "b"), Endless([("", "")])),  # type: ignore[arg-type] # rows
    Table((), Endless([()])),  # type: ignore[arg-type] # rows
    Table(("a",), [(shared(1),)]),
]
"""What would take all memory there is, or never end, before its bytes could be counted."""


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("value", EXPANDING)
def test_what_expands_without_end_is_refused_as_it_is_written(value: object, version: int) -> None:
    """By its bytes so far, wherever in it they are."""
    for reply in (value, [value], Push("stream", (value,))):
        with pytest.raises(CommandError) as caught:
            encode(reply, version, most=10_000)
        assert caught.value.sentence().startswith("The answer is longer than 10000 bytes")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("value", [b"x", "x", ["x", ("y", 1.5)], {"a": {"b": None}}, Table(("a",), [("x",), (2,)])])
def test_the_bound_of_what_is_written_holds_at_its_edge(value: object, version: int) -> None:
    """A reply that just fits is written; none is counted twice, however deep it is."""
    whole = encode(value, version)
    assert encode(value, version, most=len(whole)) == whole
    with pytest.raises(CommandError):
        encode(value, version, most=len(whole) - 1)
