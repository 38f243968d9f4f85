"""A frame: what is seen of a view in a window of a size; nothing in it moves by what the figures are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice

from secure_client.answers.columns import columns_of, wrapped
from secure_client.i18n import N_, _
from secure_client.terminal.prompt.hint import cut
from secure_client.terminal.top import units
from secure_client.terminal.top.figures import Fact, Figures, Rate
from secure_client.terminal.top.panes import GAP, fitted, placed
from secure_client.terminal.top.signs import sparkline
from secure_client.terminal.top.view import Listing, Mode, View

Line = list[tuple[str, str]]
"""Pieces of a line, each with its style before it."""

_GAP = re.compile(r" *\S+(?: \S+)* {2,}| +")
"""What a line begins with, up to where its own part stands."""
LEAST_COLUMNS, LEAST_ROWS = 40, 8
"""Of a window; in a smaller one nothing could be read."""
BESIDE = 160
"""Columns from which rates and facts, and the two lists, stand side by side."""
ROOMY = 28
"""Rows from which a blank line parts rates and facts."""
TALL = 40
"""Rows from which rates and facts stay where a text stands in the lists' place; in fewer it would have too few."""
LIST_ROWS = 4
"""Of a list at least: its title, its headings, and two of its rows."""
FIGURE, CELL = 8, 16
"""Columns of a rate's figure, and of a fact."""
MESSAGE_ROWS = 4
"""Of what is told; a filter that is not understood takes some, for its grammar is told."""
SPARK = 60
"""Columns of a sparkline at most: one for each second."""
EDGE = 1
"""Blanks at both sides of a row."""
PEAK = 12
"""Columns behind it, for what its highest level is."""
ONCE_ROWS = 10
"""Of each list in a frame that is printed."""

HEAD, TROUBLE, LABEL, PLAIN, BAD = "class:head", "class:head.trouble", "class:label", "", "class:bad"
SPARKS, TITLE, OTHER, RULE = "class:spark", "class:title", "class:other", "class:rule"
HEADING, CHOSEN, KEY, MESSAGE = "class:heading", "class:chosen", "class:key", "class:message"

KEYS: Sequence[tuple[str, str]] = (
    ("q", N_("quit")),
    ("?", N_("help")),
    ("Tab", N_("other list")),
    ("/", N_("filter")),
    ("Enter", N_("look into")),
    ("k", N_("kick")),
    ("< >", N_("sort")),
    (N_("Space"), N_("pause")),
    ("r", N_("reverse")),
    ("+ -", N_("interval")),
)
"""The keys and what they do, the first those that are shown in the narrowest window."""
TEXT_KEYS: Sequence[tuple[str, str]] = (("Esc", N_("back")),)


def frame(view: View, columns: int, rows: int) -> list[Line]:
    """Return the lines of a window, all of them but the lowest, which are those of `bottom`.

    Args:
        view: what is looked at.
        columns: of the window.
        rows: of the window.
    """
    room = rows - (1 if view.mode is Mode.TYPING else len(bottom(view, columns)))
    if columns < LEAST_COLUMNS or rows < LEAST_ROWS:
        sentence = _("top needs a window of {least}; this one has {size}.")
        told = sentence.format(least=f"{LEAST_COLUMNS}x{LEAST_ROWS}", size=f"{columns}x{rows}")
        return [[(PLAIN, line)] for line in wrapped(told, columns)][: max(1, room)]
    lines = [_head(view, columns)]
    if view.figures is not None and (view.mode is not Mode.TEXT or rows >= TALL):
        lines += _upper(view.figures, view, columns, rows)
    height = room - len(lines)
    lines += _text(view, columns, height) if view.mode is Mode.TEXT else _lists(view, columns, height)
    return lines[:room]


def bottom(view: View, columns: int) -> list[Line]:
    """Return the lowest lines: a question, what there is to tell, or the keys."""
    if view.mode is Mode.ASKING:
        return [[(MESSAGE, cut(f" {view.question}", columns))]]
    if view.message:
        style = BAD if view.bad else MESSAGE
        told = wrapped(view.message, max(1, columns - 2 * EDGE))
        if len(told) > MESSAGE_ROWS:
            told = [*told[: MESSAGE_ROWS - 1], cut(f"{told[MESSAGE_ROWS - 1]} …", columns - 2 * EDGE)]
        return [[(style, cut(f" {line}", columns))] for line in told]
    line: Line = []
    room = columns
    for key, does in TEXT_KEYS if view.mode is Mode.TEXT else KEYS:
        blanks = "  " if line else " "
        name, text = _(key), _(does)
        room -= columns_of(f"{blanks}{name} {text}")
        if room < 0:
            break
        line += [(PLAIN, blanks), (KEY, name), (PLAIN, f" {text}")]
    return [line]


