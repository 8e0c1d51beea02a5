"""The facts about an operation that a picture needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class PlainOperation(NamedTuple):
    """One operation of a graph, as plain values."""

    name: str
    """The operation: ``"conv"``."""
    inputs: Sequence[str]
    """Names of the tensors that it reads, including variables and constants."""
    outputs: Sequence[str]
    """Names of the tensors that it computes."""
    shapes: Sequence[Sequence[int] | None] = ()
    """Shapes of the tensors in `outputs`, None if unknown."""
    scope: Sequence[str] = ()
    """The fragment calls that contain it, outermost first."""
    attributes: str = ""
    """Its attributes in a few words, see `vocabulary.brief`."""
