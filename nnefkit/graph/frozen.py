"""Immutable dictionaries, lists and data classes, with one error for all attempts to change."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from nnefkit.errors import FrozenError, UnknownNameError, did_you_mean

Class = TypeVar("Class", bound=type)


def frozen(cls: Class) -> Class:
    """Make a frozen data class raise a `FrozenError` when a field is assigned or deleted."""
    cls.__setattr__ = cls.__delattr__ = _refuse  # type: ignore[method-assign]
    return cls


def _refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise FrozenError(
        "graphs, operations and tensors cannot be changed in place",
        hint="Make a changed copy: graph.with_data(...), graph.with_outputs(...), or "
        "dataclasses.replace(operation, attribs=operation.attribs | {...}).",
    )


class FrozenDict(dict[str, Any]):
    """A dictionary that cannot be changed; copies of it (`dict(x)`, `x | {...}`) can be changed."""

    __slots__ = ()

    __setitem__ = __delitem__ = _refuse
    update = setdefault = pop = popitem = clear = __ior__ = _refuse

    def __missing__(self, name: object) -> NoReturn:
        known = list(self)
        listed = f"The names are: {', '.join(known)}." if 0 < len(known) <= 8 else ""
        raise UnknownNameError(
            f"there is no '{name}' here", hint=did_you_mean(name, known) or listed or "It is empty."
        )

    def __reduce__(self) -> tuple[object, ...]:
        return FrozenDict, (dict(self),)


class FrozenList(list[Any]):
    """A list that cannot be changed, so that operations can share it; copies of it can."""

    __slots__ = ()

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = extend = insert = remove = pop = clear = sort = reverse = _refuse

    def __reduce__(self) -> tuple[object, ...]:
        return FrozenList, (list(self),)
