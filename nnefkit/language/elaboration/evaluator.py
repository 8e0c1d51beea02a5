"""Values of expressions (3.3.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from nnefkit.language.elaboration.budget import Spending, elements_of
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
from nnefkit.language.elaboration.scopes import ABSTRACT, Refused, Scope, TypedValue, is_abstract
from nnefkit.language.elaboration.subscripts import checked_index, subscript_type, subscript_value
from nnefkit.language.syntax.trampoline import Call
from nnefkit.language.syntax.tree import (
    ArrayOrTuple,
    Binary,
    Builtin,
    Comprehension,
    Conditional,
    Constant,
    Expression,
    Invocation,
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
    TupleType,
    Type,
    array_of,
    common_type,
    common_type_of,
    tuple_of,
)

BRANCHES = "Both branches must be of one type, whichever is chosen."


class Resolver(Protocol):
    """Access of an evaluator to identifiers, operations and tensors."""

    budget: Spending

    def value_of(self, name: Name, scope: Scope) -> TypedValue:
        """Return the value of an identifier."""

    def invoke(self, node: Invocation, scope: Scope, tensor: str | None) -> Call[TypedValue]:
        """Return the result of an invocation, in a tensor called `tensor` if possible."""

    def operate(
        self,
        node: Unary | Binary,
        operation: str,
        operands: list[TypedValue],
        scope: Scope,
        tensor: str | None,
    ) -> TypedValue:
        """Return the result of the operation that an operator on tensors denotes."""

    def shape_of(self, value: Any) -> list[int] | None:
        """Return the shape of a tensor, None if it is not known."""


class Evaluator:
    """Evaluates expressions, in a scope that computes or in one that only checks types.

    Methods that return a `Call` are run by `trampoline.run`; they raise `Refused` if an expression
    has no value, after it was reported. Their argument `tensor` is the name for the tensor that an
    expression computes, None to choose one.
    """

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self._handlers: dict[type, Callable[[Any, Scope, str | None], Call[TypedValue]]] = {
            ArrayOrTuple: self._elements,
            Unary: self._unary,
            Binary: self._binary,
            Conditional: self._conditional,
            Comprehension: self._comprehension,
            Subscript: self._subscript,
            Builtin: self._builtin,
            Invocation: resolver.invoke,
        }

    def evaluate(
        self, node: Expression, scope: Scope, tensor: str | None = None
    ) -> Call[TypedValue]:
        """Return the value and the type of `node`."""
        if isinstance(node, Constant):
            value = node.value
            if scope.abstract:
                value = ABSTRACT
            elif isinstance(value, list):
                self._go_through(value, node, scope)
                value = value.copy()
            return TypedValue(value, node.type)
        if isinstance(node, Name):
            return self.resolver.value_of(node, scope)
        result: TypedValue = yield self._handlers[type(node)](node, scope, tensor)
        # A value of unknown type is not known either.
        return TypedValue(ABSTRACT, UNKNOWN) if result.type is UNKNOWN else result

    def _go_through(self, value: Any, node: Expression, scope: Scope) -> None:
        """Count the elements of an array that is computed, copied or searched."""
        if isinstance(value, (list, str)):
            self.resolver.budget.spend(node, scope, 0, elements_of(value))

    # -- arrays and tuples --------------------------------------------------------------------

    def _elements(self, node: ArrayOrTuple, scope: Scope, tensor: str | None) -> Call[TypedValue]:  # noqa: ARG002
        values: list[Any] = []
        types: list[Type] = []
        for element in node.elements:
            value, type_ = yield self.evaluate(element, scope)
            values.append(value)
            types.append(type_)
        if not node.is_array:
            return TypedValue(ABSTRACT if scope.abstract else tuple(values), tuple_of(types))
        common = self._common_type(types, node, scope)
        type_ = array_of(common) if values else EMPTY
        return TypedValue(ABSTRACT if scope.abstract else values, type_)

    def _common_type(self, types: Sequence[Type], node: Expression, scope: Scope) -> Type:
        common = common_type_of(types)
        if common is not None:
            return common
        listed = " and ".join(dict.fromkeys(map(str, types)))
        message = f"the elements of an array must be of one type, not {listed}"
        hint = (
            "A number without a point is an integer. Write all of them with a point, or none."
            if set(types) == {INTEGER, SCALAR}
            else "Elements that belong together and differ in type make up a tuple: (a, b)."
        )
        return scope.refuse("type-mismatch", message, node, hint).type

    def _comprehension(
        self,
        node: Comprehension,
        scope: Scope,
        tensor: str | None,  # noqa: ARG002
    ) -> Call[TypedValue]:
        arrays: list[TypedValue] = []
        for _, iterated in node.iterators:
            array: TypedValue = yield self.evaluate(iterated, scope)
            if not isinstance(array.type, ArrayType) and array.type not in (EMPTY, UNKNOWN):
                message = f"only an array can be iterated, not {array.type}"
                hint = "For numbers from 0 on, iterate range_of(array)."
                array = scope.refuse("type-mismatch", message, iterated, hint)
            arrays.append(array)
        element_types = [
            a.type.element if isinstance(a.type, ArrayType) else UNKNOWN for a in arrays
        ]
        abstract = scope.abstract or is_abstract(*arrays)
        rows = [(ABSTRACT,) * len(arrays)] if abstract else _rows(node, arrays, scope)
        values: list[Any] = []
        types: list[Type] = []
        for row in rows:
            self.resolver.budget.spend(node, scope)
            inner = scope.inner()
            inner.values = {
                name.name: TypedValue(value, type_)
                for (name, _), value, type_ in zip(node.iterators, row, element_types, strict=True)
            }
            if node.condition is not None:
                chosen = yield self.condition(node.condition, inner)
                if chosen is False:
                    continue
            value, type_ = yield self.evaluate(node.element, inner)
            values.append(value)
            types.append(type_)
        type_ = array_of(self._common_type(types, node.element, scope)) if types else EMPTY
        return TypedValue(ABSTRACT if abstract else values, type_)

    def _subscript(
        self,
        node: Subscript,
        scope: Scope,
        tensor: str | None,  # noqa: ARG002
    ) -> Call[TypedValue]:
        sequence: TypedValue = yield self.evaluate(node.value, scope)
        if isinstance(sequence.type, TupleType):
            return _tuple_element(node, sequence, sequence.type, scope)
        type_ = subscript_type(sequence.type, is_range=node.is_range)
        if type_ is None:
            is_tensor = isinstance(sequence.type, TensorType)
            hint = "Use 'slice' to take a part of a tensor." if is_tensor else ""
            return scope.refuse(
                "type-mismatch", f"{sequence.type} has no elements", node.value, hint
            )
        start = yield self._bound(node.start, scope)
        stop = yield self._bound(node.stop, scope)
        abstract = scope.abstract or sequence.type is UNKNOWN or is_abstract(sequence)
        if abstract or start is ABSTRACT or stop is ABSTRACT:
            return TypedValue(ABSTRACT, type_)
        try:
            part = subscript_value(node, sequence.value, start, stop)
            if node.is_range:
                self._go_through(part, node, scope)
            return TypedValue(part, type_)
        except ValueProblem as problem:
            return scope.refuse(problem.code, problem.message, node, problem.hint)

    def _bound(self, node: Expression | None, scope: Scope) -> Call[Any]:
        if node is None:
            return None
        value, type_ = yield self.evaluate(node, scope)
        if type_ is not INTEGER and type_ is not UNKNOWN:
            message = f"a subscript must be an integer, not {type_}"
            scope.refuse("type-mismatch", message, node)
        return value

    # -- choices ------------------------------------------------------------------------------

    def condition(self, node: Expression, scope: Scope) -> Call[Any]:
        """Return the value of a condition."""
        value, type_ = yield self.evaluate(node, scope)
        if type_ is not LOGICAL and type_ is not UNKNOWN:
            is_tensor = isinstance(type_, TensorType)
            hint = "Use the operation 'select' to choose at run time." if is_tensor else ""
            message = f"a condition must be logical, not {type_}"
            scope.refuse("type-mismatch", message, node, hint)
        if value is ABSTRACT and not scope.abstract:
            raise Refused  # It depends on an error that was reported.
        return value

    def branch(
        self,
        node: Expression,
        scope: Scope,
        check: Callable[[Expression, Scope], Call[TypedValue]],
    ) -> Call[tuple[Expression, list[Type]]]:
        """Return the expression that a chain of if-else chooses, in a scope that computes.

        The other branches have no value, but must have a type, which `check` determines; the types
        are returned, too, for `chosen`.
        """
        other_types: list[Type] = []
        while isinstance(node, Conditional):
            chosen = yield self.condition(node.condition, scope)
            taken, other = (node.value, node.otherwise) if chosen else (node.otherwise, node.value)
            if scope.declaration is None:
                # Fragments have been checked as a whole, the graph has not.
                unchosen: TypedValue = yield check(other, scope.inner(abstract=True))
                other_types.append(unchosen.type)
            node = taken
        return node, other_types

    def chosen(
        self, value: TypedValue, other_types: list[Type], node: Expression, scope: Scope
    ) -> TypedValue:
        """Return the value of the chosen branch if its type agrees with those of the others."""
        common = value.type
        for type_ in other_types:
            both = common_type(common, type_)
            if both is None:
                message = f"the branches are of types {value.type} and {type_}"
                return scope.refuse("type-mismatch", message, node, BRANCHES)
            common = both
        return value

    def _conditional(self, node: Conditional, scope: Scope, tensor: str | None) -> Call[TypedValue]:
        if not scope.abstract:
            taken, other_types = yield self.branch(node, scope, self.evaluate)
            value: TypedValue = yield self.evaluate(taken, scope, tensor)
            return self.chosen(value, other_types, node, scope)
        yield self.condition(node.condition, scope)
        first: TypedValue = yield self.evaluate(node.value, scope)
        second: TypedValue = yield self.evaluate(node.otherwise, scope)
        common = common_type(first.type, second.type)
        if common is None:
            message = f"the branches are of types {first.type} and {second.type}"
            return scope.refuse("type-mismatch", message, node, BRANCHES)
        return TypedValue(ABSTRACT, common)

    # -- operators ----------------------------------------------------------------------------

    def _unary(self, node: Unary, scope: Scope, tensor: str | None) -> Call[TypedValue]:
        operand: TypedValue = yield self.evaluate(node.operand, scope)
        if isinstance(operand.type, TensorType):
            operation = UNARY_OPERATIONS[node.operator]
            return self.resolver.operate(node, operation, [operand], scope, tensor)
        type_ = unary_type(node.operator, operand.type)
        if type_ is None:
            message = f"'{node.operator}' cannot be applied to {operand.type}"
            return scope.refuse("type-mismatch", message, node)
        if scope.abstract or type_ is UNKNOWN or is_abstract(operand):
            return TypedValue(ABSTRACT, type_)
        try:
            return TypedValue(unary_value(node.operator, operand.value), type_)
        except ValueProblem as problem:
            return scope.refuse(problem.code, problem.message, node, problem.hint)

    def _binary(self, node: Binary, scope: Scope, tensor: str | None) -> Call[TypedValue]:
        symbol = node.operator
        left: TypedValue = yield self.evaluate(node.left, scope)
        if left.type is LOGICAL and left.value is (symbol == "||") and symbol in ("&&", "||"):
            # The right side cannot change the result; it may have no value.
            yield self.evaluate(node.right, scope.inner(abstract=True))
            return left
        right: TypedValue = yield self.evaluate(node.right, scope)
        if symbol in BINARY_OPERATIONS and _is_tensor_operation(left.type, right.type):
            operation = BINARY_OPERATIONS[symbol]
            return self.resolver.operate(node, operation, [left, right], scope, tensor)
        type_ = binary_type(symbol, left.type, right.type)
        if type_ is None:
            message = f"'{symbol}' cannot be applied to {left.type} and {right.type}"
            mixed = {left.type, right.type} == {INTEGER, SCALAR}
            hint = "Cast one of them: scalar(...) or integer(...)." if mixed else ""
            return scope.refuse("type-mismatch", message, node, hint)
        if scope.abstract or UNKNOWN in (left.type, right.type) or is_abstract(left, right):
            return TypedValue(ABSTRACT, type_)
        try:
            if symbol == "in":
                self._go_through(right.value, node, scope)
            value = binary_value(symbol, left.value, right.value)
            self._go_through(value, node, scope)
            return TypedValue(value, type_)
        except ValueProblem as problem:
            return scope.refuse(problem.code, problem.message, node, problem.hint)

    # -- functions -----------------------------------------------------------------------------

    def _builtin(
        self,
        node: Builtin,
        scope: Scope,
        tensor: str | None,  # noqa: ARG002
    ) -> Call[TypedValue]:
        argument: TypedValue = yield self.evaluate(node.argument, scope)
        type_ = builtin_type(node.name, argument.type)
        if node.name == "shape_of":
            scope.report.at(
                "deprecated-function",
                "'shape_of' is deprecated",
                node.at,
                section="3.3.3",
                severity="warning",
            )
        if type_ is None:
            message = f"'{node.name}' cannot be applied to {argument.type}"
            is_tensor = isinstance(argument.type, TensorType)
            is_cast = is_tensor and node.name not in ("length_of", "range_of")
            hint = f"Tensors are cast by cast<{node.name}>(...)." if is_cast else ""
            return scope.refuse("type-mismatch", message, node, hint)
        if scope.abstract or argument.type is UNKNOWN or is_abstract(argument):
            return TypedValue(ABSTRACT, type_)
        if node.name == "shape_of":
            shape = self.resolver.shape_of(argument.value)
            if shape is None:
                message = "the shape of this tensor is not known while the text is parsed"
                return scope.refuse("unknown-shape", message, node)
            return TypedValue(shape, type_)
        try:
            value = builtin_value(node.name, argument.value)
            self._go_through(value, node, scope)
            return TypedValue(value, type_)
        except ValueProblem as problem:
            return scope.refuse(problem.code, problem.message, node, problem.hint)


def _rows(node: Comprehension, arrays: Sequence[TypedValue], scope: Scope) -> list[tuple[Any, ...]]:
    """Return the values of the loop variables for each iteration."""
    lengths = {len(array.value) for array in arrays}
    if len(lengths) > 1:
        listed = " and ".join(str(len(array.value)) for array in arrays)
        message = f"arrays that are iterated together must have one length, not {listed}"
        scope.refuse("length-mismatch", message, node)
    return list(zip(*(array.value for array in arrays), strict=True))


def _tuple_element(
    node: Subscript, value: TypedValue, type_: TupleType, scope: Scope
) -> TypedValue:
    index = node.start
    if node.is_range or not isinstance(index, Constant) or index.type is not INTEGER:
        message = "the subscript of a tuple must be an integer literal"
        return scope.refuse("tuple-subscript", message, node)
    try:
        position = checked_index(index.value, len(type_.elements))
    except ValueProblem as problem:
        return scope.refuse(problem.code, problem.message, node, problem.hint)
    element = ABSTRACT if scope.abstract else value.value[position]
    return TypedValue(element, type_.elements[position])


def _is_tensor_operation(left: Type, right: Type) -> bool:
    """Return whether one operand is a tensor and none is an array."""
    if not isinstance(left, TensorType) and not isinstance(right, TensorType):
        return False
    return not any(isinstance(type_, ArrayType) or type_ is EMPTY for type_ in (left, right))
