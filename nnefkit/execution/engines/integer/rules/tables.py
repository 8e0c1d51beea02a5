"""Functions of one tensor, element by element, by tables of all codes or by interpolation.

A function of codes of 8 bits is a table of 256 codes, which is computed in floating point once, as
in TFLite. For some functions of codes of 16 bits, TFLite has tables of 513 entries, between which
it interpolates; the others get a table of all codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from math import prod
from typing import NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.execution.engines.integer.fixed_point import Rounding, whole
from nnefkit.execution.engines.integer.grid import CodeGrid, clip
from nnefkit.execution.engines.integer.region import (
    CodedRegion,
    Compute,
    NoRule,
    Tail,
    evaluated,
    inputs_of,
)
from nnefkit.execution.engines.integer.rules.registry import LAST, head
from nnefkit.graph import Identifier

MAX_TABLE_BITS = 16
Function = Callable[[Array], Array]

_F = np.float32
_ELEMENTWISE = frozenset(
    ("add", "sub", "mul", "div", "pow", "min", "max", "neg", "abs", "exp", "log", "sin", "cos")
).union(
    ("tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "rcp"),
    ("sqr", "sqrt", "rsqr", "rsqrt", "log2", "sign", "floor", "ceil", "round", "relu", "sigmoid"),
    ("elu", "selu", "gelu", "silu", "softabs", "softplus", "leaky_relu", "clamp", "copy"),
)
_INTERPOLATED = frozenset(("exp", "log", "gelu", "gelu_tanh", "rsqrt"))
"""Functions of codes of 16 bits for which TFLite interpolates."""


def exponential(x: Array) -> Array:
    """Return the exponential of float32 numbers, rounded correctly as a C library does."""
    with np.errstate(over="ignore"):
        return np.exp(x.astype(np.float64)).astype(_F)


def sigmoid(x: Array) -> Array:
    """Return the logistic function of float32 numbers, in float32 steps."""
    return np.asarray(_F(1) / (_F(1) + exponential(-x)))


def hyperbolic_tangent(x: Array) -> Array:
    """Return the hyperbolic tangent of float32 numbers."""
    return np.tanh(x.astype(np.float64)).astype(_F)


class CodeTable(NamedTuple):
    """The code of a result for each code."""

    first: int
    """The smallest code."""
    codes: Array
    undefined: Array
    """Whether a function is NaN, for each code; empty if it never is."""

    def looked_up(self, codes: Array) -> Array:
        """Return the codes of results.

        Raises:
            ExecutionError: One is NaN.
        """
        index = codes - self.first
        if self.undefined.size and self.undefined[index].any():
            raise ExecutionError(
                "a result is NaN, which has no code",
                hint="The function is not defined for some of its operands.",
            )
        return np.asarray(self.codes[index])

    def limited(self, low: int, high: int) -> CodeTable:
        """Return the table of an activation after it."""
        return self._replace(codes=clip(self.codes, low, high))


def logarithm(grid: CodeGrid) -> Function:
    """Return the logarithm of float32 numbers; the least of a grid where there is none."""
    least = _F(grid.low - grid.zero) * grid.scale

    def function(x: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(x > 0, np.log(x.astype(np.float64)), least).astype(_F)

    return function


def direct_table(
    function: Function, source: CodeGrid, target: CodeGrid, rounding: Rounding
) -> CodeTable:
    """Return the code of the result for each code of a grid."""
    codes = np.arange(source.low, source.high + 1)
    numbers = (codes - source.zero).astype(_F) * source.scale
    with np.errstate(all="ignore"):
        results = np.asarray(function(numbers), _F)
        steps = whole(results * (_F(1) / target.scale), rounding)
    undefined = np.isnan(steps)
    limited = clip(np.nan_to_num(steps.astype(np.float64)), -(2.0**40), 2.0**40)
    found = target.clipped(limited.astype(np.int64) + target.zero)
    return CodeTable(source.low, found, undefined if undefined.any() else np.zeros(0, np.bool_))


def interpolated_table(
    function: Function, source: tuple[float, int], target: tuple[float, int], dtype: type
) -> Array:
    """Return a table of 513 codes, of steps of 128 codes of 16 bits.

    Each entry is shifted by half of the error that interpolation makes in the middle of its step.

    Args:
        function: The function.
        source: Scale and zero point of its argument.
        target: Those of its result.
        dtype: The dtype that the table is computed in.
    """
    low, high = -(1 << 15), (1 << 15) - 1
    scale, out = dtype(source[0]), dtype(target[0])
    start, end = scale * dtype(low - source[1]), scale * dtype(high - source[1])
    first, last = out * dtype(low - target[1]), out * dtype(high - target[1])
    step = dtype((end - start) / dtype(512))
    inverse = dtype(dtype(1 << 16) / (last - first))
    places = start + np.arange(512).astype(dtype) * step
    following = start + np.arange(1, 513).astype(dtype) * step
    here, middle, there = (
        function(x.astype(dtype)) * inverse for x in (places, places + step / dtype(2), following)
    )
    between = whole((there + whole(here, "tflite")) / dtype(2), "tflite")
    bias = whole((between - whole(middle, "tflite")) / dtype(2), "tflite")
    entries = np.append(
        whole(here, "tflite") - bias, whole(function(np.array([end])) * inverse, "tflite")
    )
    return clip(np.nan_to_num(entries), low, high).astype(np.int64)


def interpolated(codes: Array, table: Array) -> Array:
    """Return what a table of 513 entries has for codes of 16 bits."""
    index = 256 + (codes >> 7)
    slope = table[index + 1] - table[index]
    slope = ((slope + (1 << 15)) & 0xFFFF) - (1 << 15)
    return np.asarray(table[index] + ((slope * (codes & 0x7F) + 64) >> 7))


@cache
def _logistic_table() -> Array:
    """Return the logistic function of multiples of 1/24, in steps of 2 ** -16.

    Each entry is raised by half of the error of interpolation in the middle of its step.
    """
    here, middle, there = (1 / (1 + np.exp(-(np.arange(256) + k) / 24)) for k in (0, 0.5, 1))
    raised = here + (middle - (here + there) / 2) / 2
    table = np.floor(65536 * raised + 0.5).astype(np.int64)
    table[-1] = 65535
    return table


def _wide_argument(codes: Array, scale: np.float32, exponents: tuple[int, ...]) -> Array:
    """Return codes of 16 bits in steps of 1 / (3 * 4096), as TFLite's table wants them."""
    mantissa, exponent = np.frexp(scale)
    shift = 12 + int(exponent) - 1
    if mantissa == 0.5 and shift in exponents:
        return codes * (3 << shift)
    factor, bits = float(np.float64(scale) * 4096.0 * 3.0), 0
    while factor <= 32767.0 / 2.0 and bits <= 30:
        bits += 1
        factor *= 2.0
    nudge = 1 << (bits - 1) if bits else 0
    return np.asarray((codes * int(factor) + nudge) >> bits)


