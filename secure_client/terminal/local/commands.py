r"""What is typed with a backslash, and `\help`, which lists it."""

from __future__ import annotations

import difflib
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence

from secure_client.answers.colours import Colour, painted
from secure_client.answers.overview import NARROW
from secure_client.answers.rendering import Renderer
from secure_client.client import Client
from secure_client.errors import SetupError
from secure_client.i18n import N_, _
from secure_client.terminal.appearance import Appearance, LocalCommand
from secure_client.terminal.local.aliases import Aliases
from secure_client.terminal.local.liking import Liking
from secure_client.terminal.local.looking import Looking
from secure_client.terminal.local.preferences import Kept
from secure_client.terminal.local.servers import Servers
from secure_client.terminal.local.steered import Terminal
from secure_client.terminal.local.watching import Watching
from secure_client.terminal.top.command import Top
from secure_protocol.printable import printable

_INDENT, _GAP = 2, 2


class LocalCommands:
    """The terminal's own commands.

    Args:
        client: whose terminal it is.
        renderer: writes answers.
        terminal: steered.
        kept: preferences.
        appearance: has those of the program.

    Attributes:
        aliases: what first words stand for.
        names: all of them, by name with the backslash.
    """

    def __init__(
        self, client: Client, renderer: Renderer, terminal: Terminal, kept: Kept, appearance: Appearance
    ) -> None:
        self._terminal = terminal
        self._kept = kept
        self.aliases = Aliases(client, kept, appearance)
        self._liking = Liking(renderer, terminal, kept)
        self._watching = Watching(client, renderer, terminal, self.aliases.expanded)
        self.names: Mapping[str, LocalCommand] = {
            **self._liking.commands(),
            **self._watching.commands(),
            **self.aliases.commands(),
            **Looking(client, renderer, terminal).commands(),
            **Top(client, terminal.lent).commands(),
            **Servers(client, terminal, moves=appearance.moves).commands(),
            **appearance.local,
            "\\help": LocalCommand(
                N_("List these commands, or explain one."), self._help, "[NAME]", "watch", values=self._explained
            ),
            "\\quit": LocalCommand(N_("Leave; so does Ctrl-D."), _leave),
        }

    def begin(self) -> None:
        """Be as the user likes it; a form that the command line names stays."""
        self._liking.begin()
        if self._kept.fault:
            self._terminal.announce(self._kept.fault)

    def run(self, text: str) -> str:
        """Run what was typed; return what to print.

        Raises:
            ClientError: there is no such command, or it was typed in another way than it wants; or it has failed.
            MovedError: the user goes on at another server.
            EOFError: the user leaves.
        """
        name, *rest = text.split(maxsplit=1)
        command = self.names.get(name.lower())
        if command is None:
            raise self._unknown(name)
        return command.run(rest[0].strip() if rest else "")

    def ran(self, text: str) -> None:
        r"""A command was run: `\watch` without one runs it again."""
        self._watching.last = text

    @property
    def timing(self) -> bool:
        """Whether it is told how long a command took."""
        return self._liking.timing

    def _unknown(self, name: str) -> SetupError:
        close = difflib.get_close_matches(name.lower(), self.names, 1)
        if close:
            sentence = _("There is no {name}; did you mean {other}? \\help lists what there is.")
            return SetupError(sentence.format(name=printable(name), other=close[0]))
        return SetupError(_("There is no {name}; \\help lists what there is.").format(name=printable(name)))

    def _explained(self, words: Sequence[str]) -> Iterable[str]:
        return () if words else [name.removeprefix("\\") for name in self.names]

    def _help(self, rest: str) -> str:
        if rest:
            return self._explanation("\\" + rest.removeprefix("\\"))
        columns = shutil.get_terminal_size().columns
        shown = {name: f"{name} {command.example}".rstrip() for name, command in self.names.items()}
        beside = _INDENT + max(map(len, shown.values())) + _GAP
        lines = []
        for group in dict.fromkeys(command.group for command in self.names.values()):
            lines.append(painted(_(group), Colour.HEADING, sys.stdout))
            for name, command in self.names.items():
                if command.group != group:
                    continue
                first = f"{' ' * _INDENT}{shown[name]}"
                if columns < NARROW:
                    lines += [first, *_wrapped(_(command.summary), columns, 2 * _INDENT)]
                else:
                    told = _wrapped(_(command.summary), columns, beside)
                    lines += [first.ljust(beside) + told[0].lstrip(), *told[1:]]
        return "\n".join(lines)

    def _explanation(self, name: str) -> str:
        command = self.names.get(name.lower())
        if command is None:
            raise self._unknown(name)
        columns = shutil.get_terminal_size().columns
        usage = f"{name.lower()} {command.syntax}".rstrip()
        told = [*_wrapped(usage, columns, 0), *_wrapped(_(command.summary), columns, _INDENT)]
        if command.example:
            example = f"{name.lower()} {command.example}"
            told += _wrapped(_("For example: {line}").format(line=example), columns, _INDENT)
        if command.more:
            told += _wrapped(_(command.more), columns, _INDENT)
        return "\n".join(told)


def _wrapped(text: str, columns: int, indent: int) -> list[str]:
    blanks = " " * indent
    width = max(columns, indent + 10)
    return textwrap.wrap(text, width, initial_indent=blanks, subsequent_indent=blanks) or [blanks]


def _leave(_rest: str) -> str:
    raise EOFError
