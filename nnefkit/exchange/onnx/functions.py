"""Operators that ONNX itself defines by other operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nnefkit.exchange.source_graph import Value


@dataclass(frozen=True)
class Function:
    """The body of an operator, its attributes filled in."""

    nodes: Sequence[Any]
    inputs: Sequence[str]
    outputs: Sequence[str]
    opsets: Sequence[Any]


def is_defined(node: Any, opset: int) -> bool:
    """Whether ONNX defines the operator of a node by others."""
    schema = _schema(node, opset)
    return schema is not None and bool(schema.has_function or schema.has_context_dependent_function)


def _schema(node: Any, opset: int) -> Any:
    from onnx import defs

    try:
        return defs.get_schema(node.op_type, opset, node.domain)
    except defs.SchemaError:
        return None


def expanded_function(node: Any, inputs: Sequence[Value | None], opset: int) -> Function | None:
    """What ONNX says that a node consists of; None if it is primitive."""
    schema = _schema(node, opset)
    proto = None if schema is None else _body(schema, node, inputs, opset)
    if proto is None:
        return None
    given = {attribute.name: attribute for attribute in node.attribute}
    defaults = {
        name: known.default_value
        for name, known in schema.attributes.items()
        if known.default_value.type
    }
    for default in proto.attribute_proto:
        defaults[default.name] = default
    nodes = [_filled(part, {**defaults, **given}) for part in proto.node]
    # In a body that depends on the node, names of inputs that are missing stand in nobody's scope.
    return Function(nodes, list(proto.input), list(proto.output), list(proto.opset_import))


def _body(schema: Any, node: Any, inputs: Sequence[Value | None], opset: int) -> Any:
    import onnx
    from onnx import helper

    def parsed(text: bytes) -> Any:
        function = onnx.FunctionProto()
        function.ParseFromString(text)
        return function

    if schema.has_function:
        versions = [v for v in schema.function_opset_versions if v <= opset]
        chosen = max(versions) if versions else min(schema.function_opset_versions)
        return parsed(schema.get_function_with_opset_version(chosen))
    if schema.has_context_dependent_function:
        types = []
        for value in inputs:
            kind = onnx.TypeProto()
            if value is not None:
                kind = helper.make_tensor_type_proto(
                    helper.np_dtype_to_tensor_dtype(value.kind), value.shape
                )
            types.append(kind.SerializeToString())
        versions = [v for v in schema.context_dependent_function_opset_versions if v <= opset]
        every = schema.context_dependent_function_opset_versions
        chosen = max(versions) if versions else min(every)
        text = schema.get_context_dependent_function_with_opset_version(
            chosen, node.SerializeToString(), types
        )
        return parsed(text) if text else None
    return None


def _filled(node: Any, given: dict[str, Any]) -> Any:
    """A node of a body with the attributes of the caller in the place of references to them."""
    import onnx

    filled = onnx.NodeProto()
    filled.CopyFrom(node)
    del filled.attribute[:]
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            filled.attribute.append(attribute)
        elif attribute.ref_attr_name in given:
            copy = onnx.AttributeProto()
            copy.CopyFrom(given[attribute.ref_attr_name])
            copy.name = attribute.name
            filled.attribute.append(copy)
    return filled
