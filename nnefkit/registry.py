"""Registries: functions under the names of what they implement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Registry(dict[str, Callable[..., Any]]):
    """Functions by name, added with a decorator.

    Example:
        >>> shape_rules = Registry()
        >>> @shape_rules.register("relu", "sigmoid")
        ... def unary_shape(x):
        ...     return x
        >>> sorted(shape_rules)
        ['relu', 'sigmoid']
    """

    def register(self, *names: str) -> Callable[[F], F]:
        """Return a decorator that registers a function under each of `names`.

        Raises:
            ValueError: a name is registered already.
        """

        def add(function: F) -> F:
            for name in names:
                if name in self:
                    raise ValueError(f"'{name}' is registered twice")
                self[name] = function
            return function

        return add
