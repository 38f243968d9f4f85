"""What is told of one row, and of the keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from secure_client.answers.columns import columns_of
from secure_client.i18n import N_, _
from secure_protocol import text_replies

HELP = (
    (N_("Tab"), N_("goes to the other list: commands, and clients.")),
    (N_("Up, Down"), N_("choose a row; so do Page Up, Page Down, Home and End.")),
    ("< >", N_("sort by the column at the left, or at the right; so do the arrows.")),
    ("r", N_("reverses the order.")),
    ("/", N_("filters: clients as CLIENTS does (user=ana, idle>5m), commands by a part of their name.")),
    ("Enter", N_("tells all about the row; Esc goes back.")),
    ("k", N_("kicks the client, after a question.")),
    (N_("Space"), N_("pauses, and goes on.")),
    ("+ -", N_("look less often, or more often.")),
    ("c", N_("connects again, where the server ended the connection for good.")),
    ("q", N_("leaves; so do Ctrl-C and Ctrl-D.")),
)
"""The keys, and what each does."""
GAP = 2
MOST_ITEMS = 1000
"""Of a list in an answer."""


def keys() -> list[str]:
    """Return what each key does."""
    names = [_(name) for name, _does in HELP]
    width = max(map(columns_of, names)) + GAP
    lines = [
        " " + name + " " * (width - columns_of(name)) + _(does) for name, (_name, does) in zip(names, HELP, strict=True)
    ]
    return [
        *lines,
        "",
        " " + _("Rates are those between two looks, latencies and sparklines those of the last minute."),
    ]


def told(answer: object) -> list[str]:
    """Return an answer about one client as lines; a map has a line for each value, and each list in it a heading."""
    if not isinstance(answer, Mapping):
        return [f" {line}" for line in text_replies.lines(answer)]
    return [f" {line}" for line in _members(answer)]


def _members(answer: Mapping[object, object]) -> Iterator[str]:
    names = {key: text_replies.cell(key) for key in answer}
    width = max(map(columns_of, names.values()), default=0) + GAP
    for key, value in answer.items():
        if isinstance(value, list | dict) and value:
            yield names[key]
            for item in value[:MOST_ITEMS] if isinstance(value, list) else value.items():
                yield f"{' ' * GAP}{_item(item)}"
        else:
            yield f"{names[key]}{' ' * (width - columns_of(names[key]))}{text_replies.cell(value)}"


def _item(item: object) -> str:
    if isinstance(item, Mapping):
        return "  ".join(f"{text_replies.cell(key)} {text_replies.cell(value)}" for key, value in item.items())
    if isinstance(item, tuple | list):
        return "  ".join(map(text_replies.cell, item))
    return text_replies.cell(item)
