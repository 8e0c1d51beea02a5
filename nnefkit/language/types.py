"""Types of expressions and parameters, and what may be cast to what (3.3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Type:
    """A type. Compound types are interned by their makers, so most comparisons are by identity."""

    __slots__ = ("_array", "_tensor", "generic")

    def __init__(self, generic: bool = False) -> None:
        self.generic = generic
        """Whether the generic ``?`` occurs in it."""
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
    """A type that no declaration can name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def __str__(self) -> str:
        return self.name


class TensorType(Type):
    """``tensor<item>``, or the unbound ``tensor<>`` where `item` is None."""

    __slots__ = ("item",)

    def __init__(self, item: PrimitiveType | None) -> None:
        super().__init__(generic=item is not None and item.generic)
        self.item = item

    def __str__(self) -> str:
        return f"tensor<{self.item or ''}>"


class ArrayType(Type):
    """``item[]``."""

    __slots__ = ("item",)

    def __init__(self, item: Type) -> None:
        super().__init__(generic=item.generic)
        self.item = item

    def __str__(self) -> str:
        depth, item = 0, self.item
        while isinstance(item, ArrayType):
            depth, item = depth + 1, item.item
        return f"{item}[]" + ("[]" * depth if depth < 20 else f"[]...({depth} more)")


class TupleType(Type):
    """``(first, second, ...)``."""

    __slots__ = ("depth", "items")

    def __init__(self, items: tuple[Type, ...]) -> None:
        super().__init__(generic=any(item.generic for item in items))
        self.items = items
        self.depth = 1 + max(depth_of(item) for item in items)

    def __str__(self) -> str:
        if self.depth > 20:
            return "(...)"
        return f"({', '.join(map(str, self.items))})"


INTEGER = PrimitiveType("integer")
SCALAR = PrimitiveType("scalar")
LOGICAL = PrimitiveType("logical")
STRING = PrimitiveType("string")
GENERIC = PrimitiveType("?")
EMPTY = SpecialType("[]")
"""The type of the literal ``[]``."""
UNKNOWN = SpecialType("unknown")
"""The type of what was told to be wrong already: it fits everywhere, not to be told again."""

PRIMITIVES = {kind.name: kind for kind in (INTEGER, SCALAR, LOGICAL, STRING, GENERIC)}
OF_LITERAL: dict[type, Type] = {int: INTEGER, float: SCALAR, bool: LOGICAL, str: STRING}


def depth_of(kind: Type) -> int:
    """How deep tuples are nested in `kind`."""
    while isinstance(kind, ArrayType):
        kind = kind.item
    return kind.depth if isinstance(kind, TupleType) else 0


def array_of(item: Type) -> Type:
    """``item[]``."""
    if item is UNKNOWN:
        return UNKNOWN
    if item._array is None:
        item._array = ArrayType(item)
    return item._array


def tensor_of(item: PrimitiveType | None) -> TensorType:
    """``tensor<item>``."""
    if item is None:
        return UNBOUND_TENSOR
    if item._tensor is None:
        item._tensor = TensorType(item)
    return item._tensor


UNBOUND_TENSOR = TensorType(None)
OPAQUE_TENSOR = TensorType(None)
"""What an operation gives that is not known: it stands for a tensor of any data-type."""
_TUPLES: dict[tuple[Type, ...], TupleType] = {}


def tuple_of(items: Iterable[Type]) -> TupleType:
    """``(item, item, ...)``."""
    key = tuple(items)
    found = _TUPLES.get(key)
    if found is None:
        found = TupleType(key)
        if len(_TUPLES) < 1000 and found.depth < 4:
            _TUPLES[key] = found
    return found


SCALAR_TENSOR = tensor_of(SCALAR)


def castable(source: Type, target: Type) -> bool:
    """Whether a `source` may stand where a `target` is wanted, by the implicit casts of 3.3.1."""
    if source is target:
        return True
    stack = [(source, target)]
    while stack:
        given, wanted = stack.pop()
        if given is wanted or given is UNKNOWN or wanted is UNKNOWN:
            continue
        if isinstance(wanted, TensorType):
            item = given.item if isinstance(given, TensorType) else given
            if isinstance(given, (PrimitiveType, TensorType)) and (
                wanted.item is None
                or item is wanted.item
                or (wanted.item is GENERIC and item)
                or given is OPAQUE_TENSOR
            ):
                continue
            return False
        if wanted is GENERIC and isinstance(given, PrimitiveType):
            continue
        if isinstance(wanted, ArrayType):
            if given is EMPTY:
                continue
            if isinstance(given, ArrayType):
                stack.append((given.item, wanted.item))
                continue
        if isinstance(wanted, TupleType) and isinstance(given, TupleType):
            if len(given.items) != len(wanted.items):
                return False
            stack.extend(zip(given.items, wanted.items, strict=True))
            continue
        return False
    return True


