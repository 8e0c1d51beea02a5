"""Check that the names in an ONNX model are valid UTF-8."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nnefkit.errors import InputError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto


def refuse_invalid_text(proto: ModelProto, path: str) -> None:
    """Check that all names are valid UTF-8; in damaged files, protobuf returns them as bytes.

    Raises:
        InputError: One of them is not.
    """
    graphs = [proto.graph]
    nodes: list[NodeProto] = [node for function in proto.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            nodes += graph.node
            _check(_names(graph), path)
        else:
            node = nodes.pop()
            _check((node.op_type, node.domain, node.name, *node.input, *node.output), path)
            for attribute in node.attribute:
                _check((attribute.name,), path)
                graphs += [attribute.g] if attribute.HasField("g") else attribute.graphs


def text_of(field: str | bytes) -> str:
    """Return a text that only people read; bytes of damaged files are replaced.

    Args:
        field: A field of a message.
    """
    return field if isinstance(field, str) else field.decode("utf-8", "replace")


def _names(graph: GraphProto) -> Iterator[Any]:
    yield graph.name
    for info in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        yield info.name
    for info in (*graph.input, *graph.output):
        if info.type.HasField("tensor_type"):
            yield from (d.dim_param for d in info.type.tensor_type.shape.dim)


def _check(names: tuple[Any, ...] | Iterator[Any], path: str) -> None:
    for name in names:
        if type(name) is not str:
            raise invalid_text(path, name)


def invalid_text(path: str, name: object = b"") -> InputError:
    """Return the error for a name that is not UTF-8."""
    shown = f": {name!r:.80}" if name else ""
    return InputError(
        f"the model has a name that is not UTF-8{shown}",
        hint="The file is damaged: copy or export the model again.",
        file=path,
    )
