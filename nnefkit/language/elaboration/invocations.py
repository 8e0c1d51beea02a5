"""Invocations inside of expressions and fragments (3.3.2, 3.3.3)."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from nnefkit.graph import Identifier
from nnefkit.language.declarations.binding import Binding, bind_arguments
from nnefkit.language.declarations.declaration import Declaration
from nnefkit.language.elaboration.budget import Spending, elements_of
from nnefkit.language.elaboration.evaluator import Evaluator
from nnefkit.language.elaboration.graph_builder import GraphBuilder
from nnefkit.language.elaboration.scopes import (
    ABSTRACT,
    Refused,
    Scope,
    TypedValue,
    define_parameters,
)
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

MAX_CALLS = 1000
"""Depth of recursive fragment calls that counts as endless."""
_CALLS_OF_A_STEP = 50
_GRAPH_ONLY = frozenset(("external", "variable", "update"))


class BoundCall(NamedTuple):
    """An invocation whose arguments have been evaluated and bound to parameters."""

    declaration: Declaration
    binding: Binding
    arguments: Sequence[TypedValue]
    node: Expression | Assignment
    """Its position in the text."""


AssignInScope = Callable[[Assignment, Scope], Call[None]]
"""Carries out an assignment of a fragment's body."""


@dataclass(frozen=True, slots=True)
class ExpansionRules:
    """Selection of the operations to be replaced by their bodies."""

    fragments: Container[str] | None = None
    """Fragments to expand, None for all of them."""
    standard: Container[str] = ()
    """Compound standard operations to expand."""
    misdeclared: Container[str] = ()
    """Fragments whose parameters or results violate the rules, so that calls cannot be checked."""

    def expands(self, declaration: Declaration) -> bool:
        """Return whether an operation is replaced by its body."""
        if declaration.body is None:
            return False
        if declaration.standard:
            return declaration.name in self.standard
        return self.fragments is None or declaration.name in self.fragments


