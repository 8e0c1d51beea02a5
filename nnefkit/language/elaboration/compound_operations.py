"""Compound operations in terms of simpler ones, by their bodies in chapter 4."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nnefkit.errors import Diagnostic, DocumentError
from nnefkit.graph import FrozenDict, Graph, Operation
from nnefkit.language.declarations.binding import Binding
from nnefkit.language.declarations.custom_declarations import declared, with_definitions
from nnefkit.language.declarations.declaration import Declaration, declarations
from nnefkit.language.elaboration.budget import Spending
from nnefkit.language.elaboration.expansion import Expansion
from nnefkit.language.elaboration.graph_builder import GraphBuilder
from nnefkit.language.elaboration.invocations import BoundCall, ExpansionRules
from nnefkit.language.elaboration.scopes import Refused, Scope, TypedValue
from nnefkit.language.report import Report
from nnefkit.language.syntax.trampoline import run
from nnefkit.language.syntax.tree import GraphSyntax, Name
from nnefkit.language.types import PRIMITIVES, ArrayType, PrimitiveType, Type, bind


def lower(graph: Graph, operations: Collection[str] | None = None) -> Graph:
    """Replace compound operations by the operations that they consist of (4.9).

    Args:
        graph: Any graph.
        operations: Names of the operations to replace; all compound ones by default.

    Returns:
        The graph. Tensors keep their names; the shapes of new ones are not known.

    Raises:
        DocumentError: The body of an operation cannot be carried out for its arguments.
    """
    customs = declared(graph.declarations)
    known = {**customs, **declarations()}
    compound = {name for name, d in known.items() if d.body is not None}
    chosen = compound if operations is None else compound.intersection(operations)
    return _Lowering(graph, customs, chosen).graph()


def expand_calls(graph: Graph) -> Graph:
    """Expand the calls of fragments that the graph defines itself (3.3.2).

    Returns:
        The graph, unchanged if it calls none. Tensors keep their names; the shapes of new ones
        are not known.

    Raises:
        DocumentError: The body of a fragment cannot be carried out for its arguments.
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
    """The lowering of one graph."""

    def __init__(
        self, source: Graph, customs: Mapping[str, Declaration], operations: Collection[str]
    ) -> None:
        self.source = source
        self.customs = customs
        self.known = {**customs, **declarations()}
        self.operations = operations
        tokens = declarations()["external"].tokens
        assert tokens is not None  # noqa: S101 - standard declarations have a text
        self.report = Report(tokens)
        header = GraphSyntax(source.name, (), (), 0, 0)
        # Unknown operations were reported when the graph was read.
        self.builder = GraphBuilder(
            header, tokens, self.report, self.known, strict=False, taken=source.tensors
        )
        self.expansion = Expansion(self.builder, ExpansionRules(operations, operations))

    def graph(self) -> Graph:
        for operation in self.source.operations:
            if operation.name in self.operations:
                self._replace(operation)
            else:
                self.builder.add(operation)
        builder = self.builder
        operations, tensors = builder.new_names.renamed(builder.operations, builder.tensors)
        known = {name: self.source.tensors.get(name, tensor) for name, tensor in tensors.items()}
        lowered = replace(
            self.source,
            operations=tuple(operations),
            tensors=FrozenDict({**self.source.tensors, **known}),
        )
        return with_definitions(lowered, self.customs, self.source.extensions)

    def _replace(self, operation: Operation) -> None:
        declaration = self.known[operation.name]
        first = len(self.builder.operations)
        self.expansion.invocations.budget = Spending()  # for each operation
        scope = Scope(self.report, path=operation.scope, span=operation.span)
        scope.stem = next(iter(operation.output_names), operation.name)
        targets = list(operation.outputs.values())
        results = self._results(operation, declaration, targets, scope)
        path = (*operation.scope, f"{operation.name}:{scope.stem}")
        for name, value in _named_results(declaration, targets, results):
            self.expansion.settle(name, value, operation.span, path)
        if operation.span is None:
            # The graph was not parsed; spans in the text of the standard do not belong to it.
            added = self.builder.operations[first:]
            self.builder.operations[first:] = [replace(part, span=None) for part in added]

    def _results(
        self, operation: Operation, declaration: Declaration, targets: list[Any], scope: Scope
    ) -> list[TypedValue]:
        dtype = PRIMITIVES[operation.dtype] if operation.dtype else None
        arguments = [
            TypedValue(_argument(operation, parameter.name), _bound(parameter.type, dtype))
            for parameter in declaration.parameters
        ]
        types = [_bound(result.type, dtype) for result in declaration.results]
        binding = Binding([*range(len(arguments))], dtype, types, True)
        tensors = [name if isinstance(name, str) else None for name in targets]
        call = BoundCall(declaration, binding, arguments, Name(operation.name, 0, 1))
        try:
            return run(self.expansion.invocations.expand(call, scope, tensors))
        except Refused:
            raise DocumentError(self._diagnostics(operation)) from None

    def _diagnostics(self, operation: Operation) -> list[Diagnostic]:
        """Return the errors, placed at the operation in the text of the graph if it has one."""
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


def _named_results(
    declaration: Declaration, targets: Sequence[Any], results: Sequence[TypedValue]
) -> Iterable[tuple[str, TypedValue]]:
    """Yield the name and the value of each tensor among the results."""
    for result, target, value in zip(declaration.results, targets, results, strict=True):
        if isinstance(result.type, ArrayType):
            type_ = value.type.element if isinstance(value.type, ArrayType) else value.type
            for name, element in zip(target, value.value, strict=True):
                yield name, TypedValue(element, type_)
        else:
            yield target, value


def _bound(type_: Type, dtype: PrimitiveType | None) -> Type:
    return bind(type_, dtype) if dtype is not None else type_


def _argument(operation: Operation, name: str) -> Any:
    return operation.inputs[name] if name in operation.inputs else operation.attribs[name]
