"""Expressions to values (3.3.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol

from nnefkit.language.elaboration.operators import (
    BINARY_OPERATIONS,
    UNARY_OPERATIONS,
    ValueProblem,
    binary_type,
    binary_value,
    builtin_type,
    builtin_value,
    unary_type,
    unary_value,
)
from nnefkit.language.elaboration.scopes import ABSTRACT, Scope, Value
from nnefkit.language.elaboration.subscripts import Subscripts
from nnefkit.language.elaboration.targets import Refused
from nnefkit.language.syntax.trampoline import Call
from nnefkit.language.syntax.tree import (
    Assignment,
    Binary,
    Builtin,
    Comprehension,
    Conditional,
    Constant,
    Expression,
    Invocation,
    Items,
    Name,
    Subscript,
    Unary,
)
from nnefkit.language.types import (
    EMPTY,
    INTEGER,
    LOGICAL,
    SCALAR,
    UNKNOWN,
    ArrayType,
    TensorType,
    Type,
    array_of,
    common_type,
    common_type_of,
    tuple_of,
)

SECTION = "3.3.3"
BRANCHES = "Both branches must be of one type, whichever is chosen."


class Calls(Protocol):
    """What an evaluator needs of who knows the operations and the graph."""

    def use(self, name: Name, scope: Scope) -> Value:
        """The value of an identifier."""

    def invoke(self, node: Invocation, scope: Scope, want: str | None) -> Call[Value]:
        """The result of an invocation, in a tensor that is called `want` if possible."""

    def operate(
        self, node: Unary | Binary, name: str, operands: list[Value], scope: Scope, want: str | None
    ) -> Value:
        """The result of the operation that an operator on tensors stands for."""

    def shape_of(self, value: Any) -> list[int] | None:
        """The shape of a tensor, None if it is not known."""

    def step(self, node: Expression | Assignment, scope: Scope, count: int = 1) -> None:
        """Counts what is done, so that a short text cannot ask for endless work."""


class Evaluator:
    """Evaluates expressions, in a scope that computes or in one that only checks types.

    All methods that take a node are to be run by `trampoline.run`; they raise `Refused` where an
    expression has no value, after having reported it.
    """

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self._handlers: dict[type, Any] = {
            Items: self._items,
            Unary: self._unary,
            Binary: self._binary,
            Conditional: self._conditional,
            Comprehension: self._comprehension,
            Subscript: Subscripts(self).evaluate,
            Builtin: self._builtin,
            Invocation: calls.invoke,
        }

    def evaluate(self, node: Expression, scope: Scope, want: str | None = None) -> Call[Value]:
        """Value and type of `node`; `want` is the name for the tensor that it computes."""
        if isinstance(node, Constant):
            value = node.value
            if scope.abstract:
                value = ABSTRACT
            elif isinstance(value, list):
                value = value.copy()
            return Value(value, node.type)
        if isinstance(node, Name):
            return self.calls.use(node, scope)
        found: Value = yield self._handlers[type(node)](node, scope, want)
        # What is not even of a type that is known has no value to go on with.
        return Value(ABSTRACT, UNKNOWN) if found.type is UNKNOWN else found

    # -- problems -----------------------------------------------------------------------------

    def refuse(
        self,
        code: str,
        message: str,
        node: Expression | Assignment,
        scope: Scope,
        hint: str = "",
    ) -> Value:
        """Reports a problem; a scope that only checks goes on with an unknown value."""
        scope.report.at(code, message, node.at, node.end, hint=hint, section=SECTION)
        if scope.abstract:
            return Value(ABSTRACT, UNKNOWN)
        raise Refused

    def _no_value(self, problem: ValueProblem, node: Expression, scope: Scope) -> NoReturn:
        self.refuse(problem.code, problem.message, node, scope, problem.hint)
        raise Refused

    # -- arrays and tuples --------------------------------------------------------------------

    def _items(self, node: Items, scope: Scope, want: str | None) -> Call[Value]:  # noqa: ARG002
        values: list[Any] = []
        kinds: list[Type] = []
        for item in node.items:
            value, kind = yield self.evaluate(item, scope)
            values.append(value)
            kinds.append(kind)
        if not node.is_array:
            return Value(ABSTRACT if scope.abstract else tuple(values), tuple_of(kinds))
        common = self._common_type(kinds, node, scope)
        kind = array_of(common) if values else EMPTY
        return Value(ABSTRACT if scope.abstract else values, kind)

    def _common_type(self, kinds: Sequence[Type], node: Expression, scope: Scope) -> Type:
        common = common_type_of(kinds)
        if common is not None:
            return common
        listed = " and ".join(dict.fromkeys(map(str, kinds)))
        message = f"the items of an array must be of one type, not {listed}"
        numeric = set(kinds) == {INTEGER, SCALAR}
        hint = (
            "A number without a point is an integer. Write all of them with a point, or none."
            if numeric
            else "Items that belong to each other and differ in type make up a tuple: (a, b)."
        )
        return self.refuse("type-mismatch", message, node, scope, hint).type

    def _comprehension(
        self,
        node: Comprehension,
        scope: Scope,
        want: str | None,  # noqa: ARG002
    ) -> Call[Value]:
        arrays: list[Value] = []
        for _, iterated in node.iterators:
            array: Value = yield self.evaluate(iterated, scope)
            if not isinstance(array.type, ArrayType) and array.type not in (EMPTY, UNKNOWN):
                message = f"only an array can be iterated, not {array.type}"
                hint = "For numbers from 0 on, iterate range_of(array)."
                array = self.refuse("type-mismatch", message, iterated, scope, hint)
            arrays.append(array)
        names = [name.name for name, _ in node.iterators]
        kinds = [a.type.item if isinstance(a.type, ArrayType) else UNKNOWN for a in arrays]
        abstract = scope.abstract or _is_abstract(*arrays)
        if abstract:
            rows: list[tuple[Any, ...]] = [(ABSTRACT,) * len(names)]
        else:
            rows = self._rows(node, arrays, scope)
        values: list[Any] = []
        found: list[Type] = []
        for row in rows:
            self.calls.step(node, scope)
            inner = scope.inner()
            inner.values = {
                name: Value(value, kind)
                for name, value, kind in zip(names, row, kinds, strict=True)
            }
            if node.condition is not None:
                chosen = yield self.condition(node.condition, inner)
                if chosen is False:
                    continue
            value, kind = yield self.evaluate(node.item, inner)
            values.append(value)
            found.append(kind)
        kind = array_of(self._common_type(found, node.item, scope)) if found else EMPTY
        return Value(ABSTRACT if abstract else values, kind)

    def _rows(
        self, node: Comprehension, arrays: Sequence[Value], scope: Scope
    ) -> list[tuple[Any, ...]]:
        lengths = {len(array.value) for array in arrays}
        if len(lengths) > 1:
            listed = " and ".join(str(len(array.value)) for array in arrays)
            message = f"arrays that are iterated together must have one length, not {listed}"
            self.refuse("length-mismatch", message, node, scope)
        return list(zip(*(array.value for array in arrays), strict=True))

    # -- choices ------------------------------------------------------------------------------

    def condition(self, node: Expression, scope: Scope) -> Call[Any]:
        """The value of a condition."""
        value, kind = yield self.evaluate(node, scope)
        if kind is not LOGICAL and kind is not UNKNOWN:
            hint = ""
            if isinstance(kind, TensorType):
                hint = "Choices at run time are made by the operation 'select'."
            message = f"a condition must be logical, not {kind}"
            self.refuse("type-mismatch", message, node, scope, hint)
        if value is ABSTRACT and not scope.abstract:
            raise Refused  # it depends on an error that was told
        return value

    def branch(
        self,
        node: Expression,
        scope: Scope,
        check: Callable[[Expression, Scope], Call[Value]],
    ) -> Call[tuple[Expression, list[Type]]]:
        """The expression that a chain of if-else chooses, in a scope that computes.

        What is not chosen has no value, but must be of a type: it is given to `check`, and the
        types that it finds come along with the choice.
        """
        left_out: list[Type] = []
        while isinstance(node, Conditional):
            chosen = yield self.condition(node.condition, scope)
            taken, left = (node.value, node.otherwise) if chosen else (node.otherwise, node.value)
            if scope.declaration is None:
                # Nothing has checked the graph before; fragments are checked as a whole.
                unchosen: Value = yield check(left, scope.inner(abstract=True))
                left_out.append(unchosen.type)
            node = taken
        return node, left_out

    def chosen(self, found: Value, left_out: list[Type], node: Expression, scope: Scope) -> Value:
        """What was chosen, if its type agrees with the types of what was left out."""
        common = found.type
        for kind in left_out:
            both = common_type(common, kind)
            if both is None:
                message = f"the branches are of types {found.type} and {kind}"
                return self.refuse("type-mismatch", message, node, scope, BRANCHES)
            common = both
        return found

    def _conditional(self, node: Conditional, scope: Scope, want: str | None) -> Call[Value]:
        if not scope.abstract:
            taken, left_out = yield self.branch(node, scope, self.evaluate)
            found: Value = yield self.evaluate(taken, scope, want)
            return self.chosen(found, left_out, node, scope)
        yield self.condition(node.condition, scope)
        first: Value = yield self.evaluate(node.value, scope)
        second: Value = yield self.evaluate(node.otherwise, scope)
        common = common_type(first.type, second.type)
        if common is None:
            message = f"the branches are of types {first.type} and {second.type}"
            return self.refuse("type-mismatch", message, node, scope, BRANCHES)
        return Value(ABSTRACT, common)

    # -- operators ----------------------------------------------------------------------------

    def _unary(self, node: Unary, scope: Scope, want: str | None) -> Call[Value]:
        operand: Value = yield self.evaluate(node.operand, scope)
        if isinstance(operand.type, TensorType):
            name = UNARY_OPERATIONS[node.operator]
            return self.calls.operate(node, name, [operand], scope, want)
        kind = unary_type(node.operator, operand.type)
        if kind is None:
            message = f"'{node.operator}' cannot be applied to {operand.type}"
            return self.refuse("type-mismatch", message, node, scope)
        if scope.abstract or kind is UNKNOWN or _is_abstract(operand):
            return Value(ABSTRACT, kind)
        try:
            return Value(unary_value(node.operator, operand.value), kind)
        except ValueProblem as problem:
            self._no_value(problem, node, scope)

    def _binary(self, node: Binary, scope: Scope, want: str | None) -> Call[Value]:
        symbol = node.operator
        left: Value = yield self.evaluate(node.left, scope)
        if left.type is LOGICAL and left.value is (symbol == "||") and symbol in ("&&", "||"):
            # The right side cannot change the result; it may have no value.
            yield self.evaluate(node.right, scope.inner(abstract=True))
            return left
        right: Value = yield self.evaluate(node.right, scope)
        tensors = isinstance(left.type, TensorType) or isinstance(right.type, TensorType)
        if tensors and symbol in BINARY_OPERATIONS and not _any_array(left.type, right.type):
            name = BINARY_OPERATIONS[symbol]
            return self.calls.operate(node, name, [left, right], scope, want)
        kind = binary_type(symbol, left.type, right.type)
        if kind is None:
            message = f"'{symbol}' cannot be applied to {left.type} and {right.type}"
            mixed = {str(left.type), str(right.type)} == {"integer", "scalar"}
            hint = "Cast one of them: scalar(...) or integer(...)." if mixed else ""
            return self.refuse("type-mismatch", message, node, scope, hint)
        if scope.abstract or UNKNOWN in (left.type, right.type) or _is_abstract(left, right):
            return Value(ABSTRACT, kind)
        try:
            return Value(binary_value(symbol, left.value, right.value), kind)
        except ValueProblem as problem:
            self._no_value(problem, node, scope)

    # -- functions -----------------------------------------------------------------------------

    def _builtin(
        self,
        node: Builtin,
        scope: Scope,
        want: str | None,  # noqa: ARG002
    ) -> Call[Value]:
        argument: Value = yield self.evaluate(node.argument, scope)
        kind = builtin_type(node.name, argument.type)
        if node.name == "shape_of":
            scope.report.at(
                "deprecated-function",
                "'shape_of' is deprecated",
                node.at,
                section=SECTION,
                severity="warning",
            )
        if kind is None:
            message = f"'{node.name}' cannot be applied to {argument.type}"
            tensor = isinstance(argument.type, TensorType)
            cast = tensor and node.name not in ("length_of", "range_of")
            hint = f"Tensors are cast by cast<{node.name}>(...)." if cast else ""
            return self.refuse("type-mismatch", message, node, scope, hint)
        if scope.abstract or argument.type is UNKNOWN or _is_abstract(argument):
            return Value(ABSTRACT, kind)
        if node.name == "shape_of":
            shape = self.calls.shape_of(argument.value)
            if shape is None:
                message = "the shape of this tensor is not known while the text is read"
                return self.refuse("unknown-shape", message, node, scope)
            return Value(shape, kind)
        try:
            return Value(builtin_value(node.name, argument.value), kind)
        except ValueProblem as problem:
            self._no_value(problem, node, scope)


def _any_array(*kinds: Type) -> bool:
    return any(isinstance(kind, ArrayType) or kind is EMPTY for kind in kinds)


def _is_abstract(*found: Value) -> bool:
    return any(value.value is ABSTRACT for value in found)
