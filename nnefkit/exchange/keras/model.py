"""Keras models, read: networks of layers, the calls of these, and their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nnefkit.arrays import Array


class TensorRef(NamedTuple):
    """A result of a call of a layer."""

    layer: str
    """The name of the layer, or of the input."""
    call: int
    """Which of the calls of the layer computes it."""
    result: int


class LayerCall(NamedTuple):
    """A call of a layer; `TensorRef` stands for its tensors, at any depth of lists."""

    args: Sequence[Any]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class LayerInfo:
    """A layer, an operation, or a network that is called as a layer."""

    name: str
    kind: str
    """The key of its reader: the name of its class, ``ops.Name`` for an operation."""
    class_name: str
    config: Mapping[str, Any]
    calls: Sequence[LayerCall] = ()
    network: LayerNetwork | None = None
    """The layers of a network."""
    problem: str = ""
    """Why it is not one of Keras' own layers."""


@dataclass(frozen=True, eq=False)
class LayerNetwork:
    """Layers, and which of their results are inputs and outputs."""

    name: str
    layers: Mapping[str, LayerInfo]
    """Name -> layer."""
    inputs: Sequence[TensorRef]
    outputs: Sequence[tuple[str, TensorRef]]
    """Name of an output -> what it is; empty names for those of a list."""
    is_sequential: bool = False


class NamedArray(NamedTuple):
    """A stored weight."""

    name: str
    data: Array


@dataclass(frozen=True)
class KerasModel:
    """A model, opened: its network, and where its weights are."""

    network: LayerNetwork
    variables: Mapping[str, Mapping[str, Array]]
    """Path of a layer -> name of a variable -> its elements."""
    version: str
    """The version of Keras that wrote it."""
    path: str = ""
    size: int = 0
    """The size of its files in bytes."""
    live: Any = field(default=None, repr=False)
    """The model itself, of an installed Keras."""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Name of an input -> its shape."""

    @property
    def name(self) -> str:
        """The name of the network."""
        return self.network.name

    @property
    def is_keras_2(self) -> bool:
        """Whether Keras 2 wrote it, some of whose functions are others."""
        return self.version.startswith(("1.", "2."))
