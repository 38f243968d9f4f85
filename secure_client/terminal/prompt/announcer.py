"""Lines above a live prompt, from any thread.

prompt-toolkit's `patch_stdout` is not used, for it guesses from a thread of its own whether a prompt is on the screen:
a line that comes in the moment a prompt begins is written over it, lines wait 0.2 s, and stderr is taken along. Here
the main thread says when a prompt begins and ends; a line is written by the prompt's own event loop while there is one,
and at once where there is none. `run_in_terminal` is not used either: it leaves raw mode for the time of writing, and a
Ctrl-D typed in that moment is swallowed.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Iterator

from prompt_toolkit.application import Application, get_app

from secure_client.answers.colours import Colour

MOST_LINES = 1000
"""Waiting to be written; a server that floods loses its oldest lines, not our memory."""


class Announcer:
    """Writes lines without disturbing what the user types.

    Args:
        write: prints one line in its colour; called by one thread at a time.
    """

    def __init__(self, write: Callable[[str, Colour | None], None]) -> None:
        self._write = write
        self._lock = threading.RLock()
        self._prompting = False
        self._loop: AbstractEventLoop | None = None
        self._application: Application[object] | None = None
        self._context: contextvars.Context | None = None
        self._waiting: deque[tuple[str, Colour | None]] = deque(maxlen=MOST_LINES)

    def say(self, text: str, colour: Colour | None = None) -> None:
        """Show a line; any thread."""
        with self._lock:
            self._waiting.append((text, colour))
            if not self._prompting:
                self._drain()
                return
        self._in_loop(self._above_the_prompt)

    def redraw(self) -> None:
        """Have prompt and toolbar drawn anew, if there are any; any thread."""
        application = self._application
        if application is not None:
            with contextlib.suppress(RuntimeError):  # it has just ended
                application.invalidate()

    @contextlib.contextmanager
    def prompt(self) -> Iterator[Callable[[], None]]:
        """Hold lines back for the prompt of this block; yields what the prompt calls in its event loop as it begins."""
        with self._lock:
            self._prompting = True
        try:
            yield self._begin
        finally:
            with self._lock:
                self._prompting, self._loop, self._application = False, None, None
                self._drain()

    def _begin(self) -> None:
        with self._lock:
            self._application = get_app()
            self._loop = self._application.loop
            self._context = contextvars.copy_context()  # by which prompt-toolkit knows its application
        self._in_loop(self._above_the_prompt)

    def _in_loop(self, call: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the prompt has just ended; its end writes what waits
                loop.call_soon_threadsafe(call, context=self._context)

    def _above_the_prompt(self) -> None:
        """Take the prompt off the screen, write, and have it drawn again below; in the prompt's event loop."""
        application = self._application
        if application is None or not self._waiting or not _shows(application):
            return
        application.renderer.erase()
        self._drain()
        application.renderer.request_absolute_cursor_position()
        application.invalidate()

    def _drain(self) -> None:
        with self._lock:
            while self._waiting:
                self._write(*self._waiting.popleft())


def _shows(application: Application[object]) -> bool:
    """Whether its prompt is on the screen; where its loop runs on behind the end, it says again that it is not done.

    Asking the terminal something in that moment would have the answer echoed before the next prompt, and break that.
    """
    return application.is_running and not application.is_done
