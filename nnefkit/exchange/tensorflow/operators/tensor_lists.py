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


# -- arrays of TensorFlow 1 ------------------------------------------------------------------------
# What an array holds flows through its second output, which each operator takes and returns.


@operator("TensorArrayV3")
def array(c: Call) -> list[TensorList]:
    """Read an array of tensors that are not set yet."""
    count = c.number(0, "number of tensors")
    if not 0 <= count <= _MAX_ITEMS:
        c.refuse(f"it has {count} tensors", "Use shorter sequences.")
    made = TensorList((None,) * count)
    return [made, made]


@operator("TensorArrayScatterV3")
def array_scatter(c: Call) -> TensorList:
    """Read an array with the parts of a tensor along its first axis."""
    places, x, items = c.ints(1, "positions"), c[2], [*c.tensor_list(3).items]
    if x.rank < 1 or len(places) != x.shape[0]:
        c.invalid(f"it sets {len(places)} tensors of {[*x.shape]}")
    parts = c.ops("unstack", x, axis=0)
    for place, part in zip(places, parts, strict=True):
        _set(c, items, place, part)
    return TensorList(tuple(items))


@operator("TensorArrayWriteV3")
def array_write(c: Call) -> TensorList:
    """Read an array with one tensor replaced."""
    items = [*c.tensor_list(3).items]
    _set(c, items, c.number(1, "index"), c[2])
    return TensorList(tuple(items))


@operator("TensorArrayReadV3")
def array_read(c: Call) -> Value:
    """Read a tensor of an array."""
    items, index = c.tensor_list(2).items, c.number(1, "index")
    item = items[index] if 0 <= index < len(items) else None
    if item is None:
        c.refuse("it reads a tensor that was not set", "Set all tensors of the array.")
    return item


@operator("TensorArrayGatherV3")
def array_gather(c: Call) -> Value:
    """Read `stack` of some tensors of an array."""
    items, places = c.tensor_list(2).items, c.ints(1, "positions")
    found = [items[place] for place in places if 0 <= place < len(items)]
    tensors = [item for item in found if item is not None]
    if not tensors or len(tensors) != len(places):
        c.refuse("it reads a tensor that was not set", "Set all tensors of the array.")
    return c.op("stack", tensors, axis=0)


@operator("TensorArraySizeV3")
def array_size(c: Call) -> Value:
    """Read the number of tensors of an array, which is constant."""
    return c.graph.constant(len(c.tensor_list(1).items), np.int32)


def _set(c: Call, items: list[Value | None], index: int, item: Value) -> None:
    if not 0 <= index < _MAX_ITEMS or (index >= len(items) and not c.option("dynamic_size", True)):
        c.invalid(f"its index is {index} in an array of {len(items)}")
    items += [None] * (index + 1 - len(items))
    items[index] = item
