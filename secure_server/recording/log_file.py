"""The activity log's file: private, rotated, and opened anew when somebody moved it."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import sys
from io import TextIOWrapper
from pathlib import Path

from secure_server.files.opening import open_own

_log = logging.getLogger("secure_server.activity")


class LogFile:
    """A rotating file that only its owner reads; a full disk is told once, not once a line.

    Where another stands in its place, or none (logrotate moved it), that one is opened.

    Args:
        path: the file.
        most_bytes: its size when it is rotated.
        keep: rotated ones kept.
    """

    def __init__(self, path: Path, most_bytes: int, keep: int) -> None:
        self._path = path
        self._handler = _Handler(path, maxBytes=most_bytes, backupCount=keep, encoding="utf-8")
        self._handler.setFormatter(logging.Formatter("%(message)s"))

    def write(self, lines: list[str]) -> bool:
        """Write a batch as one record, for the handler looks at the file for each; whether it could be written."""
        self._handler.handle(logging.makeLogRecord({"msg": "\n".join(lines)}))
        return not self._handler.failing

    def take_up(self, most_bytes: int, keep: int) -> None:
        """Have other bounds from the next line on. Any thread."""
        self._handler.maxBytes, self._handler.backupCount = most_bytes, keep

    def paths(self) -> list[Path]:
        """Return the files there are, oldest first, as `RotatingFileHandler` names them."""
        name, keep = self._path.name, self._handler.backupCount
        older = (self._path.with_name(f"{name}.{number}") for number in range(keep, 0, -1))
        return [path for path in (*older, self._path) if path.exists()]

    def reopen(self) -> None:
        """Close the file, and open what is there now."""
        self._handler.reopen()

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):  # a full disk, told already
            self._handler.close()


def _private(path: str, flags: int) -> int:
    descriptor = open_own(path, flags)
    if os.chmod in os.supports_fd:  # not on Windows, where a mode says little
        os.chmod(descriptor, 0o600)  # noqa: PTH101 - of what was opened: the file may be an older one
    return descriptor


class _Handler(logging.handlers.RotatingFileHandler):
    failing = False
    """Whether the last record could not be written."""
    _failed = False
    """Whether the present one could not."""

    def _open(self) -> TextIOWrapper:
        # the handler closes it
        stream = open(self.baseFilename, self.mode, encoding=self.encoding, opener=_private)  # noqa: SIM115 - see above
        assert isinstance(stream, TextIOWrapper)  # noqa: S101 - text mode, of which mypy cannot be sure
        return stream

    def reopen(self) -> None:
        with self.lock or contextlib.nullcontext(), contextlib.suppress(OSError):  # the next record tells
            self._let_go()
            self.stream = self._open()

    def _let_go(self) -> None:
        stream, self.stream = self.stream, None
        if stream is not None:
            with contextlib.suppress(OSError):  # what a full disk did not take
                stream.close()

    def _is_elsewhere(self) -> bool:
        """Whether the path names another file than the one that is open, or none."""
        if self.stream is None:
            return False
        try:
            there = Path(self.baseFilename).stat()
        except OSError:
            return True
        return not os.path.samestat(there, os.fstat(self.stream.fileno()))

    def emit(self, record: logging.LogRecord) -> None:
        if self._is_elsewhere():
            self._let_go()
        failed_before, self._failed = self.failing, False
        super().emit(record)
        if failed_before and not self._failed:
            _log.warning("the activity log can be written again")
        self.failing = self._failed

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the standard library's
        if not self.failing:
            error = sys.exception()  # a person who reads of a full disk is not helped by where it was noticed
            why = error.strerror if isinstance(error, OSError) else error
            _log.error("the activity log cannot be written (%s); lines are lost until it can", why)
        self.failing = self._failed = True
