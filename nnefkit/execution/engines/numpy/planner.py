"""The planner, which selects the functions of a run, their order, and the memory of results."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.dtypes import scalar_dtype, stored
from nnefkit.execution.engine import failed_operation
from nnefkit.execution.engines.numpy.arena_placement import place_results
from nnefkit.execution.engines.numpy.convolution import specialize_convolution
from nnefkit.execution.engines.numpy.elementwise import SPECIALIZERS
from nnefkit.execution.engines.numpy.fusion import chains
from nnefkit.execution.engines.numpy.plan import Plan, PlanStep
from nnefkit.execution.engines.numpy.specialization import CallSite, KnownInput, SpecializedKernel
from nnefkit.execution.lowering.kernels import bind_kernel
from nnefkit.execution.lowering.schedule import make_schedule, set_frees
from nnefkit.graph import Graph, Identifier, Operation


def make_plan(graph: Graph, fetch: frozenset[str], watched: frozenset[str]) -> Plan:
    """Return a plan to compute the tensors of `fetch` and of `watched`.

    Raises:
        ExecutionError: An operation on weights alone failed.
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
        self.uses: dict[str, int] = {}
        """Tensor name -> how many arguments of operations it is."""
        self.first_reader: dict[str, Operation] = {}

    def plan(self) -> Plan:
        schedule = make_schedule(self.graph, self.visible)
        for op in schedule.weights:
            name = op.output_names[0]
            self.known[name] = stored(self.graph.tensors[name], self.scalar)
        with np.errstate(all="ignore"):
            for op in schedule.constant:
                self._compute(op)
        steps = self._steps(schedule.varying)
        set_frees(steps, self.fetch)
        used = {name for step in steps for name in step.reads} | self.visible
        return Plan(
            self.graph,
            tuple(steps),
            tuple(sorted(self.fetch)),
            self.watched,
            {name: array for name, array in self.known.items() if name in used},
            tuple(op for op in schedule.constant if self.watched.intersection(op.output_names)),
            place_results(steps, self.visible),
        )

    def _compute(self, op: Operation) -> None:
        arrays = [self.known[name] for name in op.input_names]
        try:
            results = bind_kernel(self.graph, op, self.scalar)(*arrays)
        except Exception as error:
            shapes = {name: self.known[name].shape for name in op.input_names}
            raise failed_operation(self.graph, op, shapes, error) from error
        if isinstance(results, np.ndarray):
            results = (results,)
        self.known.update(zip(op.output_names, results, strict=True))

    def _steps(self, operations: tuple[Operation, ...]) -> list[PlanStep]:
        for op in operations:
            for name in op.input_names:
                self.uses[name] = self.uses.get(name, 0) + 1
                self.first_reader.setdefault(name, op)
        later = {name for op in operations for name in op.output_names}
        available = {name for name in self.graph.tensors if name not in later}
        done: set[int] = set()
        steps = []
        for op in operations:
            if id(op) in done:
                continue
            step = self._fused_convolution(op, available) if op.name == "conv" else None
            step = step or self._specialized(op) or self._generic(op)
            steps.append(step)
            done.update(map(id, step.operations))
            available.update(step.writes)
        return steps

    def _fused_convolution(self, op: Operation, available: Collection[str]) -> PlanStep | None:
        """Return a step for a convolution, fused with as many operations after it as possible."""
        site = self._site(op)
        if site is None:
            return None
        for chain in chains(op, self._site, self._only_reader, available):
            kernel = specialize_convolution(site, chain.epilogue)
            if kernel is not None:
                return self._step(chain.operations, site, kernel, chain.addend)
        return None

    def _only_reader(self, name: str) -> Operation | None:
        """Return the operation that reads a tensor, if there is only one and it is not visible."""
        alone = self.uses.get(name) == 1 and name not in self.visible
        return self.first_reader[name] if alone else None

    def _specialized(self, op: Operation) -> PlanStep | None:
        specialize = SPECIALIZERS.get(op.name)
        site = self._site(op) if specialize is not None else None
        if specialize is None or site is None:
            return None
        kernel = specialize(site)
        return None if kernel is None else self._step((op,), site, kernel)

    def _step(
        self,
        operations: tuple[Operation, ...],
        site: CallSite,
        kernel: SpecializedKernel,
        addend: tuple[str, ...] = (),
    ) -> PlanStep:
        reads = tuple(name for name in operations[0].input_names if name not in self.known)
        return PlanStep(
            operations,
            kernel.function,
            (*reads, *addend),
            operations[-1].output_names,
            None if kernel.allocates else site.shape,
            site.dtype,
            kernel.scratch,
            kernel.in_place,
        )

    def _site(self, op: Operation) -> CallSite | None:
        """Return what a specializer needs to know, or None if not all tensors are scalars."""
        outputs = list(op.outputs.values())
        if len(outputs) != 1 or not isinstance(outputs[0], Identifier):
            return None
        tensor = self.graph.tensors[outputs[0]]
        arguments = [self._argument(value) for value in op.inputs.values()]
        known = [argument for argument in arguments if argument is not None]
        if tensor.shape is None or tensor.dtype != "scalar" or len(known) < len(arguments):
            return None
        return CallSite(op, tuple(known), tensor.shape, self.scalar)

    def _argument(self, value: Any) -> KnownInput | None:
        if isinstance(value, Identifier):
            tensor = self.graph.tensors[value]
            array = self.known.get(value)
            shape = tensor.shape if array is None else array.shape
            return None if tensor.dtype != "scalar" or shape is None else KnownInput(shape, array)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return KnownInput((), np.asarray(value, self.scalar))
        return None

    def _generic(self, op: Operation) -> PlanStep:
        return PlanStep(
            (op,), bind_kernel(self.graph, op, self.scalar), op.input_names, op.output_names
        )
