"""A graph as the document that tract reads: what it computes, from what, and where results are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.dtypes import numpy_dtype, scalar_dtype, stored
from nnefkit.execution.variables import updates
from nnefkit.graph import FrozenDict, Graph, Operation, Tensor
from nnefkit.language import print_graph
from nnefkit.operations.slicing import slice_bounds
from nnefkit.storage import GRAPH, data_name, tensor_content


@dataclass(frozen=True)
class Place:
    """Where a tensor lies in the memory that is shared with the child."""

    name: str
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def array(self, memory: Any) -> Array:
        """The tensor in this memory."""
        count = int(np.prod(self.shape, dtype=np.int64))
        return np.frombuffer(memory, self.dtype, count, self.offset).reshape(self.shape)

    def told(self) -> tuple[int, str, tuple[int, ...]]:
        """For the child."""
        return self.offset, self.dtype.str, self.shape


@dataclass(frozen=True)
class Document:
    """What tract is given."""

    graph: Graph
    """Only what the wanted tensors need; variables that change are its inputs."""
    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]
    known: Mapping[str, str]
    """Wanted tensors that need no computation -> the tensor whose values they have."""
    size: int
    """Bytes of the memory that is shared."""

    def write(self, folder: Path) -> None:
        """Writes the model, its weights in the precision that the graph is computed in."""
        scalar = scalar_dtype(self.graph)
        text = print_graph(self.graph, defaults=False)
        (folder / GRAPH).write_text(text, encoding="utf-8", newline="\n")
        for tensor in self.graph.variables:
            # Nobody else reads these files: no need to be atomic, which takes its time.
            with (folder / data_name(tensor.label or "")).open("wb") as file:
                for chunk in tensor_content(stored(tensor, scalar)).chunks():
                    file.write(chunk)


def document(graph: Graph, wanted: Collection[str]) -> Document:
    """The document that computes the tensors `wanted`."""
    aliases = {
        op.output_names[0]: op.inputs["value"] for op in graph.operations if op.name == "update"
    }
    changing = set(updates(graph))
    given = {n for op in graph.operations if op.is_source for n in op.output_names}
    known = {}
    computed = []
    for name in wanted:
        origin = name
        while origin in aliases:
            origin = str(aliases[origin])
        if origin in given:
            known[name] = origin
        else:
            computed.append(origin)
            if origin != name:
                known[name] = origin
    computed = list(dict.fromkeys(computed))
    if not computed:
        return Document(graph, (), (), known, 0)
    part = _plain(graph.between(changing.union(graph.inputs), sorted(computed)))
    places: list[Place] = []
    offset = 0
    for name in (*part.inputs, *part.outputs):
        tensor = part.tensors[name]
        place = Place(name, offset, _dtype(tensor, scalar_dtype(graph)), tensor.shape or ())
        places.append(place)
        offset += -(-place.size // 64) * 64
    count = len(part.inputs)
    return Document(part, tuple(places[:count]), tuple(places[count:]), known, offset)


def _dtype(tensor: Tensor, scalar: np.dtype[Any]) -> np.dtype[Any]:
    return numpy_dtype(tensor.dtype, scalar)


_SORTED = frozenset(
    ["softmax", "moments", "l1_normalization", "l2_normalization", "squeeze"]
    + [f"{kind}_reduce" for kind in ("sum", "mean", "max", "min", "argmax", "argmin", "all", "any")]
)
"""Operations to which the order of their axes means nothing; tract wants them ascending."""


def _plain(graph: Graph) -> Graph:
    """The graph in the forms that tract reads, of all those that mean the same.

    Labels become safe names of files, constants become variables, whole numbers among scalars get a
    point, axes ascend, bounds of slices count from the beginning; the history of the graph goes.
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
        op = replace(op, attribs=_from_beginning(graph, op))
    names = (*op.input_names, *op.output_names)
    if any(graph.tensors[name].dtype == "scalar" for name in names):
        op = replace(op, inputs=FrozenDict({k: _with_point(v) for k, v in op.inputs.items()}))
    return op


def _from_beginning(graph: Graph, op: Operation) -> FrozenDict:
    """The attributes of a slice without bounds that are negative, or 0 for the end of an axis."""
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
