"""Assignments of any expression, in the graph and in fragments (3.3.2, 3.3.3)."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from nnefkit.errors import Span
from nnefkit.graph import Identifier
from nnefkit.language.declarations.binding import Binding
from nnefkit.language.declarations.declaration import Declaration
from nnefkit.language.elaboration.evaluator import BRANCHES
from nnefkit.language.elaboration.fresh_names import FreshNames
from nnefkit.language.elaboration.invocations import Invocations
from nnefkit.language.elaboration.scopes import ABSTRACT, Scope, Value, activation
from nnefkit.language.elaboration.targets import Refused, Target, is_tuple_of, shape_of_target
from nnefkit.language.syntax.trampoline import Call, run
from nnefkit.language.syntax.tree import (
    Argument,
    Assignment,
    Conditional,
    Expression,
    Invocation,
    Items,
    Name,
    names_of,
)
from nnefkit.language.types import (
    EMPTY,
    UNKNOWN,
    ArrayType,
    TensorType,
    TupleType,
    Type,
    common_type,
    tuple_of,
)

if TYPE_CHECKING:
    from nnefkit.language.elaboration.graph_builder import GraphBuilder


class Expansion:
    """Turns assignments of expressions into operations of a graph."""

    def __init__(self, builder: GraphBuilder, taken: Container[str]) -> None:
        self.builder = builder
        self.fresh = FreshNames(taken)
        self.calls = Invocations(builder, self.fresh, self._assign)
        self.graph = Scope(builder.report)

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
            run(self.calls.evaluator.evaluate(argument.value, self.graph)).value
            for argument in arguments
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
                    if not assignment.sure:
                        scope.vague.add(name.name)
        for result in declaration.results:
            if result.name not in scope.values:
                report.add(
                    "unassigned-result",
                    f"result '{result.name}' of '{declaration.name}' is not assigned",
                    declaration.span,
                    section="3.3.2",
                )
        if report.errors > errors:
            self.calls.broken.add(declaration.name)

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
            taken, left_out = yield self.calls.evaluator.branch(
                node, scope, partial(self._check_branches, assignment)
            )
            found = yield self._assigned(assignment, taken, scope)
            found = self.calls.evaluator.chosen(found, left_out, node, scope)
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
                yield self.calls.evaluator.condition(branch.condition, scope)
                pending += (branch.otherwise, branch.value)
                continue
            found: Value = yield self._assigned(assignment, branch, scope)
            both = found.type if common is None else common_type(common, found.type)
            if both is None:
                message = f"the branches are of types {common} and {found.type}"
                return self.calls.evaluator.refuse("type-mismatch", message, node, scope, BRANCHES)
            common = both
        return Value(ABSTRACT, common or UNKNOWN)

    def _assigned(self, assignment: Assignment, node: Expression, scope: Scope) -> Call[Value]:
        """The value that an assignment assigns; here an invocation may have any results."""
        if isinstance(node, Invocation):
            found: Value = yield self._assigned_invocation(assignment, node, scope)
        else:
            want = self.calls.local_name(assignment.target, scope)
            found = yield self.calls.evaluator.evaluate(node, scope, want)
        return found

    def _assigned_invocation(
        self, assignment: Assignment, node: Invocation, scope: Scope
    ) -> Call[Value]:
        target = assignment.target
        declaration, arguments = yield self.calls.called(node, scope, target)
        binding = self.calls.bound(declaration, node, arguments, scope)
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
        elif self.calls.expands(declaration):
            wants = [self.calls.local_name(part, scope) if part else None for part in parts]
            results = yield self.calls.expand(declaration, binding, arguments, node, scope, wants)
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
            return self.calls.name(self.calls.local_name(name, scope), scope, declaration.name)

        results: list[Value] = []
        outputs: dict[str, Any] = {}
        for result, part, kind in zip(declaration.results, parts, binding.results, strict=True):
            if part is None:
                value: Any = self.calls.name(None, scope, declaration.name)
            elif isinstance(kind, ArrayType) and isinstance(part, Name) and declaration.body:
                value = self._copies(declaration, binding, arguments, assignment, scope)
            else:
                value = run(Target(part, scope.report, local).match(part, kind))
            outputs[result.name] = value
            # Where one name stands for an array, it was said that this is wrong.
            fits = isinstance(value, list) or not isinstance(kind, ArrayType)
            results.append(Value(value, kind) if fits else Value(ABSTRACT, UNKNOWN))
        self.calls.emit(declaration, binding, arguments, assignment, scope, outputs)
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
        if times is ABSTRACT:
            raise Refused  # it depends on an error that was told
        self.calls.step(assignment, scope, max(times, 0))
        return [self.calls.name(None, scope, declaration.name) for _ in range(times)]

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
            known = isinstance(found.value, list)
            if known and len(found.value) != len(parts):
                items = None
        elif not is_array and isinstance(kind, TupleType) and len(kind.items) == len(parts):
            items = kind.items
        if items is None:
            known = is_array and isinstance(found.value, list)
            counted = f" with {len(found.value)} items" if known else ""
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
        if not known and kind is not UNKNOWN and found.value is not ABSTRACT:
            self.settle(name.name, found, self.graph.report.tokens.span(name.at, name.end))

    def settle(
        self, name: str, found: Value, span: Span | None, path: tuple[str, ...] = ()
    ) -> None:
        """Makes the value of an expression the tensor called `name`."""
        value, kind = found
        if isinstance(value, Identifier) and value == name:
            return
        if isinstance(value, Identifier) and self.fresh.rename(value, name):
            return
        item = kind.item if isinstance(kind, TensorType) else None
        operation = "copy" if isinstance(value, Identifier) else "constant"
        declaration = self.builder.declarations[operation]
        values = [value] if operation == "copy" else [[], [value]]
        slots: list[int | None] = [*range(len(values))]
        binding = Binding(slots, item, [kind], True)
        outputs = {declaration.results[0].name: Identifier(name)}
        self.builder.emit(declaration, binding, values, outputs, span, path)
