"""Identifiers and labels of NNEF for the names of other formats (3.1.3, 4.1.3)."""

from __future__ import annotations

import re

from nnefkit.graph.unused_names import Names

__all__ = ["Names", "identifier", "label"]

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