def _wide_sigmoid(codes: Array, scale: np.float32) -> Array:
    """Return the logistic function of codes of 16 bits, in steps of 2 ** -15."""
    x = _wide_argument(codes, scale, (0,))
    table, size = _logistic_table(), np.abs(x)
    index = np.minimum(size >> 9, 254)
    inside = (table[index] << 9) + (size & 0x1FF) * (table[index + 1] - table[index])
    result = np.where(size >> 9 >= 255, 0x7FFF << 10, inside)
    half = np.where(x >= 0, result + (1 << 9), (1 << 25) - result + (1 << 9) - 1)
    return np.asarray(half >> 10)


def _wide_tanh(codes: Array, scale: np.float32) -> Array:
    """Return the hyperbolic tangent of codes of 16 bits, in steps of 2 ** -15."""
    x = _wide_argument(codes, scale, (0, 1))
    table, size = _logistic_table(), np.abs(x)
    index = np.minimum(size >> 8, 254)
    inside = (table[index] << 8) + (size & 0xFF) * (table[index + 1] - table[index])
    result = np.where(size >> 8 >= 255, 0xFFFF << 8, inside)
    moved = np.where(x >= 0, result - (1 << 23) + 128, -result + (1 << 23) + 127)
    return np.asarray(moved >> 8)


@head("sqrt")
def root(region: CodedRegion, tail: Tail) -> Compute:
    """Return square roots, which TFLite rounds toward zero."""
    name, source = single_operand(region)
    if tail.added is not None:
        raise NoRule("It adds to a result of a table in one step.")
    low, high = tail.limits(region.grid)
    scale, rounding = region.grid.scale, region.arithmetic.rounding
    if source.bits > MAX_TABLE_BITS:
        raise NoRule(f"A table of codes of {source.bits} bits is too large.")
    numbers = (np.arange(source.low, source.high + 1) - source.zero).astype(_F) * source.scale
    with np.errstate(invalid="ignore"):
        steps = whole(np.sqrt(numbers) / scale, "truncate" if rounding == "tflite" else rounding)
    codes = clip(np.nan_to_num(steps).astype(np.int64) + region.grid.zero, low, high)
    table = CodeTable(source.low, codes, numbers < 0)
    return lambda values: table.looked_up(values[name])


