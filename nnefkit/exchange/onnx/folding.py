"""Constant folding: nodes that depend only on constants are computed while the model is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from nnefkit.arrays import Array
from nnefkit.budget import current_budget, remedy
from nnefkit.exchange.refusal import Refusal
from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.exchange.source_value import Value

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, OperatorSetIdProto

_TWO = 2
_SUMS_OF_PRODUCTS = frozenset({"MatMul", "Gemm", "Conv", "ConvTranspose"})
_DIVISIONS = frozenset({"Div", "Mod"})
_RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform"}
    | {"RandomUniformLike"}
)
"""Operators whose results differ each time."""

_SMALL = 1024
"""Number of elements up to which a constant is not a weight to be shared."""
MAX_ELEMENTS = 2**28
"""Maximum number of elements of a result that is much larger than its inputs, against attacks."""


_PRODUCTS_A_SECOND = 1e10
"""Estimated speed of sums of products, to refuse a node before it is computed."""

_INFERRED = 2**24
"""Product of the sizes of all inputs from which on the results may be large."""

_GROWING = frozenset(
    {"AffineGrid", "BlackmanWindow", "CenterCropPad", "Col2Im", "ConvTranspose", "DFT"}
    | {"HammingWindow", "HannWindow", "MaxUnpool", "MelWeightMatrix", "Resize", "RoiAlign"}
    | {"Upsample"}
)
"""Operators whose results may be larger than the product of their inputs."""

_RESIZED = 8
"""Bytes that ONNX's evaluator takes for each byte of a resized tensor."""

_FREE = 4
"""Bytes that may be computed for each byte of the model's own data."""


class Folding:
    """Computes the constant nodes of one model, within the budget in effect."""

    def __init__(self) -> None:
        self.limits = current_budget()
        self.bytes = 0.0
        self.seconds = 0.0

    def allow(self, data: Array) -> Array:
        """Count data that the model itself contains, and return it."""
        self.bytes -= _FREE * data.nbytes
        return data

    def fold(
        self,
        node: NodeProto,
        inputs: Mapping[str, Array],
        opsets: Sequence[OperatorSetIdProto],
    ) -> list[Array] | None:
        """Compute a node, as `fold` does.

        Raises:
            Refusal: The results of all nodes together take more memory or time than the budget.
        """
        if node.op_type == "Constant":
            results = fold(node, inputs, opsets)
            for array in results or ():
                self.allow(array)
            return results
        arrays = [inputs[name] for name in node.input if name in inputs]
        self._check(
            max(_size(node.op_type, arrays), _inferred_bytes(node, inputs, opsets)),
            _products(node.op_type, arrays) / _PRODUCTS_A_SECOND,
        )
        start = time.perf_counter()
        results = fold(node, inputs, opsets)
        self.seconds += time.perf_counter() - start
        self.bytes += sum(array.nbytes for array in results or ())
        self._check(0, 0)
        return results

    def _check(self, size: float, seconds: float) -> None:
        limit, attribute = self.limits.exceeded(0, self.bytes + size, self.seconds + seconds)
        if limit:
            raise Refusal(
                f"the constants of the model take more than {limit} to compute",
                remedy(attribute, "nnefkit.from_onnx(model)"),
            )


def fold(
    node: NodeProto, inputs: Mapping[str, Array], opsets: Sequence[OperatorSetIdProto]
) -> list[Array] | None:
    """Compute a node.

    Args:
        node: Any node.
        inputs: The values of all of its inputs, by name.
        opsets: The versions of the operators.

    Returns:
        Its outputs, an empty array for one without a name; None if it cannot be computed.

    Raises:
        MemoryError: An output would have more than `MAX_ELEMENTS` elements.
        Refusal: Integers are divided by zero, as in the mean of none, or the smallest one by -1.
    """
    from onnx.reference import ReferenceEvaluator

    if node.op_type in _RANDOM:
        return None
    arrays = [inputs[name] for name in node.input if name in inputs]
    if _size(node.op_type, arrays) > MAX_ELEMENTS:
        raise MemoryError
    _check_quotient(node.op_type, arrays)
    try:
        results = ReferenceEvaluator(_model(node, inputs, opsets)).run(None, dict(inputs))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - it may raise any error; the node is then read in another way
        return None
    if not all(isinstance(result, (np.ndarray, np.generic)) for result in results):
        return None
    names = [name for name in node.output if name]
    by_name = dict(zip(names, results, strict=True))
    return [np.asarray(by_name[name]) if name else np.zeros(0) for name in node.output]


def _check_quotient(operator: str, arrays: Sequence[Array]) -> None:
    """Refuse quotients of integers that have no value, which end the process in ONNX Runtime."""
    if operator == "ReduceMean" and arrays and arrays[0].dtype.kind in "iu" and not arrays[0].size:
        raise Refusal("it is the mean of no integers", "Leave the empty tensor out.")
    if operator in _DIVISIONS and len(arrays) == _TWO:
        _check_divisor(*arrays)


