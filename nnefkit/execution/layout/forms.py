"""Forms of tensors: the axes of a tensor in the order in which the new graph stores them.

A form names the axes of a tensor of the given graph: ``(0, 3, 1, 2)`` is a channels-last tensor
that is stored channels-first. `NEW` stands for an additional axis of extent 1, and axes of extent 1
may be missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from nnefkit.arrays import Array, Shape

Form = tuple[int, ...]

NEW = -1
"""An axis of extent 1 that the tensor does not have."""

_CACHED = 1 << 14


@lru_cache(_CACHED)
def identity(rank: int) -> Form:
    """Return the form of a tensor as it is."""
    return tuple(range(rank))


def channels_first(rank: int) -> Form:
    """Return the form in which a channels-last tensor is channels-first."""
    return (0, rank - 1, *range(1, rank - 1))


def channels_last(rank: int) -> Form:
    """Return the form in which a channels-first tensor is channels-last."""
    return (0, *range(2, rank), 1) if rank > 2 else identity(rank)


@lru_cache(_CACHED)
def through(view: Form, form: Form) -> Form:
    """Return the form of a tensor that is the form of a view of it."""
    return tuple(view[axis] if axis >= 0 else NEW for axis in form)


@lru_cache(_CACHED)
def seen(view: Form, form: Form) -> Form:
    """Return the axes of a view in the order in which a form has the axes of its tensor.

    Axes of extent 1 that only the view has are left out.
    """
    return tuple(view.index(axis) for axis in form if axis >= 0 and axis in view)


@lru_cache(_CACHED)
def completed(order: Form, rank: int) -> Form:
    """Return a permutation of all axes that begins with some of them."""
    known = tuple(axis for axis in order if axis >= 0)
    return (*known, *(axis for axis in range(rank) if axis not in known))


@lru_cache(_CACHED)
def core(form: Form, shape: Shape) -> Form:
    """Return the axes whose order matters: all but those of extent 1.

    The first axis is among them: for other inputs, a batch of 1 is not of extent 1.
    """
    return tuple(axis for axis in form if axis == 0 or (axis > 0 and shape[axis] != 1))


@lru_cache(_CACHED)
def turns(one: Form, other: Form, shape: Shape) -> bool:
    """Return whether a tensor must be transposed, and not only reshaped, between two forms."""
    first, second = core(one, shape), core(other, shape)
    if shape and shape[0] == 1 and (0 in first) != (0 in second):
        return [axis for axis in first if axis] != [axis for axis in second if axis]
    return first != second


@lru_cache(_CACHED)
def extents(form: Form, shape: Shape) -> Shape:
    """Return the shape of a form of a tensor."""
    return tuple(shape[axis] if axis >= 0 else 1 for axis in form)


@lru_cache(_CACHED)
def with_units(order: Form, shape: Shape) -> Form:
    """Return an order of axes with the missing ones, each after the axis that it is next to."""
    form = [*order]
    for axis in range(len(shape)):
        if axis not in form:
            form.insert(form.index(axis - 1) + 1 if axis else 0, axis)
    return tuple(form)


def arranged(data: Array, form: Form) -> Array:
    """Return the elements of a tensor in a form of it."""
    rank = data.ndim
    if form == identity(rank):
        return data
    order = completed(form, rank)
    shape = extents(form, data.shape)
    result = np.ascontiguousarray(data.transpose(order)).reshape(shape)
    result.flags.writeable = False
    return result


def without_trailing_units(form: Form, shape: Shape) -> Form:
    """Return a form without the axes of extent 1 at its end, as operands are broadcast (4.2.2)."""
    length = len(form)
    while length > 1 and (form[length - 1] < 0 or shape[form[length - 1]] == 1):
        length -= 1
    return form[:length]


def kept_units(old: Form, new: Form, shape: Shape) -> tuple[list[int], list[int]]:
    """Return which axes of extent 1 are removed from one form, and added to get another one.

    Returns:
        Positions in the old form, and positions in the new one.
    """

    def is_unit(axis: int) -> bool:
        return axis < 0 or shape[axis] == 1

    removed: list[int] = []
    added: list[int] = []
    i = j = 0
    while i < len(old) or j < len(new):
        if i < len(old) and j < len(new) and old[i] == new[j]:
            i, j = i + 1, j + 1
        elif i < len(old) and is_unit(old[i]):
            removed.append(i)
            i += 1
        else:
            added.append(j)
            j += 1
    return removed, added


def positions(form: Form, axes: Sequence[int]) -> list[int]:
    """Return where a form has some axes."""
    return [form.index(axis) for axis in axes]
