"""The memory that constants may take, which are computed while a model is read."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from nnefkit.budget import current_budget, remedy
from nnefkit.exchange.refusal import refuse

_FREE = 4
"""The multiple of the size of the file that its constants may take without a budget."""
_MOST, _GROWTH = 2**26, 16
"""The number of elements of a constant that is computed, also as a multiple of the file's size."""


class Allowance:
    """The memory for constants that are computed while one model is read.

    Args:
        size: The size of its files in bytes.
        call: The call that reads it, for the hint.
    """

    def __init__(self, size: int, call: str) -> None:
        self._bytes = -float(_FREE * size)
        self._most = max(_MOST, _GROWTH * size)
        self._call = call

    def take(self, shape: Sequence[int], itemsize: int) -> None:
        """Count an array that is about to be computed.

        Raises:
            Refusal: All of them together take more memory than the budget in effect.
        """
        count = prod(map(float, shape))
        if count > self._most:
            refuse(
                f"it computes a constant of {count:,.0f} elements",
                "Compute it in the network, or use smaller extents.",
            )
        self._bytes += count * itemsize
        limits = current_budget()
        limit, attribute = limits.exceeded(0, self._bytes, 0)
        if limit:
            refuse(
                f"the constants of the model take more than {limit} to compute",
                remedy(attribute, self._call),
            )
