"""NaN that operations replace by numbers.

By the formulas of the specification, ``max(x, y)`` is ``select(x > y, x, y)``: `y` if `x` is NaN.
`relu` returns 0 for NaN, `clamp` a bound. Engines drop NaN in other operations, too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import prod
from typing import Protocol

import numpy as np

from nnefkit.arrays import Array, is_surely_finite
from nnefkit.graph import Graph, Operation

_NORMALIZATIONS = frozenset(("l1_normalization", "l2_normalization"))
"""Operations that divide all elements along some axes by ``max(sigma, epsilon)``."""
HIDING = (
    _NORMALIZATIONS.union(("relu", "max", "min", "clamp", "sigmoid", "tanh", "mul"))
    .union(("max_reduce", "min_reduce", "max_pool", "linear_quantize", "logarithmic_quantize"))
    .union(("min_max_linear_quantize", "zero_point_linear_quantize"))
)
"""Operations that may return numbers for NaN: by their formulas, or in an engine."""
_NAMED = 3


class _NanReport(Protocol):
    @property
    def hidden_nan(self) -> tuple[str, ...]: ...


def hidden_in(graph: Graph, count: Callable[[str], int]) -> Iterator[Operation]:
    """Return the operations whose results have fewer NaN than an argument of the same size.

    Args:
        graph: The graph that was run.
        count: Returns the number of NaN in a tensor of the run.
    """
    for op in graph.operations:
        if op.name in HIDING:
            (result,) = op.output_names
            shape = graph.tensors[result].shape
            for name in op.input_names:
                found = count(name)
                is_elementwise = graph.tensors[name].shape == shape
                least = found if is_elementwise else 1
                if op.name in _NORMALIZATIONS:
                    # All elements that are divided together become NaN.
                    together = prod(shape[axis] for axis in op.attribs["axes"]) if shape else 1
                    least = -(-found // together) * together
                if found and count(result) < least:
                    yield op
                    break


def may_hide_nan(graph: Graph) -> bool:
    """Return whether an operation of a graph may return numbers for NaN."""
    return any(op.name in HIDING for op in graph.operations)


def warn_of_hidden_nan(
    graph: Graph, results: Mapping[str, Array], trace: Callable[[], _NanReport]
) -> None:
    """Warn if the outputs of a run with NaN hold none, and an operation replaced them.

    Args:
        graph: The graph that was run.
        results: The outputs.
        trace: Runs the graph once more and records all tensors.
    """
    if has_nan(results.values()):
        return
    hidden = trace().hidden_nan
    if not hidden:
        return
    listed = ", ".join(f"'{name}' ({graph.producers[name].name})" for name in hidden[:_NAMED])
    more = f" and {len(hidden) - _NAMED:,} more" if len(hidden) > _NAMED else ""
    warnings.warn(
        f"NaN in the inputs was replaced by numbers in {listed}{more}: relu, max, min and clamp "
        "ignore NaN (4.2.4), and some engines drop it elsewhere. nk.trace shows every tensor.",
        RuntimeWarning,
        stacklevel=3,
    )


def has_nan(arrays: Iterable[Array]) -> bool:
    """Return whether one of the arrays holds NaN."""
    for array in arrays:  # noqa: SIM110 - a generator takes longer than the check of an array
        if not is_surely_finite(array) and np.isnan(array).any():
            return True
    return False
