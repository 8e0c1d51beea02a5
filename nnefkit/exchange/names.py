"""Identifiers and labels of NNEF for the names of other formats (3.1.3, 4.1.3)."""

from __future__ import annotations

import re
from collections.abc import Callable

_RESERVED = frozenset(
    ("version", "extension", "graph", "fragment", "tensor", "integer", "scalar", "logical")
).union(
    ("string", "true", "false", "for", "in", "if", "else", "yield", "length_of", "shape_of"),
    ("range_of",),
)


def identifier(name: str) -> str:
    """Return a valid identifier that is as close to `name` as possible."""
    name = _first(name)
    clean = re.sub(r"_{2,}", "_", re.sub(r"[^A-Za-z0-9_]", "_", name)).strip("_") or "tensor"
    if clean[0].isdigit():
        clean = f"t{clean}"
    return f"{clean}_" if clean in _RESERVED else clean


def label(name: str) -> str:
    """Return a valid label; the parts of a path with dots or slashes become folders."""
    parts = re.split(r"[./\\:]+", _first(name))
    clean = [re.sub(r"[^A-Za-z0-9_-]", "_", part) for part in parts]
    return "/".join(part for part in clean if part) or "variable"


def _first(name: str) -> str:
    """Return the first of several names, which converters join by semicolons when they fuse."""
    return name.split(";")[0] or name


class Names:
    """A set of names in use; case is ignored on request, for names of files."""

    def __init__(self, *, fold_case: bool = False) -> None:
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}
        self._fold_case = fold_case

    def unused(self, wanted: str, is_refused: Callable[[str], bool] = lambda _: False) -> str:
        """Return `wanted`, with the first number appended that makes it unique if it is in use.

        Args:
            wanted: The name to start with.
            is_refused: Whether a name must not be used though it is not in use.
        """
        name = wanted
        while self._key(name) in self._taken or is_refused(name):
            self._counts[wanted] = self._counts.get(wanted, 0) + 1
            name = f"{wanted}_{self._counts[wanted]}"
        self._taken.add(self._key(name))
        return name

    def _key(self, name: str) -> str:
        return name.lower() if self._fold_case else name
