"""The readers of ATen operators, registered under the operators' names.

A reader takes a `Call` and the operator's arguments by the names of its schema (``x`` for
``self``), and gives the value of its result, or a list of them. What NNEF cannot say it refuses.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnefkit.exchange import call
from nnefkit.exchange.source_graph import DType, Value
from nnefkit.registry import Registry

READERS = Registry()
"""Name of an ATen operator, without its overload -> its reader."""
operator = READERS.register

Padded = tuple[Value, Sequence[tuple[int, int]]]
"""A tensor, and how many zeros are added to each of its axes."""


def parameters(reader: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The arguments that a reader takes beside the call."""
    return dict([*inspect.signature(reader).parameters.items()][1:])


@dataclass(eq=False)
class Call(call.Call):
    """A call of an ATen operator."""

    shapes: list[tuple[int, ...]]
    """Of the results, as PyTorch has them."""
    dtypes: list[DType]
    """What the items of the results are."""
    wanted: frozenset[int]
    """Numbers of the results that somebody reads."""
    name: str = ""
    """What the tensor that it computes will be called."""
    folds: bool = False
    """Whether normalizations go into the convolutions before them."""
    convolution: tuple[Mapping[str, Any], Padded | None] | None = None
    """Arguments of the convolution that it reads alone, if its weights are known; and what that
    read before zeros were added."""
    padded: Padded | None = None
    """What it reads before zeros were added, which nobody else reads."""
    note: str = ""
    """In what its result differs from PyTorch's on purpose, so that they are not compared."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first result."""
        return self.shapes[0]

    @property
    def scalar_dtype(self) -> DType:
        """float64 if a result is float64."""
        return np.dtype(np.float64 if np.float64 in self.dtypes else np.float32)
