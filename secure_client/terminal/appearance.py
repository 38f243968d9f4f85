"""What differs between one program's terminal and another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from secure_client.i18n import N_


@dataclass(frozen=True, slots=True)
class LocalCommand:
    r"""A command of the terminal itself, typed with a backslash.

    Attributes:
        summary: one English sentence, for `\help`; translated where it is shown.
        run: gets what is typed behind the name; what it returns is printed, where it is not empty.
    """

    summary: str
    run: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Appearance:
    r"""How a terminal presents itself.

    Attributes:
        prompt: the words before `> `.
        intro: a line shown once, when connected; English, likewise.
        toolbar: called for each redraw; its words stand before who and where.
        history: name of the history file.
        local: further commands of the terminal, by name with the backslash.
        suspends: Ctrl-Z stops the program until `fg`; not where it is a server, too.
    """

    prompt: str = "secure"
    intro: str = N_("HELP lists the server's commands, \\help those of this terminal; Ctrl-D leaves.")
    toolbar: Callable[[], str] | None = None
    history: str = "history"
    local: Mapping[str, LocalCommand] = field(default_factory=dict)
    suspends: bool = True


DEFAULT_APPEARANCE = Appearance()
