"""What the keys do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from secure_client.i18n import _
from secure_client.terminal.top.view import Mode, View


class Steered(Protocol):
    """The screen as its keys see it."""

    view: View

    @property
    def page(self) -> int:
        """How many rows a page has."""
        ...

    def leave(self) -> None:
        """End it."""
        ...

    def go_to_other(self, by: int, /) -> None:
        """Have the keys for another list."""
        ...

    def pause(self) -> None:
        """Ask nothing, or ask again."""
        ...

    def pace(self, *, longer: bool) -> None:
        """Look less often, or more often."""
        ...

    def connect(self) -> None:
        """Connect again."""
        ...

    def help(self) -> None:
        """Tell of the keys."""
        ...

    def filter(self) -> None:
        """Have a filter typed."""
        ...

    def look_into(self) -> None:
        """Tell of the chosen row."""
        ...

    def ask_to_kick(self) -> None:
        """Ask whether the chosen client is to be kicked."""
        ...

    def answer(self, *, yes: bool) -> None:
        """Take the answer to that."""
        ...

    def give_reason(self) -> None:
        """Have a reason typed."""
        ...

    def back(self) -> None:
        """Leave a text, a question, or a line that is typed."""
        ...


FAR = 1_000_000
"""More rows, and lines, than there are."""


def bindings(screen: Steered) -> KeyBindings:
    """Return what each key does, in each mode."""
    found = KeyBindings()

    def on(mode: Mode | None, *keys: str) -> Callable[[Callable[[], object]], None]:
        """Have keys do something, in a mode; None: in any."""
        here = Condition(lambda: mode is None or screen.view.mode is mode)

        def add(does: Callable[[], object]) -> None:
            def pressed(_event: KeyPressEvent) -> None:
                screen.view.tell("")
                does()

            for key in keys:
                found.add(key, filter=here, eager=True)(pressed)

        return add

    _in_lists(screen, on)
    on(Mode.TEXT, "up")(lambda: _scroll(screen, -1))
    on(Mode.TEXT, "down", "enter")(lambda: _scroll(screen, 1))
    on(Mode.TEXT, "pageup")(lambda: _scroll(screen, -screen.page))
    on(Mode.TEXT, "pagedown", " ")(lambda: _scroll(screen, screen.page))
    on(Mode.TEXT, "home")(lambda: _scroll(screen, -FAR))
    on(Mode.TEXT, "end")(lambda: _scroll(screen, FAR))
    on(Mode.TEXT, "escape", "q", "?", "c-h")(screen.back)
    yes = _("y")  # as it is asked in the user's language
    on(Mode.ASKING, *dict.fromkeys(("y", "Y", yes[0].lower(), yes[0].upper())))(lambda: screen.answer(yes=True))
    on(Mode.ASKING, "r")(screen.give_reason)
    on(Mode.ASKING, "n", "N", "q", "escape", "enter")(lambda: screen.answer(yes=False))
    on(Mode.TYPING, "escape", "c-c")(screen.back)
    for mode in (Mode.LISTS, Mode.TEXT, Mode.ASKING):
        on(mode, "c-c", "c-d")(screen.leave)
    on(None, Keys.SIGINT)(screen.leave)
    return found


def _in_lists(screen: Steered, on: Callable[..., Callable[[Callable[[], object]], None]]) -> None:
    view, lists = screen.view, Mode.LISTS
    on(lists, "q")(screen.leave)
    on(lists, "tab")(lambda: screen.go_to_other(1))
    on(lists, "s-tab")(lambda: screen.go_to_other(-1))
    on(lists, "up")(lambda: view.listing.move(-1))
    on(lists, "down")(lambda: view.listing.move(1))
    on(lists, "pageup")(lambda: view.listing.move(-screen.page))
    on(lists, "pagedown")(lambda: view.listing.move(screen.page))
    on(lists, "home")(lambda: view.listing.move(-FAR))
    on(lists, "end")(lambda: view.listing.move(FAR))
    on(lists, "left", "<")(lambda: view.listing.sort(-1))
    on(lists, "right", ">")(lambda: view.listing.sort(1))
    on(lists, "r")(view.reverse)
    on(lists, "/")(screen.filter)
    on(lists, "enter")(screen.look_into)
    on(lists, "k")(screen.ask_to_kick)
    on(lists, " ")(screen.pause)
    on(lists, "+", "=")(lambda: screen.pace(longer=True))
    on(lists, "-")(lambda: screen.pace(longer=False))
    on(lists, "c")(screen.connect)
    on(lists, "?")(screen.help)


def _scroll(screen: Steered, by: int) -> None:
    screen.view.first = max(0, screen.view.first + by)
