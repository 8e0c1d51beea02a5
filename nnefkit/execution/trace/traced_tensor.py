"""One tensor of a run by itself, with the operation that computed it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import DTypeLike

from nnefkit.arrays import Array
from nnefkit.display.cards.tensor import tensor_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card
from nnefkit.display.statistics import Statistics
from nnefkit.graph import Operation


@dataclass(frozen=True, eq=False, repr=False)
class TracedTensor(Displayed):
    """A tensor and the values that it had in a run; NumPy takes it for an array."""

    name: str
    dtype: str
    """The data-type: ``"scalar"``, ``"integer"`` or ``"logical"``."""
    data: Array = field(repr=False)
    """The values, read-only."""
    operation: Operation | None = None
    """The operation that computed it; None if the graph is not known."""
    line: int | None = None
    """Where the operation stands in the text of the graph."""
    statistics: Statistics | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents of the values."""
        shape: tuple[int, ...] = self.data.shape
        return shape

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.asarray(self.data, dtype) if not copy else np.array(self.data, dtype)

    def _card(self, *, brief: bool) -> Card:
        return tensor_card(
            self,
            brief=brief,
            known=self.statistics,
            producer=self.operation.name if self.operation else "",
            line=self.line,
            access=f'trace["{self.name}"]',
        )
