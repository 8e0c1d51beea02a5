"""The appearance of the boxes of a scene: families, what the overlay shows, and marks."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, NamedTuple

from nnefkit.display.vocabulary import (
    ELEMENTWISE,
    INTRODUCING,
    NORMALIZATIONS,
    OTHERS,
    PRODUCTS,
    REDUCTIONS,
    SHAPING,
    family,
)
from nnefkit.pictures.overlays import Overlay
from nnefkit.widgets.workbench.scene import Scene, SceneBox

FAMILIES = (
    PRODUCTS,
    REDUCTIONS,
    NORMALIZATIONS,
    ELEMENTWISE,
    SHAPING,
    INTRODUCING,
    OTHERS,
)
"""The families of operations, by their number in messages."""


class Look(NamedTuple):
    """What a box shows besides its words."""

    level: int
    """Its class in the overlay, 0 for none."""
    value: str
    """Its value in the overlay, in words."""
    mark: str
    """``"!"`` where something is wrong."""


class Appearance:
    """How each box of a scene looks.

    Args:
        scene: The scene.
        overlay: The overlay; None if there is none.
        suspicious: Numbers of the operations that are marked.
        changes: Whether these are changes, which the overlay shows already.
    """

    def __init__(
        self,
        scene: Scene,
        overlay: Overlay | None,
        suspicious: Collection[int],
        *,
        changes: bool,
    ) -> None:
        self.overlay = overlay
        self._suspicious = frozenset(suspicious)
        self._changes = changes
        self.families = []
        """Number of the family of each box."""
        for box in scene.boxes:
            name = box.measured.content.operation
            self.families.append(FAMILIES.index(family(name) if name else INTRODUCING))
        self._values = [math.nan] * len(scene.boxes)
        self.scale = (0.0, 0.0)
        """The values at the ends of the color scale."""
        if overlay is not None:
            self._values = [overlay.value(box.block.group.operations) for box in scene.boxes]
            pairs = zip(self._values, scene.boxes, strict=True)
            self.scale = overlay.scale(value for value, box in pairs if not box.block.is_open)

    def look(self, box: SceneBox) -> Look:
        """Return what a box shows besides its words."""
        operations = box.block.group.operations
        marked = sum(1 for n in operations if n in self._suspicious) if self._suspicious else 0
        mark = ""
        if marked and not self._changes:
            mark = "!" if marked == 1 else f"! {marked:,}"
        overlay = self.overlay
        if overlay is None:
            return Look(0, "", mark)
        value = self._values[box.number]
        words = overlay.words(value, marked if overlay.categories else 0)
        return Look(overlay.level(value, self.scale), words, mark)

    def legend(self) -> list[list[Any]]:
        """Return number and name of each family in the scene."""
        return [[number, FAMILIES[number].name] for number in sorted({*self.families})]
