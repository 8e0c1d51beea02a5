"""The builder of TFLite graphs.

Values have shapes and dtypes, so that lowerings can compute static quantities in Python. Names are
assigned last: the result of an operation gets the name of its tensor; intermediate values get names
with a dot, which NNEF identifiers cannot contain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.execution.engines.integer.grid import CodeGrid


class TfliteValue:
    """A value of a TFLite graph: an input, a constant or a result of an operator."""

    __slots__ = (
        *("axis", "data", "dtype", "grid", "is_weight", "line", "name", "operator", "shape"),
    )

    def __init__(
        self, shape: Shape, dtype: np.dtype[Any], name: str = "", data: Array | None = None
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.name = name
        """Empty until it is assigned."""
        self.data = data
        """The data of a constant, else None."""
        self.is_weight = False
        """Whether it is a variable of the graph, in any form."""
        self.line: Mapping[str, Any] | None = None
        """The quantization info of the tensor that it is, in graphs that are to be quantized."""
        self.grid: CodeGrid | None = None
        """The numbers that its elements stand for, if they are codes."""
        self.axis = 0
        """The axis along which the grid has an element for each channel."""
        self.operator: BuiltOperator | None = None
        """The operator that computes it, if there is one."""

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def is_real(self) -> bool:
        """Whether its elements are floating-point numbers."""
        return self.dtype.kind == "f"


@dataclass(eq=False)
class BuiltOperator:
    """A call of a TFLite operator."""

    kind: str
    """Its name in the schema, such as ``CONV_2D``."""
    inputs: list[TfliteValue]
    outputs: list[TfliteValue]
    options: dict[str, Any]
    """Its options, by their names in the schema."""


class TfliteBuilder:
    """Operators of a TFLite graph, in the order in which they are added."""

    scalar = np.dtype(np.float32)
    """The dtype of the tensors of data-type scalar."""

    def __init__(self) -> None:
        self.operators: list[BuiltOperator] = []
        self._constants: dict[tuple[Any, ...], TfliteValue] = {}
        self.quotients: dict[int, tuple[TfliteValue, TfliteValue, TfliteValue]] = {}
        """id of a quotient of integers -> dividend, divisor and quotient."""
        self._reshaped: dict[tuple[int, Shape], tuple[TfliteValue, TfliteValue]] = {}

    def op(
        self,
        kind: str,
        inputs: Sequence[TfliteValue],
        shape: Sequence[int],
        dtype: np.dtype[Any] | type[Any] | None = None,
        **options: Any,
    ) -> TfliteValue:
        """Add an operator with one result, by default of the dtype of its first input."""
        return self.several(kind, inputs, [shape], dtype, **options)[0]

    def several(
        self,
        kind: str,
        inputs: Sequence[TfliteValue],
        shapes: Sequence[Sequence[int]],
        dtype: np.dtype[Any] | type[Any] | None = None,
        **options: Any,
    ) -> list[TfliteValue]:
        """Add an operator with several results of one dtype."""
        made = np.dtype(dtype) if dtype is not None else inputs[0].dtype
        results = [TfliteValue(tuple(map(int, shape)), made) for shape in shapes]
        operator = BuiltOperator(kind, list(inputs), results, options)
        self.operators.append(operator)
        for value in results:
            value.operator = operator
        return results

    def constant(self, array: Any, dtype: Any = None) -> TfliteValue:
        """Return a constant; equal small ones are shared."""
        data = np.asarray(array, dtype)
        if data.size > 64:
            return TfliteValue(data.shape, data.dtype, data=data)
        key = (data.dtype.str, data.shape, data.tobytes())
        if key not in self._constants:
            self._constants[key] = TfliteValue(data.shape, data.dtype, data=data)
        return self._constants[key]

    def ints(self, *numbers: int) -> TfliteValue:
        """Return a constant of integers, such as a shape, axes or indices."""
        return self.constant(np.array(numbers, np.int32))

    def number(self, number: Any, like: TfliteValue) -> TfliteValue:
        """Return a number of the dtype of another value, of rank 0."""
        return self.constant(np.asarray(number, like.dtype))

    def reshape(self, value: TfliteValue, shape: Sequence[int]) -> TfliteValue:
        """Return a value in another shape; constants are reshaped at once."""
        shape = tuple(map(int, shape))
        if shape == value.shape:
            return value
        if value.data is not None:
            return self.derived(value, value.data.reshape(shape))
        # Without XNNPACK, LiteRT computes in the memory of a tensor that is reshaped, though others
        # read it, if it was reshaped before.
        source = value
        while source.operator is not None and source.operator.kind == "RESHAPE":
            if source.line is not None and source.line != source.operator.inputs[0].line:
                break
            source = source.operator.inputs[0]
        if shape == source.shape:
            return source
        key = id(source), shape
        if key not in self._reshaped:
            # The value is stored as well, so that no other value gets its id.
            sizes = self.ints(*shape)
            result = self.op("RESHAPE", [source, sizes], shape, NewShape=list(shape))
            self._reshaped[key] = source, result
        return self._reshaped[key][1]

    def derived(self, value: TfliteValue, data: Array) -> TfliteValue:
        """Return a constant that is another form of a constant."""
        name = f"{value.name}.{'x'.join(map(str, data.shape))}" if value.name else ""
        form = TfliteValue(data.shape, data.dtype, name, data)
        form.is_weight, form.line = value.is_weight, value.line
        return form


def options_of(operator: BuiltOperator) -> Mapping[str, Any]:
    """Return the options of an operator that differ from those that the schema assumes."""
    return {key: value for key, value in operator.options.items() if value not in (0, False)}
