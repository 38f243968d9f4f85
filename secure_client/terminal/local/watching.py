r"""`\watch`: a command that is run again and again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from secure_client.answers.rendering import Renderer
from secure_client.client import Client
from secure_client.core.call import Call
from secure_client.core.watch import typed
from secure_client.errors import SetupError
from secure_client.i18n import N_, _
from secure_client.terminal.after import After
from secure_client.terminal.appearance import LocalCommand
from secure_client.terminal.local.steered import Terminal
from secure_client.typed.line import Line
from secure_protocol.printable import printable

SHORTEST, LONGEST = 0.1, 86400.0
"""Seconds between the end of one run and the begin of the next."""
LINE_CHARACTERS = 1000
"""Of the command, in its heading."""
_BEFORE = re.compile(r"(?P<seconds>\S*)\s*(?:--count[ =]\s*(?P<count>\S+)\s*)?")
"""What stands before the command."""


class Watching:
    r"""Runs a command until Ctrl-C.

    Args:
        client: knows the commands.
        renderer: writes the answers; without a pager meanwhile.
        terminal: runs the lines.
        expanded: puts what a first word stands for in its place.
    """

    def __init__(self, client: Client, renderer: Renderer, terminal: Terminal, expanded: Callable[[str], str]) -> None:
        self._client = client
        self._renderer = renderer
        self._terminal = terminal
        self._expanded = expanded
        self.last = ""

    def commands(self) -> Mapping[str, LocalCommand]:
        """Return what is typed for it."""
        summary = N_("Run a command again and again, until Ctrl-C.")
        syntax = "SECONDS [--count N] [COMMAND …]"
        more = N_(
            "Without a command it is the last that ran. It is asked about once; one that fails is run again, and a "
            "lost connection is waited for. --count 10 ends it after ten runs."
        )
        answers = N_("Answers")
        return {"\\watch": LocalCommand(summary, self._watch, syntax, "2 CLIENTS", more, answers, begins=_begins)}

    def _watch(self, rest: str) -> str:
        seconds, count, text = self._understood(rest)
        line = Line.parse(self._expanded(text))
        found = self._client.catalogue.find(line.names) if line is not None else None
        if line is None or Call(line.words, idempotent=False).goodbye:
            raise SetupError(_("Type \\watch SECONDS COMMAND …"))
        if typed(line.words, is_job=found is not None and found.job) is not None:
            raise SetupError(_("A job is started once, and followed: it is not to be watched."))
        self._terminal.agrees([text])
        shown = printable(line.without_secrets(self._client.catalogue).text, LINE_CHARACTERS)
        runs, pager, self._renderer.pager = 0, self._renderer.pager, None  # nobody is there to leave it each time
        try:
            while True:
                self._terminal.announce(f"-- {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}  {shown}")
                if self._terminal.run_line(text, agreed=True) not in (After.NEXT, After.LOST):
                    break
                runs += 1
                if runs == count:
                    break
                time.sleep(seconds)
        except KeyboardInterrupt:
            self._terminal.announce("")
        finally:
            self._renderer.pager = pager
        return _("\\watch ended; runs: {count}.").format(count=runs)

    def _understood(self, rest: str) -> tuple[float, int, str]:
        """Return seconds, how many times at most (0: no matter), and a command; the last one where none is named."""
        found = _BEFORE.match(rest)
        assert found is not None  # noqa: S101 - it matches nothing, too
        try:
            seconds, count = float(found["seconds"]), int(found["count"] or 0)
        except ValueError:
            seconds = count = -1
        text = rest[found.end() :] or self.last
        if not SHORTEST <= seconds <= LONGEST or count < (found["count"] is not None) or text.startswith("\\"):
            sentence = _("Type \\watch SECONDS COMMAND …, with {least} seconds at least.")
            raise SetupError(sentence.format(least=f"{SHORTEST:g}"))
        if not text:
            raise SetupError(_("Nothing was run yet: type \\watch SECONDS COMMAND …"))
        return seconds, count, text


def _begins(rest: str) -> int | None:
    found = _BEFORE.match(rest)
    return found.end() if found is not None and rest[: found.end()].endswith(" ") else None
