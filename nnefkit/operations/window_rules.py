"""Argument rules that all sliding-window operations share (4.3)."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.arrays import Ints, Shape
from nnefkit.display.numbers import plural
from nnefkit.operations.axis_rules import LARGEST_EXTENT, check_positive
from nnefkit.operations.borders import BORDERS, border_hint
from nnefkit.operations.registry import Problems
from nnefkit.operations.window import Window

FILTER_BORDERS = ("constant", "replicate", "reflect", "reflect-even")
"""The border modes of operations that cannot leave elements out."""
WINDOW_BORDERS = BORDERS
"""The border modes of sums, averages and maxima, which can leave elements out."""


def check_window(
    problems: Problems,
    window: Window,
    dimensions: int,
    borders: Sequence[str] = WINDOW_BORDERS,
    *,
    spatial: bool = False,
) -> bool:
    """Check the attributes of a window that do not depend on extents.

    Args:
        problems: Collects the problems.
        window: As the attributes describe it.
        dimensions: The number of elements that each attribute must have.
        borders: The border modes that the operation allows.
        spatial: True for the window of a filter, which slides over the spatial dimensions only
            and has a size that needs no check.

    Returns:
        True if extents can be computed from them.
    """
    good = True
    if window.border not in borders:
        check_border(problems, window.border, borders)
    if not spatial and not _check_elements(problems, "size", window.size, dimensions, False, False):
        good = False
    if window.padding and len(window.padding) != dimensions:
        _wrong_length(problems, "padding", len(window.padding), dimensions, spatial, True)
        good = False
    for name, elements in (("stride", window.stride), ("dilation", window.dilation)):
        if elements and not _check_elements(problems, name, elements, dimensions, spatial, True):
            good = False
    return good


def check_border(problems: Problems, border: str, borders: Sequence[str]) -> None:
    """Check that a border mode exists and that the operation allows it."""
    if border not in borders:
        known = "not allowed here" if border in BORDERS else "unknown"
        hint = border_hint(border, borders)
        problems.add("border", f"border mode '{border}' is {known}", hint)


def _check_elements(
    problems: Problems, name: str, elements: Ints, count: int, spatial: bool, optional: bool
) -> bool:
    if len(elements) != count:
        _wrong_length(problems, name, len(elements), count, spatial, optional)
        return False
    return min(elements, default=1) > 0 or check_positive(problems, elements, name)


def _wrong_length(
    problems: Problems, name: str, length: int, count: int, spatial: bool, optional: bool
) -> None:
    kind = "spatial dimensions" if spatial else "dimensions"
    element = "(before, after) pair" if name == "padding" else "element"
    hint = f"Write one {element} for each of the {count} {kind}"
    if optional:
        hint += ", or [] for " + ("automatic padding" if name == "padding" else "ones")
    if not spatial and length == count - 2:
        hint += "; batch and channels count here, so it starts with "
        hint += "(0, 0), (0, 0)" if name == "padding" else "1, 1"
    elif spatial and length == count + 2:
        hint += "; batch and channels do not count here"
    message = f"'{name}' has {plural(length, 'element')}, but the input has {count} {kind}"
    problems.add(name, message, hint + ".", code="shape-mismatch")


def checked_down_extents(
    problems: Problems, window: Window, extents: Ints, *, argument: str = "size", first: int = 0
) -> Shape:
    """Return the down-scaled extents; add each window that does not fit to the `problems`.

    Args:
        problems: Collects the problems.
        window: Of valid attributes, see `check_window`.
        extents: Up-scaled extents.
        argument: The argument that determines the size of the window.
        first: The dimension of the tensor that the first of `extents` belongs to.
    """
    size, padding, stride, dilation = window.size, window.padding, window.stride, window.dilation
    result = []
    for i, extent in enumerate(extents):
        s = stride[i] if stride else 1
        span = (size[i] - 1) * (dilation[i] if dilation else 1) + 1
        _check_reach(problems, argument, first + i, span)
        if padding:
            p, q = padding[i]
            _check_reach(problems, "padding", first + i, p + extent + q)
            room = p + extent + q - span
            if room < 0:
                _too_large(problems, argument, first + i, span, size[i], p + extent + q)
            result.append(room // s + 1)
        else:
            result.append(-(-extent // s))
    return tuple(result)


def _check_reach(problems: Problems, argument: str, dimension: int, reach: int) -> None:
    """Add a problem if a padded extent, or that of a dilated window, is beyond 64-bit integers."""
    if reach > LARGEST_EXTENT:
        problems.add(
            argument,
            f"in dimension {dimension} the window or the padded extent is {reach} long, beyond "
            f"{LARGEST_EXTENT}",
            "Pad or dilate less, or use a smaller stride.",
            section="4.3",
        )


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
    problems: Problems, window: Window, extents: Ints, wanted: Ints, *, first: int = 0
) -> Shape:
    """Return the up-scaled extents of a reverse operation.

    Args:
        problems: Collects the problems.
        window: Of valid attributes, see `check_window`.
        extents: Down-scaled extents.
        wanted: The extents that 'output_shape' requests in these dimensions, or empty; the basic
            operation must scale each of them down to that of `extents`.
        first: The dimension of the tensor that the first of `extents` belongs to.
    """
    padding, stride = window.padding, window.stride
    result = window.up_extents(extents)
    for i, X in enumerate(result):
        span = (window.size[i] - 1) * (window.dilation[i] if window.dilation else 1) + 1
        reach = X + sum(padding[i]) if padding else X
        _check_reach(problems, "stride" if stride else "padding", first + i, max(reach, span))
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


def check_output_shape(problems: Problems, output_shape: Ints, fixed: Ints, rank: int) -> bool:
    """Check the length of an 'output_shape', and its leading extents against the `fixed` ones.

    Returns:
        True if its length is correct.
    """
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
    for dimension, (given, extent) in enumerate(zip(output_shape, fixed, strict=False)):
        if given != extent:
            problems.add(
                "output_shape",
                f"'output_shape' has the {('batch', 'channel')[dimension]} extent {given}, "
                f"but the output has {extent}",
                "It is the whole shape of the output; you can only choose its spatial extents.",
                code="shape-mismatch",
            )
    return True
