"""The rules for axes that many operations share (4.4, 4.5)."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.errors import ArgumentError
from nnefkit.operations.registry import Problems


def check_axis(problems: Problems, axis: int, rank: int, argument: str = "axis") -> bool:
    """Add a problem unless ``0 <= axis < rank``; return whether the axis is valid."""
    if 0 <= axis < rank:
        return True
    problems.add(
        argument, f"'{argument}' is {axis}, but the rank is {rank}", _axis_hint((axis,), rank)
    )
    return False


def check_axes(problems: Problems, axes: Sequence[int], rank: int, argument: str = "axes") -> bool:
    """Add problems unless `axes` are unique and within the rank; return whether they are valid."""
    outside = [axis for axis in axes if not 0 <= axis < rank]
    if outside:
        problems.add(
            argument,
            f"'{argument}' names {', '.join(map(str, dict.fromkeys(outside)))}, "
            f"but the rank is {rank}",
            _axis_hint(outside, rank),
        )
    unique = len(set(axes)) == len(axes)
    if not unique:
        repeated = dict.fromkeys(axis for axis in axes if list(axes).count(axis) > 1)
        problems.add(
            argument,
            f"'{argument}' repeats {', '.join(map(str, repeated))}",
            f"Each axis may be named once: {list(dict.fromkeys(axes))}.",
        )
    return unique and not outside


def _axis_hint(axes: Sequence[int], rank: int) -> str:
    if not rank:
        return "A tensor of rank 0 has no axes."
    if all(-rank <= axis < 0 for axis in axes):
        return f"Axes do not count from the end: write {', '.join(str(a + rank) for a in axes)}."
    return f"Axes count from 0 to {rank - 1}."


MAX_RESULTS = 1_000_000
"""Maximum number of results of one operation; no document names more of them."""


LARGEST_EXTENT = 2**63 - 1
"""The largest integer of 64 bits."""
MAX_ELEMENTS = 2**60
"""Maximum number of elements of a tensor; as 64-bit numbers, more of them have no address."""


def check_element_count(name: str, shape: Sequence[int]) -> None:
    """Check that a tensor does not have absurdly many elements.

    Raises:
        ArgumentError: It has more than `MAX_ELEMENTS`.
    """
    count = 1
    for extent in shape:
        count *= extent
        if count > MAX_ELEMENTS:
            raise ArgumentError(
                f"'{name}' would have more than 2^60 elements",
                hint="Use smaller extents: no engine can hold it, and no file can store it.",
                section="5.2",
            )


def check_count(problems: Problems, argument: str, number: int) -> None:
    """Add a problem if the `number` of results of an operation is absurdly large."""
    if number > MAX_RESULTS:
        problems.add(
            argument,
            f"it would return {number} tensors",
            "Each of them needs a name on the left of the assignment.",
            code="wrong-result-count",
            section="3.3.2",
        )


def check_positive(
    problems: Problems, values: Sequence[int], argument: str, hint: str = ""
) -> bool:
    """Add a problem unless all elements are strictly positive; return whether they are."""
    wrong = [value for value in values if value <= 0]
    if wrong:
        problems.add(
            argument,
            f"the elements of '{argument}' must be strictly positive, but there is "
            f"{', '.join(map(str, dict.fromkeys(wrong)))}",
            hint or "Write 1 or more for each of them.",
        )
    return not wrong
