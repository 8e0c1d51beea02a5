"""A Caffe network as plain data: its layers, and the values that they compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class ValueInfo(NamedTuple):
    """A value that a blob has: layers that compute in place give one blob several values."""

    blob: str
    name: str
    """That of the blob, or for later values that of the layer."""


@dataclass(frozen=True, eq=False)
class CaffeLayer:
    """A layer, with the numbers of the values that it reads and computes."""

    name: str
    type: str
    bottoms: tuple[int, ...]
    tops: tuple[int, ...]
    message: Any = field(repr=False)
    """Its `LayerParameter`, or its `V1LayerParameter`."""
    blobs: tuple[Any, ...] = field(repr=False)
    """The `BlobProto` of each of its weights."""
    shared: tuple[str, ...] = ()
    """The names under which it shares its weights with other layers; empty for the others."""
    unknown: tuple[str, ...] = ()
    """Its parameters that Caffe does not have."""


@dataclass(frozen=True, eq=False)
class CaffeModel:
    """A network that is ready to be read."""

    name: str
    path: str
    values: tuple[ValueInfo, ...]
    layers: tuple[CaffeLayer, ...]
    """The layers that the outputs depend on, in order."""
    inputs: tuple[int, ...]
    outputs: tuple[tuple[str, int], ...]
    shapes: Mapping[int, tuple[int, ...]]
    """Number of an input -> its shape."""
    readers: Mapping[int, int]
    """Number of a value -> the number of layers and outputs that read it."""
    size: int
    """The size of the files in bytes."""
    is_old: bool
    """Whether it is written in the older form (V1)."""
    weights_path: str = ""
    text: bytes = field(default=b"", repr=False)
    """The bytes of the network and of its weights, unless both are files."""
    weights: bytes = field(default=b"", repr=False)
    has_weights: bool = False
    """Whether there is a file of weights."""
