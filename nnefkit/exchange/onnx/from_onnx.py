"""The function `from_onnx`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nnefkit.arrays import Array
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import DocumentError, InputError
from nnefkit.exchange.extents import recorded
from nnefkit.exchange.fragments import with_macs
from nnefkit.exchange.framework_noise import quiet_frameworks
from nnefkit.exchange.given_inputs import given_inputs, input_name
from nnefkit.exchange.layout import channels_first, source_tensors
from nnefkit.exchange.onnx.opened_model import OnnxModel, dtype_of, open_model
from nnefkit.exchange.onnx.quantization_info import with_quantization_info
from nnefkit.exchange.onnx.runtime import ModelRunner
from nnefkit.exchange.onnx.texts import text_of
from nnefkit.exchange.proof import TOLERANCE, SourceRun, verified, with_facts
from nnefkit.exchange.proof_inputs import integer_inputs, unused_inputs
from nnefkit.exchange.source_file import title
from nnefkit.graph import Graph
from nnefkit.graph.extents import Shapes

if TYPE_CHECKING:
    from onnx import ModelProto

HALF_TOLERANCE = 1e-2
CODES_TOLERANCE = 0.05
_CHANNELS_LAST_PRODUCERS = ("tf2onnx", "keras2onnx", "tflite2onnx")
_TO_CHANNELS_FIRST = ([0, 3, 1, 2], [0, 4, 1, 2, 3])
_TENSOR_FLOAT16, _TENSOR_BFLOAT16 = 10, 16
"""The codes of the half-precision types in ONNX."""


@quiet_frameworks()
def from_onnx(
    model: str | os.PathLike[str] | bytes | ModelProto,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    *,
    constants: Mapping[str, Any] | None = None,
    verify: bool = True,
    inputs: Mapping[str, Any] | None = None,
    tolerance: float | None = None,
    engine: str = "numpy",
    dynamic_shapes: Mapping[str, Any] | None = None,
    quantization: Literal["operations", "info"] = "operations",
    progress: bool | None = None,
) -> Graph:
    """Read an ONNX model.

    Everything that depends only on shapes and constants is computed while the model is read. The
    graph and the model are then run on the same inputs and their outputs are compared. Each tensor
    stores its name in the model as ``origin``.

    Models that came from TensorFlow compute channels-last, with transpositions around each
    convolution: the graph is channels-first inside, without them. Tensors that it stores in another
    order than the model are in ``provenance["layouts"]``, name -> order of the axes.

    Args:
        model: A path, the bytes of a file, or an ``onnx.ModelProto``, of opset 6 or newer.
        input_shapes: Input name -> shape, for inputs with open dimensions.
        constants: Input name -> values, for inputs that become constants of the graph.
        verify: Whether to run the graph and the model, and to compare them.
        inputs: Input name -> array to run them on; by default they are generated, with indices
            that fit the tables that they select from.
        tolerance: Largest allowed difference, relative to the largest element of a tensor; 1e-4 by
            default, 1e-2 for models in half precision, and 0.05 for quantized models, whose codes
            may be rounded either way. By default outputs may also differ by more, if each operation
            agrees with the model's on its own: networks may amplify rounding by any factor.
        engine: The engine that runs the graph.
        dynamic_shapes: Axes that may have other extents; see `from_torch`. The model must leave
            them open.
        quantization: Whether pairs of QuantizeLinear and DequantizeLinear become ``"operations"``,
            or ``"info"`` (``graph.quant``, 5.3), with which ``quantized=True`` runs. Pairs that
            info cannot express stay operations: ``provenance["quantized_by_operations"]``.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The graph. Its ``provenance`` has the source, versions, tolerance and largest difference.
        Labels of classes that are strings become indices, and dictionaries of scores (``ZipMap``)
        become tensors; ``provenance["labels"]`` has the labels of each such output.

    Raises:
        DocumentError: NNEF cannot express the model, or the model is not valid; one diagnostic for
            each such node.
        ExecutionError: The outputs differ, with the first tensor that does; or the model cannot be
            run.
        InputError: It is not an ONNX model, inputs have open dimensions, or `quantization` is
            neither of the two.
        StorageError: The file cannot be read.
        UnknownNameError: The model has no input of a given name.
        MissingPackageError: The package onnx is not installed.

    Example:
        >>> graph = nk.parse('''
        ... version 1.0;
        ... graph net(x) -> (y) { x = external(shape = [1, 3]); y = relu(x); }
        ... ''')
        >>> model = nk.to_onnx(graph)
        >>> nk.from_onnx(model).outputs
        ('y',)
    """
    if quantization not in ("operations", "info"):
        raise InputError(f"'quantization' must be 'operations' or 'info', not {quantization!r}")
    with StagedProgressBar(title(model, "ONNX model"), progress) as bar:
        bar.stage("opening")
        source = open_model(model, input_shapes, constants)
        graph = read(source, bar)
        if dynamic_shapes:
            bar.stage("converting for other shapes")
        graph = _recorded(graph, source, constants, dynamic_shapes)
        if quantization == "info":
            graph = with_quantization_info(graph, source)
        facts = {**_facts(source, graph), **unused_inputs(graph), **_integer_inputs(source, graph)}
        if not verify:
            return with_facts(graph, {**facts, "verified": False})
        proto = source.proto
        given = given_inputs({} if inputs is None else inputs, partial(input_name, graph))
        runner = ModelRunner(proto, source.weights, is_read=True)
        source_run = SourceRun(
            runner.run,
            lambda feeds: source_tensors(graph, runner.run(feeds, everything=True)),
            facts,
            again=lambda feeds: runner.run(feeds, literal=True),
            remark=runner.remark,
        )
        return verified(
            graph,
            source_run,
            given,
            engine=engine,
            tolerance=tolerance,
            default=_default_tolerance(proto),
            quantized=any(tensor.quantization for tensor in graph.tensors.values()),
            # The graph and the model must start from the same numbers.
            rounded=_half_precision if _is_half_precision(proto) else None,
            bar=bar,
        )


def _recorded(
    graph: Graph,
    source: OnnxModel,
    constants: Mapping[str, Any] | None,
    dynamic_shapes: Mapping[str, Any] | None,
) -> Graph:
    """Return the graph with a record of the shapes for which it is valid."""
    origins = {name: graph.tensors[name].origin or name for name in graph.inputs}

    @quiet_frameworks()
    def converted(shapes: Shapes) -> Graph:
        named = {origins[name]: shape for name, shape in shapes.items()}
        return read(open_model(source, named, constants, keep_extents=True))

    return recorded(graph, converted, dynamic_shapes)


def read(
    source: OnnxModel, bar: StagedProgressBar | None = None, *, past_refusals: bool = False
) -> Graph:
    """Read a model without running it.

    Args:
        source: The model.
        bar: Counts the nodes.
        past_refusals: Whether to read the nodes that follow a refused one, too, as far as ONNX
            infers the shapes of its results.

    Raises:
        DocumentError: NNEF cannot express it; one diagnostic for each such node.
    """
    # The readers of all operators are imported when the first model is read.
    from nnefkit.exchange.onnx.nodes import ModelReader

    reader = ModelReader(source, past_refusals=past_refusals)
    if bar is not None:
        bar.stage("reading", len(source.proto.graph.node), "node")
    graph = reader.read(bar)
    if graph is None:
        raise DocumentError(reader.problems)
    if _is_channels_last(source.proto, graph):
        graph = channels_first(graph)
    return with_macs(graph)


def _is_channels_last(proto: ModelProto, graph: Graph) -> bool:
    """Return whether a model came from a channels-last framework.

    Then its producer is known, or it is not PyTorch and the model transposes its images first.
    """
    producer = text_of(proto.producer_name).lower()
    if producer.startswith(_CHANNELS_LAST_PRODUCERS):
        return True
    return producer != "pytorch" and any(
        op.name == "transpose"
        and graph.producers[op.input_names[0]].name == "external"
        and [*op.attribs["axes"]] in _TO_CHANNELS_FIRST
        for op in graph.operations
    )


def _integer_inputs(source: OnnxModel, graph: Graph) -> dict[str, Any]:
    dtypes = {info.name: dtype_of(info.type) for info in source.proto.graph.input}
    named = {name: dtypes.get(graph.tensors[name].origin or name) for name in graph.inputs}
    return integer_inputs({name: dtype for name, dtype in named.items() if dtype is not None})


def _default_tolerance(proto: ModelProto) -> float:
    quantizing = ("QuantizeLinear", "DynamicQuantize", "QLinear", "QGemm")
    if any(node.op_type.startswith(quantizing) for node in proto.graph.node):
        return CODES_TOLERANCE
    return HALF_TOLERANCE if _is_half_precision(proto) else TOLERANCE


def _is_half_precision(proto: ModelProto) -> bool:
    types = {tensor.data_type for tensor in proto.graph.initializer}
    types.update(info.type.tensor_type.elem_type for info in proto.graph.input)
    return bool(types & {_TENSOR_FLOAT16, _TENSOR_BFLOAT16})


def _half_precision(array: Any) -> Array:
    """Return an array with its numbers rounded to half precision."""
    full: Array = np.asarray(array)
    return full.astype(np.float16).astype(full.dtype) if full.dtype.kind == "f" else full


def _facts(source: OnnxModel, graph: Graph) -> dict[str, Any]:
    """Return the provenance of a graph."""
    from importlib import metadata

    proto = source.proto
    versions = {}
    for package in ("onnx", "onnxruntime"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    outputs = zip(proto.graph.output, graph.outputs, strict=True)
    labels = {
        name: source.labels[info.name] for info, name in outputs if info.name in source.labels
    }
    return {
        "source": "ONNX",
        "path": source.path,
        "producer": " ".join(map(text_of, (proto.producer_name, proto.producer_version))).strip(),
        "opset": source.opset,
        "versions": versions,
        **({"labels": labels} if labels else {}),
    }
