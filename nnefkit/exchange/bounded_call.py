"""Calls of operators that compute constants within an allowance of memory, and can be refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.source_value import Argument, Value, values_in
from nnefkit.operations import registry


class BoundedCall(OperatorCall):
    """A call whose constants count as memory before they are computed."""

    allowance: Allowance
    """The memory that is left for constants."""

    def ops(
        self, name: str, *inputs: Argument, data_type: str | None = None, **attribs: Any
    ) -> list[Value]:
        """Call an NNEF operation; what is computed from constants counts as memory.

        Raises:
            Refusal: The constants take too much memory.
        """
        values = values_in(inputs)
        if values and all(value.data is not None for value in values):
            self._allow(name, inputs, attribs)
        return super().ops(name, *inputs, data_type=data_type, **attribs)

    def op(
        self, name: str, *inputs: Argument, data_type: str | None = None, **attribs: Any
    ) -> Value:
        """Call an NNEF operation with one result; see `ops`."""
        (result,) = self.ops(name, *inputs, data_type=data_type, **attribs)
        return result

    def axis(self, axis: int, rank: int, *, ends: bool = False) -> int:
        """Return an axis counted from the front.

        Args:
            axis: The axis, which may count from the end.
            rank: The number of axes.
            ends: Whether the end of the shape is a position, too.

        Raises:
            Refusal: There is no such axis.
        """
        front = axis + rank + ends if axis < 0 else axis
        if not 0 <= front < rank + ends:
            self.invalid(f"its axis is {axis}, but its input has rank {rank}")
        return front

    def refuse(self, reason: str, hint: str = "") -> NoReturn:
        """Refuse the operator.

        Raises:
            Refusal: Always.
        """
        refuse(reason, hint)

    def invalid(self, reason: str) -> NoReturn:
        """Refuse the operator because the model breaks the rules of its format.

        Raises:
            Refusal: Always.
        """
        refuse(reason, self.invalid_hint)

    def _allow(self, name: str, inputs: Sequence[Argument], attribs: Mapping[str, Any]) -> None:
        declaration = self.graph.declarations[name]
        given = dict(zip((n for n, _, _ in declaration.inputs), inputs, strict=False))
        arguments = [given.get(n, default) for n, _, default in declaration.inputs]
        filled = {n: attribs.get(n, default) for n, _, default in declaration.attributes}
        shapes = registry.SHAPE_RULES[name](*map(_shape, arguments), **filled)
        for shape in [shapes] if len(declaration.results) == 1 else shapes:
            for each in shape if isinstance(shape, list) else [shape]:
                self.allowance.take(each, 8)


def _shape(argument: Any) -> Any:
    if isinstance(argument, Value):
        return argument.shape
    return [_shape(item) for item in argument] if isinstance(argument, (list, tuple)) else ()
