"""A Caffe2 network as plain data: its operators, and the values that they compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class BlobVersion(NamedTuple):
    """A value that a blob has: operators that write a blob again give it several values."""

    blob: str
    name: str
    """That of the blob; later values have a number after it, as in ``conv1#1``."""


@dataclass(frozen=True, eq=False)
class Caffe2Operator:
    """An operator, with the numbers of the values that it reads and computes."""

    type: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    message: Any = field(repr=False)
    """Its `OperatorDef`."""
    net: Any = field(repr=False)
    """The `NetDef` that it is a part of."""


class DeclaredInput(NamedTuple):
    """An input of the network."""

    shape: tuple[int, ...] | None
    """None if the files do not state it."""
    dtype: str


@dataclass(frozen=True, eq=False)
class Caffe2Model:
    """A network that is ready to be read."""

    name: str
    path: str
    """The path of the net that computes the outputs."""
    weights_path: str
    """The path of the net that makes the weights."""
    values: tuple[BlobVersion, ...]
    operators: tuple[Caffe2Operator, ...]
    """The operators that the outputs depend on, in order; those that make weights come first."""
    inputs: Mapping[int, DeclaredInput]
    outputs: tuple[tuple[str, int], ...]
    size: int
    """The size of the files in bytes."""