@head("sigmoid", "tanh")
def squashed(region: CodedRegion, tail: Tail) -> Compute:
    """Return a logistic function or a hyperbolic tangent."""
    name, source = single_operand(region)
    if tail.added is not None:
        raise NoRule("It adds to a result of a table in one step.")
    low, high = tail.limits(region.grid)
    is_sigmoid = region.head.name == "sigmoid"
    symmetric = source.zero == 0 and region.grid.zero == 0 and _are_wide(source, region.grid)
    if symmetric and region.grid.scale == _F(2**-15) and region.arithmetic.rounding == "tflite":
        wide = _wide_sigmoid if is_sigmoid else _wide_tanh
        return lambda values: clip(wide(values[name], source.scale), low, high)
    function = sigmoid if is_sigmoid else hyperbolic_tangent
    table = _table(function, region, source).limited(low, high)
    return lambda values: table.looked_up(values[name])


def _are_wide(*grids: CodeGrid) -> bool:
    """Return whether all codes are signed ones of 16 bits."""
    return all(grid.bits == 16 and grid.low < 0 for grid in grids)


def single_operand(region: CodedRegion) -> tuple[Identifier, CodeGrid]:
    """Return the operand with codes of the head of a region, and its grid.

    Raises:
        NoRule: It has no codes.
    """
    name = next(iter(region.head.inputs.values()))
    if not isinstance(name, Identifier) or name not in region.grids:
        raise NoRule("Its operand has no quantization info.")
    grid = region.grids[name]
    if not grid.is_single:
        raise NoRule(f"Its operand '{name}' has several scales.")
    return name, grid


def _table(function: Function, region: CodedRegion, source: CodeGrid) -> CodeTable:
    if source.bits > MAX_TABLE_BITS:
        raise NoRule(f"A table of codes of {source.bits} bits is too large.")
    return direct_table(function, source, region.grid, region.arithmetic.rounding)


def by_table(region: CodedRegion) -> Compute | None:
    """Return a region that computes each element from one element of one tensor."""
    coded = region.coded
    if len(coded) != 1 or any(op.name not in _ELEMENTWISE for op in region.operations):
        return None
    (name,) = coded
    others = [leaf for leaf in region.leaves if leaf != name]
    tensors = region.graph.tensors
    if any(o not in region.constants or prod(tensors[o].shape or (2,)) != 1 for o in others):
        return None
    if any(
        isinstance(value, str) and not isinstance(value, Identifier)
        for op in region.operations
        for value in inputs_of(op)
    ):
        return None
    source = region.grids[name]
    if not source.is_single:
        raise NoRule(f"Its operand '{name}' has several scales.")
    shape = tensors[name].shape
    if shape is not None and tensors[region.result].shape not in (shape, None):
        return None
    if source.bits > MAX_TABLE_BITS:
        raise NoRule(f"A table of codes of {source.bits} bits is too large.")

    def function(values: Mapping[str, Array], numbers: Array) -> Array:
        known = {
            o: region.grids[o].numbers(values[o]) if o in region.grids else values[o]
            for o in others
        }
        known[name] = numbers
        return evaluated(region.graph, region.operations, known)[region.result]

    kind = _kind(region)
    exact = {"exp": exponential, "log": logarithm(region.grid)}.get(kind)
    is_wide = _are_wide(source, region.grid) and kind in _INTERPOLATED
    entries: list[Array] = []
    tables: list[CodeTable] = []

    def compute(values: Mapping[str, Array]) -> Array:
        call = exact or (lambda numbers: function(values, numbers))
        if is_wide and region.arithmetic.rounding == "tflite":
            if not entries:
                grids = [(float(g.scale), g.zero) for g in (source, region.grid)]
                entries.append(interpolated_table(call, grids[0], grids[1], _F))
            return region.grid.clipped(interpolated(values[name], entries[0]))
        if not tables:
            tables.append(_table(call, region, source))
        return tables[0].looked_up(values[name])

    return compute


def _kind(region: CodedRegion) -> str:
    """Return the name of the operation, or of the fragment that a region is the body of."""
    if len(region.operations) == 1:
        return region.operations[0].name
    scopes = {op.scope[-1:] for op in region.operations}
    (scope,) = scopes if len(scopes) == 1 else ((),)
    return scope[0].partition(":")[0] if scope else ""


LAST.append(by_table)