def _check_divisor(x: Array, y: Array) -> None:
    if x.dtype.kind not in "iu" or not y.size:
        return
    if (y == 0).any():
        raise Refusal("it divides integers by zero", "Correct the divisor in the source network.")
    if x.dtype.kind == "i" and (y == -1).any() and (x == np.iinfo(x.dtype).min).any():
        raise Refusal(
            f"it divides the smallest integer of type {x.dtype.name} by -1",
            "The quotient is outside of its range.",
        )


def weight_form(
    graph: SourceGraph, node: NodeProto, inputs: Sequence[Value | None]
) -> Value | None:
    """Return a weight itself, or reshaped or transposed without a copy; None for other nodes.

    Weights that several nodes share are written as `Identity`, each with its own name, and so are
    not stored again.
    """
    value = inputs[0] if inputs else None
    if node.domain not in ("", "ai.onnx") or value is None or value.data is None:
        return None
    if node.op_type == "Identity":
        return value
    if value.data.size <= _SMALL:
        return None
    if node.op_type == "Transpose":
        axes = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
        order = [*range(value.rank)][::-1] if axes is None else axes
        if sorted(order) != [*range(value.rank)]:
            return None
        return graph.derived(value, ("transpose", *order), lambda data: data.transpose(order))
    return None


def _inferred_bytes(
    node: NodeProto, inputs: Mapping[str, Array], opsets: Sequence[OperatorSetIdProto]
) -> float:
    """Return the size of the results of a node as ONNX infers it; 0 if it cannot, or is small."""
    from onnx import helper, numpy_helper, shape_inference

    most = prod(max(array.size, 1) for array in inputs.values())
    if most < _INFERRED and node.op_type not in _GROWING:
        return 0.0
    model = _model(node, {n: a for n, a in inputs.items() if a.size > _SMALL}, opsets)
    model.graph.initializer.extend(
        numpy_helper.from_array(array, name)
        for name, array in inputs.items()
        if array.size <= _SMALL
    )
    try:
        graph = shape_inference.infer_shapes(model).graph
        types = [info.type.tensor_type for info in graph.output]
        return (_RESIZED if node.op_type in ("Resize", "Upsample") else 1) * sum(
            float(prod(dim.dim_value for dim in kind.shape.dim))
            * helper.tensor_dtype_to_np_dtype(kind.elem_type).itemsize
            for kind in types
            if kind.elem_type and kind.HasField("shape")
        )
    except Exception:  # noqa: BLE001 - a node that is not valid
        return 0.0


def _model(
    node: NodeProto, inputs: Mapping[str, Array], opsets: Sequence[OperatorSetIdProto]
) -> ModelProto:
    """Return a model that consists of one node."""
    from onnx import helper

    types = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in inputs.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    graph = helper.make_graph([node], "folded", types, outputs)
    return helper.make_model(graph, opset_imports=opsets)


# -- sizes of results ------------------------------------------------------------------------------


def _size(operator: str, inputs: Sequence[Array]) -> float:
    """Return the number of elements of a result that can be much larger than the inputs."""
    fewest, size = _SIZES.get(operator, (0, None))
    return 0.0 if size is None or len(inputs) < fewest else size(*inputs)


def _products(operator: str, arrays: Sequence[Array]) -> float:
    """Return an upper bound of the number of multiplications of a node with sums of products."""
    if operator not in _SUMS_OF_PRODUCTS or len(arrays) < _TWO or not all(a.size for a in arrays):
        return 0.0
    first, second = arrays[:_TWO]
    if operator.startswith("Conv"):
        return float(first.size) * second.size / max(second.shape[1:2] or (1,))
    return float(first.size) * second.size / max(first.shape[-1:] or (1,))


def _constant_size(shape: Array, *_: Array) -> float:
    return _volume(shape)


def _expanded_size(_: Array, shape: Array, *__: Array) -> float:
    return _volume(shape)


def _tiled_size(x: Array, repeats: Array, *_: Array) -> float:
    return x.size * _volume(repeats)


def _one_hot_size(indices: Array, depth: Array, *_: Array) -> float:
    return indices.size * abs(_number(depth))


def _range_size(start: Array, limit: Array, step: Array, *_: Array) -> float:
    length = abs(_number(limit) - _number(start))
    return length / abs(_number(step)) if _number(step) else 0.0


def _padded_size(x: Array, pads: Array, *_: Array) -> float:
    numbers = _numbers(pads)
    count = numbers.size // 2
    added = np.abs(numbers[:count] + numbers[count : 2 * count])
    return float(prod(n + more for n, more in zip(x.shape[-count:], added, strict=False)))


_SIZES: dict[str, tuple[int, Callable[..., float]]] = {
    "ConstantOfShape": (1, _constant_size),
    "Expand": (2, _expanded_size),
    "OneHot": (2, _one_hot_size),
    "Pad": (2, _padded_size),
    "Range": (3, _range_size),
    "Tile": (2, _tiled_size),
}
"""Operator -> how many inputs its size depends on, and its size."""


def _volume(extents: Array) -> float:
    return float(np.prod(np.abs(_numbers(extents))))


def _number(array: Array) -> float:
    numbers = _numbers(array)
    return float(numbers[0]) if numbers.size else 0.0


def _numbers(array: Array) -> Array:
    is_numeric = array.dtype.kind in "iuf"
    return array.astype(np.float64).reshape(-1) if is_numeric else np.zeros(0)
