"""The recorder of a run: which tensors a trace holds, and where."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import numpy as np

from nnefkit.arguments import expected_names, expected_path
from nnefkit.arrays import Array
from nnefkit.display.statistics import COUNTED, Statistics, statistics
from nnefkit.errors import NnefError, UnknownNameError, did_you_mean
from nnefkit.execution.trace.run_record import Entry, Run, with_shapes
from nnefkit.graph import Graph, Operation
from nnefkit.storage import TemporaryFolder, map_npy, writing_to

Keep = str | Iterable[str] | Callable[[str], bool]
"""``"all"``, ``"statistics"``, names of tensors, or a function from a name to a bool."""


def recorded_names(graph: Graph, keep: Keep, flowing: Collection[str]) -> frozenset[str]:
    """Return the names of the tensors to record in a run.

    Args:
        graph: The graph that is run.
        keep: The tensors to record.
        flowing: Names of the tensors that are not weights, in the order of the graph.

    Raises:
        UnknownNameError: There is no such tensor.
        InputError: `keep` has another type.
    """
    if isinstance(keep, str):
        if keep in ("all", "statistics"):
            return frozenset(flowing)
        keep = [keep]
    if callable(keep):
        return frozenset(name for name in flowing if keep(name))
    names = frozenset(expected_names(keep, "keep"))
    for name in sorted(names.difference(flowing)):
        if name in graph.tensors:
            hint = f"'{name}' does not flow; its values are graph.tensors['{name}'].data."
            raise UnknownNameError(f"a trace does not record '{name}'", hint=hint)
        hint = did_you_mean(name, ["all", "statistics", *flowing])
        raise UnknownNameError(f"graph '{graph.name}' has no tensor '{name}'", hint=hint)
    return names


class Recorder:
    """Records tensors of a run: the values themselves, files of them, or statistics.

    Args:
        names: Names of the tensors to record.
        values: Whether to record values, or only statistics.
        spill: A folder for files of the values; None to hold them in memory.
    """

    def __init__(self, names: Collection[str], values: bool, spill: str | Path | None) -> None:
        self.names = names
        self.values = values
        self.folder = _folder(spill) if spill is not None and values else None
        """Where values are spilled to, a folder that is locked until it is discarded."""
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.tensors: dict[str, Array] = {}
        self.statistics: dict[str, Statistics] = {}
        self.seconds: dict[str, float] = {}
        self.groups: dict[str, tuple[str, ...]] = {}

    def take(self, name: str, array: Array) -> None:
        """Record one tensor."""
        self.shapes[name] = array.shape
        if not self.values:
            self.statistics[name] = statistics(array, bars=COUNTED)
            return
        if self.folder is not None:
            array = _spilled(array, self.folder.path / f"{len(self.tensors):06}.npy")
        if array.flags.writeable:
            array = array.view()
            array.setflags(write=False)
        self.tensors[name] = array

    def take_inputs(self, feeds: Mapping[str, Array]) -> None:
        """Record copies of the inputs, of those that are wanted."""
        for name, array in feeds.items():
            if name in self.names:
                self.take(name, array.copy())

    def watch(
        self, operations: tuple[Operation, ...], results: Mapping[str, Array], seconds: float
    ) -> None:
        """Record the results of operations just done; see `nnefkit.execution.engine.Watch`."""
        # Integers that scalars are computed from are named after them.
        names = [op.output_names[0].partition(".")[0] for op in operations]
        name = names[0]
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self.groups[name] = tuple(dict.fromkeys((*self.groups.get(name, ()), *names)))
        for name, array in results.items():
            self.take(name, array)

    def run(
        self,
        graph: Graph,
        engine: str,
        entries: tuple[Entry, ...],
        seconds: float,
        error: BaseException | None = None,
    ) -> Run:
        """Return the circumstances of the run that was recorded.

        Args:
            graph: The graph that was run.
            engine: The name of the engine.
            entries: An entry for each tensor that flows.
            seconds: Time of the whole run.
            error: What ended it early.
        """
        return Run(
            *(engine, graph.name, graph.inputs, graph.outputs),
            with_shapes(entries, self.shapes),
            self.seconds,
            seconds,
            self.groups,
            "" if error is None else _stopped_by(error),
            None if error is None else self._computed(graph, entries),
        )

    def _computed(self, graph: Graph, entries: tuple[Entry, ...]) -> frozenset[str]:
        done = {*self.seconds, *(name for group in self.groups.values() for name in group)}
        known = {*self.shapes, *graph.inputs}
        return frozenset(
            entry.tensor
            for entry in entries
            if entry.tensor in known or graph.producers[entry.tensor].output_names[0] in done
        )


def _stopped_by(error: BaseException) -> str:
    if isinstance(error, NnefError):
        return f"The run failed: {error.diagnostics[0].message}."
    return "The run was interrupted."


def _folder(spill: str | Path) -> TemporaryFolder:
    path = expected_path(spill, "spill")
    with writing_to(path):
        path.mkdir(parents=True, exist_ok=True)
        # A new folder: files of an earlier trace may still be mapped.
        return TemporaryFolder(path)


def _spilled(array: Array, path: Path) -> Array:
    with writing_to(path):
        np.save(path, array, allow_pickle=False)
    if not array.size or array.ndim == 0:
        return array
    return map_npy(str(path))
