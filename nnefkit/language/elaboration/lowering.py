"""Compound operations carried out by simpler ones, as their bodies in chapter 4 say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from nnefkit.errors import Diagnostic, DocumentError
from nnefkit.graph import FrozenDict, Graph, Operation
from nnefkit.language.declarations.binding import Binding
from nnefkit.language.declarations.custom import declared, with_definitions
from nnefkit.language.declarations.declaration import Declaration, declarations
from nnefkit.language.elaboration.expansion import Expansion
from nnefkit.language.elaboration.graph_builder import GraphBuilder
from nnefkit.language.elaboration.scopes import Scope, Value
from nnefkit.language.elaboration.targets import Refused
from nnefkit.language.report import Report
from nnefkit.language.syntax.trampoline import run
from nnefkit.language.syntax.tree import GraphSyntax, Name
from nnefkit.language.types import PRIMITIVES, ArrayType, Type, bind


def lower(graph: Graph, operations: Collection[str] | None = None) -> Graph:
    """A copy of `graph` in which compound operations are replaced by what they consist of (4.9).

    Args:
        graph: any graph.
        operations: the operations to replace, by name; all compound ones by default.

    Returns:
        The graph. Tensors keep their names; the shapes of those that are new are not known.

    Raises:
        DocumentError: an operation has arguments that its definition cannot be carried out for.
    """
    customs = declared(graph.declarations)
    known = {**customs, **declarations()}
    compound = {name for name, d in known.items() if d.body is not None}
    chosen = compound if operations is None else compound.intersection(operations)
    return _Lowering(graph, customs, chosen).graph()


def expand_calls(graph: Graph) -> Graph:
    """`graph` with the calls of fragments that it defines itself carried out (3.3.2).

    Tensors keep their names; the shapes of those that are new are not known. A graph that calls
    none is given back as it is.

    Raises:
        DocumentError: a fragment cannot be carried out for its arguments.
    """
    if not graph.declarations:
        return graph
    customs = declared(graph.declarations)
    # Fragments call one another.
    fragments = {name for name, declaration in customs.items() if declaration.body is not None}
    if not any(operation.name in fragments for operation in graph.operations):
        return graph
    return lower(graph, fragments)


class _Lowering:
    """One graph on its way."""

    def __init__(
        self, source: Graph, customs: Mapping[str, Declaration], operations: Collection[str]
    ) -> None:
        self.source = source
        self.customs = customs
        self.known = {**customs, **declarations()}
        self.operations = operations
        tokens = declarations()["external"].tokens
        assert tokens is not None  # noqa: S101 - the standard has a text
        self.report = Report(tokens)
        header = GraphSyntax(source.name, (), (), 0, 0)
        # What is not known was told when the graph was read.
        self.builder = GraphBuilder(header, tokens, self.report, self.known, strict=False)
        self.expansion = Expansion(self.builder, source.tensors)
        self.expansion.calls.lowered = self.expansion.calls.expanded = operations

    def graph(self) -> Graph:
        for operation in self.source.operations:
            if operation.name in self.operations:
                self._replace(operation)
            else:
                self.builder.operations.append(operation)
        built, tensors = self.expansion.fresh.renamed(self.builder.operations, self.builder.tensors)
        known = {name: self.source.tensors.get(name, tensor) for name, tensor in tensors.items()}
        lowered = replace(
            self.source,
            operations=tuple(built),
            tensors=FrozenDict({**self.source.tensors, **known}),
        )
        return with_definitions(lowered, self.customs, self.source.extensions)

    def _placed(self, operation: Operation) -> list[Diagnostic]:
        """The errors at the operation in the text of the graph; the report has another text."""
        errors = [d for d in self.report.diagnostics if d.severity == "error"]
        source = self.source.source
        if source is None or operation.span is None:
            return [
                Diagnostic(d.code, f"{operation.name}: {d.message}", hint=d.hint, section=d.section)
                for d in errors
            ]
        return [
            source.diagnostic(
                d.code,
                f"{operation.name}: {d.message}",
                operation.span,
                hint=d.hint,
                section=d.section,
            )
            for d in errors
        ]

    def _replace(self, operation: Operation) -> None:
        declaration = self.known[operation.name]
        first = len(self.builder.operations)
        self.expansion.calls.recount()
        dtype = PRIMITIVES[operation.dtype] if operation.dtype else None
        given = [
            Value(_argument(operation, parameter.name), _bound(parameter.type, dtype))
            for parameter in declaration.parameters
        ]
        kinds = [_bound(result.type, dtype) for result in declaration.results]
        binding = Binding([*range(len(given))], dtype, kinds, True)
        names = list(operation.outputs.values())
        wants = [name if isinstance(name, str) else None for name in names]
        scope = Scope(self.report, path=operation.scope, span=operation.span)
        scope.hint = next(iter(operation.output_names), operation.name)
        place = Name(operation.name, 0, 1)
        try:
            results = run(
                self.expansion.calls.expand(declaration, binding, given, place, scope, wants)
            )
        except Refused:
            raise DocumentError(self._placed(operation)) from None
        path = (*operation.scope, f"{operation.name}:{scope.hint}")
        for name, found in _pairs(declaration, names, results):
            self.expansion.settle(name, found, operation.span, path)
        if operation.span is None:
            # Of a graph that was built: there is no text that something could stand in.
            new = self.builder.operations[first:]
            self.builder.operations[first:] = [replace(part, span=None) for part in new]


def _pairs(
    declaration: Declaration, names: list[Any], results: list[Value]
) -> Iterable[tuple[str, Value]]:
    for result, name, found in zip(declaration.results, names, results, strict=True):
        if isinstance(result.type, ArrayType):
            kind = found.type.item if isinstance(found.type, ArrayType) else found.type
            for part, value in zip(name, found.value, strict=True):
                yield part, Value(value, kind)
        else:
            yield name, found


def _bound(kind: Type, dtype: Any) -> Type:
    return bind(kind, dtype) if dtype is not None else kind


def _argument(operation: Operation, name: str) -> Any:
    return operation.inputs[name] if name in operation.inputs else operation.attribs[name]
