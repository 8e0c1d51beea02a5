"""Makers of the formulas that many operations share: so many FLOPs for each element.

One evaluation of an elementary function of 4.2 counts as one FLOP, whatever it costs: an addition,
an exponential, a comparison, a selection, a rounding. Moving elements counts as none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nnefkit.arrays import Shape
from nnefkit.operations.registry import CostRule

Shapes = Sequence[Any]
"""The shape of each argument or result; a list for an array of tensors, and None for a bias that is
the literal 0."""


def elements(shape: Any) -> int:
    """Return the number of elements of a tensor, or of all the tensors of an array."""
    if isinstance(shape, list):
        return sum(map(elements, shape))
    return math.prod(shape)


def window_size(attribs: dict[str, Any]) -> int:
    """Return the number of entries of a sliding window."""
    return math.prod(attribs["size"])


def no_flops(_inputs: Shapes, _outputs: Shapes, _attribs: dict[str, Any]) -> int:
    """0: it moves elements."""
    return 0


def for_each_result(count: int, functions: str) -> CostRule:
    """Return the rule that counts `count` for each element of the result.

    Args:
        count: FLOPs for each.
        functions: The elementary functions, for the documentation.
    """

    def rule(_inputs: Shapes, outputs: Shapes, _attribs: dict[str, Any]) -> int:
        return count * elements(outputs[0])

    rule.__doc__ = f"{count} for each result: {functions}."
    return rule


def for_each_input(count: int, functions: str, each_result: int = 0) -> CostRule:
    """Return the rule that counts `count` for each element of the input.

    Args:
        count: FLOPs for each element of the first input.
        functions: The elementary functions, for the documentation.
        each_result: FLOPs for each element of the first result.
    """

    def rule(inputs: Shapes, outputs: Shapes, _attribs: dict[str, Any]) -> int:
        return count * elements(inputs[0]) + each_result * elements(outputs[0])

    results = f" + {each_result} for each result" if each_result else ""
    rule.__doc__ = f"{count} for each input{results}: {functions}."
    return rule


def bias_flops(bias: Shape | None, output: Shape) -> int:
    """Return the FLOPs of adding a bias: one for each result, none if it is the literal 0."""
    return 0 if bias is None else math.prod(output)
