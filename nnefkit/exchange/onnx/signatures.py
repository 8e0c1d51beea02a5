"""What ONNX requires of the inputs and attributes of a node."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from nnefkit.exchange.onnx.call import INVALID
from nnefkit.exchange.refusal import Refusal

if TYPE_CHECKING:
    from onnx import NodeProto


_NEWEST = 2**31 - 1
"""The largest version that ONNX takes."""


class _Requirements(NamedTuple):
    """The inputs and attributes without which an operator has no meaning."""

    inputs: frozenset[int] = frozenset()
    variadic: int | None = None
    """The index of the first of any number of inputs; all of them must be given."""
    attributes: tuple[str, ...] = ()


def refuse_incomplete(node: NodeProto, version: int) -> None:
    """Check that a node has the inputs and attributes that its operator requires.

    ONNX Runtime ends the process at the first use of some missing inputs.

    Args:
        node: A node of any domain; nothing is required of unknown operators.
        version: The version of the domain.

    Raises:
        Refusal: One of them is missing.
    """
    required = _required(node.op_type, node.domain, version)
    for index in required.inputs:
        if index >= len(node.input) or not node.input[index]:
            raise Refusal(f"its input {index} is missing", INVALID)
    if required.variadic is not None:
        for index, name in enumerate(node.input):
            if index >= required.variadic and not name:
                raise Refusal(f"its input {index} is missing", INVALID)
    if required.attributes:
        given = {attribute.name for attribute in node.attribute}
        for name in required.attributes:
            if name not in given:
                raise Refusal(f"its attribute '{name}' is missing", INVALID)


@cache
def _required(operator: str, domain: str, version: int) -> _Requirements:
    from onnx import defs

    try:
        domain = "" if domain == "ai.onnx" else domain
        schema = defs.get_schema(operator, max(0, min(version, _NEWEST)), domain)
    except defs.SchemaError:
        return _Requirements()
    options = [parameter.option for parameter in schema.inputs]
    single, variadic = defs.OpSchema.FormalParameterOption.Single, None
    if options and options[-1] == defs.OpSchema.FormalParameterOption.Variadic:
        variadic = len(options) - 1
    return _Requirements(
        frozenset(
            index
            for index, option in enumerate(options)
            if option == single or (index == variadic and schema.min_input > index)
        ),
        variadic,
        tuple(name for name, attribute in schema.attributes.items() if attribute.required),
    )
