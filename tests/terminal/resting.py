"""What is so of every screen at rest: one prompt, what was typed, the cursor, one toolbar, and nothing broken."""

from __future__ import annotations

import re
import unicodedata

from prompt_toolkit.utils import get_cwidth

from tests.terminal.screen import Screen

CTRL_U = "\x15"
HALF = re.compile(r"(?<!x1b)(?<!x9b)\[\??\d+(;\d+)*[A-HJKSTfhlmnrsu]")
"""What is left on the screen of an escape sequence whose beginning was lost."""


def folded(text: str, columns: int) -> list[str]:
    """Return the rows that a terminal makes of text behind which the cursor is; it may have one of its own."""
    rows, width = [""], 0
    for character in text:
        wide = get_cwidth(character)
        if width + wide > columns:
            rows, width = [*rows, ""], 0
        rows[-1], width = rows[-1] + character, width + wide
    return rows if width < columns else [*rows, ""]


def unrest(screen: Screen, typed: str = "", name: str = "secure") -> str:
    """Return what is wrong with a screen that should be at rest; nothing if it is.

    Args:
        screen: looked at.
        typed: the line so far, with the cursor at its end; several lines have continuations.
        name: before the `>` of the prompt, or the `!` where there is no connection.
    """
    rows, columns = screen.size
    row, column = screen.cursor
    lines, width = screen.lines, len(name) + 2
    if screen.bars != [rows - 1]:
        return f"toolbars in rows {screen.bars}"
    first, *more = unicodedata.normalize("NFC", typed).split("\n")  # as pyte combines
    for sign in ">!":
        expected = folded(f"{name}{sign} {first}", columns)
        for line in more:
            expected += folded(" " * width + line, columns)
        top = row - len(expected) + 1
        if top >= 0 and lines[top].startswith(f"{name}{sign}"):
            break
    else:
        return f"no prompt above the cursor in row {row}"
    for is_, should in zip(lines[top:row], expected, strict=False):
        if is_ != should.rstrip():
            return f"{is_!r} instead of {should!r}"
    if not lines[row].startswith(expected[-1].rstrip()):
        return f"{lines[row]!r} instead of {expected[-1]!r}"
    if column != get_cwidth(expected[-1]):
        return f"the cursor in column {column}, not behind {expected[-1]!r}"
    if not screen.is_ghost(row, column):
        return f"text behind the cursor: {lines[row]!r}"
    if typed and top and lines[top - 1] in (f"{name}> {typed}", f"{name}! {typed}"):
        return f"the prompt is there twice: {lines[top - 1]!r}"
    if broken := HALF.search(screen.text):
        return f"half an escape sequence: {broken.group()!r}"
    return ""


def rests(screen: Screen, typed: str = "", name: str = "secure") -> None:
    """Wait for a screen at rest, and say what is wrong with it if it does not come."""
    try:
        screen.wait(lambda: not unrest(screen, typed, name))
    except AssertionError as error:
        raise AssertionError(f"{unrest(screen, typed, name)}\n{screen.size} {screen.cursor}\n{error}") from error


def at_prompt(screen: Screen) -> None:
    """Wait for an empty prompt: between two of them the terminal itself would take what is typed, and echo it."""
    screen.wait(lambda: screen.answered and screen.typing in ("secure>", "secure!"))


def known(screen: Screen) -> None:
    """Wait until the commands are known: until then nothing is kept in the history, for all may be a secret."""
    at_prompt(screen)
    screen.type("ECHO")
    screen.wait(lambda: "ECHO [text" in screen.toolbar)  # what may follow
    screen.type(CTRL_U)
    at_prompt(screen)
