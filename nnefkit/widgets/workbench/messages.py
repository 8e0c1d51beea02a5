"""The messages of the browser, and their answers.

A message has a key ``"ask"``, an answer a key ``"kind"``. Anything that does not fit is ignored: a
message may have been overtaken, or come from a page that was stored with an older version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nnefkit.errors import NnefError
from nnefkit.widgets.workbench import tensor_pictures
from nnefkit.widgets.workbench.navigation import lit, neighbor
from nnefkit.widgets.workbench.search import LISTED
from nnefkit.widgets.workbench.workbench import MAX_TILES, Message, Workbench

DEEPEST = 12
"""Farthest level of pictures of a scene."""


def answer(bench: Workbench, message: Any) -> list[Message]:
    """Return the answers to a message of the browser."""
    if not isinstance(message, Mapping):
        return []
    handler = _HANDLERS.get(str(message.get("ask", "")))
    if handler is None:
        return []
    try:
        return handler(bench, message)
    except NnefError as error:
        return [{"kind": "status", "text": str(error), "tone": "wrong"}]
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        return []


def _hello(bench: Workbench, message: Any) -> list[Message]:
    """Begin: the scene, unless the page has it already, and the selection."""
    selected = bench.inspected() if bench.cursor else []
    if message.get("version") == bench.version:
        return selected
    return [bench.scene_message(), *selected]


def _tiles(bench: Workbench, message: Any) -> list[Message]:
    """Return tiles of the scene, or pictures of them from afar."""
    if message["version"] != bench.version:
        return []
    places = _places(message)
    level = min(int(message.get("level", 0)), DEEPEST)
    if level <= 0:
        return [bench.tiles_message(places)]
    pictures = [[level, i, j, bench.tiles.picture(level, i, j)] for i, j in places]
    return [{"kind": "pictures", "version": bench.version, "pictures": pictures}]


def _places(message: Any) -> list[tuple[int, int]]:
    return [(int(i), int(j)) for i, j in message["places"][:MAX_TILES]]


def _toggle(bench: Workbench, message: Any) -> list[Message]:
    block = bench.outline[str(message["key"])]
    return bench.set_open(block, not block.is_open)


def _all(bench: Workbench, message: Any) -> list[Message]:
    return bench.open_all() if message.get("open") else bench.fold_all()


def _detail(bench: Workbench, message: Any) -> list[Message]:
    wanted = message["detail"]
    return bench.set_detail(wanted) if wanted in ("blocks", "operations") else []


def _select(bench: Workbench, message: Any) -> list[Message]:
    """Select a tensor, an operation by its number, a block by its key, or what is at a point."""
    if "tensor" in message:
        return bench.select(str(message["tensor"]))
    if "number" in message:
        outputs = bench.viewed.operations[int(message["number"])].outputs
        return bench.select(outputs[0]) if outputs else []
    if "key" in message:
        return bench.select_block(bench.outline[str(message["key"])])
    box = bench.tiles.at(float(message["x"]), float(message["y"]))
    return bench.select_block(box.block) if box is not None else bench.deselect()


def _move(bench: Workbench, message: Any) -> list[Message]:
    """Move the selection to a neighbor."""
    to = str(message["to"])
    start = bench.cursor
    if start not in bench.scene.box_of:
        start, to = bench.scene.boxes[0].block.key, "last" if to == "last" else "first"
    found = neighbor(bench.scene, start, to)
    if found is None:
        return [{"kind": "status", "text": "There is nothing further that way."}]
    return bench.select_block(found.block, center=True)


def _next_error(bench: Workbench, message: Any) -> list[Message]:
    """Select the next or previous operation that differs or has changed; begin again at the end."""
    errors = bench.evidence.suspicious
    if not errors:
        text = "Nothing here differs or is NaN, as far as is known."
        return [{"kind": "status", "text": text}]
    at = bench.viewed.numbers.get(bench.tensor, -1)
    back = bool(message.get("back"))
    following = [n for n in errors if n < at] if back else [n for n in errors if n > at]
    chosen = (following or errors)[-1 if back else 0]
    place = f"{errors.index(chosen) + 1:,} of {len(errors):,}"
    text = f"{'change' if bench.viewed.changes else 'error'} {place}"
    outputs = bench.viewed.operations[chosen].outputs
    return [*bench.select(outputs[0]), {"kind": "status", "text": text}]


def _path(bench: Workbench, message: Any) -> list[Message]:
    """Return which boxes and edges in some tiles are on paths to and from a block."""
    if message["version"] != bench.version:
        return []
    block = bench.outline[str(message["key"])]
    boxes, edges = bench.tiles.inside(_places(message))
    found = lit(bench.outline, block, boxes, edges)
    return [{"kind": "path", "key": block.key, "boxes": found[0], "edges": found[1]}]


def _search(bench: Workbench, message: Any) -> list[Message]:
    query = str(message.get("text", ""))
    matches = bench.index.search(query)
    listed = [[match.tensor, match.words] for match in matches[:LISTED]]
    return [{"kind": "found", "text": query, "matches": listed, "total": len(matches)}]


def _picture(bench: Workbench, message: Any) -> list[Message]:
    """Return a view of a tensor: its channels, a heat map, values."""
    tensor = str(message.get("tensor", ""))
    sides, note = bench.inspector.values(tensor)
    is_weight = tensor in bench.viewed.numbers and bool(bench.viewed.tensor(tensor).label)
    shown = tensor_pictures.picture(sides, message, parameter=is_weight)
    return [{"kind": "picture", "tensor": tensor, "note": note, **shown}]


def _overlay(bench: Workbench, message: Any) -> list[Message]:
    return bench.set_overlay(str(message["key"]))


_HANDLERS: Mapping[str, Callable[[Workbench, Any], list[Message]]] = {
    "hello": _hello,
    "tiles": _tiles,
    "toggle": _toggle,
    "all": _all,
    "detail": _detail,
    "select": _select,
    "move": _move,
    "next": _next_error,
    "path": _path,
    "search": _search,
    "picture": _picture,
    "overlay": _overlay,
}
