r"""What `\help` lists."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Protocol

from secure_client.answers.formats import Format
from secure_client.answers.rendering import Renderer
from secure_client.client import Client
from secure_client.core.call import Call
from secure_client.core.status import State
from secure_client.core.watch import typed
from secure_client.errors import SetupError
from secure_client.i18n import N_, _
from secure_client.terminal.appearance import LocalCommand
from secure_client.terminal.local.preferences import FORMS, MOST_ALIASES, Kept
from secure_client.terminal.prompt.history import is_secret
from secure_client.typed.arguments import call_of
from secure_client.typed.line import Line
from secure_protocol.printable import printable

SHORT = {"run": "JOB START", "attach": "JOB ATTACH"}
"""Words for what one does with jobs, where the server has no such commands."""
DETACH = "--detach"
"""Behind `run COMMAND …`: its number is enough."""
SHORTEST, LONGEST = 0.1, 86400.0
"""Seconds between two runs of a command that is watched."""
HISTORY_LINES = 20
"""Shown, where nobody says how many."""
MOST_HISTORY = 10_000
"""Lines that are looked through."""
LINE_CHARACTERS = 1000


class Terminal(Protocol):
    """What the commands steer."""

    def run_line(self, text: str, *, agreed: bool = False) -> bool:
        """Run a line; whether to go on after it."""
        ...

    def agrees(self, lines: list[str]) -> bool:
        """Ask about lines before they are run; raises ClientError."""
        ...

    def typed_lines(self) -> Iterable[str]:
        """What was typed, the newest first."""
        ...

    def say(self, text: str) -> None:
        """Tell the user something that is no answer."""
        ...

    def reconnect(self) -> None:
        """Connect now."""
        ...

    def use_vi(self, wanted: bool, /) -> None:  # noqa: FBT001 - a switch
        """Have keys as in vi, or not."""
        ...


class LocalCommands:
    r"""The terminal's own commands.

    Args:
        client: whose terminal it is.
        renderer: writes answers.
        terminal: steered.
        kept: preferences.
        more: of the program; an empty name is shown as if it were none of ours.
    """

    def __init__(
        self,
        client: Client,
        renderer: Renderer,
        terminal: Terminal,
        kept: Kept,
        more: Mapping[str, LocalCommand],
    ) -> None:
        self._client = client
        self._renderer = renderer
        self._terminal = terminal
        self._kept = kept
        self._last = ""
        self.names: dict[str, LocalCommand] = {
            "\\help": LocalCommand(N_("List these commands."), self._help),
            "\\alias": LocalCommand(N_("Have a word stand for a command: \\alias up = RESTART web."), self._alias),
            "\\unalias": LocalCommand(N_("Forget an alias."), self._unalias),
            "\\format": LocalCommand(
                N_("How answers are shown: \\format table, vertical, json, csv or raw."), self._format
            ),
            "\\history": LocalCommand(N_("The last lines; \\history 50, \\history WORD."), self._history),
            "\\jobs": LocalCommand(N_("The server's jobs; JOB ATTACH 7 follows one."), self._jobs),
            "\\reconnect": LocalCommand(N_("Connect now, instead of when the countdown ends."), self._reconnect),
            "\\set": LocalCommand(N_("How one types: \\set editing vi, \\set editing emacs."), self._set),
            "\\timing": LocalCommand(N_("Tell how long each command took: \\timing on, \\timing off."), self._timing),
            "\\watch": LocalCommand(N_("Run a command every so many seconds: \\watch 2 CLIENTS."), self._watch),
            **more,
            "\\quit": LocalCommand(N_("Leave; so does Ctrl-D."), _leave),
        }

    def begin(self) -> None:
        """Be as the user likes it; a form that the command line names stays."""
        if self._renderer.form is Format.TEXT:
            self._take_up()
        self._terminal.use_vi(self._kept.now.vi)

    def run(self, text: str) -> str:
        """Run what was typed; return what to print.

        Raises:
            SetupError: there is no such command, or it was typed in another way than it wants.
            EOFError: the user leaves.
        """
        name, _blank, rest = text.partition(" ")
        command = self.names.get(name.lower())
        if command is not None:
            return command.run(rest.strip())
        close = difflib.get_close_matches(name.lower(), self.names, 1)
        if close:
            sentence = _("There is no {name}; did you mean {other}? \\help lists what there is.")
            raise SetupError(sentence.format(name=printable(name), other=close[0]))
        raise SetupError(_("There is no {name}; \\help lists what there is.").format(name=printable(name)))

    def expanded(self, text: str) -> str:
        """Return a line as the server knows it, with what its first word stands for."""
        word, blank, rest = text.partition(" ")
        meant = self.stands_for(word)
        if meant is None:
            return text
        return f"{meant}{blank}{rest.strip().removesuffix(DETACH) if self.detaches(text) else rest}"

    def stands_for(self, word: str) -> str | None:
        """Return what a first word stands for: an alias, or `run` or `attach`; None where it is nothing of ours."""
        short = SHORT.get(word.lower())
        if short is not None and self._client.catalogue.find([word]):
            short = None
        return self._kept.now.aliases.get(word.lower(), short)

    def detaches(self, text: str) -> bool:
        """Whether a line starts a job that is not to be followed."""
        words = text.split()
        return words[-1:] == [DETACH] and len(words) > 2 and self.stands_for(words[0]) == SHORT["run"]

    def ran(self, text: str) -> None:
        r"""A command was run: `\watch` without one runs it again."""
        self._last = text

    @property
    def timing(self) -> bool:
        """Whether it is told how long a command took."""
        return self._kept.now.timing

    def _take_up(self) -> None:
        form = self._kept.now.form
        self._renderer.vertical = form == "vertical"
        self._renderer.form = Format.TEXT if form in ("table", "vertical") else Format(form)

    def _keep(self, **changes: object) -> str:
        kept = self._kept.change(**changes)
        if "form" in changes:
            self._take_up()
        if "vi" in changes:
            self._terminal.use_vi(self._kept.now.vi)
        return "" if kept else _("It holds until this program ends: it cannot be kept.")

    def _help(self, _rest: str) -> str:
        width = max(map(len, self.names))
        return "\n".join(name.ljust(width) + "  " + _(command.summary) for name, command in self.names.items())

    def _reconnect(self, _rest: str) -> str:
        if self._client.status.state is State.CONNECTED:
            return _("Connected to {endpoint} already.").format(endpoint=self._client.login.endpoint)
        self._terminal.reconnect()
        return ""

    def _timing(self, rest: str) -> str:
        wanted = _switch(rest, "\\timing", now=self.timing)
        said = _("Timing is on.") if wanted else _("Timing is off.")
        return said if wanted is self.timing and rest else _lines(said, self._keep(timing=wanted))

    def _format(self, rest: str) -> str:
        wanted = rest.lower()
        if not wanted:
            return _("Answers are shown as {form}.").format(form=self._kept.now.form)
        if wanted == "text":
            wanted = "table"
        if wanted not in FORMS:
            sentence = _("There is no format {form}: there is {forms}.")
            raise SetupError(sentence.format(form=printable(rest), forms=", ".join(FORMS)))
        told = self._keep(form=wanted)
        return _lines(_("Answers are shown as {form}.").format(form=wanted), told)

    def _set(self, rest: str) -> str:
        name, _blank, value = rest.lower().partition(" ")
        ways = {"vi": True, "emacs": False}
        if name != "editing" or value.strip() not in ("", *ways):
            raise SetupError(_("Type \\set editing vi, or \\set editing emacs."))
        told = self._keep(vi=ways[value.strip()]) if value else ""
        return _lines(_("Keys are as in {editor}.").format(editor="vi" if self._kept.now.vi else "emacs"), told)

    def _alias(self, rest: str) -> str:
        name, equals, meant = (part.strip() for part in rest.partition("="))
        aliases = self._kept.now.aliases
        if not equals:
            chosen = {name.lower(): aliases[name.lower()]} if name.lower() in aliases else {} if name else aliases
            if name and not chosen:
                raise SetupError(_("There is no alias {name}.").format(name=printable(name)))
            return "\n".join(f"{each} = {text}" for each, text in sorted(chosen.items())) or _("There are no aliases.")
        if not name or not meant or len(name.split()) > 1 or name.startswith("\\"):
            raise SetupError(_("Type \\alias WORD = COMMAND …"))
        if self._client.catalogue.find([name]) or self._client.catalogue.subcommands(name):
            sentence = _("{name} is a command of the server, which an alias would hide: choose another word.")
            raise SetupError(sentence.format(name=printable(name.upper())))
        call = call_of(self._client.catalogue, meant.encode("utf-8", "surrogateescape").split())
        if is_secret(meant) or (call is not None and any(item.secret for item in call.description.arguments)):
            raise SetupError(_("A command that takes a secret has no alias, behind which it would not be hidden."))
        if len(aliases) >= MOST_ALIASES and name.lower() not in aliases:
            raise SetupError(_("There are {count} aliases already; \\unalias forgets one.").format(count=len(aliases)))
        return self._keep(aliases={**aliases, name.lower(): meant})

    def _unalias(self, rest: str) -> str:
        if rest.lower() not in self._kept.now.aliases:
            raise SetupError(_("There is no alias {name}.").format(name=printable(rest)))
        return self._keep(aliases={name: text for name, text in self._kept.now.aliases.items() if name != rest.lower()})

    def _history(self, rest: str) -> str:
        lines = islice(self._terminal.typed_lines(), MOST_HISTORY)
        if rest.isdecimal():
            chosen = list(islice(lines, int(rest[:6])))
        elif rest:
            chosen = list(islice((line for line in lines if rest.lower() in line.lower()), HISTORY_LINES))
        else:
            chosen = list(islice(lines, HISTORY_LINES))
        shown = [printable(line, LINE_CHARACTERS) for line in reversed(chosen)]
        return "\n".join(shown) or _("Nothing was typed that goes with it.")

    def _jobs(self, rest: str) -> str:
        self._terminal.run_line(f"JOBS {rest}".strip())
        return ""

    def _watch(self, rest: str) -> str:
        seconds, text = self._watched(rest)
        line = Line.parse(self.expanded(text))
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
                self._terminal.say(f"-- {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}  {shown}")
                if not self._terminal.run_line(text, agreed=True):
                    break
                runs += 1
                time.sleep(seconds)
        except KeyboardInterrupt:
            self._terminal.say("")
        finally:
            self._renderer.pager = pager
        return _("Watched {count} times.").format(count=runs)

    def _watched(self, rest: str) -> tuple[float, str]:
        """Return seconds and a command; the last one where none is named."""
        number, _blank, text = rest.partition(" ")
        try:
            seconds = float(number)
        except ValueError:
            seconds = 0.0
        text = text.strip() or self._last
        if not SHORTEST <= seconds <= LONGEST or not text or text.startswith("\\"):
            sentence = _("Type \\watch SECONDS COMMAND …, with {least} seconds at least.")
            raise SetupError(sentence.format(least=f"{SHORTEST:g}"))
        return seconds, text


def _switch(text: str, name: str, *, now: bool) -> bool:
    """Return what a switch is to be; without a word it is turned over."""
    if not text:
        return not now
    if text.lower() not in ("on", "off"):
        raise SetupError(_("Type {name} on, or {name} off.").format(name=name))
    return text.lower() == "on"


def _lines(*told: str) -> str:
    return "\n".join(filter(None, told))


def _leave(_rest: str) -> str:
    raise EOFError
