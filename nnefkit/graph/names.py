"""Names of tensors and operations, as calls are handed them: one, or several."""

from __future__ import annotations

from collections.abc import Iterable

from nnefkit.errors import wrong_type


def expected_names(value: object, what: str) -> tuple[str, ...]:
    """One name or several as a tuple, each once; `what` is what messages call them.

    Raises:
        InputError: they are no names.
    """
    if isinstance(value, str):
        return (str(value),)
    if not isinstance(value, Iterable) or isinstance(value, bytes):
        raise wrong_type(what, "a name or a list of names", value)
    names = tuple(dict.fromkeys(value))
    for name in names:
        if not isinstance(name, str):
            raise wrong_type(what, "a name or a list of names", name)
    return names
