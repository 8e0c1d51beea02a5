"""Dumped graphs read whole, and proved with the run that the script recorded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from nnefkit.arrays import Array, Arrays
from nnefkit.budget import current_budget
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import (
    Diagnostic,
    DocumentError,
    ExecutionError,
    InputError,
    UnknownNameError,
    did_you_mean,
)
from nnefkit.exchange.array_archive import ArrayArchive
from nnefkit.exchange.dumped.call import DumpedCall
from nnefkit.exchange.dumped.document import Dump, File, open_dump
from nnefkit.exchange.dumped.framework import Framework
from nnefkit.exchange.dumped.nodes import DumpReader
from nnefkit.exchange.fragments import with_macs
from nnefkit.exchange.proof import SourceRun, unproved, verified
from nnefkit.exchange.proof_inputs import independent, unused_inputs
from nnefkit.graph import Graph
from nnefkit.graph.extents import Shapes

_SUFFIXES = (".graph", ".optimised", ".optimized")


class Files(NamedTuple):
    """The files of a graph, as paths or bytes."""

    path: File
    arrays: File | None = None
    """The ``.npz`` file; by default the one of the same name."""
    run: File | None = None
    """The recorded run; by default the one in the file of arrays, or beside it."""


@dataclass(frozen=True, eq=False)
class OpenedDump:
    """A graph with what a user wants of it."""

    dump: Dump
    framework: Framework
    call_class: type[DumpedCall] = field(repr=False)
    outputs: Mapping[str, str]
    """Name of a wanted output -> id of its value."""
    recorded: Mapping[str, Array] = field(repr=False)
    """The arrays of a recorded run, as ``inputs/x``, ``outputs/y`` and ``tensors/id``."""

    def graph(self, shapes: Shapes, bar: StagedProgressBar | None = None) -> Graph:
        """Return the graph for inputs of some shapes.

        Raises:
            DocumentError: NNEF cannot express it; one diagnostic for each refused node.
        """
        reader = DumpReader(self.dump, self.framework, self.call_class, self.outputs, shapes)
        if bar is not None:
            bar.stage("reading", len(reader.nodes), "node")
        graph = reader.read(bar)
        if graph is None:
            raise DocumentError(reader.problems)
        return with_macs(graph)

    def recorded_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the inputs of the recorded run; empty without one."""
        keys = {name: f"inputs/{name}" for name in self.dump.inputs}
        if not all(key in self.recorded for key in keys.values()):
            return {}
        return {name: self.recorded[key].shape for name, key in keys.items()}

    def close(self) -> None:
        """Close the files."""
        self.dump.arrays.close()
        if isinstance(self.recorded, ArrayArchive):
            self.recorded.close()


@contextmanager
def reading(
    framework: Framework,
    call_class: type[DumpedCall],
    files: Files,
    outputs: Sequence[str] | str | None,
    progress: bool | None,
) -> Iterator[tuple[OpenedDump, StagedProgressBar]]:
    """Open a graph with a progress bar, and close its files at the end.

    Args:
        framework: Its framework.
        call_class: The class of calls that its readers take.
        files: The graph, its arrays, and the run that was recorded.
        outputs: Names of outputs, or ids of values; all outputs by default.
        progress: Whether to show the bar; None shows it where this takes more than a second.

    Raises:
        InputError: It is not such a graph.
        StorageError: A file cannot be read, or is damaged.
        UnknownNameError: There is no such output.
    """
    path = files.path
    title = Path(path).stem if isinstance(path, (str, os.PathLike)) else framework.what
    with StagedProgressBar(title, progress) as bar:
        bar.stage("opening")
        dump = open_dump(framework, path, files.arrays)
        source = _opened(dump, framework, call_class, outputs, files.run)
        try:
            yield source, bar
        finally:
            source.close()


def _opened(
    dump: Dump,
    framework: Framework,
    call_class: type[DumpedCall],
    outputs: Sequence[str] | str | None,
    run: File | None,
) -> OpenedDump:
    """Return a graph with the wanted outputs, and a recorded run if there is one."""
    recorded: Mapping[str, Array] = dump.arrays
    if run is not None:
        recorded = ArrayArchive(run)
    elif not any(key.startswith("outputs/") for key in dump.arrays):
        beside = _beside(dump.path)
        if beside is not None:
            recorded = ArrayArchive(beside)
    return OpenedDump(dump, framework, call_class, _wanted(dump, outputs), recorded)


def _beside(path: str) -> Path | None:
    """Return the recorded run beside ``net.graph.json``: ``net.npz``."""
    if not path:
        return None
    stem = Path(path).with_suffix("")
    if stem.suffix not in _SUFFIXES:
        return None
    found = stem.with_suffix(".npz")
    return found if found.is_file() else None


