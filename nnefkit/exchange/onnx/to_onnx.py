"""The function `to_onnx`: the lowering of the ONNX Runtime engine, written as a model."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.arguments import expected_path
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import ExecutionError, InputError
from nnefkit.exchange.framework_noise import quiet_frameworks
from nnefkit.exchange.given_inputs import given_inputs, input_name
from nnefkit.exchange.onnx.detached_weights import (
    Weights,
    declared_as_inputs,
    encoded,
    refer,
    with_weights,
)
from nnefkit.exchange.onnx.from_onnx import CODES_TOLERANCE
from nnefkit.exchange.onnx.opened_model import require
from nnefkit.exchange.onnx.recurrent_layers import has_layers, with_recurrent_layers
from nnefkit.exchange.onnx.recurrent_lowering import RecurrentLowering
from nnefkit.exchange.onnx.runtime import ModelRunner
from nnefkit.exchange.proof import TOLERANCE, SourceRun, Wording, verified
from nnefkit.exchange.writer_engine import WriterEngine
from nnefkit.execution.engines.onnxruntime.builder import MINIMUM_OPSET, OPSET
from nnefkit.execution.engines.onnxruntime.lowered_model import exported_model
from nnefkit.execution.engines.onnxruntime.operations import LOWERINGS
from nnefkit.execution.preparation.quantized_graph import pseudo_quantized
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import Graph, Operation, expected_graph
from nnefkit.operations.shape_inference import infer_shapes
from nnefkit.storage import replacing_file

if TYPE_CHECKING:
    from onnx import ModelProto

MAX_BYTES = 2**31 - 2**26
"""Size of the weights in bytes up to which they are in the model file, which holds 2 GiB."""


@quiet_frameworks()
def to_onnx(
    graph: Graph,
    path: str | os.PathLike[str] | None = None,
    *,
    opset: int | None = None,
    quantized: bool = False,
    verify: bool = True,
    tolerance: float | None = None,
    inputs: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> ModelProto:
    """Write a graph as an ONNX model, with the same names of tensors.

    Variables that the graph updates become additional inputs, and their new values additional
    outputs.

    Unrolled recurrent layers become one LSTM, GRU or RNN each, where it computes the same.

    With ``quantized=True`` the quantization info of tensors (``graph.quant``) becomes pairs of
    QuantizeLinear and DequantizeLinear, and that of variables becomes codes with DequantizeLinear.
    ONNX has these operators for linear quantization to 8 bits, and from opset 21 on to 16 bits, if
    a code represents 0; other quantization is written as arithmetic. ONNX rounds a number halfway
    between two codes to the even one, NNEF to the larger one.

    Args:
        graph: Any graph whose variables have data.
        path: The file to write; None to write none. Weights of 2 GiB or more are written to a
            second file next to it, with ``.data`` appended to its name, to which the returned model
            refers.
        opset: The version of the ONNX operators, at least 16; None for the newest one that the
            installed packages onnx and onnxruntime both support.
        quantized: Whether to apply the quantization info.
        verify: Whether to run the graph and the model on the same inputs and to compare their
            outputs, before the file is written.
        tolerance: Largest allowed difference, relative to the largest element of an output. By
            default it is that of the proof of `from_onnx` or `from_torch`, if the graph comes from
            there, else 1e-4, and 0.05 for graphs that round to codes; and outputs may differ by
            more, if each operation agrees on its own.
        inputs: Input name -> array to run them on; missing inputs are generated.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The model, which passes ONNX's checker.

    Raises:
        MissingPackageError: The package onnx is not installed, or onnxruntime, to verify.
        ExecutionError: ONNX cannot express operations (all of them are reported at once), the
            outputs differ, or the graph has no quantization info.
        InputError: ONNX does not have the opset, or the weights take 2 GiB or more, and no path is
            given.
        StorageError: The file cannot be written.

    Example:
        >>> graph = nk.parse('''
        ... version 1.0;
        ... graph net(x) -> (y) { x = external(shape = [1, 3]); y = relu(x); }
        ... ''')
        >>> model = nk.to_onnx(graph)
        >>> [node.op_type for node in model.graph.node]
        ['Relu']
    """
    graph = expected_graph(graph, data=True)
    require()
    number = _known_opset(opset)
    with StagedProgressBar(graph.name, progress) as bar:

        def check(model: ModelProto, weights: Weights) -> None:
            if verify:
                given = {} if inputs is None else inputs
                _verify(graph, model, weights, given, tolerance, quantized=quantized, bar=bar)

        bar.stage("writing")
        model, weights = _model(graph, number, quantized, check)
        bar.stage("saving")
        return _saved(model, weights, path)


def _model(
    graph: Graph, opset: int, quantized: bool, check: Callable[[ModelProto, Weights], None]
) -> tuple[ModelProto, Weights]:
    """Return the model of a graph, and the weights that it refers to.

    Args:
        graph: Any graph.
        opset: The version of the operators.
        quantized: Whether to apply the quantization info.
        check: Raises an `ExecutionError` for a model that does not compute what the graph does.
    """
    import onnx

    plain = _prepared(graph)
    names: dict[str, str] = {}
    if quantized:
        carried = pseudo_quantized(plain, data=False)
        names = _swapped(plain, carried.sources)
        plain = infer_shapes(carried.graph)
    source, layered = graph, with_recurrent_layers(plain)

    def written(graph: Graph) -> tuple[ModelProto, Weights]:
        model, weights = _written(graph, opset, names, quantized=quantized)
        _restore_dtypes(model, source.provenance.get("integer_inputs", {}))
        onnx.checker.check_model(declared_as_inputs(model, weights), full_check=True)
        check(model, weights)
        return model, weights

    try:
        return written(layered)
    except ExecutionError:
        # Where numbers are not finite, ONNX Runtime computes a layer otherwise than its steps.
        if layered is plain:
            raise
        return written(plain)


def _saved(model: ModelProto, weights: Weights, path: str | os.PathLike[str] | None) -> ModelProto:
    """Write a model, if there is a path, and return it."""
    if sum(array.nbytes for array in weights.values()) > MAX_BYTES:
        _write_external(model, weights, path)
        return model
    if path is not None:
        with replacing_file(expected_path(path)) as file:
            file.writelines(encoded(model, weights))
    return with_weights(model, weights)


def _written(
    graph: Graph, opset: int, names: Mapping[str, str], *, quantized: bool
) -> tuple[ModelProto, Weights]:
    """Return the model of a prepared graph, and the weights that it refers to."""
    weights: Weights = {}
    lowerings = {**LOWERINGS, **RecurrentLowering().lowerings} if has_layers(graph) else LOWERINGS
    model = exported_model(graph, opset=opset, codes=quantized, shared=weights, lowerings=lowerings)
    _rename(model, names)
    return model, {names.get(name, name): array for name, array in weights.items()}


def _write_external(
    model: ModelProto, weights: Weights, path: str | os.PathLike[str] | None
) -> None:
    """Write a model, and its weights to a file next to it."""
    if path is None:
        size = sum(array.nbytes for array in weights.values())
        raise InputError(
            f"the weights take {size / 2**30:.2f} GiB, and a model in memory holds less than 2 GiB",
            hint="Pass a path: the weights are then written to a file next to the model.",
        )
    target = expected_path(path)
    data_path = target.with_name(f"{target.name}.data")
    with replacing_file(data_path) as data:
        for array in refer(model, weights, data_path.name):
            data.write(array.reshape(-1).view(np.uint8).data)
        with replacing_file(target) as file:
            file.write(model.SerializeToString())


def _known_opset(opset: int | None) -> int:
    from onnx import defs

    if opset is None:
        return newest_opset()
    newest = defs.onnx_opset_version()
    if isinstance(opset, bool) or not isinstance(opset, int):
        raise InputError(f"'opset' must be an integer, not {opset!r}")
    if not MINIMUM_OPSET <= opset <= newest:
        raise InputError(
            f"opset {opset} cannot be written; opsets {MINIMUM_OPSET} to {newest} can",
            hint="Older opsets lack operators; newer ones need a newer 'onnx' package.",
        )
    return opset


@cache
def newest_opset() -> int:
    """Return the newest opset that the installed packages onnx and onnxruntime both support."""
    import onnx

    newest: int = onnx.defs.onnx_opset_version()
    try:
        import onnxruntime
    except ImportError:
        return OPSET
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    for opset in range(newest, OPSET, -1):
        try:
            onnxruntime.InferenceSession(_probe(opset).SerializeToString(), options)
        except Exception:  # noqa: BLE001, S112 - the runtime raises errors of many kinds
            continue
        return opset
    return OPSET


def _probe(opset: int) -> ModelProto:
    """Return a model of the operators whose new versions ONNX Runtime supports last."""
    from onnx import helper, numpy_helper

    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(np.array(1, np.float32), "s"),
        numpy_helper.from_array(np.array(0, np.uint8), "z"),
    ]
    x, y = (helper.make_tensor_value_info(name, 1, [1]) for name in "xy")
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(
        helper.make_graph(nodes, "probe", [x], [y], weights),
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
    )


def _prepared(graph: Graph) -> Graph:
    """Return the graph with fragments expanded and shapes inferred, if ONNX can express it."""
    from nnefkit.execution.engines.onnxruntime import OnnxRuntimeEngine
    from nnefkit.execution.preparation.runnable_graph import expanded, refuse_unsupported

    graph = expanded(graph)
    engine = OnnxRuntimeEngine()

    def objection(graph: Graph, op: Operation) -> str:
        # A model may have operators that ONNX Runtime lacks for its dtypes.
        return "" if op.name in engine.operations else engine.why_unsupported(graph, op)

    refuse_unsupported(WriterEngine("onnx", engine, objection), graph, fallback=False)
    if any(tensor.shape is None for tensor in graph.tensors.values()):
        graph = infer_shapes(graph)
    return graph


# -- names of quantized tensors --------------------------------------------------------------------


def _swapped(graph: Graph, sources: Mapping[str, str]) -> dict[str, str]:
    """Return new names: an input keeps its own, and its quantized form gets another one.

    Args:
        graph: The graph without pseudo-quantization.
        sources: Name of each quantized tensor -> name of the tensor before quantization.
    """
    inputs = {*graph.inputs, *updates(graph)}
    names: dict[str, str] = {}
    for name, raw in sources.items():
        if name in inputs:
            names |= {raw: name, name: f"{name}_quantized"}
        else:
            names[f"{raw}.codes"] = f"{name}.codes"
    return names


def _rename(model: ModelProto, names: Mapping[str, str]) -> None:
    if not names:
        return
    graph = model.graph
    for node in graph.node:
        for values in (node.input, node.output):
            values[:] = [names.get(name, name) for name in values]
    for info in (*graph.input, *graph.initializer):
        info.name = names.get(info.name, info.name)
    for info in graph.output:
        if info.name in names:
            # The output is a quantized input, whose name the unquantized input has now.
            info.name = names[info.name]


def _restore_dtypes(model: ModelProto, dtypes: Mapping[str, str]) -> None:
    """Give integer inputs the dtypes that they have in the source of the graph.

    Args:
        model: Its integer inputs are int64.
        dtypes: Name of an input -> its dtype.
    """
    from onnx import TensorProto, helper

    casts = {}
    for info in model.graph.input:
        if info.name in dtypes:
            dtype = helper.np_dtype_to_tensor_dtype(np.dtype(dtypes[info.name]))
            info.type.tensor_type.elem_type = dtype
            casts[info.name] = f"{info.name}.int64"
    for node in model.graph.node:
        node.input[:] = [casts.get(name, name) for name in node.input]
    for name, wide in reversed(casts.items()):
        cast = helper.make_node("Cast", [name], [wide], name=wide, to=TensorProto.INT64)
        model.graph.node.insert(0, cast)


# -- proof -----------------------------------------------------------------------------------------


_CODING = frozenset(("linear_quantize", "logarithmic_quantize")).union(
    ("min_max_linear_quantize", "zero_point_linear_quantize")
)
"""Operations that round to codes, in either direction where a number is halfway between two."""
_WORDING = Wording(
    "the model does not compute what the graph computes", "or verify=False to skip the comparison."
)


def _verify(
    graph: Graph,
    model: ModelProto,
    weights: Weights,
    inputs: Mapping[str, Any],
    tolerance: float | None,
    *,
    quantized: bool,
    bar: StagedProgressBar,
) -> None:
    """Run the graph and the model on the same inputs, and compare their outputs."""
    states = {
        name: np.asarray(graph.tensors[name].data)
        for name in updates(graph)
        if graph.tensors[name].data is not None
    }
    runner = ModelRunner(model, weights)
    source = SourceRun(
        lambda feeds: runner.run({**feeds, **states}),
        lambda feeds: runner.run({**feeds, **states}, everything=True),
        {},
        name_of=lambda tensor: tensor.name,
        wording=_WORDING,
        remark=runner.remark,
    )
    given = given_inputs(inputs, partial(input_name, graph))
    default = max(graph.provenance.get("tolerance", TOLERANCE), TOLERANCE)
    if quantized or any(op.name in _CODING for op in graph.operations):
        default = max(default, CODES_TOLERANCE)
    verified(
        graph, source, given, tolerance=tolerance, default=default, quantized=quantized, bar=bar
    )
