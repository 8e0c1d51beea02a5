"""Other shapes of the inputs of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.graph.extents import EXTENTS, input_shapes
from nnefkit.graph.frozen import FrozenDict
from nnefkit.graph.operation import Operation
from nnefkit.graph.provenance import unproven
from nnefkit.graph.tensor import Tensor


class _AnyGraph(Protocol):
    """What is read of a graph, whose class is built on this module."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str: ...
    @property
    def inputs(self) -> tuple[str, ...]: ...
    @property
    def operations(self) -> tuple[Operation, ...]: ...
    @property
    def tensors(self) -> Mapping[str, Tensor]: ...
    @property
    def provenance(self) -> Mapping[str, Any]: ...


Graph = TypeVar("Graph", bound=_AnyGraph)


def reshaped(graph: Graph, shapes: Mapping[str, Sequence[int]]) -> Graph:
    """Return a copy with new shapes of inputs; shapes that depend on them become None.

    Raises:
        UnknownNameError: There is no such input.
        InputError: An extent is not a positive integer; or the graph was converted, and what its
            source computes for these shapes needs other operations, or may need them.
    """
    for name, shape in shapes.items():
        _check(graph, name, shape)
    wanted = {name: tuple(map(int, shape)) for name, shape in shapes.items()}
    if record := graph.provenance.get(EXTENTS):
        record.check(wanted, input_shapes(graph.operations))
    operations = []
    fixed: set[str] = set()
    for op in graph.operations:
        attribs = op.attribs
        if op.name == "external" and (name := op.output_names[0]) in wanted:
            attribs = FrozenDict(attribs, shape=[*wanted[name]])
        if not op.input_names:
            fixed.update(op.output_names)
        operations.append(replace(op, attribs=attribs, macs=None))
    tensors = {}
    for name, tensor in graph.tensors.items():
        known = tensor.shape if name in fixed else None
        tensors[name] = replace(tensor, shape=wanted.get(name, known))
    return replace(
        graph,
        operations=tuple(operations),
        tensors=FrozenDict(tensors),
        provenance=unproven(graph.provenance, "with_input_shapes"),
    )


def _check(graph: _AnyGraph, name: str, shape: Any) -> None:
    if name not in graph.inputs:
        raise UnknownNameError(
            f"graph '{graph.name}' has no input '{name}'",
            hint=did_you_mean(name, graph.inputs) or f"Its inputs are {', '.join(graph.inputs)}.",
        )
    if not isinstance(shape, (list, tuple)) or not all(
        isinstance(extent, (int, np.integer)) and extent > 0 for extent in shape
    ):
        raise InputError(
            f"the shape of input '{name}' must consist of positive integers, not {shape}",
            hint=f"For example: {name}={graph.tensors[name].shape}.",
            section="4.1.1",
        )


def inferred(graph: Graph) -> Graph:
    """Return a copy with all shapes: `nnefkit.infer_shapes`, which is in a room above this one.

    Raises:
        DocumentError: Operations cannot be computed for the shapes of the inputs.
    """
    whole: Graph = import_module("nnefkit.io").infer_shapes(graph)
    return whole
