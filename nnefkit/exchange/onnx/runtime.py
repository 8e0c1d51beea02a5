"""Runs of ONNX models in ONNX Runtime, or in ONNX's reference evaluator where it lacks support."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.exchange.onnx.detached_weights import declared_as_inputs
from nnefkit.exchange.onnx.opened_model import dtype_of, require

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_LARGE = 2**26
"""Size of the weights in bytes above which ONNX Runtime must not copy them."""
_WITHOUT_ZERO = 4
"""Number of inputs of an activation on codes without the zero point of its result."""
_FATAL_ONLY = 4
"""ONNX Runtime's log level for fatal errors only."""


def run_model(
    model: ModelProto,
    inputs: Mapping[str, Array],
    weights: Mapping[str, Array] | None = None,
    *,
    everything: bool = False,
    literal: bool = False,
) -> dict[str, Array]:
    """Run a model.

    Args:
        model: A model whose input shapes fit the arrays.
        inputs: Input name -> array.
        weights: Name -> elements of the weights that the model only refers to.
        everything: Whether to return all tensors of the main graph, not only the outputs.
        literal: Whether to run the nodes one by one, without ONNX Runtime's optimizations: fused
            operators round differently, often better.

    Returns:
        Tensor name -> array.

    Raises:
        ExecutionError: The model cannot be run.
    """
    feeds, model = _typed(model, inputs), _with_every_zero_point(model)
    if everything:
        model = _with_all_outputs(model)
    names = [info.name for info in model.graph.output]
    require("onnxruntime")
    try:
        results = _run_in_runtime(model, feeds, weights or {}, literal)
    except ExecutionError:
        raise
    except Exception as error:  # noqa: BLE001 - the runtime raises errors of many kinds
        try:
            results = _run_in_evaluator(model, feeds, weights or {})
        except Exception:  # noqa: BLE001
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ExecutionError(
                f"the ONNX model cannot be run: {reason}",
                hint="Pass example inputs that fit the model (inputs=...), or read it without "
                "running it (verify=False).",
            ) from error
    return dict(zip(names, results, strict=True))


def _typed(model: ModelProto, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return the inputs with the dtypes that the model declares."""
    return {
        info.name: np.asarray(inputs[info.name], dtype_of(info.type))
        for info in model.graph.input
        if info.name in inputs
    }


def _with_every_zero_point(model: ModelProto) -> ModelProto:
    """Return a model that names the optional zero points of the results of its activations.

    ONNX Runtime ends the process where the last inputs of these nodes are left out.
    """
    if not any(_lacks_zero_point(node) for node in model.graph.node):
        return model
    copy = type(model)()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        if _lacks_zero_point(node):
            node.input.append("")
    return copy


def _lacks_zero_point(node: NodeProto) -> bool:
    is_activation = node.op_type in ("QLinearSigmoid", "QLinearLeakyRelu")
    return is_activation and node.domain == "com.microsoft" and len(node.input) == _WITHOUT_ZERO


def _run_in_runtime(
    model: ModelProto, feeds: Mapping[str, Array], weights: Mapping[str, Array], literal: bool
) -> list[Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    if literal or _has_branches(model):
        # The optimizer crashes the process if the condition of a branch is constant.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(a) for a in weights.values()]
    if sum(array.nbytes for array in weights.values()) < _LARGE:
        if values:
            options.add_external_initializers([*weights], values)
    else:
        # The weights are not copied, and not packed or transposed for speed: the model runs once.
        for name, value in zip(weights, values, strict=True):
            options.add_initializer(name, value)
        options.add_session_config_entry("session.disable_prepacking", "1")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, dict(feeds)))


def _has_branches(model: ModelProto) -> bool:
    nodes = model.graph.node
    return any(a.HasField("g") or a.graphs for node in nodes for a in node.attribute)


def _run_in_evaluator(
    model: ModelProto, feeds: Mapping[str, Array], weights: Mapping[str, Array]
) -> list[Any]:
    from onnx.reference import ReferenceEvaluator

    without = declared_as_inputs(model, weights)
    return list(ReferenceEvaluator(without).run(None, {**weights, **feeds}))


def _with_all_outputs(model: ModelProto) -> ModelProto:
    """Return the model with the results of all nodes as outputs."""
    from onnx import ModelProto, ValueInfoProto

    copy = ModelProto()
    copy.CopyFrom(model)
    outputs = {info.name for info in copy.graph.output}
    for node in copy.graph.node:
        for name in node.output:
            if name and name not in outputs:
                copy.graph.output.append(ValueInfoProto(name=name))
                outputs.add(name)
    return copy