def plain(view: View, columns: int) -> list[str]:
    """Return one frame as text, to be printed: all figures, and the first rows of both lists."""
    assert view.figures is not None  # noqa: S101 - one look was had
    lines: list[Line] = [[(PLAIN, _known(view, view.figures))]]
    lines += [[], *_rates(view.figures.rates, view, columns, _label(view.figures))]
    lines += [[], *_facts(view.figures, columns)]
    for listing in view.listings:
        shown = fitted(listing.pane, columns - EDGE)
        found = [shown.line(row) for row in listing.sorted[:ONCE_ROWS]]
        heading = shown.heading(listing.order, view.signs.falling)
        lines += [[], [(PLAIN, _(listing.pane.title))]]
        lines += [[(PLAIN, " " * EDGE + text)] for text in ([heading, *found] if found else [_(listing.pane.empty)])]
    return ["".join(text for _style, text in line).rstrip() for line in lines]


def list_columns(columns: int, count: int) -> int:
    """Return how many columns one of the lists has; all of them where only one is shown."""
    return (columns - GAP * (count - 1)) // count if columns >= BESIDE else columns


# -- the head ---------------------------------------------------------------------------------------------------------


def _known(view: View, figures: Figures) -> str:
    up = _("up {time}").format(time=units.span(figures.uptime)) if figures.uptime is not None else ""
    draining = _("DRAINING") if figures.draining else ""
    return "  ".join(filter(None, (view.where, figures.version, up, draining)))


def _head(view: View, columns: int) -> Line:
    right = view.trouble or (
        _("paused") if view.paused else _("every {seconds} s").format(seconds=f"{view.interval:g}")
    )
    right = cut(right, columns - 3)
    left = _known(view, view.figures) if view.figures is not None else view.where
    room = max(0, columns - 3 - columns_of(right))
    style = TROUBLE if view.trouble or view.paused else HEAD
    return [(HEAD, f" {placed(left, room)} "), (style, right), (HEAD, " ")]


# -- rates and facts --------------------------------------------------------------------------------------------------


