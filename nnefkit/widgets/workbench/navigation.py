"""Ways through a scene: the neighbor of a box, the paths to and from a block."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from nnefkit.pictures.outline import Outline, OutlineBlock
from nnefkit.widgets.workbench.scene import Scene, SceneBox, SceneEdge


def neighbor(scene: Scene, key: str, to: str) -> SceneBox | None:
    """Return the box next to a block: along an edge, or above, below, first, last.

    Args:
        scene: The scene.
        key: The block.
        to: ``"next"`` and ``"previous"`` follow the edges, ``"up"`` and ``"down"`` the picture,
            ``"first"`` and ``"last"`` lead to the ends, ``"out"`` to the open block around it.
    """
    here = scene.box_of[key]
    if to in ("first", "last"):
        closed = list(scene.outline.closed())
        return scene.box_of[closed[0 if to == "first" else -1].key]
    if to == "out":
        parent = here.block.parent
        return None if parent is None else scene.box_of.get(parent.key)
    if to in ("next", "previous"):
        return _along(scene, here, forward=to == "next")
    return _beside(scene, here, 1 if to == "down" else -1)


def _along(scene: Scene, here: SceneBox, *, forward: bool) -> SceneBox | None:
    """Follow an edge; from the last one of an open block, to what follows that."""
    inside = set(here.block.group.operations)
    outline = scene.outline
    if forward and here.block.is_open:
        return scene.box_of[outline.children(here.block)[0].key]
    names: Iterable[str]
    if forward:
        names = outline.leaving(here.block)
        if here.block.kind == "input":
            names = here.block.group.names
        found = [n for name in names for n in outline.readers.get(name, ()) if n not in inside]
    else:
        names = dict.fromkeys(
            name for n in here.block.group.operations for name in outline.operations[n].inputs
        )
        if here.block.kind == "output":
            names = here.block.group.names
        found = [outline.maker[name] for name in names if name in outline.maker]
        found = [n for n in found if n not in inside]
    blocks = {block.key: block for n in found if (block := outline.visible(n)) is not None}
    boxes = [scene.box_of[key] for key in blocks if key in scene.box_of]
    boxes = [box for box in boxes if box is not here]
    if forward and not boxes:
        boxes = [
            box
            for box in scene.boxes
            if box.block.kind == "output" and set(box.block.group.names) & set(names)
        ]
    middle = here.y + here.height / 2
    return min(boxes, key=lambda box: abs(box.y + box.height / 2 - middle), default=None)


def _beside(scene: Scene, here: SceneBox, sign: int) -> SceneBox | None:
    """Return the nearest box above or below; open blocks are passed over."""
    x, y = here.x + here.width / 2, here.y + here.height / 2
    best, distance = None, float("inf")
    for box in scene.boxes:
        if box.block.is_open or box is here:
            continue
        across = abs(box.x + box.width / 2 - x)
        down = sign * (box.y + box.height / 2 - y)
        if down > 4 and down + 2 * across < distance:
            best, distance = box, down + 2 * across
    return best


def lit(
    outline: Outline,
    block: OutlineBlock,
    boxes: Sequence[SceneBox],
    edges: Sequence[SceneEdge],
) -> tuple[list[str], list[int]]:
    """Return the boxes (by key) and edges (by number) on paths to and from a block."""
    own = set(block.group.operations)
    names = set(block.group.names) if block.kind in ("input", "output") else set()
    before = _closure(
        own,
        lambda n: [outline.maker[i] for i in outline.operations[n].inputs if i in outline.maker],
        [outline.maker[name] for name in names if name in outline.maker],
    )
    after = _closure(
        own,
        lambda n: [r for o in outline.operations[n].outputs for r in outline.readers.get(o, ())],
        [reader for name in names for reader in outline.readers.get(name, ())],
    )
    ends = {*after, *own} if block.kind != "output" else set()
    shown = [
        box.block.key
        for box in boxes
        if box.block is not block and _touches(outline, box.block, before, ends, names)
    ]
    upstream = {*before, *own}
    return shown, [
        edge.number
        for edge in edges
        if _carries(outline, edge, before, upstream)
        or _carries(outline, edge, ends, after)
        or (block.kind == "output" and not names.isdisjoint(edge.tensors))
    ]


def _closure(
    own: Collection[int], step: Callable[[int], Iterable[int]], more: Iterable[int]
) -> set[int]:
    """Return the operations that are reached from some, without these."""
    seen = set(own)
    waiting = [*own, *more]
    seen.update(waiting)
    for number in waiting:
        for other in step(number):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen.difference(own)


def _touches(
    outline: Outline,
    block: OutlineBlock,
    before: set[int],
    after: set[int],
    names: Collection[str],
) -> bool:
    if block.kind == "output":
        return any(outline.maker.get(name) in after for name in block.group.names) and not (
            set(block.group.names) & set(names)
        )
    return any(n in before or n in after for n in block.group.operations)


def _carries(outline: Outline, edge: SceneEdge, made: set[int], read: set[int]) -> bool:
    """Return whether an edge has a tensor made and read by some operations, at its target."""
    target = edge.target
    inside = None if target is None else set(target.group.operations)
    for name in edge.tensors:
        maker = outline.maker.get(name)
        if maker is not None and maker not in made:
            continue
        if target is not None and target.kind == "output":
            if maker in made:
                return True
            continue
        for reader in outline.readers.get(name, ()):
            if reader in read and (inside is None or reader in inside):
                return True
    return False
