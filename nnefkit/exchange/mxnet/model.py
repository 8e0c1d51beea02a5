"""An MXNet network as plain data: the nodes of its symbol, and its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from nnefkit.exchange.mxnet.ndarray_file import Stored

VARIABLE = "null"
"""The operator of variables: inputs and parameters."""


class NodeOutput(NamedTuple):
    """An output of a node."""

    node: int
    place: int
    """Its position among the outputs."""


@dataclass(frozen=True, eq=False)
class SymbolNode:
    """A node of a symbol."""

    op: str
    name: str
    attributes: Mapping[str, str]
    inputs: tuple[NodeOutput, ...]
    outputs: tuple[str, ...]
    """The names of the outputs that other nodes may read, as MXNet names them."""
    occurrence: int = 1
    """Its number among the nodes of this name, which need not be unique."""


class Input(NamedTuple):
    """An input of a network."""

    name: str
    shape: tuple[int, ...] | None
    """None if neither the network nor the user states it."""
    dtype: np.dtype[Any]


@dataclass(frozen=True, eq=False)
class MxnetModel:
    """A network that is ready to be read."""

    name: str
    path: str
    params_path: str
    nodes: tuple[SymbolNode, ...]
    needed: tuple[int, ...]
    """The numbers of the nodes that the outputs depend on, in order."""
    outputs: tuple[tuple[str, NodeOutput], ...]
    inputs: Mapping[int, Input]
    """Number of a variable without parameters -> the input."""
    parameters: Mapping[str, Stored] = field(repr=False)
    version: int
    """The version of MXNet that wrote the symbol, 10901 for 1.9.1; 0 if it is older than 0.9."""
    size: int
    """The size of the files in bytes."""
    text: bytes = field(default=b"", repr=False)
    """The symbol as it is in its file."""
    data: bytes = field(default=b"", repr=False)
    """The file of the parameters."""
