"""A strip with one field for each operation of two graphs: the same, changed, added or removed."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.display.charts import FONT, LEGIBLE, svg_document
from nnefkit.display.colors import AMBER, GRAY, GREEN, RED
from nnefkit.display.elements import Image

COLORS = {"same": GRAY, "changed": AMBER, "added": GREEN, "removed": RED}
_WORST = ("removed", "added", "changed", "same")
"""Which one a field shows that stands for several operations."""


def change_strip(kinds: Sequence[str], *, width: int = 760, height: int = 44) -> Image:
    """Draw what happened to each operation, in the order of the graphs."""
    counts = [f"{kinds.count(kind):,} {kind}" for kind in COLORS if kind in kinds]
    alt = f"operations in the order of the graphs: {', '.join(counts)}"
    return Image(alt, lambda: _drawn(kinds, width, height), width, height, legible=LEGIBLE)


def _drawn(kinds: Sequence[str], width: int, height: int) -> str:
    step = max(1, -(-len(kinds) // (width // 3)))
    pieces = [kinds[start : start + step] for start in range(0, len(kinds), step)]
    room = width / max(len(pieces), 1)
    thick = min(room * (0.8 if room > 4 else 1.0), 24.0)
    paths: dict[str, list[str]] = {kind: [] for kind in COLORS}
    for column, piece in enumerate(pieces):
        worst = next(kind for kind in _WORST if kind in piece)
        top = 8 if worst == "same" else 2
        paths[worst].append(f"M{(column + 0.5) * room:.5g} {top}V{28 if worst == 'same' else 32}")
    body = [
        f"<path stroke='{COLORS[kind]}' stroke-opacity='{0.35 if kind == 'same' else 1:g}' "
        f"stroke-width='{thick:.3g}' d='{''.join(parts)}'/>"
        for kind, parts in paths.items()
        if parts
    ]
    x = 0.0
    for kind, color in COLORS.items():
        if paths[kind]:
            body.append(f"<text x='{x:g}' y='{height - 2}' fill='{color}' {FONT}>{kind}</text>")
            x += 8 * len(kind) + 14
    return svg_document(width, height, "".join(body))
