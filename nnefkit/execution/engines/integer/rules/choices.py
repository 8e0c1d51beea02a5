"""Regions that move elements or choose among them: their results are codes of their operands.

Their kernels compute with the codes without the zero point, which has the order of the numbers, and
in which 0 is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.integer.grid import CodeGrid
from nnefkit.execution.engines.integer.region import (
    MOVING,
    CodedRegion,
    Compute,
    NoRule,
    evaluated,
)
from nnefkit.execution.engines.integer.rules.elementwise import requantized
from nnefkit.execution.engines.integer.rules.registry import LAST
from nnefkit.graph import FrozenDict, Operation

CHOOSING = MOVING.union(
    ("max", "min", "select", "relu", "clamp", "max_pool", "max_reduce", "min_reduce"),
    ("nearest_upsample", "nearest_downsample", "update"),
)


def chosen(region: CodedRegion) -> Compute | None:
    """Return a region of moves and choices."""
    if any(op.name not in CHOOSING for op in region.operations):
        return None
    for name in region.leaves:
        grid = region.grids.get(name)
        if grid is not None and not grid.is_single:
            raise NoRule(f"Its operand '{name}' has several scales.")
        is_number = region.graph.tensors[name].dtype == "scalar"
        if grid is None and is_number and name not in region.constants:
            raise NoRule(f"Its operand '{name}' has no quantization info.")
    grid = region.grid
    operations = [_with_codes(op, grid) for op in region.operations]

    def compute(values: Mapping[str, Array]) -> Array:
        known = {name: _operand(region, name, values[name]) for name in region.leaves}
        results = evaluated(region.graph, operations, known, np.float64)
        return grid.clipped(results[region.result].astype(np.int64) + grid.zero)

    return compute


LAST.append(chosen)


def _operand(region: CodedRegion, name: str, array: Array) -> Array:
    """Return an operand as its kernel takes it: codes of the result's grid, without its zero."""
    if region.graph.tensors[name].dtype != "scalar":
        return array
    grid = region.grids.get(name)
    codes = region.grid.codes(array) if grid is None else requantized(region, grid, array)
    return np.asarray((codes - region.grid.zero).astype(np.float64))


def _with_codes(op: Operation, grid: CodeGrid) -> Operation:
    """Return an operation with its numbers as codes."""

    def code(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(code(item) for item in value)
        if isinstance(value, (bool, str)):
            return value
        return float(int(grid.codes(np.asarray(value, np.float32)).reshape(-1)[0]) - grid.zero)

    inputs = FrozenDict({name: code(value) for name, value in op.inputs.items()})
    attribs = dict(op.attribs)
    if op.name == "pad" and attribs.get("border") == "constant":
        attribs["value"] = code(float(attribs["value"]))
    return replace(op, inputs=inputs, attribs=FrozenDict(attribs))
