"""Operators on codes in the place of operators on numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.execution.engines.integer.grid import CodeGrid, literal_grid
from nnefkit.execution.engines.litert.builder import BuiltOperator, TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.codes.grids import (
    StoredGrid,
    ValueGrids,
    along_axis,
    codes_of,
    line_grid,
    stored_grid,
)
from nnefkit.execution.engines.litert.codes.kinds import (
    BIAS,
    COMPARISONS,
    DATA,
    FIXED,
    JOINING,
    LAYERS,
    RESCALING,
    SAME,
    TABLES,
    has_kernel,
)
from nnefkit.execution.engines.litert.codes.states import State

_MANY = 64
"""Number of elements above which weights are stored as codes even if numbers are computed with."""


class CodedOperators:
    """Replaces operators of a lowered graph.

    Args:
        operators: In the order of computation.
        inputs: The inputs of the graph.
        outputs: Its outputs.
        states: Its states; they get the values that are read in the place of theirs.
    """

    def __init__(
        self,
        operators: Sequence[BuiltOperator],
        inputs: Sequence[TfliteValue],
        outputs: Sequence[TfliteValue],
        states: Sequence[State] = (),
    ) -> None:
        self._b = TfliteBuilder()
        fed = [*inputs, *(state.value for state in states)]
        read = [*outputs, *(state.result for state in states)]
        self._grids = ValueGrids(operators, fed, read)
        self._coded: dict[int, TfliteValue] = {}
        self._real: dict[int, TfliteValue] = {}
        self._recoded: dict[tuple[int, Any], TfliteValue] = {}
        self._kept: list[TfliteValue] = []
        """Values whose ids are keys."""
        for value in fed:
            grid = self._grids.of(value)
            if grid is None:
                self._real[id(value)] = value
            else:
                self._coded[id(value)] = self._new(value, grid)
        for op in operators:
            self._replace(op)
        self.inputs = [self._border(value) for value in inputs]
        self.outputs = [self._output(value) for value in outputs]
        self.new_states = [self._new_state(state) for state in states]
        for state in states:
            state.value = self._border(state.value)
        self.operators = self._b.operators

    # -- values -----------------------------------------------------------------------------------

    def _new(self, value: TfliteValue, stored: StoredGrid, suffix: str = "") -> TfliteValue:
        """Return a new value for codes."""
        result = TfliteValue(value.shape, stored.dtype, f"{value.name}{suffix}")
        result.grid = stored.grid
        return result

    def _border(self, value: TfliteValue) -> TfliteValue:
        return self._coded.get(id(value)) or self._real[id(value)]

    def _new_state(self, state: State) -> TfliteValue:
        """Return the new value of a state, of the grid that the state has."""
        grid = self._grids.of(state.value)
        if grid is None:
            return self.real(state.result)
        coded = self.codes(state.result, grid)
        if coded is not None:
            return coded
        coded = self._b.op("QUANTIZE", [self.real(state.result)], state.value.shape, grid.dtype)
        coded.grid = grid.grid
        return self._named(coded, state.result, ".codes")

    def _output(self, value: TfliteValue) -> TfliteValue:
        """Return an output: codes only if the quantization info is its own."""
        if value.line and id(value) in self._coded:
            return self._coded[id(value)]
        real = self.real(value)
        if id(value) in self._coded:
            self._coded[id(value)].name, real.name = f"{value.name}.codes", value.name
        return real

    def real(self, value: TfliteValue) -> TfliteValue:
        """Return a value as numbers."""
        if not value.is_real:
            return self._real.get(id(value), value)
        if id(value) not in self._real:
            self._kept.append(value)
            self._real[id(value)] = self._as_numbers(value)
        return self._real[id(value)]

    def _as_numbers(self, value: TfliteValue) -> TfliteValue:
        coded = self._coded.get(id(value))
        if value.data is not None:
            grid = line_grid(value.line) if value.line else None
            if grid is None or grid.bits > 16:
                return value
            axis = self._axis(value, grid)
            stored = None if axis is None else stored_grid(along_axis(grid, axis, value.rank))
            if stored is None:
                return value
            coded = self._constant(value, stored, axis)
            if value.data.size <= _MANY:
                numbers = stored.grid.numbers(np.asarray(coded.data, np.int64))
                return self._named(TfliteValue(value.shape, value.dtype, "", numbers), value, "")
        assert coded is not None  # noqa: S101 - all values are computed before they are read
        result = self._b.op("DEQUANTIZE", [coded], value.shape, np.float32)
        return self._named(result, value, ".number")

    @staticmethod
    def _axis(value: TfliteValue, grid: CodeGrid) -> int | None:
        """Return the axis of a constant along which its grids are; None if it is not known."""
        if grid.is_single:
            return 0
        fitting = [axis for axis, extent in enumerate(value.shape) if extent == grid.step.size]
        return fitting[0] if len(fitting) == 1 else None

    @staticmethod
    def _named(result: TfliteValue, value: TfliteValue, suffix: str) -> TfliteValue:
        result.name = f"{value.name}{suffix}" if value.name else ""
        return result

    def _constant(
        self, value: TfliteValue, stored: StoredGrid, axis: int | None = None
    ) -> TfliteValue:
        """Return the codes of a constant."""
        assert value.data is not None  # noqa: S101 - it is constant
        result = TfliteValue(value.shape, stored.dtype, "", codes_of(value.data, stored))
        result.grid, result.axis = stored.grid, axis or 0
        return self._named(result, value, "")

    def codes(self, value: TfliteValue, wanted: StoredGrid | None = None) -> TfliteValue | None:
        """Return a value as codes, of a grid if one is wanted; None if it has no grid."""
        if value.data is not None:
            return self._constant_codes(value, wanted)
        coded, own = self._coded.get(id(value)), self._grids.of(value)
        if coded is None or own is None:
            return None
        if wanted is None or own.equals(wanted):
            return coded
        key = id(coded), (wanted.dtype, wanted.grid.scale.tobytes(), wanted.grid.zero)
        if key not in self._recoded:
            result = self._b.op("QUANTIZE", [coded], value.shape, wanted.dtype)
            result.grid = wanted.grid
            self._recoded[key] = self._named(result, value, f".codes{len(self._recoded) + 1}")
        return self._recoded[key]

    def _constant_codes(self, value: TfliteValue, wanted: StoredGrid | None) -> TfliteValue | None:
        if value.data is None or wanted is None:
            return None
        return self._constant(value, wanted)

    def _operand(self, value: TfliteValue, dtype: np.dtype[Any]) -> TfliteValue | None:
        """Return an operand as codes of a dtype, of any grid; None if it has none."""
        if value.data is None:
            coded = self.codes(value)
            return coded if coded is not None and coded.dtype == dtype else None
        grid = line_grid(value.line) if value.line else None
        stored = stored_grid(grid) if grid is not None and grid.is_single else None
        if stored is not None and stored.dtype == np.uint8 and dtype == np.int8:
            stored = stored.shifted()
        if stored is None and value.data.size == 1 and np.isfinite(value.data).all():
            bits = 8 * dtype.itemsize
            signed, _ = literal_grid(float(value.data.reshape(-1)[0]), bits)
            if dtype == np.uint8:
                signed = signed._replace(point=signed.point + 128, low=0, high=255)
            stored = StoredGrid(signed, dtype)
        return None if stored is None or stored.dtype != dtype else self._constant(value, stored)

    # -- operators --------------------------------------------------------------------------------

    def _replace(self, op: BuiltOperator) -> None:
        rule = self._rule(op.kind)
        mark = len(self._b.operators)
        if rule is not None and rule(op):
            return
        del self._b.operators[mark:]
        self._on_numbers(op)

    def _rule(self, kind: str) -> Callable[[BuiltOperator], bool] | None:
        if kind == "COPY":
            return self._copy
        if kind in LAYERS:
            return self._layer
        if kind in SAME:
            return self._same
        if kind in JOINING:
            return self._joined
        if kind in RESCALING | TABLES or kind in FIXED:
            return self._rescaled
        return self._compared if kind in COMPARISONS else None

    def _on_numbers(self, op: BuiltOperator) -> None:
        """Add an operator that computes numbers, and round them to codes where they have grids."""
        inputs = [self.real(value) for value in op.inputs]
        operator = BuiltOperator(op.kind, inputs, list(op.outputs), op.options)
        self._b.operators.append(operator)
        for number, value in enumerate(op.outputs):
            stored = self._grids.of(value)
            if stored is None:
                self._real[id(value)] = value
                self._kept.append(value)
                continue
            numbers = TfliteValue(value.shape, value.dtype, f"{value.name}.unquantized")
            operator.outputs[number] = numbers
            coded = self._b.op("QUANTIZE", [numbers], value.shape, stored.dtype)
            coded.grid = stored.grid
            self._store(value, coded)

    def _store(self, value: TfliteValue, coded: TfliteValue) -> None:
        self._kept.append(value)
        self._coded[id(value)] = self._named(coded, value, "")

    def _emit(
        self,
        op: BuiltOperator,
        inputs: Mapping[int, TfliteValue],
        grids: Sequence[StoredGrid | None],
    ) -> bool:
        """Add an operator on codes; other inputs than those given are parameters."""
        read = [inputs.get(number, value) for number, value in enumerate(op.inputs)]
        outputs = [
            value if stored is None else self._new(value, stored)
            for value, stored in zip(op.outputs, grids, strict=True)
        ]
        self._b.operators.append(BuiltOperator(op.kind, read, outputs, op.options))
        for value, made, stored in zip(op.outputs, outputs, grids, strict=True):
            wanted = self._grids.of(value)
            if stored is None:
                continue
            if wanted is not None and not wanted.equals(stored):
                made.name = f"{value.name}.codes"
                made = self._b.op("QUANTIZE", [made], value.shape, wanted.dtype)
                made.grid = wanted.grid
            self._store(value, made)
        return True

    def _copy(self, op: BuiltOperator) -> bool:
        """Add what changes the grid of a value, or nothing."""
        source, result = op.inputs[0], op.outputs[0]
        wanted = self._grids.of(result)
        if wanted is None:
            numbers = self.real(source)
            self._real[id(result)] = numbers
            self._kept.append(result)
            return True
        coded = self.codes(source, wanted)
        if coded is None:
            numbers = self.real(source)
            coded = self._b.op("QUANTIZE", [numbers], result.shape, wanted.dtype)
            coded.grid = wanted.grid
            self._named(coded, result, "")
        self._kept.append(result)
        self._coded[id(result)] = coded
        return True

    def _same(self, op: BuiltOperator) -> bool:
        place = DATA.get(op.kind, 0)
        source = op.inputs[place]
        own = self._grids.of(source)
        if own is None or not has_kernel(op.kind, own.dtype):
            return False
        if any(self._grids.of(value) is None for value in op.outputs):
            return False
        coded = self.codes(source)
        inputs = {place: coded} if coded is not None else {}
        if op.kind == "PADV2":
            fill = self._constant_codes(op.inputs[2], own)
            if fill is None:
                return False
            inputs[2] = fill
        return self._emit(op, inputs, [own] * len(op.outputs))

    def _joined(self, op: BuiltOperator) -> bool:
        wanted = self._grids.of(op.outputs[0])
        if wanted is None or not has_kernel(op.kind, wanted.dtype):
            return False
        inputs = {}
        for number, value in enumerate(op.inputs):
            if value.is_real:
                coded = self.codes(value, wanted)
                if coded is None:
                    return False
                inputs[number] = coded
        return self._emit(op, inputs, [wanted])

    def _rescaled(self, op: BuiltOperator) -> bool:
        wanted = self._grids.of(op.outputs[0])
        if wanted is None or not has_kernel(op.kind, wanted.dtype):
            return False
        fixed = FIXED.get(op.kind)
        if fixed is not None:
            pair = fixed.get(wanted.dtype.name)
            if pair != (float(wanted.grid.scale), wanted.grid.zero):
                return False
        if op.kind in TABLES and wanted.dtype != np.int8:
            return False
        inputs = {}
        for number, value in enumerate(op.inputs):
            if value.is_real:
                coded = self._operand(value, wanted.dtype)
                if coded is None:
                    return False
                inputs[number] = coded
        return self._emit(op, inputs, [wanted])

    def _compared(self, op: BuiltOperator) -> bool:
        places = [number for number, value in enumerate(op.inputs) if value.is_real]
        grids = [self._grids.of(op.inputs[number]) for number in places]
        first = next((grid for grid in grids if grid is not None), None)
        if first is None or not has_kernel(op.kind, first.dtype) or first.dtype == np.int16:
            return False
        inputs = {}
        for number in places:
            coded = self._operand(op.inputs[number], first.dtype)
            if coded is None:
                return False
            inputs[number] = coded
        for value in op.outputs:
            self._real[id(value)] = value
        return self._emit(op, inputs, [None] * len(op.outputs))

    # -- layers -----------------------------------------------------------------------------------

    def _layer(self, op: BuiltOperator) -> bool:
        x, weights, axis = LAYERS[op.kind]
        own, wanted = self._grids.of(op.inputs[x]), self._grids.of(op.outputs[0])
        given = op.inputs[weights]
        grid = line_grid(given.line) if given.line else None
        if own is None or wanted is None or grid is None or own.dtype != wanted.dtype:
            return False
        if given.data is None or grid.bits > 8:
            return False
        stored = stored_grid(along_axis(grid, axis, given.rank))
        is_unsigned = own.dtype == np.uint8
        if stored is None or (stored.dtype == np.uint8) != is_unsigned:
            return False
        if not is_unsigned and stored.grid.point.any():
            return False
        coded = self.codes(op.inputs[x])
        if coded is None:
            return False
        inputs = {x: coded, weights: self._constant(given, stored, axis)}
        place = BIAS[op.kind]
        if len(op.inputs) > place:
            bias = self._bias(op.inputs[place], own, stored)
            if bias is None:
                return False
            inputs[place] = bias
        return self._emit(op, inputs, [wanted])

    def _bias(self, value: TfliteValue, own: StoredGrid, weights: StoredGrid) -> TfliteValue | None:
        """Return a bias in steps of the products of input and weights."""
        if value.data is None:
            return None
        step = (own.grid.scale * weights.grid.step.reshape(-1)).astype(np.float32)
        wide = own.dtype == np.int16
        limits = np.iinfo(np.int64 if wide else np.int32)
        numbers = np.round(value.data.astype(np.float64) / step.astype(np.float64))
        if np.abs(numbers).max(initial=0) > limits.max:
            return None
        result = TfliteValue(value.shape, np.dtype(limits.dtype), "", numbers.astype(limits.dtype))
        zeros = np.zeros(step.shape, np.int64)
        result.grid = CodeGrid(step, zeros, limits.min, limits.max, limits.bits)
        return self._named(result, value, "")
