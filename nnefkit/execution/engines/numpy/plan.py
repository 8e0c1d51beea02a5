"""Planning a run: what is computed, by which function, and where the results lie."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnefkit.execution.engines.numpy.binding import bind
from nnefkit.execution.engines.numpy.convolution import lower_convolution
from nnefkit.execution.engines.numpy.elementwise import LOWERINGS
from nnefkit.execution.engines.numpy.lowering import Argument, Array, Bounds, Lowered, Site
from nnefkit.execution.engines.numpy.placement import place
from nnefkit.execution.failure import failure
from nnefkit.execution.state import updates
from nnefkit.execution.values import scalar_dtype, stored
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

    def plan(self) -> Plan:
        needed = _needed(self.graph, self.visible)
        with np.errstate(all="ignore"):
            remaining = self._fold(needed)
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
            if op.name in ("variable", "constant"):
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
            raise failure(self.graph, op, shapes, error) from error
        if isinstance(results, np.ndarray):
            results = (results,)
        self.known.update(zip(op.output_names, results, strict=True))

    def _steps(self, operations: list[Operation]) -> list[Step]:
        by_input: dict[str, Operation] = {}
        for op in operations:
            for name in op.input_names:
                by_input.setdefault(name, op)
        done: set[int] = set()
        steps = []
        for op in operations:
            if id(op) in done:
                continue
            step = self._lowered_convolution(op, by_input, done) if op.name == "conv" else None
            steps.append(step or self._lowered(op) or self._reference(op))
        return steps

    def _lowered_convolution(
        self, op: Operation, by_input: Mapping[str, Operation], done: set[int]
    ) -> Step | None:
        """A convolution, with the clipping of its result where nobody wants to see it before."""
        site = self._site(op)
        if site is None:
            return None
        (result,) = op.output_names
        bounds: Bounds | None = None
        clip = by_input.get(result)
        if clip is not None and self.readers[result] == 1 and result not in self.visible:
            clip_site = self._site(clip)
            if clip_site is not None and clip.input_names[:1] == (result,):
                bounds = clip_site.bounds()
        lowered = lower_convolution(site, bounds)
        if lowered is None:
            return None
        if bounds is None or clip is None:
            return self._step((op,), site, lowered)
        done.add(id(clip))
        return self._step((op, clip), site, lowered)

    def _lowered(self, op: Operation) -> Step | None:
        lowering = LOWERINGS.get(op.name)
        site = self._site(op) if lowering is not None else None
        if lowering is None or site is None:
            return None
        lowered = lowering(site)
        return None if lowered is None else self._step((op,), site, lowered)

    def _step(self, operations: tuple[Operation, ...], site: Site, lowered: Lowered) -> Step:
        reads = tuple(name for name in operations[0].input_names if name not in self.known)
        return Step(
            operations,
            lowered.function,
            reads,
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


def _needed(graph: Graph, wanted: Collection[str]) -> list[Operation]:
    wanted = set(wanted)
    needed = []
    for op in reversed(graph.operations):
        if not wanted.isdisjoint(op.output_names):
            needed.append(op)
            wanted.update(op.input_names)
    needed.reverse()
    return needed


def _set_frees(steps: list[Step], kept: Collection[str]) -> None:
    seen = set(kept)
    for step in reversed(steps):
        last = [name for name in (*step.reads, *step.writes) if name not in seen]
        step.frees = tuple(dict.fromkeys(last))
        seen.update(last)
