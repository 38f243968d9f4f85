"""What differs between one program's terminal and another's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from secure_client.i18n import N_


def _nothing(_words: Sequence[str]) -> Iterable[str]:
    return ()


def _nowhere(_rest: str) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class LocalCommand:
    r"""A command of the terminal itself, typed with a backslash.

    Attributes:
        summary: one English sentence, for `\help`; translated where it is shown.
        run: gets what is typed behind the name; what it returns is printed, where it is not empty.
        syntax: what may stand behind the name.
        example: likewise, as one might type it.
        more: what `\help NAME` tells besides; English likewise.
        group: its heading in `\help`, English likewise.
        values: what may come after the words that stand behind the name.
        begins: where in what is typed behind the name a command of the server begins; None where there is none.
    """

    summary: str
    run: Callable[[str], str]
    syntax: str = ""
    example: str = ""
    more: str = ""
    group: str = N_("This terminal")
    values: Callable[[Sequence[str]], Iterable[str]] = _nothing
    begins: Callable[[str], int | None] = _nowhere


@dataclass(frozen=True, slots=True)
class Appearance:
    r"""How a terminal presents itself.

    Attributes:
        prompt: the words before `> `.
        intro: a line shown once, when connected; English, likewise.
        toolbar: called for each redraw; its words stand before who and where.
        history: name of the history file.
        local: further commands of the terminal, by name with the backslash.
        short: first words of the terminal's own, in lower case, and what each stands for: a command of the server, or
            one of `local`. Those are offered that stand for something which is there; none hides a command of the
            server.
        suspends: Ctrl-Z stops the program until `fg`; not where it is a server, too.
        moves: there are other servers to go to, by `\connect`.
    """

    prompt: str = "secure"
    intro: str = N_("HELP lists the server's commands, \\help those of this terminal; Ctrl-D leaves.")
    toolbar: Callable[[], str] | None = None
    history: str = "history"
    local: Mapping[str, LocalCommand] = field(default_factory=dict)
    short: Mapping[str, str] = field(default_factory=dict)
    suspends: bool = True
    moves: bool = True


DEFAULT_APPEARANCE = Appearance()
