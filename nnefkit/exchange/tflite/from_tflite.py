"""The function `from_tflite`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import metadata
from typing import Any

from nnefkit.arrays import Arrays
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import DocumentError
from nnefkit.exchange.fragments import with_macs
from nnefkit.exchange.framework_noise import quiet_frameworks
from nnefkit.exchange.given_inputs import given_inputs
from nnefkit.exchange.layout import (
    Layout,
    as_in_source,
    as_stored,
    channels_first,
    source_tensors,
)
from nnefkit.exchange.proof import TOLERANCE, SourceRun, verified, with_facts
from nnefkit.exchange.proof_inputs import integer_inputs, unused_inputs
from nnefkit.exchange.source_file import title
from nnefkit.exchange.source_shapes import recorded_in_source
from nnefkit.exchange.tflite.model import TfliteModel
from nnefkit.exchange.tflite.opened_model import input_number, open_model
from nnefkit.exchange.tflite.runtime import TfliteRunner
from nnefkit.graph import Graph

HYBRID_TOLERANCE = 2e-2
"""For weights of codes with inputs of numbers: LiteRT rounds the inputs to codes in each run."""
CODES_TOLERANCE = 0.05


@quiet_frameworks()
def from_tflite(
    model: str | os.PathLike[str] | bytes,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    layout: Layout = "source",
    *,
    signature: str | None = None,
    verify: bool = True,
    inputs: Mapping[str, Any] | None = None,
    tolerance: float | None = None,
    engine: str = "numpy",
    dynamic_shapes: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> Graph:
    """Read a TFLite model.

    Everything that depends only on shapes and constants is computed while the model is read. The
    graph and the model, in LiteRT, are then run on the same inputs and their outputs are compared.
    Each tensor stores its name in the model as ``origin``. Inputs and outputs have their names in
    the signature of the model, if it has one.

    Args:
        model: A path, or the bytes of a file.
        input_shapes: Input name -> shape, for inputs with open dimensions.
        layout: Whether inputs and outputs have their channels last, as in the ``"source"``, with a
            transposition each at most, or after the batch, as in ``"nnef"``. Inside, there are no
            transpositions but where the network needs them.
        signature: The key of the signature whose graph is read; the first graph by default.
        verify: Whether to run the graph and the model, and to compare them.
        inputs: Input name -> array to run them on, in the layout of the graph; by default they are
            generated, with indices that fit the tables that they select from.
        tolerance: Largest allowed difference, relative to the largest element of a tensor; 1e-4 by
            default, 0.02 where LiteRT rounds the inputs of layers in each run, and 0.05 for
            quantized models. By default outputs may also differ by more, if each operation agrees
            with the model's on its own.
        engine: The engine that runs the graph.
        dynamic_shapes: Axes that may have other extents; see `from_torch`.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The graph. Its ``provenance`` has the source, versions, tolerance and largest difference;
        ``provenance["layouts"]`` has the order of the axes of tensors that the graph stores in
        another order than the model: ``stored == source.transpose(axes)``.

    Raises:
        DocumentError: NNEF cannot express the model, or the model is not valid; one diagnostic for
            each such operator.
        ExecutionError: The outputs differ, with the first tensor that does; or the model cannot be
            run.
        InputError: It is not a TFLite model, or inputs have open dimensions.
        StorageError: The file cannot be read, or is damaged.
        UnknownNameError: The model has no input or signature of a given name.
        MissingPackageError: The package tflite or ai-edge-litert is not installed.

    Example:
        >>> try:
        ...     nk.from_tflite(b"")
        ... except nk.InputError as error:
        ...     print(error.diagnostics[0].message)
        the bytes are not a TFLite model
    """
    with StagedProgressBar(title(model, "TFLite model"), progress) as bar:
        bar.stage("opening")
        source = open_model(model, input_shapes, signature)
        graph = read(source, layout, bar)
        graph = recorded_in_source(
            graph, lambda named: read(open_model(source, named), layout), dynamic_shapes, bar
        )
        facts = {**_facts(source), **unused_inputs(graph), **_integer_inputs(source, graph)}
        if not verify:
            return with_facts(graph, {**facts, "verified": False})
        given = given_inputs(inputs or {}, partial(_graph_input, source, graph))
        return verified(
            graph,
            _source_run(source, graph, facts),
            given,
            engine=engine,
            tolerance=tolerance,
            default=_default_tolerance(source),
            quantized=_is_quantized(source),
            bar=bar,
        )


def _source_run(source: TfliteModel, graph: Graph, facts: Mapping[str, Any]) -> SourceRun:
    """Return how to run the model, on tensors in the layout of the graph."""
    runner = TfliteRunner(source)
    names = {graph.tensors[name].origin or name: name for name in graph.inputs}

    def run(inputs: Arrays, *, everything: bool = False) -> Arrays:
        feeds = {key: as_in_source(graph, names[key], array) for key, array in inputs.items()}
        return runner.run(feeds, everything=everything)

    def outputs(inputs: Arrays) -> Arrays:
        pairs = zip(graph.outputs, run(inputs).items(), strict=True)
        return {key: as_stored(graph, name, array) for name, (key, array) in pairs}

    def all_tensors(inputs: Arrays) -> Arrays:
        return source_tensors(graph, run(inputs, everything=True))

    return SourceRun(outputs, all_tensors, facts)


def read(
    source: TfliteModel, layout: Layout = "source", bar: StagedProgressBar | None = None
) -> Graph:
    """Read a model without running it.

    Args:
        source: The model.
        layout: The layout of inputs and outputs.
        bar: Counts the operators.

    Raises:
        DocumentError: NNEF cannot express it; one diagnostic for each such operator.
    """
    # The readers of all operators are imported when the first model is read.
    from nnefkit.exchange.tflite.nodes import TfliteReader

    reader = TfliteReader(source)
    if bar is not None:
        bar.stage("reading", reader.size, "operator")
    graph = reader.read(bar)
    if graph is None:
        raise DocumentError(reader.problems)
    return with_macs(channels_first(graph, layout))


def _graph_input(source: TfliteModel, graph: Graph, name: str) -> str:
    """Return the name of an input in the graph, given its name there or in the model."""
    if name in graph.inputs:
        return name
    origin = source.graph.source_name(input_number(source, name))
    return next(each for each in graph.inputs if graph.tensors[each].origin == origin)


def _integer_inputs(source: TfliteModel, graph: Graph) -> dict[str, Any]:
    from nnefkit.exchange.tflite.nodes import value_dtype

    tensors = source.graph.tensors
    dtypes = {source.graph.source_name(n): value_dtype(tensors[n]) for n in source.graph.inputs}
    named = {name: dtypes.get(graph.tensors[name].origin or name) for name in graph.inputs}
    return integer_inputs({name: dtype for name, dtype in named.items() if dtype is not None})


def _default_tolerance(source: TfliteModel) -> float:
    if _is_quantized(source):
        return CODES_TOLERANCE
    is_hybrid = any(tensor.is_quantized for tensor in source.graph.tensors)
    return HYBRID_TOLERANCE if is_hybrid else TOLERANCE


def _is_quantized(source: TfliteModel) -> bool:
    """Return whether a model computes with codes, and not only stores its weights as codes."""
    tensors = source.graph.tensors
    return any(tensor.is_quantized and tensor.data is None for tensor in tensors)


def _facts(source: TfliteModel) -> dict[str, Any]:
    """Return the provenance of a graph."""
    versions = {}
    for package in ("tflite", "ai-edge-litert"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "source": "TFLite",
        "path": source.path,
        "producer": source.description,
        "versions": versions,
    }
