"""The function `from_keras`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from nnefkit.arrays import Arrays
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import DocumentError, UnknownNameError, did_you_mean
from nnefkit.exchange.fragments import with_macs
from nnefkit.exchange.framework_noise import quiet_frameworks
from nnefkit.exchange.given_inputs import given_inputs
from nnefkit.exchange.keras.model import KerasModel, LayerNetwork
from nnefkit.exchange.keras.opened_model import open_model
from nnefkit.exchange.keras.runtime import KerasRunner, NotRunnable
from nnefkit.exchange.layout import (
    Layout,
    as_in_source,
    as_stored,
    channels_first,
    source_tensors,
)
from nnefkit.exchange.proof import TOLERANCE, SourceRun, unproved, verified, with_facts
from nnefkit.exchange.proof_inputs import unused_inputs
from nnefkit.exchange.source_file import title
from nnefkit.exchange.source_shapes import recorded_in_source
from nnefkit.graph import Graph

HALF_TOLERANCE = 0.02
"""For models that compute in 16 bits."""


@quiet_frameworks()
def from_keras(
    model: Any,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    layout: Layout = "source",
    *,
    weights: str | os.PathLike[str] | None = None,
    verify: bool = True,
    inputs: Mapping[str, Any] | None = None,
    tolerance: float | None = None,
    engine: str = "numpy",
    dynamic_shapes: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> Graph:
    """Read a Keras model: functional or sequential, of Keras 3, or a file of Keras 2.

    Files are read without Keras. If it is installed, the graph and the model are then run on the
    same inputs and their outputs are compared; otherwise, and for files of Keras 2, the provenance
    says that they were not. Each tensor stores the path of its layer as ``origin``; the names of
    layers are those of scopes and of the labels of weights.

    Args:
        model: The path of a file ``.keras`` or ``.h5``, of a ``.json`` with weights beside it, or a
            model of Keras 3 of any backend.
        input_shapes: Input name -> shape, for inputs with open dimensions; an open batch has one
            element by default.
        layout: Whether inputs and outputs have their channels last, as in the ``"source"``, with a
            transposition each at most, or after the batch, as in ``"nnef"``.
        weights: The path of the weights for an architecture in a ``.json``; by default the file of
            the same name with ``.weights.h5`` or ``.h5``.
        verify: Whether to run the graph and the model, and to compare them.
        inputs: Input name -> array to run them on, in the layout of the graph; by default they are
            generated.
        tolerance: Largest allowed difference, relative to the largest element of a tensor; 1e-4 by
            default, and 0.02 for models that compute in 16 bits. By default outputs may also
            differ by more, if each operation agrees with the layer on its own.
        engine: The engine that runs the graph.
        dynamic_shapes: Axes that may have other extents; see `from_torch`.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The graph. Its ``provenance`` has the source, versions, tolerance and largest difference, or
        in ``not_verified`` why it was not compared.

    Raises:
        DocumentError: NNEF cannot express the model, or it has custom layers or a `Lambda`, whose
            code is never run; one diagnostic for each such layer.
        ExecutionError: The outputs differ, with the first tensor that does.
        InputError: It is not a Keras model, it has no stored architecture, or inputs have open
            dimensions.
        StorageError: The file cannot be read, or is damaged.
        UnknownNameError: The model has no input of a given name.
        MissingPackageError: The package h5py is not installed.

    Example:
        >>> try:
        ...     nk.from_keras(3)
        ... except nk.InputError as error:
        ...     print(error.diagnostics[0].message)
        a Keras model must be a path or a model of Keras 3, not int
    """
    with StagedProgressBar(title(model, "Keras model"), progress) as bar:
        bar.stage("opening")
        source = open_model(model, input_shapes, weights)
        graph = read(source, layout, bar)
        graph = recorded_in_source(
            graph, lambda named: read(open_model(source, named), layout), dynamic_shapes, bar
        )
        facts = {**_facts(source), **unused_inputs(graph)}
        given = given_inputs(inputs or {}, lambda name: _graph_input(graph, name))
        if not verify:
            return with_facts(graph, {**facts, "verified": False})
        try:
            runner = KerasRunner(source)
            _refuse_uneven_averages(runner, graph)
        except NotRunnable as reason:
            return unproved(graph, facts, str(reason))
        return verified(
            graph,
            _source_run(runner, graph, {**facts, "backend": runner.keras.backend.backend()}),
            given,
            engine=engine,
            tolerance=tolerance,
            default=HALF_TOLERANCE if _is_half(source.network) else TOLERANCE,
            bar=bar,
        )


def _refuse_uneven_averages(runner: KerasRunner, graph: Graph) -> None:
    """Refuse to compare averages that Keras computes otherwise on PyTorch.

    Raises:
        NotRunnable: There is such an average.
    """
    if runner.keras.backend.backend() != "torch":
        return
    for operation in graph.operations:
        is_average = operation.name == "avg_pool"
        if is_average and any(before != after for before, after in operation.attribs["padding"]):
            raise NotRunnable(
                "Keras on PyTorch repeats pixels at borders of uneven width before it averages "
                f"('{operation.output_names[0]}'); on TensorFlow and JAX, as here, what is outside "
                "does not count"
            )


def _source_run(runner: KerasRunner, graph: Graph, facts: Mapping[str, Any]) -> SourceRun:
    """Return how to run the model, on tensors in the layout of the graph."""
    names = {graph.tensors[name].origin or name: name for name in graph.inputs}

    def feeds(inputs: Arrays) -> Arrays:
        return {key: as_in_source(graph, names[key], array) for key, array in inputs.items()}

    def outputs(inputs: Arrays) -> Arrays:
        pairs = zip(graph.outputs, runner.outputs(feeds(inputs)).items(), strict=True)
        return {key: as_stored(graph, name, array) for name, (key, array) in pairs}

    def all_tensors(inputs: Arrays) -> Arrays:
        return source_tensors(graph, runner.everything(feeds(inputs)))

    return SourceRun(outputs, all_tensors, facts)


def read(
    source: KerasModel, layout: Layout = "source", bar: StagedProgressBar | None = None
) -> Graph:
    """Read a model without running it.

    Args:
        source: The model.
        layout: The layout of inputs and outputs.
        bar: Counts the layers.

    Raises:
        DocumentError: NNEF cannot express it; one diagnostic for each such layer.
    """
    # The readers of all layers are imported when the first model is read.
    from nnefkit.exchange.keras.nodes import KerasReader

    reader = KerasReader(source)
    if bar is not None:
        bar.stage("reading", reader.size, "layer")
    graph = reader.read(bar)
    if graph is None:
        raise DocumentError(reader.problems)
    return with_macs(channels_first(graph, layout))


def _graph_input(graph: Graph, name: str) -> str:
    """Return the name of an input in the graph, given its name there or in the model."""
    for each in graph.inputs:
        if name in (each, graph.tensors[each].origin):
            return each
    raise UnknownNameError(
        f"the model has no input '{name}'",
        hint=did_you_mean(str(name), graph.inputs) or f"Its inputs are {', '.join(graph.inputs)}.",
    )


def _is_half(network: LayerNetwork) -> bool:
    """Return whether a layer computes in 16 bits."""
    for layer in network.layers.values():
        if layer.network is not None and _is_half(layer.network):
            return True
        policy = layer.config.get("dtype")
        inner = policy.get("config") if isinstance(policy, Mapping) else policy
        name = inner.get("name") if isinstance(inner, Mapping) else inner
        if isinstance(name, str) and name.endswith("float16"):
            return True
    return False


def _facts(source: KerasModel) -> dict[str, Any]:
    """Return the provenance of a graph."""
    versions = {}
    for package in ("keras", "h5py"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "source": "Keras",
        "path": source.path,
        "producer": f"Keras {source.version}",
        "versions": versions,
    }
