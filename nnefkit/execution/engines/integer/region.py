"""Regions: the operations between codes and codes that a device computes in one step.

Only the last result of a region has codes. A convolution, the bias that is added to it, and the
activation that limits it are one region, as in the quantized networks of all inference engines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.integer.arithmetic import Arithmetic
from nnefkit.execution.engines.integer.grid import CodeGrid
from nnefkit.execution.lowering.kernels import bind_kernel
from nnefkit.graph import Graph, Identifier, Operation

MOVING = frozenset(
    ("reshape", "squeeze", "unsqueeze", "transpose", "slice", "tile", "concat", "stack", "split")
).union(("unstack", "copy", "copy_n", "gather", "pad"))
"""Operations whose results are elements of their inputs, or zeros."""

Compute = Callable[[Mapping[str, Array]], Array]
"""Returns the codes of the result of a region; is given codes, or other values, by name."""


class NoRule(Exception):  # noqa: N818 - no error; the engine reports all of them at once
    """There is no integer arithmetic for a region; the message says why, as a sentence."""


@dataclass(frozen=True)
class CodedRegion:
    """Operations of a graph that are computed in one step."""

    graph: Graph
    operations: tuple[Operation, ...]
    """In their order; the last one computes the result."""
    result: str
    grid: CodeGrid
    """Of the result."""
    grids: Mapping[str, CodeGrid]
    """Of all tensors of the graph that have codes."""
    constants: frozenset[str]
    """Names of the tensors that do not depend on the inputs."""
    arithmetic: Arithmetic

    @property
    def head(self) -> Operation:
        """The operation that no other one of the region precedes."""
        return self.operations[0]

    @property
    def inner(self) -> frozenset[str]:
        """Names of the results without codes."""
        return frozenset(n for op in self.operations for n in op.output_names) - {self.result}

    @property
    def leaves(self) -> tuple[str, ...]:
        """Names of the tensors that the region reads."""
        names = dict.fromkeys(name for op in self.operations for name in op.input_names)
        return tuple(name for name in names if name not in self.inner)

    @property
    def coded(self) -> tuple[str, ...]:
        """Names of the tensors with codes that it reads, without constants."""
        return tuple(n for n in self.leaves if n in self.grids and n not in self.constants)

    def part(self, operations: Sequence[Operation]) -> CodedRegion:
        """Return the region with other operations."""
        return replace(self, operations=tuple(operations))

    def literal(self, value: Any) -> float | None:
        """Return an operand as a number, if it is the same in each run and for all elements."""
        if isinstance(value, Identifier):
            data = self.graph.tensors[value].data if value in self.constants else None
            if data is None or data.size != 1:
                return None
            return float(data.reshape(-1)[0])
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        return None


# -- what follows the head -------------------------------------------------------------------------


class Tail(NamedTuple):
    """What is done with the result of the head of a region."""

    early: tuple[Operation, ...]
    """Operations that cut or pad it with zeros, before a constant is added."""
    added: Identifier | None
    """Name of a constant that is added."""
    low: float
    high: float
    """The range to which an activation limits it."""
    moves: tuple[Operation, ...]
    """Operations that move its elements."""

    def limits(self, grid: CodeGrid) -> tuple[int, int]:
        """Return the smallest and the largest code of the result."""
        low = grid.low if self.low == -inf else _code(self.low, grid)
        high = grid.high if self.high == inf else _code(self.high, grid)
        return max(low, grid.low), min(high, grid.high)

    def moved(self, graph: Graph, codes: Array) -> Array:
        """Return codes moved as the region does."""
        for op in self.moves:
            codes = np.asarray(bind_kernel(graph, op, np.dtype(np.float64))(codes))
        return codes


def _code(number: float, grid: CodeGrid) -> int:
    steps = np.float64(np.float32(number) / grid.scale)
    away = np.trunc(steps + np.copysign(0.5, steps))
    return int(np.clip(away, -(2.0**40), 2.0**40)) + grid.zero


def tail_of(region: CodedRegion) -> Tail | None:
    """Return what follows the head, if it is a constant to add, activations and moves only."""
    tail = Tail((), None, -inf, inf, ())
    (before,) = region.head.output_names
    for op in region.operations[1:]:
        if before not in op.input_names or len(op.output_names) != 1:
            return None
        longer = _longer(region, tail, op, [v for v in op.inputs.values() if v != before])
        if longer is None:
            return None
        tail = longer
        (before,) = op.output_names
    return tail


def _longer(region: CodedRegion, tail: Tail, op: Operation, others: list[Any]) -> Tail | None:
    """Return a tail with one more operation, None if it is of another kind.

    Args:
        region: The region.
        tail: What precedes the operation.
        op: The operation.
        others: Its operands apart from the result of the one before.
    """
    bounds = _bounds(region, op, others)
    if bounds is not None:
        low, high = (min(max(each, bounds[0]), bounds[1]) for each in (tail.low, tail.high))
        return tail._replace(low=low, high=high)
    is_bare = (tail.low, tail.high, tail.added, tail.moves) == (-inf, inf, None, ())
    if is_bare and op.name == "add" and len(others) == 1 and others[0] in region.constants:
        return tail._replace(added=Identifier(others[0]))
    if is_bare and (op.name == "slice" or _pads_with_zeros(op)):
        return tail._replace(early=(*tail.early, op))
    if op.name in MOVING - {"concat", "stack", "pad"}:
        return tail._replace(moves=(*tail.moves, op))
    return None


def _pads_with_zeros(op: Operation) -> bool:
    return op.name == "pad" and op.attribs["border"] == "constant" and not op.attribs["value"]


def _bounds(region: CodedRegion, op: Operation, others: list[Any]) -> tuple[float, float] | None:
    """Return the range to which an operation limits numbers, None if it does something else."""
    if op.name == "relu":
        return 0.0, inf
    numbers = [region.literal(value) for value in others]
    if any(number is None for number in numbers):
        return None
    known = [number for number in numbers if number is not None]
    if op.name == "clamp" and len(known) == 2:
        return known[0], known[1]
    if op.name == "max" and len(known) == 1:
        return known[0], inf
    if op.name == "min" and len(known) == 1:
        return -inf, known[0]
    return None


def interior(graph: Graph, result: str, pending: Mapping[str, Operation]) -> tuple[Operation, ...]:
    """Return the operations that compute a result from tensors that are not pending.

    Args:
        graph: The graph.
        result: Name of the result.
        pending: Name of each tensor without codes that is computed from codes -> its operation.
    """
    last = graph.producers[result]
    found = {id(last)}
    waiting = [last]
    while waiting:
        for name in waiting.pop().input_names:
            op = pending.get(name)
            if op is not None and id(op) not in found:
                found.add(id(op))
                waiting.append(op)
    return tuple(op for op in graph.operations if id(op) in found)


# -- floating point --------------------------------------------------------------------------------


def evaluated(
    graph: Graph,
    operations: Sequence[Operation],
    values: Mapping[str, Array],
    scalar: type[np.floating[Any]] = np.float32,
) -> dict[str, Array]:
    """Return the results of operations in floating point, by name.

    Args:
        graph: Their graph.
        operations: In a valid order.
        values: All that they read, by name.
        scalar: The dtype of scalars.
    """
    known = dict(values)
    for op in operations:
        with np.errstate(all="ignore"):
            computed = bind_kernel(graph, op, np.dtype(scalar))(*(known[n] for n in op.input_names))
        results = (computed,) if isinstance(computed, np.ndarray) else computed
        known.update(zip(op.output_names, map(np.asarray, results), strict=True))
    return {name: known[name] for op in operations for name in op.output_names}


def inputs_of(op: Operation) -> Iterator[Any]:
    """Yield the operands of an operation, those in lists too."""
    for value in op.inputs.values():
        yield from value if isinstance(value, (list, tuple)) else (value,)
