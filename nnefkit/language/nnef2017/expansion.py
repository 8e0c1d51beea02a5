"""Expansion of provisional fragments: types are not declared, and variables are allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnefkit.errors import Span
from nnefkit.graph import Identifier
from nnefkit.language.declarations.binding import Binding
from nnefkit.language.declarations.declaration import Declaration, Parameter
from nnefkit.language.elaboration.expansion import Expansion
from nnefkit.language.elaboration.invocations import AssignInScope, BoundCall, Invocations
from nnefkit.language.elaboration.scopes import ABSTRACT, Refused, Scope, TypedValue
from nnefkit.language.nnef2017.graph_builder import ProvisionalBuilder
from nnefkit.language.nnef2017.value_types import ValueTypes, loose
from nnefkit.language.report import Report
from nnefkit.language.syntax.trampoline import Call
from nnefkit.language.syntax.tree import Argument, Expression, Invocation, Name
from nnefkit.language.types import (
    INTEGER,
    STRING,
    UNBOUND_TENSOR,
    UNKNOWN,
    TensorType,
    Type,
)

_MIN_RANK = 2


class ProvisionalExpansion(Expansion):
    """Expands assignments into operations of a graph, by the rules of 2017."""

    builder: ProvisionalBuilder

    def __init__(self, builder: ProvisionalBuilder) -> None:
        self.typing = ValueTypes(builder.dtype)
        super().__init__(builder)

    def create_invocations(self, assign: AssignInScope) -> Invocations:
        """Return the object that carries out invocations by the rules of 2017."""
        return ProvisionalInvocations(self.builder, self, assign)

    def check_lengths(
        self,
        declaration: Declaration,
        parts: Sequence[Expression | None],
        types: Sequence[Type],
        scope: Scope,
    ) -> None:
        """Report arrays of unknown length; that of ``split`` follows from its ratios."""
        if not self._is_divided(declaration, parts, scope):
            super().check_lengths(declaration, parts, types, scope)

    def emit_assigned(
        self, call: BoundCall, scope: Scope, parts: Sequence[Expression | None]
    ) -> list[TypedValue]:
        """Emit an operation, ``split`` with as many results as it has ratios."""
        declaration = call.declaration
        slot = call.binding.slots[-1]
        if slot is None or not self._is_divided(declaration, parts, scope):
            return super().emit_assigned(call, scope, parts)
        ratios = call.arguments[slot].value
        chunks = [self.invocations.new_identifier(None, scope, declaration.name) for _ in ratios]
        outputs = {declaration.results[0].name: chunks}
        self.invocations.emit(call, scope, outputs)
        return [TypedValue(chunks, call.binding.results[0])]

    def _is_divided(
        self, declaration: Declaration, parts: Sequence[Expression | None], scope: Scope
    ) -> bool:
        """Return whether one identifier of a fragment denotes all results of ``split``."""
        name = declaration.name
        return name == "split" and scope.declaration is not None and isinstance(parts[0], Name)

    def bind(self, target: Expression, value: TypedValue, scope: Scope) -> Call[None]:
        """Bind the names on the left-hand side to their values, with types as exact as possible."""
        errors = scope.report.errors
        yield super().bind(target, self.typing.typed(value), scope)
        if scope.report.errors > errors and scope.declaration is not None and not scope.abstract:
            # Its value does not have the type that its users rely on.
            raise Refused

    def settle(
        self, name: str, value: TypedValue, span: Span | None, path: tuple[str, ...] = ()
    ) -> None:
        """Make the value of an expression the tensor called `name`."""
        super().settle(name, value, span, path)
        if isinstance(value.value, Identifier):
            self.builder.shapes.same(name, value.value)


class ProvisionalInvocations(Invocations):
    """Carries out invocations, by the rules of 2017."""

    builder: ProvisionalBuilder

    def __init__(
        self,
        builder: ProvisionalBuilder,
        expansion: ProvisionalExpansion,
        assign: AssignInScope,
    ) -> None:
        super().__init__(builder, expansion.rules, assign)
        self.typing = expansion.typing

    def value_of(self, name: Name, scope: Scope) -> TypedValue:
        """Return the value of an identifier."""
        value = super().value_of(name, scope)
        if scope.abstract:
            return TypedValue(ABSTRACT, loose(value.type))
        if isinstance(value.value, list):
            self.budget.spend(name, scope, 0, len(value.value))
        return self.typing.typed(value)

    def invoke(self, node: Invocation, scope: Scope, tensor: str | None) -> Call[TypedValue]:
        """Return the result of an invocation inside of an expression, which can have any type."""
        result: TypedValue = yield super().invoke(node, scope, tensor)
        declaration = self.builder.declarations.get(node.name)
        if scope.abstract and declaration is not None and self.rules.expands(declaration):
            return TypedValue(ABSTRACT, loose(declaration.results[0].type))
        return result

    def find_declaration(
        self, node: Invocation, scope: Scope, target: Expression | None
    ) -> Declaration:
        """Return the declaration of the invoked operation; fragments can have variables."""
        if scope.declaration is None or node.name not in ("variable", "update"):
            return super().find_declaration(node, scope, target)
        self.builder.upgrades.note(
            "'variable' and 'update' belong to the graph itself since 1.0; these are moved there",
            scope.report.tokens.span(node.at, node.at + 1),
            "3.3.2",
        )
        return self.builder.declarations[node.name]

    def bind(
        self,
        declaration: Declaration,
        node: Invocation,
        arguments: Sequence[TypedValue],
        scope: Scope,
    ) -> Binding:
        """Bind arguments to parameters; results of fragments can have any type."""
        binding = super().bind(declaration, node, arguments, scope)
        if not self.rules.expands(declaration):
            return binding
        errors = scope.report.errors
        for parameter, slot in zip(declaration.parameters, binding.slots, strict=True):
            if slot is not None and parameter.type is UNBOUND_TENSOR:
                _check_literal(
                    declaration, parameter, arguments[slot].type, node.arguments[slot], scope.report
                )
        if scope.report.errors > errors and not scope.abstract:
            raise Refused
        return binding._replace(results=_result_types(binding, abstract=scope.abstract))

    def expand(
        self, call: BoundCall, scope: Scope, tensors: Sequence[str | None]
    ) -> Call[list[TypedValue]]:
        """Expand a fragment, and return its results."""
        results = yield super().expand(call, scope, tensors)
        return [self.typing.typed(result) for result in results]

    def shape_of(self, value: Any) -> list[int] | None:
        """Return the extents of a tensor up to the last that is not 1, but at least two of them."""
        known = self.builder.shape(value)
        if known is None or isinstance(value, list):
            return None
        shape = [*known]
        while len(shape) > _MIN_RANK and shape[-1] == 1:
            del shape[-1]
        return shape + [1] * (_MIN_RANK - len(shape))


def _check_literal(
    declaration: Declaration, parameter: Parameter, type_: Type, argument: Argument, report: Report
) -> None:
    """Report an argument that is a literal, but cannot be a tensor."""
    if type_ is INTEGER or type_ is STRING:
        report.at(
            "type-mismatch",
            f"'{parameter.name}' of '{declaration.name}' must be {UNBOUND_TENSOR}, not {type_}",
            argument.value.at,
            argument.value.end,
            hint="A number without a decimal point is an integer." if type_ is INTEGER else "",
            section="3.3.1",
        )


def _result_types(binding: Binding, *, abstract: bool) -> list[Type]:
    """Return the types of the results of a fragment, UNKNOWN where they follow from its body."""
    if abstract:
        results = [loose(type_) for type_ in binding.results]
    else:
        results = [t if isinstance(t, TensorType) else UNKNOWN for t in binding.results]
    if len(results) == 1 and not isinstance(results[0], TensorType):
        return [UNKNOWN]
    return results
