r"""`\history` and `\jobs`: what was typed, and what runs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from itertools import islice

from secure_client.answers.rendering import Renderer
from secure_client.client import Client
from secure_client.i18n import N_, _
from secure_client.terminal.appearance import LocalCommand
from secure_client.terminal.local.steered import Terminal
from secure_client.terminal.prompt.secrets import masked
from secure_protocol.printable import printable

HISTORY_LINES = 20
"""Shown, where nobody says how many."""
MOST_HISTORY = 10_000
"""Lines that are looked through, the newest."""
LINE_CHARACTERS = 1000
"""Of one that is shown."""
MOST_JOBS = 20
"""Shown by `\\jobs`; `JOBS` shows more."""
ROWS_AROUND = 7
"""Of the screen, for what stands around them: the line typed, two of a heading, two of ours, prompt and toolbar."""
_FIRST = ("running", "queued")
"""States that are shown first."""


class Looking:
    """Shows them.

    Args:
        client: asked for the jobs.
        renderer: writes them.
        terminal: knows the lines.
    """

    def __init__(self, client: Client, renderer: Renderer, terminal: Terminal) -> None:
        self._client = client
        self._renderer = renderer
        self._terminal = terminal

    def commands(self) -> Mapping[str, LocalCommand]:
        """Return what is typed for them."""
        return {
            "\\history": LocalCommand(
                N_("The last lines, or those with a word in them."),
                self._history,
                "[COUNT|WORD]",
                "restart",
                N_("With a number so many."),
                N_("Lines"),
            ),
            "\\jobs": LocalCommand(
                N_("The server's jobs, those that run first."),
                self._jobs,
                "[OPTIONS OF JOBS]",
                more=N_("attach 7 follows one; run COMMAND … --detach starts one, and leaves it."),
                group=N_("Jobs"),
            ),
        }

    def _history(self, rest: str) -> str:
        lines = list(islice(self._terminal.typed_lines(), MOST_HISTORY))[::-1]
        found = [(number, line) for number, line in enumerate(lines, 1)]
        if rest and not rest.isdecimal():
            found = [(number, line) for number, line in found if rest.lower() in line.lower()]
        chosen = found[-int(rest[:6]) :] if rest.isdecimal() and int(rest[:6]) else found[-HISTORY_LINES:]
        catalogue = self._client.catalogue
        shown = (masked(catalogue, printable(line, LINE_CHARACTERS)) for _number, line in chosen)
        width = len(str(len(lines)))
        told = [f"{number:{width}}  {line}" for (number, _line), line in zip(chosen, shown, strict=True)]
        return "\n".join(told) or _("Nothing was typed that goes with it.")

    def _jobs(self, rest: str) -> str:
        rows = [] if rest else self._client.execute("JOBS", idempotent=True)
        if not (isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows)):
            self._terminal.run_line(f"JOBS {rest}".strip())
            return ""
        rows.sort(key=_rank)
        most = max(min(MOST_JOBS, shutil.get_terminal_size().lines - ROWS_AROUND), 1)
        self._renderer.answer("JOBS", rows[:most], self._client.catalogue.find(["JOBS"]))
        if len(rows) > most:
            self._terminal.announce(_("… and {count} more: JOBS").format(count=len(rows) - most))
        if _rank(rows[0]) < len(_FIRST):
            number = printable(str(rows[0].get("job")))
            self._terminal.announce(_("attach {number} follows job {number}.").format(number=number))
        return ""


def _rank(row: Mapping[object, object]) -> int:
    state = row.get("state")
    return _FIRST.index(state) if state in _FIRST else len(_FIRST)
