"""What a picture shows: boxes, and edges between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nnefkit.arrays import Shape


@dataclass(frozen=True, slots=True)
class Box:
    """One box of a picture."""

    kind: Literal["input", "output", "operation"]
    title: str
    """The operation that matters most in it, or what kind of block it is; the name of a tensor."""
    lines: Sequence[str]
    """What else there is to say, a line each."""
    operation: str
    """The operation whose family colours the box; empty for inputs and outputs."""
    operations: Sequence[int]
    """Numbers of the operations that it stands for."""
    count: int = 1
    """How often what it names is repeated in it."""
    parallel: bool = False
    """Whether the repeats stand side by side, and not one behind the other."""
    description: str = ""
    """In full words, for those who cannot see the picture."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Tensors that go from one box to another."""

    source: int
    target: int
    tensors: Sequence[str]
    shapes: Sequence[Shape | None]
    skips: bool = False
    """Whether there is a longer way between the two boxes."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes in a valid order, and the edges between them."""

    boxes: Sequence[Box]
    edges: Sequence[Edge]
    operations: int
    """How many operations the boxes stand for."""
    parameters: int
    """How many operations (no variables, no constants) were left out since they act on parameters
    alone."""
    omitted: int = 0
    """How many edges between distant boxes were left out since they would hide the others."""