def _wanted(dump: Dump, outputs: Sequence[str] | str | None) -> dict[str, str]:
    if outputs is None:
        return dict(dump.outputs)
    wanted = {}
    for name in [outputs] if isinstance(outputs, str) else outputs:
        if name in dump.outputs:
            wanted[name] = dump.outputs[name]
        elif name in dump.values:
            wanted[name] = name
        else:
            raise UnknownNameError(
                f"the graph has no output or value '{name}'",
                hint=did_you_mean(name, dump.outputs)
                or f"Its outputs are {', '.join(dump.outputs)}.",
                file=dump.path,
            )
    if not wanted:
        raise InputError("outputs=[] leaves nothing of the graph", file=dump.path)
    return wanted


def proved(
    source: OpenedDump,
    graph: Graph,
    *,
    verify: bool,
    engine: str,
    tolerance: float | None,
    bar: StagedProgressBar,
) -> Graph:
    """Return a graph with the result of its comparison with the recorded run.

    Raises:
        ExecutionError: The two differ.
        StorageError: The recorded run is damaged.
    """
    facts: dict[str, Any] = {
        "source": source.framework.name,
        **({"path": source.dump.path} if source.dump.path else {}),
        f"{source.framework.key}_version": source.dump.version,
        **unused_inputs(graph),
    }
    run = _RunOfDump(source, graph)
    reason = run.not_usable() if verify else "verify=False"
    if reason:
        return unproved(graph, facts, reason)
    run.refuse_other_sizes()
    return verified(
        graph,
        SourceRun(lambda _: run.outputs(), lambda _: run.everything(), facts),
        run.inputs(),
        engine=engine,
        tolerance=tolerance,
        bar=bar,
    )


class _RunOfDump:
    """The run that a script recorded, in the terms of a graph."""

    def __init__(self, source: OpenedDump, graph: Graph) -> None:
        self._arrays = source.recorded
        self._graph = graph
        self._outputs = source.outputs
        self._known = source.dump.outputs

    def not_usable(self) -> str:
        """Return why it proves nothing about the graph; empty if it does."""
        if not all(self._key(name) in self._arrays for name in self._outputs):
            return "the file has no recorded run"
        inputs: dict[str, Array] = {}
        for name in self._graph.inputs:
            key = f"inputs/{self._origin(name)}"
            if key not in self._arrays:
                return "the file has no recorded run"
            inputs[name] = self._arrays[key]
            if inputs[name].shape != self._graph.tensors[name].shape:
                return "the recorded run has inputs of other shapes"
        distinct = independent(inputs)
        if any(distinct[name] is not array for name, array in inputs.items()):
            return "two inputs of the recorded run are equal"
        size = sum(4.0 * prod(tensor.shape or ()) for tensor in self._graph.tensors.values())
        if size > current_budget().bytes:
            return "its tensors take more memory than the budget in effect (nk.Budget)"
        return ""

    def refuse_other_sizes(self) -> None:
        """Compare numbers of elements with the record, before any of them is computed.

        Raises:
            ExecutionError: A tensor has more or fewer elements than in the recorded run.
        """
        known = self.everything()
        for name, tensor in self._graph.tensors.items():
            array = known.get(tensor.origin or "")
            if tensor.data is None and array is not None and array.size != prod(tensor.shape or ()):
                message = (
                    "the graph does not compute what its source computes: "
                    f"'{name}' ('{tensor.origin}' in the source) is the first tensor that differs, "
                    f"in its shape: it is {[*(tensor.shape or ())]} instead of {[*array.shape]}"
                )
                hint = "The two files may be of two networks; verify=False does not compare them."
                raise ExecutionError(Diagnostic("wrong-export", message, hint=hint))

    def _key(self, name: str) -> str:
        return f"outputs/{name}" if name in self._known else f"tensors/{name}"

    def _origin(self, name: str) -> str:
        return self._graph.tensors[name].origin or name

    def inputs(self) -> dict[str, Array]:
        """Return the inputs by their names in the graph."""
        return {name: self._arrays[f"inputs/{self._origin(name)}"] for name in self._graph.inputs}

    def outputs(self) -> Arrays:
        """Return the outputs, in order."""
        return {name: self._arrays[self._key(name)] for name in self._outputs}

    def everything(self) -> Arrays:
        """Return all recorded tensors by origin."""
        prefix = "tensors/"
        found = {key[len(prefix) :]: key for key in self._arrays if key.startswith(prefix)}
        arrays = {origin: self._arrays[key] for origin, key in found.items()}
        for name, id_ in self._outputs.items():
            arrays.setdefault(id_, self._arrays[self._key(name)])
        return arrays
