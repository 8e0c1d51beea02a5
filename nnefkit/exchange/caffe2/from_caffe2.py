"""The function `from_caffe2`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Arrays
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.exchange.caffe2 import runtime
from nnefkit.exchange.caffe2.model import Caffe2Model
from nnefkit.exchange.caffe2.opened_model import open_model, with_input_shapes
from nnefkit.exchange.fragments import with_macs
from nnefkit.exchange.layout import channels_first, source_tensors
from nnefkit.exchange.network_reader import graph_of
from nnefkit.exchange.proof import SourceRun, unproved, verified
from nnefkit.exchange.proof_inputs import integer_inputs, unused_inputs
from nnefkit.exchange.source_file import title
from nnefkit.exchange.source_shapes import recorded_in_source
from nnefkit.graph import Graph


def from_caffe2(
    init_net: str | os.PathLike[str] | bytes,
    predict_net: str | os.PathLike[str] | bytes | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    outputs: Sequence[str] | str | None = None,
    *,
    verify: bool = True,
    tolerance: float | None = None,
    engine: str = "numpy",
    dynamic_shapes: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> Graph:
    """Read a Caffe2 network, without Caffe2.

    Blobs that operators write again, as in-place ones do, have several values: the first one has
    the name of the blob, later ones have a number after it. Weights have the names of their blobs.

    If Caffe2 is installed (the module ``caffe2.python``, which came with PyTorch up to 1.10), it
    runs the network on generated inputs, and the graph must compute the same. Otherwise nothing
    compares the two: the provenance says ``verified: False``.

    Args:
        init_net: The path of the net that makes the weights, or its bytes, binary or text; a
            folder with both nets; or the path of one of the two, if the other is beside it under a
            name with ``init`` in place of ``predict``.
        predict_net: The path of the net that computes the outputs, or its bytes.
        input_shapes: Input name -> shape, for inputs without a shape, or other shapes. By default
            shapes are those in a file ``value_info.json`` beside the net, or of constant fills that
            the first net makes in place of inputs. A blob that the network reads from a database
            becomes an input in this way.
        outputs: Names of blobs, to cut the network; by default those that the net states.
        verify: Whether to run the graph and the network, and to compare them, if Caffe2 is
            installed.
        tolerance: Largest allowed difference, relative to the largest element of a tensor; 1e-4 by
            default. By default outputs may also differ by more, if each operation agrees with the
            operator on its own.
        engine: The engine that runs the graph.
        dynamic_shapes: Axes that may have other extents; see `from_torch`.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The graph, in float32; inputs and outputs have the shapes of the network. Its
        ``provenance`` has the source and its files.

    Raises:
        DocumentError: NNEF cannot express the network, or it is not valid; one diagnostic for each
            such operator.
        ExecutionError: The outputs differ from Caffe2's, with the first tensor that does.
        InputError: It is not a Caffe2 network, or an input has no shape.
        StorageError: A file cannot be read, or is damaged.
        UnknownNameError: The network has no blob or input of a given name.
        MissingPackageError: The package protobuf is not installed.

    Example:
        >>> graph = nk.from_caffe2(
        ...     b'op { input: "x" output: "y" type: "Relu" }', input_shapes={"x": (1, 4)}
        ... )
        >>> print(graph.operations[1])
        y = relu(x);
    """
    with StagedProgressBar(title(init_net, "Caffe2 network"), progress) as bar:
        bar.stage("opening")
        source = open_model(init_net, predict_net, outputs, input_shapes)
        graph = read(source, bar)
        graph = recorded_in_source(
            graph, lambda shapes: read(with_input_shapes(source, shapes)), dynamic_shapes, bar
        )
        facts = {**_facts(source), **unused_inputs(graph)}
        reason = runtime.why_not() if verify else "verify=False"
        if reason:
            return unproved(graph, facts, reason)
        run = _source_run(source, graph, facts)
        return verified(graph, run, {}, engine=engine, tolerance=tolerance, bar=bar)


def _source_run(source: Caffe2Model, graph: Graph, facts: Mapping[str, Any]) -> SourceRun:
    """Return how to run the network in Caffe2."""
    runner = runtime.Caffe2Runner(source)
    origins = {name: graph.tensors[name].origin or name for name in graph.inputs}

    def everything(inputs: Arrays) -> Arrays:
        named = {origins[name]: array for name, array in inputs.items()}
        return source_tensors(graph, runner.run(named))

    def outputs(inputs: Arrays) -> Arrays:
        named = {origins[name]: array for name, array in inputs.items()}
        found = runner.run(named)
        numbers = [number for _, number in source.outputs]
        arrays = [found[source.values[number].name] for number in numbers]
        return dict(zip(graph.outputs, arrays, strict=True))

    return SourceRun(outputs, everything, facts)


def read(source: Caffe2Model, bar: StagedProgressBar | None = None) -> Graph:
    """Read a network whose inputs have shapes.

    Args:
        source: The network.
        bar: Counts the operators.

    Raises:
        DocumentError: NNEF cannot express it; one diagnostic for each such operator.
    """
    # The readers of all operators are imported when the first network is read.
    from nnefkit.exchange.caffe2.nodes import Caffe2Reader

    return with_macs(channels_first(graph_of(Caffe2Reader(source), bar, "operator")))


def _facts(source: Caffe2Model) -> dict[str, Any]:
    """Return the provenance of a graph."""
    dtypes = {
        source.values[number].blob: np.dtype(info.dtype) for number, info in source.inputs.items()
    }
    return {
        "source": "Caffe2",
        "path": source.path,
        **({"weights": source.weights_path} if source.weights_path else {}),
        **integer_inputs(dtypes),
    }
