"""The scene: positions of all boxes and edges of an outline, open blocks around their contents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt

from nnefkit.collector import paused_collector
from nnefkit.display.folding import Edge
from nnefkit.display.folding.connections import connections
from nnefkit.display.layout import Point, lay_out
from nnefkit.display.svg.boxes import MeasuredBox, measure
from nnefkit.display.svg.edges import shape_label
from nnefkit.display.svg.text_width import text_width
from nnefkit.pictures.outline import Outline, OutlineBlock

WIDTH = 900.0
"""Width of a row of boxes, about that of a canvas in a notebook."""
ASPECT = 1.7
"""Width of a large scene, relative to its height."""
LABEL = 10.0
"""Font size of shapes on edges."""
PAD, STRIP, HEAD, FOOT = 10.0, 26.0, 28.0, 14.0
"""Room of an open block: at its sides, for edges that enter and leave, for its title, below."""
LEAST = 320.0
"""Least width of a row inside of an open block."""
MAX_ENTRIES = 8
"""More edges into an open block are drawn as one inside."""
VALUE = 14.0
"""Height of the line for a value."""
ROOMY = 400
"""Number of boxes up to which each may have several lines."""
LINES = 2

Rectangle = tuple[float, float, float, float]
"""Left, top, width and height."""


@dataclass(slots=True)
class SceneBox:
    """A box with its place."""

    block: OutlineBlock
    x: float
    y: float
    width: float
    height: float
    measured: MeasuredBox
    number: int = 0
    """Its position in `Scene.boxes`."""


@dataclass(slots=True)
class SceneEdge:
    """An edge with its route, or the part of one inside of an open block."""

    points: list[Point]
    tensors: Sequence[str]
    label: str
    """The shape of the tensors; empty if another edge out of the box shows it."""
    skips: bool
    head: bool
    """Whether it ends at a box, with an arrow."""
    source: OutlineBlock | None
    """The block that it leaves; None for the part after an edge has entered an open block."""
    target: OutlineBlock | None
    """The block that it leads to; None for the part before it leaves an open block."""
    number: int = 0


@dataclass(slots=True)
class _Level:
    """The contents of the graph, or of an open block, at their own origin."""

    width: float
    height: float
    boxes: list[SceneBox] = field(default_factory=list)
    edges: list[SceneEdge] = field(default_factory=list)
    entries: list[Point] = field(default_factory=list)
    """Where edges enter, in the order of the edges into the block."""
    exit: Point | None = None


class Scene:
    """All boxes and edges of an outline, as it is open at present.

    Args:
        outline: The outline.
        width: Width of a row of boxes; more for large scenes.
        valued: Whether boxes have room for a value of an overlay.
    """

    def __init__(self, outline: Outline, width: float = WIDTH, *, valued: bool = False) -> None:
        self.outline = outline
        self.valued = valued
        with paused_collector():
            level = _SceneLayout(outline, valued).level(outline.roots, (), (), width)
        self.width, self.height = level.width, level.height
        self.boxes = level.boxes
        self.edges = level.edges
        for number, box in enumerate(self.boxes):
            box.number = number
        for number, edge in enumerate(self.edges):
            edge.number = number
        self.box_of: Mapping[str, SceneBox] = {box.block.key: box for box in self.boxes}
        """Key of a block -> its box."""


class _SceneLayout:
    def __init__(self, outline: Outline, valued: bool) -> None:
        self.outline = outline
        self.extra = VALUE if valued else 0.0
        count = sum(1 for _ in outline.closed())
        self.lines = LINES if count <= ROOMY else 1

    def level(
        self,
        blocks: Sequence[OutlineBlock],
        entries: Sequence[Sequence[str]],
        leaving: Sequence[str],
        room: float,
    ) -> _Level:
        """Lay out blocks, the contents of open ones first."""
        outline = self.outline
        groups = [block.group for block in blocks]
        edges = connections(
            groups, outline.operations, outline.shape_of, entries=entries, leaving=leaving
        )
        if any(group.kind == "rest" for group in groups):
            edges = [edge for edge in edges if not edge.skips]
        incoming: dict[int, list[Edge]] = {}
        for edge in edges:
            incoming.setdefault(edge.target, []).append(edge)
        inner: dict[int, _Level] = {}
        measured: list[MeasuredBox] = []
        for i, block in enumerate(blocks):
            box = measure(outline.box(block), self.lines)
            if block.kind in ("operation", "block"):
                width = max(box.width, 3 * self.extra + 20)
                box = replace(box, width=width, height=box.height + self.extra)
            measured.append(box)
            if block.is_open:
                inner[i] = self._inside(block, incoming.get(i, ()), room)
        sizes = [
            (one.width, one.height) if i not in inner else _size_of_open(inner[i], measured[i])
            for i, one in enumerate(measured)
        ]
        labels = _labels(groups, edges)
        widths = [text_width(label, LABEL) + 12 if label else 0.0 for label in labels]
        ends = [(0.0, 4.0)] * len(entries) + [(0.0, 12.0)] * bool(leaving)
        pairs = [(edge.source, edge.target) for edge in edges]
        layout = lay_out(
            [*sizes, *ends],
            [*pairs, *_invisible(len(blocks), len(entries), bool(leaving), pairs)],
            labels=[*widths, *[0.0] * len(ends)],
            width=self._row_width(sizes, widths, room),
        )
        level = _Level(layout.width, layout.height)
        for i, block in enumerate(blocks):
            width, height = sizes[i]
            center = layout.centers[i]
            left, top = center.x - width / 2, center.y - height / 2
            level.boxes.append(SceneBox(block, left, top, width, height, measured[i]))
        self._connect(level, blocks, edges, layout.routes, labels)
        for i, one in inner.items():
            _place_inside(level, level.boxes[i], one, edges, layout.routes, i)
        first = len(blocks)
        level.entries = [layout.centers[first + k] for k in range(len(entries))]
        level.exit = layout.centers[first + len(entries)] if leaving else None
        return level

    def _inside(self, block: OutlineBlock, incoming: Sequence[Edge], room: float) -> _Level:
        entries: list[Sequence[str]] = [edge.tensors for edge in incoming]
        if len(entries) > MAX_ENTRIES:
            entries = [tuple(dict.fromkeys(name for names in entries for name in names))]
        inner_room = max(LEAST, room - 2 * (PAD + STRIP))
        children = self.outline.children(block)
        return self.level(children, entries, self.outline.leaving(block), inner_room)

    def _row_width(
        self, sizes: Sequence[tuple[float, float]], labels: Sequence[float], room: float
    ) -> float:
        """Return a width for which a large scene has about the proportions of a canvas."""
        area = sum((w + label + 30) * (h + 24) for (w, h), label in zip(sizes, labels, strict=True))
        return max(room, sqrt(area * ASPECT))

    def _connect(
        self,
        level: _Level,
        blocks: Sequence[OutlineBlock],
        edges: Sequence[Edge],
        routes: Sequence[Sequence[Point]],
        labels: Sequence[str],
    ) -> None:
        count = len(blocks)
        labeled: set[int] = set()
        for edge, route in zip(edges, routes, strict=False):
            source = blocks[edge.source] if edge.source < count else None
            target = blocks[edge.target] if edge.target < count else None
            label = ""
            if source is not None and edge.source not in labeled:
                label = labels[edge.source]
                labeled.add(edge.source)
            head = target is not None and not target.is_open
            level.edges.append(
                SceneEdge(list(route), edge.tensors, label, edge.skips, head, source, target)
            )


def _size_of_open(inner: _Level, measured: MeasuredBox) -> tuple[float, float]:
    title = text_width(measured.content.description, 11.5) + 40
    width = max(inner.width + 2 * (PAD + STRIP), min(title, 420.0))
    return 2 * round(width / 2 + 0.5), 2 * round((inner.height + HEAD + FOOT) / 2 + 0.5)


def _labels(groups: Sequence[object], edges: Sequence[Edge]) -> list[str]:
    """Return the label after each block; results that only leave the graph have theirs in a box."""
    leaving: list[list[Edge]] = [[] for _ in groups]
    for edge in edges:
        if edge.source < len(groups) and not (
            edge.target < len(groups) and getattr(groups[edge.target], "kind", "") == "output"
        ):
            leaving[edge.source].append(edge)
    return [
        shape_label(out) if out and getattr(group, "kind", "") != "input" else ""
        for group, out in zip(groups, leaving, strict=True)
    ]


def _invisible(
    count: int, entries: int, leaving: bool, pairs: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return edges that are not drawn: they hold entries at the left, and the exit at the right."""
    found: list[tuple[int, int]] = []
    exit_ = count + entries
    if entries:
        read = {target for _, target in pairs}
        starts = [node for node in range(count) if node not in read]
        found += [(count, node) for node in starts]
        first = {target for source, target in pairs if source >= count}
        # An entry that feeds only later blocks moves right, unless it feeds the first ones as well.
        beginning = starts or sorted(first)[:1]
        found += [(count + k, beginning[0]) for k in range(entries)]
    if leaving:
        sources = {source for source, _ in pairs}
        found += [(node, exit_) for node in range(count) if node not in sources]
    return found


