"""The workbench behind the widget: what is open, what is selected, which overlay is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnefkit.display.numbers import plural
from nnefkit.display.visible_text import visible
from nnefkit.pictures.evidence import ViewEvidence
from nnefkit.pictures.known_overlays import NAMES, NONE, Overlays, of_series
from nnefkit.pictures.outline import Detail, Outline, OutlineBlock
from nnefkit.pictures.overlays import Overlay
from nnefkit.widgets.workbench.appearance import Appearance
from nnefkit.widgets.workbench.inspector import Inspector, crumbs
from nnefkit.widgets.workbench.scene import Scene
from nnefkit.widgets.workbench.search import SearchIndex
from nnefkit.widgets.workbench.tiles import FAR, PICTURE, TILE, Tiles

MAP = (176, 120)
"""Width and height of the map in the corner."""
FEW_BOXES = 3
"""A graph that has fewer blocks begins with some of them open."""
MAX_TILES = 48
"""Maximum number of tiles in an answer."""

Message = dict[str, Any]


class Workbench:
    """A graph that is looked at: which blocks are open, what is selected, which overlay is shown.

    Args:
        evidence: The graph, and what is known about it.
        detail: ``"blocks"`` or ``"operations"``.
    """

    def __init__(self, evidence: ViewEvidence, detail: Detail = "blocks") -> None:
        self.evidence = evidence
        self.viewed = evidence.viewed
        self.known_overlays = Overlays(evidence)
        self.inspector = Inspector(evidence, self.known_overlays)
        self.index = SearchIndex(self.viewed)
        self.overlay: Overlay | None = None
        self.tensor = ""
        """The selected tensor; empty if there is none."""
        self.cursor = ""
        """Key of the block that is selected; empty if there is none."""
        self.version = 0
        self._outlines: dict[Detail, Outline] = {}
        self._scenes: dict[Detail, tuple[tuple[int, bool], Scene]] = {}
        self.detail: Detail = detail
        key = self.known_overlays.default()
        if key != NONE:
            self.overlay = self.known_overlays.overlay(key)
        self._open_few()
        self._build()

    # -- the scene --------------------------------------------------------------------------------

    @property
    def outline(self) -> Outline:
        """The outline of the present detail."""
        if self.detail not in self._outlines:
            viewed = self.viewed
            self._outlines[self.detail] = Outline(
                viewed.operations, viewed.inputs, viewed.outputs, self.detail
            )
        return self._outlines[self.detail]

    def _open_few(self) -> None:
        """Open the largest blocks of a graph that would begin as only a few."""
        for _ in range(FEW_BOXES):
            closed = [block for block in self.outline.closed() if block.kind == "block"]
            if not 0 < len(closed) < FEW_BOXES:
                return
            self.outline.open(max(closed, key=lambda block: len(block.group.operations)))

    def _build(self) -> None:
        """Lay out the scene again, after blocks were opened or folded."""
        valued = self.overlay is not None
        key = (self.outline.revision, valued)
        known = self._scenes.get(self.detail)
        if known is None or known[0] != key:
            known = key, Scene(self.outline, valued=valued)
            self._scenes[self.detail] = known
        self.scene = known[1]
        self._style()

    def _style(self) -> None:
        """Compute what the overlay shows of each box."""
        self.version += 1
        changes = bool(self.viewed.changes)
        self.appearance = Appearance(
            self.scene, self.overlay, self.evidence.suspicious, changes=changes
        )
        self.tiles = Tiles(self.scene, self.appearance)

    def scene_message(self, anchor: OutlineBlock | None = None) -> Message:
        """Return the scene without its tiles.

        Args:
            anchor: A block that is to stay at its place on the screen.
        """
        scene = self.scene
        message: Message = {
            "kind": "scene",
            "version": self.version,
            "width": round(scene.width, 1),
            "height": round(scene.height, 1),
            "boxes": len(scene.boxes),
            "tile": TILE,
            "picture": PICTURE,
            "far": FAR if self.tiles.distant else 0,
            "detail": self.detail,
            "title": visible(self.viewed.graph.name, 20),
            "name": visible(self.viewed.graph.name, 200),
            "facts": self._facts(),
            "overview": self.tiles.overview(*MAP),
            "overlays": [[key, NAMES[key]] for key in self.known_overlays.available()],
            "overlay": self._overlay_message(),
            "families": self.appearance.legend(),
            "errors": len(self.evidence.suspicious),
            "cursor": self._cursor_message(),
        }
        if anchor is not None and anchor.key in scene.box_of:
            box = scene.box_of[anchor.key]
            message["anchor"] = [anchor.key, round(box.x, 1), round(box.y, 1)]
        return message

    def _facts(self) -> str:
        shown = sum(1 for box in self.scene.boxes if box.block.kind in ("operation", "block"))
        count = sum(1 for _ in self.viewed.computations())
        words = f"{plural(count, 'operation')} · {shown:,} {'box' if shown == 1 else 'boxes'}"
        if self.viewed.other is not None:
            words = " against ".join(visible(label, 30) for label in self.viewed.labels)
            kinds = [change.kind for change in self.viewed.changes.values()]
            counted = [
                f"{kinds.count(kind):,} {kind}"
                for kind in ("added", "removed", "changed")
                if kind in kinds
            ]
            words += " · " + (", ".join(counted) or "no operation differs")
        return words

    def _overlay_message(self) -> Message | None:
        overlay = self.overlay
        drawn = self.outline.drawn_numbers()
        if overlay is None:
            strip = self.known_overlays.overlay("macs").strip(drawn)
            return {"key": NONE, "strip": strip}
        return {
            "key": overlay.key,
            "title": visible(overlay.title, 60),
            "legend": overlay.legend(self.appearance.scale),
            "strip": overlay.strip(drawn),
        }

    def first(self) -> Message:
        """Return the first message: the scene, and the tiles of its upper left part."""
        if self.tiles.distant:
            places = [(0, 0)]
        else:
            wide, high = self.scene.width, self.scene.height
            columns, rows = range(int(wide // TILE) + 1), range(int(high // TILE) + 1)
            places = [(i, j) for j in rows for i in columns][:MAX_TILES]
        return {
            "scene": self.scene_message(),
            "tiles": self.tiles_message(places),
        }

    def prepare(self) -> None:
        """Compute the costs that the inspector shows, which takes long for a large graph."""
        self.inspector.cost([])

    def tiles_message(self, places: Sequence[tuple[int, int]]) -> Message:
        """Return the boxes and edges of some tiles."""
        tiles = [self.tiles.tile(i, j) for i, j in places]
        return {"kind": "tiles", "version": self.version, "tiles": tiles}

    # -- opening and folding ----------------------------------------------------------------------

    def open_all(self) -> list[Message]:
        """Open all blocks that are visible, and return the new scene."""
        for block in list(self.outline.closed()):
            self.outline.open(block)
        return self._rebuilt()

    def fold_all(self) -> list[Message]:
        """Fold all blocks, and return the new scene."""
        for block in self.outline.roots:
            self.outline.fold(block)
        return self._rebuilt()

    def _rebuilt(self) -> list[Message]:
        self._build()
        self._follow_selection()
        return [self.scene_message(), *(self.inspected() if self.cursor else [])]

    def set_open(self, block: OutlineBlock, is_open: bool) -> list[Message]:
        """Open or fold a block, and return the new scene."""
        if is_open and not self.outline.open(block):
            return [{"kind": "status", "text": "There is nothing inside to open."}]
        if not is_open:
            self.outline.fold(block)
        self._build()
        self.cursor = block.key
        if not is_open:
            self.tensor = self.outline.result(block)
        return [self.scene_message(block), *self.inspected()]

    def set_detail(self, detail: Detail) -> list[Message]:
        """Show blocks or single operations, and return the new scene."""
        self.detail = detail
        self._build()
        self._follow_selection()
        shown = [self.scene_message()]
        return shown + (self.inspected(center=True) if self.cursor else [])

    def _follow_selection(self) -> None:
        """Move the cursor to the box that represents the selected tensor now."""
        if self.tensor in self.viewed.numbers:
            number = self.outline.drawn(self.viewed.numbers[self.tensor])
            block = self.outline.visible(number)
            self.cursor = block.key if block is not None else ""
        else:
            self.cursor = ""

    # -- selection --------------------------------------------------------------------------------

    def select(self, tensor: str) -> list[Message]:
        """Select a tensor and its operation, opening the blocks around it.

        Raises:
            UnknownNameError: There is no such tensor.
        """
        number = self.viewed.numbers[self.viewed.known(tensor)]
        drawn = self.outline.drawn(number)
        before = {box.block.key for box in self.scene.boxes}
        block = self.outline.reveal(drawn)
        self.tensor = tensor
        self.cursor = "" if block is None else block.key
        shown: list[Message] = []
        if block is not None and block.key not in before:
            self._build()
            shown.append(self.scene_message())
        return [*shown, *self.inspected(center=True)]

    def select_block(self, block: OutlineBlock, *, center: bool = False) -> list[Message]:
        """Select a block; its result becomes the selected tensor."""
        self.cursor = block.key
        self.tensor = self.outline.result(block)
        return self.inspected(center=center)

    def deselect(self) -> list[Message]:
        """Select nothing."""
        self.cursor = self.tensor = ""
        return [{"kind": "inspect", "content": None, "cursor": None}]

    def inspected(self, *, center: bool = False) -> list[Message]:
        """Return the description of what is selected.

        Args:
            center: Whether the picture moves so that it is in view.
        """
        content = self._content()
        return [
            {
                "kind": "inspect",
                "content": content,
                "cursor": self._cursor_message(),
                "center": center,
                "number": self.viewed.numbers.get(self.tensor),
                "spoken": self._spoken(content),
            }
        ]

    def _content(self) -> Message | None:
        outline = self.outline
        block = outline.get(self.cursor)
        if block is not None and block.kind == "block":
            return self.inspector.block(block, self.tensor, outline)
        if self.tensor in self.viewed.numbers:
            number = self.viewed.numbers[self.tensor]
            return self.inspector.operation(number, self.tensor, outline)
        if block is None:
            return None
        box = outline.box(block)
        return {
            "name": visible(box.title, 80),
            "tensor": "",
            "where": box.kind,
            "crumbs": crumbs(outline, block),
            "lines": [visible(line, 120) for line in box.lines],
            "facts": [],
            "tabs": [],
            "note": "",
        }

    def _cursor_message(self) -> Message | None:
        box = self.scene.box_of.get(self.cursor)
        if box is None:
            return None
        area = [round(v, 1) for v in (box.x, box.y, box.width, box.height)]
        block = box.block
        opens = block.kind == "block" or block.is_open
        return {"key": block.key, "area": area, "opens": opens, "isOpen": block.is_open}

    def _spoken(self, content: Message | None) -> str:
        """Return the selection in words, for readers who cannot see it."""
        if content is None:
            return "nothing selected"
        parts = [str(content["name"]), str(content["where"])]
        parts += [f"{key} {value}" for key, value in content["facts"] if key == "result"]
        verdict = content.get("verdict")
        if verdict:
            parts.append(str(verdict["title"]))
        block = self.outline.get(self.cursor)
        if block is not None and self.overlay is not None:
            value = self.overlay.value(block.group.operations)
            words = self.overlay.words(value)
            if words:
                parts.append(f"{self.overlay.title} {words}")
        if block is not None and block.kind == "block":
            parts.append("open" if block.is_open else "folded, Enter opens it")
        return ", ".join(visible(part, 200) for part in parts)

    # -- overlays ---------------------------------------------------------------------------------

    def set_overlay(self, given: Any) -> list[Message]:
        """Show another overlay: the key of one, None, or a Series by tensor.

        Raises:
            InputError: There is no data for it.
            UnknownNameError: There is no such overlay, or a Series names a tensor that is unknown.
        """
        if given is None or (isinstance(given, str) and given == NONE):
            self.overlay = None
        elif isinstance(given, str):
            self.overlay = self.known_overlays.overlay(given)
        else:
            self.overlay = of_series(given, self.viewed)
        if self.scene.valued != (self.overlay is not None):
            self._build()
        else:
            self._style()
        return [self.scene_message()]
