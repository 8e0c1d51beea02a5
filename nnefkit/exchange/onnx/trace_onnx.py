"""`trace_onnx`: what flows in a model itself, in the terms of its graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import DocumentError, UnknownNameError, did_you_mean
from nnefkit.exchange.names import identifier
from nnefkit.exchange.onnx.from_onnx import read
from nnefkit.exchange.onnx.model import item_type, open_source
from nnefkit.exchange.onnx.runtime import run_model
from nnefkit.execution import Trace
from nnefkit.execution.trace.trace import Entry, Run
from nnefkit.graph import Graph


def trace_onnx(
    model: Any,
    inputs: Mapping[str, Any],
    *,
    constants: Mapping[str, Any] | None = None,
    graph: Graph | None = None,
) -> Trace:
    """Runs an ONNX model in ONNX Runtime, and keeps all that flows in it.

    Tensors are called as in the graph that `from_onnx` gives, so that `nnefkit.compare` sets the
    model beside any engine that runs the graph. Arithmetic of shapes and copies, which the graph
    does without, are left out.

    Args:
        model: As `from_onnx` takes it.
        inputs: Input name, in the model or in the graph -> array.
        constants: As `from_onnx` takes them.
        graph: What `from_onnx` gave, if it is at hand.

    Raises:
        ExecutionError: the model cannot be run.
        UnknownNameError: the model has no input of such a name.
    """
    proto = open_source(model, None, constants, open_shapes=True).model
    known = {info.name: info.name for info in proto.graph.input}
    known |= {identifier(name): name for name in known}
    kinds = {info.name: item_type(info.type) for info in proto.graph.input}
    given = {}
    for name, array in inputs.items():
        if name not in known:
            raise UnknownNameError(
                f"the model has no input '{name}'", hint=did_you_mean(str(name), known)
            )
        given[known[name]] = np.asarray(array, kinds[known[name]])
    started = perf_counter()
    found = {**given, **run_model(proto, given, everything=True)}
    total = perf_counter() - started
    if graph is None:
        graph = _graph(model, {name: array.shape for name, array in given.items()}, constants)
    return _trace(proto, found, graph, total)


def _graph(model: Any, shapes: Mapping[str, Any], constants: Any) -> Graph | None:
    try:
        return read(open_source(model, shapes, constants))
    except DocumentError:
        # NNEF cannot say the model; it runs all the same.
        return None


def _is_folded(array: Array, found: Mapping[str, Any], sources: Sequence[str]) -> bool:
    """Whether a tensor that a graph lacks is but arithmetic of shapes, or one that it has."""
    if array.dtype.kind in "iub":
        return True
    inputs = [found[name] for name in sources if isinstance(found.get(name), np.ndarray)]
    return any(
        other.size == array.size and np.array_equal(other.ravel(), array.ravel(), equal_nan=True)
        for other in inputs
        if other.dtype == array.dtype
    )


def _trace(proto: Any, found: Mapping[str, Any], graph: Graph | None, total: float) -> Trace:
    names: dict[str, str] = {}
    if graph is not None:
        for tensor in graph.tensors.values():
            if tensor.origin and tensor.data is None:
                names.setdefault(tensor.origin, tensor.name)
    entries = []
    tensors = {}

    def add(number: int, operation: str, origin: str, sources: Sequence[str] = ()) -> None:
        array = found.get(origin)
        if isinstance(array, np.ndarray):
            if graph is not None and origin not in names and _is_folded(array, found, sources):
                return
            name = names.get(origin) or identifier(origin)
            entries.append(Entry(number, operation, name, array.shape))
            tensors[name] = array

    inputs = [info.name for info in proto.graph.input]
    for number, name in enumerate(inputs):
        add(number, "external", name)
    for number, node in enumerate(proto.graph.node, len(inputs)):
        for name in filter(None, node.output):
            if node.op_type != "Constant":
                add(number, node.op_type, name, node.input)
    called = {name: names.get(name) or identifier(name) for name in found}
    return Trace(
        Run(
            "onnxruntime (source)",
            graph.name if graph is not None else proto.graph.name,
            tuple(called[name] for name in inputs),
            tuple(called[info.name] for info in proto.graph.output),
            tuple(entries),
            {},
            total,
        ),
        tensors,
    )
