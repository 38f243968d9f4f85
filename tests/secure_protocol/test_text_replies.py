"""Replies as people read them: one line or several, nothing that moves a cursor, and an end that cannot be faked."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_protocol.errors import CommandError
from secure_protocol.replies import ErrorReply, Push, ReplyKind, Status, Table, Timestamp, Verbatim
from secure_protocol.text_replies import CELL_CHARACTERS, cell, encode, lines, one_line, part
from tests.secure_protocol.test_resp_replies import EXPANDING, Endless, shared

several = st.sampled_from([kind for kind in ReplyKind if not kind.one_line])
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.text().map(Verbatim)
    | st.builds(Timestamp, st.integers(), st.integers(0, 999_999))
    | st.builds(ErrorReply, st.text(max_size=5), st.text())
    | st.builds(Push, st.text(), st.lists(st.text(), max_size=2).map(tuple))
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
tables = st.integers(1, 4).flatmap(
    lambda width: st.builds(
        Table,
        st.tuples(*[st.text(max_size=6)] * width),
        st.lists(st.tuples(*[values] * width), max_size=4),
        st.text(max_size=10),
    )
)


def controls(text: str) -> set[str]:
    """The categories of its characters that a terminal acts on, or that end a line."""
    return {unicodedata.category(char) for char in text} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(values | tables, st.text(max_size=8) | st.just("ECHO: {}") | st.just("{0.__class__}{:>99999999999}{"))
def test_one_line_is_one_line(value: object, form: str) -> None:
    """Whatever the value and the wording hold, one line comes out, with no control character and of bounded length."""
    line = one_line(value, form)
    assert not controls(line)
    assert len(line) <= 2 * 10 * (CELL_CHARACTERS + 1)
    assert encode(value, ReplyKind.TEXT, form).count(b"\n") == 1


@given(values | tables, several)
def test_several_lines_end_with_a_dot_alone(value: object, kind: ReplyKind) -> None:
    """A reader that takes lines up to `.` and strips one leading dot gets the lines back, whatever they hold."""
    text = encode(value, kind).decode()
    if isinstance(value, ErrorReply | Push):
        assert text.count("\n") == 1
        return
    *body, dot, rest = text.split("\n")
    assert (dot, rest) == (".", "")
    assert "." not in body
    assert [line.removeprefix(".") for line in body] == lines(value)
    assert not controls("".join(body).replace("\t", ""))


@pytest.mark.parametrize(
    ("value", "form", "line"),
    [
        ("hello", "ECHO: {}", "ECHO: hello"),
        ("{} {0}", "ECHO: {}", "ECHO: {} {0}"),
        ("x", "", "x"),
        ("a\nb", "", "a\\x0ab"),
        (Status("OK"), "", "OK"),
        (b"ol\xc3\xa1", "", "olá"),
        (None, "", "-"),
        (True, "", "yes"),
        (False, "", "no"),
        (7, "", "7"),
        ([1, ["a", None]], "", "1,a,-"),
        ({"a": 1, "b": (2, 3)}, "", "a=1 b=2,3"),
        (Timestamp(10**30, 5), "", f"{10**30}.000005"),
        ("done", "all \x1b[31mred {}", "all \\x1b[31mred done"),
    ],
)
def test_values_on_one_line(value: object, form: str, line: str) -> None:
    """Each kind of value reads as a person expects, inside the wording, whose own letters only are shown."""
    assert one_line(value, form) == line
    assert encode(value, ReplyKind.TEXT, form) == line.encode() + b"\n"


def test_a_timestamp_is_iso_8601_with_offset() -> None:
    """A moment is shown as ISO 8601 with its offset."""
    assert one_line(Timestamp(0, 0)) == Timestamp(0, 0).isoformat()
    assert one_line(Timestamp(0, 0)).startswith(("1970-01-01T", "1969-12-31T"))


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        ("a\n.\n..b\n.c", b"a\n..\n...b\n..c\n.\n"),
        ("", b".\n"),
        (b"a\r\nb\tc\xff", b"a\nb\tc\\xff\n.\n"),
        ([".", {"a": "."}, ("x", "y")], b"..\na: .\nx,y\n.\n"),
        ({"a": [1, 2]}, b"a: 1,2\n.\n"),
        (None, b"-\n.\n"),
        (ErrorReply("ERR", "No\nsuch."), b"ERROR: No\\x0asuch.\n"),
        (ErrorReply("NOAUTH", "Say who."), b"ERROR: NOAUTH Say who.\n"),
        (Push("closed", ("idle", 5)), b"closed idle 5\n"),
    ],
)
def test_values_on_several_lines(value: object, wire: bytes) -> None:
    """Lines are dot-stuffed and ended; errors and pushes are one line even where several were promised."""
    assert encode(value, ReplyKind.LINES) == wire


def test_tables_stand_in_columns() -> None:
    """Columns are as wide as their widest cell, no line ends in blanks, and an empty table says so or nothing."""
    table = Table(("id", "name"), [(1, "web"), (200, None), (3, "a\nb")])
    assert lines(table) == ["id   name", "1    web", "200  -", "3    a\\x0ab"]
    assert encode(Table(("id",), [], empty="Nobody\x07."), ReplyKind.TABLE) == b"Nobody\\x07.\n.\n"
    assert encode(Table(("id",), []), ReplyKind.TABLE) == b".\n"
    assert lines(Table(("\x1b[2J",), [(".",)])) == ["\\x1b[2J", "."]


def test_long_cells_are_cut() -> None:
    """A cell, of text or of many values, is cut and marked: a terminal is no place for a megabyte."""
    for value in ("x" * 10**6, ["x" * 100] * 10**4, {"x" * 100: 1, "y": ["z" * 5000]}):
        assert len(cell(value)) == CELL_CHARACTERS + 1
        assert cell(value).endswith("…")


def test_what_cannot_be_shown_is_a_type_error() -> None:
    """A reply that nests without end, or whose rows are uneven, is the error that the server is ready for."""
    endless: list[object] = []
    endless.append(endless)
    for value in (endless, Table(("a",), [(1, 2)]), 10**5000):
        for kind in (ReplyKind.TEXT, ReplyKind.TABLE):
            if not (isinstance(value, Table) and kind.one_line):
                with pytest.raises(TypeError, match="reply"):
                    encode(value, kind)


class Told(int):
    """A number that has more to say."""

    def __str__(self) -> str:
        return "a secret"


@pytest.mark.parametrize("value", [ValueError("a secret"), object(), {1, 2}, bytearray(b"x"), lambda: None, 1j])
def test_what_is_no_reply_is_a_type_error(value: object) -> None:
    """As over RESP, wherever it stands: what an object says of itself may be what no peer is to see."""
    table = Table(("a",), [(value,)])
    for reply in (value, [value], [[value]], {"a": value}, {"a": (value,)}, table, [table], Push("told", (value,))):
        for kind in (ReplyKind.TEXT, ReplyKind.LINES):
            with pytest.raises(TypeError, match="is no reply"):
                encode(reply, kind)
        with pytest.raises(TypeError, match="is no reply"):
            part(reply)


def test_numbers_are_numbers() -> None:
    """Whatever their class makes of them."""
    assert cell(Told(7)) == "7"
    assert cell([1.0, -0.5, float("nan")]) == "1.0,-0.5,nan"


def test_errors_and_news_within_a_reply() -> None:
    """Other servers nest them; a client shows them as they are shown by themselves."""
    assert lines([ErrorReply("ERR", "No."), Push("closed", ("idle", 5))]) == ["ERROR: No.", "closed idle 5"]


@pytest.mark.parametrize("value", EXPANDING)
def test_what_expands_without_end_is_bounded_as_it_is_written(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line is as long as one may be; more of them are refused by what they take so far."""
    monkeypatch.setattr("secure_protocol.text_replies.MOST_LISTS", 1000)
    assert len(one_line(value)) <= CELL_CHARACTERS + 1
    for reply in (value, [value]):
        try:
            assert len(encode(reply, ReplyKind.LINES, most=10_000)) <= 10_000
        except CommandError as error:
            assert error.sentence().startswith("The answer is longer than 10000 bytes")  # noqa: PT017 - some are cut
        except TypeError as error:
            assert "too many lists" in str(error)  # noqa: PT017 - of nothing but lists


def test_lines_are_counted() -> None:
    """A reply that just fits is written."""
    for value in (Endless(["x"]), shared("x"), Table(("a",), Endless([("x",)]))):  # type: ignore[arg-type] # rows
        with pytest.raises(CommandError, match="longer than 1000 bytes"):
            encode(value, ReplyKind.LINES, most=1000)
    for value in ("a\n.\nb", ["x", ["y", {"a": 1}]], Table(("a",), [("x",), (2,)]), b"x"):
        whole = encode(value, ReplyKind.LINES)
        assert encode(value, ReplyKind.LINES, most=len(whole)) == whole
        with pytest.raises(CommandError):
            encode(value, ReplyKind.LINES, most=len(whole) - 1)


def test_maps_in_a_list_have_a_line_each_below_their_key() -> None:
    """Other values stay on the key's own line."""
    value = {"id": 7, "last": [{"command": "A", "took": 1}, {"command": "B"}], "names": ["a", "b"], "none": []}
    assert encode(value, ReplyKind.LINES).decode().splitlines() == [
        "id: 7", "last:", "  command=A took=1", "  command=B", "names: a,b", "none: ", ".",
    ]  # fmt: skip
