"""The builder of ONNX graphs.

Values have shapes and dtypes, so that lowerings can compute static quantities in Python. Names are
assigned last: the result of an operation gets the name of its tensor; intermediate values get names
with a dot, which NNEF identifiers cannot contain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array, Shape

MINIMUM_OPSET = 16
"""The first opset with all operators that are needed; sums by `ScatterElements` came last."""
OPSET = 21
"""The newest opset that every supported onnxruntime (1.20 or later) can run."""

SINGLE_KINDS = frozenset({"AveragePool", "Conv", "ConvTranspose", "PRelu", "Resize", "Softplus"})
"""Operators that ONNX also defines for float64, but onnxruntime computes in float32 only."""
SINGLE_ATTRIBUTES = frozenset({"BatchNormalization", "Elu", "LRN", "LeakyRelu", "Selu"})
"""Operators with attributes that are float32, whatever the dtype of the values."""


class OnnxValue:
    """A value of an ONNX graph: an input, an initializer or a result of a node."""

    __slots__ = ("data", "dtype", "inline", "name", "node", "shape")

    def __init__(
        self,
        shape: Shape,
        dtype: np.dtype[Any],
        name: str = "",
        data: Array | None = None,
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.name = name
        """Empty until it is assigned."""
        self.data = data
        """The data of an initializer, else None."""
        self.inline = False
        """Whether the model itself must contain the data, from which shapes are inferred."""
        self.node: Node | None = None
        """The node that computes it, if there is one."""

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def kind(self) -> str:
        """Name of the operator that computes it, or an empty string."""
        return self.node.kind if self.node is not None else ""


class Node(NamedTuple):
    """A call of an ONNX operator."""

    kind: str
    inputs: tuple[OnnxValue | None, ...]
    outputs: tuple[OnnxValue, ...]
    attributes: Mapping[str, Any]


class Builder:
    """Nodes of an ONNX graph, in the order in which they are added.

    Args:
        scalar: The dtype of the tensors of data-type scalar.
        opset: The version of the ONNX operators.
        portable: Whether to use operators that onnxruntime itself cannot run in float64.
        codes: Whether quantization is expressed by integer codes, where ONNX can.
        careful: Whether maxima and minima are right for NaN and minus infinity, too.
    """

    def __init__(
        self,
        scalar: np.dtype[Any],
        opset: int = OPSET,
        portable: bool = False,
        codes: bool = False,
        careful: bool = False,
    ) -> None:
        self.scalar = scalar
        self.opset = opset
        self.nodes: list[Node] = []
        self.portable = portable
        self.codes = codes
        self.careful = careful
        self._constants: dict[tuple[Any, ...], OnnxValue] = {}
        self._reshaped: dict[tuple[int, Shape], tuple[OnnxValue, OnnxValue]] = {}

    def has(self, kind: str, value: OnnxValue) -> bool:
        """Return whether the operator `kind` can be used for values of the dtype of `value`."""
        if value.dtype != np.float64:
            return True
        return kind not in SINGLE_ATTRIBUTES and (self.portable or kind not in SINGLE_KINDS)

    def node(
        self,
        kind: str,
        inputs: Sequence[OnnxValue | None],
        shape: Shape,
        dtype: np.dtype[Any] | type[Any] | None = None,
        **attributes: Any,
    ) -> OnnxValue:
        """Add a node with one result, by default of the dtype of its first input."""
        first = inputs[0] if inputs else None
        if dtype is None:
            dtype = self.scalar if first is None else first.dtype
        result = OnnxValue(tuple(shape), np.dtype(dtype))
        self._add(Node(kind, tuple(inputs), (result,), attributes))
        return result

    def several(
        self,
        kind: str,
        inputs: Sequence[OnnxValue | None],
        shapes: Sequence[Shape],
        **attributes: Any,
    ) -> list[OnnxValue]:
        """Add a node with several results of the dtype of its first input."""
        dtype = self.scalar if inputs[0] is None else inputs[0].dtype
        results = [OnnxValue(tuple(shape), dtype) for shape in shapes]
        self._add(Node(kind, tuple(inputs), tuple(results), attributes))
        return results

    def _add(self, node: Node) -> None:
        self.nodes.append(node)
        for value in node.outputs:
            value.node = node

    def constant(self, array: Any, dtype: Any = None) -> OnnxValue:
        """Return an initializer; equal small ones are shared."""
        data = np.asarray(array, dtype)
        if data.size > 64:
            return OnnxValue(data.shape, data.dtype, data=data)
        key = (data.dtype.str, data.shape, data.tobytes())
        if key not in self._constants:
            self._constants[key] = OnnxValue(data.shape, data.dtype, data=data)
        return self._constants[key]

    def ints(self, *numbers: int) -> OnnxValue:
        """Return an initializer of integers, such as a shape, axes or indices."""
        value = self.constant(np.array(numbers, np.int64))
        value.inline = True
        return value

    def number(self, number: Any, like: OnnxValue) -> OnnxValue:
        """Return a number of the dtype of another value."""
        return self.constant(np.asarray(number, like.dtype))

    def reshape(self, value: OnnxValue, shape: Sequence[int]) -> OnnxValue:
        """Return a value in another shape; weights are reshaped at once."""
        shape = tuple(map(int, shape))
        if shape == value.shape:
            return value
        key = id(value), shape
        if key not in self._reshaped:
            # The value is stored as well, so that no other value gets its id.
            self._reshaped[key] = value, self._reshape(value, shape)
        return self._reshaped[key][1]

    def _reshape(self, value: OnnxValue, shape: Shape) -> OnnxValue:
        if value.data is not None:
            name = f"{value.name}.{'x'.join(map(str, shape))}" if value.name else ""
            return OnnxValue(shape, value.dtype, name, value.data.reshape(shape))
        zeros: dict[str, Any] = {"allowzero": 1} if 0 in shape else {}
        return self.node("Reshape", [value, self.ints(*shape)], shape, **zeros)
