"""A dictionary that does not change."""

from __future__ import annotations

from typing import Any, NoReturn

from nnefkit.errors import FrozenError


class FrozenDict(dict[str, Any]):
    """A dictionary that does not change once it is made; a copy (`dict(x)`, `x | {...}`) does."""

    __slots__ = ()

    def _refuse(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise FrozenError(
            "graphs and operations do not change in place",
            hint="Make a changed copy: graph.with_data(...), graph.with_outputs(...), or "
            "dataclasses.replace(operation, attribs=operation.attribs | {...}).",
        )

    __setitem__ = __delitem__ = _refuse
    update = setdefault = pop = popitem = clear = __ior__ = _refuse

    def __reduce__(self) -> tuple[object, ...]:
        return FrozenDict, (dict(self),)
