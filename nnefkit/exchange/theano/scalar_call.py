"""Calls of Theano's scalar operations, which an Elemwise applies to tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from nnefkit.exchange.reshaping import broadcast
from nnefkit.exchange.source_value import DType, Value
from nnefkit.exchange.theano.call import Call
from nnefkit.registry import Registry

SCALARS = Registry()
"""Class of a scalar operation -> its reader."""
scalar = SCALARS.register


@dataclass(frozen=True)
class ScalarOp:
    """A scalar operation, applied to tensors whose shapes broadcast."""

    name: str
    params: Mapping[str, Any]
    values: Sequence[Value]
    dtype: DType
    """The dtype of its result."""

    def count(self, c: Call, count: int) -> Sequence[Value]:
        """Return the operands, of which there must be a number.

        Raises:
            Refusal: There are more or fewer.
        """
        if len(self.values) != count:
            c.invalid(f"{self.name} has {len(self.values)} operands, not {count}")
        return self.values


def applied(c: Call, operation: ScalarOp) -> Value:
    """Return the result of a scalar operation.

    Raises:
        Refusal: NNEF cannot express it.
    """
    if operation.name not in SCALARS:
        c.refuse(
            f"NNEF has no operation for {operation.name}",
            "Cut the graph before it, outputs=[...], and compute the rest outside of it.",
        )
    folded = _folded(c, operation)
    if folded is not None:
        return folded
    reader: Callable[[Call, ScalarOp], Value] = SCALARS[operation.name]
    return c.to_result(reader(c, operation), operation.dtype)


# -- integers that are known -----------------------------------------------------------------------

_EXACT: dict[str, Callable[..., Any]] = {
    "Sub": np.subtract,
    "IntDiv": np.floor_divide,
    "Mod": np.mod,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "LT": np.less,
    "LE": np.less_equal,
    "GT": np.greater,
    "GE": np.greater_equal,
    "EQ": np.equal,
    "NEQ": np.not_equal,
    "AND": np.bitwise_and,
    "OR": np.bitwise_or,
    "XOR": np.bitwise_xor,
    "Invert": np.invert,
    "Neg": np.negative,
    "Abs": np.abs,
    "Sgn": np.sign,
    "Sqr": np.square,
    "Switch": np.where,
    "Identity": np.positive,
}
_MANY: dict[str, Callable[..., Any]] = {"Add": np.add, "Mul": np.multiply}


def _folded(c: Call, operation: ScalarOp) -> Value | None:
    """Return the result of an operation on constant integers, as arithmetic of shapes has them."""
    data = [value.data for value in operation.values]
    if any(array is None or array.dtype.kind not in "iub" for array in data):
        return None
    if operation.dtype.kind not in "iub":
        return None
    exact, many = _EXACT.get(operation.name), _MANY.get(operation.name)
    if exact is None and many is None:
        return None
    if operation.name in ("IntDiv", "Mod") and len(data) == 2 and not np.all(data[1]):
        c.invalid("it divides by 0")
    c.allowance.take(broadcast(c, *(value.shape for value in operation.values)), 8)
    arrays: list[Any] = [np.asarray(array) for array in data]
    if operation.name == "Switch":
        arrays[0] = arrays[0] != 0
    elif operation.dtype.kind != "b" and operation.name not in ("AND", "OR", "XOR", "Invert"):
        arrays = [array.astype(np.int64) for array in arrays]
    with np.errstate(all="ignore"):
        result = reduce(many, arrays) if many is not None else exact(*arrays)  # type: ignore[misc]
    return c.graph.constant(np.asarray(result).astype(operation.dtype))
