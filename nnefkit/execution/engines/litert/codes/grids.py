"""The grids of values: by the quantization info of tensors, and by what moves elements of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import Diagnostic, ExecutionError
from nnefkit.execution.engines.integer.grid import CodeGrid
from nnefkit.execution.engines.litert.builder import BuiltOperator, TfliteValue
from nnefkit.execution.engines.litert.codes.kinds import DATA, LAYERS, MOVING, SAME
from nnefkit.graph import Graph

_WHOLE = 1e-3
"""How far, in steps, 0 may be from a code."""
_SHIFT = 128
_BITS = (8, 16)


class StoredGrid(NamedTuple):
    """A grid of codes of one dtype of TFLite."""

    grid: CodeGrid
    dtype: np.dtype[Any]

    def equals(self, other: StoredGrid) -> bool:
        """Whether the codes of both stand for the same numbers, in the same dtype."""
        return (
            self.dtype == other.dtype
            and np.array_equal(self.grid.step, other.grid.step)
            and np.array_equal(self.grid.point, other.grid.point)
        )

    @property
    def is_signed(self) -> bool:
        """Whether codes are signed."""
        return self.grid.low < 0

    def shifted(self) -> StoredGrid:
        """Return the same numbers with signed codes of 8 bits."""
        grid = self.grid
        signed = grid._replace(
            point=grid.point - _SHIFT, low=grid.low - _SHIFT, high=grid.high - _SHIFT
        )
        return StoredGrid(signed, np.dtype(np.int8))


def line_grid(line: Mapping[str, Any]) -> CodeGrid | None:
    """Return the grid of a line of quantization info; None if it has none with whole codes."""
    grid = CodeGrid.read(line)
    if grid is not None or not {"min", "max", "bits"} <= line.keys():
        return grid
    bits, signed = int(line["bits"]), bool(line.get("signed", False))
    low_number, high_number = (np.asarray(line[key], np.float64) for key in ("min", "max"))
    if low_number.shape != high_number.shape or not (high_number > low_number).all():
        return None
    symmetric = signed and bool(line.get("symmetric", False))
    steps = 2**bits - 1 - int(symmetric)
    low = (-(2 ** (bits - 1)) + int(symmetric)) if signed else 0
    step = (high_number - low_number) / steps
    point = low - low_number / step
    if not (np.abs(point - np.round(point)) < _WHOLE).all():
        return None
    return CodeGrid(
        np.asarray(step, np.float32),
        np.asarray(np.round(point), np.int64),
        low,
        low + steps,
        bits,
    )


def stored_grid(grid: CodeGrid) -> StoredGrid | None:
    """Return how TFLite stores the codes of a grid; None if it has no such type."""
    if grid.low < 0 and grid.bits <= 8:
        return StoredGrid(grid, np.dtype(np.int8))
    if grid.low == 0 and grid.bits == 8:
        return StoredGrid(grid, np.dtype(np.uint8))
    if grid.low < 0 and grid.bits == 16:
        return StoredGrid(grid, np.dtype(np.int16)) if not grid.point.any() else None
    return None


def check_lines(graph: Graph) -> None:
    """Refuse quantization info that TFLite cannot express, all of it at once.

    Raises:
        ExecutionError: A tensor has such info, or none has any.
    """
    problems = []
    lines = {n: t.quantization for n, t in graph.tensors.items() if t.quantization}
    if not lines:
        raise ExecutionError(
            f"graph '{graph.name}' has no quantization info to apply",
            hint="nk.quantize(graph, calibration) finds it; the file graph.quant stores it.",
            section="5.3",
        )
    for name, line in lines.items():
        grid = line_grid(line)
        is_weight = graph.tensors[name].data is not None
        reason = ""
        if grid is None:
            reason = "TFLite has grids with whole codes, of which one stands for 0"
        elif is_weight:
            continue
        elif not grid.is_single:
            reason = "TFLite has one grid for all channels of what is computed"
        elif grid.bits not in _BITS or stored_grid(grid) is None:
            reason = "TFLite has 8 bits, or signed codes of 16 bits with the zero point 0"
        if reason:
            problems.append(
                Diagnostic(
                    "unsupported-operation",
                    f"TFLite cannot express the quantization of '{name}'",
                    hint=f"{reason}.",
                    section="5.3",
                )
            )
    if problems:
        raise ExecutionError(problems)


class ValueGrids:
    """The grids of the values of a lowered graph.

    Args:
        operators: In the order of computation.
        inputs: The inputs of the graph.
        outputs: Its outputs.
    """

    def __init__(
        self,
        operators: Sequence[BuiltOperator],
        inputs: Sequence[TfliteValue],
        outputs: Sequence[TfliteValue],
    ) -> None:
        self._grids: dict[int, StoredGrid] = {}
        values = {id(v): v for op in operators for v in (*op.inputs, *op.outputs)}
        values |= {id(v): v for v in (*inputs, *outputs)}
        for value in values.values():
            grid = line_grid(value.line) if value.line and value.data is None else None
            stored = stored_grid(grid) if grid is not None else None
            if stored is not None:
                self._grids[id(value)] = stored
        if not any(each.is_signed for each in self._grids.values()) and _has_signed_weights(
            operators
        ):
            self._grids = {key: each.shifted() for key, each in self._grids.items()}
        fixed = {id(value) for value in inputs}
        readers = Counter(id(value) for op in operators for value in op.inputs)
        readers.update(id(value) for value in outputs)
        self._spread_back(operators, fixed, readers)
        self._spread(operators)

    def of(self, value: TfliteValue) -> StoredGrid | None:
        """Return the grid of a value that is not constant; None if it is computed as numbers."""
        return self._grids.get(id(value))

    def _spread_back(
        self, operators: Sequence[BuiltOperator], fixed: set[int], readers: Mapping[int, int]
    ) -> None:
        """Give values the grid of what their only reader makes of their elements."""
        for op in reversed(operators):
            if op.kind not in ("RESHAPE", "TRANSPOSE", "COPY"):
                continue
            source, result = op.inputs[0], op.outputs[0]
            grid = self._grids.get(id(result))
            is_free = id(source) not in fixed and readers[id(source)] == 1 and source.is_real
            if grid is not None and is_free and source.data is None:
                self._grids.setdefault(id(source), grid)

    def _spread(self, operators: Sequence[BuiltOperator]) -> None:
        """Give values the grid of the only values that their elements come from."""
        for op in operators:
            if op.kind not in SAME - {"AVERAGE_POOL_2D", "RESIZE_BILINEAR"}:
                continue
            grid = self._grids.get(id(op.inputs[DATA.get(op.kind, 0)]))
            if grid is not None and (op.kind in MOVING or op.kind != "PADV2"):
                for value in op.outputs:
                    self._grids.setdefault(id(value), grid)


def _has_signed_weights(operators: Sequence[BuiltOperator]) -> bool:
    """Return whether layers have weights with signed codes, and none with unsigned ones."""
    grids = [
        line_grid(op.inputs[LAYERS[op.kind][1]].line or {}) for op in operators if op.kind in LAYERS
    ]
    known = [grid for grid in grids if grid is not None]
    return bool(known) and all(grid.low < 0 for grid in known)


def along_axis(grid: CodeGrid, axis: int, rank: int) -> CodeGrid:
    """Return a grid with an element for each channel along one axis of a tensor."""
    if grid.is_single:
        return grid._replace(step=grid.step.reshape(()), point=grid.point.reshape(-1)[0])
    shape = [1] * rank
    shape[axis] = grid.step.size
    return grid._replace(step=grid.step.reshape(shape), point=grid.point.reshape(shape))


def codes_of(data: Array, stored: StoredGrid) -> Array:
    """Return the codes of constant numbers in the dtype in which they are stored."""
    from nnefkit.execution.engines.integer.grid import stored_codes

    codes = np.asarray(stored_codes(data, stored.grid), stored.dtype)
    return np.ascontiguousarray(codes).reshape(data.shape)
