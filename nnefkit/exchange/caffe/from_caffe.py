"""The function `from_caffe`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Arrays
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.exchange import opencv
from nnefkit.exchange.caffe import runtime
from nnefkit.exchange.caffe.model import CaffeModel
from nnefkit.exchange.caffe.opened_model import open_model, with_input_shapes
from nnefkit.exchange.fragments import with_macs
from nnefkit.exchange.network_reader import graph_of
from nnefkit.exchange.proof import SourceRun, unproved, verified
from nnefkit.exchange.proof_inputs import unused_inputs
from nnefkit.exchange.source_file import title
from nnefkit.exchange.source_shapes import recorded_in_source
from nnefkit.graph import Graph


def from_caffe(
    prototxt: str | os.PathLike[str] | bytes,
    caffemodel: str | os.PathLike[str] | bytes | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    outputs: Sequence[str] | str | None = None,
    *,
    verify: bool = True,
    tolerance: float | None = None,
    engine: str = "numpy",
    dynamic_shapes: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> Graph:
    """Read a Caffe network, without Caffe.

    The layers are those of the test phase; rules ``include`` and ``exclude`` are applied, and both
    forms of layers and of weights are read. The structure is that of the text, and weights are
    found by the names of layers. Layers that compute in place, as ReLU usually does, give a blob
    several values: the first one has the name of the blob, later ones those of the layers. A layer
    Scale after a BatchNorm becomes a part of it.

    If OpenCV 4 is installed (``opencv-python-headless<5``), it runs the network on generated
    inputs, and the graph must compute the same; layers that OpenCV lacks, or computes otherwise
    than Caffe, are an exception. Otherwise nothing compares the two: the provenance says
    ``verified: False``. Pass ``verify=False`` for files that you do not trust.

    Args:
        prototxt: The path of the text of the network, or its bytes.
        caffemodel: The path of its weights (``.caffemodel``, or ``.caffemodel.h5``), or their
            bytes; by default the file of the same name, or the only one, beside the text.
        input_shapes: Input name -> shape, for inputs without a shape, or other shapes. A blob that
            a layer reads from a database becomes an input in this way.
        outputs: Names of blobs or layers, to cut the network; by default all blobs that no layer
            reads.
        verify: Whether to run the graph and the network, and to compare them, if OpenCV is
            installed.
        tolerance: Largest allowed difference, relative to the largest element of a tensor; 1e-4 by
            default. By default outputs may also differ by more, if each operation agrees with the
            layer on its own.
        engine: The engine that runs the graph.
        dynamic_shapes: Axes that may have other extents; see `from_torch`.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The graph, in float32, with channels after the batch as in Caffe. Its ``provenance`` has the
        source and its files.

    Raises:
        DocumentError: NNEF cannot express the network, or it is not valid; one diagnostic for each
            such layer.
        ExecutionError: The outputs differ from OpenCV's, with the first tensor that does.
        InputError: It is not a Caffe network, or an input has no shape.
        StorageError: A file cannot be read, or is damaged.
        UnknownNameError: The network has no blob or input of a given name.
        MissingPackageError: The package protobuf is not installed, or h5py for weights in HDF5.

    Example:
        >>> graph = nk.from_caffe(b'''
        ...     name: "net"
        ...     layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 4 } } }
        ...     layer { name: "y" type: "ReLU" bottom: "x" top: "y" }
        ... ''')
        >>> print(graph.operations[1])
        y = relu(x);
    """
    with StagedProgressBar(title(prototxt, "Caffe network"), progress) as bar:
        bar.stage("opening")
        source = with_input_shapes(open_model(prototxt, caffemodel, outputs), input_shapes)
        graph = read(source, bar)
        graph = recorded_in_source(
            graph, lambda shapes: read(with_input_shapes(source, shapes)), dynamic_shapes, bar
        )
        facts = {**_facts(source), **unused_inputs(graph)}
        reason = _no_proof(source) if verify else "verify=False"
        if reason:
            return unproved(graph, facts, reason)
        run = _source_run(source, graph, facts)
        return verified(graph, run, {}, engine=engine, tolerance=tolerance, bar=bar)


def _no_proof(source: CaffeModel) -> str:
    """Return why OpenCV cannot run a network; nothing if it can."""
    if not opencv.is_installed("readNetFromCaffe"):
        return "OpenCV 4 is not installed"
    if any(isinstance(blob, np.ndarray) for layer in source.layers for blob in layer.blobs):
        return "OpenCV does not read weights in files of HDF5"
    if others := runtime.differing_layers(source):
        return f"OpenCV lacks or computes otherwise: {', '.join(others)}"
    if not runtime.has_all_outputs(source):
        return "OpenCV does not return each output"
    return ""


def _source_run(source: CaffeModel, graph: Graph, facts: Mapping[str, Any]) -> SourceRun:
    """Return how to run the network in OpenCV."""
    runner = runtime.OpencvRunner(source)

    def outputs(inputs: Arrays) -> Arrays:
        return dict(zip(graph.outputs, runner.run(inputs), strict=True))

    def everything(inputs: Arrays) -> Arrays:
        layers = runner.known()
        return dict(zip(layers, runner.run(inputs, [*layers.values()]), strict=True))

    return SourceRun(outputs, everything, facts)


def read(source: CaffeModel, bar: StagedProgressBar | None = None) -> Graph:
    """Read a network whose inputs have shapes.

    Args:
        source: The network.
        bar: Counts the layers.

    Raises:
        DocumentError: NNEF cannot express it; one diagnostic for each such layer.
    """
    # The readers of all layers are imported when the first network is read.
    from nnefkit.exchange.caffe.nodes import CaffeReader

    return with_macs(graph_of(CaffeReader(source), bar, "layer"))


def _facts(source: CaffeModel) -> dict[str, Any]:
    """Return the provenance of a graph."""
    return {
        "source": "Caffe",
        "path": source.path,
        **({"weights": source.weights_path} if source.weights_path else {}),
        "format": "V1" if source.is_old else "V2",
    }
