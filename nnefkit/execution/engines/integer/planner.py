"""The plan of a run in integers: which tensors have codes, and which operations are one step.

Tensors with quantization info have codes. Moves of codes have the codes of their operands. What is
computed from inputs without quantization info, or from a copy of codes without it (as dequantizing
operators are read), is computed in floating point. All other results without quantization info are
inside of a region.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.integer.arithmetic import Arithmetic
from nnefkit.execution.engines.integer.grid import CodeGrid, compact
from nnefkit.execution.engines.integer.region import (
    MOVING,
    CodedRegion,
    Compute,
    NoRule,
    evaluated,
    interior,
)
from nnefkit.execution.engines.integer.rules.registry import rule_for
from nnefkit.execution.engines.integer.source_order import in_blocks
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import Graph, Operation
from nnefkit.operations.broadcasting import align


@dataclass(slots=True)
class IntegerStep:
    """What is computed at once."""

    operations: tuple[Operation, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    run: Callable[[Mapping[str, Array]], Mapping[str, Array]]
    frees: tuple[str, ...] = field(default=())


class IntegerPlanner:
    """Divides a graph into steps.

    Args:
        graph: The graph; its operations may be of any kind.
        arithmetic: The options of the engine.
    """

    def __init__(self, graph: Graph, arithmetic: Arithmetic) -> None:
        self.graph = graph
        self.arithmetic = arithmetic
        self.grids: dict[str, CodeGrid] = {}
        """Name of each tensor that has codes -> its grid."""
        self.constants: set[str] = set()
        """Names of the tensors that do not depend on the inputs."""
        self.reasons: dict[int, str] = {}
        """Operation, by its identity -> why it cannot be computed."""
        self.regions: dict[str, CodedRegion] = {}
        """Name of each result without codes inside of a region -> the region."""
        self.steps: list[IntegerStep] = []
        self._floats: set[str] = set()
        self._pending: dict[str, Operation] = {}
        self._inner: set[str] = set()
        self._changing = updates(graph)
        self._lines = {n: t.quantization for n, t in graph.tensors.items() if t.quantization}
        self._plan()

    def _plan(self) -> None:
        for op in self.graph.operations:
            try:
                self._enter(op)
            except NoRule as problem:
                self._refuse((op,), str(problem))
        for name, op in self._pending.items():
            if name not in self._inner and id(op) not in self.reasons:
                self._refuse(
                    (op,),
                    f"'{name}' has no quantization info, and no operation with a result that has "
                    "reads it in the same step.",
                )

    def _refuse(self, operations: Collection[Operation], reason: str) -> None:
        for op in operations:
            self.reasons.setdefault(id(op), reason)
            for name in op.output_names:
                self._inner.add(name)
                # Whatever follows is judged as if the result existed.
                if name not in self.grids:
                    self._floats.add(name)

    def _read(self, name: str) -> CodeGrid | None:
        """Return the grid that the quantization info of a tensor describes.

        Raises:
            NoRule: Its algorithm has no whole codes.
        """
        line = self._lines.get(name)
        if line is None or self.graph.tensors[name].dtype != "scalar":
            return None
        grid = CodeGrid.read(line)
        if grid is None:
            raise NoRule(
                f"'{name}' is quantized by '{line.get('op-name')}' of {line.get('bits')} bits; "
                "only 'zero_point_linear_quantize' of at most 32 bits, with positive scales, has "
                "codes to compute with."
            )
        return grid

    # -- one operation ------------------------------------------------------------------------

    def _enter(self, op: Operation) -> None:
        if op.is_source:
            self._enter_source(op)
            return
        if self.constants.issuperset(op.input_names) and op.name != "update":
            self._enter_constant(op)
            return
        if any(self._is_scalar(name) for name in op.output_names):
            self._enter_numbers(op)
            return
        # Indices and truth values: codes have the order of the numbers that they stand for.
        self._require_numbers(op)
        self._add_float(op)

    def _is_scalar(self, name: str) -> bool:
        return self.graph.tensors[name].dtype == "scalar"

    def _enter_source(self, op: Operation) -> None:
        (name,) = op.output_names
        if op.is_weight and name not in self._changing:
            self.constants.add(name)
        grid = self._read(name)
        if grid is not None:
            self.grids[name] = grid
        elif self._is_scalar(name) and name not in self.constants:
            self._floats.add(name)

    def _enter_constant(self, op: Operation) -> None:
        self.constants.update(op.output_names)
        coded = [name for name in op.input_names if name in self.grids]
        if op.name in MOVING and len(op.input_names) == len(coded) == len(op.output_names) == 1:
            (source,), (name,) = coded, op.output_names
            shape = self.graph.tensors[source].shape
            if name not in self._lines and shape is not None:
                self.grids[name] = self._moved_grid(op, self.grids[source], shape)
        self._add_float(op)

    def _moved_grid(self, op: Operation, grid: CodeGrid, shape: tuple[int, ...]) -> CodeGrid:
        """Return the grid of weights that are moved, with the scales of their channels."""
        if grid.is_single:
            return grid

        def moved(array: Array) -> Array:
            whole = np.array(np.broadcast_to(align(array, np.zeros(shape))[0], shape))
            results = evaluated(self.graph, (op,), {op.input_names[0]: whole}, np.float64)
            return compact(results[op.output_names[0]])

        step, point = moved(grid.step.astype(np.float64)), moved(grid.point.astype(np.float64))
        step, point = np.broadcast_arrays(step, point)
        return grid._replace(step=step.astype(np.float32), point=point.astype(np.int64))

    def _enter_numbers(self, op: Operation) -> None:
        varying = [n for n in op.input_names if self._is_scalar(n) and n not in self.constants]
        if not varying or any(name in self._floats for name in varying):
            self._require_numbers(op)
            self._add_float(op)
            return
        coded = all(name in self.grids for name in varying)
        if op.name == "update":
            self._move(op, {op.output_names[0]: self._target(op)})
        elif op.name == "copy" and not any(name in self._lines for name in op.output_names):
            self._require_numbers(op)
            self._add_float(op)
        elif op.name in MOVING and coded:
            self._move(op, {name: self._read(name) for name in op.output_names})
        elif len(op.output_names) == 1 and op.output_names[0] in self._lines:
            self._end(op)
        elif len(op.output_names) == 1:
            self._pending[op.output_names[0]] = op
        else:
            raise NoRule(f"There is no integer arithmetic for '{op.name}'.")

    def _target(self, op: Operation) -> CodeGrid | None:
        return self.grids.get(str(op.inputs["variable"]))

    def _require_numbers(self, op: Operation) -> None:
        for name in op.input_names:
            if name in self._pending and name not in self._inner:
                raise NoRule(f"Its operand '{name}' has no quantization info.")

    # -- steps --------------------------------------------------------------------------------

    def _region(
        self, operations: tuple[Operation, ...], result: str, grid: CodeGrid
    ) -> CodedRegion:
        constants = frozenset(self.constants)
        return CodedRegion(
            self.graph, operations, result, grid, self.grids, constants, self.arithmetic
        )

    def _end(self, op: Operation) -> None:
        """Add the region that ends with an operation."""
        (name,) = op.output_names
        grid = self._read(name)
        assert grid is not None  # noqa: S101 - there is a line for a scalar
        operations = interior(self.graph, name, self._pending)
        region = self._region(operations, name, grid)
        self._inner.update(region.inner)
        self.grids[name] = grid
        try:
            self._add(region, rule_for(region))
        except NoRule as problem:
            self._refuse(operations, str(problem))

    def _move(self, op: Operation, targets: Mapping[str, CodeGrid | None]) -> None:
        """Add an operation that moves codes; results without info have the codes of an operand."""
        sources = [self.grids[n] for n in op.input_names if n in self.grids]
        if op.name == "update":
            sources = [self.grids[n] for n in op.input_names[1:] if n in self.grids]
        if not sources:
            self._require_numbers(op)
            self._add_float(op)
            return
        common = sources[0]
        for name, target in targets.items():
            if target is None and not all(grid.equals(common) for grid in sources):
                raise NoRule(
                    f"Its operands have different scales, and '{name}' has no quantization info."
                )
        self.grids.update({name: target or common for name, target in targets.items()})
        for name in targets:
            region = self._region((op,), name, self.grids[name])
            self._add(region, rule_for(region), (op,) if name == op.output_names[0] else ())

    def _add(
        self, region: CodedRegion, compute: Compute, operations: tuple[Operation, ...] | None = None
    ) -> None:
        name = region.result
        self.regions.update({inner: region for inner in region.inner if inner not in self.grids})
        done = region.operations if operations is None else operations
        self.steps.append(
            IntegerStep(done, region.leaves, (name,), lambda values: {name: compute(values)})
        )

    def _add_float(self, op: Operation) -> None:
        """Add an operation that is computed in floating point, or with integers and logicals."""
        graph, grids = self.graph, self.grids
        targets = {
            name: grid
            for name in op.output_names
            if (grid := self._read(name) or self.grids.get(name))
        }
        self.grids.update(targets)
        for name in op.output_names:
            if name not in targets and self._is_scalar(name) and name not in self.constants:
                self._floats.add(name)
        rounding = self.arithmetic.rounding

        def run(values: Mapping[str, Array]) -> Mapping[str, Array]:
            if op.name == "copy" and rounding == "tflite":
                return {op.output_names[0]: self._converted(op, values)}
            numbers = {
                name: grids[name].numbers(values[name]) if name in grids else values[name]
                for name in op.input_names
            }
            results = evaluated(graph, (op,), numbers)
            return {
                name: targets[name].codes(array, rounding) if name in targets else array
                for name, array in results.items()
            }

        self.steps.append(
            IntegerStep((op,), tuple(dict.fromkeys(op.input_names)), op.output_names, run)
        )

    def _converted(self, op: Operation, values: Mapping[str, Array]) -> Array:
        """Return numbers of codes, or codes of numbers, as TFLite's operators convert them."""
        (source,), (target,) = op.input_names, op.output_names
        array = values[source]
        if source in self.grids:
            inside = in_blocks(self.graph, target, array.shape, 8)
            return self.grids[source].dequantized(array, inside)
        if target in self.grids:
            return self.grids[target].codes(
                array, "tflite", in_blocks(self.graph, target, array.shape, 8)
            )
        return array


