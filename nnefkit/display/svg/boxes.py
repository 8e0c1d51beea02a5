"""Boxes: their sizes and their SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from math import ceil

from nnefkit.display.folding import Box
from nnefkit.display.layout import Point
from nnefkit.display.svg.text_width import fitted, text_width, wrapped
from nnefkit.display.svg.themes import EITHER, Theme
from nnefkit.display.visible_text import visible
from nnefkit.display.vocabulary import family

TITLE = 12.5
LINE = 10.5
LEADING = 14.0
"""Distance between lines."""
WIDEST = 176.0
"""Room for the texts of a box."""
NARROWEST = 40.0
MAX_LINES = 3
LONGEST = 160
"""Maximum length of a text before it is broken into lines."""
DOT = " · "
BAR = 4.0
"""Width of the colored bar at the left of a box."""
PADDING = 8.0
STACK = 3.0
"""Offset of the second outline that marks a repeat."""
NAMED = 4
"""Number of tensors that the title of a box names."""


@dataclass(frozen=True, slots=True)
class MeasuredBox:
    """A box with its text broken into lines, and its size."""

    content: Box
    title: str
    badge: str
    lines: Sequence[str]
    mark: str
    value: str
    width: float
    height: float


def measure(box: Box, most_lines: int = MAX_LINES) -> MeasuredBox:
    """Break the text of a box into at most `most_lines` lines below its title, and measure it."""
    badge = ""
    if box.count > 1:
        badge = f"× {box.count} parallel" if box.parallel else f"× {box.count}"
    badge_room = text_width(badge, LINE, "bold") + 10 if badge else 0.0
    box = _visible(box)
    title = fitted(box.title, WIDEST - badge_room, TITLE, "bold")
    lines = [line for text in box.lines for line in wrapped(text, WIDEST, LINE)]
    if len(lines) > most_lines:
        lines = [*lines[: most_lines - 1], fitted(lines[most_lines - 1] + " …", WIDEST, LINE)]
    texts = [text_width(line, LINE) for line in lines]
    texts.append(text_width(title, TITLE, "bold") + badge_room)
    mark = fitted(box.mark, WIDEST, LINE, "bold")
    value = fitted(box.value, WIDEST, LINE, "bold")
    texts += [text_width(mark, LINE, "bold"), text_width(value, LINE, "bold")]
    sides = 2 * PADDING + (BAR if box.kind == "operation" else PADDING)
    width = max(NARROWEST, max(texts) + sides)
    height = 28.0 + LEADING * (len(lines) + bool(mark) + bool(value))
    return MeasuredBox(box, title, badge, lines, mark, value, 2.0 * ceil(width / 2), height)


def _visible(box: Box) -> Box:
    """Return a box without characters that SVG does not allow or a reader cannot see."""
    lines = [visible(line, LONGEST) for line in box.lines]
    description = visible(box.description, 2 * LONGEST)
    return replace(
        box,
        title=visible(box.title, LONGEST),
        lines=lines,
        description=description,
        mark=visible(box.mark, LONGEST),
        value=visible(box.value, LONGEST),
    )


def draw_box(
    box: MeasuredBox,
    center: Point,
    theme: Theme = EITHER,
    *,
    plain: bool = False,
    attributes: str = "",
) -> str:
    """Return the SVG of a box, a group whose origin is the upper left corner.

    A `plain` one has no ornaments and no further description, unless its tensors are named. The
    group has the given `attributes`.
    """
    left, top = center.x - box.width / 2, center.y - box.height / 2
    shown = [word for line in (box.title, *box.lines) for word in line.split(DOT)]
    whole = [word for line in (box.content.title, *box.content.lines) for word in line.split(DOT)]
    title = _title(box.content, theme)
    if not title and not plain and (shown != whole or box.badge):
        # A description that repeats the visible text would be useless.
        title = f"<title>{escape(box.content.description, quote=False)}</title>"
    draws = _operation if box.content.kind == "operation" else _end
    body = draws(box, theme, plain=plain)
    return f'<g transform="translate({number(left)} {number(top)})"{attributes}>{title}{body}</g>'


def _title(box: Box, theme: Theme) -> str:
    """Return the title that names the tensors of a box; empty if there are none."""
    if not box.tensors:
        return ""
    names = ", ".join(visible(name, LONGEST) for name in box.tensors[:NAMED])
    if len(box.tensors) > NAMED:
        names += f" and {len(box.tensors) - NAMED:,} more"
    words = [box.description if names in box.description else f"{names}: {box.description}"]
    words += [each for each in ("" if theme.live else box.value, box.mark) if each]
    return f"<title>{escape(DOT.join(words), quote=False)}</title>"


def _operation(box: MeasuredBox, theme: Theme, *, plain: bool) -> str:
    color = family(box.content.operation).color
    level = box.content.level
    # On the color of an overlay, colored words would not be legible.
    is_tinted = bool(level) or theme.live
    badge, mark = (theme.ink, theme.ink) if is_tinted else (color, theme.wrong)
    width, height = number(box.width), number(box.height)
    parts = []
    if box.badge and not plain:
        stack = number(box.height + STACK)
        parts.append(
            f'<path d="M6 {stack}h{number(box.width - 7)}a4 4 0 0 0 4-4v{number(10 - box.height)}'
            f'" fill="none" stroke="{color}" stroke-opacity=".6"/>'
        )
    fill = f'fill="{theme.levels[level]}"' if level else f'fill="{color}" fill-opacity=".12"'
    parts.append(
        f'<rect width="{width}" height="{height}" rx="4" {fill} stroke="{color}"/>'
        f'<rect width="{number(BAR)}" height="{height}" rx="2" fill="{color}"/>'
    )
    x = BAR + PADDING
    parts.append(text(x, 18, box.title, bold=True))
    if box.badge:
        parts.append(
            f'<text x="{number(box.width - PADDING)}" y="17.5" fill="{badge}" font-weight="bold" '
            f'text-anchor="end">{box.badge}</text>'
        )
    parts += [text(x, 32 + i * LEADING, line) for i, line in enumerate(box.lines)]
    below = 32 + len(box.lines) * LEADING
    if box.value:
        kind = ' class="value"' if theme.live else ""
        parts.append(
            f'<text x="{number(x)}" y="{number(below)}"{kind} font-weight="bold">'
            f"{escape(box.value, quote=False)}</text>"
        )
        below += LEADING
    if box.mark:
        y = number(below)
        parts.append(
            f'<rect x="-3" y="-3" width="{number(box.width + 6)}" '
            f'height="{number(box.height + 6)}" rx="6" fill="none" stroke="{theme.wrong}" '
            f'stroke-width="2"/><text x="{number(x)}" y="{y}" fill="{mark}" '
            f'font-weight="bold">{escape(box.mark, quote=False)}</text>'
        )
    return "".join(parts)


def _end(box: MeasuredBox, theme: Theme, *, plain: bool) -> str:  # noqa: ARG001 - as _operation
    x = box.width / 2
    lines = [text(x, 32 + i * LEADING, line) for i, line in enumerate(box.lines)]
    return (
        f'<rect width="{number(box.width)}" height="{number(box.height)}" '
        f'rx="{number(min(box.height / 2, 18.0))}" fill="none" stroke="{theme.ink}" '
        'stroke-dasharray="3 2"/><g text-anchor="middle">'
        + text(x, 18, box.title, bold=True)
        + "".join(lines)
        + "</g>"
    )


def text(x: float, y: float, content: str, *, bold: bool = False) -> str:
    """Return a line of text, with the color and regular size of the group that contains it."""
    attributes = f' font-size="{TITLE}" font-weight="bold"' if bold else ""
    return (
        f'<text x="{number(x)}" y="{number(y)}"{attributes}>{escape(content, quote=False)}</text>'
    )


def number(value: float) -> str:
    """Return a coordinate in tenths of pixels, with no more digits than necessary."""
    return f"{value:.1f}".removesuffix(".0")
