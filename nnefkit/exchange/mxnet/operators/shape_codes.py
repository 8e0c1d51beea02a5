"""The codes in the shapes of MXNet's reshapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from nnefkit.exchange.mxnet.call import Call

_COPY, _INFER, _COPY_REST, _MERGE, _SPLIT = 0, -1, -2, -3, -4
_NUMPY = {-1: _INFER, -2: _COPY, -4: _COPY_REST, -5: _MERGE, -6: _SPLIT}
"""Code of MXNet 2 -> that of before."""
_NUMPY_DROP = -3
_DROP = -100


@dataclass
class CodedShape:
    """A shape, and how its extents are found."""

    extents: list[int] = field(default_factory=list)
    inferred: int | None = None
    copied: list[int] = field(default_factory=list)
    """The axes whose extents are those of the same axes of the input."""


def plain_shape(c: Call, old: Sequence[int], wanted: Sequence[int]) -> CodedShape:
    """Return a shape in which -1 stands for the rest.

    Raises:
        Refusal: It does not fit.
    """
    return _completed(c, old, CodedShape([*wanted]), wanted)


def legacy_shape(
    c: Call, old: Sequence[int], wanted: Sequence[int], keeps_first: bool
) -> CodedShape:
    """Return a shape in which 0 stands for the rest, as the first versions have it.

    Raises:
        Refusal: It does not fit.
    """
    shape = CodedShape([n or -1 for n in wanted])
    if keeps_first and old:
        shape.extents[0] = old[0]
        shape.copied = [0]
    return _completed(c, old, shape, wanted)


def coded_shape(
    c: Call, old: Sequence[int], wanted: Sequence[int], is_reverse: bool = False
) -> CodedShape:
    """Return a shape of numbers and codes.

    0 copies an extent, -1 infers one, -2 copies the rest, -3 merges two extents, and -4 splits one
    into the next two numbers.

    Args:
        c: The call of the operator.
        old: The shape of the input.
        wanted: The numbers and codes.
        is_reverse: Whether they count from the right.

    Raises:
        Refusal: It does not fit.
    """
    if is_reverse:
        if _SPLIT in wanted:
            c.refuse("it splits an extent, counted from the right", "Reshape with reverse=False.")
        turned = coded_shape(c, old[::-1], wanted[::-1])
        count = len(turned.extents)
        inferred = None if turned.inferred is None else count - 1 - turned.inferred
        return CodedShape(turned.extents[::-1], inferred)
    if len(wanted) > 64:
        c.invalid(f"its shape has {len(wanted)} numbers")
    return _completed(c, old, _Codes(c, old, wanted).shape(), wanted)


def numpy_coded_shape(
    c: Call, old: Sequence[int], wanted: Sequence[int], is_reverse: bool
) -> CodedShape:
    """Return a shape in the codes of MXNet 2; see `coded_shape`.

    Raises:
        Refusal: It does not fit.
    """
    translated = [_NUMPY.get(n, n) for n in wanted]
    if any(n < -6 or n == 0 for n in wanted):
        c.invalid(f"its shape is {[*wanted]}")
    codes = [_DROP if n == _NUMPY_DROP else t for n, t in zip(wanted, translated, strict=True)]
    return coded_shape(c, old, codes, is_reverse)


class _Codes:
    """The numbers of a shape, and how far the extents of the input are used."""

    def __init__(self, c: Call, old: Sequence[int], wanted: Sequence[int]) -> None:
        self._c = c
        self._old = [*old]
        self._wanted = [*wanted]
        self._place = 0
        self._result = CodedShape()

    def shape(self) -> CodedShape:
        result, number = self._result, 0
        while number < len(self._wanted):
            code = self._wanted[number]
            number += 1
            if code == _SPLIT:
                pair = self._wanted[number : number + 2]
                result.extents += self._split(pair)
                number += 2
            elif code == _COPY:
                self._copy(1)
            elif code == _COPY_REST:
                self._copy(max(len(self._old) - self._place, 0))
            elif code == _MERGE:
                result.extents.append(self._next() * self._next())
            elif code == _DROP:
                if self._next() != 1:
                    self._c.invalid("it drops an axis whose extent is not 1")
            elif code == _INFER or code > 0:
                result.extents.append(code)
                self._place += 1
            else:
                self._c.invalid(f"its shape is {self._wanted}")
        return result

    def _copy(self, count: int) -> None:
        result = self._result
        for _ in range(count):
            if self._place == len(result.extents):
                result.copied.append(self._place)
            result.extents.append(self._next())

    def _split(self, pair: list[int]) -> list[int]:
        extent = self._next()
        if len(pair) == 2 and pair.count(-1) == 1 and max(pair) > 0 and extent % max(pair) == 0:
            pair = [extent // max(pair) if n == -1 else n for n in pair]
        if len(pair) != 2 or min(pair) < 1 or prod(pair) != extent:
            self._c.invalid(f"it splits an extent of {extent} into {pair}")
        return pair

    def _next(self) -> int:
        if self._place >= len(self._old):
            self._c.invalid(f"its shape is {self._wanted} for an input of shape {self._old}")
        self._place += 1
        return self._old[self._place - 1]


def _completed(c: Call, old: Sequence[int], shape: CodedShape, wanted: Sequence[int]) -> CodedShape:
    """Return a shape whose one unknown extent is inferred from the number of elements."""
    extents = shape.extents
    if extents.count(-1) == 1:
        rest = prod(n for n in extents if n != -1)
        shape.inferred = extents.index(-1)
        if rest > 0 and prod(old) % rest == 0:
            extents[shape.inferred] = prod(old) // rest
    if min(extents, default=1) < 1 or prod(extents) != prod(old):
        c.invalid(f"its shape is {[*wanted]} for an input of shape {[*old]}")
    return shape
