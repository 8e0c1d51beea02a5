"""The function `trace_keras`."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

from nnefkit.arguments import expected_mapping
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import DocumentError, ExecutionError
from nnefkit.exchange.framework_noise import quiet_frameworks
from nnefkit.exchange.given_inputs import given_inputs
from nnefkit.exchange.keras.from_keras import read
from nnefkit.exchange.keras.input_shapes import input_names
from nnefkit.exchange.keras.model import KerasModel
from nnefkit.exchange.keras.opened_model import open_model
from nnefkit.exchange.keras.runtime import KerasRunner, NotRunnable
from nnefkit.exchange.layout import as_in_source
from nnefkit.exchange.recorded_run import RecordedRun, SourceNode
from nnefkit.exchange.source_file import title
from nnefkit.execution import Trace
from nnefkit.graph import Graph


@quiet_frameworks()
def trace_keras(
    model: Any,
    inputs: Mapping[str, Any],
    *,
    graph: Graph | None = None,
    progress: bool | None = None,
) -> Trace:
    """Run a Keras model in an installed Keras 3, and record the results of all of its layers.

    Tensors have the names of the graph that `from_keras` returns, so that `nnefkit.compare` can
    compare the model with any engine that runs the graph.

    Args:
        model: As for `from_keras`.
        inputs: Input name, in the model or the graph -> array.
        graph: The graph that `from_keras` returned, to save reading the model again.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The trace, of the backend of Keras.

    Raises:
        ExecutionError: The model cannot be run, or the installed Keras cannot load it.
        InputError: It is not a Keras model.
        StorageError: The file cannot be read, or is damaged.

    Example:
        >>> try:
        ...     nk.trace_keras(3, {})
        ... except nk.InputError as error:
        ...     print(error.diagnostics[0].message)
        a Keras model must be a path or a model of Keras 3, not int
    """
    with StagedProgressBar(title(model, "Keras model"), progress) as bar:
        bar.stage("opening")
        given = expected_mapping(inputs, "inputs", "names of inputs to arrays")
        names = {} if graph is None else {n: graph.tensors[n].origin or n for n in graph.inputs}
        if graph is not None:
            # Inputs under a name of the graph are in its layout.
            given = {n: as_in_source(graph, n, x) if n in names else x for n, x in given.items()}
        feeds = given_inputs(given, lambda name: names.get(name, name))
        shapes = {name: array.shape for name, array in feeds.items()}
        opened = open_model(model, shapes)
        missing = [name for name in input_names(opened) if name not in feeds]
        if missing:
            raise ExecutionError(
                "the Keras model cannot be run: its inputs "
                f"{', '.join(map(repr, missing))} are missing",
                hint="Pass an array for each of its inputs.",
            )
        if graph is None:
            graph = _graph(opened, bar)
        bar.stage("running")
        try:
            runner = KerasRunner(opened)
        except NotRunnable as reason:
            raise ExecutionError(
                f"the Keras model cannot be run: {reason}",
                hint="Install a Keras that runs it, or compare with a recording (nk.compare).",
            ) from reason
        started = perf_counter()
        arrays = runner.everything(feeds)
        seconds = perf_counter() - started
    return _recorded(opened, arrays, runner, graph).trace(runner.engine, seconds)


def _graph(model: KerasModel, bar: StagedProgressBar) -> Graph | None:
    try:
        return read(model, bar=bar)
    except DocumentError:
        # NNEF cannot express the model, but it can be run.
        return None


def _recorded(
    model: KerasModel, arrays: Mapping[str, Any], runner: KerasRunner, graph: Graph | None
) -> RecordedRun:
    inputs = input_names(model)
    kinds = runner.kinds
    nodes = [
        SourceNode(kinds.get(name, "layer"), (), [name]) for name in arrays if name not in inputs
    ]
    outputs = [
        ref.layer if ref.call == 0 else f"{ref.layer}:{ref.call}"
        for _, ref in model.network.outputs
    ]
    outputs = [
        name if ref.result == 0 else f"{name}.{ref.result}"
        for name, (_, ref) in zip(outputs, model.network.outputs, strict=True)
    ]
    return RecordedRun(model.name, inputs, nodes, outputs, arrays, graph)
