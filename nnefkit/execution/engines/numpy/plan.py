"""Plans: the function calls of a run, and the memory for their results."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.graph import Graph, Operation


@dataclass(slots=True)
class PlanStep:
    """One call of a function, for one operation or several fused ones."""

    operations: tuple[Operation, ...]
    function: Callable[..., Any]
    reads: tuple[str, ...]
    """Names of the tensors that it takes."""
    writes: tuple[str, ...]
    shape: tuple[int, ...] | None = None
    """Shape of the result, for which it is given memory; None if it allocates its results."""
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))
    """Of that result, and of the scratch memory."""
    scratch: int = 0
    """Number of elements of scratch memory that it needs while it runs."""
    in_place: bool = False
    """Whether the result may be written over an input of its size."""
    offset: int | None = None
    """Of the result in the arena, in bytes; None if the result has its own memory."""
    scratch_offset: int | None = None
    """Of the scratch memory in the arena, in bytes."""
    frees: tuple[str, ...] = ()
    """Names of the tensors that no later step reads."""

    @property
    def size(self) -> int:
        """Size of the result in bytes."""
        return math.prod(self.shape or ()) * self.dtype.itemsize


@dataclass(frozen=True)
class Plan:
    """All decisions that are made before a run."""

    graph: Graph
    steps: tuple[PlanStep, ...]
    fetch: tuple[str, ...]
    watched: frozenset[str]
    known: Mapping[str, Array]
    """Values of the tensors that are known before the run and are read, fetched or watched."""
    constant: tuple[Operation, ...]
    """Operations on weights alone, already computed, whose results are watched."""
    memory: int
    """Size of the arena in bytes."""
