"""The tensors of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nnefkit.arrays import Array, Shape
from nnefkit.display.cards.tensor import SAMPLE, tensor_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card
from nnefkit.graph.frozen import frozen

DTYPES = ("scalar", "integer", "logical", "string")
"""The data types of tensors (3.3.1)."""


@frozen
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tensor(Displayed):
    """A tensor of a graph, with everything known about it without running the graph.

    Attributes:
        name: Its identifier in the graph.
        dtype: Its data type (3.3.1): ``"scalar"``, ``"integer"``, ``"logical"`` or ``"string"``.
        shape: Its extents, ``()`` for rank 0; None while they are not known.
        data: The values of a variable or a constant, a read-only array that may be mapped from a
            file; else None.
        label: The label of a variable (4.1.3); else None.
        quantization: Its line in ``graph.quant``, ``{"op-name": ..., **arguments}``; else None.
        origin: The node or module of the source model that it was converted from; else None.

    Example:
        >>> graph = nk.parse('''
        ... version 1.0;
        ... graph g(x) -> (y)
        ... {
        ...     x = external(shape = [2, 3]);
        ...     y = relu(x);
        ... }
        ... ''')
        >>> graph.tensor("y").dtype, graph.tensor("y").shape
        ('scalar', (2, 3))
    """

    name: str
    dtype: str = "scalar"
    shape: Shape | None = None
    data: Array | None = None
    label: str | None = None
    quantization: Mapping[str, Any] | None = None
    origin: str | None = None

    def _card(self, *, brief: bool) -> Card:
        return tensor_card(
            self,
            brief=brief,
            label=self.label or "",
            quantization=self.quantization,
            origin=self.origin or "",
            sample=50_000 if brief else SAMPLE,
        )
