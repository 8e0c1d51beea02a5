"""Broadcasting as NNEF does it: from the left, missing *trailing* dimensions are 1 (4.2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnefkit.operations.registry import Problems, Shape


def broadcast_shape(
    *shapes: Shape, names: Sequence[str] = (), section: str = "4.2.2", result: str = ""
) -> Shape:
    """The shape that `shapes` have together: for each dimension the extent that is not 1.

    Args:
        shapes: of any ranks.
        names: the formal names of the arguments, for messages.
        section: of the specification, for messages.
        result: what the first of several shapes stands for, if it is no argument.

    Raises:
        ArgumentError: two extents of one dimension differ and neither is 1.
    """
    if len(shapes) == 2:
        first, second = shapes
        if first == second or not second:
            return first
        if not first:
            return second
    problems = Problems(section)
    shape = broadcast_checked(problems, shapes, names or [""] * len(shapes), result=result)
    problems.done()
    return shape


def broadcast_checked(
    problems: Problems, shapes: Sequence[Shape], names: Sequence[str], *, result: str = ""
) -> Shape:
    """Like `broadcast_shape`, but adds what does not fit to `problems` and goes on."""
    extents: list[int] = []
    source: list[int] = []
    for number, shape in enumerate(shapes):
        extents += [1] * (len(shape) - len(extents))
        source += [number] * (len(shape) - len(source))
        for axis, extent in enumerate(shape):
            if extent == 1 or extent == extents[axis]:
                continue
            if extents[axis] == 1:
                extents[axis], source[axis] = extent, number
                continue
            other = source[axis]
            said = (result if other == 0 and result else "") or names[other] or "the other"
            problems.add(
                names[number],
                f"shapes {[*shapes[other]]} and {[*shape]} of '{said}' and "
                f"'{names[number] or 'the other'}' do not broadcast: in dimension {axis} their "
                f"extents are {extents[axis]} and {extent}",
                _hint(shapes[other], shape),
                code="shape-mismatch",
            )
            break
    return tuple(extents)


def _hint(one: Shape, other: Shape) -> str:
    """Tells those who are used to broadcasting from the right what to write here."""
    low, high = sorted((one, other), key=len)
    missing = len(high) - len(low)
    rule = "Extents must be equal, or one of them 1."
    if not missing:
        return rule
    right = zip(low, high[missing:], strict=True)
    if not all(a == b or 1 in (a, b) for a, b in right):
        return f"{rule} Dimensions that are missing are trailing ones."
    return (
        "NNEF aligns dimensions from the left, and those that are missing are trailing ones: "
        f"write the shape {[*low]} as {[1] * missing + [*low]}."
    )


def align(*arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """The arrays with equal ranks: singular dimensions appended where some are missing.

    NumPy's own broadcasting does the right thing with them.
    """
    rank = max(array.ndim for array in arrays)
    return tuple(
        array if array.ndim == rank else array.reshape(array.shape + (1,) * (rank - array.ndim))
        for array in arrays
    )


def reusable(result: NDArray[Any], *others: NDArray[Any]) -> NDArray[Any] | None:
    """`result` itself, if an operation with `others` of its rank can be computed in its memory."""
    if np.result_type(result, *others) != result.dtype:
        return None
    shapes = (array.shape for array in others)
    return result if np.broadcast_shapes(result.shape, *shapes) == result.shape else None