def common_type(a: Type, b: Type) -> Type | None:
    """The type of the two that the other one can be cast to, None if there is none (3.3.1)."""
    if a is b or a is UNKNOWN:
        return a
    if b is UNKNOWN:
        return b
    if castable(a, b):
        return b
    return a if castable(b, a) else None


def common_type_of(kinds: Iterable[Type]) -> Type | None:
    """The common type of all `kinds`, `EMPTY` for none at all."""
    common: Type | None = None
    for kind in dict.fromkeys(kinds):
        common = kind if common is None else common_type(common, kind)
        if common is None:
            return None
    return common or EMPTY


def bind(kind: Type, dtype: PrimitiveType) -> Type:
    """`kind` with the generic ``?`` replaced by `dtype`."""
    if not kind.generic:
        return kind
    depth = 0
    while isinstance(kind, ArrayType):
        depth, kind = depth + 1, kind.item
    if isinstance(kind, TensorType):
        kind = tensor_of(dtype)
    elif isinstance(kind, TupleType):
        kind = tuple_of(bind(item, dtype) for item in kind.items)
    else:
        kind = dtype
    for _ in range(depth):
        kind = array_of(kind)
    return kind


def opaque(kind: Type) -> Type:
    """`kind` with its generic tensors opaque, `UNKNOWN` if anything else of it is generic."""
    depth = 0
    while isinstance(kind, ArrayType):
        depth, kind = depth + 1, kind.item
    found: Type = kind
    if kind.generic:
        found = OPAQUE_TENSOR if isinstance(kind, TensorType) else UNKNOWN
    for _ in range(depth):
        found = array_of(found)
    return found


def holds_opaque(kind: Type) -> bool:
    """Whether an opaque tensor is in `kind`."""
    stack = [kind]
    while stack:
        kind = stack.pop()
        while isinstance(kind, ArrayType):
            kind = kind.item
        if kind is OPAQUE_TENSOR:
            return True
        if isinstance(kind, TupleType):
            stack.extend(kind.items)
    return False


def is_tensor(kind: Type) -> bool:
    """Whether values of `kind` are tensors or are built of them: no attribute type (3.3.1)."""
    stack = [kind]
    while stack:
        kind = stack.pop()
        while isinstance(kind, ArrayType):
            kind = kind.item
        if isinstance(kind, TensorType):
            return True
        if isinstance(kind, TupleType):
            stack.extend(kind.items)
    return False


def deduce(given: Type, declared: Type) -> Iterable[PrimitiveType]:
    """The types that ``?`` of a `declared` type would have to be for a `given` one."""
    stack = [(given, declared)]
    while stack:
        given, declared = stack.pop()
        if not declared.generic:
            continue
        if isinstance(declared, ArrayType):
            if isinstance(given, ArrayType):
                stack.append((given.item, declared.item))
        elif isinstance(declared, TupleType):
            if isinstance(given, TupleType):
                # Tuples of different lengths are told as a type mismatch.
                stack.extend(zip(given.items, declared.items, strict=False))
        else:
            if isinstance(given, TensorType) and isinstance(declared, TensorType):
                given = given.item or UNKNOWN
            if isinstance(given, PrimitiveType):
                yield given


def dtype_of(kind: Type) -> str | None:
    """The name of the data-type of a tensor or a primitive, None for others."""
    if isinstance(kind, TensorType):
        return kind.item.name if kind.item else None
    return kind.name if isinstance(kind, PrimitiveType) else None


def type_of(value: Any) -> Type:
    """The type of a value made of int, float, bool, str, lists and tuples.

    `UNKNOWN` where items of a list have no common type.
    """
    if isinstance(value, list):
        common = common_type_of(type_of(item) for item in value)
        return UNKNOWN if common is None else EMPTY if not value else array_of(common)
    if isinstance(value, tuple):
        return tuple_of(type_of(item) for item in value)
    return OF_LITERAL.get(type(value), UNKNOWN)
