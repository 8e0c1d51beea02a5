"""The codes of the tensors of a run: the whole numbers that stand for them by quantization info."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.graph import Graph, Identifier
from nnefkit.operations.broadcasting import align
from nnefkit.operations.quantization_grid import ALGORITHM, QuantizationGrid


def code_grid(graph: Graph, name: str) -> QuantizationGrid | None:
    """Return the grid of a tensor, None if it has none.

    It is in the quantization info of the tensor, or in the operation that rounds it.
    """
    tensor = graph.tensors.get(name)
    line: Mapping[str, Any] | None = None if tensor is None else tensor.quantization
    producer = graph.producers.get(name)
    if not line and producer is not None and producer.name == ALGORITHM:
        inputs = {key: _value(graph, value) for key, value in [*producer.inputs.items()][1:]}
        line = {"op-name": ALGORITHM, **inputs, **producer.attribs}
    return QuantizationGrid.read(line) if line else None


def _value(graph: Graph, value: Any) -> Any:
    return graph.tensors[value].data if isinstance(value, Identifier) else value


def codes_of(grid: QuantizationGrid, values: Array) -> Array:
    """Return the codes of numbers that are on a grid, in the smallest dtype that has all codes.

    NaN has the code of 0.
    """
    numbers, scale, point = align(
        np.asarray(values, np.float64), grid.scale.astype(np.float32), grid.zero_point
    )
    steps = np.rint(np.nan_to_num(numbers / scale.astype(np.float64)))
    low, high = grid.codes
    codes = np.clip(np.clip(steps, -(2.0**62), 2.0**62).astype(np.int64) + point, low, high)
    bits = next(width for width in (8, 16, 32, 64) if grid.bits <= width)
    return np.asarray(codes, f"{'i' if grid.signed else 'u'}{bits // 8}")
