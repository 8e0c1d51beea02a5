"""Values that do not change, and say so."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from nnefkit.errors import FrozenError, UnknownNameError, did_you_mean

Kind = TypeVar("Kind", bound=type)


def frozen(kind: Kind) -> Kind:
    """Lets a frozen data class refuse a change in the way in which all of us do."""
    kind.__setattr__ = kind.__delattr__ = _refuse  # type: ignore[method-assign]
    return kind


def _refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise FrozenError(
        "graphs, operations and tensors do not change in place",
        hint="Make a changed copy: graph.with_data(...), graph.with_outputs(...), or "
        "dataclasses.replace(operation, attribs=operation.attribs | {...}).",
    )


class FrozenDict(dict[str, Any]):
    """A dictionary that does not change once it is made; a copy (`dict(x)`, `x | {...}`) does."""

    __slots__ = ()

    __setitem__ = __delitem__ = _refuse
    update = setdefault = pop = popitem = clear = __ior__ = _refuse

    def __missing__(self, name: object) -> NoReturn:
        known = list(self)
        few = f"There are: {', '.join(known)}." if 0 < len(known) <= 8 else ""
        raise UnknownNameError(
            f"there is no '{name}' here", hint=did_you_mean(name, known) or few or "It is empty."
        )

    def __reduce__(self) -> tuple[object, ...]:
        return FrozenDict, (dict(self),)


class FrozenList(list[Any]):
    """A list that does not change once it is made, so that operations can share it; copies do."""

    __slots__ = ()

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = extend = insert = remove = pop = clear = sort = reverse = _refuse

    def __reduce__(self) -> tuple[object, ...]:
        return FrozenList, (list(self),)
