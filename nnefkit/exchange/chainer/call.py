"""Calls of Chainer's functions.

A reader takes a `Call` and returns the values that the function computes: one, or a list of them.
"""

from __future__ import annotations

from typing import Any

from nnefkit.exchange.dumped.call import DumpedCall
from nnefkit.exchange.source_value import Value
from nnefkit.registry import Registry

READERS = Registry()
"""Class of a function -> its reader."""
function = READERS.register


class Call(DumpedCall):
    """A function of a graph."""

    def pair(self, vertical: str, horizontal: str, default: Any = None) -> list[int]:
        """Return two parameters, for the height and the width.

        Raises:
            Refusal: One is missing, or not an integer.
        """
        if default is None:
            return [self.integer(vertical), self.integer(horizontal)]
        return [self.integer(vertical, default), self.integer(horizontal, default)]

    def image(self) -> Value:
        """Return the first input, which must be a batch of images.

        Raises:
            Refusal: It is something else.
        """
        return self.ranked(0, 4)
