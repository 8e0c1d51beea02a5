"""What people try with a graph, and what to call instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arguments import wrong_type
from nnefkit.display.numbers import plural
from nnefkit.errors import InputError
from nnefkit.graph.operation import Operation

OTHER_CALLS = {
    "save": "nnefkit.save(graph, path)",
    "write": "nnefkit.save(graph, path)",
    "dump": "nnefkit.save(graph, path)",
    "export": "nnefkit.save(graph, path), nnefkit.to_onnx(graph, path)",
    "load": "nnefkit.load(path)",
    "run": "nnefkit.run(graph, inputs)",
    "forward": "nnefkit.run(graph, inputs)",
    "predict": "nnefkit.run(graph, inputs)",
    "infer": "nnefkit.run(graph, inputs), nnefkit.infer_shapes(graph)",
    "trace": "nnefkit.trace(graph, inputs)",
    "step": "nnefkit.step(graph, inputs)",
    "session": "nnefkit.Session(graph)",
    "validate": "nnefkit.validate(graph)",
    "check": "nnefkit.validate(graph)",
    "compare": "nnefkit.compare(nnefkit.trace(graph, inputs), other)",
    "blame": "nnefkit.blame(graph, inputs, ...)",
    "quantize": "nnefkit.quantize(graph, calibration)",
    "infer_shapes": "nnefkit.infer_shapes(graph)",
    "lower": "nnefkit.lower(graph)",
    "to_text": "nnefkit.to_text(graph), str(graph)",
    "text": "str(graph)",
    "to_onnx": "nnefkit.to_onnx(graph, path)",
    "to_tflite": "nnefkit.to_tflite(graph, path)",
    "to_torch": "nnefkit.to_torch(graph)",
    "plot": "nnefkit.view(graph), or a function of nnefkit.plot",
    "draw": "nnefkit.view(graph), or the name of the graph as last line of a cell",
    "show": "nnefkit.view(graph), or the name of the graph as last line of a cell",
    "view": "nnefkit.view(graph)",
    "summary": "print(repr(graph)), graph.to_frame()",
    "nodes": "graph.operations",
    "ops": "graph.operations",
    "layers": "graph.computations",
    "parameters": "graph.variables",
    "params": "graph.variables",
    "weights": "graph.variables",
    "state_dict": "{variable.label: variable.data for variable in graph.variables}",
    "input": "graph.inputs",
    "output": "graph.outputs",
    "shapes": "{name: tensor.shape for name, tensor in graph.tensors.items()}",
    "shape": "graph.tensors[name].shape",
}
"""What is often looked for in a graph -> the call or attribute that does it."""


def operation_at(operations: Sequence[Operation], key: Any) -> Any:
    """Return the operation at a position, or a tuple of those in a slice.

    Raises:
        InputError: There is none, or `key` is neither a position nor a slice.
    """
    if isinstance(key, np.integer):
        key = int(key)
    if not isinstance(key, int | slice):
        raise wrong_type("key", "the name of a tensor, or the position of an operation", key)
    try:
        return operations[key]
    except IndexError:
        raise InputError(
            f"there is no operation {key}: the graph has {plural(len(operations), 'operation')}"
        ) from None
