"""A graph made ready to run in PyTorch."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import nan
from time import perf_counter

import torch

from nnefkit.arrays import Array
from nnefkit.execution.dtypes import scalar_dtype, stored
from nnefkit.execution.engine import ProcessLock, Watch, failed_operation
from nnefkit.execution.engines.torch.lowerings import Tensor
from nnefkit.execution.engines.torch.memory import as_array, as_tensor
from nnefkit.execution.engines.torch.program import Step, steps, torch_dtype
from nnefkit.execution.variables import updates
from nnefkit.graph import Graph, Operation

_LOCK = ProcessLock()
"""The number of threads is a setting of the whole process."""
_PROCESS = os.getpid()
"""Where the threads of PyTorch are. A process forked off lacks them, and would wait for them."""


class PreparedGraph:
    """The steps of a graph, and all that is known before a run."""

    def __init__(
        self,
        graph: Graph,
        fetch: Collection[str],
        watched: Collection[str],
        device: torch.device,
        threads: int | None,
    ) -> None:
        self._graph = graph
        self._fetch = tuple(sorted(fetch))
        self._watched = frozenset(watched)
        self._device = device
        self._threads = threads
        visible = self._watched.union(fetch)
        self._known: dict[str, Tensor] = {}
        self._folded: list[Operation] = []
        with _settings(threads), torch.inference_mode():
            remaining = self._fold(graph.needed(visible))
        scalar = torch_dtype(scalar_dtype(graph))
        kept = visible.union(self._known)
        self._steps = steps(graph, remaining, kept, scalar, device)
        read = visible.union(name for step in self._steps for name in step.reads)
        self._known = {name: tensor for name, tensor in self._known.items() if name in read}

    def _fold(self, operations: Iterable[Operation]) -> list[Operation]:
        """Computes what needs no input; returns what is left to do."""
        scalar = scalar_dtype(self._graph)
        updated = updates(self._graph)
        remaining = []
        for op in operations:
            name = op.output_names[0] if op.output_names else ""
            if op.name == "external" or name in updated:
                continue
            if op.is_source:
                array = stored(self._graph.tensors[name], scalar)
                self._known[name] = as_tensor(array).to(self._device)
            elif op.name != "update" and all(read in self._known for read in op.input_names):
                kept = {*self._known, *op.output_names}
                (step,) = steps(self._graph, [op], kept, torch_dtype(scalar), self._device)
                self._do(step, self._known)
                self._folded.append(op)
            else:
                remaining.append(op)
        return remaining

    def __call__(self, feeds: Mapping[str, Array], watch: Watch | None = None) -> dict[str, Array]:
        """Computes the fetched tensors; see `nnefkit.execution.engine.Prepared`."""
        with _settings(self._threads), torch.inference_mode():
            given = {name: as_tensor(array).to(self._device) for name, array in feeds.items()}
            foreign = {**self._known, **given}
            values = dict(foreign)
            if watch is None:
                for step in self._steps:
                    self._do(step, values)
            else:
                self._run_watched(values, foreign, watch)
            return self._results(values, foreign)

    def _do(self, step: Step, values: dict[str, Tensor]) -> None:
        try:
            step.run(values)
        except Exception as error:
            op = step.operation
            shapes = {n: tuple(values[n].shape) for n in op.input_names if n in values}
            raise failed_operation(self._graph, op, shapes, error) from error

    def _run_watched(
        self, values: dict[str, Tensor], foreign: Mapping[str, Tensor], watch: Watch
    ) -> None:
        own = {tensor.untyped_storage().data_ptr() for tensor in foreign.values()}
        for op in self._folded:
            names = [name for name in op.output_names if name in self._watched]
            watch((op,), {name: as_array(values[name]) for name in names}, 0.0)
        for step in self._steps:
            started = perf_counter()
            self._do(step, values)
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
            seconds = perf_counter() - started if self._device.type in ("cpu", "cuda") else nan
            seen = {}
            for name in step.writes:
                if name in self._watched:
                    tensor = values[name]
                    shared = tensor.untyped_storage().data_ptr() in own
                    seen[name] = as_array(tensor.clone() if shared else tensor)
            watch((step.operation,), seen, seconds)

    def _results(
        self, values: Mapping[str, Tensor], foreign: Mapping[str, Tensor]
    ) -> dict[str, Array]:
        """The fetched tensors, each in memory of its own."""
        taken = {tensor.untyped_storage().data_ptr() for tensor in foreign.values()}
        results = {}
        for name in self._fetch:
            tensor = values[name].contiguous()
            place = tensor.untyped_storage().data_ptr()
            if place in taken or tensor.untyped_storage().nbytes() > 2 * tensor.nbytes:
                # Shared, or a small part of something large that would be kept alive.
                tensor = tensor.clone(memory_format=torch.contiguous_format)
                place = tensor.untyped_storage().data_ptr()
            taken.add(place)
            results[name] = as_array(tensor)
        return results


@contextmanager
def _settings(threads: int | None) -> Iterator[None]:
    """Settings that hold while a graph runs: threads, and no rounding to fewer bits on a GPU."""
    if os.getpid() != _PROCESS:
        threads = 1
    with _LOCK.here(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        before = torch.get_num_threads()
        if threads is not None and threads != before:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            if torch.get_num_threads() != before:
                torch.set_num_threads(before)
