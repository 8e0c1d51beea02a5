"""Layouts of spatial layers: channels after the batch, or as the last axis."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.exchange.mxnet.call import Call
from nnefkit.exchange.source_value import Value

_FIRST = {3: ("NCW",), 4: ("NCHW",), 5: ("NCDHW",)}
_LAST = {3: ("NWC",), 4: ("NHWC",), 5: ("NDHWC",)}
CHANNELS_LAST = "channels last"
"""The mark of a graph that has layers whose channels are the last axis."""


def is_channels_last(c: Call, x: Value) -> bool:
    """Return whether the channels are the last axis.

    Raises:
        Refusal: The layout is another one, or does not fit the rank of the input.
    """
    if x.rank not in _FIRST:
        c.invalid(f"its input has rank {x.rank}, not 3, 4 or 5")
    known = (*_FIRST[x.rank], *_LAST[x.rank])
    layout = c.text("layout", known[0], known)
    if layout in _LAST[x.rank]:
        c.graph.notes[CHANNELS_LAST] = True
        return True
    return False


def per_axis(c: Call, name: str, count: int, default: int, least: int) -> list[int]:
    """Return a number for each spatial axis.

    Raises:
        Refusal: There are others, or one is too small.
    """
    given = c.integers(name, [default] * count)
    if not given:
        given = [default] * count
    check(c, name, given, count, least)
    return given


def check(c: Call, name: str, given: Sequence[int], count: int, least: int) -> None:
    """Check the numbers of an attribute.

    Raises:
        Refusal: There is not one for each spatial axis, or one is too small.
    """
    if len(given) != count or min(given) < least:
        c.invalid(f"its '{name}' is {[*given]} for {count} spatial axes")
