"""Answers as programs read them: JSON, CSV, and raw."""

from __future__ import annotations

import csv as csv_module
import io
import json

import pytest

from secure_client.answers.formats import Format, csv, plain_value, raw
from secure_client.answers.rendering import Renderer
from secure_protocol.description import CommandDescription
from secure_protocol.replies import ReplyKind, Status, Table, Timestamp

TABLE = Table(("id", "name"), [(1, 'a "quoted", name\nand more'), (2, None), (3, "é\x1b[31m")])


class Bytes(io.TextIOWrapper):
    """A stream as standard output is."""

    def __init__(self) -> None:
        self.sink = io.BytesIO()
        super().__init__(self.sink, encoding="utf-8", errors="backslashreplace")


def written(
    form: Format, value: object, description: CommandDescription | None = None, *, people: bool = False
) -> bytes:
    """What is written of an answer."""
    stream = Bytes()
    Renderer(stream, form=form, people=people).answer("X", value, description)
    return stream.sink.getvalue()


def test_csv_is_read_back_as_it_was() -> None:
    """Quotes, commas, ends of lines and control characters are data."""
    assert list(csv_module.reader(io.StringIO(csv(TABLE), newline=""))) == [
        ["id", "name"], ["1", 'a "quoted", name\nand more'], ["2", ""], ["3", "é\x1b[31m"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1, "b": [1, 2]}, 'a,1\nb,"[1, 2]"\n'),
        (["x", 2, True, None], 'x\n2\ntrue\n""\n'),
        ([["a", 1], ["b", 2]], "a,1\nb,2\n"),
        ("one, two", '"one, two"\n'),
        (Status("OK"), "OK\n"),
        (0.5, "0.5\n"),
        (b"\xff", "\\xff\n"),
        (Timestamp(0, 0), None),
    ],
)
def test_csv_of_other_answers(value: object, text: str | None) -> None:
    """A map is pairs, a list a line for each, all else one cell."""
    assert csv(value) == (text if text is not None else f"{Timestamp(0, 0).isoformat()}\n")


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (b"\x00\xff\n", b"\x00\xff\n"),
        (b"no end", b"no end"),
        ("text", b"text\n"),
        ("ended\n", b"ended\n"),
        ("\x1b[31mred", b"\x1b[31mred\n"),
        ("no text \udcff", b"no text \xff"),
        (TABLE, b'1\ta "quoted", name\nand more\n2\t\n3\t\xc3\xa9\x1b[31m\n'),
        ({"a": b"\xff"}, b"a\t\xff\n"),
        (["x", [1, None]], b"x\n1\t\n"),
        (7, b"7\n"),
        (None, b"\n"),
        (True, b"true\n"),
    ],
)
def test_raw_is_what_the_server_sent(value: object, data: bytes) -> None:
    """Byte for byte, with an end of line behind text alone."""
    assert raw(value) == data
    assert written(Format.RAW, value) == data


def test_raw_does_not_tell_a_terminal_what_to_do() -> None:
    """There it is written for people; and CSV likewise."""
    assert b"\x1b" not in written(Format.RAW, "\x1b[31mred", people=True)
    assert b"\x1b" not in written(Format.CSV, TABLE, people=True)
    assert b"id,name" in written(Format.CSV, TABLE, people=True)


def test_raw_on_a_stream_of_text() -> None:
    """As where a program has put its own in the place of standard output."""
    stream = io.StringIO()
    Renderer(stream, form=Format.RAW).part("X", b"\xff")
    assert stream.getvalue() == "\udcff"


def test_json_has_types() -> None:
    """Numbers are numbers, a moment is ISO 8601, what is no number says so."""
    moment = CommandDescription("TIME", "", reply=ReplyKind.TIMESTAMP)
    told = json.loads(written(Format.JSON, ["1700000000", "250000"], moment))
    assert told["reply"] == Timestamp(1700000000, 250000).isoformat()
    assert json.loads(written(Format.JSON, {"a": 1, "b": 0.5, "c": None, "d": True}))["reply"] == {
        "a": 1, "b": 0.5, "c": None, "d": True,
    }  # fmt: skip
    assert plain_value([float("inf"), b"\xff"]) == ["inf", "\\xff"]


def test_a_table_by_its_description() -> None:
    """Maps, as RESP has them, become rows in the columns' order; none is the head alone."""
    description = CommandDescription("CLIENTS", "", reply=ReplyKind.TABLE, columns=("name", "id"))
    assert written(Format.CSV, [{"id": 1, "name": "a"}], description) == b"name,id\na,1\n"
    assert written(Format.CSV, [], description) == b"name,id\n"
    assert written(Format.RAW, [{"id": 1, "name": "a"}], description) == b"a\t1\n"


def test_a_map_in_a_stream_is_one_line_for_a_person() -> None:
    """There are many alike, such as events; a program has a value a line."""
    text = io.StringIO()
    Renderer(text).part("SERVER WATCH", {"event": "close", "id": 7, "why": "two words"})
    assert text.getvalue() == "event=close id=7 why=two words\n"
    text = io.StringIO()
    Renderer(text, form=Format.JSON).part("SERVER WATCH", {"event": "close"})
    assert json.loads(text.getvalue()) == {"command": "SERVER WATCH", "part": {"event": "close"}}
