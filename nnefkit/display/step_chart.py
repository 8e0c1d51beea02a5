"""A chart of a level that rises step by step, with the target that it should reach."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nnefkit.display import numbers
from nnefkit.display.charts import FONT, LEGIBLE, rule, svg_document, tick
from nnefkit.display.colors import BLUE, GRAY, GREEN
from nnefkit.display.elements import Image


def step_chart(
    levels: Sequence[float], target: float, *, width: int = 640, height: int = 170
) -> Image:
    """Draw ratios in dB by the number of layers that are kept precise."""
    alt = f"SNR of the outputs from {numbers.number(levels[0])} dB with no layer kept to "
    alt += f"{numbers.number(levels[-1])} dB with {len(levels) - 1:,}"
    return Image(alt, lambda: _drawn(levels, target, width, height), width, height, legible=LEGIBLE)


def _drawn(levels: Sequence[float], target: float, width: int, height: int) -> str:
    # The label of the target is to the right of the plot, where nothing crosses it.
    left, right, top, bottom = 48, width - 100, 12, height - 34
    finite = [level for level in (*levels, target) if math.isfinite(level)] or [0.0]
    low, high = min(finite), max(finite)
    low, high = 5 * math.floor(low / 5), 5 * math.ceil((high + 0.01) / 5)
    most = max(len(levels) - 1, 1)

    def y(level: float) -> float:
        share = (min(max(level, low), high) - low) / (high - low)
        return bottom - (bottom - top) * share

    def x(kept: int) -> float:
        return left + 8 + (right - left - 16) * kept / most

    body = [rule(left, right, top), rule(left, right, bottom)]
    body += [tick(left, top, f"{high:g} dB"), tick(left, bottom, f"{low:g} dB")]
    if math.isfinite(target):
        body.append(
            f"<path stroke='{GREEN}' stroke-dasharray='4 3' d='M{left} {y(target):.4g}H{right}'/>"
            f"<text x='{right + 6}' y='{y(target) + 3.5:.4g}' fill='{GREEN}' {FONT}>"
            f"target {numbers.number(target)} dB</text>"
        )
    points = [f"{x(i):.4g} {y(level):.4g}" for i, level in enumerate(levels)]
    body.append(f"<path fill='none' stroke='{BLUE}' stroke-width='2' d='M{'L'.join(points)}'/>")
    every = max(1, -(-len(levels) // 14))
    for i, point in enumerate(points):
        across, down = point.split(" ")
        body.append(f"<circle cx='{across}' cy='{down}' r='3' fill='{BLUE}'/>")
        if i % every == 0:
            body.append(
                f"<text x='{across}' y='{bottom + 14}' text-anchor='middle' fill='{GRAY}' {FONT}>"
                f"{i}</text>"
            )
    body.append(
        f"<text x='{(left + right) / 2:g}' y='{height - 5}' text-anchor='middle' fill='{GRAY}' "
        f"{FONT}>layers kept precise · signal-to-noise ratio of the outputs</text>"
    )
    return svg_document(width, height, "".join(body))
