"""Tensors and attributes of a model as arrays and Python values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.onnx.folding import MAX_ELEMENTS

if TYPE_CHECKING:
    from onnx import NodeProto, SparseTensorProto, TensorProto


def array_of(tensor: TensorProto) -> Array:
    """Return the elements of a tensor.

    Raises:
        ValueError: Their number does not fit the shape, their type is unknown, or they are in
            another file.
    """
    from onnx import numpy_helper

    if tensor.data_location == tensor.EXTERNAL:
        raise ValueError("its elements are in another file")
    if any(extent < 0 for extent in tensor.dims):
        raise ValueError(f"its shape is {list(tensor.dims)}")
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except KeyError:
        raise ValueError(f"its elements have the unknown type {tensor.data_type}") from None


def dense_array(tensor: SparseTensorProto) -> Array:
    """Return the elements of a sparse tensor, with zeros filled in.

    Raises:
        ValueError: It has too many elements.
        IndexError: An index is out of range.
    """
    shape = tuple(tensor.dims)
    if np.prod(shape, dtype=float) > MAX_ELEMENTS:
        raise ValueError(f"it has the shape {list(shape)}")
    values, indices = array_of(tensor.values), array_of(tensor.indices)
    dense = np.zeros(shape, values.dtype)
    flat = indices if indices.ndim == 1 else np.ravel_multi_index(tuple(indices.T), shape)
    dense.reshape(-1)[flat] = values
    return dense


def attributes_of(node: NodeProto) -> dict[str, Any]:
    """Return the attributes of a node: numbers, strings, arrays, graphs, or lists of them."""
    from onnx import helper

    attributes = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if attribute.type == attribute.SPARSE_TENSOR:
            value = dense_array(value)
        elif attribute.type == attribute.TENSOR:
            value = array_of(value)
        elif isinstance(value, bytes):
            value = value.decode()
        elif attribute.type == attribute.STRINGS:
            value = [item.decode() for item in value]
        elif attribute.type in (attribute.INTS, attribute.FLOATS):
            value = list(value)
        attributes[attribute.name] = value
    return attributes
