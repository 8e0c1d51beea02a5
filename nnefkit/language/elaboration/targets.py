"""Left-hand sides of assignments against the results of operations (3.3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nnefkit.graph import Identifier
from nnefkit.language.declarations.declaration import Declaration
from nnefkit.language.report import Report
from nnefkit.language.syntax.trampoline import Call, run
from nnefkit.language.syntax.tree import Expression, Items, Name
from nnefkit.language.types import UNKNOWN, ArrayType, Type

Define = Callable[[Name, Type], Identifier]


class Refused(Exception):  # noqa: N818 - it is caught; what is wrong was reported already
    """An expression or an assignment has no value; why is in the report."""


class Target:
    """The left-hand side of an assignment."""

    def __init__(self, target: Expression, report: Report, define: Define) -> None:
        self.target = target
        self.report = report
        self.define = define

    def outputs(self, declaration: Declaration, kinds: Sequence[Type]) -> dict[str, Any]:
        """Defines the names for the results of an operation: formal name -> identifiers.

        Raises:
            Refused: the structures differ; it is reported.
        """
        target, results = self.target, declaration.results
        if len(results) == 1:
            return {results[0].name: run(self.match(target, kinds[0]))}
        if not is_tuple_of(target, len(results)):
            listed = ", ".join(result.name for result in results)
            self.mismatched(
                target,
                f"'{declaration.name}' has {len(results)} results, {shape_of_target(target)}",
                f"Write: {listed} = {declaration.name}(...)",
            )
            raise Refused
        assert isinstance(target, Items)  # noqa: S101 - for the type checker
        return {
            result.name: run(self.match(part, kind))
            for result, part, kind in zip(results, target.items, kinds, strict=True)
        }

    def match(self, target: Expression, kind: Type) -> Call[Any]:
        """Defines the names of one result of type `kind`."""
        if isinstance(target, Name):
            if isinstance(kind, ArrayType):
                self.mismatched(
                    target,
                    f"'{target.name}' would be an array of tensors of unknown length",
                    f"Write: [{target.name}1, {target.name}2, ...] = ...",
                )
                kind = UNKNOWN
            return self.define(target, kind)
        is_array = not isinstance(target, Items) or target.is_array
        if kind is not UNKNOWN and not (isinstance(kind, ArrayType) and is_array):
            message = f"the result is of type {kind}, {shape_of_target(target)}"
            self.mismatched(target, message, "")
            kind = UNKNOWN
        found: list[Any] = []
        for item in target.items if isinstance(target, Items) else ():
            part = yield self.match(item, kind.item if isinstance(kind, ArrayType) else UNKNOWN)
            found.append(part)
        return found

    def mismatched(self, target: Expression, message: str, hint: str) -> None:
        """Reports that a left-hand side does not fit."""
        self.report.at(
            "result-mismatch", message, target.at, target.end, hint=hint, section="3.3.2"
        )


def is_tuple_of(target: Expression, count: int) -> bool:
    """Whether a left-hand side is a tuple of so many parts."""
    return isinstance(target, Items) and not target.is_array and len(target.items) == count


def shape_of_target(target: Expression) -> str:
    """What a left-hand side is, in the words of a message."""
    if isinstance(target, Name):
        return f"but '{target.name}' is a single name"
    if isinstance(target, Items):
        kind = "an array" if target.is_array else "a tuple"
        count = len(target.items)
        return f"but the left-hand side is {kind} of {count} name{'s' * (count != 1)}"
    return "but the left-hand side is an empty array"
