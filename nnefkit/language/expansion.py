"""Invocations in expressions and fragments to operations (3.3.2, 3.3.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from nnefkit.graph import FrozenDict, Identifier, Operation, Tensor
from nnefkit.language.binding import Binding, bind_arguments
from nnefkit.language.declarations import Declaration
from nnefkit.language.evaluating import Evaluator
from nnefkit.language.scopes import ABSTRACT, Scope, Value, activation
from nnefkit.language.syntax import (
    Argument,
    Assignment,
    Binary,
    Conditional,
    Expression,
    Invocation,
    Items,
    Name,
    Unary,
    names_of,
)
from nnefkit.language.targets import Refused, Target, is_tuple_of, shape_of_target
from nnefkit.language.trampoline import Call, run
from nnefkit.language.types import (
    EMPTY,
    GENERIC,
    UNKNOWN,
    ArrayType,
    TensorType,
    TupleType,
    Type,
    common_type,
    tuple_of,
)

if TYPE_CHECKING:
    from nnefkit.language.building import GraphBuilder

MOST_CALLS = 1000
"""Fragments can call each other so deep; what goes deeper is taken for a recursion without end."""
MOST_STEPS = 300_000
"""Operations, calls and turns of loops of one document."""
GRAPH_ONLY = frozenset(("external", "variable", "update"))


class Expansion:
    """Turns assignments of expressions into operations of a graph."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder
        self.evaluator = Evaluator(self)
        self.graph = Scope(builder.report)
        self.broken: set[str] = set()
        """Fragments that were told to be wrong, and are not expanded."""
        self._steps = 0
        self._counts: dict[str, int] = {}
        self._issued: set[str] = set()
        self._fresh: set[str] = set()
        self._aliases: dict[str, str] = {}

    # -- assignments --------------------------------------------------------------------------

    def assign(self, assignment: Assignment) -> None:
        """Adds what an assignment of the graph stands for.

        Raises:
            Refused: something is wrong with it; it is reported.
        """
        names = names_of(assignment.target)
        self.graph.hint = names[0].name if names else "unnamed"
        self.graph.span = None
        run(self._assign(assignment, self.graph))

    def values(self, arguments: Iterable[Argument]) -> list[Any]:
        """The values of arguments in the graph."""
        return [
            run(self.evaluator.evaluate(argument.value, self.graph)).value for argument in arguments
        ]

    def check(self, declaration: Declaration) -> None:
        """Checks the body of a fragment, without arguments."""
        report = self.builder.report
        errors = report.errors
        scope = Scope(report, declaration=declaration, abstract=True)
        arguments: list[Value | None] = [None] * len(declaration.parameters)
        activation(declaration, arguments, None, scope)
        for assignment in declaration.body or ():
            try:
                run(self._assign(assignment, scope))
            except Refused:
                for name in names_of(assignment.target):
                    scope.values.setdefault(name.name, Value(ABSTRACT, UNKNOWN))
        for result in declaration.results:
            if result.name not in scope.values:
                report.add(
                    "unassigned-result",
                    f"result '{result.name}' of '{declaration.name}' is not assigned",
                    declaration.span,
                    section="3.3.2",
                )
        if report.errors > errors:
            self.broken.add(declaration.name)

    def _assign(self, assignment: Assignment, scope: Scope) -> Call[None]:
        node, target = assignment.value, assignment.target
        if node is None:
            raise Refused
        if scope.declaration is not None:
            names = names_of(target)
            local = f"{scope.prefix}_{names[0].name}" if names else scope.prefix
            scope.hint = scope.wanted.get(names[0].name) or local if names else local
        if scope.abstract:
            found: Value = yield self._check_branches(assignment, node, scope)
        else:
            node = yield self.evaluator.branch(
                node, scope, partial(self._check_branches, assignment)
            )
            found = yield self._assigned(assignment, node, scope)
        yield self._bind(target, found, scope)

    def _check_branches(
        self, assignment: Assignment, node: Expression, scope: Scope
    ) -> Call[Value]:
        """The type of what an assignment may assign, whatever is chosen."""
        common: Type | None = None
        pending = [node]
        while pending:
            branch = pending.pop()
            if isinstance(branch, Conditional):
                yield self.evaluator.condition(branch.condition, scope)
                pending += (branch.otherwise, branch.value)
                continue
            found: Value = yield self._assigned(assignment, branch, scope)
            both = found.type if common is None else common_type(common, found.type)
            if both is None:
                message = f"the branches are of types {common} and {found.type}"
                return self.evaluator.refuse("type-mismatch", message, node, scope)
            common = both
        return Value(ABSTRACT, common or UNKNOWN)

    def _assigned(self, assignment: Assignment, node: Expression, scope: Scope) -> Call[Value]:
        """The value that an assignment assigns; here an invocation may have any results."""
        if isinstance(node, Invocation):
            found: Value = yield self._assigned_invocation(assignment, node, scope)
        else:
            want = self._local_name(assignment.target, scope)
            found = yield self.evaluator.evaluate(node, scope, want)
        return found

    def _assigned_invocation(
        self, assignment: Assignment, node: Invocation, scope: Scope
    ) -> Call[Value]:
        target = assignment.target
        declaration = self._declaration(node, scope, names_of(target))
        arguments: list[Value] = yield self._arguments(node, scope)
        binding = self._bound(declaration, node, arguments, scope)
        kinds = binding.results
        covered = len(kinds) > 1 and isinstance(target, Name)
        if len(kinds) > 1 and not covered and not is_tuple_of(target, len(kinds)):
            listed = ", ".join(result.name for result in declaration.results)
            scope.report.at(
                "result-mismatch",
                f"'{declaration.name}' has {len(kinds)} results, {shape_of_target(target)}",
                target.at,
                target.end,
                hint=f"Write: {listed} = {declaration.name}(...)",
                section="3.3.2",
            )
            raise Refused
        parts: Sequence[Expression | None] = (
            [target]
            if len(kinds) == 1
            else target.items
            if isinstance(target, Items)
            else [None] * len(kinds)
        )
        if scope.abstract:
            results = [Value(ABSTRACT, kind) for kind in kinds]
            if declaration.body is None:
                self._check_lengths(declaration, parts, kinds, scope)
        elif self._expands(declaration):
            wants = [self._local_name(part, scope) if part else None for part in parts]
            results = yield self._expand(declaration, binding, arguments, node, scope, wants)
        else:
            results = self._primitive(declaration, binding, arguments, assignment, scope, parts)
        if len(results) == 1:
            return results[0]
        values = ABSTRACT if scope.abstract else tuple(result.value for result in results)
        return Value(values, tuple_of(kinds))

    def _check_lengths(
        self,
        declaration: Declaration,
        parts: Sequence[Expression | None],
        kinds: Sequence[Type],
        scope: Scope,
    ) -> None:
        for part, kind in zip(parts, kinds, strict=True):
            if isinstance(kind, ArrayType) and isinstance(part, Name):
                scope.report.at(
                    "result-mismatch",
                    f"the length of the array that '{declaration.name}' gives is not known",
                    part.at,
                    part.end,
                    hint="Write an array of names: [a, b, ...] = ...",
                    section="3.3.2",
                )

    def _primitive(
        self,
        declaration: Declaration,
        binding: Binding,
        arguments: Sequence[Value],
        assignment: Assignment,
        scope: Scope,
        parts: Sequence[Expression | None],
    ) -> list[Value]:
        """Emits an operation whose results go to the parts of a left-hand side."""

        def local(name: Name, kind: Type) -> Identifier:  # noqa: ARG001 - the name only
            return self._name(self._local_name(name, scope), scope, declaration.name)

        results: list[Value] = []
        outputs: dict[str, Any] = {}
        for result, part, kind in zip(declaration.results, parts, binding.results, strict=True):
            if part is None:
                value: Any = self._name(None, scope, declaration.name)
            elif isinstance(kind, ArrayType) and isinstance(part, Name) and declaration.body:
                value = self._copies(declaration, binding, arguments, assignment, scope)
            else:
                value = run(Target(part, scope.report, local).match(part, kind))
            outputs[result.name] = value
            results.append(Value(value, kind))
        self._emit(declaration, binding, arguments, assignment, scope, outputs)
        return results

    def _copies(
        self,
        declaration: Declaration,
        binding: Binding,
        arguments: Sequence[Value],
        assignment: Assignment,
        scope: Scope,
    ) -> list[Identifier]:
        """Names for the array of ``copy_n``, the one compound that is kept and has an array."""
        slot = binding.slots[declaration.by_name["times"].position]
        times = 0 if slot is None else arguments[slot].value
        self.step(assignment, scope, max(times, 0))
        return [self._name(None, scope, declaration.name) for _ in range(times)]

    # -- left-hand sides ----------------------------------------------------------------------

    def _bind(self, target: Expression, found: Value, scope: Scope) -> Call[None]:
        """Gives the names on the left-hand side their values."""
        kind = found.type
        if isinstance(target, Name):
            self._define(target, found, scope)
            return
        parts = target.items if isinstance(target, Items) else ()
        is_array = not isinstance(target, Items) or target.is_array
        items: Sequence[Type] | None = None
        if kind is UNKNOWN:
            items = [UNKNOWN] * len(parts)
        elif is_array and (isinstance(kind, ArrayType) or kind is EMPTY):
            items = [kind.item if isinstance(kind, ArrayType) else UNKNOWN] * len(parts)
            if not scope.abstract and len(found.value) != len(parts):
                items = None
        elif not is_array and isinstance(kind, TupleType) and len(kind.items) == len(parts):
            items = kind.items
        if items is None:
            counted = "" if scope.abstract or not is_array else f" with {len(found.value)} items"
            scope.report.at(
                "result-mismatch",
                f"the value is of type {kind}{counted}, {shape_of_target(target)}",
                target.at,
                target.end,
                section="3.3.2",
            )
            raise Refused
        unknown = scope.abstract or found.value is ABSTRACT or kind is UNKNOWN
        for index, part in enumerate(parts):
            value = ABSTRACT if unknown else found.value[index]
            yield self._bind(part, Value(value, items[index]), scope)

    def _define(self, name: Name, found: Value, scope: Scope) -> None:
        if scope.declaration is not None:
            scope.define(name, found)
            return
        kind = found.type
        if not isinstance(kind, TensorType) and kind is not UNKNOWN:
            scope.report.at(
                "not-a-tensor",
                f"'{name.name}' would be of type {kind}; all identifiers of a graph are tensors",
                name.at,
                hint="Give each tensor of an array its own name: [a, b] = ..."
                if isinstance(kind, ArrayType)
                else "",
                section="3.3.2",
            )
            raise Refused
        known = name.name in self.builder.names.types
        self.builder.names.define(name, kind)
        if not known and kind is not UNKNOWN:
            self._settle(name.name, found, name)

    def _settle(self, name: str, found: Value, node: Name) -> None:
        """Makes the value of an expression the tensor called `name`."""
        value, kind = found
        if isinstance(value, Identifier) and value == name:
            return
        if isinstance(value, Identifier) and value in self._fresh:
            self._fresh.discard(value)
            self._aliases[value] = name
            return
        item = kind.item if isinstance(kind, TensorType) else None
        operation = "copy" if isinstance(value, Identifier) else "constant"
        declaration = self.builder.declarations[operation]
        values = [value] if operation == "copy" else [[], [value]]
        slots: list[int | None] = [*range(len(values))]
        binding = Binding(slots, item, [kind], True)
        outputs = {declaration.results[0].name: Identifier(name)}
        span = self.graph.report.tokens.span(node.at, node.end)
        self.builder.emit(declaration, binding, values, outputs, span)

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
            return Value(ABSTRACT if scope.abstract else identifier, kind)
        known = [*scope.declaration.by_name, *_all_values(scope)]
        scope.report.at(
            "undefined-identifier",
            f"'{name.name}' is not defined in '{scope.declaration.name}'",
            name.at,
            hint=scope.report.suggest(name.name, known),
            section="3.3.2",
        )
        return Value(ABSTRACT, UNKNOWN)

    def _local_name(self, target: Expression, scope: Scope) -> str | None:
        """The name for the tensor that an assignment to `target` computes."""
        if not isinstance(target, Name) or scope.abstract:
            return None
        if scope.declaration is None:
            return target.name
        wanted = scope.wanted.get(target.name)
        if wanted is None:
            return self._unused(f"{scope.prefix}_{target.name}")
        return wanted

    def _name(self, want: str | None, scope: Scope, operation: str) -> Identifier:
        """The identifier of a tensor that comes into being."""
        if want is None or want in self.builder.tensors:
            want = self._unused(f"{scope.hint}_{operation}")
        return Identifier(want)

    def _unused(self, base: str) -> str:
        # All identifiers of the text are taken, whether they come before or after.
        taken = self.builder.tokens.kinds
        while True:
            count = self._counts[base] = self._counts.get(base, 0) + 1
            name = base if count == 1 else f"{base}_{count}"
            if name not in taken and name not in self._issued:
                self._issued.add(name)
                self._fresh.add(name)
                return name

    def renamed(
        self, operations: list[Operation], tensors: Mapping[str, Tensor]
    ) -> tuple[Iterable[Operation], Mapping[str, Tensor]]:
        """The same with the names that tensors got in the end."""
        aliases = self._aliases
        if not aliases:
            return operations, tensors
        changed = [
            replace(
                operation,
                inputs=FrozenDict(_renamed(dict(operation.inputs), aliases)),
                outputs=FrozenDict(_renamed(dict(operation.outputs), aliases)),
            )
            for operation in operations
        ]
        given = set(aliases.values())
        kept = {
            aliases.get(name, name): replace(tensor, name=aliases.get(name, name))
            for name, tensor in tensors.items()
            if name in aliases or name not in given
        }
        return changed, kept

    # -- invocations --------------------------------------------------------------------------

    def invoke(self, node: Invocation, scope: Scope, want: str | None) -> Call[Value]:
        """The result of an invocation inside of an expression."""
        declaration = self._declaration(node, scope, None)
        arguments: list[Value] = yield self._arguments(node, scope)
        binding = self._bound(declaration, node, arguments, scope)
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
        if self._expands(declaration):
            results = yield self._expand(declaration, binding, arguments, node, scope, [want])
            found: Value = results[0]
            return found
        outputs = {declaration.results[0].name: self._name(want, scope, declaration.name)}
        self._emit(declaration, binding, arguments, node, scope, outputs)
        return Value(next(iter(outputs.values())), kind)

    def operate(
        self, node: Unary | Binary, name: str, operands: list[Value], scope: Scope, want: str | None
    ) -> Value:
        """The result of the operation that an operator on tensors stands for."""
        parts = [node.operand] if isinstance(node, Unary) else [node.left, node.right]
        arguments = [Argument(None, part, part.at) for part in parts]
        call = Invocation(name, None, arguments, node.at, node.end)
        declaration = self.builder.declarations[name]
        binding = self._bound(declaration, call, operands, scope)
        kind = binding.results[0]
        if scope.abstract:
            return Value(ABSTRACT, kind)
        identifier = self._name(want, scope, name)
        outputs = {declaration.results[0].name: identifier}
        self._emit(declaration, binding, operands, call, scope, outputs)
        return Value(identifier, kind)

    def _declaration(
        self, node: Invocation, scope: Scope, targets: list[Name] | None
    ) -> Declaration:
        declaration = self.builder.declarations.get(node.name)
        if declaration is None:
            raise self.builder.unknown(node, scope.report)
        if scope.declaration is not None and node.name in GRAPH_ONLY and not scope.span:
            scope.report.at(
                "operation-in-fragment",
                f"'{node.name}' must not be used inside of a fragment",
                node.at,
                hint="Use it in the graph, and pass its result on as an argument.",
                section="3.3.2",
            )
        elif scope.declaration is None and not scope.abstract:
            self.builder.special(node, targets)
        return declaration

    def _arguments(self, node: Invocation, scope: Scope) -> Call[list[Value]]:
        found: list[Value] = []
        for argument in node.arguments:
            value: Value = yield self.evaluator.evaluate(argument.value, scope)
            found.append(value)
        return found

    def _bound(
        self,
        declaration: Declaration,
        node: Invocation,
        arguments: Sequence[Value],
        scope: Scope,
    ) -> Binding:
        generic = scope.dtype
        if scope.abstract and scope.declaration is not None and scope.declaration.generic:
            generic = GENERIC
        kinds = [argument.type for argument in arguments]
        binding = bind_arguments(declaration, node, kinds, scope.report, generic)
        if not binding.sound and not scope.abstract:
            raise Refused
        return binding

    def _expands(self, declaration: Declaration) -> bool:
        return declaration.body is not None and not declaration.standard

    def _emit(
        self,
        declaration: Declaration,
        binding: Binding,
        arguments: Sequence[Value],
        place: Expression | Assignment,
        scope: Scope,
        outputs: Mapping[str, Any],
    ) -> None:
        self.step(place, scope)
        values = [argument.value for argument in arguments]
        if any(_is_abstract(value) for value in values):
            raise Refused
        span = scope.span or scope.report.tokens.span(place.at, place.end)
        self.builder.emit(declaration, binding, values, outputs, span, scope.path)

    # -- fragments ----------------------------------------------------------------------------

    def _expand(
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
        prefix = wants[0] or self._unused(f"{scope.hint}_{declaration.name}")
        label = f"{declaration.name}:{prefix}"
        inner = Scope(
            scope.report,
            declaration=declaration,
            dtype=binding.dtype,
            path=(*scope.path, label),
            prefix=prefix,
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
        self._steps += count
        if self._steps > MOST_STEPS:
            self.evaluator.refuse(
                "too-long", f"the graph takes more than {MOST_STEPS} steps to expand", node, scope
            )

    def shape_of(self, value: Any) -> list[int] | None:
        """The shape of a tensor, None if it is not known."""
        if not isinstance(value, Identifier):
            return []
        tensor = self.builder.tensors.get(value)
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


def _renamed(values: Any, aliases: Mapping[str, str]) -> Any:
    if isinstance(values, Identifier):
        return Identifier(aliases.get(values, values))
    if isinstance(values, dict):
        return {key: _renamed(value, aliases) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return type(values)(_renamed(value, aliases) for value in values)
    return values
