"""Runs of ONNX models in ONNX Runtime, or in ONNX's reference evaluator where it lacks support."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.exchange.onnx.detached_weights import declared_as_inputs
from nnefkit.exchange.onnx.integer_division import (
    division_by_zero,
    evaluated_divisions,
    failed_division,
    without_fatal_divisions,
)
from nnefkit.exchange.onnx.invalid_nodes import refuse_invalid_nodes
from nnefkit.exchange.onnx.opened_model import dtype_of, require

if TYPE_CHECKING:
    import onnxruntime
    from onnx import ModelProto, NodeProto

_LARGE = 2**26
"""Size of the weights in bytes above which ONNX Runtime must not copy them."""
_FEW, _SMALL = 32, 2**18
"""Number of nodes, and size of inputs and weights in bytes, of models that take no time to run."""
_WITHOUT_ZERO = 4
"""Number of inputs of an activation on codes without the zero point of its result."""
_FATAL_ONLY = 4
"""ONNX Runtime's log level for fatal errors only."""


class ModelRunner:
    """Runs a model, of which it is known afterwards what ran it.

    Args:
        model: A model whose input shapes fit the inputs.
        weights: Name -> elements of the weights that the model only refers to.
        is_read: Whether a graph was read from the model, so that its own nodes are valid.

    Raises:
        ExecutionError: A node is not valid, so that a run might end the process or never end.
    """

    def __init__(
        self,
        model: ModelProto,
        weights: Mapping[str, Array] | None = None,
        *,
        is_read: bool = False,
    ) -> None:
        refuse_invalid_nodes(model, is_read=is_read)
        self._model = model
        self._weights = weights or {}
        self.why_evaluated = ""
        """Why ONNX's evaluator computed the last results; empty if ONNX Runtime did."""

    def run(
        self, inputs: Mapping[str, Array], *, everything: bool = False, literal: bool = False
    ) -> dict[str, Array]:
        """Run the model.

        Args:
            inputs: Input name -> array.
            everything: Whether to return all tensors of the main graph, not only the outputs.
            literal: Whether to run the nodes one by one, without ONNX Runtime's optimizations:
                fused operators round differently, often better.

        Returns:
            Tensor name -> array.

        Raises:
            ExecutionError: The model cannot be run.
        """
        model = _with_all_outputs(self._model) if everything else self._model
        names = [info.name for info in model.graph.output]
        feeds = _typed(model, inputs)
        require("onnxruntime")
        checked: Mapping[str, NodeProto] = {}
        self.why_evaluated = ""
        try:
            safe, checked = without_fatal_divisions(
                _with_every_zero_point(model), lambda model: _types(model, self._weights)
            )
            session = _session(safe, self._weights, literal)
            is_quick = len(model.graph.node) < _FEW and _size(feeds, self._weights) < _SMALL
            results = session.run(None, feeds) if is_quick else _interruptible(session, feeds)
        except ExecutionError:
            raise
        except Exception as error:
            if (node := failed_division(error, checked)) is not None:
                raise division_by_zero(node) from error
            self.why_evaluated = _first_line(error)
            results = self._evaluated(model, feeds, error)
        return dict(zip(names, results, strict=True))

    def remark(self) -> str:
        """Return what must be known of the last run: that ONNX Runtime did not compute it."""
        if not self.why_evaluated:
            return ""
        return (
            "The reference is ONNX's evaluator, since ONNX Runtime does not run the model "
            f"({self.why_evaluated})"
        )

    def _evaluated(
        self, model: ModelProto, feeds: Mapping[str, Array], reason: Exception
    ) -> list[Any]:
        """Return what ONNX's evaluator computes, if ONNX Runtime does not run the model."""
        from onnx.reference import ReferenceEvaluator

        try:
            evaluator = ReferenceEvaluator(
                declared_as_inputs(model, self._weights), new_ops=evaluated_divisions()
            )
            return list(evaluator.run(None, {**self._weights, **feeds}))
        except Exception as error:
            if (node := failed_division(error, {})) is not None:
                raise division_by_zero(node) from error
            raise ExecutionError(
                f"the ONNX model cannot be run: {_first_line(reason)}",
                hint="Pass example inputs that fit the model (inputs=...), or read it without "
                "running it (verify=False).",
            ) from reason


def _size(*groups: Mapping[str, Array]) -> int:
    return sum(array.nbytes for group in groups for array in group.values())


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


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


def _session(
    model: ModelProto, weights: Mapping[str, Array], literal: bool
) -> onnxruntime.InferenceSession:
    """Return a session of ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    if literal or _has_branches(model):
        # The optimizer crashes the process if the condition of a branch is constant.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(a) for a in weights.values()]
    if _size(weights) < _LARGE:
        if values:
            options.add_external_initializers([*weights], values)
    else:
        # The weights are not copied, and not packed or transposed for speed: the model runs once.
        for name, value in zip(weights, values, strict=True):
            options.add_initializer(name, value)
        options.add_session_config_entry("session.disable_prepacking", "1")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _interruptible(session: onnxruntime.InferenceSession, feeds: Mapping[str, Array]) -> list[Any]:
    """Run a session in a thread, so that an interrupt ends it after the current node."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    with ThreadPoolExecutor(1) as thread:
        run = thread.submit(session.run, None, feeds, options)
        try:
            return list(run.result())
        except BaseException:
            options.terminate = True
            raise


def _types(model: ModelProto, weights: Mapping[str, Array]) -> dict[str, int]:
    """Return the types that ONNX Runtime infers for the tensors of the main graph."""
    from onnx import TensorProto

    types = {}
    for output in _session(_with_all_outputs(model), weights, literal=True).get_outputs():
        name = output.type.removeprefix("tensor(").removesuffix(")").upper()
        types[output.name] = TensorProto.DataType.DESCRIPTOR.values_by_name.get(name)
    return {name: value.number for name, value in types.items() if value is not None}


def _has_branches(model: ModelProto) -> bool:
    nodes = model.graph.node
    return any(a.HasField("g") or a.graphs for node in nodes for a in node.attribute)


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
