"""The function `to_tflite`: the lowering of the LiteRT engine, written as a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np

from nnefkit import language
from nnefkit.arguments import expected_path
from nnefkit.arrays import Arrays
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import InputError
from nnefkit.exchange.framework_noise import quiet_frameworks
from nnefkit.exchange.given_inputs import given_inputs, input_name
from nnefkit.exchange.layout.rearrangement import known_fragments
from nnefkit.exchange.local_differences import relative_difference
from nnefkit.exchange.proof import TOLERANCE, SourceRun, Wording, verified
from nnefkit.exchange.tflite.from_tflite import CODES_TOLERANCE
from nnefkit.exchange.tflite.opened_model import open_model, require
from nnefkit.exchange.tflite.runtime import TfliteRunner
from nnefkit.exchange.writer_engine import WriterEngine
from nnefkit.execution.engine_list import find_engine
from nnefkit.execution.engines.litert.lowered_file import HALF_LIMIT, WrittenFile, written_file
from nnefkit.execution.engines.litert.operations import FRAGMENTS
from nnefkit.execution.engines.litert.support import objection
from nnefkit.execution.preparation.runnable_graph import refuse_unsupported
from nnefkit.graph import FrozenDict, Graph, Operation, expected_graph
from nnefkit.language.declarations.custom_declarations import declared
from nnefkit.operations.shape_inference import infer_shapes
from nnefkit.storage import replacing_file

HALF_TOLERANCE = 1e-2
WeightType = Literal["float32", "float16"]
_WORDING = Wording(
    "the model does not compute what the graph computes", "or verify=False to skip the comparison."
)


@quiet_frameworks()
def to_tflite(
    graph: Graph,
    path: str | os.PathLike[str] | None = None,
    *,
    weights: WeightType = "float32",
    quantized: bool = False,
    verify: bool = True,
    tolerance: float | None = None,
    inputs: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> bytes:
    """Write a graph as a TFLite model, with the same names of inputs and outputs.

    TFLite computes images with their channels last. The layout of inputs and outputs is that of the
    graph; inside, tensors are transposed only where the network needs it. A graph that came from
    TFLite has no transpositions where it had none there. Activations become a part of the layer
    before them.

    Args:
        graph: Any graph whose variables have data.
        path: The file to write; None to write none.
        weights: The type in which variables are stored, ``"float32"`` or ``"float16"``; LiteRT
            computes in float32 in both cases.
        quantized: Whether to apply the quantization info: the model computes with codes, as
            TFLite's integer kernels do, and has codes as inputs and outputs where the graph has
            quantization info for them. What has no kernel for codes computes with numbers in
            between.
        verify: Whether to run the graph and the model, in LiteRT, on the same inputs and to compare
            their outputs, before the file is written.
        tolerance: Largest allowed difference, relative to the largest element of an output. By
            default it is that of the proof by which the graph was read, if there was one, else
            1e-4, and 0.01 for weights in float16; and outputs may differ by more, if each operation
            agrees on its own.
        inputs: Input name -> array to run them on; missing inputs are generated.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The bytes of the model.

    Raises:
        MissingPackageError: The package tflite is not installed, or ai-edge-litert, to verify.
        ExecutionError: TFLite cannot express operations (all of them are reported at once), or the
            outputs differ.
        InputError: There is no such type of weights.
        StorageError: The file cannot be written.

    Example:
        >>> graph = nk.parse('''
        ... version 1.0;
        ... graph net(x) -> (y) { x = external(shape = [1, 3]); y = relu(x); }
        ... ''')
        >>> model = nk.to_tflite(graph)
        >>> nk.from_tflite(model).outputs
        ('y',)
    """
    graph = expected_graph(graph, data=True)
    require()
    if weights not in ("float32", "float16"):
        raise InputError(f"'weights' must be 'float32' or 'float16', not {weights!r}")
    with StagedProgressBar(graph.name, progress) as bar:
        bar.stage("writing")
        half = weights == "float16"
        dtypes = graph.provenance.get("integer_inputs", {})
        file = written_file(_prepared(graph), half=half, coded=quantized, input_dtypes=dtypes)
        if verify:
            stored = _with_half_weights(graph) if half else graph
            if half and tolerance is None:
                # Weights that a layer takes over from the next one are rounded as their product.
                tolerance = max(graph.provenance.get("tolerance", TOLERANCE), HALF_TOLERANCE)
            given = {} if inputs is None else inputs
            _verify(stored, file, given, tolerance, quantized=quantized, bar=bar)
        bar.stage("saving")
        if path is not None:
            with replacing_file(expected_path(path)) as target:
                target.write(file.data)
        return file.data


def _prepared(graph: Graph) -> Graph:
    """Return the graph with fragments expanded and shapes inferred, if TFLite can express it."""
    from nnefkit.execution.engines.litert import LitertEngine

    graph = _without_calls(graph)
    writer = WriterEngine("tflite", LitertEngine(), _objection)
    refuse_unsupported(writer, graph, fallback=False)
    if any(tensor.shape is None for tensor in graph.tensors.values()):
        graph = infer_shapes(graph)
    return graph


def _without_calls(graph: Graph) -> Graph:
    """Return a graph with the calls of fragments expanded, but for those that TFLite has."""
    fragments = {n for n, d in declared(graph.declarations).items() if d.body is not None}
    others = fragments - (known_fragments(graph) & FRAGMENTS.keys())
    if not any(op.name in others for op in graph.operations):
        return graph
    return infer_shapes(language.lower(graph, others))


def _objection(graph: Graph, op: Operation) -> str:
    """Return why a file cannot have an operation."""
    return "" if op.name in FRAGMENTS else objection(graph, op)


def _with_half_weights(graph: Graph) -> Graph:
    """Return a graph with its variables rounded as they are stored."""
    tensors = dict(graph.tensors)
    for tensor in graph.variables:
        data = tensor.data
        if data is None or tensor.dtype != "scalar" or np.abs(data).max(initial=0) > HALF_LIMIT:
            continue
        rounded = data.astype(np.float16).astype(np.float32)
        rounded.flags.writeable = False
        tensors[tensor.name] = replace(tensor, data=rounded)
    return replace(graph, tensors=FrozenDict(tensors))


# -- proof -----------------------------------------------------------------------------------------


def _verify(
    graph: Graph,
    file: WrittenFile,
    inputs: Mapping[str, Any],
    tolerance: float | None,
    *,
    quantized: bool,
    bar: StagedProgressBar,
) -> None:
    """Run the graph and the model on the same inputs, and compare their outputs."""
    runner = TfliteRunner(open_model(file.data))

    def everything(feeds: Arrays) -> Arrays:
        arrays = runner.run(feeds, everything=True)
        return {
            name: place.elements(arrays[place.name])
            for name, place in file.places.items()
            if place.name in arrays
        }

    def outputs(feeds: Arrays) -> Arrays:
        # Devices have one or the other.
        plain, delegated = runner.run(feeds), runner.run(feeds, delegated=True)
        pairs = zip(plain.values(), delegated.values(), strict=True)
        is_equal = all(relative_difference(*pair) < TOLERANCE for pair in pairs)
        return delegated if is_equal else plain

    source = SourceRun(
        outputs,
        everything,
        {},
        name_of=lambda tensor: tensor.name,
        wording=_WORDING,
    )
    given = given_inputs(inputs, partial(input_name, graph))
    default = max(graph.provenance.get("tolerance", TOLERANCE), TOLERANCE)
    engine = "numpy"
    if quantized:
        default = max(default, CODES_TOLERANCE)
        if not find_engine("integer").unsupported(graph):
            # Its codes are those of the kernels; rounded numbers diverge from layer to layer.
            engine, quantized = "integer", False
    verified(
        graph,
        source,
        given,
        engine=engine,
        tolerance=tolerance,
        default=default,
        quantized=quantized,
        bar=bar,
    )