def needed_steps(planner: IntegerPlanner, wanted: Collection[str]) -> list[IntegerStep]:
    """Return the steps that some tensors depend on; those inside of regions as further steps."""
    graph = planner.graph
    inner = sorted(name for name in wanted if name in planner.regions)
    extra = [_before_rounding(graph, planner, name) for name in inner]
    needed = set(wanted).union(*(step.reads for step in extra))
    steps: list[IntegerStep] = []
    for step in reversed(planner.steps):
        if not needed.isdisjoint(step.writes):
            needed.update(step.reads)
            steps.append(step)
    return [*reversed(steps), *extra]


def _before_rounding(graph: Graph, planner: IntegerPlanner, name: str) -> IntegerStep:
    """Return a step for a tensor inside of a region: its numbers before they are rounded."""
    region = planner.regions[name]
    grids = planner.grids

    def run(values: Mapping[str, Any]) -> Mapping[str, Array]:
        numbers = {
            leaf: grids[leaf].numbers(values[leaf]) if leaf in grids else values[leaf]
            for leaf in region.leaves
        }
        operations = [op for op in region.operations if region.result not in op.output_names]
        return {name: np.asarray(evaluated(graph, operations, numbers)[name])}

    return IntegerStep((graph.producers[name],), region.leaves, (name,), run)
