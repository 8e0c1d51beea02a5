"""The types of values, determined by inspection: ``tensor`` does not state its data type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnefkit.graph import Identifier
from nnefkit.language.elaboration.scopes import ABSTRACT, TypedValue
from nnefkit.language.syntax.trampoline import Call, run
from nnefkit.language.types import (
    EMPTY,
    OF_LITERAL,
    UNBOUND_TENSOR,
    UNKNOWN,
    ArrayType,
    PrimitiveType,
    TupleType,
    Type,
    array_of,
    common_type_of,
    tensor_of,
    tuple_of,
)


class ValueTypes:
    """Inspection of the types of values.

    Args:
        data_type: Returns the data type of a tensor, None if it is unknown.
    """

    def __init__(self, data_type: Callable[[Any], PrimitiveType | None]) -> None:
        self._data_type = data_type

    def typed(self, value: TypedValue) -> TypedValue:
        """Return the value with its actual type, where the declared one is vague."""
        if value.value is ABSTRACT or loose(value.type) is value.type is not UNKNOWN:
            return value
        return TypedValue(value.value, run(self._type_of(value.value)))

    def _type_of(self, value: Any) -> Call[Type]:
        if isinstance(value, Identifier):
            data_type = self._data_type(value)
            return UNKNOWN if data_type is None else tensor_of(data_type)
        if isinstance(value, list):
            array_type: Type = yield self._array_type(value)
            return array_type
        if isinstance(value, tuple):
            types: list[Type] = []
            for element in value:
                type_: Type = yield self._type_of(element)
                types.append(type_)
            return tuple_of(types)
        return OF_LITERAL.get(type(value), UNKNOWN)

    def _array_type(self, array: list[Any]) -> Call[Type]:
        # Arrays can be long, but have few different tensors.
        types: list[Type] = [OF_LITERAL[t] for t in set(map(type, array)) if t in OF_LITERAL]
        tensors = {element for element in array if isinstance(element, Identifier)}
        nested = [element for element in array if isinstance(element, (list, tuple))]
        if not types and not tensors and not nested:
            return EMPTY
        for element in (*tensors, *nested):
            type_: Type = yield self._type_of(element)
            types.append(type_)
        return array_of(common_type_of(types) or UNKNOWN)


def loose(type_: Type) -> Type:
    """Return the type with UNKNOWN in place of tensors without a data type."""
    return run(_loose(type_))


def _loose(type_: Type) -> Call[Type]:
    if isinstance(type_, ArrayType):
        element = yield _loose(type_.element)
        return type_ if element is type_.element else array_of(element)
    if isinstance(type_, TupleType):
        elements: list[Type] = []
        for part in type_.elements:
            element_type: Type = yield _loose(part)
            elements.append(element_type)
        same = all(a is b for a, b in zip(elements, type_.elements, strict=True))
        return type_ if same else tuple_of(elements)
    return UNKNOWN if type_ is UNBOUND_TENSOR else type_
