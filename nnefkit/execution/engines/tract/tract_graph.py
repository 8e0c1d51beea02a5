"""The files that tract reads, and the locations of inputs and results in shared memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.dtypes import numpy_dtype, scalar_dtype, stored
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation
from nnefkit.language import print_graph
from nnefkit.operations.slicing import slice_bounds
from nnefkit.storage import GRAPH, data_name, tensor_content


@dataclass(frozen=True)
class TensorLocation:
    """The location of a tensor in the memory that is shared with the child process."""

    name: str
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Size in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def array(self, memory: Any) -> Array:
        """Return the tensor in this memory."""
        count = int(np.prod(self.shape, dtype=np.int64))
        return np.frombuffer(memory, self.dtype, count, self.offset).reshape(self.shape)

    def description(self) -> tuple[int, str, tuple[int, ...]]:
        """Return offset, dtype and shape, as the child takes them."""
        return self.offset, self.dtype.str, self.shape


@dataclass(frozen=True)
class TractGraph:
    """A graph in the form that tract reads."""

    graph: Graph
    """The operations that the wanted tensors depend on; variables that change are its inputs."""
    inputs: tuple[TensorLocation, ...]
    outputs: tuple[TensorLocation, ...]
    known: Mapping[str, str]
    """Wanted tensors that need no computation -> the tensors that they are equal to."""
    size: int
    """Size of the shared memory in bytes."""

    def write(self, folder: Path) -> None:
        """Write the model, its weights in the precision that the graph is computed in."""
        scalar = scalar_dtype(self.graph)
        text = print_graph(self.graph, defaults=False)
        (folder / GRAPH).write_text(text, encoding="utf-8", newline="\n")
        for tensor in self.graph.variables:
            # No other process reads these files: writing them atomically would only be slower.
            with (folder / data_name(tensor.label or "")).open("wb") as file:
                for chunk in tensor_content(stored(tensor, scalar)).chunks():
                    file.write(chunk)


def tract_graph(graph: Graph, wanted: Collection[str]) -> TractGraph:
    """Return the model that computes the tensors `wanted`."""
    sources = {n for op in graph.operations if op.is_source for n in op.output_names}
    origins = {name: _origin(graph, name) for name in wanted}
    known = {n: origin for n, origin in origins.items() if origin != n or origin in sources}
    computed = set(origins.values()) - sources
    if not computed:
        return TractGraph(graph, (), (), known, 0)
    inputs = {*updates(graph), *graph.inputs}
    part = _plain(_without_updates(graph.between(inputs, sorted(computed))))
    scalar = scalar_dtype(graph)
    locations: list[TensorLocation] = []
    offset = 0
    for name in (*part.inputs, *part.outputs):
        tensor = part.tensors[name]
        dtype = numpy_dtype(tensor.dtype, scalar)
        locations.append(TensorLocation(name, offset, dtype, tensor.shape or ()))
        offset += -(-locations[-1].size // 64) * 64
    count = len(part.inputs)
    return TractGraph(part, tuple(locations[:count]), tuple(locations[count:]), known, offset)


def _origin(graph: Graph, name: str) -> str:
    """Return the tensor whose values a tensor has: that of an update is its new value."""
    while (op := graph.producers[name]).name == "update":
        name = str(op.inputs["value"])
    return name


def _without_updates(graph: Graph) -> Graph:
    """Return the graph with the new values of variables in place of the results of updates."""
    if not updates(graph):
        return graph

    def direct(value: Any) -> Any:
        if isinstance(value, list):
            return [direct(item) for item in value]
        return Identifier(_origin(graph, value)) if isinstance(value, Identifier) else value

    operations = tuple(
        replace(op, inputs=FrozenDict({formal: direct(v) for formal, v in op.inputs.items()}))
        for op in graph.operations
        if op.name != "update"
    )
    return replace(graph, operations=operations)


_SORTED = frozenset(
    ["softmax", "moments", "l1_normalization", "l2_normalization", "squeeze"]
    + [f"{kind}_reduce" for kind in ("sum", "mean", "max", "min", "argmax", "argmin", "all", "any")]
)
"""Operations for which the order of their axes does not matter; tract needs them ascending."""


def _plain(graph: Graph) -> Graph:
    """Return an equivalent graph in the forms that tract reads.

    Labels become safe file names, constants become variables, integer literals among scalars get a
    decimal point, axes ascend, bounds of slices count from the start; provenance is dropped.
    """
    tensors = dict(graph.tensors)
    operations: list[Operation] = []
    for number, op in enumerate(graph.operations):
        if not op.is_weight:
            operations.append(_normal(graph, op))
            continue
        label = f"variable{number}"
        name = op.output_names[0]
        attribs = FrozenDict(shape=op.attribs["shape"], label=label)
        operations.append(replace(op, name="variable", attribs=attribs))
        tensors[name] = replace(tensors[name], label=label, quantization=None)
    return replace(
        graph,
        name="network",
        operations=tuple(operations),
        tensors=FrozenDict(tensors),
        provenance=FrozenDict(),
        extensions=(),
        declarations=(),
    )


def _normal(graph: Graph, op: Operation) -> Operation:
    if op.name in _SORTED:
        op = replace(op, attribs=FrozenDict(op.attribs, axes=sorted(op.attribs["axes"])))
    if op.name == "slice":
        op = replace(op, attribs=_from_start(graph, op))
    names = (*op.input_names, *op.output_names)
    if any(graph.tensors[name].dtype == "scalar" for name in names):
        op = replace(op, inputs=FrozenDict({k: _with_point(v) for k, v in op.inputs.items()}))
    return op


def _from_start(graph: Graph, op: Operation) -> FrozenDict:
    """Return the attributes of a slice with all bounds counted from the start of the axis."""
    axes, begin, end = (op.attribs[key] for key in ("axes", "begin", "end"))
    tensor = graph.tensors.get(str(op.inputs["input"]))  # a literal has no axes
    shape = tensor.shape or () if tensor is not None else ()
    bounds = slice_bounds([shape[axis] for axis in axes], begin, end, op.attribs["stride"])
    first = [start for start, _, _ in bounds]
    last = [stop for _, stop, _ in bounds]
    return FrozenDict(op.attribs, begin=first, end=last)


def _with_point(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_point(item) for item in value]
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole else value
