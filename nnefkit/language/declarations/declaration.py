"""Declarations of operations (3.2.2, 3.3.2), and the standard ones of chapter 4."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

from nnefkit.errors import Source, Span
from nnefkit.graph import FrozenList
from nnefkit.language.report import Report
from nnefkit.language.syntax.lexer import Tokens
from nnefkit.language.syntax.parser import Parser
from nnefkit.language.syntax.tree import Assignment, Fragment, ParameterSyntax
from nnefkit.language.types import (
    ArrayType,
    PrimitiveType,
    TensorType,
    TupleType,
    Type,
    castable,
    is_tensor,
)


class _Required:
    """Placeholder for the default value of a parameter without one."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()


@dataclass(frozen=True, slots=True)
class Parameter:
    """A formal parameter of an operation."""

    name: str
    type: Type
    default: Any
    """The default value, or `REQUIRED` if the parameter has none."""
    position: int
    is_tensor: bool
    """True if it is a tensor or consists of tensors; otherwise it is an attribute."""


@dataclass(frozen=True, slots=True)
class Result:
    """A formal result of an operation."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True, eq=False)
class Declaration:
    """A declared operation: its parameters and results, and the body of a compound one."""

    name: str
    parameters: tuple[Parameter, ...]
    results: tuple[Result, ...]
    generic: bool = False
    generic_default: PrimitiveType | None = None
    body: tuple[Assignment, ...] | None = field(default=None, repr=False)
    """The assignments of a compound operation; None for a primitive one."""
    tokens: Tokens | None = field(default=None, repr=False)
    """The tokens that the body refers to."""
    span: Span | None = None
    whole: tuple[int, int] = (0, 0)
    """First and end token of the definition, including the body."""
    standard: bool = False
    opaque: bool = False
    """True if it was made for the invocation of an unknown operation."""
    by_name: Mapping[str, Parameter] = field(init=False, repr=False)
    required: tuple[Parameter, ...] = field(init=False, repr=False)
    inputs: tuple[tuple[str, int, Any], ...] = field(init=False, repr=False)
    """Name, position and default of the parameters that are tensors."""
    attributes: tuple[tuple[str, int, Any], ...] = field(init=False, repr=False)
    """Name, position and default of the others."""
    result_types: tuple[Type, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        def fill(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        fill("by_name", MappingProxyType({p.name: p for p in self.parameters}))
        fill("required", tuple(p for p in self.parameters if p.default is REQUIRED))
        rows = [(p.is_tensor, (p.name, p.position, p.default)) for p in self.parameters]
        fill("inputs", tuple(row for tensor, row in rows if tensor))
        fill("attributes", tuple(row for tensor, row in rows if not tensor))
        fill("result_types", tuple(result.type for result in self.results))

    @property
    def text(self) -> str:
        """The text of the definition: one line that ends with a semicolon if it has no body."""
        if self.tokens is None or self.span is None:
            return ""
        if self.body is not None:
            span = self.tokens.span(*self.whole)
            return self.tokens.source.text[span.start : span.end]
        # Comments are left out: on one line they would hide the text after them.
        tokens = self.tokens
        pieces: list[str] = []
        for index in range(*self.whole):
            apart = pieces and tokens.ends[index - 1] < tokens.start(index)
            pieces += [" " if apart else "", tokens.texts[index]]
        return "".join(pieces)


def _frozen(default: Any) -> Any:
    return FrozenList(default) if type(default) is list else default


def declare(fragment: Fragment, tokens: Tokens, *, standard: bool = False) -> Declaration:
    """Return the declaration of a fragment definition."""
    parameters = tuple(
        Parameter(
            parameter.name,
            parameter.type,
            REQUIRED if parameter.default is None else _frozen(parameter.default.value),
            position,
            is_tensor(parameter.type),
        )
        for position, parameter in enumerate(fragment.parameters)
    )
    return Declaration(
        fragment.name,
        parameters,
        tuple(Result(result.name, result.type) for result in fragment.results),
        fragment.generic,
        fragment.generic_default,
        fragment.body,
        tokens,
        tokens.span(fragment.at, fragment.header_end),
        (fragment.at, fragment.end),
        standard,
    )


def needed(names: Iterable[str], known: Mapping[str, Declaration]) -> set[str]:
    """Return the names of declarations, and of all that their bodies refer to.

    Args:
        names: Names of operations; those that are not `known` are ignored.
        known: All declarations, by name.
    """
    complete: set[str] = set()
    pending = [name for name in names if name in known]
    while pending:
        name = pending.pop()
        if name in complete:
            continue
        complete.add(name)
        declaration = known[name]
        if declaration.tokens is not None:
            texts = declaration.tokens.texts[slice(*declaration.whole)]
            pending += [text for text in set(texts) if text in known]
    return complete


@cache
def declarations() -> Mapping[str, Declaration]:
    """Return the standard operations by name, in the order of chapter 4."""
    text = (
        resources.files("nnefkit.language.declarations")
        .joinpath("standard.nnef")
        .read_text("ascii")
    )
    tokens = Tokens(Source(text, "standard.nnef"))
    fragments = Parser(tokens, Report(tokens)).declarations()
    return MappingProxyType({f.name: declare(f, tokens, standard=True) for f in fragments})


# -- rules of declarations (3.3.2) -------------------------------------------------------------


def check_declarations(
    fragments: Iterable[Fragment], report: Report, redefinable: Container[str] = ()
) -> set[str]:
    """Report fragment definitions of a document that violate the rules for declarations.

    Args:
        fragments: The definitions.
        report: The report of their text.
        redefinable: Standard operations whose definition with a body is only a warning.

    Returns:
        The names of fragments whose parameters or results violate them.
    """
    known: dict[str, Fragment] = {}
    invalid: set[str] = set()
    for fragment in fragments:
        if fragment.name in declarations():
            accepted = fragment.name in redefinable and fragment.body is not None
            report.at(
                "redefined-operation",
                f"'{fragment.name}' is a standard operation and cannot be defined again",
                fragment.name_at,
                hint="The definition of the document is used."
                if accepted and fragment.name not in known
                else "Give the fragment another name.",
                section="3.3.2",
                severity="warning" if accepted and fragment.name not in known else "error",
            )
        elif fragment.name in known:
            line = report.line_of(known[fragment.name].name_at)
            report.at(
                "redefined-operation",
                f"fragment '{fragment.name}' is declared already",
                fragment.name_at,
                hint=f"The first declaration is on line {line}.",
                section="3.3.2",
            )
        known.setdefault(fragment.name, fragment)
        errors = report.errors
        _check_names(fragment, report)
        _check_types(fragment, report)
        _check_order(fragment, report)
        if report.errors > errors:
            invalid.add(fragment.name)
    return invalid


def _check_names(fragment: Fragment, report: Report) -> None:
    seen: set[str] = set()
    for declared in (*fragment.parameters, *fragment.results):
        if declared.name in seen:
            report.at(
                "duplicate-parameter",
                f"'{declared.name}' occurs twice among the parameters and results of "
                f"'{fragment.name}'",
                declared.at,
                section="3.3.2",
            )
        seen.add(declared.name)


def _check_types(fragment: Fragment, report: Report) -> None:
    name = fragment.name
    for result in fragment.results:
        if not _all_tensors(result.type):
            report.at(
                "result-type",
                f"result '{result.name}' of '{name}' has type {result.type}, but results must be "
                "tensors",
                result.at,
                result.end,
                section="3.3.2",
            )
        elif _has_unbound(result.type):
            report.at(
                "result-type",
                f"result '{result.name}' of '{name}' has the unbound type tensor<>",
                result.at,
                result.end,
                hint="Only parameters can be of type tensor<>.",
                section="3.3.1",
            )
    for parameter in fragment.parameters:
        _check_parameter(parameter, name, report)
    declared = (*fragment.parameters, *fragment.results)
    uses_generic = any(one.type.generic for one in declared)
    if uses_generic and not fragment.generic:
        report.at(
            "not-generic",
            f"'{name}' uses the generic type ? but is not declared as generic",
            fragment.name_at,
            hint=f"Write: fragment {name}<?>(...)",
            section="3.3.2",
        )
    if fragment.generic and not uses_generic:
        report.at(
            "needlessly-generic",
            f"'{name}' is declared as generic, but no parameter or result is of generic type",
            fragment.name_at,
            section="3.3.2",
        )


def _check_parameter(parameter: ParameterSyntax, name: str, report: Report) -> None:
    if is_tensor(parameter.type) and _mixes_tensors(parameter.type):
        report.at(
            "mixed-tuple",
            f"the type of '{parameter.name}' mixes tensors and attributes in a tuple",
            parameter.at,
            parameter.end,
            section="3.3.1",
        )
    default = parameter.default
    if default is not None and not castable(default.type, parameter.type):
        report.at(
            "type-mismatch",
            f"the default value of '{parameter.name}' in '{name}' has type {default.type}, "
            f"not {parameter.type}",
            default.at,
            default.end,
            section="3.3.2",
        )


def _check_order(fragment: Fragment, report: Report) -> None:
    attribute: str | None = None
    for parameter in fragment.parameters:
        if not is_tensor(parameter.type):
            attribute = attribute or parameter.name
        elif attribute is not None:
            report.at(
                "parameter-order",
                f"tensor '{parameter.name}' of '{fragment.name}' follows the attribute "
                f"'{attribute}'",
                parameter.at,
                parameter.end,
                hint="Parameters that are tensors come first.",
                section="3.3.2",
            )


def _leaves(type_: Type) -> Iterable[Type]:
    stack = [type_]
    while stack:
        type_ = stack.pop()
        while isinstance(type_, ArrayType):
            type_ = type_.element
        if isinstance(type_, TupleType):
            stack.extend(type_.elements)
        else:
            yield type_


def _all_tensors(type_: Type) -> bool:
    return all(isinstance(leaf, TensorType) for leaf in _leaves(type_))


def _has_unbound(type_: Type) -> bool:
    return any(isinstance(leaf, TensorType) and leaf.element is None for leaf in _leaves(type_))


def _mixes_tensors(type_: Type) -> bool:
    return not _all_tensors(type_)
