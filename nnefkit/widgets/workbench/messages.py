"""The messages of the browser, and their answers.

A message has a key ``"ask"``, an answer a key ``"kind"``. A message with fields that do not fit is
ignored: it may have been overtaken, or come from a page that was stored with an older version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from nnefkit.errors import NnefError
from nnefkit.pictures.outline import Detail, OutlineBlock
from nnefkit.widgets.workbench import tensor_pictures
from nnefkit.widgets.workbench.navigation import lit, neighbor
from nnefkit.widgets.workbench.search import LISTED
from nnefkit.widgets.workbench.workbench import MAX_TILES, Message, Workbench

DEEPEST = 12
"""Farthest level of pictures of a scene."""
LARGEST = 1 << 31
"""Magnitude above which an integer is not a number, a position or a version."""
_DETAILS: dict[str, Detail] = {"blocks": "blocks", "operations": "operations"}


class _UnfitError(Exception):
    """A field of a message is missing, or does not fit the present scene."""


class _Fields:
    """The fields of a message.

    Raises:
        _UnfitError: By each method, where a field is missing or is of another type.
    """

    def __init__(self, message: Mapping[str, Any]) -> None:
        self.all = message

    def __contains__(self, key: str) -> bool:
        return key in self.all

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string."""
        value = self.all.get(key, default)
        if not isinstance(value, str):
            raise _UnfitError
        return value

    def integer(self, key: str, default: int | None = None) -> int:
        """Return an integer."""
        return _integer(self.all.get(key, default))

    def coordinate(self, key: str) -> float:
        """Return a finite number."""
        value = self.all.get(key)
        if not isinstance(value, (int, float)) or not isfinite(value):
            raise _UnfitError
        return float(value)

    def places(self) -> list[tuple[int, int]]:
        """Return columns and rows of tiles."""
        value = self.all.get("places")
        if not isinstance(value, list):
            raise _UnfitError
        pairs = [pair for pair in value[:MAX_TILES] if isinstance(pair, list) and len(pair) == 2]
        return [(_integer(i), _integer(j)) for i, j in pairs]

    def block(self, bench: Workbench) -> OutlineBlock:
        """Return the block of a key."""
        block = bench.outline.get(self.text("key"))
        if block is None:
            raise _UnfitError
        return block


def _integer(value: Any) -> int:
    if not isinstance(value, int) or abs(value) > LARGEST:
        raise _UnfitError
    return value


def answer(bench: Workbench, message: Any) -> list[Message]:
    """Return the answers to a message of the browser."""
    if not isinstance(message, Mapping):
        return []
    handler = _HANDLERS.get(str(message.get("ask", "")))
    if handler is None:
        return []
    try:
        return handler(bench, _Fields(message))
    except NnefError as error:
        return [{"kind": "status", "text": str(error), "tone": "wrong"}]
    except _UnfitError:
        return []


def _hello(bench: Workbench, message: _Fields) -> list[Message]:
    """Begin: the scene, unless the page has it already, and the selection."""
    selected = bench.inspected() if bench.cursor else []
    if message.all.get("version") == bench.version:
        return selected
    return [bench.scene_message(), *selected]


def _prepare(bench: Workbench, _message: _Fields) -> list[Message]:
    """Compute what the first selection needs, while nobody waits for it."""
    bench.prepare()
    return []


def _tiles(bench: Workbench, message: _Fields) -> list[Message]:
    """Return tiles of the scene, or pictures of them from afar."""
    if message.integer("version") != bench.version:
        return []
    places = message.places()
    level = min(message.integer("level", 0), DEEPEST)
    if level <= 0:
        return [bench.tiles_message(places)]
    pictures = [[level, i, j, bench.tiles.picture(level, i, j)] for i, j in places]
    return [{"kind": "pictures", "version": bench.version, "pictures": pictures}]


def _toggle(bench: Workbench, message: _Fields) -> list[Message]:
    block = message.block(bench)
    return bench.set_open(block, not block.is_open)


