"""What a trace keeps of a run, and where."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import numpy as np

from nnefkit.arguments import expected_names, expected_path
from nnefkit.arrays import Array
from nnefkit.display.statistics import Statistics, statistics
from nnefkit.errors import UnknownNameError, did_you_mean
from nnefkit.graph import Graph, Operation
from nnefkit.storage import writing_to

Keep = str | Iterable[str] | Callable[[str], bool]
"""``"all"``, ``"statistics"``, the names of tensors, or a function that says it of a name."""


def flowing(graph: Graph) -> tuple[str, ...]:
    """Names of the tensors that a run takes or computes, in the order of the graph."""
    return tuple(name for op in graph.operations if not op.is_weight for name in op.output_names)


def chosen(graph: Graph, keep: Keep, flow: frozenset[str]) -> frozenset[str]:
    """Names of the tensors to look at in a run.

    Args:
        graph: What is run.
        keep: What to keep of it.
        flow: What `flowing` says of it.

    Raises:
        UnknownNameError: there is no such tensor.
        InputError: `keep` says nothing of the kind.
    """
    if isinstance(keep, str):
        if keep in ("all", "statistics"):
            return flow
        keep = [keep]
    if callable(keep):
        return frozenset(name for name in flowing(graph) if keep(name))
    wanted = frozenset(expected_names(keep, "keep"))
    for name in sorted(wanted.difference(flow)):
        if name in graph.tensors:
            hint = f"'{name}' is no result of the run; its values are graph.tensors['{name}'].data."
            raise UnknownNameError(f"a trace has no values of '{name}'", hint=hint)
        hint = did_you_mean(name, ["all", "statistics", *flowing(graph)])
        raise UnknownNameError(f"graph '{graph.name}' has no tensor '{name}'", hint=hint)
    return wanted


class Keeper:
    """Takes what flows by in a run: the values themselves, files of them, or statistics."""

    def __init__(self, names: Collection[str], values: bool, spill: str | Path | None) -> None:
        self.names = names
        self.values = values
        self.folder = _folder(spill) if spill is not None and values else None
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.tensors: dict[str, Array] = {}
        self.statistics: dict[str, Statistics] = {}
        self.seconds: dict[str, float] = {}

    def take(self, name: str, array: Array) -> None:
        """Takes the values of one tensor."""
        self.shapes[name] = array.shape
        if not self.values:
            self.statistics[name] = statistics(array)
            return
        if self.folder is not None:
            array = _spilled(array, self.folder / f"{len(self.tensors):06}.npy")
        if array.flags.writeable:
            array = array.view()
            array.setflags(write=False)
        self.tensors[name] = array

    def watch(
        self, operations: tuple[Operation, ...], results: Mapping[str, Array], seconds: float
    ) -> None:
        """Takes the results of operations just done; see `nnefkit.execution.engine.Watch`."""
        self.seconds[operations[0].output_names[0]] = seconds
        for name, array in results.items():
            self.take(name, array)


def _folder(spill: str | Path) -> Path:
    path = expected_path(spill, "spill")
    with writing_to(path):
        path.mkdir(parents=True, exist_ok=True)
        # A folder of its own: files of an earlier trace may still be mapped.
        return Path(tempfile.mkdtemp(prefix="trace-", dir=path))


def _spilled(array: Array, path: Path) -> Array:
    with writing_to(path):
        np.save(path, array, allow_pickle=False)
    if not array.size or array.ndim == 0:
        return array
    mapped: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped
