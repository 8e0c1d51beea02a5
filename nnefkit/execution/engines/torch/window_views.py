"""Windows over any dimensions of a tensor, as views; and windows resolved once for all runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

from nnefkit.arrays import Shape
from nnefkit.execution.engines.torch.lowerings import Tensor
from nnefkit.operations.window import Window

P = ParamSpec("P")
R = TypeVar("R")


def _cached(function: Callable[P, R]) -> Callable[P, R]:
    """Cache the results of a function, except for extents that are symbols of `torch.export`."""
    cached: Any = lru_cache(maxsize=4096)(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            result: R = cached(*args, **kwargs)
        except TypeError:  # A symbol cannot be a key.
            return function(*args, **kwargs)
        return result

    return call


@_cached
def resolved(window: Window, extents: Shape, size: Shape | None = None) -> Window:
    """Return `window`, of the `size` of a filter if one is given, over up-scaled `extents`."""
    return (window if size is None else window.of_size(size)).over(extents)


@_cached
def reverse_resolved(
    window: Window, extents: Shape, wanted: Shape, size: Shape | None = None
) -> tuple[Shape, Window]:
    """Return the up-scaled extents of a reverse operation, and its window over them.

    Args:
        window: As the attributes describe it.
        extents: Down-scaled extents.
        wanted: Extents that 'output_shape' asks for, if any.
        size: Of a filter, if there is one.
    """
    return (window if size is None else window.of_size(size)).reversed(extents, wanted)


def reduced(x: Tensor, window: Window, reduce: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Return a padded tensor with each window reduced, one dimension after the other."""
    for axis, (f, _, s, d) in enumerate(window.axes):
        if f > 1:
            x = reduce(x.unfold(axis, (f - 1) * d + 1, s)[..., ::d], -1)
        elif s > 1:
            x = x[(slice(None),) * axis + (slice(None, None, s),)]
    return x


def windows(x: Tensor, window: Window) -> Tensor:
    """Return the elements of each window of a padded tensor as a last axis, in row-major order."""
    rank = x.ndim
    for axis, (f, _, s, d) in enumerate(window.axes):
        x = x.unfold(axis, (f - 1) * d + 1, s)[..., ::d]
    return x.flatten(rank) if rank else x[..., None]
