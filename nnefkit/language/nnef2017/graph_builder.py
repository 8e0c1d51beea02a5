"""The operations of a provisional document, each as what it is called and means in 1.0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nnefkit.errors import Span
from nnefkit.graph import Graph, Identifier
from nnefkit.language.declarations.binding import Binding
from nnefkit.language.declarations.declaration import Declaration, declarations
from nnefkit.language.elaboration.graph_builder import GraphBuilder
from nnefkit.language.elaboration.targets import Refused
from nnefkit.language.locate import locate
from nnefkit.language.nnef2017.declarations import Vocabulary, provisional_operations
from nnefkit.language.nnef2017.expansion import ProvisionalExpansion
from nnefkit.language.nnef2017.known_shapes import Infer, KnownShapes
from nnefkit.language.nnef2017.provisional_call import Call
from nnefkit.language.nnef2017.report import ProvisionalReport, Upgrades
from nnefkit.language.nnef2017.upgrades import UPGRADES
from nnefkit.language.report import Report
from nnefkit.language.syntax.lexer import Tokens
from nnefkit.language.syntax.tree import Expression, GraphSyntax, Invocation, Name
from nnefkit.language.types import PRIMITIVES, SCALAR, PrimitiveType, Type, bind

_MOST_DIMENSIONS = 64
"""Tensors are not given more dimensions, whatever a text asks for: no tool has tensors of more."""


class ProvisionalBuilder(GraphBuilder):
    """Collects the operations of 1.0 that those of a provisional document stand for.

    What they stand for depends on shapes: trailing extents of 1 could be left out everywhere, and
    the text itself can ask for the shape of any tensor (``shape_of``).
    """

    def __init__(
        self,
        header: GraphSyntax,
        tokens: Tokens,
        report: ProvisionalReport,
        vocabulary: Vocabulary,
        customs: Mapping[str, Declaration],
        upgrades: Upgrades,
        infer: Infer | None,
        *,
        strict: bool,
    ) -> None:
        super().__init__(header, tokens, report, vocabulary, customs, strict=strict)
        self.upgrades = upgrades
        self.shapes = KnownShapes(infer)
        self.unlisted: list[str] = []
        """Externals that are no parameters of the graph."""
        self._fitted: dict[tuple[str, int], Identifier] = {}
        """Tensors that were given another rank, which may be needed again."""
        self.labels: dict[str, str] = {}
        """The labels of variables, by themselves in lower case."""
        self.expansion = ProvisionalExpansion(self)

    # -- operations of the document --------------------------------------------------------------

    def emit(
        self,
        declaration: Declaration,
        binding: Binding,
        values: Sequence[Any],
        outputs: Mapping[str, Any],
        span: Span | None,
        scope: tuple[str, ...] = (),
    ) -> None:
        """Adds what an operation stands for."""
        name = declaration.name
        if provisional_operations().get(name) is not declaration:
            super().emit(declaration, binding, values, outputs, span, scope)
            return
        arguments = {
            parameter.name: _copied(parameter.default) if slot is None else values[slot]
            for parameter, slot in zip(declaration.parameters, binding.slots, strict=True)
        }
        given = {
            parameter.name
            for parameter, slot in zip(declaration.parameters, binding.slots, strict=True)
            if slot is not None
        }
        call = Call(name, arguments, given, outputs, binding.dtype, span, scope)
        upgrade = UPGRADES.get(name)
        if upgrade is None:
            self.put(call, name, **arguments)
            return
        if any(_holds_identifier(arguments[name]) for name, _, _ in declaration.attributes):
            # It is not defined, which will be told; here it has no value to work on.
            raise Refused
        upgrade(self, call)

    def opaque(
        self, invocation: Invocation, target: Expression | None, report: Report
    ) -> Declaration:
        """What stands for an operation that is not known; there is none for one that came later."""
        if invocation.name in declarations():
            raise self.unknown(invocation, report)
        return super().opaque(invocation, target, report)

    def unknown(self, invocation: Invocation, report: Report) -> Refused:
        """Reports an operation that is not known, or not yet known then."""
        if invocation.name not in declarations():
            return super().unknown(invocation, report)
        report.at(
            "unknown-operation",
            f"the provisional specification has no operation '{invocation.name}', which came later",
            invocation.at,
            hint="Write the document as one of NNEF 1.0: version 1.0; and a semicolon behind each "
            "assignment.",
            section="4",
        )
        return Refused()

    def special(self, invocation: Invocation, names: list[Name] | None) -> None:
        """The rules for inputs: an external that the graph does not list becomes a parameter."""
        if invocation.name != "external" or names is None:
            super().special(invocation, names)
            return
        listed = {parameter.name for parameter in self.header.parameters}
        for name in names:
            if name.name in listed or name.name in self.names.types:
                continue
            self.unlisted.append(name.name)
            self.upgrades.tell(
                "every external is a parameter of the graph since 1.0; this one is added to them",
                self.tokens.span(name.at, name.end),
                "3.3.2",
            )
        self.names.external([name for name in names if name.name not in self.unlisted])

    def finish(self) -> Graph:
        """The graph, all its externals among its inputs."""
        graph = super().finish()
        return replace(graph, inputs=(*graph.inputs, *self.unlisted))

    # -- operations of 1.0 -----------------------------------------------------------------------

    def put(self, call: Call, name: str, **arguments: Any) -> None:
        """Adds the operation `name` of 1.0, with the results of `call`."""
        self._put(call, name, arguments, list(call.outputs.values()), call.dtype)

    def step(
        self, call: Call, name: str, dtype: PrimitiveType | None = None, **arguments: Any
    ) -> Identifier:
        """Adds an operation of 1.0 on the way to the results of `call`; gives its own result."""
        first = next(iter(call.outputs.values()))
        base = first if isinstance(first, str) else call.name
        result = Identifier(self.expansion.fresh.unused(f"{base}_{name}"))
        self._put(call, name, arguments, [result], dtype)
        return result

    def _put(
        self,
        call: Call,
        name: str,
        arguments: Mapping[str, Any],
        outputs: Sequence[Any],
        dtype: PrimitiveType | None,
    ) -> None:
        declaration = declarations()[name]
        order = {argument: position for position, argument in enumerate(arguments)}
        slots = [order.get(parameter.name) for parameter in declaration.parameters]
        generic = dtype or SCALAR
        kinds: list[Type] = [bind(result.type, generic) for result in declaration.results]
        results = {r.name: value for r, value in zip(declaration.results, outputs, strict=True)}
        binding = Binding(slots, generic if declaration.generic else None, kinds, True)
        super().emit(declaration, binding, list(arguments.values()), results, call.span, call.scope)

    def _add(
        self,
        operation: str,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any],
        attribs: Mapping[str, Any],
        dtype: str | None,
        scope: tuple[str, ...],
        span: Span | None,
    ) -> None:
        super()._add(operation, inputs, outputs, attribs, dtype, scope, span)
        self.shapes.add(self.operations[-1])

    # -- tensors ---------------------------------------------------------------------------------

    def shape(self, value: Any) -> Any:
        """The shape of an input (a list of them for an array), None if it is not known."""
        return self.shapes.of(value)

    def dtype(self, value: Any) -> PrimitiveType | None:
        """The data-type of a tensor, None if it is not known."""
        tensor = self.tensors.get(value)
        if tensor is not None:
            return PRIMITIVES.get(tensor.dtype)
        item = getattr(self.names.types.get(value), "item", None)
        return item if isinstance(item, PrimitiveType) else None

    def fit(self, call: Call, value: Any, rank: int) -> Any:
        """The tensor `value` with so many dimensions.

        Trailing extents of 1, which could be left out everywhere, are added or taken away; a tensor
        that has other extents in their place is given as it is.
        """
        shape = self.shape(value)
        if not isinstance(value, Identifier) or shape is None or rank > _MOST_DIMENSIONS:
            return value
        if len(shape) == rank:
            return value
        axes = [*range(min(len(shape), rank), max(len(shape), rank))]
        if len(shape) > rank and set(shape[rank:]) != {1}:
            return value
        known = self._fitted.get((value, rank))
        if known is not None:
            return known
        operation = "unsqueeze" if len(shape) < rank else "squeeze"
        self.tell(
            call,
            "ranks count since 1.0: trailing extents of 1 are added and taken away",
            "2.2",
            "In 2017 tensors that differ in nothing else were the same.",
        )
        fitted = self.step(call, operation, self.dtype(value), input=value, axes=axes)
        self._fitted[value, rank] = fitted
        return fitted

    # -- diagnostics -----------------------------------------------------------------------------

    def tell(
        self, call: Call, message: str, section: str, hint: str = "", argument: str = ""
    ) -> None:
        """Notes what changed about an operation, or about one of its arguments."""
        self.upgrades.tell(message, self._place(call, argument), section, hint)

    def warn(self, call: Call, code: str, message: str, argument: str, hint: str) -> None:
        """Warns of an argument that is not the same in 1.0."""
        self.report.add(code, message, self._place(call, argument), hint, severity="warning")

    def refuse(self, call: Call, code: str, message: str, argument: str, hint: str) -> Refused:
        """Reports an argument that cannot be said in 1.0."""
        self.report.add(code, message, self._place(call, argument), hint)
        return Refused()

    def _place(self, call: Call, argument: str) -> Span | None:
        if call.span is None:
            return None
        return locate(self.tokens.source, call.span, argument)


def _holds_identifier(value: Any) -> bool:
    stack = [value]
    while stack:
        value = stack.pop()
        if isinstance(value, Identifier):
            return True
        if isinstance(value, (list, tuple)):
            stack.extend(value)
    return False


def _copied(default: Any) -> Any:
    return default.copy() if type(default) is list else default