def _upper(figures: Figures, view: View, columns: int, rows: int) -> list[Line]:
    label = _label(figures)
    spare = rows - 2 - LIST_ROWS
    if columns >= BESIDE:
        left = columns // 2
        blank: list[Line] = [[]] if rows >= ROOMY else []
        rates = _rates(figures.rates, view, left, label)
        facts = _facts(figures, columns - left - GAP)
        both = [_beside(one, left + GAP, other) for one, other in zip(rates, facts, strict=True)]
        return [*blank, *both[:spare], *blank]
    rates = _rates(figures.rates, view, columns, label)
    facts = _facts(figures, columns)
    shown = min(len(rates), max((spare + 1) // 2, spare - len(facts)))
    parted: list[Line] = [[]] if rows >= ROOMY else []
    return [*rates[:shown], *parted, *facts[: max(0, spare - shown)]]


def _label(figures: Figures) -> int:
    """Return the columns of what the lines begin with."""
    labels = [rate.label for rate in figures.rates] + [label for label, _facts in figures.facts]
    return max(columns_of(_(label)) for label in labels) + 1


def _rates(rates: Iterable[Rate], view: View, columns: int, label: int) -> list[Line]:
    lines: list[Line] = []
    for rate in rates:
        room = columns - 1 - label - FIGURE - GAP
        line: Line = [(LABEL, " " + placed(_(rate.label), label))]
        line.append((BAD if rate.bad and rate.now else PLAIN, placed(rate.shown, FIGURE, right=True)))
        spark = sparkline(rate.history, min(SPARK, room - PEAK if room > 2 * PEAK else room), view.signs.levels)
        line += [(PLAIN, " " * GAP), (SPARKS, spark)]
        if room - columns_of(spark) >= PEAK and any(rate.history):
            most = max(rate.history)
            line.append(
                (LABEL, "  " + _("most {figure}").format(figure=(units.size if rate.sized else units.count)(most)))
            )
        lines.append(line)
    return lines


def _facts(figures: Figures, columns: int) -> list[Line]:
    label = _label(figures)
    lines: list[Line] = []
    for name, facts in figures.facts:
        line: Line = [(LABEL, " " + placed(_(name), label))]
        for fact in islice(facts, max(1, (columns - 1 - label) // CELL)):
            line += _fact(fact)
        lines.append(line)
    return lines


def _fact(fact: Fact) -> Line:
    name = _(fact.label) + " " if fact.label else ""
    room = max(1, CELL - 1 - columns_of(name))
    text = cut(fact.text if columns_of(fact.text) <= room else fact.text.partition("/")[0], room)
    blanks = " " * max(1, CELL - columns_of(name) - columns_of(text))
    return [(LABEL, name), (BAD if fact.bad else PLAIN, text), (PLAIN, blanks)]


# -- the lists, and what stands in their place ------------------------------------------------------------------------


def _lists(view: View, columns: int, height: int) -> list[Line]:
    wide = list_columns(columns, len(view.listings))
    if wide == columns:
        return [_titles(view, view.listings, columns), *_rows(view, view.listing, columns, height - 1)]
    blocks = [[_titles(view, [listing], wide), *_rows(view, listing, wide, height - 1)] for listing in view.listings]
    lines = blocks[0]
    for at, block in enumerate(blocks[1:], 1):
        lines = [_beside(one, at * (wide + GAP), other) for one, other in zip(lines, block, strict=True)]
    return lines


def _titles(view: View, listings: Sequence[Listing], columns: int) -> Line:
    rule = view.signs.rule
    line: Line = [(RULE, rule)]
    for listing in listings:
        here = listing is view.listing
        title = _(listing.pane.title)
        line += [(TITLE if here else OTHER, f" {title} "), (RULE, rule)]
    shown = view.listing if view.listing in listings else listings[0]
    if shown.filter:
        room = columns - _width(line) - 3
        told = cut(_("filter: {filter}").format(filter=shown.filter), room)
        line += [(TITLE, f" {told} ")] if room > GAP else []
    line.append((RULE, rule * max(0, columns - _width(line))))
    return line


def _rows(view: View, listing: Listing, columns: int, height: int) -> list[Line]:
    shown = fitted(listing.pane, columns - 2 * EDGE)
    listing.columns = [column.name for column in shown.columns]
    mark = view.signs.rising if listing.rising else view.signs.falling
    lines: list[Line] = [[(HEADING, " " * EDGE + shown.heading(listing.order, mark))]]
    found = listing.sorted
    listing.scroll(found, max(1, height - 1))
    at = listing.at(found)
    for number, row in islice(enumerate(found), listing.first, listing.first + height - 1):
        here = number == at and listing is view.listing
        lines.append([(CHOSEN if here else PLAIN, f"{' ' * EDGE}{shown.line(row)}{' ' * EDGE}")])
    if not found and view.figures is not None:
        lines.append([(LABEL, cut(" " + _(listing.pane.empty), columns))])
    lines += [[] for _blank in range(height - len(lines))]
    return lines[:height]


def _text(view: View, columns: int, height: int) -> list[Line]:
    lines = [line for told in view.text for line in folded(told, columns)]
    room = max(1, height - 1)
    view.first = max(0, min(view.first, len(lines) - room))
    rule = view.signs.rule
    title = f" {cut(view.title, columns - 4)} "
    head: Line = [(RULE, rule), (TITLE, title), (RULE, rule * max(0, columns - 1 - columns_of(title)))]
    return [head, *([(PLAIN, line)] for line in lines[view.first : view.first + room])]


def folded(text: str, columns: int) -> list[str]:
    """Return a line, folded where it does not fit: below the part that stands behind a gap, where it has one."""
    if columns_of(text) <= columns:
        return [text]
    found = _GAP.match(text)
    lead = found.group() if found is not None and columns_of(found.group()) <= columns // 2 else ""
    first, *more = wrapped(text[len(lead) :], columns - columns_of(lead))
    return [lead + first, *(" " * columns_of(lead) + line for line in more)]


def _beside(one: Line, at: int, other: Line) -> Line:
    return [*one, (PLAIN, " " * max(0, at - _width(one))), *other]


def _width(line: Line) -> int:
    return sum(columns_of(text) for _style, text in line)
