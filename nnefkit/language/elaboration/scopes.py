"""Values of identifiers during evaluation: in the graph, in a fragment, in a loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from nnefkit.errors import Span
from nnefkit.language.declarations.declaration import Declaration
from nnefkit.language.report import Report
from nnefkit.language.syntax.tree import Assignment, Expression, Name
from nnefkit.language.types import UNKNOWN, PrimitiveType, Type, bind, castable


class Refused(Exception):  # noqa: N818 - caught where the assignment is abandoned
    """An expression or an assignment has no value; the reason is in the report."""


class _Abstract:
    """Placeholder for a value that is not known while only types are checked."""

    def __repr__(self) -> str:
        return "ABSTRACT"


ABSTRACT: Final = _Abstract()


class TypedValue(NamedTuple):
    """A value and its type; tensors are `Identifier`s, or literals of a tensor type."""

    value: Any
    type: Type


class Scope:
    """The values of identifiers, and the context of the operations of a body in the graph."""

    def __init__(
        self,
        report: Report,
        *,
        declaration: Declaration | None = None,
        dtype: PrimitiveType | None = None,
        path: tuple[str, ...] = (),
        prefix: str = "",
        abstract: bool = False,
        span: Span | None = None,
        parent: Scope | None = None,
    ) -> None:
        self.report = report
        self.declaration = declaration
        """The fragment whose body is evaluated, None for the graph."""
        self.dtype = dtype
        """The meaning of ``?`` in the body."""
        self.path = path
        """The fragment calls around it, outermost first (`Operation.scope`)."""
        self.prefix = prefix
        """Start of the names of the fragment's local tensors."""
        self.stem = prefix
        """Start of the names of intermediate tensors."""
        self.abstract = abstract
        """True if only types are checked and nothing is computed."""
        self.span = span
        """The span of all operations if the body is part of another text."""
        self.parent = parent
        self.values: dict[str, TypedValue] = {}
        self.uncertain: set[str] = set()
        """Identifiers that an unreadable assignment may define."""
        self.result_names: Mapping[str, str | None] = {}
        """The name for the tensor of each result of the fragment, None to choose one."""

    def find(self, name: str) -> TypedValue | None:
        """Return the value of an identifier, None if this scope and its parents have none."""
        scope: Scope | None = self
        while scope is not None:
            value = scope.values.get(name)
            if value is not None:
                return value
            scope = scope.parent
        return None

    def inner(self, *, abstract: bool | None = None) -> Scope:
        """Return a scope for loop variables, or for a branch that is only checked."""
        scope = Scope(
            self.report,
            declaration=self.declaration,
            dtype=self.dtype,
            path=self.path,
            prefix=self.prefix,
            abstract=self.abstract if abstract is None else abstract,
            span=self.span,
            parent=self,
        )
        scope.stem = self.stem
        return scope

    def define(self, name: Name, value: TypedValue) -> None:
        """Define a local identifier or a result of the fragment, by the rules of 3.3.2."""
        declaration = self.declaration
        assert declaration is not None  # noqa: S101 - `GraphNames` defines those of the graph
        text = name.name
        if text in declaration.by_name:
            self._report(
                "assigned-parameter",
                f"'{text}' is a parameter of '{declaration.name}' and cannot be assigned to",
                name,
            )
            return
        if text in self.values and text not in self.uncertain:
            self._report("redefined-identifier", f"'{text}' is defined already", name)
            return
        for result in declaration.results:
            if result.name == text:
                value = TypedValue(value.value, self._result_type(name, value.type, result.type))
        self.values[text] = value
        self.uncertain.discard(text)

    def refuse(
        self, code: str, message: str, node: Expression | Assignment, hint: str = ""
    ) -> TypedValue:
        """Report that `node` has no value.

        Returns:
            An unknown value, with which a scope that only checks types continues.

        Raises:
            Refused: The scope computes.
        """
        self.report.at(code, message, node.at, node.end, hint=hint, section="3.3.3")
        if self.abstract:
            return TypedValue(ABSTRACT, UNKNOWN)
        raise Refused

    def _result_type(self, name: Name, given: Type, declared: Type) -> Type:
        declared = bind(declared, self.dtype) if self.dtype else declared
        if declared.generic:
            return UNKNOWN
        if not castable(given, declared):
            self._report(
                "type-mismatch", f"result '{name.name}' must be {declared}, not {given}", name
            )
        return declared

    def _report(self, code: str, message: str, name: Name) -> None:
        self.report.at(code, message, name.at, section="3.3.2")


def define_parameters(
    declaration: Declaration,
    arguments: list[TypedValue | None],
    dtype: PrimitiveType | None,
    scope: Scope,
) -> None:
    """Bind the parameters of a fragment to their values; None means the default value."""
    for parameter, argument in zip(declaration.parameters, arguments, strict=True):
        type_ = bind(parameter.type, dtype) if dtype else parameter.type
        if type_.generic:
            type_ = UNKNOWN
        value = parameter.default if argument is None else argument.value
        scope.values[parameter.name] = TypedValue(ABSTRACT if scope.abstract else value, type_)


def is_abstract(*values: TypedValue) -> bool:
    """Return whether one of the values is not known."""
    return any(value.value is ABSTRACT for value in values)
