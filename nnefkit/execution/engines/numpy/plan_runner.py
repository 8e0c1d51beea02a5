"""The runner of plans."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engine import ProcessLock, Watch, failed_operation
from nnefkit.execution.engines.numpy.memory import ALIGNMENT, Chunks
from nnefkit.execution.engines.numpy.plan import Plan, PlanStep

BUFFER = 1024
"""Elements of NumPy's buffers while a graph runs. Rows shorter than half a buffer are copied into
one before they are computed with, which takes several times as long as the computation."""


class PlanRunner:
    """A plan together with the memory that its runs use, one at a time."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._lock = ProcessLock()
        self._chunks = Chunks()
        self._buffers: list[tuple[Array | None, Array | None]] | None = None

    def __call__(self, feeds: Mapping[str, Array], watch: Watch | None = None) -> dict[str, Array]:
        """Compute the fetched tensors; see `nnefkit.execution.engine.Prepared`."""
        with self._lock.here(), np.errstate(all="ignore"):
            np.setbufsize(BUFFER)  # until the end of errstate
            values: dict[str, Any] = {**self.plan.known, **feeds}
            inputs = [*values.values()]
            self._run(values, watch)
            return _results(values, self.plan.fetch, inputs)

    def _run(self, values: dict[str, Any], watch: Watch | None) -> None:
        self._chunks.renew()
        watched = self.plan.watched
        if watch is not None:
            for op in self.plan.constant:
                names = watched.intersection(op.output_names)
                watch((op,), {name: values[name] for name in names}, 0.0)
        for step, (out, scratch) in zip(self.plan.steps, self._memory(), strict=True):
            arrays = [values[name] for name in step.reads]
            started = perf_counter()
            try:
                if step.shape is None:
                    values.update(_named(step, step.function(*arrays)))
                else:
                    if out is None:
                        out = self._allocated(step, step.shape)
                    step.function(out, scratch, *arrays)
                    values[step.writes[0]] = out
            except Exception as error:
                raise self._failure(step, arrays, error) from error
            if watch is not None:
                seconds = perf_counter() - started
                seen = {name: values[name] for name in step.writes if name in watched}
                watch(step.operations, seen, seconds)
            for name in step.frees:
                del values[name]

    def _allocated(self, step: PlanStep, shape: tuple[int, ...]) -> Array:
        """Return memory that outlives the run."""
        if step.writes[0] in self.plan.watched:
            return self._chunks.take(shape, step.dtype)
        return np.empty(shape, step.dtype)

    def _failure(self, step: PlanStep, arrays: list[Array], error: Exception) -> Exception:
        op = step.operations[0]
        shapes = dict(zip(step.reads, (np.shape(array) for array in arrays), strict=True))
        known = {name: array.shape for name, array in self.plan.known.items()}
        return failed_operation(self.plan.graph, op, known | shapes, error)

    def _memory(self) -> list[tuple[Array | None, Array | None]]:
        """Return the array to write to and the scratch of each step, made before the first run."""
        if self._buffers is None:
            block = np.empty(self.plan.memory + ALIGNMENT, np.uint8)
            start = -block.ctypes.data % ALIGNMENT
            block = block[start : start + self.plan.memory]
            self._buffers = [(_out(block, step), _scratch(block, step)) for step in self.plan.steps]
        return self._buffers


def _out(block: Array, step: PlanStep) -> Array | None:
    if step.offset is None or step.shape is None:
        return None
    part: Array = block[step.offset : step.offset + step.size]
    return part.view(step.dtype).reshape(step.shape)


def _scratch(block: Array, step: PlanStep) -> Array | None:
    if step.scratch_offset is None:
        return None
    size = step.scratch * step.dtype.itemsize
    part: Array = block[step.scratch_offset : step.scratch_offset + size]
    return part.view(step.dtype)


def _named(step: PlanStep, result: Any) -> dict[str, Array]:
    if len(step.writes) == 1 and not isinstance(result, (list, tuple)):
        return {step.writes[0]: np.asarray(result)}
    return dict(zip(step.writes, result, strict=True))


def _results(
    values: Mapping[str, Array], names: tuple[str, ...], inputs: list[Array]
) -> dict[str, Array]:
    """Return the fetched tensors, each in its own memory."""
    seen = {id(array) for array in inputs}
    results = {}
    for name in names:
        array = values[name]
        if id(array) in seen or not array.flags.owndata or not array.flags.c_contiguous:
            array = np.array(array, order="C")
        seen.add(id(array))
        results[name] = array
    return results
