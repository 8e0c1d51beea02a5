"""The runner of programs in eager PyTorch."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from math import nan
from time import perf_counter

import torch

from nnefkit.arrays import Array
from nnefkit.execution.dtypes import scalar_dtype, stored
from nnefkit.execution.engine import ProcessLock, Watch
from nnefkit.execution.engines.torch.lowerings import Tensor
from nnefkit.execution.engines.torch.program import make_program, run_step
from nnefkit.execution.engines.torch.tensor_conversion import as_array, as_tensor
from nnefkit.execution.lowering.schedule import make_schedule
from nnefkit.graph import Graph

_LOCK = ProcessLock()
"""The number of threads is a setting of the whole process."""
_PROCESS = os.getpid()
"""The process that owns PyTorch's threads. A forked process lacks them and would wait forever."""


class ProgramRunner:
    """The program of a graph, together with all tensors that are known before a run."""

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
        scalar = scalar_dtype(graph)
        schedule = make_schedule(graph, visible)
        self._constant = schedule.constant
        with _settings(threads), torch.inference_mode():
            for op in schedule.weights:
                name = op.output_names[0]
                self._known[name] = as_tensor(stored(graph.tensors[name], scalar)).to(device)
            kept = self._known.keys() | {n for op in self._constant for n in op.output_names}
            for step in make_program(graph, schedule.constant, kept, scalar, device):
                run_step(graph, step, self._known)
        self._steps = make_program(
            graph, schedule.varying, visible.union(self._known), scalar, device
        )
        read = visible.union(name for step in self._steps for name in step.reads)
        self._known = {name: tensor for name, tensor in self._known.items() if name in read}

    def __call__(self, feeds: Mapping[str, Array], watch: Watch | None = None) -> dict[str, Array]:
        """Compute the fetched tensors; see `nnefkit.execution.engine.Prepared`."""
        with _settings(self._threads), torch.inference_mode():
            given = {name: as_tensor(array).to(self._device) for name, array in feeds.items()}
            foreign = {**self._known, **given}
            values = dict(foreign)
            if watch is None:
                for step in self._steps:
                    run_step(self._graph, step, values)
            else:
                self._run_watched(values, foreign, watch)
            return self._results(values, foreign)

    def _run_watched(
        self, values: dict[str, Tensor], foreign: Mapping[str, Tensor], watch: Watch
    ) -> None:
        shared = {tensor.untyped_storage().data_ptr() for tensor in foreign.values()}
        for op in self._constant:
            names = [name for name in op.output_names if name in self._watched]
            watch((op,), {name: as_array(values[name]) for name in names}, 0.0)
        measurable = self._device.type in ("cpu", "cuda")
        for step in self._steps:
            started = perf_counter()
            run_step(self._graph, step, values)
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
            seconds = perf_counter() - started if measurable else nan
            seen = {
                name: _unshared(values[name], shared)
                for name in step.writes
                if name in self._watched
            }
            watch((step.operation,), seen, seconds)

    def _results(
        self, values: Mapping[str, Tensor], foreign: Mapping[str, Tensor]
    ) -> dict[str, Array]:
        """Return the fetched tensors, each in its own memory."""
        taken = {tensor.untyped_storage().data_ptr() for tensor in foreign.values()}
        results = {}
        for name in self._fetch:
            tensor = values[name].contiguous()
            address = tensor.untyped_storage().data_ptr()
            if address in taken or tensor.untyped_storage().nbytes() > 2 * tensor.nbytes:
                # Shared memory, or a small part of a large tensor that would stay alive.
                tensor = tensor.clone(memory_format=torch.contiguous_format)
                address = tensor.untyped_storage().data_ptr()
            taken.add(address)
            results[name] = as_array(tensor)
        return results


def _unshared(tensor: Tensor, shared: Collection[int]) -> Array:
    """Return the values of a tensor, copied if they share memory with a feed or a weight."""
    copied = tensor.untyped_storage().data_ptr() in shared
    return as_array(tensor.clone() if copied else tensor)


@contextmanager
def _settings(threads: int | None) -> Iterator[None]:
    """Set the number of threads, and disable rounding to fewer bits on a GPU, for a run."""
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
