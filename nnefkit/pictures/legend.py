"""The legend below a picture: what its colors mean, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from nnefkit.display.folding import Picture
from nnefkit.display.svg.boxes import number
from nnefkit.display.svg.drawing import LABEL, Legend
from nnefkit.display.svg.text_width import text_width
from nnefkit.display.svg.themes import AMOUNTS, CHANGES, ERRORS, STEPS, Theme
from nnefkit.display.visible_text import visible
from nnefkit.display.vocabulary import family
from nnefkit.pictures.overlays import Overlay

SWATCH = 14.0
LINE = 17.0
GAP = 14.0
LONGEST = 60


class LegendEntry(NamedTuple):
    """Some swatches of colors, and words after them."""

    colors: Sequence[str]
    words: str
    opacity: str = "1"

    @property
    def width(self) -> float:
        """Its width in pixels."""
        return SWATCH * len(self.colors) + 5 * bool(self.colors) + text_width(self.words, LABEL)


def first_level(overlay: Overlay) -> int:
    """Return the number that is added to the classes of an overlay for its colors in a theme."""
    if overlay.categories:
        return CHANGES
    return ERRORS if overlay.ratio or overlay.counts else AMOUNTS


def legend(
    picture: Picture,
    overlay: Overlay | None,
    scale: tuple[float, float],
    theme: Theme,
    width: float,
) -> Legend:
    """Return the legend of an overlay, or of the families of operations."""
    entries = (
        family_entries(b.operation for b in picture.boxes)
        if overlay is None
        else scale_entries(overlay, scale, theme)
    )
    parts: list[str] = []
    x, y, widest = 0.0, 20.0, 0.0
    for entry in entries:
        if x and x + entry.width > width:
            x, y = 0.0, y + LINE
        for i, color in enumerate(entry.colors):
            parts.append(
                f'<rect x="{number(x + i * SWATCH)}" y="{number(y - 9)}" width="{number(SWATCH)}" '
                f'height="11" fill="{color}" fill-opacity="{entry.opacity}" '
                f'stroke="{theme.edge}" stroke-width="0.5"/>'
            )
        at = x + SWATCH * len(entry.colors) + 5 * bool(entry.colors)
        parts.append(
            f'<text x="{number(at)}" y="{number(y)}" font-size="{LABEL}" fill="{theme.muted}">'
            f"{escape(entry.words, quote=False)}</text>"
        )
        widest = max(widest, x + entry.width)
        x += entry.width + GAP
    return Legend("".join(parts), widest, y + 6) if parts else Legend("", 0.0, 0.0)


def family_entries(operations: Iterable[str]) -> list[LegendEntry]:
    """Return the legend of the families of some operations."""
    families = {family(name): None for name in operations if name}
    return [LegendEntry([each.color], each.name, ".45") for each in families]


def scale_entries(overlay: Overlay, scale: tuple[float, float], theme: Theme) -> list[LegendEntry]:
    """Return the legend of an overlay."""
    found = overlay.legend(scale)
    first = first_level(overlay)
    title = LegendEntry([], f"{visible(str(found['title']), LONGEST)}:")
    if overlay.categories:
        return [
            title,
            *(LegendEntry([theme.levels[first + k]], word) for k, word in found["kinds"]),
        ]
    low, high = found["ends"]
    colors = theme.levels[first + 1 : first + STEPS + 1]
    if overlay.counts:
        colors = colors[-1:]
        low = ""
    note = [LegendEntry([], found["note"])] if found.get("note") else []
    return [title, *([LegendEntry([], low)] if low else []), LegendEntry(colors, high), *note]
