"""Assignments of any expression, in the graph and in fragments (3.3.2, 3.3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from nnefkit.errors import Span
from nnefkit.graph import Identifier
from nnefkit.language.declarations.binding import Binding
from nnefkit.language.declarations.declaration import Declaration
from nnefkit.language.elaboration.evaluator import BRANCHES
from nnefkit.language.elaboration.graph_builder import GraphBuilder
from nnefkit.language.elaboration.invocations import (
    AssignInScope,
    BoundCall,
    ExpansionRules,
    Invocations,
)
from nnefkit.language.elaboration.scopes import (
    ABSTRACT,
    Refused,
    Scope,
    TypedValue,
    define_parameters,
)
from nnefkit.language.elaboration.targets import Target, described, tuple_parts
from nnefkit.language.syntax.trampoline import Call, run
from nnefkit.language.syntax.tree import (
    ArrayOrTuple,
    Assignment,
    Conditional,
    Expression,
    Invocation,
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

_SECTION = "3.3.2"
_NO_RULES = ExpansionRules()


class Expansion:
    """Turns assignments of expressions into operations of a graph.

    `create_invocations`, `check_lengths`, `emit_assigned`, `bind` and `settle` are hooks for other
    versions of the language.
    """

    def __init__(self, builder: GraphBuilder, rules: ExpansionRules = _NO_RULES) -> None:
        self.builder = builder
        self.rules = rules
        self.invocations = self.create_invocations(self._assign)
        self.graph = Scope(builder.report)

    def assign(self, assignment: Assignment) -> None:
        """Add the operations of an assignment of the graph.

        Raises:
            Refused: It has errors; they are reported.
        """
        names = names_of(assignment.target)
        self.graph.stem = names[0].name if names else "unnamed"
        self.graph.span = None
        run(self._assign(assignment, self.graph))

    def check(self, declaration: Declaration) -> None:
        """Check the body of a fragment, without arguments."""
        report = self.builder.report
        errors = report.errors
        scope = Scope(report, declaration=declaration, abstract=True)
        define_parameters(declaration, [None] * len(declaration.parameters), None, scope)
        for assignment in declaration.body or ():
            try:
                run(self._assign(assignment, scope))
            except Refused:
                for name in names_of(assignment.target):
                    scope.values.setdefault(name.name, TypedValue(ABSTRACT, UNKNOWN))
                    if not assignment.sure:
                        scope.uncertain.add(name.name)
        for result in declaration.results:
            if result.name not in scope.values and declaration.body:
                report.add(
                    "unassigned-result",
                    f"result '{result.name}' of '{declaration.name}' is not assigned",
                    declaration.span,
                    section=_SECTION,
                )
        if report.errors > errors or not declaration.body:
            self.invocations.broken.add(declaration.name)

    def create_invocations(self, assign: AssignInScope) -> Invocations:
        """Return the object that carries out invocations."""
        return Invocations(self.builder, self.rules, assign)

    # -- assignments --------------------------------------------------------------------------

    def _assign(self, assignment: Assignment, scope: Scope) -> Call[None]:
        node, target = assignment.value, assignment.target
        if node is None:
            raise Refused
        if scope.declaration is not None:
            names = names_of(target)
            local = f"{scope.prefix}_{names[0].name}" if names else scope.prefix
            scope.stem = scope.result_names.get(names[0].name) or local if names else local
        if scope.abstract:
            value: TypedValue = yield self._check_branches(assignment, node, scope)
        else:
            evaluator = self.invocations.evaluator
            check = partial(self._check_branches, assignment)
            taken, other_types = yield evaluator.branch(node, scope, check)
            value = yield self._assigned(assignment, taken, scope)
            value = evaluator.chosen(value, other_types, node, scope)
        yield self.bind(target, value, scope)

    def _check_branches(
        self, assignment: Assignment, node: Expression, scope: Scope
    ) -> Call[TypedValue]:
        """Return the type of an assigned value, whichever branch is chosen."""
        common: Type | None = None
        pending = [node]
        while pending:
            branch = pending.pop()
            if isinstance(branch, Conditional):
                yield self.invocations.evaluator.condition(branch.condition, scope)
                pending += (branch.otherwise, branch.value)
                continue
            value: TypedValue = yield self._assigned(assignment, branch, scope)
            both = value.type if common is None else common_type(common, value.type)
            if both is None:
                message = f"the branches are of types {common} and {value.type}"
                return scope.refuse("type-mismatch", message, node, BRANCHES)
            common = both
        return TypedValue(ABSTRACT, common or UNKNOWN)

    def _assigned(self, assignment: Assignment, node: Expression, scope: Scope) -> Call[TypedValue]:
        """Return the value of an assignment; here an invocation may have any number of results."""
        if isinstance(node, Invocation):
            value: TypedValue = yield self._assigned_invocation(assignment, node, scope)
        else:
            tensor = self.invocations.target_name(assignment.target, scope)
            value = yield self.invocations.evaluator.evaluate(node, scope, tensor)
        return value

    def _assigned_invocation(
        self, assignment: Assignment, node: Invocation, scope: Scope
    ) -> Call[TypedValue]:
        invocations = self.invocations
        declaration, arguments = yield invocations.resolve(node, scope, assignment.target)
        binding = invocations.bind(declaration, node, arguments, scope)
        types = binding.results
        parts = self._result_parts(declaration, types, assignment.target, scope)
        if scope.abstract:
            results = [TypedValue(ABSTRACT, type_) for type_ in types]
            if declaration.body is None:
                self.check_lengths(declaration, parts, types, scope)
        elif self.rules.expands(declaration):
            tensors = [invocations.target_name(p, scope) if p else None for p in parts]
            call = BoundCall(declaration, binding, arguments, node)
            results = yield invocations.expand(call, scope, tensors)
        else:
            call = BoundCall(declaration, binding, arguments, assignment)
            results = self.emit_assigned(call, scope, parts)
        if len(results) == 1:
            return results[0]
        values = ABSTRACT if scope.abstract else tuple(result.value for result in results)
        return TypedValue(values, tuple_of(types))

    def _result_parts(
        self, declaration: Declaration, types: Sequence[Type], target: Expression, scope: Scope
    ) -> Sequence[Expression | None]:
        """Return the part of the left-hand side for each result, None if one name takes all."""
        if len(types) == 1:
            return [target]
        if isinstance(target, Name):
            return [None] * len(types)
        return tuple_parts(target, declaration, scope.report)

    def check_lengths(
        self,
        declaration: Declaration,
        parts: Sequence[Expression | None],
        types: Sequence[Type],
        scope: Scope,
    ) -> None:
        """Report names on the left-hand side that would be arrays of unknown length."""
        for part, type_ in zip(parts, types, strict=True):
            if isinstance(type_, ArrayType) and isinstance(part, Name):
                scope.report.at(
                    "result-mismatch",
                    f"the length of the array that '{declaration.name}' returns is not known",
                    part.at,
                    part.end,
                    hint="Write an array of names: [a, b, ...] = ...",
                    section=_SECTION,
                )

    def emit_assigned(
        self, call: BoundCall, scope: Scope, parts: Sequence[Expression | None]
    ) -> list[TypedValue]:
        """Emit an operation whose results are assigned to the parts of a left-hand side."""
        invocations = self.invocations
        declaration = call.declaration

        def new_identifier(name: Name, type_: Type) -> Identifier:  # noqa: ARG001
            tensor = invocations.target_name(name, scope)
            return invocations.new_identifier(tensor, scope, declaration.name)

        results: list[TypedValue] = []
        outputs: dict[str, Any] = {}
        for result, part, type_ in zip(
            declaration.results, parts, call.binding.results, strict=True
        ):
            if part is None:
                value: Any = invocations.new_identifier(None, scope, declaration.name)
            elif isinstance(type_, ArrayType) and isinstance(part, Name) and declaration.body:
                value = self._copies(call, scope)
            else:
                value = run(Target(part, scope.report, new_identifier).match(part, type_))
            outputs[result.name] = value
            # If one name was assigned an array, that was reported.
            matches = isinstance(value, list) or not isinstance(type_, ArrayType)
            results.append(TypedValue(value, type_) if matches else TypedValue(ABSTRACT, UNKNOWN))
        invocations.emit(call, scope, outputs)
        return results

    def _copies(self, call: BoundCall, scope: Scope) -> list[Identifier]:
        """Return names for the array of ``copy_n``, the one standard compound with an array."""
        declaration, binding, arguments, node = call
        slot = binding.slots[declaration.by_name["times"].position]
        times = 0 if slot is None else arguments[slot].value
        if times is ABSTRACT:
            raise Refused  # It depends on an error that was reported.
        invocations = self.invocations
        invocations.budget.spend(node, scope, max(times, 0))
        return [invocations.new_identifier(None, scope, declaration.name) for _ in range(times)]

    # -- left-hand sides ----------------------------------------------------------------------

    def bind(self, target: Expression, value: TypedValue, scope: Scope) -> Call[None]:
        """Bind the names on the left-hand side to their values."""
        if isinstance(target, Name):
            self._define(target, value, scope)
            return
        parts = target.elements if isinstance(target, ArrayOrTuple) else ()
        types = _part_types(target, len(parts), value)
        if types is None:
            counted = ""
            if _is_array(target) and isinstance(value.value, list):
                counted = f" with {len(value.value)} elements"
            scope.report.at(
                "result-mismatch",
                f"the value is of type {value.type}{counted}, {described(target)}",
                target.at,
                target.end,
                section=_SECTION,
            )
            raise Refused
        unknown = scope.abstract or value.value is ABSTRACT or value.type is UNKNOWN
        for index, part in enumerate(parts):
            element = ABSTRACT if unknown else value.value[index]
            yield self.bind(part, TypedValue(element, types[index]), scope)

    def _define(self, name: Name, value: TypedValue, scope: Scope) -> None:
        if scope.declaration is not None:
            scope.define(name, value)
            return
        type_ = value.type
        if not isinstance(type_, TensorType) and type_ is not UNKNOWN:
            is_array = isinstance(type_, ArrayType)
            hint = "Give each tensor of an array its own name: [a, b] = ..." if is_array else ""
            scope.report.at(
                "not-a-tensor",
                f"'{name.name}' would be of type {type_}; all identifiers of a graph are tensors",
                name.at,
                hint=hint,
                section=_SECTION,
            )
            raise Refused
        is_new = name.name not in self.builder.names.types
        self.builder.names.define(name, type_)
        if is_new and type_ is not UNKNOWN and value.value is not ABSTRACT:
            self.settle(name.name, value, self.graph.report.tokens.span(name.at, name.end))

    def settle(
        self, name: str, value: TypedValue, span: Span | None, path: tuple[str, ...] = ()
    ) -> None:
        """Make the value of an expression the tensor called `name`.

        An intermediate tensor is renamed; other tensors are copied, and literals become constants.
        """
        content, type_ = value
        is_tensor = isinstance(content, Identifier)
        if is_tensor and (content == name or self.builder.new_names.rename(content, name)):
            return
        declaration = self.builder.declarations["copy" if is_tensor else "constant"]
        arguments = [content] if is_tensor else [[], [content]]
        dtype = type_.element if isinstance(type_, TensorType) else None
        binding = Binding([*range(len(arguments))], dtype, [type_], True)
        outputs = {declaration.results[0].name: Identifier(name)}
        self.builder.emit(declaration, binding, arguments, outputs, span, path)


def _is_array(target: Expression) -> bool:
    return not isinstance(target, ArrayOrTuple) or target.is_array


def _part_types(target: Expression, count: int, value: TypedValue) -> Sequence[Type] | None:
    """Return the types of the `count` parts of a left-hand side, None if the value differs."""
    type_ = value.type
    if type_ is UNKNOWN:
        return [UNKNOWN] * count
    if not _is_array(target):
        matches = isinstance(type_, TupleType) and len(type_.elements) == count
        return type_.elements if isinstance(type_, TupleType) and matches else None
    if not isinstance(type_, ArrayType) and type_ is not EMPTY:
        return None
    if isinstance(value.value, list) and len(value.value) != count:
        return None
    return [type_.element if isinstance(type_, ArrayType) else UNKNOWN] * count
