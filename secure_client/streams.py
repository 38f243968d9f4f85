"""What a program prints, and what becomes of that where nobody takes it: for all programs, the server's, too.

A full disk, a closed descriptor and a pipe whose reader went show themselves anywhere: when something is printed, when
a buffer is emptied, or when the interpreter ends. So it is noticed at the one place that all of it comes by.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from secure_client import descriptors, starting
from secure_client.i18n import _

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

LOST = 3
"""Exit code: what was to be shown could not be."""

_closed: set[int] = set()
"""Which of the descriptors the program was started without."""


class OutputError(Exception):
    """Standard output takes nothing more; the text is one sentence that says why.

    Attributes:
        told: whether a person should be told. Not where a reader had enough, as `head` has: that is no fault.
    """

    def __init__(self, sentence: str, *, told: bool = True) -> None:
        super().__init__(sentence)
        self.told = told

    @classmethod
    def of(cls, error: OSError) -> OutputError:
        """Return what to say of an error of the system's."""
        why = _("it is closed") if error.errno == errno.EBADF else error.strerror or type(error).__qualname__
        sentence = _("Standard output takes nothing more ({why}): what was to be shown is lost.")
        return cls(sentence.format(why=why), told=error.errno != errno.EPIPE)

    def so(self, consequence: str) -> OutputError:
        """Return it with a further sentence, which a person should be told in any case."""
        return OutputError(f"{self} {consequence}")


class _Output(io.FileIO):
    """Standard output. The first write that fails is told by an `OutputError`; what comes after is dropped."""

    failed: OutputError | None = None

    def write(self, data: ReadableBuffer) -> int:
        size = memoryview(data).nbytes
        if self.failed is None and size:  # click asks whether it may write by writing nothing
            try:
                while (written := super().write(data)) is None:  # somebody set the descriptor non-blocking
                    select.select([], [self], [])
            except OSError as error:
                self.failed = OutputError.of(error)
                raise self.failed from error
            return written
        return size


class _Talk(io.FileIO):
    """Standard error. What nobody takes is dropped: there is no other place to say so, and nothing depends on it."""

    def write(self, data: ReadableBuffer) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes


def run(program: Callable[[], object]) -> NoReturn:
    """Run a program, whatever its standard streams are. Always ends in SystemExit, its own or `LOST`.

    Args:
        program: all of it; SystemExit gives its exit code.
    """
    try:
        _run(program)
    finally:
        starting.ending()


def _run(program: Callable[[], object]) -> NoReturn:
    _closed.update(descriptors.open_missing())
    output = _watch("stdout", 1, _Output)
    _watch("stderr", 2, _Talk)
    ending: SystemExit | OutputError = SystemExit(0)
    try:
        program()
    except (SystemExit, OutputError) as error:
        ending = error
    try:
        sys.stdout.flush()
    except OutputError as error:
        if isinstance(ending, SystemExit) and error.told:
            ending = error
    if output is not None and output.failed is not None and output.failed.told and isinstance(ending, SystemExit):
        ending = output.failed  # somebody took it for another error, and went on
    if isinstance(ending, SystemExit):
        raise ending
    if ending.told:
        print(ending, file=sys.stderr, flush=True)
    raise SystemExit(LOST if ending.told else 0)


def without_output() -> bool:
    """Whether the program was started with standard output closed: as those who start servers do who read nothing."""
    return 1 in _closed


def _watch(name: str, descriptor: int, kind: type[_Output] | type[_Talk]) -> _Output | None:
    """Put a stream of ours in the place of Python's, which is left as it is where it goes elsewhere, as in tests."""
    stream = getattr(sys, name)
    try:
        ours = stream.fileno() == descriptor and not (os.name == "nt" and stream.isatty())  # whose console is no file
    except (OSError, ValueError, AttributeError):
        return None
    if not ours or not isinstance(stream, io.TextIOWrapper):
        return None
    stream.flush()
    raw = kind(descriptor, "w", closefd=False)
    made = io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),  # as Python does for -u
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    setattr(sys, name, made)
    return raw if isinstance(raw, _Output) else None
