"""Items and ranges of arrays, tuples and strings (3.3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnefkit.language.elaboration.scopes import ABSTRACT, Scope, Value
from nnefkit.language.syntax.trampoline import Call
from nnefkit.language.syntax.tree import Constant, Subscript
from nnefkit.language.types import (
    EMPTY,
    INTEGER,
    STRING,
    UNKNOWN,
    ArrayType,
    TensorType,
    TupleType,
    Type,
)

if TYPE_CHECKING:
    from nnefkit.language.elaboration.evaluator import Evaluator


class Subscripts:
    """Evaluates subscripts, for an evaluator of what stands around and inside of them."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator

    def evaluate(
        self,
        node: Subscript,
        scope: Scope,
        want: str | None,  # noqa: ARG002
    ) -> Call[Value]:
        """The item, or the items, of an array, a tuple or a string."""
        base: Value = yield self.evaluator.evaluate(node.value, scope)
        kind = base.type
        if isinstance(kind, TupleType):
            return self._tuple_item(node, base, kind, scope)
        if not isinstance(kind, ArrayType) and kind not in (EMPTY, STRING, UNKNOWN):
            hint = "Tensors are cut by 'slice'." if isinstance(kind, TensorType) else ""
            return self.evaluator.refuse(
                "type-mismatch", f"{kind} has no items", node.value, scope, hint
            )
        bounds: list[Any] = []
        for part in (node.start, node.stop):
            value: Any = None
            index_kind: Type = INTEGER
            if part is not None:
                value, index_kind = yield self.evaluator.evaluate(part, scope)
            if index_kind is not INTEGER and index_kind is not UNKNOWN:
                message = f"a subscript must be an integer, not {index_kind}"
                self.evaluator.refuse("type-mismatch", message, part or node, scope)
            bounds.append(value)
        item = kind.item if isinstance(kind, ArrayType) and not node.is_range else kind
        if kind is EMPTY and not node.is_range:
            item = UNKNOWN
        if scope.abstract or base.type is UNKNOWN or base.value is ABSTRACT or ABSTRACT in bounds:
            return Value(ABSTRACT, item)
        return Value(self._cut(node, base.value, bounds, scope), item)

    def _tuple_item(self, node: Subscript, base: Value, kind: TupleType, scope: Scope) -> Value:
        index = node.start
        if node.is_range or not isinstance(index, Constant) or index.type is not INTEGER:
            message = "the subscript of a tuple must be an integer literal"
            return self.evaluator.refuse("tuple-subscript", message, node, scope)
        if not 0 <= index.value < len(kind.items):
            message = f"index {index.value} is out of range of {len(kind.items)} items"
            return self.evaluator.refuse("index-out-of-range", message, node, scope)
        value = ABSTRACT if scope.abstract else base.value[index.value]
        return Value(value, kind.items[index.value])

    def _cut(self, node: Subscript, sequence: Any, bounds: list[Any], scope: Scope) -> Any:
        length = len(sequence)
        start, stop = bounds
        if not node.is_range:
            if not 0 <= start < length:
                message = f"index {start} is out of range of {length} items"
                self.evaluator.refuse("index-out-of-range", message, node, scope)
            return sequence[start]
        start = 0 if start is None else start
        stop = length if stop is None else stop
        if start >= stop:
            return sequence[:0]
        if start < 0 or stop > length:
            message = f"range {start}:{stop} is out of range of {length} items"
            self.evaluator.refuse("index-out-of-range", message, node, scope)
        return sequence[start:stop]
