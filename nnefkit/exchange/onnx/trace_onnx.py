"""The function `trace_onnx`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from nnefkit.arrays import Array
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import DocumentError, ExecutionError, UnknownNameError, did_you_mean
from nnefkit.exchange.framework_noise import quiet_frameworks
from nnefkit.exchange.given_inputs import given_inputs, of_dtype
from nnefkit.exchange.names import identifier
from nnefkit.exchange.onnx.call import INVALID
from nnefkit.exchange.onnx.from_onnx import read
from nnefkit.exchange.onnx.opened_model import OnnxModel, dtype_of, open_model
from nnefkit.exchange.onnx.runtime import ModelRunner
from nnefkit.exchange.recorded_run import RecordedRun, SourceNode
from nnefkit.exchange.source_file import title
from nnefkit.execution import Trace
from nnefkit.graph import Graph

if TYPE_CHECKING:
    from onnx import ModelProto


@quiet_frameworks()
def trace_onnx(
    model: str | os.PathLike[str] | bytes | ModelProto,
    inputs: Mapping[str, Any],
    *,
    constants: Mapping[str, Any] | None = None,
    graph: Graph | None = None,
    progress: bool | None = None,
) -> Trace:
    """Run an ONNX model in ONNX Runtime and record all of its tensors.

    Tensors have the names of the graph that `from_onnx` returns, so that `nnefkit.compare` can
    compare the model with any engine that runs the graph. Shape arithmetic, copies and
    transpositions that the graph does not have are left out.

    Args:
        model: As for `from_onnx`.
        inputs: Input name, in the model or in the graph -> array.
        constants: As for `from_onnx`.
        graph: The graph that `from_onnx` returned, to save reading the model again.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The trace, in the order of the model's nodes.

    Raises:
        ExecutionError: The model cannot be run, or one of its nodes is not valid: it is not run
            then, since ONNX Runtime may end the process or never end.
        InputError: An input is not an array, or not one of the dtype that the model declares.
        UnknownNameError: The model has no input of a given name.

    Example:
        >>> graph = nk.parse('''
        ... version 1.0;
        ... graph net(x) -> (y) { x = external(shape = [3]); y = relu(x); }
        ... ''')
        >>> trace = nk.trace_onnx(nk.to_onnx(graph), {"x": np.array([-1.0, 0.0, 1.0])})
        >>> list(trace)
        ['x', 'y']
    """
    with StagedProgressBar(title(model, "ONNX model"), progress) as bar:
        bar.stage("opening")
        opened = open_model(model, None, constants, open_shapes=True)
        proto = opened.proto
        feeds = _feeds(proto, inputs)
        runner = ModelRunner(proto, opened.weights)
        if graph is None:
            # A run may end the process at a node that is not valid: the model is read before it.
            shapes = {name: array.shape for name, array in feeds.items()}
            graph = _graph(opened, shapes, constants, bar)
        bar.stage("running")
        started = perf_counter()
        arrays = {**feeds, **runner.run(feeds, everything=True)}
        seconds = perf_counter() - started
    engine = "onnx evaluator" if runner.why_evaluated else "onnxruntime"
    return _recorded(proto, arrays, graph).trace(f"{engine} (source)", seconds)


def _feeds(proto: ModelProto, inputs: Mapping[str, Any]) -> dict[str, Array]:
    """Return the inputs by their names in the model."""
    dtypes = {info.name: dtype_of(info.type) for info in proto.graph.input}
    names = {name: name for name in dtypes} | {identifier(name): name for name in dtypes}

    def name_of(name: str) -> str:
        if name not in names:
            raise UnknownNameError(
                f"the model has no input '{name}'", hint=did_you_mean(str(name), names)
            )
        return str(names[name])

    given = given_inputs(inputs, name_of)
    missing = [name for name in dtypes if name not in given]
    if missing:
        raise ExecutionError(
            f"the ONNX model cannot be run: its inputs {', '.join(map(repr, missing))} are missing",
            hint="Pass an array for each of its inputs.",
        )
    return {name: of_dtype(name, array, dtypes[name]) for name, array in given.items()}


def _graph(
    model: OnnxModel,
    shapes: Mapping[str, Sequence[int]],
    constants: Mapping[str, Any] | None,
    bar: StagedProgressBar,
) -> Graph | None:
    try:
        return read(open_model(model, shapes, constants), bar, past_refusals=True)
    except DocumentError as error:
        for diagnostic in error.diagnostics:
            if diagnostic.hint == INVALID:
                raise ExecutionError(
                    f"the ONNX model is not run, since it is not valid: {diagnostic.message}",
                    hint=INVALID,
                ) from None
        # NNEF cannot express the model, but it can be run.
        return None


def _recorded(proto: ModelProto, arrays: Mapping[str, Any], graph: Graph | None) -> RecordedRun:
    nodes = proto.graph.node
    return RecordedRun(
        proto.graph.name,
        [info.name for info in proto.graph.input],
        [SourceNode(n.op_type, n.input, n.output) for n in nodes if n.op_type != "Constant"],
        [info.name for info in proto.graph.output],
        arrays,
        graph,
    )
