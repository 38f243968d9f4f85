"""Bar charts as SVG: a bar for each contestant, the spread as a line, and the ratio to redis-server."""

from __future__ import annotations

from html import escape

from benchmarks.contestants import OURS
from benchmarks.figures import Better, Figure, shown
from benchmarks.report.rows import base

WIDTH, LEFT, RIGHT = 720, 190, 170
"""Of the drawing, of the names, and of the figures; pixels."""
BAR, GAP, TOP = 22, 10, 44
COLOURS = {True: "#2563eb", False: "#94a3b8"}
"""Ours, and others."""

_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" '
    'font-family="sans-serif" font-size="13">\n<rect width="{0}" height="{1}" fill="#ffffff"/>\n'
)
_TEXT = '<text x="{:.1f}" y="{:.1f}" fill="{}" text-anchor="{}">{}</text>\n'
_RECT = '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}"/>\n'
_INK, _PALE = "#0f172a", "#64748b"


def bars(title: str, figures: list[Figure]) -> str:
    """Draw one quantity's figures.

    Args:
        title: above the bars.
        figures: of one quantity; at least one.
    """
    quantity = figures[0].quantity
    scale = (WIDTH - LEFT - RIGHT) / (max(figure.spread[1] for figure in figures) or 1.0)
    compared = next(figure.median for figure in figures if figure.contestant == base(figures))
    better = "more is better" if quantity.better is Better.HIGHER else "less is better"
    parts = [_HEAD.format(WIDTH, TOP + len(figures) * (BAR + GAP))]
    parts.append(_TEXT.format(10, 20, _INK, "start", escape(title)))
    parts.append(_TEXT.format(WIDTH - 10, 20, _PALE, "end", escape(f"{quantity.unit}, {better}")))
    for number, figure in enumerate(figures):
        top = TOP + number * (BAR + GAP) - GAP / 2
        middle = top + BAR * 0.7
        least, most = (LEFT + value * scale for value in figure.spread)
        told = shown(figure.median) + (f"  ({figure.median / compared:.2f}×)" if compared else "")
        parts.append(_TEXT.format(LEFT - 8, middle, _INK, "end", escape(figure.contestant)))
        parts.append(_RECT.format(LEFT, top, figure.median * scale, BAR, COLOURS[figure.contestant == OURS.name]))
        parts.append(_RECT.format(least, top + BAR / 2 - 1, most - least, 2, _INK))
        parts.append(_TEXT.format(max(most, LEFT) + 8, middle, _INK, "start", told))
    return "".join([*parts, "</svg>\n"])
