"""What identifiers mean while expressions are evaluated: in the graph, in a fragment, in a loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from nnefkit.errors import Span
from nnefkit.language.declarations.declaration import Declaration
from nnefkit.language.report import Report
from nnefkit.language.syntax.tree import Name
from nnefkit.language.types import (
    UNKNOWN,
    PrimitiveType,
    Type,
    bind,
    castable,
)


class _Abstract:
    """Stands for a value that is not known while only types are checked."""

    def __repr__(self) -> str:
        return "ABSTRACT"


ABSTRACT: Final = _Abstract()


class Value(NamedTuple):
    """A value and its type; tensors are `Identifier`s, or literals of a tensor type."""

    value: Any
    type: Type


class Scope:
    """The values of identifiers, and where the operations that come out belong."""

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
        """The fragment whose body it is, None for the graph."""
        self.dtype = dtype
        """What ``?`` means in it."""
        self.path = path
        self.prefix = prefix
        self.hint = prefix
        """What names of intermediate tensors begin with."""
        self.abstract = abstract
        """Whether only types are checked and nothing is computed."""
        self.span = span
        """The place of everything in it, where the body stands in another text."""
        self.parent = parent
        self.values: dict[str, Value] = {}
        self.vague: set[str] = set()
        """Identifiers of assignments that could not be read: perhaps they are defined there."""
        self.wanted: Mapping[str, str | None] = {}

    def find(self, name: str) -> Value | None:
        """The value of an identifier."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.values.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def inner(self, *, abstract: bool | None = None) -> Scope:
        """A scope for loop variables, or for a branch that is only checked."""
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
        scope.hint = self.hint
        return scope

    def define(self, name: Name, found: Value) -> None:
        """Makes a local identifier or a result of a fragment known, by the rules of 3.3.2."""
        declaration = self.declaration
        assert declaration is not None  # noqa: S101 - the graph has its own names
        text = name.name
        if text in declaration.by_name:
            self._report(
                "assigned-parameter",
                f"'{text}' is a parameter of '{declaration.name}' and cannot be assigned to",
                name,
            )
            return
        if text in self.values and text not in self.vague:
            self._report("redefined-identifier", f"'{text}' is defined already", name)
            return
        for result in declaration.results:
            if result.name == text:
                found = Value(found.value, self._result_type(name, found.type, result.type))
        self.values[text] = found
        self.vague.discard(text)

    def _result_type(self, name: Name, kind: Type, wanted: Type) -> Type:
        wanted = bind(wanted, self.dtype) if self.dtype else wanted
        if wanted.generic:
            return UNKNOWN
        if not castable(kind, wanted):
            self._report(
                "type-mismatch", f"result '{name.name}' must be {wanted}, not {kind}", name
            )
        return wanted

    def _report(self, code: str, message: str, name: Name) -> None:
        self.report.at(code, message, name.at, section="3.3.2")


def activation(
    declaration: Declaration,
    arguments: list[Value | None],
    dtype: PrimitiveType | None,
    scope: Scope,
) -> None:
    """Gives the parameters of a fragment their values; None stands for a default value."""
    for parameter, given in zip(declaration.parameters, arguments, strict=True):
        kind = bind(parameter.type, dtype) if dtype else parameter.type
        if kind.generic:
            kind = UNKNOWN
        if scope.abstract:
            scope.values[parameter.name] = Value(ABSTRACT, kind)
        elif given is None:
            scope.values[parameter.name] = Value(parameter.default, kind)
        else:
            scope.values[parameter.name] = Value(given.value, kind)
