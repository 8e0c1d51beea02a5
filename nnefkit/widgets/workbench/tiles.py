"""Tiles: the part of a scene that is in view, as messages of bounded size.

Near by, a tile has the boxes and edges with all their words. From afar it is a picture of class
codes, which the browser colors; so a message is as large as what is seen, not as the graph.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from nnefkit.display.numbers import shape as shape_text
from nnefkit.display.visible_text import visible
from nnefkit.widgets.workbench.appearance import Appearance
from nnefkit.widgets.workbench.scene import Scene, SceneBox, SceneEdge

TILE = 1024
"""Width and height of a tile near by, in pixels of the scene."""
PICTURE = 512
"""Width and height of the picture of a tile from afar."""
FEW = 600
"""Scenes of so many boxes are always drawn with all their words."""
FAR = 0.34
"""Scale below which the pictures of a large scene are drawn."""
NAMES = 4
"""Number of tensors of an edge that a tile names."""
LONGEST = 80
EMPTY, LINE, OPEN, FAMILY, LEVEL = 0, 1, 2, 16, 32
"""Codes in a picture: nothing, an edge, an open block; from here on families, and classes."""


class Tiles:
    """The tiles of a scene.

    Args:
        scene: The scene.
        appearance: How its boxes look.
    """

    def __init__(self, scene: Scene, appearance: Appearance) -> None:
        self.scene = scene
        self.appearance = appearance
        self._boxes: dict[tuple[int, int], list[SceneBox]] = {}
        self._edges: dict[tuple[int, int], list[SceneEdge]] = {}
        for box in scene.boxes:
            area = (box.x, box.y - 14, box.x + box.width, box.y + box.height)
            for place in _places(area, TILE):
                self._boxes.setdefault(place, []).append(box)
        for edge in scene.edges:
            for place in _route_places(edge):
                self._edges.setdefault(place, []).append(edge)

    @property
    def distant(self) -> bool:
        """Whether the scene is so large that pictures of it are drawn from afar."""
        return len(self.scene.boxes) > FEW

    def tile(self, column: int, row: int) -> dict[str, Any]:
        """Return the boxes and edges of a tile, those that it shares with others included."""
        return {
            "at": [column, row],
            "boxes": [self.box(box) for box in self._boxes.get((column, row), ())],
            "edges": [self.edge(edge) for edge in self._edges.get((column, row), ())],
        }

    def box(self, box: SceneBox) -> dict[str, Any]:
        """Return a box as the browser draws it."""
        level, value, mark = self.appearance.look(box)
        measured = box.measured
        content: dict[str, Any] = {
            "key": box.block.key,
            "area": [round(v, 1) for v in (box.x, box.y, box.width, box.height)],
            "kind": "open" if box.block.is_open else box.block.kind,
            "family": self.appearance.families[box.number],
            "title": measured.title,
        }
        if measured.badge:
            content["badge"] = measured.badge
        if measured.lines and not box.block.is_open:
            content["lines"] = list(measured.lines)
        if level:
            content["level"] = level
        if value:
            content["value"] = value
        if mark:
            content["mark"] = mark
        if box.block.is_open:
            content["lines"] = [f"{len(box.block.group.operations):,} operations"]
        return content

    def edge(self, edge: SceneEdge) -> dict[str, Any]:
        """Return an edge as the browser draws it."""
        content: dict[str, Any] = {
            "id": edge.number,
            "points": [round(v, 1) for point in edge.points for v in point],
            "names": [visible(name, LONGEST) for name in edge.tensors[:NAMES]],
            "shape": self._shapes(edge),
        }
        if len(edge.tensors) > NAMES:
            content["more"] = len(edge.tensors) - NAMES
        if edge.label:
            content["label"] = edge.label
        if edge.skips:
            content["skips"] = 1
        if edge.head:
            content["head"] = 1
        return content

    def _shapes(self, edge: SceneEdge) -> str:
        shapes = self.scene.outline.shape_of
        return ", ".join(shape_text(shapes.get(name)) for name in edge.tensors[:NAMES])

    def inside(self, places: Iterable[tuple[int, int]]) -> tuple[list[SceneBox], list[SceneEdge]]:
        """Return the boxes and the edges of some tiles, each once."""
        places = list(places)
        boxes = {box.number: box for place in places for box in self._boxes.get(place, ())}
        edges = {edge.number: edge for place in places for edge in self._edges.get(place, ())}
        return list(boxes.values()), list(edges.values())

    def at(self, x: float, y: float) -> SceneBox | None:
        """Return the innermost box at a point of the scene."""
        found = None
        for box in self._boxes.get((int(x // TILE), int(y // TILE)), ()):
            inside = box.x <= x <= box.x + box.width and box.y <= y <= box.y + box.height
            if inside and (found is None or len(box.block.key) > len(found.block.key)):
                found = box
        return found

    # -- from afar --------------------------------------------------------------------------------

    def picture(self, level: int, column: int, row: int) -> str:
        """Return a tile from afar as the ``data:`` URI of a PNG file of codes.

        Args:
            level: It has a pixel for 2^level pixels of the scene in each direction.
            column: Number of the tile from the left, from 0.
            row: Number of the tile from the top, from 0.
        """
        size = PICTURE << level
        left, top = column * size, row * size
        return self._drawn(left, top, 1 / (1 << level), PICTURE, PICTURE)

    def overview(self, width: int, height: int) -> str:
        """Return a picture of the whole scene, for the map in the corner."""
        scale = min(width / max(self.scene.width, 1), height / max(self.scene.height, 1))
        wide = max(1, round(self.scene.width * scale))
        high = max(1, round(self.scene.height * scale))
        return self._drawn(0.0, 0.0, scale, wide, high)

    def _drawn(self, left: float, top: float, scale: float, width: int, height: int) -> str:
        from PIL import Image, ImageDraw

        image = Image.new("L", (width, height), EMPTY)
        draw = ImageDraw.Draw(image)
        right, bottom = left + width / scale, top + height / scale
        places = list(_places((left, top, right - 1, bottom - 1), TILE))
        every = len(places) >= len(self._boxes)
        boxes, edges = (self.scene.boxes, self.scene.edges) if every else self.inside(places)
        if scale > 1 / 24:
            for edge in edges:
                points = [((x - left) * scale, (y - top) * scale) for x, y in edge.points]
                draw.line(points, fill=LINE)
        for box in boxes:
            x, y = (box.x - left) * scale, (box.y - top) * scale
            area = [x, y, max(x, x + box.width * scale - 1), max(y, y + box.height * scale - 1)]
            if box.block.is_open:
                draw.rectangle(area, outline=OPEN)
            else:
                draw.rectangle(area, fill=self._code(box))
        file = io.BytesIO()
        image.save(file, "PNG", optimize=False)
        return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")

    def _code(self, box: SceneBox) -> int:
        if self.appearance.overlay is not None:
            return LEVEL + self.appearance.look(box).level
        return FAMILY + self.appearance.families[box.number]


def _places(area: tuple[float, float, float, float], size: int) -> Iterable[tuple[int, int]]:
    left, top, right, bottom = (int(v // size) for v in area)
    return [(i, j) for i in range(left, right + 1) for j in range(top, bottom + 1)]


def _route_places(edge: SceneEdge) -> dict[tuple[int, int], None]:
    """Return the tiles that an edge passes, with the room for its label."""
    found: dict[tuple[int, int], None] = {}
    points = edge.points
    for a, b in pairwise(points):
        area = (min(a.x, b.x), min(a.y, b.y) - 14, max(a.x, b.x), max(a.y, b.y))
        found.update(dict.fromkeys(_places(area, TILE)))
    return found
