"""`from_onnx`: a model read, and proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.errors import DocumentError, UnknownNameError, did_you_mean
from nnefkit.exchange.onnx.model import Source, open_source
from nnefkit.exchange.onnx.runtime import run_model
from nnefkit.exchange.proof import (
    TOLERANCE,
    SourceRun,
    random_inputs,
    verified,
    with_facts,
)
from nnefkit.graph import Graph

HALF_TOLERANCE = 1e-2
CODES_TOLERANCE = 0.05
TENSOR_FLOAT16, TENSOR_BFLOAT16 = 10, 16
"""What ONNX calls items of half precision."""


def from_onnx(
    model: Any,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    *,
    constants: Mapping[str, Any] | None = None,
    verify: bool = True,
    inputs: Mapping[str, Any] | None = None,
    tolerance: float | None = None,
    engine: str = "numpy",
) -> Graph:
    """The NNEF graph of an ONNX model.

    Whatever follows from shapes is computed while the model is read. Every tensor remembers in
    ``origin`` what it is called in the model.

    Args:
        model: A path, the bytes of a file, or an ``onnx.ModelProto``; opsets from 7 on.
        input_shapes: Input name -> shape, for inputs of which the model leaves extents open.
        constants: Input name -> values, for inputs that are no inputs of the graph, but fixed.
        verify: Whether to run both, and to compare them.
        inputs: What to run them on, by name; random numbers by default.
        tolerance: Largest difference allowed, relative to the largest item of a tensor; 1e-4 by
            default, 1e-2 if the model computes in half precision, 0.05 if it computes with codes: a
            number that lies just between two of them may get the one or the other.
        engine: What runs the graph.

    Returns:
        The graph. Its ``provenance`` has the source, versions, tolerance and largest difference.

    Raises:
        DocumentError: NNEF cannot say the model, or it is not valid: every node that cannot be
            said, and why.
        ExecutionError: the graph does not compute what the model does; it names the first tensor
            that differs. Or the model cannot be run.
        InputError: it is no ONNX model, or extents of inputs are open.
        StorageError: the file cannot be read.
        UnknownNameError: the model has no input that is named.
        MissingPackageError: the package onnx is not installed.
    """
    source = open_source(model, input_shapes, constants)
    graph = read(source)
    facts = _facts(source)
    if not verify:
        return with_facts(graph, {**facts, "verified": False})
    proto = source.model
    runs = SourceRun(
        lambda given: run_model(proto, given),
        lambda given: run_model(proto, given, everything=True),
        facts,
        again=lambda given: run_model(proto, given, literal=True),
    )
    given = random_inputs(graph)
    for name, array in (inputs or {}).items():
        given[_named(graph, name)] = array
    half = _computes_in_half(proto)
    if tolerance is None:
        tolerance = HALF_TOLERANCE if half else TOLERANCE
        tolerance = CODES_TOLERANCE if _computes_with_codes(proto) else tolerance
    if half:
        # Both begin with what half precision can hold.
        given = {name: _rounded(array) for name, array in given.items()}
    return verified(graph, runs, given, engine=engine, tolerance=tolerance)


def _computes_in_half(model: Any) -> bool:
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    kinds.update(info.type.tensor_type.elem_type for info in model.graph.input)
    return bool(kinds & {TENSOR_FLOAT16, TENSOR_BFLOAT16})


def _computes_with_codes(model: Any) -> bool:
    quantizing = ("QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul")
    return any(node.op_type in quantizing for node in model.graph.node)


def _rounded(array: Any) -> Any:
    array = np.asarray(array)
    return array.astype(np.float16).astype(array.dtype) if array.dtype.kind == "f" else array


def read(source: Source) -> Graph:
    """The graph of a model.

    Raises:
        DocumentError: with one diagnostic for each node that NNEF cannot say.
    """
    from nnefkit.exchange.onnx.nodes import Reader

    reader = Reader(source)
    graph = reader.read()
    if graph is None:
        raise DocumentError(reader.problems)
    return graph


def _named(graph: Graph, origin: str) -> str:
    for name in graph.inputs:
        if origin in (name, graph.tensors[name].origin):
            return name
    names = [graph.tensors[name].origin or name for name in graph.inputs]
    raise UnknownNameError(
        f"the graph has no input '{origin}'",
        hint=did_you_mean(origin, names) or f"Its inputs are {', '.join(names)}.",
    )


def _facts(source: Source) -> dict[str, Any]:
    from importlib import metadata

    producer = f"{source.model.producer_name} {source.model.producer_version}".strip()
    versions = {}
    for package in ("onnx", "onnxruntime"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "source": "ONNX",
        "path": source.path,
        "producer": producer,
        "opset": source.opset,
        "versions": versions,
    }
