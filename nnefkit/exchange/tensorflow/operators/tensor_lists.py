"""Lists of tensors, in which loops collect what they compute."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensorflow.call import Call, TensorList, operator

_MAX_ITEMS = 2**16


@operator("TensorListReserve", "EmptyTensorList")
def reserve(c: Call) -> TensorList:
    """Read a list of tensors that are not set yet."""
    if c.operator == "EmptyTensorList":
        return TensorList(())
    count = c.number(1, "number of tensors")
    if not 0 <= count <= _MAX_ITEMS:
        c.refuse(f"it has {count} tensors", "Use shorter sequences.")
    return TensorList((None,) * count)


@operator("TensorListFromTensor")
def from_tensor(c: Call) -> TensorList:
    """Read `unstack` along the first axis."""
    x = c[0]
    if x.rank < 1:
        c.invalid("its input has rank 0")
    if x.shape[0] > _MAX_ITEMS:
        c.refuse(f"it has {x.shape[0]:,} tensors", "Use shorter sequences.")
    if x.shape[0] == 1:
        return TensorList((reshaped(c, x, x.shape[1:]),))
    return TensorList(tuple(c.ops("unstack", x, axis=0)))


@operator("TensorListGetItem")
def get_item(c: Call) -> Value:
    """Read a tensor of a list."""
    items, index = c.tensor_list(0).items, c.number(1, "index")
    if not 0 <= index < len(items):
        c.invalid(f"its index is {index} in a list of {len(items)}")
    item = items[index]
    if item is not None:
        return item
    return _zeros(c, 2)


@operator("TensorListSetItem")
def set_item(c: Call) -> TensorList:
    """Read a list with one tensor replaced."""
    items, index, item = [*c.tensor_list(0).items], c.number(1, "index"), c[2]
    if not 0 <= index < len(items):
        if not (c.option("resize_if_index_out_of_bounds", False) and 0 <= index < _MAX_ITEMS):
            c.invalid(f"its index is {index} in a list of {len(items)}")
        items += [None] * (index + 1 - len(items))
    items[index] = item
    return TensorList(tuple(items))


@operator("TensorListPushBack")
def push_back(c: Call) -> TensorList:
    """Read a list with one more tensor."""
    items = c.tensor_list(0).items
    if len(items) >= _MAX_ITEMS:
        c.refuse(f"it has more than {_MAX_ITEMS:,} tensors", "Use shorter sequences.")
    return TensorList((*items, c[1]))


@operator("TensorListStack")
def stack(c: Call) -> Value:
    """Read `stack` along a new first axis."""
    items = c.tensor_list(0).items
    if not items:
        c.refuse("its list is empty", "Use sequences of at least one element.")
    shapes = {item.shape for item in items if item is not None}
    if len(shapes) > 1:
        c.invalid("its tensors have different shapes")
    tensors = [_zeros(c, 1, *shapes) if item is None else item for item in items]
    return c.op("stack", tensors, axis=0)


@operator("TensorListLength")
def length(c: Call) -> Value:
    """Read the number of tensors, which is constant."""
    return c.graph.constant(len(c.tensor_list(0).items), np.int32)


def _zeros(c: Call, index: int, *known: tuple[int, ...]) -> Value:
    """Return what a list has where no tensor was set."""
    shape = known[0] if known else tuple(c.ints(index, "shape"))
    if min(shape, default=1) < 1:
        c.refuse("it reads a tensor that was not set", "Set all tensors of the list.")
    c.allowance.take(shape, 8)
    dtype = np.dtype(np.float32)
    return c.graph.constant(np.zeros(shape, dtype))
