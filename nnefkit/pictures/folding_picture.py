"""The picture of a graph whose blocks open in place: nested levels in one SVG document.

The contents of a block are drawn in a panel below its row, not displayed at first. The script of
the page displays them, and moves what is below.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from math import ceil

from nnefkit.collector import paused_collector
from nnefkit.display import numbers
from nnefkit.display.folding import Box, Picture
from nnefkit.display.folding.connections import connections
from nnefkit.display.svg.boxes import STACK, number
from nnefkit.display.svg.drawing import FONTS, GUILTY, Arranged, arrange, drawn
from nnefkit.display.svg.text_width import text_width
from nnefkit.display.svg.themes import LIGHT, Theme
from nnefkit.display.visible_text import visible
from nnefkit.pictures.legend import first_level
from nnefkit.pictures.outline import Outline, OutlineBlock
from nnefkit.pictures.overlays import Overlay

BOXES = 2_500
"""Maximum number of boxes in a page; further blocks do not open."""
DEPTH = 10
"""Maximum number of blocks that are open inside of each other."""
WIDTH = 1080
LEAST = 420.0
"""Least width of the row of a panel."""
PAD, HEAD, GAP = 12.0, 26.0, 12.0
ENDS = 6
"""Maximum number of tensors entering or leaving a block that are drawn as boxes."""
THEME = Theme(
    "",
    "var(--ink)",
    "var(--muted)",
    "var(--edge)",
    "var(--wrong)",
    tuple(f"var(--l{i})" for i in range(len(LIGHT.levels))),
    True,
)


@dataclass(frozen=True)
class FoldingPicture:
    """A picture of a graph, and what it leaves out."""

    svg: str
    closed: int
    """Number of blocks that do not open in the page."""
    scales: Mapping[str, tuple[float, float]]
    """Key of each overlay -> the values at the ends of its scale."""


def folding_picture(
    outline: Outline,
    overlays: Mapping[str, Overlay],
    marks: Mapping[int, Sequence[str]],
    label: str,
) -> FoldingPicture:
    """Return the picture of an outline.

    Args:
        outline: The blocks.
        overlays: What may color the boxes, by key; the page chooses one of them.
        marks: Number of an operation -> words, for boxes that are outlined.
        label: A description of the picture.
    """
    with paused_collector():
        drawing = _Drawing(outline, overlays, marks)
        body, width, height = drawing.level(outline.roots, None, WIDTH)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" width="{ceil(width)}" '
        f'height="{ceil(height)}" viewBox="0 0 {ceil(width)} {ceil(height)}" role="group" '
        f'aria-label="{escape(visible(label, 200))}" font-family="{FONTS}" font-size="10.5" '
        f'fill="{THEME.ink}">{body}</svg>'
    )
    return FoldingPicture(svg, drawing.closed, drawing.scales)


class _Drawing:
    """Draws the levels of an outline."""

    def __init__(
        self,
        outline: Outline,
        overlays: Mapping[str, Overlay],
        marks: Mapping[int, Sequence[str]],
    ) -> None:
        self.outline = outline
        self.overlays = overlays
        self.marks = marks
        self.closed = 0
        self.opened = self._opened()
        blocks = list(outline.roots)
        for block in self.opened.values():
            blocks += outline.children(block)
        self.scales = {
            key: overlay.scale([overlay.value(b.group.operations) for b in blocks])
            for key, overlay in overlays.items()
        }

    def _opened(self) -> dict[str, OutlineBlock]:
        """Return the blocks whose contents are drawn: outer ones first, within the budget."""
        found: dict[str, OutlineBlock] = {}
        room = BOXES - len(self.outline.roots)
        waiting = list(self.outline.roots)
        for block in waiting:
            if block.single:
                continue
            too_deep = block.key.count(".") >= DEPTH
            children = () if too_deep or room <= 0 else self.outline.children(block)
            if children and len(children) <= room:
                room -= len(children)
                found[block.key] = block
                waiting.extend(children)
            elif too_deep or children or room <= 0:
                self.closed += 1
        return found

    def level(
        self, blocks: Sequence[OutlineBlock], parent: OutlineBlock | None, room: float
    ) -> tuple[str, float, float]:
        """Return the SVG of some blocks with their panels, its width and its height."""
        outline = self.outline
        entering = [] if parent is None else self._entering(parent)
        leaving = [] if parent is None else outline.leaving(parent)
        boxes = [self._box(block) for block in blocks]
        ends = [self._end("input", names) for names in entering]
        ends += [self._end("output", leaving)] if leaving else []
        edges = connections(
            [block.group for block in blocks],
            outline.operations,
            outline.shape_of,
            entries=entering,
            leaving=leaving,
        )
        if any(block.group.kind == "rest" for block in blocks):
            edges = [edge for edge in edges if not edge.skips]
        arranged = arrange(Picture([*boxes, *ends], edges, 0, 0), room)
        layout = arranged.layout
        attributes = [self._attributes(block) for block in blocks] + [" "] * len(ends)
        parts = drawn(arranged, THEME, attributes)
        width, height = layout.width + 2 * PAD, layout.height + 2 * PAD
        widest = width
        for i, block in enumerate(blocks):
            if block.key in self.opened:
                panel, wide = self._panel(block, arranged, i, room)
                parts.append(panel)
                widest = max(widest, wide)
        sizes = f'data-w="{number(width)}" data-h="{number(height)}"'
        inside = "".join(parts)
        body = f'<g class="level" {sizes} transform="translate({PAD:g} {PAD:g})">{inside}</g>'
        return body, width, height

    def _panel(
        self, block: OutlineBlock, arranged: Arranged, place: int, room: float
    ) -> tuple[str, float]:
        children = self.outline.children(block)
        least = max(LEAST, room - 4 * PAD)
        body, width, height = self.level(children, block, least)
        title = visible(self._box(block).description, 120)
        width = max(width, text_width(title, 11.5, "bold") + 2 * PAD)
        height += HEAD
        at = _below(arranged, place)
        center = arranged.layout.centers[place].x
        left = max(0.0, min(center - width / 2, arranged.layout.width - width))
        return (
            f'<g class="inside" data-for="{block.key}" data-at="{number(at)}" '
            f'data-w="{number(width)}" data-h="{number(height)}" data-x="{number(left)}" '
            f'display="none"><rect class="panel" width="{number(width)}" '
            f'height="{number(height)}" rx="6"/><text x="{PAD:g}" y="18" font-size="11.5" '
            f'font-weight="bold">{escape(title, quote=False)}</text>'
            f'<g transform="translate(0 {HEAD:g})">{body}</g></g>'
        ), left + width

    def _entering(self, block: OutlineBlock) -> list[list[str]]:
        """Return the tensors that a block reads, each with its own box if they are few."""
        outline = self.outline
        inside = set(block.group.operations)
        names = dict.fromkeys(
            name
            for n in block.group.operations
            for name in outline.operations[n].inputs
            if name in outline.maker
            and outline.maker[name] not in inside
            and outline.drawn(outline.maker[name]) == outline.maker[name]
        )
        return [[name] for name in names] if len(names) <= ENDS else [list(names)]

    def _end(self, kind: str, names: Sequence[str]) -> Box:
        title = names[0] if len(names) == 1 else f"{len(names)} tensors"
        shape = self.outline.shape_of.get(names[0])
        lines = [numbers.product(shape)] if len(names) == 1 and shape else []
        described = "comes from before" if kind == "input" else "goes on"
        return Box(
            "input" if kind == "input" else "output",
            title,
            lines,
            "",
            (),
            description=f"{described}",
            tensors=tuple(names),
        )

    def _box(self, block: OutlineBlock) -> Box:
        box = self.outline.box(block)
        operations = block.group.operations
        words = [
            overlay.words(overlay.value(operations))
            for overlay in self.overlays.values()
            if box.kind == "operation"
        ]
        is_end = box.kind != "operation"
        tensors = block.group.names if is_end else self.outline.leaving(block)
        found = list(dict.fromkeys(t for n in operations for t in self.marks.get(n, ())))
        guilty = [t.removeprefix(GUILTY) for t in found]
        mark = ""
        if found:
            prefix = GUILTY if found[0].startswith(GUILTY) else ""
            more = f" and {len(found) - 2} more" if len(found) > 2 else ""
            mark = f"{prefix}{', '.join(guilty[:2])}{more}"
        # The longest words make the box wide enough for all of them.
        longest = max(words, key=len, default="")
        return replace(box, value=longest, tensors=tuple(tensors), mark=mark)

    def _attributes(self, block: OutlineBlock) -> str:
        """Return the attributes of a box: its key, whether it opens, its values."""
        shown = [] if block.kind in ("input", "output") else [*self.overlays.items()]
        values = []
        for key, overlay in shown:
            value = overlay.value(block.group.operations)
            level = overlay.level(value, self.scales[key])
            level += first_level(overlay) if level else 0
            values.append([level, visible(overlay.words(value), 60)])
        given = escape(json.dumps(values, ensure_ascii=False, separators=(",", ":")))
        if block.key not in self.opened:
            return f' class="box" data-v="{given}"'
        return (
            f' class="box opens" data-v="{given}" data-key="{block.key}" tabindex="0" '
            'role="button" aria-expanded="false"'
        )


def _below(arranged: Arranged, place: int) -> float:
    """Return the height of the first gap between rows below a box."""
    spans = sorted(
        (center.y - box.height / 2, center.y + box.height / 2 + STACK)
        for box, center in zip(arranged.measured, arranged.layout.centers, strict=True)
    )
    box, center = arranged.measured[place], arranged.layout.centers[place]
    at = center.y + box.height / 2 + STACK
    for top, bottom in spans:
        if top < at + 1 < bottom:
            at = bottom
    return at + 0.5
