"""Left-hand sides of assignments, matched with the results of operations (3.3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nnefkit.graph import Identifier
from nnefkit.language.declarations.declaration import Declaration
from nnefkit.language.elaboration.scopes import Refused
from nnefkit.language.report import Report
from nnefkit.language.syntax.trampoline import Call, run
from nnefkit.language.syntax.tree import ArrayOrTuple, Expression, Name
from nnefkit.language.types import UNKNOWN, ArrayType, Type

Define = Callable[[Name, Type], Identifier]


class Target:
    """The left-hand side of an assignment."""

    def __init__(self, target: Expression, report: Report, define: Define) -> None:
        self.target = target
        self.report = report
        self.define = define

    def outputs(self, declaration: Declaration, types: Sequence[Type]) -> dict[str, Any]:
        """Define the names of the results of an operation.

        Returns:
            By formal name, an identifier, or nested lists of identifiers.

        Raises:
            Refused: The structures differ; it is reported.
        """
        target, results = self.target, declaration.results
        if len(results) == 1:
            return {results[0].name: run(self.match(target, types[0]))}
        parts = tuple_parts(target, declaration, self.report)
        return {
            result.name: run(self.match(part, type_))
            for result, part, type_ in zip(results, parts, types, strict=True)
        }

    def match(self, target: Expression, type_: Type) -> Call[Any]:
        """Define the names of one result of type `type_`."""
        if isinstance(target, Name):
            if isinstance(type_, ArrayType):
                self._mismatch(
                    target,
                    f"'{target.name}' would be an array of tensors of unknown length",
                    f"Write: [{target.name}1, {target.name}2, ...] = ...",
                )
                type_ = UNKNOWN
            return self.define(target, type_)
        is_array = not isinstance(target, ArrayOrTuple) or target.is_array
        if type_ is not UNKNOWN and not (isinstance(type_, ArrayType) and is_array):
            self._mismatch(target, f"the result is of type {type_}, {described(target)}", "")
            type_ = UNKNOWN
        element_type = type_.element if isinstance(type_, ArrayType) else UNKNOWN
        identifiers: list[Any] = []
        for element in target.elements if isinstance(target, ArrayOrTuple) else ():
            part = yield self.match(element, element_type)
            identifiers.append(part)
        return identifiers

    def _mismatch(self, target: Expression, message: str, hint: str) -> None:
        self.report.at(
            "result-mismatch", message, target.at, target.end, hint=hint, section="3.3.2"
        )


def tuple_parts(
    target: Expression, declaration: Declaration, report: Report
) -> tuple[Expression, ...]:
    """Return the parts of a left-hand side, one for each of several results of an operation.

    Raises:
        Refused: The left-hand side is not a tuple with that many parts; it is reported.
    """
    results = declaration.results
    if (
        isinstance(target, ArrayOrTuple)
        and not target.is_array
        and len(target.elements) == len(results)
    ):
        return target.elements
    listed = ", ".join(result.name for result in results)
    report.at(
        "result-mismatch",
        f"'{declaration.name}' has {len(results)} results, {described(target)}",
        target.at,
        target.end,
        hint=f"Write: {listed} = {declaration.name}(...)",
        section="3.3.2",
    )
    raise Refused


def described(target: Expression) -> str:
    """Return the end of a message about a result: the structure of the left-hand side."""
    if isinstance(target, Name):
        return f"but '{target.name}' is a single name"
    if isinstance(target, ArrayOrTuple):
        structure = "an array" if target.is_array else "a tuple"
        count = len(target.elements)
        return f"but the left-hand side is {structure} of {count} name{'s' * (count != 1)}"
    return "but the left-hand side is an empty array"
