"""One tensor of a run, with the operation that computed it."""

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
    """A tensor and its values in a run; NumPy functions accept it as an array."""

    name: str
    dtype: str
    """The data-type: ``"scalar"``, ``"integer"`` or ``"logical"``."""
    data: Array = field(repr=False)
    """The values, read-only."""
    operation: Operation | None = None
    """The operation that computed it; None if the graph is not known."""
    line: int | None = None
    """Line of the operation in the text of the graph."""
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
