"""Calls of operations of dumped graphs, and their parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.bounded_call import BoundedCall
from nnefkit.exchange.dumped.document import DumpedNode, DumpedValue
from nnefkit.exchange.source_value import DType, Value

_MISSING = object()
_FLOATS = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}
_MAX_NUMBERS = 1 << 16
_LARGEST = 2**62


@dataclass(frozen=True, eq=False)
class Literal:
    """An input that is not a tensor: nothing, or a slice."""

    slice: Any = None
    """Its start, stop and step; None for nothing."""


RunInner = Callable[[Sequence[Value], str], list[Value]]
"""The inputs of an inner graph, and a label for its tensors -> its outputs."""


@dataclass(eq=False)
class DumpedCall(BoundedCall):
    """A call of an operation.

    Each framework derives its own class.
    """

    node: DumpedNode = field(repr=False)
    inputs: Sequence[Value | Literal]
    results: Sequence[DumpedValue | None] = field(repr=False)
    """What the file has about the results; None for one that nothing reads."""
    allowance: Allowance = field(repr=False)
    arrays: Mapping[str, Array] = field(repr=False)
    hint: str = field(repr=False)
    run_inner: RunInner = field(repr=False)
    """Reads the inner graph once more, for some inputs."""

    @property
    def invalid_hint(self) -> str:
        """A hint for graphs that are not valid."""
        return self.hint

    @property
    def dtype(self) -> DType:
        """The dtype of the first result."""
        result = self.results[0] if self.results else None
        return np.dtype(np.float32) if result is None or result.dtype is None else result.dtype

    # -- inputs -------------------------------------------------------------------------------

    def __getitem__(self, index: int) -> Value:
        value = self.get(index)
        if value is None:
            self.invalid(f"its input {index} is missing")
        return value

    def get(self, index: int) -> Value | None:
        """Return an optional input, or None if it is not given.

        Raises:
            Refusal: It is not a tensor.
        """
        value = self.inputs[index] if index < len(self.inputs) else None
        if isinstance(value, Literal):
            if value.slice is not None:
                self.invalid(f"its input {index} is a slice, not a tensor")
            return None
        return value

    def all(self) -> list[Value]:
        """Return all inputs, at least one.

        Raises:
            Refusal: There is none, or one is not a tensor.
        """
        if not self.inputs:
            self.invalid("it has no inputs")
        return [self[index] for index in range(len(self.inputs))]

    def one(self) -> Value:
        """Return the only input.

        Raises:
            Refusal: There are several inputs, or none.
        """
        if len(self.inputs) != 1:
            self.invalid(f"it has {len(self.inputs)} inputs, not 1")
        return self[0]

    def two(self) -> tuple[Value, Value]:
        """Return both inputs.

        Raises:
            Refusal: There are not two inputs.
        """
        if len(self.inputs) != 2:
            self.invalid(f"it has {len(self.inputs)} inputs, not 2")
        return self[0], self[1]

    def ranked(self, index: int, rank: int) -> Value:
        """Return an input that must have a rank.

        Raises:
            Refusal: It is missing, or has another one.
        """
        value = self[index]
        if value.rank != rank:
            self.invalid(f"its input {index} has rank {value.rank}, not {rank}")
        return value

    # -- parameters ---------------------------------------------------------------------------

    def param(self, name: str, default: Any = _MISSING) -> Any:
        """Return a parameter as it is written.

        Raises:
            Refusal: It is missing.
        """
        value = self.node.params.get(name, default)
        if value is _MISSING:
            self.invalid(f"its parameter '{name}' is missing")
        return value

    def integer(self, name: str, default: Any = _MISSING) -> int:
        """Return a parameter that is an integer.

        Raises:
            Refusal: It is missing, or not an integer.
        """
        value = self.param(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST:
            self.invalid(f"its parameter '{name}' is {value!r:.80}, not an integer")
        return value

    def integers(self, name: str, default: Any = _MISSING) -> list[int]:
        """Return a parameter that is a list of integers; one integer is a list of one.

        Raises:
            Refusal: It is missing, or something else.
        """
        value = self.param(name, default)
        listed = value if isinstance(value, (list, tuple)) else [value]
        if len(listed) > _MAX_NUMBERS or not all(
            isinstance(n, int) and not isinstance(n, bool) and abs(n) <= _LARGEST for n in listed
        ):
            self.invalid(f"its parameter '{name}' is {value!r:.80}, not a list of integers")
        return [*listed]

    def number(self, name: str, default: Any = _MISSING) -> float:
        """Return a parameter that is a number, perhaps NaN or infinite.

        Raises:
            Refusal: It is missing, or not a number.
        """
        value = self.param(name, default)
        if isinstance(value, dict) and value.get("float") in _FLOATS:
            return _FLOATS[value["float"]]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            if isinstance(value, dict) and "array" in value:
                array = self.array(name)
                if array.size == 1:
                    return float(array.reshape(-1)[0])
            self.invalid(f"its parameter '{name}' is {value!r:.80}, not a number")
        if isinstance(value, int) and abs(value) > _LARGEST:
            self.invalid(f"its parameter '{name}' is too large")
        return float(value)

    def flag(self, name: str, default: Any = _MISSING) -> bool:
        """Return a parameter that is true or false.

        Raises:
            Refusal: It is missing, or something else.
        """
        value = self.param(name, default)
        if not isinstance(value, bool):
            self.invalid(f"its parameter '{name}' is {value!r:.80}, not true or false")
        return value

    def text(self, name: str, default: Any = _MISSING) -> str:
        """Return a parameter that is a string.

        Raises:
            Refusal: It is missing, or something else.
        """
        value = self.param(name, default)
        if not isinstance(value, str):
            self.invalid(f"its parameter '{name}' is {value!r:.80}, not a string")
        return value

    def array(self, name: str) -> Array:
        """Return a parameter that is an array.

        Raises:
            Refusal: It is missing, something else, or depends on the input.
        """
        value = self.param(name)
        if not isinstance(value, dict) or not isinstance(value.get("array"), str):
            self.invalid(f"its parameter '{name}' is not an array")
        return self.stored(value, name)

    def stored(self, reference: Mapping[str, Any], name: str) -> Array:
        """Return the array that a parameter refers to.

        Raises:
            Refusal: It is missing, or depends on the input.
        """
        key = reference["array"]
        if reference.get("detached"):
            self.refuse(
                f"its parameter '{name}' depends on the input, but the graph does not have how",
                "Compute it with functions that the framework records, or pass it as an input.",
            )
        if key not in self.arrays:
            self.invalid(f"the array '{key}' of its parameter '{name}' is missing")
        return self.arrays[key]

    # -- axes ---------------------------------------------------------------------------------

    def front_axis(self, axis: int, rank: int) -> int:
        """Return an axis counted from the front.

        Raises:
            Refusal: There is no such axis.
        """
        if not -rank <= axis < rank:
            self.invalid(f"its axis is {axis}, but its input has rank {rank}")
        return axis + rank if axis < 0 else axis

    def axes(self, name: str, rank: int, default: Any = None) -> list[int]:
        """Return the axes of a parameter in order; all of them if it has none.

        Raises:
            Refusal: One does not exist, or occurs twice.
        """
        if self.param(name, default) is None:
            return [*range(rank)]
        axes = sorted(self.front_axis(axis, rank) for axis in self.integers(name, default))
        if len(set(axes)) != len(axes):
            self.invalid(f"an axis occurs twice in its parameter '{name}'")
        return axes
