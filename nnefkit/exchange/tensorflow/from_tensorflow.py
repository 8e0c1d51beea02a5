"""The function `from_tensorflow`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from nnefkit.arrays import Arrays
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import DocumentError
from nnefkit.exchange.fragments import with_macs
from nnefkit.exchange.framework_noise import quiet_frameworks
from nnefkit.exchange.layout import (
    Layout,
    as_in_source,
    as_stored,
    channels_first,
    source_tensors,
)
from nnefkit.exchange.proof import SourceRun, verified, with_facts
from nnefkit.exchange.proof_inputs import integer_inputs, unused_inputs
from nnefkit.exchange.source_file import title
from nnefkit.exchange.source_shapes import recorded_in_source
from nnefkit.exchange.tensorflow.element_types import computed_dtype
from nnefkit.exchange.tensorflow.inputs import input_of, input_shape, with_input_shapes
from nnefkit.exchange.tensorflow.model import TensorflowModel
from nnefkit.exchange.tensorflow.opened_model import open_model, with_tensors
from nnefkit.exchange.tensorflow.runtime import TensorflowRunner, is_installed
from nnefkit.graph import Graph


@quiet_frameworks()
def from_tensorflow(
    path: str | os.PathLike[str] | bytes,
    inputs: Sequence[str] | Mapping[str, str] | None = None,
    outputs: Sequence[str] | Mapping[str, str] | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    layout: Layout = "source",
    *,
    signature: str | None = None,
    verify: bool = True,
    tolerance: float | None = None,
    engine: str = "numpy",
    dynamic_shapes: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> Graph:
    """Read a TensorFlow model, without TensorFlow.

    Functions are inlined, and variables have the values of the checkpoint. Everything that depends
    only on shapes and constants is computed while the model is read: branches with a constant
    condition are chosen, loops with a constant number of rounds are unrolled. Nodes that the
    outputs do not depend on are left out. Each tensor stores its name in the model as ``origin``.

    If TensorFlow is installed, it runs the model on generated inputs, and the graph must compute
    the same. Otherwise nothing compares the two: the provenance says ``verified: False``.
    TensorFlow's operators can do anything, such as write files: pass ``verify=False`` for models
    that you do not trust.

    Args:
        path: A frozen graph (``.pb``, ``.pbtxt``, or its bytes), the folder of a SavedModel, or a
            MetaGraph (``.meta``) beside its checkpoint (``.index`` and ``.data-...``).
        inputs: Names of tensors that become inputs, or name in the graph -> tensor. By default
            those of the signature, or all placeholders.
        outputs: Likewise for outputs, which may be any tensor, to cut the graph. By default those
            of the signature, or all tensors that no node reads.
        input_shapes: Input name -> shape, for inputs with open dimensions.
        layout: Whether inputs and outputs have their channels last, as in the ``"source"``, with a
            transposition each at most, or after the batch, as in ``"nnef"``. Inside, there are no
            transpositions but where the network needs them.
        signature: The key of the signature whose inputs and outputs are read; ``serving_default``
            by default.
        verify: Whether to run the graph and the model, and to compare them, if TensorFlow is
            installed.
        tolerance: Largest allowed difference, relative to the largest element of a tensor; 1e-4 by
            default. By default outputs may also differ by more, if each operation agrees with the
            model's on its own.
        engine: The engine that runs the graph.
        dynamic_shapes: Axes that may have other extents; see `from_torch`.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The graph. Its ``provenance`` has the source, and the version of TensorFlow that wrote it;
        ``provenance["layouts"]`` has the order of the axes of tensors that the graph stores in
        another order than the model: ``stored == source.transpose(axes)``.

    Raises:
        DocumentError: NNEF cannot express the graph, or it is not valid; one diagnostic for each
            such node.
        ExecutionError: The outputs differ, with the first tensor that does; or the model cannot be
            run.
        InputError: It is not a TensorFlow model, or inputs have open dimensions.
        StorageError: A file cannot be read, or is damaged.
        UnknownNameError: The model has no tensor or signature of a given name.
        MissingPackageError: The package protobuf is not installed.

    Example:
        >>> try:
        ...     nk.from_tensorflow(b"")
        ... except nk.InputError as error:
        ...     print(error.diagnostics[0].message)
        the file is not a TensorFlow graph, or it has no nodes
    """
    with StagedProgressBar(title(path, "TensorFlow model"), progress) as bar:
        bar.stage("opening")
        opened = with_tensors(open_model(path), inputs, outputs, signature)
        source = with_input_shapes(opened, input_shapes)
        graph = read(source, layout, bar)
        graph = recorded_in_source(
            graph, lambda named: read(with_input_shapes(source, named), layout), dynamic_shapes, bar
        )
        facts = {**_facts(source), **unused_inputs(graph), **_integer_inputs(source, graph)}
        if not verify or not is_installed():
            return with_facts(graph, {**facts, "verified": False})
        run = _source_run(source, graph, facts)
        return verified(graph, run, {}, engine=engine, tolerance=tolerance, bar=bar)


def _source_run(source: TensorflowModel, graph: Graph, facts: Mapping[str, Any]) -> SourceRun:
    """Return how to run the model, on tensors in the layout of the graph."""
    runner = TensorflowRunner(source)
    names = {graph.tensors[name].origin or name: name for name in graph.inputs}
    origins = [tensor.origin for tensor in graph.tensors.values() if tensor.origin]

    def feeds(inputs: Arrays) -> Arrays:
        return {key: as_in_source(graph, names[key], array) for key, array in inputs.items()}

    def outputs(inputs: Arrays) -> Arrays:
        found = runner.run(feeds(inputs))
        pairs = zip(graph.outputs, source.outputs, found, strict=True)
        return {tensor.name: as_stored(graph, name, array) for name, tensor, array in pairs}

    def all_tensors(inputs: Arrays) -> Arrays:
        known = runner.known([*dict.fromkeys(origins)])
        found = runner.run(feeds(inputs), known)
        return source_tensors(graph, dict(zip(known, found, strict=True)))

    return SourceRun(outputs, all_tensors, facts)


def read(
    source: TensorflowModel, layout: Layout = "source", bar: StagedProgressBar | None = None
) -> Graph:
    """Read a model whose tensors and shapes are known.

    Args:
        source: The model.
        layout: The layout of inputs and outputs.
        bar: Counts the nodes.

    Raises:
        DocumentError: NNEF cannot express it; one diagnostic for each such node.
    """
    # The readers of all operators are imported when the first model is read.
    from nnefkit.exchange.tensorflow.nodes import TensorflowReader

    reader = TensorflowReader(source)
    if bar is not None:
        bar.stage("reading", reader.size, "node")
    graph = reader.read(bar)
    if graph is None:
        raise DocumentError(reader.problems)
    return with_macs(channels_first(graph, layout))


def _integer_inputs(source: TensorflowModel, graph: Graph) -> dict[str, Any]:
    dtypes = {}
    for name in graph.inputs:
        tensor = input_of(source, graph.tensors[name].origin or name)
        dtype = computed_dtype(input_shape(source, tensor)[1])
        if dtype is not None:
            dtypes[name] = dtype
    return integer_inputs(dtypes)


def _facts(source: TensorflowModel) -> dict[str, Any]:
    """Return the provenance of a graph."""
    return {
        "source": "TensorFlow",
        "path": source.path,
        "producer": f"TensorFlow {source.version}".strip(),
        "format": source.kind,
    }
