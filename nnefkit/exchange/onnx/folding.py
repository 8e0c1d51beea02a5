"""Nodes that depend on nothing but constants, computed while the model is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array

RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform"}
    | {"RandomUniformLike"}
)
"""Operators that give something else every time."""


MOST = 2**28
"""Items of a tensor that is made from a few numbers; more would be an attack, not a network."""


def _volume(node: Any, inputs: Sequence[Array | None]) -> float:
    """How many items a node makes whose output is much larger than its inputs."""
    found = [array for array in inputs if array is not None]
    if not found:
        return 0.0
    numbers = found[-1].astype(np.float64).reshape(-1) if found[-1].dtype.kind in "iuf" else None
    if numbers is None or not numbers.size:
        return 0.0
    if node.op_type in ("Expand", "ConstantOfShape"):
        return float(np.prod(np.abs(numbers)))
    if node.op_type == "Tile":
        return float(found[0].size * np.prod(np.abs(numbers)))
    if node.op_type == "Range" and len(found) == 3 and numbers[0]:
        start, limit = (float(array.reshape(-1)[0]) for array in found[:2])
        return abs(limit - start) / abs(float(numbers[0]))
    if node.op_type == "OneHot" and len(found) == 3:
        return float(found[0].size) * abs(float(found[1].reshape(-1)[0]))
    if node.op_type == "Pad" and len(found) > 1:
        ends = found[1].astype(np.float64).reshape(2, -1).sum(0)
        return float(np.prod(np.abs(ends) + np.array(found[0].shape[-len(ends) :] or [1])))
    return 0.0


def fold(node: Any, inputs: Mapping[str, Array], opsets: Sequence[Any]) -> list[Array] | None:
    """The outputs of a node whose inputs are known; None if it cannot be computed by itself."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    if node.op_type in RANDOM:
        return None
    if _volume(node, [inputs.get(name) for name in node.input]) > MOST:
        raise MemoryError
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
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever stops the evaluator, the node is read otherwise
        return None
    arrays = dict(zip(wanted, found, strict=True))
    if not all(isinstance(array, (np.ndarray, np.generic)) for array in found):
        return None
    return [np.asarray(arrays[name]) if name else np.zeros(0) for name in node.output]
