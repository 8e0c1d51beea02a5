"""A Torch7 network as plain data: its outermost module, and the shapes of its inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nnefkit.exchange.torch7.objects import TorchObject


@dataclass(frozen=True)
class InputInfo:
    """An input of a network."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Torch7Model:
    """A network that is ready to be read."""

    name: str
    path: str
    module: TorchObject = field(repr=False)
    inputs: Any
    """An `InputInfo`, or for a table a list of them, which may have lists in it."""
    outputs: tuple[str, ...]
    """Names of modules whose results are wanted; empty for that of the whole network."""
    size: int
    """The size of the file in bytes."""
    data: bytes = field(repr=False)
    is_text: bool
    entry: str = ""
    """The entry of the table that has the network, if the file has a table."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name of each input -> its shape."""
        return {each.name: each.shape for each in _flat(self.inputs)}


def _flat(tree: Any) -> list[InputInfo]:
    return [each for part in tree for each in _flat(part)] if isinstance(tree, list) else [tree]
