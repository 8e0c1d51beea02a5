"""What all sliding-window operations share (4.3): extents, automatic padding, argument rules.

The *basic* operations (`conv`, `box`, the pools) map the up-scaled extent ``X`` of a dimension to
the down-scaled extent ``x``, the *reverse* ones (`deconv`, `debox`, `desample`) map it back.
Padding, stride and dilation are always measured in the up-scaled space.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nnefkit.arrays import Array, Padding, Shape
from nnefkit.display.numbers import plural
from nnefkit.operations.axes import check_positive
from nnefkit.operations.borders import BORDERS, border_hint
from nnefkit.operations.registry import Problems

FILTER_BORDERS = ("constant", "replicate", "reflect", "reflect-even")
"""The borders of operations that cannot leave values out."""
WINDOW_BORDERS = BORDERS
"""The borders of sums, averages and maxima, which can."""


class Window(NamedTuple):
    """How a window slides: every attribute resolved, one entry for each dimension."""

    size: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def span(self) -> tuple[int, ...]:
        """The dilated extents: from the first to the last entry of the window."""
        return tuple((f - 1) * d + 1 for f, d in zip(self.size, self.dilation, strict=True))

    def along(self, dimensions: slice) -> Window:
        """The same window over some of the dimensions."""
        size, padding, stride, dilation = self
        return Window(
            size[dimensions], padding[dimensions], stride[dimensions], dilation[dimensions]
        )


def automatic_padding(extent: int, span: int, stride: int) -> tuple[int, int]:
    """The padding with which an up-scaled extent becomes ``ceil(extent / stride)``."""
    total = (-(-extent // stride) - 1) * stride + span - extent
    return (total // 2, total - total // 2) if total > 0 else (0, 0)


def window(
    extents: Sequence[int],
    size: Sequence[int],
    padding: Padding,
    stride: Sequence[int],
    dilation: Sequence[int],
) -> Window:
    """The window of valid arguments, over up-scaled `extents`."""
    ones = (1,) * len(extents)
    stride = tuple(stride) or ones
    dilation = tuple(dilation) or ones
    if padding:
        resolved = tuple((p, q) for p, q in padding)
    else:
        resolved = tuple(
            automatic_padding(X, (f - 1) * d + 1, s)
            for X, f, s, d in zip(extents, size, stride, dilation, strict=True)
        )
    return Window(tuple(size), resolved, stride, dilation)


def down_extents(extents: Sequence[int], window: Window) -> Shape:
    """The down-scaled extents of the up-scaled `extents`."""
    size, padding, stride, dilation = window
    return tuple(
        (p + X + q - (f - 1) * d - 1) // s + 1
        for X, f, (p, q), s, d in zip(extents, size, padding, stride, dilation, strict=True)
    )


def true_entries(extents: Sequence[int], window: Window) -> list[tuple[Array, Array]]:
    """Return which entries of each window meet elements of the input instead of the border.

    Args:
        extents: Of the input, up-scaled.
        window: Over all dimensions of the input.

    Returns:
        For each dimension the first such entry of each window, and the one after the last: two
        arrays of one integer for each window, which are equal where a window is all border.
    """
    entries = []
    for X, x, f, (p, _), s, d in zip(extents, down_extents(extents, window), *window, strict=True):
        starts = np.arange(x) * s - p
        entries.append(((-(starts // d)).clip(0, f), (-((starts - X) // d)).clip(0, f)))
    return entries


def true_counts(extents: Sequence[int], window: Window) -> list[Array]:
    """Return the number of elements of the input in each window, by dimension.

    The number in a window of several dimensions is the product of these. See `true_entries`.
    """
    return [stop - first for first, stop in true_entries(extents, window)]


def up_extents(
    extents: Sequence[int],
    size: Sequence[int],
    padding: Padding,
    stride: Sequence[int],
    dilation: Sequence[int],
) -> Shape:
    """The up-scaled extents of the down-scaled `extents`, where no output shape is asked for.

    With automatic padding it is the extent times the stride.
    """
    strides = tuple(stride) or (1,) * len(extents)
    if not padding:
        return tuple(x * s for x, s in zip(extents, strides, strict=True))
    dilations = tuple(dilation) or (1,) * len(extents)
    return tuple(
        (x - 1) * s + (f - 1) * d + 1 - p - q
        for x, f, (p, q), s, d in zip(extents, size, padding, strides, dilations, strict=True)
    )


def reverse_window(
    extents: Sequence[int],
    size: Sequence[int],
    padding: Padding,
    stride: Sequence[int],
    dilation: Sequence[int],
    wanted: Sequence[int],
) -> tuple[Shape, Window]:
    """The up-scaled extents of a reverse operation, `wanted` or not, and the window over them."""
    result = tuple(wanted) or up_extents(extents, size, padding, stride, dilation)
    return result, window(result, size, padding, stride, dilation)


def check_window(
    problems: Problems,
    dimensions: int,
    size: Sequence[int] | None,
    padding: Padding,
    stride: Sequence[int],
    dilation: Sequence[int],
    border: str,
    borders: Sequence[str] = WINDOW_BORDERS,
    *,
    spatial: bool = False,
) -> bool:
    """Checks the arguments that do not depend on extents.

    Args:
        problems: where to collect what is wrong.
        dimensions: how many entries each argument has.
        size: extents of the window; None where a filter has them.
        padding: attribute of that name, as `stride`, `dilation` and `border`.
        stride: see `padding`.
        dilation: see `padding`.
        border: see `padding`.
        borders: the modes that the operation allows.
        spatial: whether only the spatial dimensions count.

    Returns:
        Whether extents can be calculated from them.
    """
    good = True
    if border not in borders:
        check_border(problems, border, borders)
    if size is not None and not _check_items(problems, "size", size, dimensions, spatial, False):
        good = False
    if padding and len(padding) != dimensions:
        _wrong_length(problems, "padding", len(padding), dimensions, spatial, True)
        good = False
    if stride and not _check_items(problems, "stride", stride, dimensions, spatial, True):
        good = False
    if dilation and not _check_items(problems, "dilation", dilation, dimensions, spatial, True):
        good = False
    return good


def check_border(problems: Problems, border: str, borders: Sequence[str]) -> None:
    """Refuses a border mode that is unknown or that the operation does not allow."""
    if border not in borders:
        known = "not allowed here" if border in BORDERS else "unknown"
        hint = border_hint(border, borders)
        problems.add("border", f"border mode '{border}' is {known}", hint)


def _check_items(
    problems: Problems, name: str, items: Sequence[int], count: int, spatial: bool, optional: bool
) -> bool:
    if len(items) != count:
        _wrong_length(problems, name, len(items), count, spatial, optional)
        return False
    return min(items, default=1) > 0 or check_positive(problems, items, name)


def _wrong_length(
    problems: Problems, name: str, found: int, count: int, spatial: bool, optional: bool
) -> None:
    kind = "spatial dimensions" if spatial else "dimensions"
    hint = f"Write one {'(before, after) pair' if name == 'padding' else 'item'} for each of the "
    hint += f"{count} {kind}"
    if optional:
        hint += ", or [] for " + ("automatic padding" if name == "padding" else "1 in all of them")
    if not spatial and found == count - 2:
        hint += "; batch and channels count here, so that it starts with "
        hint += "(0, 0), (0, 0)" if name == "padding" else "1, 1"
    elif spatial and found == count + 2:
        hint += "; batch and channels do not count here"
    message = f"'{name}' has {plural(found, 'element')}, but the input has {count} {kind}"
    problems.add(name, message, hint + ".", code="shape-mismatch")


def checked_down_extents(
    problems: Problems,
    extents: Sequence[int],
    size: Sequence[int],
    padding: Padding,
    stride: Sequence[int],
    dilation: Sequence[int],
    *,
    argument: str = "size",
    first: int = 0,
) -> Shape:
    """The down-scaled extents, each window that does not fit added to the `problems`.

    Args:
        problems: where to collect what is wrong.
        extents: up-scaled extents.
        size: of the window, as `padding`, `stride` and `dilation` checked by `check_window`.
        padding: see `size`.
        stride: see `size`.
        dilation: see `size`.
        argument: what determines the size of the window.
        first: the dimension of the tensor that the first of `extents` is.
    """
    result = []
    for i, extent in enumerate(extents):
        s = stride[i] if stride else 1
        span = (size[i] - 1) * (dilation[i] if dilation else 1) + 1
        if padding:
            p, q = padding[i]
            room = p + extent + q - span
            if room < 0:
                _too_large(problems, argument, first + i, span, size[i], p + extent + q)
            result.append(room // s + 1)
        else:
            result.append(-(-extent // s))
    return tuple(result)


def _too_large(
    problems: Problems, argument: str, dimension: int, span: int, size: int, padded: int
) -> None:
    dilated = f" ({size} entries, dilated)" if span != size else ""
    problems.add(
        argument,
        f"window spans {span}{dilated} in dimension {dimension}, "
        f"but the padded input has an extent of {padded}",
        "Pad more, or leave 'padding' empty for automatic padding.",
        code="shape-mismatch",
        section="4.3",
    )


def checked_up_extents(
    problems: Problems,
    extents: Sequence[int],
    size: Sequence[int],
    padding: Padding,
    stride: Sequence[int],
    dilation: Sequence[int],
    wanted: Sequence[int],
    *,
    first: int = 0,
) -> Shape:
    """The up-scaled extents of a reverse operation.

    Args:
        problems: where to collect what is wrong.
        extents: down-scaled extents.
        size: of the window, as `padding`, `stride` and `dilation` checked by `check_window`.
        padding: see `size`.
        stride: see `size`.
        dilation: see `size`.
        wanted: what 'output_shape' asks for in these dimensions, or nothing; each must be one that
            the basic operation scales down to `extents`.
        first: the dimension of the tensor that the first of `extents` is.
    """
    result = up_extents(extents, size, padding, stride, dilation)
    if wanted:
        for i, X in enumerate(wanted):
            s = stride[i] if stride else 1
            least = result[i] if padding else result[i] - s + 1
            if not max(least, 1) <= X < least + s:
                _inconsistent(problems, first + i, X, extents[i], max(least, 1), least + s - 1)
        return tuple(wanted)
    for i, X in enumerate(result):
        if X < 1:
            cropped = f"padding {tuple(padding[i])} crops all of the output" if padding else ""
            problems.add(
                "padding" if padding else "input",
                f"{cropped or 'the input is empty'} in dimension {first + i}",
                "Pad less." if padding else "Extents are positive.",
                code="shape-mismatch",
                section="4.3",
            )
    return result


def _inconsistent(
    problems: Problems, dimension: int, wanted: int, extent: int, least: int, most: int
) -> None:
    if most < 1:
        hint = "No output extent does: pad less."
    elif least == most:
        hint = f"Only {least} does."
    else:
        hint = f"Those from {least} to {most} do."
    problems.add(
        "output_shape",
        f"extent {wanted} of 'output_shape' in dimension {dimension} "
        f"does not scale down to the extent {extent} of the input",
        hint,
        code="shape-mismatch",
        section="4.3",
    )


def check_output_shape(
    problems: Problems, output_shape: Sequence[int], fixed: Sequence[int], rank: int
) -> bool:
    """Checks the length of an 'output_shape' and its leading extents against the `fixed` ones."""
    if not output_shape:
        return True
    if len(output_shape) != rank:
        problems.add(
            "output_shape",
            f"'output_shape' has {plural(len(output_shape), 'element')}, "
            f"but the input has rank {rank}",
            "Write the whole shape of the output, batch and channels included, or [].",
            code="shape-mismatch",
        )
        return False
    for dimension, (found, extent) in enumerate(zip(output_shape, fixed, strict=False)):
        if found != extent:
            problems.add(
                "output_shape",
                f"'output_shape' has the {('batch', 'channel')[dimension]} extent {found}, "
                f"but the output has {extent}",
                "It is the whole shape of the output; only its spatial extents can be chosen.",
                code="shape-mismatch",
            )
    return True


def reverse_extension(
    extents: Sequence[int], result: Sequence[int], window: Window
) -> tuple[tuple[int, int], ...]:
    """How far beyond the input (down-scaled `extents`) the terms of a reverse operation reach.

    The border mode of a reverse operation says what lies there.
    """
    return tuple(
        (max(((f - 1) * d - p) // s, 0), max((X - 1 + p) // s - x + 1, 0))
        for x, X, f, (p, _), s, d in zip(extents, result, *window, strict=True)
    )


def reverse_tap(extent: int, result: int, stride: int, offset: int) -> tuple[slice, slice] | None:
    """Where a reverse operation adds one entry of its window: slices of input and of output.

    Args:
        extent: down-scaled extent.
        result: up-scaled extent.
        stride: up-scaled distance of two items of the input.
        offset: up-scaled position that the first item of the input is added to.

    Returns:
        None where all of it falls outside of the output.
    """
    start = max(-(offset // stride), 0)
    stop = min((result - 1 - offset) // stride + 1, extent)
    if start >= stop:
        return None
    first = start * stride + offset
    return slice(start, stop), slice(first, first + (stop - 1 - start) * stride + 1, stride)
