"""Types and shapes of tensors as ONNX infers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnefkit.errors import InputError
from nnefkit.exchange.onnx.opened_model import dtype_of
from nnefkit.exchange.source_value import DTYPES, Value

if TYPE_CHECKING:
    from onnx import ModelProto


def inferred_values(model: ModelProto) -> dict[str, Value]:
    """Return a value for each tensor of the main graph whose type and shape ONNX infers.

    Args:
        model: A model whose inputs have shapes.
    """
    from onnx import shape_inference

    try:
        graph = shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception:  # noqa: BLE001 - of several kinds, if the model is not valid
        return {}
    values = {}
    for info in (*graph.value_info, *graph.output):
        kind = info.type.tensor_type
        extents = [dimension.dim_value for dimension in kind.shape.dim]
        try:
            dtype = dtype_of(info.type)
        except InputError:
            continue
        if dtype is not None and dtype.name in DTYPES and kind.HasField("shape") and all(extents):
            values[info.name] = Value(tuple(extents), dtype, info.name, origin=info.name)
    return values
