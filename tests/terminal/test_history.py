"""Lines of before, found again by their beginning, or by a part of them."""

from __future__ import annotations

from tests.terminal.resting import at_prompt, known
from tests.terminal.screen import Screen
from tests.terminal.test_repl import CTRL_C, ENTER, UP, enter, leave

DOWN, CTRL_E, CTRL_P, CTRL_R, CTRL_S = "\x1b[B", "\x05", "\x10", "\x12", "\x13"


def run_some(screen: Screen) -> None:
    """Run some lines."""
    known(screen)
    for line, answer in (("ECHO one", "ECHO: one"), ("TIME", "2023-11-14T"), ("ECHO two", "ECHO: two")):
        enter(screen, line)
        screen.wait(answer)
    at_prompt(screen)


def shows(screen: Screen, line: str) -> None:
    """Wait until a line is typed: what is only suggested stands behind the cursor."""
    typed = f"secure> {line}"
    screen.wait(lambda: screen.typing == typed and screen._screen.cursor.x == len(typed))


def test_the_arrow_finds_lines_that_begin_with_what_was_typed(screen: Screen) -> None:
    """Past the menu that comes by itself, which Down goes into."""
    run_some(screen)
    screen.type("EC")
    screen.wait(lambda: any(line.split() == ["ECHO", "Say", "it", "back"] for line in screen.lines))
    for key, line in ((UP, "ECHO two"), (CTRL_P, "ECHO one"), (UP, "ECHO one"), (DOWN, "ECHO two")):
        screen.type(key)
        shows(screen, line)
    screen.type(CTRL_C)
    at_prompt(screen)
    screen.type("restart w")
    screen.wait(lambda: any(line.split() == ["worker"] for line in screen.lines))
    screen.type(DOWN)
    shows(screen, "restart web")
    screen.type(CTRL_C)
    leave(screen)


def test_the_history_is_searched_as_one_types(screen: Screen) -> None:
    """Backwards and forwards; the line found can be changed before it runs, and no search leaves anything behind."""
    run_some(screen)
    screen.type(CTRL_R + "ECHO")
    screen.wait("(reverse-i-search)`ECHO': ECHO two")
    screen.type(CTRL_R)
    screen.wait("(reverse-i-search)`ECHO': ECHO one")
    screen.type(CTRL_S)
    screen.wait("(i-search)`ECHO': ECHO two")
    assert "connected" in screen.toolbar
    assert "[text …]" not in screen.toolbar, "what is searched for is no command"
    screen.type(ENTER + CTRL_E)
    shows(screen, "ECHO two")
    screen.type("!" + ENTER)
    screen.wait("ECHO: two!")
    assert "i-search" not in screen.text
    leave(screen)
