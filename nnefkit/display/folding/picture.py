"""The content of a picture: boxes, and edges between them."""

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
    """Its most important operation, or the kind of block; of inputs and outputs, their name."""
    lines: Sequence[str]
    """Further descriptions."""
    operation: str
    """The operation whose family determines the color; empty for inputs and outputs."""
    operations: Sequence[int]
    """Numbers of the operations that it represents."""
    count: int = 1
    """Number of repetitions of what it names."""
    parallel: bool = False
    """True if the repetitions are side by side, not one after the other."""
    description: str = ""
    """A full description, for readers who cannot see the picture."""
    mark: str = ""
    """Why it is outlined in red: "guilty: conv8"."""
    value: str = ""
    """What an overlay shows of it, in words."""
    level: int = 0
    """Its class in the overlay, the number of a color of `Theme.levels`; 0 for none."""
    tensors: Sequence[str] = ()
    """Names of the tensors that leave it, for the title of its box."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Tensors that go from one box to another."""

    source: int
    target: int
    tensors: Sequence[str]
    shapes: Sequence[Shape | None]
    skips: bool = False
    """True if a longer path connects the two boxes as well."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes in a valid order, and the edges between them."""

    boxes: Sequence[Box]
    edges: Sequence[Edge]
    operations: int
    """Number of operations that the boxes represent."""
    parameters: int
    """Number of operations (without variables and constants) that are not drawn as they act only
    on parameters."""
    omitted: int = 0
    """Number of edges between distant boxes that are not drawn as they would hide others."""
