"""Broadcasting in NNEF aligns shapes from the left: missing *trailing* extents are 1 (4.2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnefkit.arrays import Shape
from nnefkit.operations.registry import Problems


def broadcast_shape(
    *shapes: Shape, names: Sequence[str] = (), section: str = "4.2.2", result: str = ""
) -> Shape:
    """Return the common shape that all `shapes` broadcast to.

    Args:
        shapes: Shapes of any ranks.
        names: The formal names of the arguments, for messages.
        section: The section of the specification, for messages.
        result: The name of the result, if the first of the shapes is that of a result instead of an
            argument.

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
    """Return the broadcast shape, but add mismatches to `problems` instead of raising."""
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
            other_name = (result if other == 0 and result else "") or names[other] or "the other"
            problems.add(
                names[number],
                f"shapes {[*shapes[other]]} and {[*shape]} of '{other_name}' and "
                f"'{names[number] or 'the other'}' do not broadcast: in dimension {axis} their "
                f"extents are {extents[axis]} and {extent}",
                _hint(shapes[other], shape),
                code="shape-mismatch",
            )
            break
    return tuple(extents)


def _hint(one: Shape, other: Shape) -> str:
    """Return how to write the shapes for NNEF, for users accustomed to NumPy's broadcasting."""
    low, high = sorted((one, other), key=len)
    rule = "Extents must be equal, or one of them 1."
    if len(low) == len(high):
        return rule
    if not _fits_from_the_right(low, high):
        return f"{rule} A shape of lower rank lacks trailing dimensions."
    return (
        "NNEF aligns dimensions from the left, and a shape of lower rank lacks trailing ones: "
        f"write the shape {[*low]} as {[1] * (len(high) - len(low)) + [*low]}."
    )


def _fits_from_the_right(low: Shape, high: Shape) -> bool:
    return all(
        a == b or 1 in (a, b) for a, b in zip(low, high[len(high) - len(low) :], strict=True)
    )


def warn_of_broadcast(problems: Problems, one: Shape, other: Shape, names: Sequence[str]) -> None:
    """Warn if the shape of lower rank enlarges the other, probably by mistake.

    A bias of shape [C] added to a batch of one image repeats the image C times; its author
    probably meant the last dimension, as in NumPy and most frameworks.
    """
    if not one or not other or len(one) == len(other):
        return
    (low, name), (high, _) = sorted(zip((one, other), names, strict=True), key=lambda x: len(x[0]))
    axes = [k for k, (a, b) in enumerate(zip(low, high, strict=False)) if b == 1 != a]
    if axes and _fits_from_the_right(low, high):
        problems.add(
            name,
            f"shape {[*low]} of '{name}' repeats dimension {axes[0]} of {[*high]}",
            "NNEF aligns dimensions from the left. If the last ones are meant, write the shape as "
            f"{[1] * (len(high) - len(low)) + [*low]}.",
            code="suspicious-broadcast",
            severity="warning",
        )


def align(*arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Return the arrays with equal ranks, singular dimensions appended where needed.

    NumPy's broadcasting then aligns them as NNEF does.
    """
    rank = max(array.ndim for array in arrays)
    return tuple(
        array if array.ndim == rank else array.reshape(array.shape + (1,) * (rank - array.ndim))
        for array in arrays
    )


def reusable(result: NDArray[Any], *others: NDArray[Any]) -> NDArray[Any] | None:
    """Return `result` if an operation with `others` can be computed in place, else None."""
    if np.result_type(result, *others) != result.dtype:
        return None
    shapes = (array.shape for array in others)
    return result if np.broadcast_shapes(result.shape, *shapes) == result.shape else None
