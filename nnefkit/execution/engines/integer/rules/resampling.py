"""Linear interpolation with weights of 10 bits, as TFLite does it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.integer.fixed_point import divided
from nnefkit.execution.engines.integer.grid import clip
from nnefkit.execution.engines.integer.region import (
    CodedRegion,
    Compute,
    NoRule,
    Tail,
    tail_of,
)
from nnefkit.execution.engines.integer.rules.elementwise import requantized
from nnefkit.execution.engines.integer.rules.registry import WHOLE, head
from nnefkit.execution.engines.integer.rules.tables import single_operand
from nnefkit.graph import Operation

_ONE = 1 << 10


@head("multilinear_upsample")
def upsampled(region: CodedRegion, tail: Tail) -> Compute:
    """Return an image whose extents are multiplied."""
    name, source = single_operand(region)
    attribs = region.head.attribs
    factor, method = tuple(attribs["factor"]), str(attribs["method"])
    if len(factor) > 2:
        raise NoRule("It interpolates along more than two axes.")
    if method != "aligned" and attribs["border"] != "replicate":
        raise NoRule(f"Its border is '{attribs['border']}'; there is a rule for 'replicate'.")
    if tail.added is not None:
        raise NoRule("It adds to an interpolated tensor in one step.")
    low, high = tail.limits(region.grid)

    def compute(values: Mapping[str, Array]) -> Array:
        codes = values[name]
        sizes = [extent * by for extent, by in zip(codes.shape[2:], factor, strict=True)]
        rounding = region.arithmetic.rounding
        result = interpolated(codes, dict(enumerate(sizes, 2)), method)
        one = "half_away" if rounding == "tflite" else rounding
        bits = np.asarray(10 * len(sizes))
        rounded = divided(result, np.asarray(1), bits, one)
        return clip(requantized(region, source, rounded), low, high)

    return compute


METHODS = ("symmetric", "asymmetric", "aligned")


def resized(region: CodedRegion) -> Compute | None:
    """Return an image resized by matrices of weights, of which each is that of a linear method."""
    products = [op for op in region.operations if op.name == "matmul"]
    if not products or products != [*region.operations[: len(products)]]:
        return None
    source = region.coded
    if len(source) != 1 or not region.grids[source[0]].is_single:
        return None
    found = [_weights(region, op) for op in products]
    if any(each is None for each in found):
        return None
    known = [each for each in found if each is not None]
    last = region.part(region.operations[len(products) - 1 :])
    tail = tail_of(last)
    if tail is None or tail.added is not None or any(op.name == "pad" for op in tail.early):
        return None
    (name,), grid, rounding = source, region.grids[source[0]], region.arithmetic.rounding
    one = "half_away" if rounding == "tflite" else rounding
    moves = tail._replace(moves=(*tail.early, *tail.moves))

    def compute(values: Mapping[str, Array]) -> Array:
        codes = values[name]
        for from_end, size, method in known:
            codes = interpolated(codes, {codes.ndim - from_end: size}, method)
        rounded = divided(codes, np.asarray(1), np.asarray(10 * len(known)), one)
        result = clip(requantized(region, grid, rounded), *tail.limits(region.grid))
        return moves.moved(region.graph, result)

    return compute


WHOLE.append(resized)


def _weights(region: CodedRegion, op: Operation) -> tuple[int, int, str] | None:
    """Return the axis that a matrix resizes, from the end, the new extent, and the method."""
    a, b = op.inputs["A"], op.inputs["B"]
    is_first = a in region.constants and a not in region.grids
    matrix = a if is_first else b
    data = region.graph.tensors[str(matrix)].data if matrix in region.constants else None
    if matrix in region.grids or data is None or data.size != data.shape[-1] * data.shape[-2]:
        return None
    weights = data.reshape(data.shape[-2:])
    if is_first != bool(op.attribs["transposeA"]):
        weights = weights.T
    if op.attribs["transposeB"]:
        return None
    extent, size = weights.shape
    for method in METHODS:
        if np.allclose(weights, _matrix(extent, size, method), rtol=0, atol=1e-5):
            return (2 if is_first else 1), size, method
    return None


def _matrix(extent: int, size: int, method: str) -> Array:
    """Return the weights of a linear method in floating point."""
    scale = extent / size
    if method == "aligned" and size > 1:
        scale = (extent - 1) / (size - 1)
    shift = 0.5 if method == "symmetric" else 0.0
    places = (np.arange(size) + shift) * scale - shift
    low = np.clip(np.floor(places), 0, extent - 1).astype(np.int64)
    high = np.clip(np.ceil(places), 0, extent - 1).astype(np.int64)
    share = np.clip(places - low, 0, 1)
    weights = np.zeros((extent, size))
    columns = np.arange(size)
    np.add.at(weights, (low, columns), 1 - share)
    np.add.at(weights, (high, columns), share)
    return weights


def interpolated(codes: Array, sizes: Mapping[int, int], method: str) -> Array:
    """Return codes interpolated along axes, times 2 ** 10 for each of them.

    Args:
        codes: int64.
        sizes: Axis -> its new extent.
        method: ``"symmetric"``, ``"asymmetric"`` or ``"aligned"``.
    """
    for axis, size in sizes.items():
        low, high, share = _places(codes.shape[axis], size, method)
        shape = [-1 if n == axis else 1 for n in range(codes.ndim)]
        weight = share.reshape(shape)
        codes = codes.take(low, axis) * (_ONE - weight) + codes.take(high, axis) * weight
    return codes


def _places(extent: int, size: int, method: str) -> tuple[Array, Array, Array]:
    """Return the two old elements for each new one, and the weight of the second."""
    step = (_ONE * extent + size // 2) // size
    if method == "aligned" and size > 1:
        step = (_ONE * (extent - 1) + (size - 1) // 2) // (size - 1)
    place = np.arange(size) * step
    if method == "symmetric":
        place = place + step // 2 - _ONE // 2
    low = np.maximum(np.where(place >= 0, place // _ONE, 0), 0)
    high = np.minimum(np.maximum((place + _ONE - 1) // _ONE, 0), extent - 1)
    return low, high, place - _ONE * low
