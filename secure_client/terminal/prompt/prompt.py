"""The line at which a person types: what stands before it, below it and above it."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from prompt_toolkit import PromptSession, print_formatted_text
from prompt_toolkit.application import Application, get_app
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Always, Condition
from prompt_toolkit.formatted_text import FormattedText, StyleAndTextTuples
from prompt_toolkit.formatted_text.utils import fragment_list_to_text
from prompt_toolkit.history import History
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import is_dumb_terminal

from secure_client.answers.colours import Colour
from secure_client.client import Client
from secure_client.core.status import State
from secure_client.terminal.appearance import Appearance, LocalCommand
from secure_client.terminal.prompt import toolbar
from secure_client.terminal.prompt.announcer import Announcer
from secure_client.terminal.prompt.completion import CommandCompleter, Words
from secure_client.terminal.prompt.faults import MarkFaults
from secure_client.terminal.prompt.hint import Hint, hint_of
from secure_client.terminal.prompt.history import open_history
from secure_client.terminal.prompt.keys import bindings, plain_bindings
from secure_client.terminal.prompt.secrets import HideSecrets, masked, may_hold_secret
from secure_client.terminal.prompt.suggestions import Suggestions
from secure_client.terminal.prompt.typeahead import Typeahead
from secure_client.typed.asking import Question
from secure_client.typed.reading import read_line
from secure_protocol.printable import printable

MENU_ROWS = 8
"""Kept free below the prompt for what can be completed, where the terminal has room for that, and once something is
typed: before that the answer above has a use for them."""
REDRAW_INTERVAL = 0.5
"""Seconds between looks at the countdown in the toolbar; what did not change is not drawn."""

_VI_MODES = {
    InputMode.NAVIGATION: "vi: normal",
    InputMode.REPLACE: "vi: replace",
    InputMode.REPLACE_SINGLE: "vi: replace",
}

_STYLE = Style.from_dict(
    {
        "toolbar.connected": "bold ansigreen",
        "toolbar.waiting": "bold ansiyellow",
        "toolbar.stopped": "bold underline ansired",
        "prompt": "ansigreen",
        "prompt.offline": "bold ansiyellow",
        "question.danger": "bold ansired",
        "hint.present": "bold underline",
        "hint.fault": "ansired",
        "fault": "underline ansired",
        "unfinished": "underline",
    }
)


class Prompt:
    """Reads lines, and asks.

    Args:
        client: whose commands are completed, and whose state is shown.
        appearance: of the terminal.
        local: the terminal's own commands.
        history: of typed lines; None for the user's file.
        write: prints a line in its colour; called by one thread at a time.
        words: what first words stand for that are none of the server's.

    Attributes:
        announcer: shows lines above it.
        ahead: what is typed while nothing is read.
        user: the principal's name; empty before it is known.
        again: what the next line begins with: one that was not run, to be mended.
    """

    def __init__(
        self,
        client: Client,
        appearance: Appearance,
        local: Mapping[str, LocalCommand],
        history: History | None,
        write: Callable[[str, Colour | None], None],
        words: Words,
    ) -> None:
        self._words = words
        self._client = client
        self._appearance = appearance
        self._where = str(client.login.endpoint)
        self.announcer = Announcer(write)
        self.ahead = Typeahead()
        self.user = ""
        self.again = ""
        completer = CommandCompleter(lambda: client.catalogue, local, Suggestions(client), words)
        self._session: PromptSession[str] = PromptSession(
            message=self._message,
            prompt_continuation=lambda width, _line, wrapped: "" if wrapped else " " * width,
            completer=completer,
            history=history or open_history(appearance.history, self._is_secret),
            complete_while_typing=Condition(lambda: bool(get_app().current_buffer.text)),  # see MENU_ROWS
            auto_suggest=AutoSuggestFromHistory(),
            bottom_toolbar=self._toolbar,
            key_bindings=bindings(completer),
            input_processors=[
                MarkFaults(lambda: client.catalogue, words.stands_for),
                HideSecrets(lambda: client.catalogue),
            ],
            refresh_interval=REDRAW_INTERVAL,
            style=_STYLE,
            enable_suspend=appearance.suspends,
        )
        # Not as an option of the session, which has no menu while one types then.
        self._session.default_buffer.enable_history_search = Always()

    @property
    def vi(self) -> bool:
        """Whether keys are as in vi; else as in emacs."""
        return self._session.editing_mode is EditingMode.VI

    @vi.setter
    def vi(self, wanted: bool) -> None:
        self._session.editing_mode = EditingMode.VI if wanted else EditingMode.EMACS

    def typed_lines(self) -> Iterable[str]:
        """What was typed, also before this time, the newest first."""
        return self._session.history.load_history_strings()

    def read(self) -> str:
        """Return the next line: one that was typed ahead, or one that is typed now.

        Raises:
            EOFError: Ctrl-D.
            KeyboardInterrupt: Ctrl-C; the line is gone.
        """
        if (typed := self.ahead.take_line()) is not None:
            if typed.strip():
                self._session.history.append_string(typed)
            return typed
        if is_dumb_terminal():  # which prompt-toolkit serves without Ctrl-D, and writes each line on twice
            return read_line(fragment_list_to_text(self._message()))
        with self.announcer.prompt() as begin:
            menu = min(MENU_ROWS, shutil.get_terminal_size().lines // 3)  # the rest is for what was answered
            rest, self.again = self.again + self.ahead.take_rest(), ""
            return self._session.prompt(pre_run=begin, default=rest, reserve_space_for_menu=menu)

    def forget(self) -> None:
        """Drop what was typed already, but not read."""
        self.ahead.clear()
        clear_typeahead(self._session.input)
        if sys.platform != "win32" and sys.stdin.isatty():
            import termios  # noqa: PLC0415 - of POSIX alone

            termios.tcflush(sys.stdin, termios.TCIFLUSH)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Leave the terminal to another program in this block: keys are not read, and what happens is told after it."""
        self.ahead.stop()
        with self.announcer.prompt():
            yield

    def echo(self, line: str) -> None:
        """Show a line of several as if it had been typed here alone."""
        shown = masked(self._client.catalogue, printable(line, len(line)))
        print_formatted_text(FormattedText([*self._message(), ("", shown)]), style=_STYLE)

    def ask(self, question: Question) -> bool:
        """Ask before a command is sent; Ctrl-C and Ctrl-D are a no."""
        words: StyleAndTextTuples = [("", f"{question.text} {question.choice} ")]
        if question.danger:
            words.insert(0, ("class:question.danger", f"{question.warning}  "))
        try:
            if question.shown:
                print(question.shown, flush=True)
            if is_dumb_terminal():
                return question.accepts(read_line(fragment_list_to_text(words)))
            with self.announcer.prompt() as begin:
                # One of its own: it has no history.
                asking: PromptSession[str] = PromptSession(words, style=_STYLE, key_bindings=plain_bindings())
                return question.accepts(asking.prompt(pre_run=begin))
        except (EOFError, KeyboardInterrupt):
            return False

    def _is_secret(self, text: str) -> bool:
        return any(may_hold_secret(self._client.catalogue, line) for line in text.split("\n"))

    def _message(self) -> StyleAndTextTuples:
        if self._client.status.state is State.CONNECTED:
            return [("class:prompt", f"{self._appearance.prompt}> ")]
        return [("class:prompt.offline", f"{self._appearance.prompt}! ")]  # as wide, so that nothing typed moves

    def standing(self) -> tuple[str, str, str]:
        """Return what the toolbar tells: what the program adds, who and where, and the state of the connection."""
        extra = self._appearance.toolbar() if self._appearance.toolbar is not None else ""
        who = f"{self.user}@{self._where}" if self.user else self._where
        return extra, who, toolbar.state_words(self._client.status, time.monotonic(), self._client.login.transport)

    def _vi_mode(self, application: Application[object]) -> str:
        """Return what keys do in vi, in its own words; nothing where they are typed."""
        if not self.vi:
            return ""
        if application.current_buffer.selection_state is not None:
            return "vi: visual"
        return _VI_MODES.get(application.vi_state.input_mode, "")

    def _toolbar(self) -> StyleAndTextTuples:
        *extra, state = self.standing()
        application = get_app()
        document = application.current_buffer.document
        line, cursor = document.current_line, document.cursor_position_col
        word = line.partition(" ")[0]
        if (meant := self._words.stands_for(line)) is not None:
            line, cursor = meant + line[len(word) :], max(cursor + len(meant) - len(word), 0)
        # What the history is searched for is no command, nor is what was found the line yet.
        searching = application.current_buffer is not self._session.default_buffer
        left = Hint() if searching else hint_of(self._client.catalogue, line, cursor)
        columns = application.output.get_size().columns
        state = "  ".join(filter(None, (self._vi_mode(application), state)))
        return toolbar.layout(left, extra, state, toolbar.STYLES.get(self._client.status.state, ""), columns)
