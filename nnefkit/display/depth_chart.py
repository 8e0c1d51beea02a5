"""A chart of quantities along the depth of a graph: one panel of bars for each quantity."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from nnefkit.display import numbers
from nnefkit.display.charts import FONT, LEGIBLE, rule, svg_document
from nnefkit.display.colors import GRAY
from nnefkit.display.elements import Image
from nnefkit.display.visible_text import printable

_TALL = 58
"""Height of a panel."""
_LEFT, _RIGHT = 8, 8


@dataclass(frozen=True)
class Panel:
    """A quantity of each operation, in the order of the graph."""

    title: str
    values: Sequence[float]
    names: Sequence[str]
    """Names of the tensors; that of the largest value is written above its bar."""
    color: str
    write: Callable[[float], str]
    """Writes a value with its unit."""
    added: bool = True
    """Whether the values of operations that share a bar are added; else it shows the largest."""


def depth_chart(panels: Sequence[Panel], *, width: int = 760) -> Image:
    """Draw panels of bars, one above the other."""
    parts = []
    for panel in panels:
        largest = _largest(panel)
        where = f", largest at {panel.names[largest]}" if largest is not None else ""
        parts.append(f"{panel.title}{where}")
    alt = f"along the operations in the order of the graph: {'; '.join(parts)}"
    height = _TALL * len(panels) + 16
    return Image(alt, lambda: _drawn(panels, width, height), width, height, legible=LEGIBLE)


def _largest(panel: Panel) -> int | None:
    if not panel.values or max(panel.values) <= 0:
        return None
    return max(range(len(panel.values)), key=panel.values.__getitem__)


def _drawn(panels: Sequence[Panel], width: int, height: int) -> str:
    body: list[str] = []
    for position, panel in enumerate(panels):
        body += _panel(panel, position * _TALL, width)
    body.append(
        f"<text x='{width / 2:g}' y='{height - 3}' text-anchor='middle' fill='{GRAY}' {FONT}>"
        "operations in the order of the graph</text>"
    )
    return svg_document(width, height, "".join(body))


def _panel(panel: Panel, top: float, width: int) -> Iterable[str]:
    bottom, high = top + _TALL - 4, top + 17
    plot = width - _LEFT - _RIGHT
    count = len(panel.values)
    step = max(1, -(-count // (plot // 2)))
    pieces = [panel.values[start : start + step] for start in range(0, count, step)]
    sums = [float(sum(piece) if panel.added else max(piece)) for piece in pieces]
    most = max(sums, default=0.0) or 1.0
    room = plot / max(len(sums), 1)
    thick = max(1.0, min(0.8 * room, 16.0))
    path = []
    for column, value in enumerate(sums):
        if value > 0:
            x = _LEFT + (column + 0.5) * room
            # The smallest value is still visible.
            y = min(bottom - (bottom - high) * value / most, bottom - 0.5)
            path.append(f"M{x:.4g} {bottom:g}V{y:.4g}")
    yield rule(_LEFT, width - _RIGHT, bottom)
    if path:
        yield f"<path stroke='{panel.color}' stroke-width='{thick:.3g}' d='{''.join(path)}'/>"
    yield (
        f"<text x='{_LEFT}' y='{top + 11:g}' fill='{GRAY}' {FONT}>"
        f"{html.escape(printable(panel.title))}</text>"
    )
    largest = _largest(panel)
    if largest is not None:
        x = _LEFT + (largest // step + 0.5) * room
        words = f"{numbers.shorten(panel.names[largest], 24)} {panel.write(panel.values[largest])}"
        yield _label(x, top + 11, words, panel, width)


def _label(x: float, y: float, words: str, panel: Panel, width: int) -> str:
    # The title takes the room at the left.
    half, title = 3.2 * len(words), 6.2 * len(panel.title) + _LEFT + 10
    x = min(max(x, title + half), width - _RIGHT - half)
    return (
        f"<text x='{x:.4g}' y='{y:g}' text-anchor='middle' font-weight='bold' "
        f"fill='{panel.color}' {FONT}>{html.escape(printable(words))}</text>"
    )
