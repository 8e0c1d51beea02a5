"""Functions: those of a model, which are inlined, and those that define ONNX operators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnefkit.errors import InputError
from nnefkit.exchange.source_value import Value

if TYPE_CHECKING:
    from onnx import (
        AttributeProto,
        FunctionProto,
        ModelProto,
        NodeProto,
        OperatorSetIdProto,
    )

_MAX_NODES = 200_000
"""Maximum number of nodes after inlining, since small files can expand to any number."""

_Key = tuple[str, str, str]
"""Domain, name and overload of a function."""


# -- functions of a model --------------------------------------------------------------------------


def inlined(model: ModelProto, path: str = "") -> ModelProto:
    """Return the model without functions.

    Raises:
        InputError: Its functions call each other in a cycle, or the model becomes too large.
    """
    from onnx import inliner

    if not model.functions:
        return model
    count = _inlined_size(model, path)
    if count > _MAX_NODES:
        raise InputError(
            f"the model has {count:,} nodes after inlining its functions; at most {_MAX_NODES:,} "
            "can be read",
            file=path,
        )
    try:
        return inliner.inline_local_functions(model, True)
    except Exception as error:
        raise InputError(
            f"the functions of the model cannot be inlined: {error}", file=path
        ) from error


def _inlined_size(model: ModelProto, path: str) -> int:
    """Return the number of nodes after inlining."""
    functions = {(f.domain, f.name, f.overload): f for f in model.functions}
    calls = {key: _called(function.node, functions) for key, function in functions.items()}
    sizes: dict[_Key, int] = {}
    while len(sizes) < len(functions):
        open_keys = [key for key in functions if key not in sizes]
        # Functions that call no others first, then those that call only functions with a size.
        ready = [key for key in open_keys if all(called in sizes for called in calls[key])]
        if not ready:
            names = ", ".join(sorted(name for _, name, _ in open_keys))
            raise InputError(f"functions of the model call themselves: {names}", file=path)
        for key in ready:
            sizes[key] = len(functions[key].node) + sum(sizes[called] for called in calls[key])
    called = _called(model.graph.node, functions)
    return len(model.graph.node) + sum(sizes[key] for key in called)


def _called(nodes: Iterable[NodeProto], functions: Mapping[_Key, FunctionProto]) -> list[_Key]:
    """Return the functions that nodes call, one entry for each call."""
    called = []
    for node in nodes:
        key = node.domain, node.op_type, node.overload
        if key in functions:
            called.append(key)
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                called += _called(graph.node, functions)
    return called


# -- operators that ONNX defines by functions------------------------------------------------------


@dataclass(frozen=True)
class FunctionBody:
    """The nodes that an operator consists of, with the attributes of its call filled in."""

    nodes: Sequence[NodeProto]
    inputs: Sequence[str]
    outputs: Sequence[str]
    opsets: Sequence[OperatorSetIdProto]


def has_definition(node: NodeProto, opset: int) -> bool:
    """Whether ONNX defines the operator of a node by a function."""
    schema = _schema(node, opset)
    return schema is not None and bool(schema.has_function or schema.has_context_dependent_function)


def definition_of(
    node: NodeProto, inputs: Sequence[Value | None], opset: int
) -> FunctionBody | None:
    """Return ONNX's definition of the operator of a node; None for a primitive operator."""
    schema = _schema(node, opset)
    function = None if schema is None else _function(schema, node, inputs, opset)
    if function is None:
        return None
    attributes = {
        name: attribute.default_value
        for name, attribute in schema.attributes.items()
        if attribute.default_value.type
    }
    attributes |= {attribute.name: attribute for attribute in function.attribute_proto}
    attributes |= {attribute.name: attribute for attribute in node.attribute}
    nodes = [_filled(part, attributes) for part in function.node]
    return FunctionBody(
        nodes, list(function.input), list(function.output), list(function.opset_import)
    )


def _schema(node: NodeProto, opset: int) -> Any:
    """Return the OpSchema of an operator, or None; onnx's type stubs lack most of its members."""
    from onnx import defs

    try:
        return defs.get_schema(node.op_type, opset, node.domain)
    except defs.SchemaError:
        return None


def _function(
    schema: Any, node: NodeProto, inputs: Sequence[Value | None], opset: int
) -> FunctionProto | None:
    """Return the function that defines an operator, in the version for an opset."""
    import onnx

    if schema.has_function:
        version = _version(schema.function_opset_versions, opset)
        text = schema.get_function_with_opset_version(version)
    elif schema.has_context_dependent_function:
        version = _version(schema.context_dependent_function_opset_versions, opset)
        types = [_serialized_type(value) for value in inputs]
        text = schema.get_context_dependent_function_with_opset_version(
            version, node.SerializeToString(), types
        )
    else:
        text = b""
    if not text:
        return None
    function = onnx.FunctionProto()
    function.ParseFromString(text)
    return function


def _version(versions: Sequence[int], opset: int) -> int:
    """Return the newest version that an opset has, else the oldest one."""
    return max((version for version in versions if version <= opset), default=min(versions))


def _serialized_type(value: Value | None) -> bytes:
    import onnx
    from onnx import helper

    type_ = onnx.TypeProto()
    if value is not None:
        element_type = helper.np_dtype_to_tensor_dtype(value.dtype)
        type_ = helper.make_tensor_type_proto(element_type, value.shape)
    data: bytes = type_.SerializeToString()
    return data


def _filled(node: NodeProto, attributes: Mapping[str, AttributeProto]) -> NodeProto:
    """Return a node with references to attributes of the call replaced by these."""
    import onnx

    filled = onnx.NodeProto()
    filled.CopyFrom(node)
    del filled.attribute[:]
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            filled.attribute.append(attribute)
        elif attribute.ref_attr_name in attributes:
            copy = onnx.AttributeProto()
            copy.CopyFrom(attributes[attribute.ref_attr_name])
            copy.name = attribute.name
            filled.attribute.append(copy)
    return filled
