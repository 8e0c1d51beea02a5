"""The function `trace_tflite`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from nnefkit.arguments import expected_mapping
from nnefkit.arrays import Array
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import DocumentError, ExecutionError
from nnefkit.exchange.framework_noise import quiet_frameworks
from nnefkit.exchange.given_inputs import given_inputs
from nnefkit.exchange.layout import as_in_source
from nnefkit.exchange.recorded_run import RecordedRun, SourceNode
from nnefkit.exchange.source_file import title
from nnefkit.exchange.tflite.from_tflite import read
from nnefkit.exchange.tflite.model import TfliteModel
from nnefkit.exchange.tflite.opened_model import input_number, open_model
from nnefkit.exchange.tflite.runtime import TfliteRunner
from nnefkit.execution import Trace
from nnefkit.graph import Graph


@quiet_frameworks()
def trace_tflite(
    model: str | os.PathLike[str] | bytes,
    inputs: Mapping[str, Any],
    *,
    graph: Graph | None = None,
    signature: str | None = None,
    progress: bool | None = None,
) -> Trace:
    """Run a TFLite model in LiteRT and record all of its tensors.

    Tensors have the names of the graph that `from_tflite` returns, so that `nnefkit.compare` can
    compare the model with any engine that runs the graph. Codes are recorded as the numbers that
    they stand for, those of inputs, too. Shape arithmetic and copies, which the graph does not
    have, are left out, and variables start anew.

    Args:
        model: As for `from_tflite`.
        inputs: Input name, in the signature, the model or the graph -> array.
        graph: The graph that `from_tflite` returned, to save reading the model again.
        signature: The key of the signature whose graph is run; the first graph by default.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The trace, of LiteRT's plain kernels.

    Raises:
        ExecutionError: An input is missing, or the model cannot be run.
        InputError: It is not a TFLite model.
        StorageError: The file cannot be read, or is damaged.
        UnknownNameError: The model has no input or signature of a given name.
        MissingPackageError: The package tflite or ai-edge-litert is not installed.

    Example:
        >>> try:
        ...     nk.trace_tflite(b"", {})
        ... except nk.InputError as error:
        ...     print(error.diagnostics[0].message)
        the bytes are not a TFLite model
    """
    with StagedProgressBar(title(model, "TFLite model"), progress) as bar:
        bar.stage("opening")
        opened = open_model(model, None, signature, open_shapes=True)
        names = {} if graph is None else {n: graph.tensors[n].origin for n in graph.inputs}

        def source_name(name: str) -> str:
            origin = names.get(name)
            return origin or opened.graph.source_name(input_number(opened, name))

        if graph is not None:
            # Inputs under a name of the graph are in its layout.
            given = expected_mapping(inputs, "inputs", "names of inputs to arrays")
            inputs = {
                name: as_in_source(graph, name, x) if name in names else x
                for name, x in given.items()
            }
        feeds = given_inputs(inputs, source_name)
        _refuse_missing(opened, feeds)
        opened = open_model(opened, {name: array.shape for name, array in feeds.items()})
        if graph is None:
            # What LiteRT does with a model that breaks the rules is not known: it is read first.
            graph = _graph(opened, bar)
        bar.stage("running")
        started = perf_counter()
        arrays = {**feeds, **TfliteRunner(opened).run(feeds, everything=True)}
        seconds = perf_counter() - started
    return _recorded(opened, arrays, graph).trace("litert (source)", seconds)


def _refuse_missing(model: TfliteModel, feeds: Mapping[str, Array]) -> None:
    names = model.input_names()
    missing = [
        name for number, name in names.items() if model.graph.source_name(number) not in feeds
    ]
    if missing:
        raise ExecutionError(
            "the TFLite model cannot be run: its inputs "
            f"{', '.join(map(repr, missing))} are missing",
            hint="Pass an array for each of its inputs.",
        )


def _graph(model: TfliteModel, bar: StagedProgressBar) -> Graph | None:
    try:
        return read(model, bar=bar)
    except DocumentError:
        # NNEF cannot express the model, but it can be run.
        return None


def _recorded(model: TfliteModel, arrays: Mapping[str, Any], graph: Graph | None) -> RecordedRun:
    source = model.graph
    nodes = [
        SourceNode(
            one.name,
            [source.source_name(number) for number in one.inputs if number >= 0],
            [source.source_name(number) for number in one.outputs],
        )
        for one in source.operators
    ]
    return RecordedRun(
        model.name,
        [source.source_name(number) for number in source.inputs],
        nodes,
        [source.source_name(number) for number in source.outputs],
        arrays,
        graph,
    )
