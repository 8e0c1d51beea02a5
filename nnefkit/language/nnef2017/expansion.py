"""Expansion of provisional fragments: types are not declared, and variables are allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnefkit.errors import Span
from nnefkit.graph import Identifier
from nnefkit.language.declarations.binding import Binding
from nnefkit.language.declarations.declaration import Declaration
from nnefkit.language.elaboration.expansion import Expansion
from nnefkit.language.elaboration.invocations import AssignInScope, Invocations
from nnefkit.language.elaboration.scopes import ABSTRACT, Refused, Scope, Value
from nnefkit.language.nnef2017.graph_builder import ProvisionalBuilder
from nnefkit.language.syntax.trampoline import Call, run
from nnefkit.language.syntax.tree import Assignment, Expression, Invocation, Name
from nnefkit.language.types import (
    EMPTY,
    INTEGER,
    OF_LITERAL,
    STRING,
    UNBOUND_TENSOR,
    UNKNOWN,
    ArrayType,
    TensorType,
    TupleType,
    Type,
    array_of,
    common_type_of,
    tensor_of,
    tuple_of,
)

_LEAST_RANK = 2
_ITEMS_OF_A_STEP = 100
"""The number of elements whose inspection counts as one step of the expansion."""


class ProvisionalExpansion(Expansion):
    """Expands assignments into operations of a graph, by the rules of 2017."""

    builder: ProvisionalBuilder

    def __init__(self, builder: ProvisionalBuilder) -> None:
        self.typing = _Typing(builder)
        super().__init__(builder)

    def create_invocations(self, assign: AssignInScope) -> Invocations:
        """Return the object that carries out invocations by the rules of 2017."""
        return ProvisionalInvocations(self.builder, self, assign)

    def check_lengths(
        self,
        declaration: Declaration,
        parts: Sequence[Expression | None],
        kinds: Sequence[Type],
        scope: Scope,
    ) -> None:
        """Report arrays of unknown length; that of ``split`` follows from its ratios."""
        if not self._is_divided(declaration, parts, scope):
            super().check_lengths(declaration, parts, kinds, scope)

    def emit_assigned(
        self,
        declaration: Declaration,
        binding: Binding,
        arguments: Sequence[Value],
        assignment: Assignment,
        scope: Scope,
        parts: Sequence[Expression | None],
    ) -> list[Value]:
        """Emit an operation, ``split`` with as many results as it has ratios."""
        slot = binding.slots[-1]
        if slot is None or not self._is_divided(declaration, parts, scope):
            return super().emit_assigned(declaration, binding, arguments, assignment, scope, parts)
        ratios = arguments[slot].value
        chunks = [self.invocations.new_identifier(None, scope, declaration.name) for _ in ratios]
        outputs = {declaration.results[0].name: chunks}
        self.invocations.emit(declaration, binding, arguments, assignment, scope, outputs)
        return [Value(chunks, binding.results[0])]

    def _is_divided(
        self, declaration: Declaration, parts: Sequence[Expression | None], scope: Scope
    ) -> bool:
        """Return whether one identifier of a fragment stands for all results of ``split``."""
        name = declaration.name
        return name == "split" and scope.declaration is not None and isinstance(parts[0], Name)

    def bind(self, target: Expression, found: Value, scope: Scope) -> Call[None]:
        """Give the names on the left-hand side their values, with types as exact as possible."""
        errors = scope.report.errors
        yield super().bind(target, self.typing.typed(found), scope)
        if scope.report.errors > errors and scope.declaration is not None and not scope.abstract:
            # Its value does not have the type that others rely on.
            raise Refused

    def settle(
        self, name: str, found: Value, span: Span | None, path: tuple[str, ...] = ()
    ) -> None:
        """Make the value of an expression the tensor called `name`."""
        super().settle(name, found, span, path)
        if isinstance(found.value, Identifier):
            self.builder.shapes.same(name, found.value)


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

    def value_of(self, name: Name, scope: Scope) -> Value:
        """Return the value of an identifier."""
        found = super().value_of(name, scope)
        if scope.abstract:
            return Value(ABSTRACT, loose(found.type))
        if isinstance(found.value, list):
            self.budget.spend(name, scope, len(found.value) // _ITEMS_OF_A_STEP)
        return self.typing.typed(found)

    def invoke(self, node: Invocation, scope: Scope, tensor: str | None) -> Call[Value]:
        """Return the result of an invocation inside of an expression, which can have any type."""
        found: Value = yield super().invoke(node, scope, tensor)
        declaration = self.builder.declarations.get(node.name)
        if scope.abstract and declaration is not None and self.rules.expands(declaration):
            return Value(ABSTRACT, loose(declaration.results[0].type))
        return found

    def find_declaration(
        self, node: Invocation, scope: Scope, target: Expression | None
    ) -> Declaration:
        """Return the declaration of what is invoked; fragments can have variables."""
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
        arguments: Sequence[Value],
        scope: Scope,
    ) -> Binding:
        """Bind arguments to parameters; results of fragments can have any type."""
        binding = super().bind(declaration, node, arguments, scope)
        if not self.rules.expands(declaration):
            return binding
        errors = scope.report.errors
        for parameter, slot in zip(declaration.parameters, binding.slots, strict=True):
            if slot is None or parameter.type is not UNBOUND_TENSOR:
                continue
            kind, argument = arguments[slot].type, node.arguments[slot]
            if kind is INTEGER or kind is STRING:
                scope.report.at(
                    "type-mismatch",
                    f"'{parameter.name}' of '{declaration.name}' must be {UNBOUND_TENSOR}, "
                    f"not {kind}",
                    argument.value.at,
                    argument.value.end,
                    hint="A number without a point is an integer." if kind is INTEGER else "",
                    section="3.3.1",
                )
        if scope.report.errors > errors and not scope.abstract:
            raise Refused
        if scope.abstract:
            results: list[Type] = [loose(kind) for kind in binding.results]
        else:
            results = [k if isinstance(k, TensorType) else UNKNOWN for k in binding.results]
        if len(results) == 1 and not isinstance(results[0], TensorType):
            results = [UNKNOWN]
        return binding._replace(results=results)

    def expand(
        self,
        declaration: Declaration,
        binding: Binding,
        arguments: Sequence[Value],
        node: Expression,
        scope: Scope,
        tensors: Sequence[str | None],
    ) -> Call[list[Value]]:
        """Expand a fragment, and return its results."""
        results = yield super().expand(declaration, binding, arguments, node, scope, tensors)
        return [self.typing.typed(result) for result in results]

    def shape_of(self, value: Any) -> list[int] | None:
        """Return the extents of a tensor up to the last that is not 1, but at least two of them."""
        found = self.builder.shape(value)
        if found is None or isinstance(value, list):
            return None
        shape = [*found]
        while len(shape) > _LEAST_RANK and shape[-1] == 1:
            del shape[-1]
        return shape + [1] * (_LEAST_RANK - len(shape))


class _Typing:
    """Types of values, found from the values: ``tensor`` does not state its data type."""

    def __init__(self, builder: ProvisionalBuilder) -> None:
        self.builder = builder

    def typed(self, found: Value) -> Value:
        """Return the value with its own type, where the declared one is vague."""
        if found.value is ABSTRACT or loose(found.type) is found.type is not UNKNOWN:
            return found
        return Value(found.value, run(self._type_of(found.value)))

    def _type_of(self, value: Any) -> Call[Type]:
        if isinstance(value, Identifier):
            item = self.builder.dtype(value)
            return UNKNOWN if item is None else tensor_of(item)
        if not isinstance(value, (list, tuple)):
            return OF_LITERAL.get(type(value), UNKNOWN)
        kinds: list[Type] = []
        if isinstance(value, list):
            # Arrays can be long, but have few different tensors.
            kinds += [OF_LITERAL[kind] for kind in set(map(type, value)) if kind in OF_LITERAL]
            names = {item for item in value if isinstance(item, Identifier)}
            value = [*names, *(item for item in value if isinstance(item, (list, tuple)))]
            if not kinds and not value:
                return EMPTY
        for item in value:
            kind: Type = yield self._type_of(item)
            kinds.append(kind)
        if isinstance(value, tuple):
            return tuple_of(kinds)
        return array_of(common_type_of(kinds) or UNKNOWN)


def loose(kind: Type) -> Type:
    """Return the type with UNKNOWN in place of tensors without a data type."""
    return run(_loose(kind))


def _loose(kind: Type) -> Call[Type]:
    if isinstance(kind, ArrayType):
        item = yield _loose(kind.item)
        return kind if item is kind.item else array_of(item)
    if isinstance(kind, TupleType):
        items: list[Type] = []
        for part in kind.items:
            loosened: Type = yield _loose(part)
            items.append(loosened)
        same = all(a is b for a, b in zip(items, kind.items, strict=True))
        return kind if same else tuple_of(items)
    return UNKNOWN if kind is UNBOUND_TENSOR else kind
