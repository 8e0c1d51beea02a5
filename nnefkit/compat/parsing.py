"""Texts to drafts: `parse_string` and `parse_file`."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from nnefkit import language
from nnefkit.arguments import expected_names, expected_path, expected_string
from nnefkit.compat.drafts import Graph, unknown_operation
from nnefkit.custom_operations import declarations_in_effect
from nnefkit.errors import Diagnostic, DocumentError, Source, StorageError
from nnefkit.graph import FrozenDict, Identifier, Operation
from nnefkit.graph import Graph as Model
from nnefkit.graph.operation import renamed
from nnefkit.language.declarations.custom_declarations import EXPRESSIONS, declared, signature
from nnefkit.language.declarations.declaration import (
    Declaration,
    check_declarations,
    declare,
    needed,
)
from nnefkit.language.report import Report
from nnefkit.language.syntax.lexer import Tokens
from nnefkit.language.syntax.parser import Parser
from nnefkit.operations.shape_inference import known_shapes
from nnefkit.storage.blob import open_blob

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def parse_string(
    graph_str: str,
    quant_str: str | None = None,
    stdlib: str | None = None,
    lowered: Collection[str] | None = None,
) -> Graph:
    """Parse the text of a graph. Shapes are not inferred, and calls of fragments remain.

    Args:
        graph_str: The content of a ``graph.nnef``.
        quant_str: The content of a ``graph.quant``.
        stdlib: Definitions of custom operations in addition to those of the text. Standard
            operations may be among them, but only with the parameters that the standard gives them.
        lowered: Names of the fragments and compound standard operations that are replaced by the
            operations that they consist of; others are ignored.

    Returns:
        The draft.

    Raises:
        Error: The text is not valid; carries all errors.

    Example:
        >>> graph = nk.compat.parse_string("version 1.0; graph net( x ) -> ( y ) {"
        ...                                " x = external(shape = [1, 3]); y = silu(x); }",
        ...                                lowered=["silu"])
        >>> [operation.name for operation in graph.operations]
        ['external', 'sigmoid', 'mul']
        >>> graph.operations[2].inputs["y"]
        'sigmoid1'
    """
    text = expected_string(graph_str, "graph_str")
    if quant_str is not None:
        quant_str = expected_string(quant_str, "quant_str")
    return parsed(text, "input", quant_str, "quantization", stdlib, lowered)


def parse_file(
    graph_fn: str | os.PathLike[str],
    quant_fn: str | os.PathLike[str] | None = None,
    stdlib: str | None = None,
    lowered: Collection[str] | None = None,
) -> Graph:
    """Parse files as `parse_string` parses their content; data of variables is not loaded.

    Args:
        graph_fn: A ``graph.nnef`` file.
        quant_fn: A ``graph.quant`` file.
        stdlib: As in `parse_string`.
        lowered: As in `parse_string`.

    Returns:
        The draft.

    Raises:
        Error: A file cannot be read, or is not valid.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "graph.nnef"
        ...     _ = path.write_text("version 1.0; graph net( x ) -> ( x ) {"
        ...                         " x = external(shape = [1]); }")
        ...     nk.compat.parse_file(path).inputs
        ['x']
    """
    text = _content(graph_fn, "graph_fn")
    quantization = None if quant_fn is None else _content(quant_fn, "quant_fn")
    name = "" if quant_fn is None else os.fspath(quant_fn)
    return parsed(text, os.fspath(graph_fn), quantization, name, stdlib, lowered)


def parsed(
    text: str,
    name: str,
    quantization: str | None,
    quantization_name: str,
    stdlib: str | None,
    lowered: Collection[str] | None,
) -> Graph:
    """Return the draft of a document; see `parse_string`."""
    names = () if lowered is None else expected_names(lowered, "lowered")
    library = _library(stdlib, names)
    graph, diagnostics = language.parse(
        text,
        name,
        quantization=quantization,
        quantization_name=quantization_name,
        strict=False,
        expand=False,
        infer=known_shapes,
        customs={**declarations_in_effect(), **library.declarations},
    )
    errors = [*_errors(diagnostics, graph)]
    if errors or graph is None:
        raise DocumentError(errors or "the document has no graph")
    graph = library.added_to(graph)
    if names:
        graph = language.lower(known_shapes(graph), names)
        graph = library.added_to(graph)
    return Graph.from_nnefkit(_with_khronos_names(graph, text), with_data=False)


def _content(path: Any, argument: str) -> str:
    file = str(expected_path(path, argument))
    try:
        return open_blob(file).bytes().decode()
    except UnicodeDecodeError:
        raise StorageError("the file is not a text in UTF-8", file=file) from None


def _errors(diagnostics: list[Diagnostic], graph: Model | None) -> Iterator[Diagnostic]:
    for diagnostic in diagnostics:
        if diagnostic.severity == "error":
            yield diagnostic
        elif diagnostic.code == "unknown-operation" and graph is not None:
            found = re.search(r"'(\w+)'", diagnostic.message)
            error = unknown_operation(found[1] if found else "", graph)
            yield replace(diagnostic, severity="error", message=error.message, hint=error.hint)


# -- the library -----------------------------------------------------------------------------------


class _Library:
    """Definitions of custom operations that documents can use."""

    def __init__(self, declarations: Mapping[str, Declaration], *, has_expressions: bool) -> None:
        self.declarations = declarations
        self._has_expressions = has_expressions

    def added_to(self, graph: Model) -> Model:
        """Return a graph with the definitions that it needs."""
        names = {operation.name for operation in graph.operations}
        present = declared(graph.declarations)
        missing = needed([*names, *present], {**self.declarations, **present}) - set(present)
        if not missing:
            return graph
        texts = [self.declarations[name].text for name in self.declarations if name in missing]
        extensions = graph.extensions
        if self._has_expressions and EXPRESSIONS not in extensions:
            extensions = (*extensions, EXPRESSIONS)
        return replace(graph, declarations=(*texts, *graph.declarations), extensions=extensions)


def _library(stdlib: str | None, lowered: Collection[str]) -> _Library:
    """Return the definitions of a library.

    Raises:
        DocumentError: It is not valid, or defines a standard operation in another way.
    """
    if not stdlib:
        return _Library({}, has_expressions=False)
    tokens = Tokens(Source(expected_string(stdlib, "stdlib"), "stdlib"))
    report = Report(tokens)
    parser = Parser(tokens, report)
    standard = language.declarations()
    customs: dict[str, Declaration] = {}
    fragments = parser.declarations()
    check_declarations([f for f in fragments if f.name not in standard], report)
    for fragment in fragments:
        declaration = declare(fragment, tokens)
        known = standard.get(fragment.name)
        if known is None:
            customs.setdefault(fragment.name, declaration)
        elif signature(known) != signature(declaration) or _defaults(known) != _defaults(
            declaration
        ):
            report.add(
                "redefined-operation",
                f"'{known.name}' is a standard operation with other parameters or results",
                declaration.span,
                "Give the fragment another name.",
                "3.3.2",
            )
        elif declaration.body is not None and known.name in lowered and _differ(known, declaration):
            report.add(
                "redefined-operation",
                f"'{known.name}' is a standard operation, which is lowered as chapter 4 defines it",
                declaration.span,
                "Give the fragment another name, or leave its body out.",
                "3.3.2",
            )
    errors = [d for d in report.diagnostics if d.severity == "error"]
    if errors:
        raise DocumentError(errors)
    return _Library(customs, has_expressions=parser.extended is not None)


def _differ(one: Declaration, other: Declaration) -> bool:
    """Return whether the texts of two declarations differ in more than white space."""
    texts = [d.tokens.texts[slice(*d.whole)] for d in (one, other) if d.tokens is not None]
    return len(texts) < 2 or texts[0] != texts[1]


def _defaults(declaration: Declaration) -> list[str]:
    # repr distinguishes 1, 1.0 and True.
    return [repr(parameter.default) for parameter in declaration.parameters]


# -- names -----------------------------------------------------------------------------------------


def _with_khronos_names(graph: Model, text: str) -> Model:
    """Return a graph whose intermediate tensors have the names that the Khronos parser gives them.

    Those are the name of the operation or the fragment whose result the text does not name, and its
    number.
    """
    # New names never occur in the text.
    named = set(_IDENTIFIER.findall(text))
    counts: dict[str, int] = {}
    names: dict[str, str] = {}
    for operation in graph.operations:
        for tensor in operation.output_names:
            if tensor not in named and tensor not in names:
                names[tensor] = _numbered(_called(operation, tensor), counts, named)
    if not names:
        return graph
    return replace(
        graph,
        operations=tuple(_renamed(operation, names) for operation in graph.operations),
        tensors=FrozenDict(
            {
                names.get(name, name): replace(tensor, name=names.get(name, name))
                for name, tensor in graph.tensors.items()
            }
        ),
        inputs=tuple(names.get(name, name) for name in graph.inputs),
        outputs=tuple(names.get(name, name) for name in graph.outputs),
    )


def _called(operation: Operation, tensor: str) -> str:
    """Return the name of the outermost call whose result a new tensor is."""
    for call in operation.scope:
        name, _, result = call.partition(":")
        if result == tensor:
            return name
    return operation.name


def _numbered(base: str, counts: dict[str, int], taken: Collection[str]) -> str:
    while True:
        counts[base] = counts.get(base, 0) + 1
        name = f"{base}{counts[base]}"
        if name not in taken:
            return name


def _renamed(operation: Operation, names: Mapping[str, str]) -> Operation:
    return replace(
        operation,
        inputs=FrozenDict({k: renamed(_thawed(v), names) for k, v in operation.inputs.items()}),
        outputs=FrozenDict({k: renamed(_thawed(v), names) for k, v in operation.outputs.items()}),
    )


def _thawed(value: Any) -> Any:
    if isinstance(value, list):
        return [_thawed(part) for part in value]
    return Identifier(value) if isinstance(value, Identifier) else value
