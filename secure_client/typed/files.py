"""`@path` in place of an argument that may be a file: what stands there is sent."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO

from secure_client.core.login import Session
from secure_client.errors import NotSentError
from secure_client.i18n import _
from secure_client.typed.arguments import Call, Given, is_reference
from secure_client.typed.line import Line
from secure_protocol.printable import printable

MOST_BYTES = 64 * 1024 * 1024
"""Of all words together, whatever the server takes: they are held in memory, and more than once."""
OWN_BYTES = 64
"""Of what we add to a line that starts a job: `JOB START --key` and a UUID have 49."""
PATH_CHARACTERS = 300
"""Of a path, repeated in an error."""

_STANDARD_INPUT = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
_INHERITED = ("/dev/fd/", "/proc/self/fd/")
"""What a shell hands over (`@<(command)`): a pipe with somebody at its other end, so reading it comes to an end."""


class Files:
    """Reads what typed words name.

    Args:
        stdin: what `@-` stands for; None where the commands themselves come from there.
    """

    def __init__(self, stdin: BinaryIO | None) -> None:
        self._stdin = stdin
        self._read = False

    def fill(self, line: Line, call: Call, session: Session) -> Line:
        """Return the line with contents in place of names of files; its text stays what was typed.

        Args:
            line: as typed.
            call: what it calls.
            session: whose server it goes to. What is longer than that takes would end the connection.

        Raises:
            NotSentError: a file cannot be read, is none, or is too long.
        """
        most = min(session.request_bytes - OWN_BYTES, MOST_BYTES)
        longest, words = min(session.argument_bytes, most), list(line.words)
        for given in call.given:
            if given.argument.file and given.value.startswith(b"@"):
                content = self._content(given, longest) if is_reference(given) else given.value[1:]
                words[given.at] = given.prefix + content
        if words == list(line.words):
            return line
        if sum(map(len, words)) > most:
            sentence = _("The files are longer than {limit} bytes together, so nothing was sent.")
            raise NotSentError(sentence.format(limit=most))
        return Line(line.text, tuple(words))

    def _content(self, given: Given, most: int) -> bytes:
        path = os.path.expanduser(os.fsdecode(given.value[1:]))  # noqa: PTH111 - Path raises where there is no such user
        try:
            data = self._of_stdin(most) if path in _STANDARD_INPUT else _of_file(path, most)
        except OSError as error:
            raise _unusable(given, error.strerror or str(error)) from None
        except ValueError:
            raise _unusable(given, _("a zero byte is in its name")) from None
        if len(data) > most:
            raise _unusable(given, _("it is longer than {limit} bytes").format(limit=most))
        return data

    def _of_stdin(self, most: int) -> bytes:
        if self._stdin is None:
            raise OSError(0, _("the commands come from standard input themselves; name a file, or use -c"))
        if self._read:
            raise OSError(0, _("standard input was read already, and can be only once"))
        self._read = True
        return self._stdin.read(most + 1)


def _of_file(path: str, most: int) -> bytes:
    """Read a file, and one byte more than may be sent.

    Raises:
        OSError: it cannot be read, or is no file: a device may have no end, and a named pipe nobody who writes.
    """
    inherited = path.startswith(_INHERITED)
    waits = 0 if inherited else getattr(os, "O_NONBLOCK", 0)  # or opening a named pipe would wait for a writer
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | waits)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(0, _("it is a directory"))
        if not (stat.S_ISREG(mode) or (inherited and stat.S_ISFIFO(mode))):
            raise OSError(0, _("it is no regular file"))
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most + 1)
    finally:
        os.close(descriptor)


def _unusable(given: Given, why: str) -> NotSentError:
    sentence = _("Argument {name}: {given} cannot be read ({why}), so nothing was sent.")
    shown = printable(given.value, PATH_CHARACTERS)
    return NotSentError(sentence.format(name=printable(given.argument.name), given=shown, why=why))
