"""The function `from_mxnet`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from nnefkit.arrays import Arrays
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import DocumentError
from nnefkit.exchange.fragments import with_macs
from nnefkit.exchange.layout import channels_first, source_tensors
from nnefkit.exchange.mxnet import runtime
from nnefkit.exchange.mxnet.model import MxnetModel
from nnefkit.exchange.mxnet.opened_model import open_model, with_input_shapes
from nnefkit.exchange.proof import SourceRun, unproved, verified
from nnefkit.exchange.proof_inputs import integer_inputs, unused_inputs
from nnefkit.exchange.source_file import title
from nnefkit.exchange.source_shapes import recorded_in_source
from nnefkit.graph import Graph


def from_mxnet(
    symbol_json: str | os.PathLike[str] | bytes,
    params: str | os.PathLike[str] | bytes | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    outputs: Sequence[str] | str | None = None,
    *,
    verify: bool = True,
    tolerance: float | None = None,
    engine: str = "numpy",
    dynamic_shapes: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> Graph:
    """Read an MXNet network, without MXNet.

    Symbols of all versions are read, also those that Gluon exports, and parameters in all forms of
    their file. A variable of the symbol is a parameter if the file has it, under its name or with
    ``arg:`` or ``aux:`` before it; else it is an input. What matters in training only is left out:
    Dropout changes nothing, BatchNorm uses its stored statistics, and output layers ignore their
    labels. Tensors have the names of nodes, and their ``origin`` is MXNet's name of the output:
    ``conv1_output``.

    If MXNet is installed and can be imported, it runs the network on generated inputs, and the
    graph must compute the same. Its releases need an older NumPy than nnefkit, so that usually
    nothing compares the two: the provenance says ``verified: False``. Pass ``verify=False`` for
    files that you do not trust.

    Args:
        symbol_json: The path of the symbol (``net-symbol.json``), or its bytes.
        params: The path of its parameters, or their bytes; by default those of the highest epoch
            beside the symbol (``net-0012.params``), or the only ones.
        input_shapes: Input name -> shape, for inputs whose shape is not in the symbol.
        outputs: Names of outputs or nodes, to cut the network; by default those of the symbol.
        verify: Whether to run the graph and the network, and to compare them, if MXNet can be
            imported.
        tolerance: Largest allowed difference, relative to the largest element of a tensor; 1e-4 by
            default. By default outputs may also differ by more, if each operation agrees with the
            operator on its own.
        engine: The engine that runs the graph.
        dynamic_shapes: Axes that may have other extents; see `from_torch`.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The graph, in float32, with channels where the network has them. Its ``provenance`` has the
        source and its files.

    Raises:
        DocumentError: NNEF cannot express the network, or it is not valid; one diagnostic for each
            such operator.
        InputError: It is not an MXNet network, an input has no shape, or a parameter is missing.
        ExecutionError: The outputs differ from MXNet's, with the first tensor that does.
        StorageError: A file cannot be read, or is damaged.
        UnknownNameError: The network has no output or input of a given name.

    Example:
        >>> symbol = b'''{"nodes": [
        ...     {"op": "null", "name": "data", "inputs": []},
        ...     {"op": "relu", "name": "y", "inputs": [[0, 0, 0]]}
        ... ], "heads": [[1, 0, 0]]}'''
        >>> graph = nk.from_mxnet(symbol, input_shapes={"data": (1, 4)})
        >>> print(graph.operations[1])
        y_output = relu(data);
    """
    with StagedProgressBar(title(symbol_json, "MXNet network"), progress) as bar:
        bar.stage("opening")
        source = with_input_shapes(open_model(symbol_json, params, outputs), input_shapes)
        graph = read(source, bar)
        graph = recorded_in_source(
            graph, lambda shapes: read(with_input_shapes(source, shapes)), dynamic_shapes, bar
        )
        facts = {**_facts(source), **unused_inputs(graph)}
        runner, reason = runtime.runner_of(source) if verify else (None, "verify=False")
        if runner is None:
            return unproved(graph, facts, reason)
        run = _source_run(runner, graph, facts)
        return verified(graph, run, {}, engine=engine, tolerance=tolerance, bar=bar)


def _source_run(runner: runtime.MxnetRunner, graph: Graph, facts: Mapping[str, Any]) -> SourceRun:
    """Return how to run the network in MXNet."""

    def everything(inputs: Arrays) -> Arrays:
        return source_tensors(graph, runner.everything(inputs))

    def outputs(inputs: Arrays) -> Arrays:
        return dict(zip(graph.outputs, runner.outputs(inputs), strict=True))

    return SourceRun(outputs, everything, facts)


def read(source: MxnetModel, bar: StagedProgressBar | None = None) -> Graph:
    """Read a network whose inputs have shapes.

    Args:
        source: The network.
        bar: Counts the nodes.

    Raises:
        DocumentError: NNEF cannot express it; one diagnostic for each such operator.
    """
    # The readers of all operators are imported when the first network is read.
    from nnefkit.exchange.mxnet.nodes import MxnetReader

    reader = MxnetReader(source)
    if bar is not None:
        bar.stage("reading", reader.size, "node")
    graph = reader.read(bar)
    if reader.unknown:
        # Another batch than that of the inputs fits no operation that reads the states.
        for batch in _batches(source):
            other = MxnetReader(source, batch)
            graph = other.read()
            if graph is not None:
                reader = other
                break
    if graph is None:
        raise DocumentError(reader.problems)
    if reader.has_channels_last:
        graph = channels_first(graph, "source")
    return with_macs(graph)


def _batches(source: MxnetModel) -> list[int]:
    """Return the extents of inputs that may be those of the batch."""
    shapes = [each.shape or () for each in source.inputs.values()]
    return [*dict.fromkeys(shape[axis] for axis in (0, 1) for shape in shapes if axis < len(shape))]


def _facts(source: MxnetModel) -> dict[str, Any]:
    """Return the provenance of a graph."""
    inputs = {each.name: each.dtype for each in source.inputs.values()}
    version = source.version
    number = f"{version // 10000}.{version // 100 % 100}.{version % 100}"
    return {
        "source": "MXNet",
        "path": source.path,
        **({"weights": source.params_path} if source.params_path else {}),
        **({"version": number} if version > 0 else {}),
        **integer_inputs(inputs),
    }
