"""NaN that operations replace by numbers.

By the formulas of the specification, ``max(x, y)`` is ``select(x > y, x, y)``: `y` if `x` is NaN.
`relu` returns 0 for NaN, `clamp` a bound. Engines drop NaN in other operations, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import prod
from typing import Protocol

import numpy as np

from nnefkit.arrays import Array, is_surely_finite
from nnefkit.caller_warning import warn_caller
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


class _WithHiddenNan(Protocol):
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


def nan_in_weights(graph: Graph) -> dict[str, int]:
    """Return the weights with NaN that operations read which may hide it -> its number."""
    names = {name for op in graph.operations if op.name in HIDING for name in op.input_names}
    weights = {name: graph.tensors[name].data for name in sorted(names)}
    return {
        name: int(np.isnan(data).sum())
        for name, data in weights.items()
        if data is not None and has_nan([data])
    }


class HiddenNan:
    """Warns of the runs of a graph whose NaN an operation replaced by numbers.

    Args:
        graph: The graph that is run.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._is_possible = any(op.name in HIDING for op in graph.operations)
        self._in_weights: bool | None = None
        """Whether a weight has NaN, as of the first run, which reads all of them anyway."""

    def warn(
        self,
        feeds: Mapping[str, Array],
        results: Mapping[str, Array],
        trace: Callable[[], _WithHiddenNan],
    ) -> None:
        """Warn if inputs or weights have NaN, the outputs have none, and it was replaced.

        Args:
            feeds: The inputs.
            results: The outputs.
            trace: Runs the graph once more and records all tensors.
        """
        if not self._is_possible:
            return
        if self._in_weights is None:
            weights = (tensor.data for tensor in self._graph.tensors.values())
            self._in_weights = has_nan(data for data in weights if data is not None)
        if not self._in_weights and not has_nan(feeds.values()):
            return
        if has_nan(results.values()):
            return
        hidden = trace().hidden_nan
        if not hidden:
            return
        named = [f"'{name}' ({self._graph.producers[name].name})" for name in hidden[:_NAMED]]
        more = f" and {len(hidden) - _NAMED:,} more" if len(hidden) > _NAMED else ""
        warn_caller(
            f"NaN in inputs or weights was replaced by numbers in {', '.join(named)}{more}: relu, "
            "max, min and clamp ignore NaN (4.2.4), and some engines drop it elsewhere. nk.trace "
            "shows every tensor.",
            RuntimeWarning,
        )


def has_nan(arrays: Iterable[Array]) -> bool:
    """Return whether one of the arrays holds NaN."""
    for array in arrays:  # noqa: SIM110 - a generator takes longer than the check of an array
        if not is_surely_finite(array) and np.isnan(array).any():
            return True
    return False
