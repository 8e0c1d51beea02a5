"""Sliding windows (4.3): size, border, padding, stride and dilation as one object.

The *basic* operations (`conv`, `box`, the pools) map the up-scaled extent ``X`` of a dimension to
the down-scaled extent ``x``, the *reverse* ones (`deconv`, `debox`, `desample`) map it back.
Padding, stride and dilation are always measured in the up-scaled space.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from nnefkit.arrays import Array, Ints, Padding, Shape

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Window:
    """A window that slides over some dimensions of a tensor, as the attributes describe it.

    Its attributes have one element for each dimension, filled in by `over` or `reversed`. Until
    then, an empty `padding` means automatic padding, an empty `stride` or `dilation` means ones.
    """

    size: tuple[int, ...]
    border: str = "constant"
    padding: tuple[tuple[int, int], ...] = ()
    stride: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        size: Ints = (),
        border: str = "constant",
        padding: Padding = (),
        stride: Ints = (),
        dilation: Ints = (),
    ) -> Window:
        """Return the window with attributes that may be lists."""
        pairs = tuple(padding)
        for pair in pairs:
            if type(pair) is not tuple:
                pairs = tuple([(before, after) for before, after in padding])
                break
        return cls(tuple(size), border, pairs, tuple(stride), tuple(dilation))

    @classmethod
    def of_cells(cls, cell: Ints) -> Window:
        """Return the window that divides a tensor into cells of size `cell`."""
        size = tuple(cell)
        return cls(size, "constant", ((0, 0),) * len(size), size, (1,) * len(size))

    @property
    def axes(self) -> Iterator[tuple[int, tuple[int, int], int, int]]:
        """Size, padding, stride and dilation along each dimension, all filled in."""
        return zip(self.size, self.padding, self.stride, self.dilation, strict=True)

    @property
    def span(self) -> tuple[int, ...]:
        """The dilated extents: from the first to the last entry of the window."""
        return tuple((f - 1) * d + 1 for f, d in zip(self.size, self.dilation, strict=True))

    def of_size(self, size: Ints) -> Window:
        """Return the same window with another size, such as the spatial extents of a filter."""
        return Window(tuple(size), self.border, self.padding, self.stride, self.dilation)

    def with_border(self, border: str) -> Window:
        """Return the same window with another border mode."""
        return replace(self, border=border)

    def along(self, dimensions: slice) -> Window:
        """Return the same window over some of the dimensions."""
        return Window(
            self.size[dimensions],
            self.border,
            self.padding[dimensions],
            self.stride[dimensions],
            self.dilation[dimensions],
        )

    def slides(self, axis: int) -> bool:
        """Return True unless the window is one element, moved in steps of 1, along a dimension."""
        return self.size[axis] != 1 or self.stride[axis] != 1 or self.padding[axis] != (0, 0)

    def covered_axes(self, extents: Sequence[int]) -> tuple[int, ...] | None:
        """Return the dimensions that the window covers as a whole, if it slides along no other.

        Such a window reduces a tensor along these dimensions. Return None for other windows.
        """
        if any(pair != (0, 0) for pair in self.padding):
            return None
        if any(
            (f, s) != (1, 1) and f != extent
            for f, s, extent in zip(self.size, self.stride, extents, strict=True)
        ):
            return None
        return tuple(axis for axis, f in enumerate(self.size) if f > 1)

    def over(self, extents: Sequence[int]) -> Window:
        """Return the window over up-scaled `extents`, with all attributes filled in."""
        ones = (1,) * len(extents)
        stride = self.stride or ones
        dilation = self.dilation or ones
        padding = self.padding or tuple(
            automatic_padding(X, (f - 1) * d + 1, s)
            for X, f, s, d in zip(extents, self.size, stride, dilation, strict=True)
        )
        return Window(self.size, self.border, padding, stride, dilation)

    def reversed(self, extents: Sequence[int], wanted: Sequence[int] = ()) -> tuple[Shape, Window]:
        """Return the up-scaled extents of a reverse operation, and the window over them.

        Args:
            extents: Down-scaled extents.
            wanted: Extents that 'output_shape' requests, if any.
        """
        result = tuple(wanted) or self.up_extents(extents)
        return result, self.over(result)

    def down_extents(self, extents: Sequence[int]) -> Shape:
        """Return the down-scaled extents of the up-scaled `extents`, given all attributes.

        An extent in which no window fits is not positive.
        """
        return tuple(
            (p + X + q - (f - 1) * d - 1) // s + 1
            for X, (f, (p, q), s, d) in zip(extents, self.axes, strict=True)
        )

    def up_extents(self, extents: Sequence[int]) -> Shape:
        """Return the up-scaled extents of down-scaled ones if no output shape is requested.

        With automatic padding, it is the extent times the stride.
        """
        ones = (1,) * len(extents)
        strides = self.stride or ones
        if not self.padding:
            return tuple(x * s for x, s in zip(extents, strides, strict=True))
        dilations = self.dilation or ones
        return tuple(
            (x - 1) * s + (f - 1) * d + 1 - p - q
            for x, f, (p, q), s, d in zip(
                extents, self.size, self.padding, strides, dilations, strict=True
            )
        )

    def true_entries(self, extents: Sequence[int]) -> list[tuple[Array, Array]]:
        """Return which entries of each window cover elements of the input instead of the border.

        Args:
            extents: Up-scaled extents of the input.

        Returns:
            For each dimension, the index of the first such entry of each window, and the index
            after the last: two arrays with one integer for each window, equal if it is all
            border.
        """
        entries = []
        for X, x, (f, (p, _), s, d) in zip(
            extents, self.down_extents(extents), self.axes, strict=True
        ):
            starts = np.arange(x) * s - p
            entries.append(((-(starts // d)).clip(0, f), (-((starts - X) // d)).clip(0, f)))
        return entries

    def true_counts(self, extents: Sequence[int]) -> list[Array]:
        """Return the number of elements of the input in each window, by dimension.

        The total number in a window is the product over the dimensions. See `true_entries`.
        """
        return [stop - first for first, stop in self.true_entries(extents)]

    def reverse_extension(
        self, extents: Sequence[int], result: Sequence[int]
    ) -> tuple[tuple[int, int], ...]:
        """Return how far the terms of a reverse operation extend beyond the input.

        The border mode of the operation defines the values there.

        Args:
            extents: Down-scaled extents.
            result: Up-scaled extents.
        """
        return tuple(
            (max(((f - 1) * d - p) // s, 0), max((X - 1 + p) // s - x + 1, 0))
            for x, X, (f, (p, _), s, d) in zip(extents, result, self.axes, strict=True)
        )


def automatic_padding(extent: int, span: int, stride: int) -> tuple[int, int]:
    """Return the padding with which an up-scaled extent becomes ``ceil(extent / stride)``."""
    total = (-(-extent // stride) - 1) * stride + span - extent
    return (total // 2, total - total // 2) if total > 0 else (0, 0)


def reverse_tap(extent: int, result: int, stride: int, offset: int) -> tuple[slice, slice] | None:
    """Return the slices of input and output in which a reverse operation adds one window entry.

    Args:
        extent: Down-scaled extent.
        result: Up-scaled extent.
        stride: Up-scaled distance between two elements of the input.
        offset: Up-scaled position that the first element of the input is added to.

    Returns:
        None if all of it falls outside of the output.
    """
    start = max(-(offset // stride), 0)
    stop = min((result - 1 - offset) // stride + 1, extent)
    if start >= stop:
        return None
    first = start * stride + offset
    return slice(start, stop), slice(first, first + (stop - 1 - start) * stride + 1, stride)


# -- calls with the attributes of the specification ------------------------------------------------


def windowed(function: Function) -> Function:
    """Make a function of one `window` accept the five attributes that describe it.

    The specification declares `size`, `border`, `padding`, `stride` and `dilation`, with which
    registered functions are called; other callers may pass a `window` instead.
    """
    return _windowed(function, ("size", "border", "padding", "stride", "dilation"))


def filter_windowed(function: Function) -> Function:
    """Decorate as `windowed` does, but without `size`: the window is as large as a filter."""
    return _windowed(function, ("border", "padding", "stride", "dilation"))


def _windowed(function: Function, attributes: tuple[str, ...]) -> Function:
    sized = "size" in attributes

    @functools.wraps(function)
    def call(*inputs: Any, **attribs: Any) -> Any:
        if "window" not in attribs:
            size = attribs.pop("size") if sized else ()
            border, padding = attribs.pop("border"), attribs.pop("padding")
            stride, dilation = attribs.pop("stride"), attribs.pop("dilation")
            attribs["window"] = Window.of(size, border, padding, stride, dilation)
        return function(*inputs, **attribs)

    signature = inspect.signature(function)
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [p for p in signature.parameters.values() if p.name != "window"]
    parameters += [inspect.Parameter(name, keyword) for name in attributes]
    parameters.sort(key=lambda parameter: parameter.kind)
    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return call  # type: ignore[return-value]
