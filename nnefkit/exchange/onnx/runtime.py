"""Running ONNX models themselves, in ONNX Runtime; what it lacks, in ONNX's reference evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.exchange.onnx.model import item_type, require

_MOST_BYTES = 2**31
_QUIET = 4
"""ONNX Runtime's level of messages above which it says nothing."""


def run_model(
    model: Any, inputs: Mapping[str, Array], *, everything: bool = False, literal: bool = False
) -> dict[str, Array]:
    """The outputs of a ModelProto by name, or all the tensors that flow in its main graph.

    Args:
        model: Its inputs have the shapes of those that are given.
        inputs: Input name -> array.
        everything: Whether to give all tensors.
        literal: Whether ONNX Runtime is to take the model node by node, nothing fused. What it
            fuses or lays out anew rounds in another way, often in a better one.

    Raises:
        ExecutionError: the model cannot be run.
    """
    feeds = _typed(model, inputs)
    if everything:
        model = _with_all_outputs(model)
    names = [info.name for info in model.graph.output]
    require("onnxruntime")
    try:
        return dict(zip(names, _in_runtime(model, feeds, literal), strict=True))
    except ExecutionError:
        raise
    except Exception as error:  # noqa: BLE001 - the runtime raises errors of many kinds
        try:
            return dict(zip(names, _in_reference(model, feeds), strict=True))
        except Exception:  # noqa: BLE001
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ExecutionError(
                f"the ONNX model cannot be run: {told}",
                hint="Example inputs that fit the model may help (inputs=...); verify=False reads "
                "it without running it.",
            ) from error


def _typed(model: Any, inputs: Mapping[str, Array]) -> dict[str, Array]:
    found = {}
    for info in model.graph.input:
        if info.name in inputs:
            found[info.name] = np.asarray(inputs[info.name], item_type(info.type))
    return found


def _in_runtime(model: Any, feeds: Mapping[str, Array], literal: bool) -> list[Any]:
    import onnxruntime

    if sum(len(tensor.raw_data) for tensor in model.graph.initializer) >= _MOST_BYTES:
        raise ExecutionError(
            "ONNX Runtime takes models of less than 2 GiB from memory",
            hint="verify=False reads the model without running it.",
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _QUIET
    if literal or _has_branches(model):
        # What optimises branches ends the process where their condition is constant.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, dict(feeds)))


def _has_branches(model: Any) -> bool:
    nodes = model.graph.node
    return any(a.HasField("g") or a.graphs for node in nodes for a in node.attribute)


def _in_reference(model: Any, feeds: Mapping[str, Array]) -> list[Any]:
    from onnx.reference import ReferenceEvaluator

    return list(ReferenceEvaluator(model).run(None, dict(feeds)))


def _with_all_outputs(model: Any) -> Any:
    from onnx import ModelProto, ValueInfoProto

    copy = ModelProto()
    copy.CopyFrom(model)
    known = {info.name for info in copy.graph.output}
    for node in copy.graph.node:
        for name in node.output:
            if name and name not in known:
                copy.graph.output.append(ValueInfoProto(name=name))
                known.add(name)
    return copy
