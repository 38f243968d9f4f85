"""What a peer sent, made fit for a terminal or a log: no control character survives."""

from __future__ import annotations

import re
import unicodedata

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that move a cursor, reorder text, hide or are not characters."""

_ASCII_CONTROLS = r"\x00-\x1f\x7f"
_ASCII = f"[{_ASCII_CONTROLS}]"
_ALL = f"[{_ASCII_CONTROLS}\x80-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
"""Those of ASCII; C1, which old terminals obey; U+2028 and U+2029, which some programs take for a line's end; and those
that turn the direction of text, so that a person reads another word than the program."""


def controls_in(text: str, *, beyond_ascii: bool = True) -> bool:
    """Whether a control character is in `text` that a terminal, a parser or a reader may obey.

    Args:
        text: as a peer sent it.
        beyond_ascii: also C1 controls, U+2028, U+2029, and those for the direction of text.
    """
    return (re.search(_ALL, text) if beyond_ascii else re.search(_ASCII, text)) is not None


def printable(text: str | bytes, limit: int = 200, *, keep: str = "") -> str:
    r"""Return `text` with control characters escaped as `\xNN`/`\uNNNN` and cut to `limit` characters.

    Args:
        text: what a peer sent; bytes are read as UTF-8, and bytes that are not are escaped.
        limit: characters kept; what is cut is marked by an ellipsis.
        keep: control characters to let through, such as a tab.
    """
    if isinstance(text, bytes):
        text = text[: limit * 4 + 4].decode("utf-8", "backslashreplace")
    cut = text[:limit]
    if not cut.isprintable():
        cut = "".join(
            char if char in keep or unicodedata.category(char) not in _UNSAFE else _escape(char) for char in cut
        )
    return cut + "…" if len(text) > limit else cut


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
