"""What a picture has to know of one operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class PlainOperation(NamedTuple):
    """One operation of a graph, as plain values."""

    name: str
    """The operation: ``"conv"``. Its family (and colour) follows from it."""
    inputs: Sequence[str]
    """Names of the tensors that it reads, those of variables and constants too."""
    outputs: Sequence[str]
    """Names of the tensors that it computes."""
    shapes: Sequence[Sequence[int] | None] = ()
    """Shapes of the tensors in `outputs`, None where not known."""
    scope: Sequence[str] = ()
    """The fragment calls that it came from, outermost first."""
    attributes: str = ""
    """Its attributes in a few words, see `vocabulary.brief`."""
