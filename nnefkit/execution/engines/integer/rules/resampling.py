"""Linear interpolation with weights of 10 bits, as TFLite does it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.integer.fixed_point import divided
from nnefkit.execution.engines.integer.grid import clip
from nnefkit.execution.engines.integer.region import CodedRegion, Compute, NoRule, Tail
from nnefkit.execution.engines.integer.rules.elementwise import requantized
from nnefkit.execution.engines.integer.rules.registry import head
from nnefkit.execution.engines.integer.rules.tables import single_operand

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
