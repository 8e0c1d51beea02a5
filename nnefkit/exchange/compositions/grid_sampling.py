"""Images sampled at the positions of a grid: gathered neighbors, and their weights (4.3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.compositions.elementwise import rounded
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import EXACT, reshaped, to_dtype, to_scalar, transposed
from nnefkit.exchange.source_value import Value

_CUBIC = -0.75


@dataclass(frozen=True)
class Sampling:
    """How elements are sampled at positions."""

    mode: str
    """nearest, linear or cubic."""
    border: str
    """What is beyond the image: zeros, border (the nearest element) or reflection."""
    align_corners: bool
    """Whether -1 and 1 are the centers of the outer elements, not their outer edges."""
    rounds_first: bool = False
    """Whether the nearest element is found before the reflection, as in ONNX, not after it, as in
    PyTorch: halves between two elements are rounded to even ones."""


def grid_sample(c: OperatorCall, x: Value, grid: Value, sampling: Sampling) -> Value:
    """Return an image sampled at positions.

    Args:
        c: The call of the operator.
        x: An image of shape [N, C, ...spatial].
        grid: Positions of shape [N, ...new spatial, axes], from -1 to 1 inside the image; the
            last spatial axis comes first.
        sampling: How elements are sampled at positions.
    """
    x, extents = to_scalar(c, x), x.shape[2:]
    if prod(extents) * x.shape[0] > EXACT:
        refuse(
            f"it selects from {prod(extents) * x.shape[0]:,} elements",
            f"At most {EXACT:,} are supported: use a smaller batch.",
        )
    if sampling.mode == "cubic" and len(extents) != 2:
        refuse("its cubic interpolation is not over two axes", c.invalid_hint)
    with c.graph.scope("grid_sample"):
        columns = [
            reshaped(c, column, (x.shape[0], prod(grid.shape[1:-1])))
            for column in c.ops("unstack", grid, axis=grid.rank - 1)[::-1]
        ]
        taps = [
            _taps(c, column, extent, sampling)
            for column, extent in zip(columns, extents, strict=True)
        ]
        total: Value | None = None
        for corner in product(*taps):
            part = _corner(c, x, corner)
            total = part if total is None else c.op("add", total, part)
        assert total is not None  # noqa: S101 - there is a corner
        result = transposed(c, total, [0, 2, 1])
        return reshaped(c, result, (*x.shape[:2], *grid.shape[1:-1]))


@dataclass(frozen=True)
class _Tap:
    """A neighbor of each position along an axis, all of shape [N, P]."""

    index: Value
    """The index of the element, as scalars."""
    weight: Value | None
    """Its weight; None for 1."""
    is_inside: Value | None
    """Whether it is inside the image; None if it always is."""


def _taps(c: OperatorCall, position: Value, extent: int, sampling: Sampling) -> list[_Tap]:
    """Return the neighbors of positions along an axis."""
    if sampling.align_corners:
        place = c.op("mul", c.op("add", position, 1.0), (extent - 1) / 2)
    else:
        place = c.op("mul", c.op("add", position, 1.0), float(extent))
        place = c.op("mul", c.op("sub", place, 1.0), 0.5)
    if sampling.mode == "nearest" and sampling.rounds_first:
        place = rounded(c, place)
    if sampling.mode != "cubic":
        place = _bounded(c, place, extent, sampling)
    if sampling.mode == "nearest":
        place = place if sampling.rounds_first else rounded(c, place)
        return [_tap(c, place, None, extent, sampling)]
    first = c.op("floor", place)
    share = c.op("sub", place, first)
    if sampling.mode == "linear":
        weights = [(0, c.op("sub", 1.0, share)), (1, share)]
    else:
        weights = [(offset, _cubic(c, share, offset)) for offset in (-1, 0, 1, 2)]
    taps = []
    for offset, weight in weights:
        index = c.op("add", first, float(offset)) if offset else first
        if sampling.mode == "cubic":
            index = _bounded(c, index, extent, sampling)
        taps.append(_tap(c, index, weight, extent, sampling))
    return taps


def _tap(
    c: OperatorCall, index: Value, weight: Value | None, extent: int, sampling: Sampling
) -> _Tap:
    is_inside = None
    if sampling.border == "zeros":
        above = c.op("ge", index, 0.0)
        is_inside = c.op("and", above, c.op("le", index, float(extent - 1)))
    return _Tap(c.op("clamp", index, 0.0, float(extent - 1)), weight, is_inside)


def _bounded(c: OperatorCall, place: Value, extent: int, sampling: Sampling) -> Value:
    """Return positions moved into the image, unless zeros are beyond it."""
    if sampling.border == "zeros":
        return place
    if sampling.border == "reflection":
        place = _reflected(c, place, extent, sampling)
    return c.op("clamp", place, 0.0, float(extent - 1))


def _reflected(c: OperatorCall, place: Value, extent: int, sampling: Sampling) -> Value:
    """Return positions reflected at the centers, or at the edges, of the outer elements."""
    low = 0.0 if sampling.align_corners else -0.5
    span = float(extent - 1 if sampling.align_corners else extent)
    if not span:
        return c.op("mul", place, 0.0)
    distance = c.op("abs", c.op("sub", place, low))
    turns = c.op("floor", c.op("div", distance, span))
    rest = c.op("sub", distance, c.op("mul", turns, span))
    half = c.op("mul", turns, 0.5)
    is_odd = c.op("ne", half, c.op("floor", half))
    back = c.op("select", is_odd, c.op("sub", span, rest), rest)
    return c.op("add", back, low) if low else back


def _cubic(c: OperatorCall, share: Value, offset: int) -> Value:
    """Return the weight of the neighbor at an offset from the one before the position."""
    distance = c.op("abs", c.op("sub", share, float(offset)))
    square = c.op("sqr", distance)
    cube = c.op("mul", square, distance)
    a = _CUBIC
    if offset in (0, 1):
        terms = [c.op("mul", cube, a + 2), c.op("mul", square, -(a + 3))]
        return c.op("add", c.op("add", *terms), 1.0)
    outer = c.op("add", c.op("mul", cube, a), c.op("mul", square, -5 * a))
    return c.op("sub", c.op("add", outer, c.op("mul", distance, 8 * a)), 4 * a)


def _corner(c: OperatorCall, x: Value, corner: Sequence[_Tap]) -> Value:
    """Return the weighted neighbors that are one tap along each axis, of shape [N, P, C]."""
    batch, extents = x.shape[0], x.shape[2:]
    place = corner[0].index
    for tap, extent in zip(corner[1:], extents[1:], strict=True):
        place = c.op("add", c.op("mul", place, float(extent)), tap.index)
    if batch > 1:
        starts = np.arange(batch, dtype=np.float32)[:, None] * prod(extents)
        place = c.op("add", place, c.graph.constant(starts))
    index = to_dtype(c, place, np.dtype(np.int64))
    rows = reshaped(
        c,
        transposed(c, x, [0, *range(2, x.rank), 1]),
        (batch * prod(extents), x.shape[1]),
    )
    values = c.op("gather", rows, index, axis=0)
    for tap in corner:
        if tap.is_inside is not None:
            inside = reshaped(c, tap.is_inside, (*tap.is_inside.shape, 1))
            values = c.op("select", inside, values, 0.0)
    for tap in corner:
        if tap.weight is not None:
            values = c.op("mul", values, reshaped(c, tap.weight, (*tap.weight.shape, 1)))
    return values
