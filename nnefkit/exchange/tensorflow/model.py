"""A TensorFlow model as plain data: its nodes, functions, signatures and variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nnefkit.exchange.tensorflow.checkpoint import Checkpoint


class TensorReference(NamedTuple):
    """An output of a node, or an argument of a function."""

    node: str
    output: int = 0
    argument: str = ""
    """The name of the group of outputs that `output` counts in, inside of functions."""

    def __str__(self) -> str:
        group = f":{self.argument}" if self.argument else ""
        return f"{self.node}{group}:{self.output}" if self.output or group else self.node


@dataclass(frozen=True, eq=False)
class NodeInfo:
    """A node of a graph or a function."""

    name: str
    operator: str
    inputs: tuple[TensorReference, ...]
    controls: tuple[str, ...]
    """The nodes that must have run before."""
    attributes: Any = field(repr=False)
    """Name -> `AttrValue`."""


Nodes = Mapping[str, NodeInfo]


@dataclass(frozen=True, eq=False)
class FunctionInfo:
    """A function of a graph."""

    name: str
    arguments: tuple[str, ...]
    results: tuple[TensorReference, ...]
    result_names: tuple[str, ...]
    nodes: Nodes = field(repr=False)


class NamedTensor(NamedTuple):
    """An input or output of a model."""

    name: str
    tensor: TensorReference
    shape: tuple[int, ...] | None = None
    """Its shape in the signature, with -1 for open extents; None if the rank is open."""
    data_type: int = 0


@dataclass(frozen=True, eq=False)
class NamedSignature:
    """Names for inputs and outputs of a graph."""

    key: str
    inputs: tuple[NamedTensor, ...]
    outputs: tuple[NamedTensor, ...]


@dataclass(frozen=True, eq=False)
class TensorflowModel:
    """A model that is ready to be read."""

    nodes: Nodes = field(repr=False)
    functions: Mapping[str, FunctionInfo] = field(repr=False)
    signatures: Mapping[str, NamedSignature]
    checkpoint: Checkpoint | None
    version: str
    """The version of TensorFlow that wrote it, if the file states it."""
    kind: str
    name: str
    path: str
    size: int
    """The size of the file of the graph in bytes."""
    data: bytes = field(default=b"", repr=False)
    """The bytes of a graph that is not a file."""
    inputs: tuple[NamedTensor, ...] = ()
    outputs: tuple[NamedTensor, ...] = ()
    signature: str = ""
    """The key of the signature that the inputs and outputs are those of, if they are."""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Name of an input -> its shape."""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of a variable -> the keys of the checkpoint that the graph restores it from."""


def reference(text: str, *, in_function: bool = False) -> TensorReference:
    """Return what the input of a node refers to: ``node``, ``node:1`` or ``node:output:1``."""
    parts = text.split(":")
    number = parts[-1]
    if len(parts) == 1:
        return TensorReference(text)
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return TensorReference(text)
    if len(parts) == 3 and in_function:
        return TensorReference(parts[0], int(number), parts[1])
    return TensorReference(":".join(parts[:-1]), int(number))


def node_info(message: Any, *, in_function: bool = False) -> NodeInfo:
    """Return a node, given its `NodeDef`."""
    inputs = [reference(i, in_function=in_function) for i in message.input if not i.startswith("^")]
    controls = [i[1:] for i in message.input if i.startswith("^")]
    return NodeInfo(message.name, message.op, tuple(inputs), tuple(controls), message.attr)


def function_info(message: Any) -> FunctionInfo:
    """Return a function, given its `FunctionDef`."""
    signature = message.signature
    names = [one.name for one in signature.output_arg]
    results = [reference(message.ret.get(name, name), in_function=True) for name in names]
    return FunctionInfo(
        signature.name,
        tuple(one.name for one in signature.input_arg),
        tuple(results),
        tuple(names),
        {node.name: node_info(node, in_function=True) for node in message.node_def},
    )


def attributes(node: NodeInfo) -> Mapping[str, Any]:
    """Return the attributes of a node as Python's values."""
    return _Attributes(node.attributes)


class _Attributes(Mapping[str, Any]):
    """Attributes, decoded when they are read."""

    def __init__(self, messages: Any) -> None:
        self._messages = messages

    def __getitem__(self, name: str) -> Any:
        if name not in self._messages:
            raise KeyError(name)
        return _decoded(self._messages[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._messages)

    def __len__(self) -> int:
        return len(self._messages)


def _decoded(message: Any) -> Any:
    kind = message.WhichOneof("alternative")
    if kind is None:
        return None
    value = getattr(message, kind)
    if kind == "s":
        return value.decode("utf-8", "replace")
    if kind == "func":
        return value.name
    if kind == "list":
        for name in ("i", "f", "b", "type", "shape", "tensor"):
            if len(getattr(value, name)):
                return [*getattr(value, name)]
        if len(value.func):
            return [each.name for each in value.func]
        return [each.decode("utf-8", "replace") for each in value.s]
    return value
