"""Nodes that depend on nothing but constants, computed while the model is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform"}
    | {"RandomUniformLike"}
)
"""Operators that give something else every time."""


def fold(node: Any, inputs: Mapping[str, Array], opsets: Sequence[Any]) -> list[Array] | None:
    """The outputs of a node whose inputs are known; None if it cannot be computed by itself."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    if node.op_type in RANDOM:
        return None
    given = [name for name in dict.fromkeys(node.input) if name]
    types = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(inputs[name].dtype), inputs[name].shape
        )
        for name in given
    ]
    wanted = [name for name in node.output if name]
    outputs = [helper.make_empty_tensor_value_info(name) for name in wanted]
    graph = helper.make_graph([node], "folded", types, outputs)
    try:
        model = helper.make_model(graph, opset_imports=opsets)
        found = ReferenceEvaluator(model).run(None, {name: inputs[name] for name in given})
    except Exception:  # noqa: BLE001 - whatever stops the evaluator, the node is read otherwise
        return None
    arrays = dict(zip(wanted, found, strict=True))
    if not all(isinstance(array, (np.ndarray, np.generic)) for array in found):
        return None
    return [np.asarray(arrays[name]) if name else np.zeros(0) for name in node.output]
