"""The chart of a blame: the error of each operation along the depth of a graph."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.display.charts import (
    FONT,
    LEGIBLE,
    SNR_TOP,
    known_ratio,
    label_span,
    name_label,
    rule,
    strokes,
    svg_document,
    tick,
)
from nnefkit.display.colors import GRAY, RED
from nnefkit.display.elements import Image

Bar = tuple[str, float, float, bool]
"""Name of a tensor, ratios of its introduced and inherited error in dB, whether it is guilty."""
_NAMED = 4


def blame_chart(bars: Sequence[Bar], *, width: int = 760, height: int = 120) -> Image:
    """Draw the errors of operations in the order of the graph, in dB below the signal.

    The higher a bar, the larger the error: red is the introduced one, gray the larger of
    that and the inherited one.
    """
    alt = "error of each operation in dB below the signal, in the order of the graph"
    guilty = [name for name, _, _, is_guilty in bars if is_guilty]
    if guilty:
        alt += f"; guilty: {', '.join(guilty[:_NAMED])}"
    return Image(alt, lambda: _drawn(bars, width, height), width, height, legible=LEGIBLE)


def _drawn(bars: Sequence[Bar], width: int, height: int) -> str:
    left, bottom, top = 40, height - 20, 18
    plot = width - left - 12

    def level(ratio: float) -> float:
        return top + (bottom - top) * min(max(ratio, 0.0), SNR_TOP) / SNR_TOP

    body = [rule(left, width - 12, top), rule(left, width - 12, bottom)]
    body += [tick(left, top, "0 dB"), tick(left, bottom, f"≥{SNR_TOP:g}")]
    # Of many bars, each column shows the largest errors of a few operations.
    step = max(1, -(-len(bars) // (plot // 2)))
    room = plot / max(-(-len(bars) // step), 1)
    thick = max(1.0, min(0.8 * room, 14.0))
    gray, red = [], []
    named: list[tuple[float, float, str]] = []
    for column, start in enumerate(range(0, len(bars), step)):
        piece = bars[start : start + step]
        x = left + (column + 0.5) * room
        largest = min((known_ratio(r) for _, own, rest, _ in piece for r in (own, rest)))
        if largest < SNR_TOP:
            gray.append(f"M{x:.4g} {bottom}V{level(largest):.4g}")
        guilty = [bar for bar in piece if bar[3]]
        if not guilty:
            continue
        worst = min(guilty, key=lambda bar: known_ratio(bar[1]))
        red.append(f"M{x:.4g} {bottom}V{level(known_ratio(worst[1])):.4g}")
        named.append((known_ratio(worst[1]), x, worst[0]))
    body += [name_label(x, top - 6, name, width) for x, name in legible(named, width)]
    body.insert(0, strokes(gray, GRAY, thick, 0.5))
    body.insert(1, strokes(red, RED, thick, 1.0))
    body.append(
        f"<text x='{left + plot / 2:g}' y='{height - 4}' text-anchor='middle' fill='{GRAY}' {FONT}>"
        "operations in the order of the graph · error in dB below the signal: red is introduced, "
        "gray the larger of that and the inherited one</text>"
    )
    return svg_document(width, height, "".join(body))


def legible(named: Sequence[tuple[float, float, str]], width: int) -> list[tuple[float, str]]:
    """Return places and names of the worst, without those that would cover worse ones.

    Args:
        named: Ratio in dB, place and name of each.
        width: Width of the chart.
    """
    placed: list[tuple[float, float]] = []
    found = []
    for _, x, name in sorted(named)[:_NAMED]:
        left, right = label_span(x, name, width)
        if all(right < other or left > end for other, end in placed):
            placed.append((left, right))
            found.append((x, name))
    return found