def _all(bench: Workbench, message: _Fields) -> list[Message]:
    return bench.open_all() if message.all.get("open") else bench.fold_all()


def _detail(bench: Workbench, message: _Fields) -> list[Message]:
    wanted = message.text("detail")
    return bench.set_detail(_DETAILS[wanted]) if wanted in _DETAILS else []


def _select(bench: Workbench, message: _Fields) -> list[Message]:
    """Select a tensor, an operation by its number, a block by its key, or what is at a point."""
    if "tensor" in message:
        return bench.select(message.text("tensor"))
    if "number" in message:
        number = message.integer("number")
        if not 0 <= number < len(bench.viewed.operations):
            raise _UnfitError
        outputs = bench.viewed.operations[number].outputs
        return bench.select(outputs[0]) if outputs else []
    if "key" in message:
        return bench.select_block(message.block(bench))
    box = bench.tiles.at(message.coordinate("x"), message.coordinate("y"))
    return bench.select_block(box.block) if box is not None else bench.deselect()


def _move(bench: Workbench, message: _Fields) -> list[Message]:
    """Move the selection to a neighbor."""
    to = message.text("to")
    start = bench.cursor
    if not bench.scene.boxes:
        raise _UnfitError
    if start not in bench.scene.box_of:
        start, to = bench.scene.boxes[0].block.key, "last" if to == "last" else "first"
    found = neighbor(bench.scene, start, to)
    if found is None:
        return [{"kind": "status", "text": "There is nothing further that way."}]
    return bench.select_block(found.block, center=True)


def _next_error(bench: Workbench, message: _Fields) -> list[Message]:
    """Select the next or previous operation that differs or has changed; begin again at the end."""
    errors = bench.evidence.suspicious
    if not errors:
        text = "Nothing here differs or is NaN, as far as is known."
        return [{"kind": "status", "text": text}]
    at = bench.viewed.numbers.get(bench.tensor, -1)
    back = bool(message.all.get("back"))
    following = [n for n in errors if n < at] if back else [n for n in errors if n > at]
    chosen = (following or errors)[-1 if back else 0]
    place = f"{errors.index(chosen) + 1:,} of {len(errors):,}"
    text = f"{'change' if bench.viewed.changes else 'error'} {place}"
    outputs = bench.viewed.operations[chosen].outputs
    return [*bench.select(outputs[0]), {"kind": "status", "text": text}]


def _path(bench: Workbench, message: _Fields) -> list[Message]:
    """Return which boxes and edges in some tiles are on paths to and from a block."""
    if message.integer("version") != bench.version:
        return []
    block = message.block(bench)
    boxes, edges = bench.tiles.inside(message.places())
    found = lit(bench.outline, block, boxes, edges)
    return [{"kind": "path", "key": block.key, "boxes": found[0], "edges": found[1]}]


def _search(bench: Workbench, message: _Fields) -> list[Message]:
    query = message.text("text", "")
    matches = bench.index.search(query)
    listed = [[match.tensor, match.words] for match in matches[:LISTED]]
    return [{"kind": "found", "text": query, "matches": listed, "total": len(matches)}]


def _picture(bench: Workbench, message: _Fields) -> list[Message]:
    """Return a view of a tensor: its channels, a heat map, values."""
    tensor = message.text("tensor", "")
    sides, note = bench.inspector.values(tensor)
    is_weight = tensor in bench.viewed.numbers and bool(bench.viewed.tensor(tensor).label)
    shown = tensor_pictures.picture(sides, message.all, parameter=is_weight)
    return [{"kind": "picture", "tensor": tensor, "note": note, **shown}]


def _overlay(bench: Workbench, message: _Fields) -> list[Message]:
    return bench.set_overlay(message.text("key"))


_HANDLERS: Mapping[str, Callable[[Workbench, _Fields], list[Message]]] = {
    "hello": _hello,
    "prepare": _prepare,
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
