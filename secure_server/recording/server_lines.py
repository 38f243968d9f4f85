"""What the server warns of, for its own log: errors with their references and tracebacks."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from secure_protocol.token import redact

LOGGER = "secure_server"
"""Whatever is logged below that name."""
OWN = f"{LOGGER}.activity"
"""But for what the log says of itself: that it cannot be written does not belong into it."""
TEXT_CHARACTERS = 8_000
"""Of one message with its traceback. What is cut is what follows the first line: the error is named at the end."""


class ServerLines(logging.Handler):
    """Hands on what is logged, as text without tokens. Any thread. It listens until it is closed.

    Args:
        tell: takes level, source and text; must not wait.
        write: writes what was told; for the last words of a process that ends itself.
    """

    def __init__(self, tell: Callable[[str, str, str], None], write: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell
        self._write = write
        self._listens = True
        self.addFilter(_is_of_others)  # before the handler's lock is taken: the log may be waited for under that
        logger = logging.getLogger(LOGGER)
        logger.addHandler(self)
        if logger.level == logging.NOTSET:  # else it would be what a command's module sets for all
            logger.setLevel(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        """Hand on a record (logging's interface)."""
        with contextlib.suppress(Exception):  # one that cannot be shown is told of on stderr
            self._tell(record.levelname, record.name, _cut(redact(self.format(record))))

    def take_up(self, level: int) -> None:
        """Hand on what is of this level or above. What is below INFO others hear of as well, who are on their own."""
        self.setLevel(level)
        logging.getLogger(LOGGER).setLevel(min(level, logging.INFO))

    def flush(self) -> None:
        """Write what was told: `logging.shutdown` asks for it."""
        if self._listens:
            self._write()

    def close(self) -> None:
        """Go on: `logging.shutdown` and `logging.config` close all handlers there are, and a command may call them."""

    def stop(self) -> None:
        """Listen no more."""
        self._listens = False
        if self.level < logging.WARNING:
            self.take_up(logging.WARNING)
        logging.getLogger(LOGGER).removeHandler(self)
        super().close()


def _is_of_others(record: logging.LogRecord) -> bool:
    return record.name != OWN


def speak_again() -> None:
    """Enable our loggers: `logging.config.dictConfig` disables those it does not know unless it is told not to."""
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and f"{name}.".startswith(f"{LOGGER}."):
            logger.disabled = False


def _cut(text: str) -> str:
    if len(text) <= TEXT_CHARACTERS:
        return text
    first, _, rest = text.partition("\n")
    first = first[: TEXT_CHARACTERS // 2]
    return f"{first}\n…\n{rest[len(rest) - (TEXT_CHARACTERS - len(first)) :] if rest else ''}"
