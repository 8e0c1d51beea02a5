"""Assignments in tract's dialect, rewritten to what the standard calls the same."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from nnefkit.language.report import Report
from nnefkit.language.syntax.tree import (
    Argument,
    ArrayOrTuple,
    Assignment,
    Constant,
    Invocation,
    Name,
)
from nnefkit.language.types import PRIMITIVES, array_of

EXTERNAL = "tract_core_external"
_DTYPES = {"f32": "scalar", "i64": "integer", "bool": "logical"}
"""Datum types of tract that are those of the standard as nnefkit computes them."""


def rewritten(assignment: Assignment, report: Report, symbols: Container[str]) -> Assignment:
    """Return an assignment with an external or a constant of the standard in place of tract's.

    Args:
        assignment: An assignment of the graph.
        report: Takes the errors: a datum type or an extent that cannot be read.
        symbols: The names of the symbols that the document declares.
    """
    value = assignment.value
    if type(value) is Invocation and value.name == EXTERNAL:
        return assignment._replace(value=_external(value, report, symbols))
    if type(value) is Constant and type(assignment.target) is Name:
        return assignment._replace(value=_constant(value))
    return assignment


def _external(call: Invocation, report: Report, symbols: Container[str]) -> Invocation | None:
    arguments = {argument.name: argument for argument in call.arguments}
    datum_type = arguments.pop("datum_type", None)
    shape = arguments.get("shape")
    if datum_type is None or shape is None or len(arguments) != 1:
        report.at(
            "invalid-argument",
            f"'{EXTERNAL}' has a shape and a datum type",
            call.at,
            call.end,
            hint=f"Write: {EXTERNAL}(shape = [...], datum_type = 'f32')",
        )
        return None
    dtype = datum_type.value.value if type(datum_type.value) is Constant else None
    is_known = isinstance(dtype, str) and dtype in _DTYPES
    if not is_known:
        report.at(
            "tract-difference",
            f"inputs of tract's type {dtype!r} cannot be read",
            datum_type.value.at,
            datum_type.value.end,
            hint=f"Types that can be read: {', '.join(_DTYPES)}.",
        )
    extents = shape.value.elements if type(shape.value) is ArrayOrTuple else ()
    names = [extent for extent in extents if type(extent) is Name and extent.name in symbols]
    for name in names:
        report.at(
            "tract-difference",
            f"the extent '{name.name}' is a symbol; inputs of any extent cannot be read",
            name.at,
            hint=f"Write a number in place of '{name.name}', and remove: extension tract_symbol "
            f"{name.name};",
        )
    if names or not is_known:
        return None
    return Invocation("external", PRIMITIVES[_DTYPES[str(dtype)]], [shape], call.at, call.end)


def _constant(literal: Constant) -> Constant | Invocation:
    """Return an array of real numbers as a constant; anything else as it is."""
    shape: list[int] = []
    level: list[Any] = [literal.value]
    while level and all(isinstance(item, list) and item for item in level):
        extents = {len(item) for item in level}
        if len(extents) > 1:
            return literal
        shape.append(extents.pop())
        level = [element for item in level for element in item]
    if not shape or not all(type(element) is float for element in level):
        return literal
    at, end = literal.at, literal.end
    extents_type, values_type = array_of(PRIMITIVES["integer"]), array_of(PRIMITIVES["scalar"])
    arguments = [
        Argument("shape", Constant(shape, extents_type, at, end), at),
        Argument("value", Constant(level, values_type, at, end), at),
    ]
    return Invocation("constant", PRIMITIVES["scalar"], arguments, at, end)
