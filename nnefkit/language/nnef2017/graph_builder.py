"""The graph of a provisional document, built of operations of 1.0."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nnefkit.errors import Span
from nnefkit.graph import Graph, Identifier, Operation
from nnefkit.language.declarations.binding import Binding
from nnefkit.language.declarations.declaration import Declaration, declarations
from nnefkit.language.declarations.opaque import holds_tensor
from nnefkit.language.elaboration.graph_builder import GraphBuilder
from nnefkit.language.elaboration.scopes import Refused
from nnefkit.language.locate import locate
from nnefkit.language.nnef2017.declarations import Vocabulary, provisional_operations
from nnefkit.language.nnef2017.known_shapes import Infer, KnownShapes
from nnefkit.language.nnef2017.provisional_call import ProvisionalCall
from nnefkit.language.nnef2017.report import ProvisionalReport, Upgrades
from nnefkit.language.nnef2017.upgrades import UPGRADES
from nnefkit.language.report import Report
from nnefkit.language.syntax.lexer import Tokens
from nnefkit.language.syntax.tree import Expression, GraphSyntax, Invocation, Name
from nnefkit.language.types import PRIMITIVES, SCALAR, PrimitiveType, Type, bind

_MAX_DIMENSIONS = 64
"""Maximum number of dimensions of a tensor, whatever the text requests."""


class ProvisionalBuilder(GraphBuilder):
    """Collects the operations of 1.0 that are equivalent to those of a provisional document.

    The conversion depends on shapes: trailing extents of 1 can be omitted everywhere, and the text
    itself can ask for the shape of any tensor (``shape_of``).
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
        unread: Container[str] = (),
    ) -> None:
        super().__init__(header, tokens, report, vocabulary, customs, strict=strict, unread=unread)
        self.upgrades = upgrades
        self.shapes = KnownShapes(infer)
        self.unlisted: list[str] = []
        """Externals that are not parameters of the graph."""
        self._fitted: dict[tuple[str, int], Identifier] = {}
        """Converted tensors, by tensor and rank, for reuse."""
        self.labels: dict[str, str] = {}
        """The labels of variables, by their lower-case form."""

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
        """Add the operations of 1.0 that are equivalent to an operation."""
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
        call = ProvisionalCall(name, arguments, given, outputs, binding.dtype, span, scope)
        upgrade = UPGRADES.get(name)
        if upgrade is None:
            self.replace(call, name, **arguments)
            return
        if any(holds_tensor(arguments[name]) for name, _, _ in declaration.attributes):
            # The identifier is not defined, which is reported elsewhere.
            raise Refused
        upgrade(self, call)

    def declare_unknown(
        self, invocation: Invocation, target: Expression | None, report: Report
    ) -> Declaration:
        """Declare an unknown operation as opaque, unless it exists since 1.0."""
        if invocation.name in declarations():
            self.report_unknown(invocation, report)
            raise Refused
        return super().declare_unknown(invocation, target, report)

    def report_unknown(self, invocation: Invocation, report: Report) -> None:
        """Report an unknown operation, or one that exists since 1.0."""
        if invocation.name not in declarations():
            super().report_unknown(invocation, report)
            return
        report.at(
            "unknown-operation",
            f"the provisional specification has no operation '{invocation.name}', which exists "
            "since 1.0",
            invocation.at,
            hint="Write the document in NNEF 1.0: version 1.0; and a semicolon after each "
            "assignment.",
            section="4",
        )

    def check_invocation(self, invocation: Invocation, names: list[Name] | None) -> None:
        """Apply the rules for inputs; an external that the graph does not list is added to it."""
        if invocation.name != "external" or names is None:
            super().check_invocation(invocation, names)
            return
        listed = {parameter.name for parameter in self.header.parameters}
        for name in names:
            if name.name in listed or name.name in self.names.types:
                continue
            self.unlisted.append(name.name)
            self.upgrades.note(
                "every external is a parameter of the graph since 1.0; this one is added",
                self.tokens.span(name.at, name.end),
                "3.3.2",
            )
        self.names.add_externals([name for name in names if name.name not in self.unlisted])

    def finish(self) -> Graph:
        """Return the graph, with all externals among its inputs."""
        graph = super().finish()
        return replace(graph, inputs=(*graph.inputs, *self.unlisted))

    # -- operations of 1.0 -----------------------------------------------------------------------

    def replace(self, call: ProvisionalCall, name: str, **arguments: Any) -> None:
        """Add the operation `name` of 1.0, with the results of `call`."""
        self._put(call, name, arguments, list(call.outputs.values()), call.dtype)

    def intermediate(
        self, call: ProvisionalCall, name: str, dtype: PrimitiveType | None = None, **arguments: Any
    ) -> Identifier:
        """Add an intermediate operation of 1.0 for `call`, and return its result."""
        first = next(iter(call.outputs.values()))
        base = first if isinstance(first, str) else call.name
        result = Identifier(self.new_names.unused(f"{base}_{name}"))
        self._put(call, name, arguments, [result], dtype)
        return result

    def _put(
        self,
        call: ProvisionalCall,
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

    def add(self, operation: Operation) -> None:
        """Append an operation to the graph, and infer the shapes of its results."""
        super().add(operation)
        self.shapes.add(operation)

    # -- tensors ---------------------------------------------------------------------------------

    def shape(self, value: Any) -> Any:
        """Return the shape of an input, a list of shapes for an array, or None if it is unknown."""
        return self.shapes.of(value)

    def dtype(self, value: Any) -> PrimitiveType | None:
        """Return the data type of a tensor, or None if it is unknown."""
        tensor = self.tensors.get(value)
        if tensor is not None:
            return PRIMITIVES.get(tensor.dtype)
        element = getattr(self.names.types.get(value), "element", None)
        return element if isinstance(element, PrimitiveType) else None

    def fit(self, call: ProvisionalCall, value: Any, rank: int) -> Any:
        """Return the tensor `value` with `rank` dimensions.

        Trailing extents of 1, which can be omitted in 2017, are added or removed; a tensor with
        other trailing extents is returned unchanged.
        """
        shape = self.shape(value)
        if not isinstance(value, Identifier) or shape is None or rank > _MAX_DIMENSIONS:
            return value
        if len(shape) == rank:
            return value
        axes = [*range(min(len(shape), rank), max(len(shape), rank))]
        if len(shape) > rank and set(shape[rank:]) != {1}:
            return value
        fitted = self._fitted.get((value, rank))
        if fitted is not None:
            return fitted
        operation = "unsqueeze" if len(shape) < rank else "squeeze"
        self.note(
            call,
            "ranks must match since 1.0: trailing extents of 1 are added or removed",
            "2.2",
            "In 2017, tensors were equal if they differed in nothing else.",
        )
        fitted = self.intermediate(call, operation, self.dtype(value), input=value, axes=axes)
        self._fitted[value, rank] = fitted
        return fitted

    # -- diagnostics -----------------------------------------------------------------------------

    def note(
        self, call: ProvisionalCall, message: str, section: str, hint: str = "", argument: str = ""
    ) -> None:
        """Note a change of an operation, or of one of its arguments."""
        self.upgrades.note(message, self._place(call, argument), section, hint)

    def warn(
        self, call: ProvisionalCall, code: str, message: str, argument: str, hint: str
    ) -> None:
        """Warn about an argument that has another meaning in 1.0."""
        self.report.add(code, message, self._place(call, argument), hint, severity="warning")

    def refuse(
        self, call: ProvisionalCall, code: str, message: str, argument: str, hint: str
    ) -> Refused:
        """Report an argument that cannot be expressed in 1.0."""
        self.report.add(code, message, self._place(call, argument), hint)
        return Refused()

    def _place(self, call: ProvisionalCall, argument: str) -> Span | None:
        if call.span is None:
            return None
        return locate(self.tokens.source, call.span, argument)


def _copied(default: Any) -> Any:
    return default.copy() if type(default) is list else default
