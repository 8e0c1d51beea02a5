"""Types of expressions and parameters, and their implicit casts (3.3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Type:
    """A type. Compound types are interned by their makers, so most comparisons are by identity."""

    __slots__ = ("_array", "_tensor", "generic")

    def __init__(self, generic: bool = False) -> None:
        self.generic = generic
        """True if the generic ``?`` occurs in it."""
        self._array: ArrayType | None = None
        self._tensor: TensorType | None = None


class PrimitiveType(Type):
    """``integer``, ``scalar``, ``logical``, ``string`` or the generic ``?``."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__(generic=name == "?")
        self.name = name

    def __str__(self) -> str:
        return self.name


class SpecialType(Type):
    """A type that cannot be named in a declaration."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def __str__(self) -> str:
        return self.name


class TensorType(Type):
    """``tensor<element>``, or the unbound ``tensor<>`` where `element` is None."""

    __slots__ = ("element",)

    def __init__(self, element: PrimitiveType | None) -> None:
        super().__init__(generic=element is not None and element.generic)
        self.element = element

    def __str__(self) -> str:
        return f"tensor<{self.element or ''}>"


class ArrayType(Type):
    """``element[]``."""

    __slots__ = ("element",)

    def __init__(self, element: Type) -> None:
        super().__init__(generic=element.generic)
        self.element = element

    def __str__(self) -> str:
        depth, element = 0, self.element
        while isinstance(element, ArrayType):
            depth, element = depth + 1, element.element
        return f"{element}[]" + ("[]" * depth if depth < 20 else f"[]...({depth} more)")


class TupleType(Type):
    """``(first, second, ...)``."""

    __slots__ = ("depth", "elements")

    def __init__(self, elements: tuple[Type, ...]) -> None:
        super().__init__(generic=any(element.generic for element in elements))
        self.elements = elements
        self.depth = 1 + max(depth_of(element) for element in elements)

    def __str__(self) -> str:
        if self.depth > 20:
            return "(...)"
        return f"({', '.join(map(str, self.elements))})"


INTEGER = PrimitiveType("integer")
SCALAR = PrimitiveType("scalar")
LOGICAL = PrimitiveType("logical")
STRING = PrimitiveType("string")
GENERIC = PrimitiveType("?")
EMPTY = SpecialType("[]")
"""The type of the literal ``[]``."""
UNKNOWN = SpecialType("unknown")
"""The type of expressions with a reported error; matches every type, to avoid further errors."""

PRIMITIVES = {type_.name: type_ for type_ in (INTEGER, SCALAR, LOGICAL, STRING, GENERIC)}
OF_LITERAL: dict[type, Type] = {int: INTEGER, float: SCALAR, bool: LOGICAL, str: STRING}


def depth_of(type_: Type) -> int:
    """Return how deep tuples are nested in a type."""
    while isinstance(type_, ArrayType):
        type_ = type_.element
    return type_.depth if isinstance(type_, TupleType) else 0


def array_of(element: Type) -> Type:
    """Return ``element[]``."""
    if element is UNKNOWN:
        return UNKNOWN
    if element._array is None:
        element._array = ArrayType(element)
    return element._array


def tensor_of(element: PrimitiveType | None) -> TensorType:
    """Return ``tensor<element>``, the unbound ``tensor<>`` for None."""
    if element is None:
        return UNBOUND_TENSOR
    if element._tensor is None:
        element._tensor = TensorType(element)
    return element._tensor


UNBOUND_TENSOR = TensorType(None)
OPAQUE_TENSOR = TensorType(None)
"""The result type of an unknown operation: a tensor of any data type."""
_TUPLES: dict[tuple[Type, ...], TupleType] = {}


def tuple_of(elements: Iterable[Type]) -> TupleType:
    """Return ``(element, element, ...)``."""
    key = tuple(elements)
    type_ = _TUPLES.get(key)
    if type_ is None:
        type_ = TupleType(key)
        if len(_TUPLES) < 1000 and type_.depth < 4:
            _TUPLES[key] = type_
    return type_


SCALAR_TENSOR = tensor_of(SCALAR)


def castable(given: Type, wanted: Type) -> bool:
    """Return whether a type can be cast implicitly to another one (3.3.1)."""
    if given is wanted or given._tensor is wanted:
        return True
    stack = [(given, wanted)]
    while stack:
        given, wanted = stack.pop()
        if given is wanted or given is UNKNOWN or wanted is UNKNOWN:
            continue
        if isinstance(wanted, ArrayType) and isinstance(given, ArrayType):
            stack.append((given.element, wanted.element))
        elif isinstance(wanted, TupleType) and isinstance(given, TupleType):
            if len(given.elements) != len(wanted.elements):
                return False
            stack.extend(zip(given.elements, wanted.elements, strict=True))
        elif not _directly_castable(given, wanted):
            return False
    return True


def _directly_castable(given: Type, wanted: Type) -> bool:
    """Return whether a type that has no parts to compare can be cast to another."""
    if given is EMPTY:
        return isinstance(wanted, ArrayType)
    if not isinstance(wanted, TensorType):
        return wanted is GENERIC and isinstance(given, PrimitiveType)
    if isinstance(given, TensorType):
        element = given.element
    elif isinstance(given, PrimitiveType):
        element = given
    else:
        return False
    return (
        wanted.element is None
        or element is wanted.element
        or (wanted.element is GENERIC and element is not None)
        or given is OPAQUE_TENSOR
    )


def common_type(a: Type, b: Type) -> Type | None:
    """Return the one of two types that the other can be cast to, None if neither can (3.3.1)."""
    if a is b or a is UNKNOWN:
        return a
    if b is UNKNOWN:
        return b
    if castable(a, b):
        return b
    return a if castable(b, a) else None


def common_type_of(types: Iterable[Type]) -> Type | None:
    """Return the common type of all types, `EMPTY` if there are none, None if they have none."""
    common: Type | None = None
    for type_ in dict.fromkeys(types):
        common = type_ if common is None else common_type(common, type_)
        if common is None:
            return None
    return common or EMPTY


def bind(type_: Type, dtype: PrimitiveType) -> Type:
    """Return a type with `dtype` instead of the generic ``?``."""
    if not type_.generic:
        return type_
    depth = 0
    while isinstance(type_, ArrayType):
        depth, type_ = depth + 1, type_.element
    if isinstance(type_, TensorType):
        type_ = tensor_of(dtype)
    elif isinstance(type_, TupleType):
        type_ = tuple_of(bind(element, dtype) for element in type_.elements)
    else:
        type_ = dtype
    for _ in range(depth):
        type_ = array_of(type_)
    return type_


def opaque(type_: Type) -> Type:
    """Return a type with opaque tensors for generic ones, `UNKNOWN` for other generic types."""
    depth = 0
    while isinstance(type_, ArrayType):
        depth, type_ = depth + 1, type_.element
    result: Type = type_
    if type_.generic:
        result = OPAQUE_TENSOR if isinstance(type_, TensorType) else UNKNOWN
    for _ in range(depth):
        result = array_of(result)
    return result


def holds_opaque(type_: Type) -> bool:
    """Return whether a type contains an opaque tensor."""
    stack = [type_]
    while stack:
        type_ = stack.pop()
        while isinstance(type_, ArrayType):
            type_ = type_.element
        if type_ is OPAQUE_TENSOR:
            return True
        if isinstance(type_, TupleType):
            stack.extend(type_.elements)
    return False


def is_tensor(type_: Type) -> bool:
    """Return whether values of a type are tensors or consist of them, unlike attributes (3.3.1)."""
    stack = [type_]
    while stack:
        type_ = stack.pop()
        while isinstance(type_, ArrayType):
            type_ = type_.element
        if isinstance(type_, TensorType):
            return True
        if isinstance(type_, TupleType):
            stack.extend(type_.elements)
    return False


def deduce(given: Type, declared: Type) -> Iterable[PrimitiveType]:
    """Yield the types that ``?`` of a declared type denotes if a value has a given type."""
    stack = [(given, declared)]
    while stack:
        given, declared = stack.pop()
        if not declared.generic:
            continue
        if isinstance(declared, ArrayType):
            if isinstance(given, ArrayType):
                stack.append((given.element, declared.element))
        elif isinstance(declared, TupleType):
            if isinstance(given, TupleType):
                # Tuples of different lengths are reported as a type mismatch.
                stack.extend(zip(given.elements, declared.elements, strict=False))
        else:
            if isinstance(given, TensorType) and isinstance(declared, TensorType):
                given = given.element or UNKNOWN
            if isinstance(given, PrimitiveType):
                yield given


def dtype_of(type_: Type) -> str | None:
    """Return the name of the data type of a tensor or a primitive, None for other types."""
    if isinstance(type_, TensorType):
        return type_.element.name if type_.element else None
    return type_.name if isinstance(type_, PrimitiveType) else None


def type_of(value: Any) -> Type:
    """Return the type of a value that consists of int, float, bool, str, lists and tuples.

    It is `UNKNOWN` if the elements of a list have no common type.
    """
    if isinstance(value, list):
        common = common_type_of(type_of(element) for element in value)
        return UNKNOWN if common is None else EMPTY if not value else array_of(common)
    if isinstance(value, tuple):
        return tuple_of(type_of(element) for element in value)
    return OF_LITERAL.get(type(value), UNKNOWN)
