"""Targets: the order of the axes in which spatial operations are computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nnefkit.execution.layout.forms import Form, channels_last, identity


@dataclass(frozen=True)
class LayoutTarget:
    """What computes the new graph.

    Its spatial operations have the batch first, and channels in the second place or in the last.
    """

    is_channels_last: bool = False
    axis_is_last: frozenset[str] = frozenset()
    """Operations along one axis that are computed only where it is the last one."""
    operands: Mapping[str, int] = field(default_factory=dict)
    """Spatial operation -> number of the tensors that it reads in that order; 1 by default."""

    def order(self, rank: int) -> Form:
        """Return the order of the axes of a tensor that a spatial operation reads or computes."""
        return channels_last(rank) if self.is_channels_last else identity(rank)

    def channel(self, rank: int) -> int:
        """Return the position of channels in this order."""
        return rank - 1 if self.is_channels_last else 1


CHANNELS_FIRST = LayoutTarget()
"""As NNEF has them."""
