"""Planning a run: what is computed, by which function, and where the results lie."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.dtypes import scalar_dtype, stored
from nnefkit.execution.engine import failed_operation
from nnefkit.execution.engines.numpy.convolution import lower_convolution
from nnefkit.execution.engines.numpy.elementwise import LOWERINGS
from nnefkit.execution.engines.numpy.fusion import chains
from nnefkit.execution.engines.numpy.placement import place
from nnefkit.execution.engines.numpy.specialization import Argument, Lowered, Site
from nnefkit.execution.lowering.kernels import bind
from nnefkit.execution.variables import updates
from nnefkit.graph import Graph, Identifier, Operation


@dataclass(slots=True)
class Step:
    """One call of a function, for one operation or several fused ones."""

    operations: tuple[Operation, ...]
    function: Callable[..., Any]
    reads: tuple[str, ...]
    """Names of the tensors that it takes."""
    writes: tuple[str, ...]
    shape: tuple[int, ...] | None = None
    """Of the result that it is given a place for; None where it makes its results itself."""
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))
    """Of that result, and of the scratch."""
    scratch: int = 0
    in_place: bool = False
    place: int | None = None
    """Offset of the result in the arena; None where it gets memory of its own."""
    scratch_place: int | None = None
    frees: tuple[str, ...] = ()
    """Names of the tensors that nobody reads after it."""

    @property
    def size(self) -> int:
        """Bytes of the result."""
        return math.prod(self.shape or ()) * self.dtype.itemsize


@dataclass(frozen=True)
class Plan:
    """Everything that a run needs to know."""

    graph: Graph
    steps: tuple[Step, ...]
    fetch: tuple[str, ...]
    watched: frozenset[str]
    known: Mapping[str, Array]
    """Values, known before the run, of tensors that are read, fetched or watched."""
    folded: tuple[Operation, ...]
    """Operations on weights alone, done already, whose results are watched."""
    memory: int
    """Bytes of the arena."""


def make_plan(graph: Graph, fetch: frozenset[str], watched: frozenset[str]) -> Plan:
    """Plans the computation of the tensors of `fetch` and of `watched`.

    Raises:
        ExecutionError: an operation on weights alone failed.
    """
    return _Planner(graph, fetch, watched).plan()


class _Planner:
    def __init__(self, graph: Graph, fetch: frozenset[str], watched: frozenset[str]) -> None:
        self.graph = graph
        self.fetch = fetch
        self.watched = watched
        self.visible = fetch | watched
        self.scalar = scalar_dtype(graph)
        self.known: dict[str, Array] = {}
        self.folded: list[Operation] = []
        self.readers: dict[str, int] = {}
        """How many arguments a tensor is."""
        self.reader: dict[str, Operation] = {}
        """The first operation that reads it."""

    def plan(self) -> Plan:
        with np.errstate(all="ignore"):
            remaining = self._fold(self.graph.needed(self.visible))
        for op in remaining:
            for name in op.input_names:
                self.readers[name] = self.readers.get(name, 0) + 1
        steps = self._steps(remaining)
        _set_frees(steps, self.fetch)
        used = {name for step in steps for name in step.reads} | self.visible
        return Plan(
            self.graph,
            tuple(steps),
            tuple(sorted(self.fetch)),
            self.watched,
            {name: array for name, array in self.known.items() if name in used},
            tuple(op for op in self.folded if self.watched.intersection(op.output_names)),
            place(steps, self.visible),
        )

    def _fold(self, operations: Iterable[Operation]) -> list[Operation]:
        """Computes what needs no input; returns what is left to do."""
        updated = set(updates(self.graph))
        remaining = []
        for op in operations:
            name = op.output_names[0] if op.output_names else ""
            if op.name == "external" or name in updated:
                continue
            if op.is_weight:
                self.known[name] = stored(self.graph.tensors[name], self.scalar)
            elif op.name != "update" and all(read in self.known for read in op.input_names):
                self._compute(op)
                self.folded.append(op)
            else:
                remaining.append(op)
        return remaining

    def _compute(self, op: Operation) -> None:
        arrays = [self.known[name] for name in op.input_names]
        try:
            results = bind(self.graph, op, self.scalar)(*arrays)
        except Exception as error:
            shapes = {name: self.known[name].shape for name in op.input_names}
            raise failed_operation(self.graph, op, shapes, error) from error
        if isinstance(results, np.ndarray):
            results = (results,)
        self.known.update(zip(op.output_names, results, strict=True))

    def _steps(self, operations: list[Operation]) -> list[Step]:
        for op in operations:
            for name in op.input_names:
                self.reader.setdefault(name, op)
        later = {name for op in operations for name in op.output_names}
        made = {name for name in self.graph.tensors if name not in later}
        done: set[int] = set()
        steps = []
        for op in operations:
            if id(op) in done:
                continue
            step = self._lowered_convolution(op, made) if op.name == "conv" else None
            step = step or self._lowered(op) or self._reference(op)
            steps.append(step)
            done.update(map(id, step.operations))
            made.update(step.writes)
        return steps

    def _lowered_convolution(self, op: Operation, made: Collection[str]) -> Step | None:
        """A convolution, with as much of what is done to its result as can be fused."""
        site = self._site(op)
        if site is None:
            return None
        for chain in chains(op, self._site, self._only_reader, made):
            lowered = lower_convolution(site, chain.epilogue)
            if lowered is not None:
                return self._step(chain.operations, site, lowered, chain.addend)
        return None

    def _only_reader(self, name: str) -> Operation | None:
        """The operation that reads a tensor, if there is but one and nobody wants to see it."""
        alone = self.readers.get(name) == 1 and name not in self.visible
        return self.reader[name] if alone else None

    def _lowered(self, op: Operation) -> Step | None:
        lowering = LOWERINGS.get(op.name)
        site = self._site(op) if lowering is not None else None
        if lowering is None or site is None:
            return None
        lowered = lowering(site)
        return None if lowered is None else self._step((op,), site, lowered)

    def _step(
        self,
        operations: tuple[Operation, ...],
        site: Site,
        lowered: Lowered,
        also: tuple[str, ...] = (),
    ) -> Step:
        reads = tuple(name for name in operations[0].input_names if name not in self.known)
        return Step(
            operations,
            lowered.function,
            (*reads, *also),
            operations[-1].output_names,
            None if lowered.returns else site.shape,
            site.dtype,
            lowered.scratch,
            lowered.in_place,
        )

    def _site(self, op: Operation) -> Site | None:
        """What a lowering must know, or None where `op` is not of the plain kind."""
        outputs = list(op.outputs.values())
        if len(outputs) != 1 or not isinstance(outputs[0], Identifier):
            return None
        tensor = self.graph.tensors[outputs[0]]
        arguments = [self._argument(value) for value in op.inputs.values()]
        known = [argument for argument in arguments if argument is not None]
        if tensor.shape is None or tensor.dtype != "scalar" or len(known) < len(arguments):
            return None
        return Site(op, tuple(known), tensor.shape, self.scalar)

    def _argument(self, value: Any) -> Argument | None:
        if isinstance(value, Identifier):
            tensor = self.graph.tensors[value]
            array = self.known.get(value)
            shape = tensor.shape if array is None else array.shape
            return None if tensor.dtype != "scalar" or shape is None else Argument(shape, array)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return Argument((), np.asarray(value, self.scalar))
        return None

    def _reference(self, op: Operation) -> Step:
        return Step((op,), bind(self.graph, op, self.scalar), op.input_names, op.output_names)


def _set_frees(steps: list[Step], kept: Collection[str]) -> None:
    seen = set(kept)
    for step in reversed(steps):
        last = [name for name in (*step.reads, *step.writes) if name not in seen]
        step.frees = tuple(dict.fromkeys(last))
        seen.update(last)
