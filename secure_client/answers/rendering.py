"""Answers for people and for programs.

Rich is imported where a table meets a terminal, and nowhere else: it would double the start-up time of `-c PING`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TextIO

from secure_client.answers.colours import shows_colours
from secure_client.answers.columns import columns_of, screen
from secure_client.answers.formats import Format, csv, plain_value, raw
from secure_client.core.expected import table_of
from secure_client.errors import ClientError
from secure_protocol import text_replies
from secure_protocol.description import CommandDescription
from secure_protocol.printable import printable
from secure_protocol.replies import ReplyKind, Table, Timestamp, Verbatim

COLUMNS = "--columns"
"""The option by which a request chooses the columns of its table: then all of these are shown, however narrow it is."""
_PAINT = re.compile(r"\x1b\[[0-9;]*m")
"""Colours are ours; a server's own are printable by now, and take columns."""


class Renderer:
    """Writes answers to a stream, each one whole and flushed: another program may wait for it.

    Args:
        stream: data's place, stdout.
        form: of answers, and of each part where the answer is streamed.
        people: a terminal: tables get borders and fit the width.

    Attributes:
        form: as given.
        vertical: a person's tables have a line for each value.
        pager: shows the parts of an answer that is taller than the screen, or calls what writes one. None: all is
            written.
        short: first words of the terminal's own, and what each stands for; a list of commands tells them.
    """

    def __init__(self, stream: TextIO, *, form: Format = Format.TEXT, people: bool = False) -> None:
        self._stream = stream
        self._people = people
        self.form = form
        self.vertical = False
        self.pager: Callable[[Iterable[str], Callable[[str], None]], None] | None = None
        self.short: Callable[[], Mapping[str, str]] = dict

    @property
    def as_json(self) -> bool:
        """Whether a program is to read it, which wants to know all: parts have numbers, errors are written, too."""
        return self.form is Format.JSON

    def answer(
        self,
        command: str,
        value: object,
        description: CommandDescription | None,
        job: int | None = None,
        following: Iterator[list[dict[object, object]]] | None = None,
    ) -> None:
        """Write the answer to `command`, a line as it was typed.

        Args:
            command: the line.
            value: of the answer.
            description: of the command.
            job: its number.
            following: of a table for a person: the rows that come behind those, page by page.
        """
        shown = shape(value, description)
        if self.form is Format.JSON:
            told = shown if isinstance(shown, Timestamp) else value
            self._write(_json({"command": command, **_numbered(job), "ok": True, "reply": plain_value(told)}))
        elif self.form is not Format.TEXT:
            self._write_plainly(shown)
        elif isinstance(shown := self._as_rows(shown), Table) and self._people and shown.rows:
            self._draw(shown, description, following)
        else:
            self.show(lines_of(shown, description))

    def _draw(
        self,
        table: Table,
        description: CommandDescription | None,
        following: Iterator[list[dict[object, object]]] | None,
    ) -> None:
        from secure_client.answers.tables import Drawn  # noqa: PLC0415 - see above

        minor = description.minor if description is not None else ()
        colours = shows_colours(self._stream)
        drawn = Drawn(table, screen().columns, vertical=self.vertical, colours=colours, minor=minor)
        foot = drawn.foot(COLUMNS if description is not None and chooses_columns(description) else "")
        if following is None:
            self.show([*drawn.first, *foot])
            return
        pages = (drawn.following([row.get(name) for name in table.columns] for row in rows) for rows in following)
        self._show(chain((drawn.first,), pages, (foot,)))

    def _as_rows(self, shown: object) -> object:
        """Return a map as a table of one row, where a person wants a line for each value."""
        if not (self.vertical and isinstance(shown, dict)):
            return shown
        return Table(tuple(map(str, shown)), [tuple(shown.values())])

    def overview(self, known: Sequence[CommandDescription]) -> None:
        """Write a list of commands for a person at a terminal, folded to its width."""
        from secure_client.answers.overview import overview  # noqa: PLC0415 - as above

        self.show(overview(known, screen().columns, self._stream, self.short()).split("\n"))

    def explain(self, value: object) -> None:
        """Write what the server says of a command, likewise."""
        from secure_client.answers.overview import folded  # noqa: PLC0415 - as above

        self.show(folded(text_replies.lines(value), screen().columns))

    @property
    def for_people(self) -> bool:
        """Whether a person looks at a terminal, and wants no other form."""
        return self._people and self.form is Format.TEXT

    def part(
        self,
        command: str,
        value: object,
        job: int | None = None,
        number: int | None = None,
        columns: Sequence[str] = (),
    ) -> None:
        """Write a part of a streamed answer to `command` as soon as it is there; of a job, with both their numbers.

        Args:
            command: a line as it was typed.
            value: the part.
            job: its number.
            number: the part's.
            columns: of a map, those whose values people read without their keys.
        """
        if self.form is Format.JSON:
            self._write(_json({"command": command, **_numbered(job, number), "part": plain_value(value)}))
        elif self.form is not Format.TEXT:
            self._write_plainly(value)
        elif isinstance(value, dict):  # one of many alike, such as an event
            from secure_client.answers.streamed import line_of  # noqa: PLC0415 - of no use to most commands

            self._write_lines([line_of(value, columns)])
        else:
            self._write_lines(text_replies.lines(value))

    def failure(self, command: str, error: ClientError) -> None:
        """Write a failed command's error as JSON; else it goes to stderr instead, and nothing is written here."""
        if self.form is Format.JSON:
            text = getattr(error, "text", str(error))
            failed = {"command": command, **_numbered(error.job), "ok": False, "code": error.code, "error": text}
            self._write(_json(failed))

    def show(self, lines: list[str]) -> None:
        """Write a whole answer; one that is taller than the screen by the pager, where there is one."""
        if self.pager is not None and self.for_people and _is_tall(lines):
            self.pager(("\n".join([*lines, ""]),), self._write_text)
        else:
            self._write_lines(lines)

    def _show(self, parts: Iterable[Iterable[str]]) -> None:
        """Write an answer whose parts are still to come: the first is as long as a screen, or longer."""
        texts = ("".join(f"{line}\n" for line in part) for part in parts)
        if self.pager is not None and self.for_people:
            self.pager(texts, self._write_text)
        else:
            for text in texts:
                self._write_text(text)

    def _write_text(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def _write(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def _write_lines(self, lines: list[str]) -> None:
        for line in lines:
            self._stream.write(f"{line}\n")
        self._stream.flush()

    def _write_plainly(self, value: object) -> None:
        """Write a value for a program; a terminal, which would obey what is in it, is shown it as people are."""
        if self._people:
            self._write_lines(text_replies.lines(csv(value) if self.form is Format.CSV else value))
        elif self.form is Format.CSV:
            self._stream.write(csv(value))
            self._stream.flush()
        else:
            self._stream.flush()
            bytes_ = getattr(self._stream, "buffer", None)
            if bytes_ is None:  # somebody's own stream, of text alone
                self._stream.write(raw(value).decode("utf-8", "surrogateescape"))
            else:
                bytes_.write(raw(value))
            self._stream.flush()


def chooses_columns(description: CommandDescription) -> bool:
    """Say whether a request of a command may choose the columns of its table."""
    return any(f"--{argument.name}" == COLUMNS for argument in description.arguments if argument.flag)


def shape(value: object, description: CommandDescription | None) -> object:
    """Return the value with the type that its description names, where it has the form of it."""
    kind = description.reply if description is not None else None
    if kind is ReplyKind.TIMESTAMP and isinstance(value, list) and len(value) == 2:
        try:
            return _timestamp(int(str(value[0])), int(str(value[1])))
        except (ValueError, OverflowError, OSError):
            return value
    is_rows = isinstance(value, list) and all(isinstance(row, dict) for row in value)
    if kind is ReplyKind.TABLE and is_rows:
        return _table(value, description)
    if kind in (None, ReplyKind.LINES, ReplyKind.TEXT) and is_rows and value:
        return _table(value, description)
    return value


def lines_of(shown: object, description: CommandDescription | None) -> list[str]:
    """Return an answer as printable lines."""
    if isinstance(shown, Table | dict | list | Verbatim):
        return text_replies.lines(shown)
    kind = description.reply if description is not None else ReplyKind.TEXT
    form = description.form if description is not None else ""
    return [text_replies.one_line(shown, _safe_form(form))] if kind.one_line else text_replies.lines(shown)


def _is_tall(lines: list[str]) -> bool:
    """Whether lines take the whole screen, or more; where the first of them do, the others are not looked at."""
    columns, rows = screen()
    height = 0
    for line in lines:
        height += max(1, -(-columns_of(_PAINT.sub("", line)) // columns))
        if height >= rows:
            return True
    return False


def _numbered(job: int | None, part: int | None = None) -> dict[str, int]:
    return {name: number for name, number in (("job", job), ("number", part)) if number is not None}


def _json(value: object) -> str:
    return json.dumps(value)  # ASCII, so that no control or bidirectional character reaches a terminal


def _timestamp(seconds: int, microseconds: int) -> Timestamp:
    moment = Timestamp(seconds, microseconds)
    moment.isoformat()  # out of the calendar's range: shown as it came
    return moment


def _table(rows: object, description: CommandDescription | None) -> Table:
    return table_of([row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else [], description)


def _safe_form(form: str) -> str:
    """Return the server's wording if it is no more than words around one `{}`; a format string could do more."""
    return printable(form) if form.count("{}") == 1 and form.count("{") == form.count("}") == 1 else ""
