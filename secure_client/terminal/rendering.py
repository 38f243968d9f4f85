"""Answers for people and for programs.

Rich is imported where a table meets a terminal, and nowhere else: it would double the start-up time of `-c PING`.
"""

from __future__ import annotations

import json
import math
import shutil
from typing import TextIO

from secure_client.errors import ClientError
from secure_protocol import text_replies
from secure_protocol.description import CommandDescription
from secure_protocol.printable import printable
from secure_protocol.replies import ErrorReply, ReplyKind, Table, Timestamp, Verbatim


class Renderer:
    """Writes answers to a stream, each one whole and flushed: another program may wait for it.

    Args:
        stream: data's place, stdout.
        as_json: instead of text, one JSON value per command, after one for each part where the answer is streamed.
        people: a terminal: tables get borders and fit the width.
    """

    def __init__(self, stream: TextIO, *, as_json: bool = False, people: bool = False) -> None:
        self._stream = stream
        self._people = people
        self.as_json = as_json

    def answer(
        self, command: str, value: object, description: CommandDescription | None, job: int | None = None
    ) -> None:
        """Write the answer to `command`, a line as it was typed; of a job, with its number."""
        if self.as_json:
            self._write(_json({"command": command, **_numbered(job), "ok": True, "reply": plain_value(value)}))
            return
        shown = shape(value, description)
        if isinstance(shown, Table) and self._people and shown.rows:
            from secure_client.terminal.tables import draw  # noqa: PLC0415 - see above

            self._write(draw(shown, shutil.get_terminal_size().columns))
            return
        for line in lines_of(shown, description):
            self._write(line, flush=False)
        self._stream.flush()

    def part(self, command: str, value: object, job: int | None = None, number: int | None = None) -> None:
        """Write a part of a streamed answer to `command` as soon as it is there; of a job, with both their numbers."""
        if self.as_json:
            self._write(_json({"command": command, **_numbered(job, number), "part": plain_value(value)}))
            return
        for line in text_replies.lines(value):
            self._write(line, flush=False)
        self._stream.flush()

    def failure(self, command: str, error: ClientError) -> None:
        """Write a failed command's error as JSON; as text it goes to stderr instead, and nothing is written here."""
        if self.as_json:
            text = getattr(error, "text", str(error))
            failed = {"command": command, **_numbered(error.job), "ok": False, "code": error.code, "error": text}
            self._write(_json(failed))

    def _write(self, text: str, *, flush: bool = True) -> None:
        self._stream.write(f"{text}\n")
        if flush:
            self._stream.flush()


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


def plain_value(value: object) -> object:
    """Return a reply in JSON's own types."""
    if isinstance(value, dict):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if isinstance(value, ErrorReply):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no word for it
    return value


def _numbered(job: int | None, part: int | None = None) -> dict[str, int]:
    return {name: number for name, number in (("job", job), ("number", part)) if number is not None}


def _json(value: object) -> str:
    return json.dumps(value)  # ASCII, so that no control or bidirectional character reaches a terminal


def _timestamp(seconds: int, microseconds: int) -> Timestamp:
    moment = Timestamp(seconds, microseconds)
    moment.isoformat()  # out of the calendar's range: shown as it came
    return moment


def _table(rows: object, description: CommandDescription | None) -> Table:
    maps = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    columns = description.columns if description is not None else ()
    if not columns:
        columns = tuple(dict.fromkeys(str(key) for row in maps for key in row))
    cells = [tuple(row.get(column) for column in columns) for row in maps]
    return Table(columns, list(cells), description.empty if description is not None else "")


def _safe_form(form: str) -> str:
    """Return the server's wording if it is no more than words around one `{}`; a format string could do more."""
    return printable(form) if form.count("{}") == 1 and form.count("{") == form.count("}") == 1 else ""
