"""Declarations of custom operations that a session knows beside those of its documents."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nnefkit.errors import DocumentError, InputError, Source
from nnefkit.language.declarations import Declaration, check_declarations, declarations, declare
from nnefkit.language.lexer import Tokens
from nnefkit.language.parser import Parser
from nnefkit.language.reporting import Report

REGISTERED: dict[str, Declaration] = {}
"""Name of each custom operation -> its declaration; `nnefkit.register_operation` fills it."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
EXAMPLE = "fragment gain( x: tensor<scalar>, factor: scalar = 1.0 ) -> ( y: tensor<scalar> );"


def custom_operation(text: str) -> tuple[str, Declaration | None]:
    """The name of a custom operation, and its declaration if the text is more than a name.

    Raises:
        DocumentError: the declaration breaks rules of 3.3.2.
        InputError: the text is neither a name nor one declaration without a body, or declares a
            standard operation anew.
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
            f"one operation must be declared, not {len(fragments)}",
            hint=f"Write, for example: {EXAMPLE}",
            section="3.3.2",
        )
    declaration = declare(fragments[0], tokens)
    if declaration.body is not None:
        raise InputError(
            f"'{declaration.name}' has a body, and needs neither a kernel nor a shape rule",
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
    """The declarations that a graph carries as texts (`Graph.declarations`), by name."""
    found: dict[str, Declaration] = {}
    for text in texts:
        tokens = Tokens(Source(text, "declaration"))
        for fragment in Parser(tokens, Report(tokens)).declarations():
            found[fragment.name] = declare(fragment, tokens)
    return found


def signature(declaration: Declaration) -> tuple[object, ...]:
    """What two declarations of one operation must have in common; default values may differ."""
    return (
        declaration.generic,
        *((parameter.name, str(parameter.type)) for parameter in declaration.parameters),
        *((result.name, str(result.type)) for result in declaration.results),
    )


def conflicting(customs: Iterable[Declaration]) -> list[tuple[Declaration, Declaration]]:
    """Those of the declarations of a document that are registered otherwise, with what is."""
    return [
        (declaration, registered)
        for declaration in customs
        if declaration.body is None
        and (registered := REGISTERED.get(declaration.name)) is not None
        and signature(registered) != signature(declaration)
    ]
