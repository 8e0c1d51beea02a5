"""Boxes: how large they are, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from nnefkit.display.families import family
from nnefkit.display.folding import Box
from nnefkit.display.layout import Point
from nnefkit.display.svg.text_width import fitted, text_width, wrapped

TITLE = 12.5
LINE = 10.5
LEADING = 13.5
"""From one line to the next one."""
WIDEST = 176.0
"""Room for the texts of a box."""
NARROWEST = 40.0
MOST_LINES = 3
BAR = 4.0
"""The coloured bar at the left of a box."""
PADDING = 8.0
STACK = 3.0
"""By how much the second card of a repeat looks out."""
TEXT = "#797979"
"""Of equal contrast on white and on #111, 4.3 : 1 and more."""


@dataclass(frozen=True, slots=True)
class Card:
    """A box with its texts broken into lines and its size known."""

    box: Box
    title: str
    badge: str
    lines: Sequence[str]
    width: float
    height: float


def card(box: Box) -> Card:
    """Break the texts of a box, and measure it."""
    badge = ""
    if box.count > 1:
        badge = f"× {box.count} parallel" if box.parallel else f"× {box.count}"
    badge_room = text_width(badge, LINE, "bold") + 10 if badge else 0.0
    title = fitted(box.title, WIDEST - badge_room, TITLE, "bold")
    lines = [line for text in box.lines for line in wrapped(text, WIDEST, LINE)]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], fitted(lines[MOST_LINES - 1] + " …", WIDEST, LINE)]
    texts = [text_width(line, LINE) for line in lines]
    texts.append(text_width(title, TITLE, "bold") + badge_room)
    sides = 2 * PADDING + (BAR if box.kind == "operation" else PADDING)
    width = max(NARROWEST, max(texts) + sides)
    height = 28.0 + LEADING * len(lines)
    return Card(box, title, badge, lines, float(round(width)), height)


def drawn(card: Card, center: Point) -> str:
    """The SVG of a card."""
    left, top = center.x - card.width / 2, center.y - card.height / 2
    label = f"<title>{escape(card.box.description)}</title>"
    if card.box.kind == "operation":
        return f"<g>{label}{_operation(card, left, top)}</g>"
    return f"<g>{label}{_end(card, center, left, top)}</g>"


def _operation(card: Card, left: float, top: float) -> str:
    color = family(card.box.operation).color
    width, height = card.width, card.height
    parts = []
    if card.badge:
        parts.append(
            f'<path d="M{number(left + 6)} {number(top + height + STACK)}'
            f"h{number(width - 7)}a4 4 0 0 0 4 -4v{number(10 - height)}"
            f'" fill="none" stroke="{color}" stroke-opacity=".6"/>'
        )
    parts.append(
        f'<rect x="{number(left)}" y="{number(top)}" width="{number(width)}" '
        f'height="{number(height)}" rx="4" fill="{color}" fill-opacity=".12" stroke="{color}"/>'
        f'<path d="M{number(left + BAR)} {number(top)}v{number(height)}h-1'
        f'a3 3 0 0 1 -3 -3v{number(6 - height)}a3 3 0 0 1 3 -3z" fill="{color}"/>'
    )
    x = left + BAR + PADDING
    parts.append(text(x, top + 18, card.title, bold=True))
    if card.badge:
        parts.append(
            f'<text x="{number(left + width - PADDING)}" y="{number(top + 17.5)}" fill="{color}" '
            f'font-size="{LINE}" font-weight="bold" text-anchor="end">{card.badge}</text>'
        )
    for i, line in enumerate(card.lines):
        parts.append(text(x, top + 32 + i * LEADING, line))
    return "".join(parts)


def _end(card: Card, center: Point, left: float, top: float) -> str:
    radius = min(card.height / 2, 18.0)
    parts = [
        f'<rect x="{number(left)}" y="{number(top)}" width="{number(card.width)}" '
        f'height="{number(card.height)}" rx="{number(radius)}" fill="none" stroke="{TEXT}" '
        'stroke-dasharray="3 2"/>',
        text(center.x, top + 18, card.title, bold=True, middle=True),
    ]
    for i, line in enumerate(card.lines):
        parts.append(text(center.x, top + 32 + i * LEADING, line, middle=True))
    return "".join(parts)


def text(x: float, y: float, content: str, *, bold: bool = False, middle: bool = False) -> str:
    """A line of text; its colour and regular size are those of the group that it is in."""
    attributes = f' font-size="{TITLE}" font-weight="bold"' if bold else ""
    if middle:
        attributes += ' text-anchor="middle"'
    return f'<text x="{number(x)}" y="{number(y)}"{attributes}>{escape(content)}</text>'


def number(value: float) -> str:
    """A coordinate: tenths of pixels, and no more digits than it needs."""
    return f"{value:.1f}".removesuffix(".0")