def _place_inside(
    level: _Level,
    box: SceneBox,
    inner: _Level,
    edges: Sequence[Edge],
    routes: Sequence[Sequence[Point]],
    node: int,
) -> None:
    """Move the contents of an open block into its box, and connect them to the edges outside."""
    left = box.x + PAD + STRIP
    top = box.y + HEAD
    for one in inner.boxes:
        one.x += left
        one.y += top
    for part in inner.edges:
        part.points = [Point(x + left, y + top) for x, y in part.points]
    level.boxes += inner.boxes
    level.edges += inner.edges
    incoming = [(e, r) for e, r in zip(edges, routes, strict=False) if e.target == node]
    for k, (edge, route) in enumerate(incoming):
        if not inner.entries or not route:
            continue
        entry = inner.entries[min(k, len(inner.entries) - 1)]
        inside = Point(entry.x + left, entry.y + top)
        joint = [route[-1], Point(box.x + STRIP, inside.y), inside]
        level.edges.append(SceneEdge(joint, edge.tensors, "", edge.skips, False, None, box.block))
    if inner.exit is not None:
        inside = Point(inner.exit.x + left, inner.exit.y + top)
        right = box.x + box.width
        joint = [inside, Point(right - STRIP, inside.y), Point(right, box.y + box.height / 2)]
        names = tuple(dict.fromkeys(n for e in edges if e.source == node for n in e.tensors))
        level.edges.append(SceneEdge(joint, names, "", False, False, box.block, None))
