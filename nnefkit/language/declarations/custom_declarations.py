"""Declarations of custom operations: registered ones, and those that a graph defines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from nnefkit.errors import DocumentError, InputError, Source
from nnefkit.graph import Graph
from nnefkit.language.declarations.declaration import (
    Declaration,
    check_declarations,
    declarations,
    declare,
    needed,
)
from nnefkit.language.report import Report
from nnefkit.language.syntax.lexer import Tokens
from nnefkit.language.syntax.parser import Parser

FRAGMENTS = "KHR_enable_fragment_definitions"
EXPRESSIONS = "KHR_enable_operator_expressions"

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
EXAMPLE = "fragment gain( x: tensor<scalar>, factor: scalar = 1.0 ) -> ( y: tensor<scalar> );"


def custom_operation(text: str) -> tuple[str, Declaration | None]:
    """Return the name of a custom operation, and its declaration unless `text` is just a name.

    Raises:
        DocumentError: The declaration breaks rules of 3.3.2.
        InputError: `text` is neither a name nor one declaration without a body, or it is that of a
            standard operation.
    """
    text = text.strip()
    if _IDENTIFIER.fullmatch(text):
        _refuse_standard(text)
        return text, None
    if not text.endswith((";", "}")):
        text += ";"
    tokens = Tokens(Source(text, "declaration"))
    report = Report(tokens)
    fragments = Parser(tokens, report).declarations()
    check_declarations(fragments, report)
    errors = [d for d in report.diagnostics if d.severity == "error"]
    if errors:
        raise DocumentError(errors)
    if len(fragments) != 1:
        raise InputError(
            f"the text must declare one operation, not {len(fragments)}",
            hint=f"Write, for example: {EXAMPLE}",
            section="3.3.2",
        )
    declaration = declare(fragments[0], tokens)
    if declaration.body is not None:
        raise InputError(
            f"'{declaration.name}' has a body; it needs neither a kernel nor a shape rule",
            hint="Leave the body out, or define the fragment in the document that uses it.",
            section="3.3.2",
        )
    return declaration.name, declaration


def _refuse_standard(name: str) -> None:
    if name in declarations():
        raise InputError(
            f"'{name}' is a standard operation and cannot be defined again",
            hint="Give the custom operation another name.",
            section="3.3.2",
        )


def declared(texts: Iterable[str]) -> dict[str, Declaration]:
    """Return the declarations of a graph (`Graph.declarations`), parsed, by name."""
    parsed: dict[str, Declaration] = {}
    for text in texts:
        tokens = Tokens(Source(text, "declaration"))
        for fragment in Parser(tokens, Report(tokens)).declarations():
            parsed[fragment.name] = declare(fragment, tokens)
    return parsed


def with_definitions(
    graph: Graph, customs: Mapping[str, Declaration], extensions: Iterable[str]
) -> Graph:
    """Return `graph` with the definitions and extensions that its operations need.

    Args:
        graph: A graph that was parsed or changed.
        customs: The definitions of its document; those without a body are retained in any case.
        extensions: The extensions of its document.
    """
    names = {operation.name for operation in graph.operations}
    # Lines of a quantization file refer to operations, too.
    names |= {t.quantization["op-name"] for t in graph.tensors.values() if t.quantization}
    # Those of a dialect refer to fragments by strings.
    opaque = [op for op in graph.operations if "0" in op.outputs]
    names |= {v for op in opaque for v in op.attribs.values() if isinstance(v, str)}
    used = needed(names, customs)
    retained = [d for name, d in customs.items() if name in used or d.body is None]
    dropped = set() if retained else {FRAGMENTS}
    if all(d.body is None for d in retained):
        dropped.add(EXPRESSIONS)
    return replace(
        graph,
        extensions=tuple(name for name in extensions if name not in dropped),
        declarations=tuple(declaration.text for declaration in retained),
    )


def known_declarations(graph: Graph) -> dict[str, Declaration]:
    """Return the declarations of all operations that a graph can have: standard and custom."""
    return {**declared(graph.declarations), **declarations()}


def signature(declaration: Declaration) -> tuple[object, ...]:
    """Return the parts that two declarations of an operation must share: all but default values."""
    return (
        declaration.generic,
        *((parameter.name, str(parameter.type)) for parameter in declaration.parameters),
        *((result.name, str(result.type)) for result in declaration.results),
    )


def conflicting(
    declared: Iterable[Declaration], registered: Mapping[str, Declaration]
) -> list[tuple[Declaration, Declaration]]:
    """Return pairs of a document's declaration and the registered one that it disagrees with."""
    return [
        (declaration, other)
        for declaration in declared
        if declaration.body is None
        and (other := registered.get(declaration.name)) is not None
        and signature(other) != signature(declaration)
    ]