class Invocations:
    """Carries out invocations: emits an operation, or expands the body of a fragment.

    The methods up to `shape_of` are hooks for other versions of the language. Their argument
    `tensor` is the name for the tensor that an invocation computes, None to choose one.
    """

    def __init__(self, builder: GraphBuilder, rules: ExpansionRules, assign: AssignInScope) -> None:
        self.builder = builder
        self.rules = rules
        self.budget = Spending()
        self.evaluator = Evaluator(self)
        self.broken: set[str] = set()
        """Fragments whose errors were reported; they are not expanded."""
        self.shapes_asked = 0
        """Number of times that ``shape_of`` was evaluated."""
        self._assign = assign

    # -- hooks --------------------------------------------------------------------------------

    def value_of(self, name: Name, scope: Scope) -> TypedValue:
        """Return the value of an identifier."""
        value = scope.find(name.name)
        if value is not None:
            return TypedValue(ABSTRACT, value.type) if scope.abstract else value
        names = self.builder.names
        if scope.declaration is None:
            type_ = names.use(name)
            identifier = names.identifiers.get(name.name) or Identifier(name.name)
            # An undefined name, reported at the end, has no value.
            unknown = scope.abstract or type_ is UNKNOWN
            return TypedValue(ABSTRACT if unknown else identifier, type_)
        candidates = [*scope.declaration.by_name, *_all_names(scope)]
        scope.report.at(
            "undefined-identifier",
            f"'{name.name}' is not defined in '{scope.declaration.name}'",
            name.at,
            hint=scope.report.suggest(name.name, candidates),
            section="3.3.2",
        )
        return TypedValue(ABSTRACT, UNKNOWN)

    def invoke(self, node: Invocation, scope: Scope, tensor: str | None) -> Call[TypedValue]:
        """Return the result of an invocation inside of an expression."""
        declaration, arguments = yield self.resolve(node, scope, None)
        binding = self.bind(declaration, node, arguments, scope)
        call = BoundCall(declaration, binding, arguments, node)
        type_ = binding.results[0]
        if len(binding.results) > 1 or not (isinstance(type_, TensorType) or type_ is UNKNOWN):
            count = len(binding.results)
            results = f"{count} results" if count > 1 else f"a result of type {type_}"
            return scope.refuse(
                "invalid-chaining",
                f"'{node.name}' has {results} and cannot be used inside of an expression",
                node,
                "Only operations with a single tensor as result can be chained; assign it first.",
            )
        if scope.abstract:
            return TypedValue(ABSTRACT, type_)
        if self.rules.expands(declaration):
            results = yield self.expand(call, scope, [tensor])
            value: TypedValue = results[0]
            return value
        identifier = self.new_identifier(tensor, scope, declaration.name)
        outputs = {declaration.results[0].name: identifier}
        self.emit(call, scope, outputs)
        return TypedValue(identifier, type_)

    def find_declaration(
        self, node: Invocation, scope: Scope, target: Expression | None
    ) -> Declaration:
        """Return the declaration of the invoked operation.

        Args:
            node: The invocation.
            scope: The scope that it is part of.
            target: The left-hand side that it is assigned to, None inside of an expression.

        Raises:
            Refused: There is none; it is reported.
        """
        declaration = self.builder.declarations.get(node.name)
        if declaration is None:
            declaration = self.builder.declare_unknown(node, target, scope.report)
        if scope.declaration is not None and node.name in _GRAPH_ONLY and not scope.span:
            scope.report.at(
                "operation-in-fragment",
                f"'{node.name}' must not be used inside of a fragment",
                node.at,
                hint="Use it in the graph, and pass its result on as an argument.",
                section="3.3.2",
            )
        elif scope.declaration is None and not scope.abstract:
            self.builder.check_invocation(node, None if target is None else names_of(target))
        return declaration

    def bind(
        self,
        declaration: Declaration,
        node: Invocation,
        arguments: Sequence[TypedValue],
        scope: Scope,
    ) -> Binding:
        """Bind arguments to parameters, by the rules of 3.3.1 and 3.3.2.

        Raises:
            Refused: They do not match, in a scope that computes; it is reported.
        """
        if declaration.name in self.rules.misdeclared:
            raise Refused
        generic = scope.dtype
        if scope.abstract and scope.declaration is not None and scope.declaration.generic:
            generic = GENERIC
        types = [argument.type for argument in arguments]
        binding = bind_arguments(declaration, node, types, scope.report, generic)
        if not binding.sound and not scope.abstract:
            raise Refused
        return binding

    def expand(
        self, call: BoundCall, scope: Scope, tensors: Sequence[str | None]
    ) -> Call[list[TypedValue]]:
        """Carry out the body of a fragment and return its results.

        Args:
            call: The invocation of the fragment.
            scope: The scope of the invocation.
            tensors: A name for each result that is a tensor, None to choose one.
        """
        declaration, binding, arguments, node = call
        if declaration.name in self.broken:
            raise Refused
        depth = len(scope.path)
        # Each call has a copy of the path to it.
        self.budget.spend(node, scope, 1 + depth // _CALLS_OF_A_STEP)
        if depth >= MAX_CALLS:
            _refuse_recursion(declaration, node, scope)
        prefix = tensors[0] or self.builder.new_names.unused(f"{scope.stem}_{declaration.name}")
        inner = Scope(
            scope.report,
            declaration=declaration,
            dtype=binding.dtype,
            path=(*scope.path, f"{declaration.name}:{prefix}"),
            prefix=prefix,
            span=scope.span,
        )
        inner.result_names = _result_names(declaration, binding, tensors, prefix)
        values = [None if slot is None else arguments[slot] for slot in binding.slots]
        define_parameters(declaration, values, binding.dtype, inner)
        for assignment in declaration.body or ():
            yield self._assign(assignment, inner)
        return [inner.values[result.name] for result in declaration.results]

    def shape_of(self, value: Any) -> list[int] | None:
        """Return the shape of a tensor, None if it is not known."""
        self.shapes_asked += 1
        if not isinstance(value, Identifier):
            return []
        builder = self.builder
        tensor = builder.tensors.get(value)
        if tensor is not None and tensor.shape is None and builder.infer is not None:
            # Rare and deprecated: the whole graph is inferred again, and counted as work.
            self.budget.steps += len(builder.operations)
            tensor = builder.infer(builder.graph_so_far()).tensors.get(value)
        return [*tensor.shape] if tensor is not None and tensor.shape is not None else None

    # -- for expressions and assignments ------------------------------------------------------

    def operate(
        self,
        node: Unary | Binary,
        operation: str,
        operands: list[TypedValue],
        scope: Scope,
        tensor: str | None,
    ) -> TypedValue:
        """Return the result of the operation that an operator on tensors denotes."""
        parts = [node.operand] if isinstance(node, Unary) else [node.left, node.right]
        arguments = [Argument(None, part, part.at) for part in parts]
        invocation = Invocation(operation, None, arguments, node.at, node.end)
        declaration = self.builder.declarations[operation]
        binding = self.bind(declaration, invocation, operands, scope)
        type_ = binding.results[0]
        if scope.abstract:
            return TypedValue(ABSTRACT, type_)
        identifier = self.new_identifier(tensor, scope, operation)
        outputs = {declaration.results[0].name: identifier}
        self.emit(BoundCall(declaration, binding, operands, invocation), scope, outputs)
        return TypedValue(identifier, type_)

    def resolve(
        self, node: Invocation, scope: Scope, target: Expression | None
    ) -> Call[tuple[Declaration, list[TypedValue]]]:
        """Return the declaration of the invoked operation and the values of the arguments."""
        try:
            declaration = self.find_declaration(node, scope, target)
        except Refused:
            # Errors in the arguments are still reported.
            yield self._arguments(node, scope)
            raise
        arguments: list[TypedValue] = yield self._arguments(node, scope)
        return declaration, arguments

    def _arguments(self, node: Invocation, scope: Scope) -> Call[list[TypedValue]]:
        values: list[TypedValue] = []
        for argument in node.arguments:
            value: TypedValue = yield self.evaluator.evaluate(argument.value, scope)
            values.append(value)
        return values

    def emit(self, call: BoundCall, scope: Scope, outputs: Mapping[str, Any]) -> None:
        """Add an operation to the graph."""
        declaration, binding, arguments, node = call
        values = [argument.value for argument in arguments]
        self.budget.spend(node, scope, 1, sum(map(elements_of, values)))
        if any(_holds_abstract(value) for value in values):
            raise Refused
        span = scope.span or scope.report.tokens.span(node.at, node.end)
        self.builder.emit(declaration, binding, values, outputs, span, scope.path)

    # -- names of tensors ---------------------------------------------------------------------

    def target_name(self, target: Expression, scope: Scope) -> str | None:
        """Return the name for the tensor that is assigned to `target`, None to choose one."""
        if not isinstance(target, Name) or scope.abstract:
            return None
        if scope.declaration is None:
            return target.name
        name = scope.result_names.get(target.name)
        if name is None:
            return self.builder.new_names.unused(f"{scope.prefix}_{target.name}")
        return name

    def new_identifier(self, name: str | None, scope: Scope, operation: str) -> Identifier:
        """Return the identifier of a new tensor, called `name` if that is not in use."""
        if name is None or name in self.builder.tensors:
            name = self.builder.new_names.unused(f"{scope.stem}_{operation}")
        return Identifier(name)


def _result_names(
    declaration: Declaration, binding: Binding, tensors: Sequence[str | None], prefix: str
) -> dict[str, str | None]:
    if len(tensors) == 1 and tensors[0] is None:
        return {declaration.results[0].name: prefix}
    return {
        result.name: tensor
        for result, tensor, type_ in zip(declaration.results, tensors, binding.results, strict=True)
        if isinstance(type_, TensorType)
    }


def _refuse_recursion(
    declaration: Declaration, node: Expression | Assignment, scope: Scope
) -> None:
    """Refuse a call that closes a cycle for too many times; deep calls alone are no recursion."""
    names = [label.partition(":")[0] for label in scope.path]
    calls = names.count(declaration.name)
    if not calls:
        return
    last = len(names) - 1 - names[::-1].index(declaration.name)
    if (calls + 1) * (len(names) - last) < MAX_CALLS:
        return
    cycle = " -> ".join([*names[last:], declaration.name])
    scope.report.at(
        "endless-recursion",
        f"'{declaration.name}' calls itself more than {MAX_CALLS} times: {cycle}",
        node.at,
        node.end,
        hint="A recursion must end in an if-else that chooses another branch.",
        section="3.3.3",
    )
    raise Refused


def _all_names(scope: Scope | None) -> Iterable[str]:
    while scope is not None:
        yield from scope.values
        scope = scope.parent


def _holds_abstract(value: Any) -> bool:
    stack = [value]
    while stack:
        value = stack.pop()
        if value is ABSTRACT:
            return True
        if isinstance(value, (list, tuple)):
            stack.extend(value)
    return False
