"""Symbols (``-symbol.json``): the nodes of a network in JSON, in the forms of all versions.

The parameters of operators are in ``attrs``; in ``attr`` before version 1.0; and in ``param``
before 0.9, where ``attr`` has what users note.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from nnefkit.errors import InputError, StorageError
from nnefkit.exchange.mxnet.model import VARIABLE, NodeOutput, SymbolNode
from nnefkit.exchange.mxnet.output_names import output_names

_MAX_ATTRIBUTES = 4096
_MAX_OUTPUTS = 1 << 20
_WITH_STATES = {
    "BatchNorm": ("gamma", "beta", "moving_mean", "moving_var"),
    "BatchNorm_v1": ("gamma", "beta", "moving_mean", "moving_var"),
    "CuDNNBatchNorm": ("gamma", "beta", "moving_mean", "moving_var"),
}
"""Operators whose states are not inputs before version 0.9 -> their inputs after the first."""
_WITH_FLAT_AXIS = frozenset(("argmax", "argmin"))
_NO_FLAT_AXIS = 905
"""The version since which the axis -1 is the last one, and not all of them."""


@dataclass(frozen=True)
class Symbol:
    """The nodes of a network, and its outputs."""

    nodes: tuple[SymbolNode, ...]
    heads: tuple[NodeOutput, ...]
    version: int
    """That of MXNet, 10901 for 1.9.1; 0 if it is not in the file."""


def read_symbol(data: bytes, path: str) -> Symbol:
    """Read a symbol.

    Args:
        data: The file.
        path: Its path, for messages.

    Raises:
        InputError: It is not a symbol, or its nodes do not fit together.
        StorageError: It is not JSON.
    """
    try:
        root = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StorageError(
            f"the file is not JSON: {error}",
            hint="The first file is the symbol (-symbol.json), the second one has the parameters "
            "(.params).",
            file=path,
        ) from None
    if not isinstance(root, dict) or not isinstance(root.get("nodes"), list):
        raise InputError(
            "the file is not a symbol of MXNet: it has no nodes",
            hint="Give the file of Symbol.save or HybridBlock.export (-symbol.json).",
            file=path,
        )
    return _SymbolReader(root, path).symbol()


class _SymbolReader:
    """Reads the parts of a symbol."""

    def __init__(self, root: Mapping[str, Any], path: str) -> None:
        self._root = root
        self._path = path
        self._nodes: list[SymbolNode] = []
        self._names: Counter[str] = Counter()
        self._outputs = 0
        """The number of outputs so far: a few characters can state many."""

    def symbol(self) -> Symbol:
        version = self._version()
        originals: list[int] = []
        """Number of a node in the file -> its number among all, as states are added."""
        for number, written in enumerate(self._root["nodes"]):
            node = self._node(written, number, originals, version)
            originals.append(len(self._nodes))
            self._nodes.append(node)
        heads = self._root.get("heads")
        if not isinstance(heads, list) or not heads:
            self._invalid("it has no outputs ('heads')")
        entries = tuple(self._entry(head, originals, "an output") for head in heads)
        return Symbol(tuple(self._nodes), entries, version)

    def _version(self) -> int:
        attributes = self._root.get("attrs")
        given = attributes.get("mxnet_version") if isinstance(attributes, dict) else None
        number = given[1] if isinstance(given, list) and len(given) == 2 else 0
        return number if isinstance(number, int) and not isinstance(number, bool) else 0

    def _node(self, written: Any, number: int, originals: list[int], version: int) -> SymbolNode:
        if not isinstance(written, dict):
            self._invalid(f"its node {number} is not an object")
        op, name = written.get("op"), written.get("name")
        if not isinstance(op, str) or not isinstance(name, str):
            self._invalid(f"its node {number} has no operator, or no name")
        read = written.get("inputs", [])
        if not isinstance(read, list):
            self._invalid(f"the inputs of its node '{name}' are not a list")
        inputs = [self._entry(entry, originals, f"the node '{name}'") for entry in read]
        inputs += self._states(op, name, len(inputs))
        attributes = self._attributes(written, name)
        if op in _WITH_FLAT_AXIS and version < _NO_FLAT_AXIS and attributes.get("axis") == "-1":
            del attributes["axis"]
        names = (name,) if op == VARIABLE else output_names(op, name, attributes)
        self._names[name] += 1
        self._outputs += len(names)
        if self._outputs > _MAX_OUTPUTS:
            self._invalid(f"its nodes have more than {_MAX_OUTPUTS:,} outputs")
        return SymbolNode(op, name, attributes, tuple(inputs), names, self._names[name])

    def _states(self, op: str, name: str, count: int) -> list[NodeOutput]:
        """Return variables for the states that old symbols leave out."""
        missing = _WITH_STATES.get(op, ())[max(count - 1, 0) :] if count > 1 else ()
        added = []
        for role in missing:
            added.append(NodeOutput(len(self._nodes), 0))
            state = f"{name}_{role}"
            self._nodes.append(SymbolNode(VARIABLE, state, {}, (), (state,)))
        return added

    def _attributes(self, written: Mapping[str, Any], name: str) -> dict[str, str]:
        keys = ("param",) if "param" in written else ("attr", "attrs")
        attributes: dict[str, str] = {}
        for key in keys:
            given = written.get(key) or {}
            if not isinstance(given, dict) or len(given) > _MAX_ATTRIBUTES:
                self._invalid(f"the attributes of its node '{name}' are not an object")
            attributes |= {str(one): str(value) for one, value in given.items()}
        return attributes

    def _entry(self, written: Any, originals: list[int], what: str) -> NodeOutput:
        is_entry = isinstance(written, list) and 2 <= len(written) <= 3
        if not is_entry or not all(type(part) is int for part in written):
            self._invalid(f"{what} reads {json.dumps(written)[:80]}, which is not an output")
        number, index = written[:2]
        if not 0 <= number < len(originals) or index < 0:
            self._invalid(f"{what} reads the node {number}, which is not before it")
        return NodeOutput(originals[number], index)

    def _invalid(self, reason: str) -> NoReturn:
        raise InputError(
            f"the symbol is not valid: {reason}",
            hint="Save it again by MXNet (Symbol.save, HybridBlock.export).",
            file=self._path,
        )
