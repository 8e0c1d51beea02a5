"""A chart of levels along the depth of a graph, in dB below the signal."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import NamedTuple

from nnefkit.display.charts import (
    FONT,
    LEGIBLE,
    known_ratio,
    name_label,
    rule,
    strokes,
    svg_document,
    tick,
)
from nnefkit.display.colors import GRAY, RED
from nnefkit.display.elements import Image

TOP = 60.0
"""Ratio in dB at the bottom of the chart: errors that small do not matter."""


class LevelBar(NamedTuple):
    """One place along the depth."""

    name: str
    own: float
    """Ratio of what it does itself, in dB."""
    whole: float
    """Ratio with all that precedes it, or follows from it, in dB."""


def level_chart(
    bars: Sequence[LevelBar], caption: str, *, width: int = 760, height: int = 120
) -> Image:
    """Draw ratios in dB in the order of the graph: the higher a bar, the larger the error."""
    alt = "error in dB below the signal, in the order of the graph"
    known = [bar for bar in bars if not math.isnan(bar.own)]
    if known:
        alt += f"; the largest: {min(known, key=lambda bar: bar.own).name}"
    return Image(alt, lambda: _drawn(bars, caption, width, height), width, height, legible=LEGIBLE)


def _drawn(bars: Sequence[LevelBar], caption: str, width: int, height: int) -> str:
    left, bottom, top = 40, height - 20, 18
    plot = width - left - 12

    def level(ratio: float) -> float:
        return top + (bottom - top) * min(max(ratio, 0.0), TOP) / TOP

    body = [rule(left, width - 12, top), rule(left, width - 12, bottom)]
    body += [tick(left, top, "0 dB"), tick(left, bottom, f"≥{TOP:g}")]
    # Of many bars, each column shows the largest errors of a few.
    step = max(1, -(-len(bars) // (plot // 3)))
    room = plot / max(-(-len(bars) // step), 1)
    thick = max(1.0, min(0.4 * room, 9.0))
    gray, red = [], []
    worst, place = math.inf, -1.0
    name = ""
    for column, start in enumerate(range(0, len(bars), step)):
        piece = bars[start : start + step]
        x = left + (column + 0.5) * room
        whole = min(known_ratio(bar.whole) for bar in piece)
        least = min(piece, key=lambda bar: known_ratio(bar.own))
        if whole < TOP:
            gray.append(f"M{x + thick / 2:.4g} {bottom}V{level(whole):.4g}")
        if known_ratio(least.own) < TOP:
            red.append(f"M{x - thick / 2:.4g} {bottom}V{level(least.own):.4g}")
        if known_ratio(least.own) < worst:
            worst, place, name = least.own, x, least.name
    body.insert(0, strokes(gray, GRAY, thick, 0.5))
    body.insert(1, strokes(red, RED, thick, 1.0))
    if name:
        body.append(name_label(place, top - 6, name, width))
    body.append(
        f"<text x='{left + plot / 2:g}' y='{height - 4}' text-anchor='middle' fill='{GRAY}' {FONT}>"
        f"{html.escape(caption)}</text>"
    )
    return svg_document(width, height, "".join(body))
