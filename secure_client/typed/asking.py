"""The question before a command that its server says should be asked about."""

import os
import sys
from collections.abc import Callable
from typing import NamedTuple, Self

from secure_client.i18n import _
from secure_client.typed.arguments import Call
from secure_client.typed.line import HIDDEN
from secure_protocol.description import SERVER
from secure_protocol.printable import printable

VALUE_CHARACTERS = 200
"""Of what is given for an argument, shown in a question."""
QUESTION_CHARACTERS = 1000
"""Of the question, which is to be read by a person."""


class Question(NamedTuple):
    """What a user is asked.

    Attributes:
        text: one line, printable.
        danger: a yes has to be typed in full.
        shown: what the command would choose, in lines before the question, printable; or empty.
    """

    text: str
    danger: bool
    shown: str = ""

    @classmethod
    def before(cls, call: Call, shown: str, server: str) -> Self | None:
        """Return what to ask before a command is sent; None where nothing is.

        Args:
            call: what is called, as it was typed.
            shown: the line as it may be shown.
            server: what the user calls the server.
        """
        description = call.description
        if description.confirm:
            text = description.question(_values(call) | {SERVER: printable(server, VALUE_CHARACTERS)})
        elif description.danger:
            text = _("Run {command} on {server}?").format(command=printable(shown, QUESTION_CHARACTERS), server=server)
        else:
            return None
        return cls(printable(text, QUESTION_CHARACTERS), description.danger)

    @property
    def warning(self) -> str:
        """The word before it, to be seen; empty where there is none."""
        return _("DANGER") if self.danger else ""

    @property
    def choice(self) -> str:
        """What can be answered."""
        if self.danger:
            return _("Type {yes} in full to go on:").format(yes=_("yes"))
        yes, no = _("y"), _("N")
        return f"[{yes}/{no}]"

    def accepts(self, answer: str) -> bool:
        """Say whether an answer is a yes, in the user's language or in English; all else is a no."""
        allowed = {"yes", _("yes")} | (set() if self.danger else {"y", _("y")})
        return answer.strip().casefold() in allowed


Ask = Callable[[Question], bool]
"""Asks the user; False for a no."""


def ask_plainly(question: Question) -> bool:
    """Ask on standard error, and read one line of standard input, whose end is a no; both are a terminal.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    import click  # noqa: PLC0415 - the program has it; whoever uses the library does not need it

    from secure_client.typed.reading import wait_for_line  # noqa: PLC0415 - most commands ask nothing

    warning = click.style(question.warning, fg="red", bold=True) + "  " if question.danger else ""
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    answer = ""
    try:  # a Ctrl-C may come as soon as the question can be read
        if question.shown:
            click.echo(question.shown, err=True)
        click.echo(f"{warning}{question.text} {question.choice} ", err=True, nl=False, color=False if plain else None)
        wait_for_line()
        answer = sys.stdin.readline()
    except UnicodeDecodeError:
        return False
    finally:
        if not answer.endswith("\n"):  # what is said next begins on a line of its own
            click.echo(err=True)
    return question.accepts(answer)


def _values(call: Call) -> dict[str, str]:
    """Return what stands for each argument in a question: what is given, or what is so where nothing is."""
    given: dict[str, list[str]] = {}
    for item in call.given:
        shown = HIDDEN if item.argument.secret else printable(item.value, VALUE_CHARACTERS)
        given.setdefault(item.argument.name, []).append(shown)
    return {
        argument.name: printable(" ".join(given.get(argument.name, [argument.default])), VALUE_CHARACTERS)
        for argument in call.description.arguments
    }
