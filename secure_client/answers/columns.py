"""How wide text is in a terminal, and how large that is."""

from __future__ import annotations

import os


def columns_of(text: str) -> int:
    """Return how many columns a terminal needs for `text`."""
    if text.isascii() and text.isprintable():
        return len(text)
    from prompt_toolkit.utils import get_cwidth  # noqa: PLC0415 - slow, and most commands tell no progress

    return get_cwidth(text)


def screen() -> os.terminal_size:
    """Return the terminal's columns and lines; 80 by 24 where there is none."""
    import shutil  # noqa: PLC0415 - brings what packs archives, and one-shot commands of scripts have no screen

    return shutil.get_terminal_size()


def wrapped(text: str, columns: int, hanging: int = 0) -> list[str]:
    """Part text into lines at its blanks, and where there is none inside a word.

    `textwrap` counts characters, of which some take two columns, and parts options at their hyphens.

    Args:
        text: on one line.
        columns: of the first line.
        hanging: so many fewer have the others.
    """
    lines: list[str] = []
    line = ""
    for word in text.split():
        rest = word
        if line and columns_of(line) + 1 + columns_of(rest) <= columns - hanging * bool(lines):
            line += f" {rest}"
            continue
        if line:
            lines.append(line)
        while len(rest) > (room := max(columns - hanging * bool(lines), 2)) or columns_of(rest) > room:
            fits = room  # what is measured is short, however long the word
            while columns_of(rest[:fits]) > room:
                fits -= 1
            lines.append(rest[:fits])
            rest = rest[fits:]
        line = rest
    return [*lines, line] if line else lines
