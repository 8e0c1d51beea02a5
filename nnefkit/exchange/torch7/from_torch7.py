"""The function `from_torch7`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Arrays
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import ExecutionError
from nnefkit.exchange import opencv
from nnefkit.exchange.fragments import with_macs
from nnefkit.exchange.network_reader import graph_of
from nnefkit.exchange.proof import SourceRun, unproved, verified, with_facts
from nnefkit.exchange.proof_inputs import unused_inputs
from nnefkit.exchange.source_file import title
from nnefkit.exchange.source_shapes import recorded_in_source
from nnefkit.exchange.torch7 import runtime
from nnefkit.exchange.torch7.model import Torch7Model
from nnefkit.exchange.torch7.opened_model import open_model, with_input_shapes
from nnefkit.graph import Graph


def from_torch7(
    path: str | os.PathLike[str] | bytes,
    input_shapes: Mapping[str, Sequence[int]] | Sequence[int] | None = None,
    outputs: Sequence[str] | str | None = None,
    *,
    entry: str = "",
    verify: bool = True,
    tolerance: float | None = None,
    engine: str = "numpy",
    dynamic_shapes: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> Graph:
    r"""Read a Torch7 network (``.t7``, ``.net``), without Torch7 and Lua.

    The file may be binary or text, of 64-bit or 32-bit systems. It has objects, tables and tensors;
    functions in it are skipped, and nothing of it is run. Networks are read as after
    ``net:evaluate()``, whatever their field `train` says, in float32 whatever their type is.

    As in Torch7, the rank of an input decides whether it has a batch: a module for images reads
    channels, height and width, with or without a batch in front of them. A tensor that a module
    computes is named after the module's place: ``module3`` is the third module of the network,
    ``module3_1`` the first one inside of that. A module that overwrites its input in place changes
    what modules after it find there, also in other branches. A module that is in several places
    computes anew in each of them.

    If OpenCV 4 is installed (``opencv-python-headless<5``), it runs the network on generated
    inputs, and the graph must compute the same; modules that OpenCV lacks, or computes otherwise
    than Torch7, are an exception. Otherwise nothing compares the two: the provenance says
    ``verified: False``. Pass ``verify=False`` for files that you do not trust.

    Args:
        path: The path of the file, or its bytes.
        input_shapes: The shape of the input, which no file has. If the network reads a table,
            name -> shape: ``input1``, ``input2``, ...; ``input2_1`` is the first value of a table
            inside of the table.
        outputs: Names of modules, to cut the network; by default what it computes, which is named
            ``output``, or ``output1``, ``output2``, ... if it is a table.
        entry: The entry of the file's table that has the network, such as ``"model"`` or
            ``"protos.rnn"``; needed if there are several networks.
        verify: Whether to run the graph and the network, and to compare them, if OpenCV is
            installed.
        tolerance: Largest allowed difference, relative to the largest element of a tensor; 1e-4 by
            default. By default outputs may also differ by more, if each operation agrees with the
            module on its own.
        engine: The engine that runs the graph.
        dynamic_shapes: Axes that may have other extents; see `from_torch`.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The graph, in float32. Its ``provenance`` has the source and its form.

    Raises:
        DocumentError: NNEF cannot express the network, or it is not valid; one diagnostic for each
            such module.
        ExecutionError: The outputs differ from OpenCV's, with the first tensor that does.
        InputError: The file has no network, or several, or the shapes of inputs are not valid.
        StorageError: The file cannot be read, or is damaged.
        UnknownNameError: There is no module, input or entry of a given name.

    Example:
        >>> file = b"4\n1\n3\nV 1\n7\nnn.Tanh\n3\n2\n0\n"
        >>> print(nk.from_torch7(file, (1, 4)).operations[1])
        output = tanh(input);
    """
    with StagedProgressBar(title(path, "Torch7 network"), progress) as bar:
        bar.stage("opening")
        source = open_model(path, input_shapes, outputs, entry)
        graph = read(source, bar)
        graph = recorded_in_source(
            graph, lambda shapes: read(with_input_shapes(source, shapes)), dynamic_shapes, bar
        )
        facts = {**_facts(source), **unused_inputs(graph)}
        runner = _runner(source, graph) if verify else "verify=False"
        if isinstance(runner, str):
            return unproved(graph, facts, runner)
        run = _source_run(runner, graph, facts)
        return verified(graph, run, {}, engine=engine, tolerance=tolerance, bar=bar)


def _runner(source: Torch7Model, graph: Graph) -> runtime.Torch7Runner | str:
    """Return what runs a network in OpenCV, or why OpenCV cannot."""
    if not opencv.is_installed("readNetFromTorch"):
        return "OpenCV 4 is not installed"
    if source.outputs or source.entry or isinstance(source.inputs, list):
        return "OpenCV reads whole networks with one input only"
    if len(source.inputs.shape) not in (2, 4):
        return "OpenCV reads matrices, and images with a batch, only"
    if "rewritten" in graph.provenance:
        return "OpenCV does not compute in place"
    if "classes_first" in graph.provenance:
        return "OpenCV takes the first of three dimensions for a batch"
    if others := runtime.differing_modules(source):
        return f"OpenCV lacks or computes otherwise: {', '.join(others)}"
    try:
        runner = runtime.Torch7Runner(source)
        results = runner.run({"input": np.zeros(source.inputs.shape, np.float32)})
    except ExecutionError as error:
        return error.diagnostics[0].message
    if [x.shape for x in results] != [graph.tensors[name].shape for name in graph.outputs]:
        return "OpenCV returns outputs of other shapes"
    return runner


def _source_run(runner: runtime.Torch7Runner, graph: Graph, facts: Mapping[str, Any]) -> SourceRun:
    """Return how to run the network in OpenCV."""

    def outputs(inputs: Arrays) -> Arrays:
        return dict(zip(graph.outputs, runner.run(inputs), strict=True))

    return SourceRun(outputs, outputs, facts)


def read(source: Torch7Model, bar: StagedProgressBar | None = None) -> Graph:
    """Read a network.

    Args:
        source: The network.
        bar: Counts the modules.

    Raises:
        DocumentError: NNEF cannot express it; one diagnostic for each such module.
    """
    # The readers of all modules are imported when the first network is read.
    from nnefkit.exchange.torch7.modules import ModuleReader

    reader = ModuleReader(source)
    return with_facts(with_macs(graph_of(reader, bar, "module")), reader.facts)


def _facts(source: Torch7Model) -> dict[str, Any]:
    """Return the provenance of a graph."""
    return {
        "source": "Torch7",
        "path": source.path,
        "format": "text" if source.is_text else "binary",
        **({"entry": source.entry} if source.entry else {}),
    }
