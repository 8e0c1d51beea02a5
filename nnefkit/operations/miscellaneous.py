"""Miscellaneous operations (4.9.6): `copy_n` and `add_n`; `moments` is among the reductions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.operations.axis_rules import check_count
from nnefkit.operations.broadcasting import align, broadcast_shape
from nnefkit.operations.flop_rules import elements, no_flops
from nnefkit.operations.precision import quiet
from nnefkit.operations.registry import Problems, flops, kernel, shape_rule


@shape_rule("copy_n")
def copy_n_shape(x: Shape, *, times: int) -> list[Shape]:
    """Check the rules of `copy_n` and return the shapes of its results (4.9.6)."""
    problems = Problems("4.9.6")
    if times < 0:
        problems.add(
            "times", f"'times' must not be negative, but is {times}", "It is the number of copies."
        )
    check_count(problems, "times", times)
    problems.done()
    return [x] * times


@kernel("copy_n")
def copy_n(x: Array, *, times: int) -> list[Array]:
    """Return the same tensor several times (4.9.6)."""
    return [x] * times


@shape_rule("add_n")
def add_n_shape(x: Sequence[Shape]) -> Shape:
    """Return the broadcast shape of all the tensors (4.9.6)."""
    return broadcast_shape(*x, names=["x"] * len(x), section="4.9.6")


@kernel("add_n")
@quiet
def add_n(x: Sequence[Array]) -> Array:
    """Return the sum, added from last to first as in the definition; 0 for no tensors."""
    if not x:
        return np.zeros((), np.float32)
    *others, total = align(*x)
    for array in reversed(others):
        total = array + total
    return np.asarray(total)


flops("copy_n")(no_flops)


@flops("add_n")
def add_n_flops(inputs: Sequence[Any], outputs: Sequence[Any], _attribs: dict[str, Any]) -> int:
    """1 for each result and tensor but one: add."""
    return max(len(inputs[0]) - 1, 0) * elements(outputs[0])
