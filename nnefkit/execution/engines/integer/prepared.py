"""A graph that is prepared to run in integers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from time import perf_counter

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.dtypes import stored
from nnefkit.execution.engine import Watch, failed_operation
from nnefkit.execution.engines.integer.grid import stored_codes
from nnefkit.execution.engines.integer.planner import IntegerPlanner, needed_steps
from nnefkit.execution.lowering.schedule import set_frees
from nnefkit.execution.preparation.updated_variables import updates


class PreparedIntegers:
    """The steps of a run."""

    def __init__(
        self, planner: IntegerPlanner, fetch: Collection[str], watched: Collection[str]
    ) -> None:
        self._graph = graph = planner.graph
        self._grids = planner.grids
        self._fetch = tuple(fetch)
        self._watched = frozenset(watched)
        self._rounding = planner.arithmetic.rounding
        steps = needed_steps(planner, {*fetch, *watched})
        changing = updates(graph)
        reads = {name for step in steps for name in step.reads}.union(fetch, watched)
        self._weights: dict[str, Array] = {}
        for op in graph.operations:
            (name, *_) = op.output_names or ("",)
            if op.is_weight and name not in changing and name in reads:
                array = stored(graph.tensors[name], np.dtype(np.float32))
                grid = self._grids.get(name)
                self._weights[name] = array if grid is None else stored_codes(array, grid)
        fixed = set(self._weights)
        self._steps = []
        for step in steps:
            if fixed.issuperset(step.reads) and planner.constants.issuperset(step.writes):
                self._weights.update(step.run(self._weights))
                fixed.update(step.writes)
            else:
                self._steps.append(step)
        set_frees(self._steps, {*self._fetch, *fixed})

    def __call__(self, feeds: Mapping[str, Array], watch: Watch | None = None) -> dict[str, Array]:
        """Run the graph; see `nnefkit.execution.engine.Prepared`."""
        values = dict(self._weights)
        for name, array in feeds.items():
            grid = self._grids.get(name)
            values[name] = array if grid is None else grid.codes(array, self._rounding)
        if watch is not None:
            self._report_constants(watch)
        reported: set[int] = set()
        for step in self._steps:
            started = perf_counter()
            try:
                results = step.run(values)
            except Exception as error:
                op = (
                    step.operations[0] if step.operations else self._graph.producers[step.writes[0]]
                )
                shapes = {name: values[name].shape for name in step.reads}
                raise failed_operation(self._graph, op, shapes, error) from error
            seconds = perf_counter() - started
            values.update(results)
            if watch is not None:
                seen = {n: self._numbers(n, values) for n in step.writes if n in self._watched}
                done = tuple(op for op in step.operations if id(op) not in reported)
                reported.update(map(id, done))
                watch(done or (self._graph.producers[step.writes[0]],), seen, seconds)
            for name in step.frees:
                values.pop(name, None)
        return {name: self._numbers(name, values) for name in self._fetch}

    def _report_constants(self, watch: Watch) -> None:
        for op in self._graph.operations:
            names = [n for n in op.output_names if n in self._watched and n in self._weights]
            if names and not op.is_source:
                watch((op,), {n: self._numbers(n, self._weights) for n in names}, 0.0)

    def _numbers(self, name: str, values: Mapping[str, Array]) -> Array:
        grid = self._grids.get(name)
        return values[name].copy() if grid is None else grid.numbers(values[name])
