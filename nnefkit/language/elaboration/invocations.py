"""Invocations inside of expressions and fragments to operations (3.3.2, 3.3.3)."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nnefkit.graph import Identifier
from nnefkit.language.declarations.binding import Binding, bind_arguments
from nnefkit.language.declarations.declaration import Declaration
from nnefkit.language.elaboration.evaluator import Evaluator
from nnefkit.language.elaboration.fresh_names import FreshNames
from nnefkit.language.elaboration.scopes import ABSTRACT, Scope, Value, activation
from nnefkit.language.elaboration.targets import Refused
from nnefkit.language.syntax.trampoline import Call
from nnefkit.language.syntax.tree import (
    Argument,
    Assignment,
    Binary,
    Expression,
    Invocation,
    Name,
    Unary,
    names_of,
)
from nnefkit.language.types import GENERIC, UNKNOWN, TensorType

if TYPE_CHECKING:
    from nnefkit.language.elaboration.graph_builder import GraphBuilder

MOST_CALLS = 1000
"""Fragments can call each other so deep; what goes deeper is taken for a recursion without end."""
MOST_STEPS = 300_000
"""Operations, calls and turns of loops of one document."""
GRAPH_ONLY = frozenset(("external", "variable", "update"))


class Invocations:
    """Carries out invocations: emits an operation, or expands the body of a fragment."""

    def __init__(
        self,
        builder: GraphBuilder,
        fresh: FreshNames,
        assign: Callable[[Assignment, Scope], Call[None]],
    ) -> None:
        self.builder = builder
        self.fresh = fresh
        self.evaluator = Evaluator(self)
        self.broken: set[str] = set()
        """Fragments that were told to be wrong, and are not expanded."""
        self.misdeclared: Container[str] = ()
        """Fragments that are called as nobody can tell: their parameters or results are wrong."""
        self.lowered: Container[str] = ()
        """Standard operations that are expanded, too."""
        self.expanded: Container[str] | None = None
        """Fragments that are expanded, None for all of them."""
        self._assign = assign
        self.steps = 0
        """What was done so far: operations, calls and turns of loops."""
        self.shapes_asked = 0
        """How often ``shape_of`` was evaluated."""

    # -- names --------------------------------------------------------------------------------

    def use(self, name: Name, scope: Scope) -> Value:
        """The value of an identifier."""
        found = scope.find(name.name)
        if found is not None:
            return Value(ABSTRACT, found.type) if scope.abstract else found
        names = self.builder.names
        if scope.declaration is None:
            kind = names.use(name)
            identifier = names.identifiers.get(name.name) or Identifier(name.name)
            # What is not defined has no value; it will be told.
            unknown = scope.abstract or kind is UNKNOWN
            return Value(ABSTRACT if unknown else identifier, kind)
        known = [*scope.declaration.by_name, *_all_values(scope)]
        scope.report.at(
            "undefined-identifier",
            f"'{name.name}' is not defined in '{scope.declaration.name}'",
            name.at,
            hint=scope.report.suggest(name.name, known),
            section="3.3.2",
        )
        return Value(ABSTRACT, UNKNOWN)

    def local_name(self, target: Expression, scope: Scope) -> str | None:
        """The name for the tensor that an assignment to `target` computes."""
        if not isinstance(target, Name) or scope.abstract:
            return None
        if scope.declaration is None:
            return target.name
        wanted = scope.wanted.get(target.name)
        if wanted is None:
            return self.fresh.unused(f"{scope.prefix}_{target.name}")
        return wanted

    def name(self, want: str | None, scope: Scope, operation: str) -> Identifier:
        """The identifier of a tensor that comes into being."""
        if want is None or want in self.builder.tensors:
            want = self.fresh.unused(f"{scope.hint}_{operation}")
        return Identifier(want)

    # -- invocations --------------------------------------------------------------------------

    def invoke(self, node: Invocation, scope: Scope, want: str | None) -> Call[Value]:
        """The result of an invocation inside of an expression."""
        declaration, arguments = yield self.called(node, scope, None)
        binding = self.bound(declaration, node, arguments, scope)
        kind = binding.results[0]
        if len(binding.results) > 1 or not isinstance(kind, (TensorType, type(UNKNOWN))):
            count = len(binding.results)
            what = f"{count} results" if count > 1 else f"a result of type {kind}"
            return self.evaluator.refuse(
                "invalid-chaining",
                f"'{node.name}' has {what} and cannot be used inside of an expression",
                node,
                scope,
                "Only operations with a single tensor as result can be chained; assign it first.",
            )
        if scope.abstract:
            return Value(ABSTRACT, kind)
        if self.expands(declaration):
            results = yield self.expand(declaration, binding, arguments, node, scope, [want])
            found: Value = results[0]
            return found
        outputs = {declaration.results[0].name: self.name(want, scope, declaration.name)}
        self.emit(declaration, binding, arguments, node, scope, outputs)
        return Value(next(iter(outputs.values())), kind)

    def operate(
        self, node: Unary | Binary, name: str, operands: list[Value], scope: Scope, want: str | None
    ) -> Value:
        """The result of the operation that an operator on tensors stands for."""
        parts = [node.operand] if isinstance(node, Unary) else [node.left, node.right]
        arguments = [Argument(None, part, part.at) for part in parts]
        call = Invocation(name, None, arguments, node.at, node.end)
        declaration = self.builder.declarations[name]
        binding = self.bound(declaration, call, operands, scope)
        kind = binding.results[0]
        if scope.abstract:
            return Value(ABSTRACT, kind)
        identifier = self.name(want, scope, name)
        outputs = {declaration.results[0].name: identifier}
        self.emit(declaration, binding, operands, call, scope, outputs)
        return Value(identifier, kind)

    def called(
        self, node: Invocation, scope: Scope, target: Expression | None
    ) -> Call[tuple[Declaration, list[Value]]]:
        """The declaration of what is invoked and the values of its arguments."""
        try:
            declaration = self.declaration(node, scope, target)
        except Refused:
            # What is wrong with the arguments is told all the same.
            yield self.arguments(node, scope)
            raise
        arguments: list[Value] = yield self.arguments(node, scope)
        return declaration, arguments

    def declaration(self, node: Invocation, scope: Scope, target: Expression | None) -> Declaration:
        """The declaration of what is invoked; `target` of an assignment, None in an expression."""
        declaration = self.builder.declarations.get(node.name)
        if declaration is None:
            declaration = self.builder.opaque(node, target, scope.report)
        if scope.declaration is not None and node.name in GRAPH_ONLY and not scope.span:
            scope.report.at(
                "operation-in-fragment",
                f"'{node.name}' must not be used inside of a fragment",
                node.at,
                hint="Use it in the graph, and pass its result on as an argument.",
                section="3.3.2",
            )
        elif scope.declaration is None and not scope.abstract:
            self.builder.special(node, None if target is None else names_of(target))
        return declaration

    def arguments(self, node: Invocation, scope: Scope) -> Call[list[Value]]:
        """The values of the arguments."""
        found: list[Value] = []
        for argument in node.arguments:
            value: Value = yield self.evaluator.evaluate(argument.value, scope)
            found.append(value)
        return found

    def bound(
        self,
        declaration: Declaration,
        node: Invocation,
        arguments: Sequence[Value],
        scope: Scope,
    ) -> Binding:
        """Which argument goes to which parameter, by all the rules."""
        if declaration.name in self.misdeclared:
            raise Refused
        generic = scope.dtype
        if scope.abstract and scope.declaration is not None and scope.declaration.generic:
            generic = GENERIC
        kinds = [argument.type for argument in arguments]
        binding = bind_arguments(declaration, node, kinds, scope.report, generic)
        if not binding.sound and not scope.abstract:
            raise Refused
        return binding

    def expands(self, declaration: Declaration) -> bool:
        """Whether the body of an operation is carried out instead of the operation."""
        if declaration.body is None:
            return False
        if declaration.standard:
            return declaration.name in self.lowered
        return self.expanded is None or declaration.name in self.expanded

    def emit(
        self,
        declaration: Declaration,
        binding: Binding,
        arguments: Sequence[Value],
        place: Expression | Assignment,
        scope: Scope,
        outputs: Mapping[str, Any],
    ) -> None:
        """Adds an operation to the graph."""
        self.step(place, scope)
        values = [argument.value for argument in arguments]
        if any(_is_abstract(value) for value in values):
            raise Refused
        span = scope.span or scope.report.tokens.span(place.at, place.end)
        self.builder.emit(declaration, binding, values, outputs, span, scope.path)

    # -- fragments ----------------------------------------------------------------------------

    def expand(
        self,
        declaration: Declaration,
        binding: Binding,
        arguments: Sequence[Value],
        node: Expression,
        scope: Scope,
        wants: Sequence[str | None],
    ) -> Call[list[Value]]:
        """The results of a fragment, its body carried out."""
        if declaration.name in self.broken:
            raise Refused
        self.step(node, scope)
        if len(scope.path) >= MOST_CALLS:
            self._endless(declaration, node, scope)
        prefix = wants[0] or self.fresh.unused(f"{scope.hint}_{declaration.name}")
        label = f"{declaration.name}:{prefix}"
        inner = Scope(
            scope.report,
            declaration=declaration,
            dtype=binding.dtype,
            path=(*scope.path, label),
            prefix=prefix,
            span=scope.span,
        )
        inner.wanted = {
            result.name: want
            for result, want, kind in zip(declaration.results, wants, binding.results, strict=True)
            if isinstance(kind, TensorType)
        }
        if len(wants) == 1 and wants[0] is None:
            inner.wanted = {declaration.results[0].name: prefix}
        given = [None if slot is None else arguments[slot] for slot in binding.slots]
        activation(declaration, given, binding.dtype, inner)
        for assignment in declaration.body or ():
            yield self._assign(assignment, inner)
        return [inner.values[result.name] for result in declaration.results]

    def _endless(self, declaration: Declaration, node: Expression, scope: Scope) -> None:
        names = [label.partition(":")[0] for label in scope.path]
        last = len(names) - 1 - names[::-1].index(declaration.name)
        cycle = " -> ".join([*names[last:], declaration.name])
        scope.report.at(
            "endless-recursion",
            f"'{declaration.name}' calls itself more than {MOST_CALLS} times: {cycle}",
            node.at,
            node.end,
            hint="A recursion ends by an if-else that chooses another branch.",
            section="3.3.3",
        )
        raise Refused

    def step(self, node: Expression | Assignment, scope: Scope, count: int = 1) -> None:
        """Counts what is done, so that a short text cannot ask for endless work."""
        self.steps += count
        if self.steps > MOST_STEPS:
            self.evaluator.refuse(
                "too-long", f"the graph takes more than {MOST_STEPS} steps to expand", node, scope
            )

    def take(self, steps: int) -> bool:
        """Counts what is known to be done; False, and nothing counted, if that is too much."""
        if self.steps + steps > MOST_STEPS:
            return False
        self.steps += steps
        return True

    def recount(self) -> None:
        """Counts from the beginning again: what comes is a work of its own."""
        self.steps = 0

    def shape_of(self, value: Any) -> list[int] | None:
        """The shape of a tensor, None if it is not known."""
        self.shapes_asked += 1
        if not isinstance(value, Identifier):
            return []
        tensor = self.builder.tensors.get(value)
        if tensor is not None and tensor.shape is None and self.builder.infer is not None:
            # Rare and deprecated: all that is there is inferred again, and counted as work.
            self.steps += len(self.builder.operations)
            tensor = self.builder.infer(self.builder.so_far()).tensors.get(value)
        return [*tensor.shape] if tensor is not None and tensor.shape is not None else None


def _all_values(scope: Scope | None) -> Iterable[str]:
    while scope is not None:
        yield from scope.values
        scope = scope.parent


def _is_abstract(value: Any) -> bool:
    stack = [value]
    while stack:
        value = stack.pop()
        if value is ABSTRACT:
            return True
        if isinstance(value, (list, tuple)):
            stack.extend(value)
    return False
