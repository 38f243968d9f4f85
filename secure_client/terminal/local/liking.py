r"""How one likes the terminal: `\set`, and `\format` and `\timing`, which are short for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from secure_client.answers.formats import Format
from secure_client.answers.rendering import Renderer
from secure_client.errors import SetupError
from secure_client.i18n import N_, _
from secure_client.terminal.appearance import LocalCommand
from secure_client.terminal.local.preferences import FORMS, Kept, told_of
from secure_client.terminal.local.steered import Terminal
from secure_protocol.printable import printable

KEYS = ("emacs", "vi")
SWITCH = ("on", "off")


class Liking:
    """Acts by the preferences, and changes them.

    Args:
        renderer: writes answers.
        terminal: steered.
        kept: the preferences.
    """

    def __init__(self, renderer: Renderer, terminal: Terminal, kept: Kept) -> None:
        self._renderer = renderer
        self._terminal = terminal
        self._kept = kept
        self._changed: Mapping[str, tuple[Sequence[str], Callable[[str], bool], Callable[[], str]]] = {
            "editing": (KEYS, self._set_keys, lambda: KEYS[self._kept.now.vi]),
            "format": (FORMS, self._set_form, lambda: self._kept.now.form),
            "pager": (SWITCH, self._set_pager, lambda: SWITCH[not self._kept.now.pager]),
            "timing": (SWITCH, self._set_timing, lambda: SWITCH[not self._kept.now.timing]),
        }

    def commands(self) -> Mapping[str, LocalCommand]:
        """Return what is typed for them."""
        answers = N_("Answers")
        return {
            "\\format": LocalCommand(
                N_("Show answers as table, vertical, json, csv or raw."),
                self._format,
                "[table|vertical|json|csv|raw]",
                "vertical",
                group=answers,
                values=lambda words: () if words else FORMS,
            ),
            "\\timing": LocalCommand(
                N_("Tell how long each command took."),
                self._timing,
                "[on|off]",
                "on",
                group=answers,
                values=lambda words: () if words else SWITCH,
            ),
            "\\set": LocalCommand(
                N_("Keys, format, pager and timing, kept for this server."),
                self._set,
                "[NAME [VALUE]]",
                "editing vi",
                N_("Without a value it tells which one holds."),
                N_("Lines"),
                values=self._values,
            ),
        }

    def begin(self) -> None:
        """Be as the user likes it; a form that the command line names stays."""
        if self._renderer.form is Format.TEXT:
            self._take_up()
        self._terminal.use_vi(self._kept.now.vi)
        self._terminal.use_pager(self._kept.now.pager)

    @property
    def timing(self) -> bool:
        """Whether it is told how long a command took."""
        return self._kept.now.timing

    def _take_up(self) -> None:
        form = self._kept.now.form
        self._renderer.vertical = form == "vertical"
        self._renderer.form = Format.TEXT if form in ("table", "vertical") else Format(form)

    def _set_form(self, value: str) -> bool:
        kept = self._kept.change(form=value)
        self._take_up()
        return kept

    def _set_keys(self, value: str) -> bool:
        self._terminal.use_vi(value == "vi")
        return self._kept.change(vi=value == "vi")

    def _set_pager(self, value: str) -> bool:
        self._terminal.use_pager(value == "on")
        return self._kept.change(pager=value == "on")

    def _set_timing(self, value: str) -> bool:
        return self._kept.change(timing=value == "on")

    def _values(self, words: Sequence[str]) -> Iterable[str]:
        if not words:
            return self._changed
        return self._changed[words[0].lower()][0] if len(words) == 1 and words[0].lower() in self._changed else ()

    def _set(self, rest: str) -> str:
        name, _blank, value = rest.lower().partition(" ")
        if not name:
            width = max(map(len, self._changed))
            return "\n".join(f"{each.ljust(width)}  {now()}" for each, (_all, _change, now) in self._changed.items())
        if name not in self._changed:
            sentence = _("There is no preference {name}: there is {names}.")
            raise SetupError(sentence.format(name=printable(name), names=", ".join(self._changed)))
        return self._told(name, value.strip())

    def _told(self, name: str, value: str) -> str:
        """Change a preference, where there is a value; say what it is, and whether that is kept."""
        values, change, now = self._changed[name]
        if value and value not in values:
            sentence = _("There is no {name} {value}: there is {values}.")
            raise SetupError(sentence.format(name=name, value=printable(value), values=", ".join(values)))
        kept = not value or change(value)
        return "\n".join(filter(None, (_("The {name} is {value}.").format(name=name, value=now()), told_of(kept=kept))))

    def _format(self, rest: str) -> str:
        return self._told("format", "table" if rest.lower() == "text" else rest.lower())

    def _timing(self, rest: str) -> str:
        return self._told("timing", rest.lower() or SWITCH[self.timing])
