"""Changes of shape (4.5); dimensions count from 1."""

from __future__ import annotations

from math import isfinite, prod

from nnefkit.exchange.compositions.shaping import concat, cropped, padded_by_constants
from nnefkit.exchange.reshaping import reshaped, sliced, transposed
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch7.call import Call, module
from nnefkit.exchange.torch7.objects import LuaTable
from nnefkit.exchange.torch7.operators.reduction import counted_dimension


@module("View")
def view(c: Call) -> Value:
    """Read `reshape`; a batch of more than 1, or a given number of dimensions, adds one."""
    x, sizes = c.one(), c.extents("size")
    if sizes.count(-1) > 1 or any(n == 0 or n < -1 for n in sizes):
        c.invalid(f"its size is {sizes}")
    elements = prod(n for n in sizes if n > 0)
    given = c.integer("numInputDims", least=0) if c.has("numInputDims") else None
    inner = x.rank if given is None else min(given, x.rank)
    outer = x.shape[: x.rank - inner]
    count = prod(x.shape[x.rank - inner :])
    if count % elements:
        c.invalid(f"its size is {sizes} for an input of {[*x.shape]}")
    batch = prod(outer) * (1 if -1 in sizes else count // elements)
    has_batch = batch != 1 or (given is not None and x.rank > given)
    shape = [*([batch] if has_batch else []), *sizes]
    inferred, inherited = None, ()
    if -1 in sizes:
        inferred = shape.index(-1)
        shape[inferred] = 1
        shape[inferred] = prod(x.shape) // prod(shape)
    elif has_batch and len(outer) != 1:
        inferred = 0
    if has_batch and len(outer) == 1 and batch == outer[0]:
        inherited = (0,)  # type: ignore[assignment]
    return _reshaped(c, x, shape, inferred, inherited)


@module("Reshape")
def reshape(c: Call) -> Value:
    """Read `reshape`; the first dimension is a batch, unless the size counts all elements."""
    x, sizes = c.one(), c.extents("size")
    mode = c.module.get("batchMode")
    is_whole = prod(sizes) == prod(x.shape) and x.shape[:1] != (1,)
    if mode is False or (mode is None and is_whole):
        return _reshaped(c, x, sizes)
    return _reshaped(c, x, [*x.shape[:1], *sizes], None, (0,))


@module("Collapse")
def collapse(c: Call) -> Value:
    """Read `reshape` to a row for each batch entry, or to one."""
    x, rank = c.one(), c.integer("nInputDim", least=0)
    if x.rank > rank:
        return reshaped(c, x, (x.shape[0], prod(x.shape[1:])), 1, (0,))
    return reshaped(c, x, (prod(x.shape),), 0)


def _reshaped(
    c: Call,
    x: Value,
    shape: list[int],
    inferred: int | None = None,
    inherited: tuple[int, ...] = (),
) -> Value:
    if min(shape, default=1) < 1 or prod(shape) != prod(x.shape):
        c.invalid(f"its size is {shape} for an input of {[*x.shape]}")
    return reshaped(c, x, shape, inferred, inherited)


@module("Transpose")
def transpose(c: Call) -> Value:
    """Read `transpose`: exchanges of two dimensions, one after the other."""
    x = c.one()
    shift = x.rank - c.integer("numInputDims") if c.has("numInputDims") else 0
    order = [*range(x.rank)]
    pairs = c.module.get("permutations")
    for pair in pairs.list() if isinstance(pairs, LuaTable) else []:
        numbers = pair.list() if isinstance(pair, LuaTable) else []
        if len(numbers) != 2 or not all(isinstance(each, float) for each in numbers):
            c.invalid("one of its permutations is not a pair of dimensions")
        a, b = (c.dimension(int(each) + shift, x.rank) for each in numbers)
        order[a], order[b] = order[b], order[a]
    return transposed(c, x, order)


@module("Squeeze")
def squeeze(c: Call) -> Value:
    """Read `squeeze` of one dimension, or of all with one element."""
    x = c.one()
    has_batch = c.has("numInputDims") and x.rank == c.integer("numInputDims") + 1
    if c.has("dim"):
        axis = c.dimension(c.integer("dim") + has_batch, x.rank)
        if x.shape[axis] != 1 or x.rank == 1:
            return x
        return reshaped(c, x, (*x.shape[:axis], *x.shape[axis + 1 :]))
    shape = [n for n in x.shape if n != 1] or [1]
    if has_batch and x.shape[0] == 1:
        shape = [1, *shape]
    return reshaped(c, x, shape)


@module("Unsqueeze")
def unsqueeze(c: Call) -> Value:
    """Read `unsqueeze`."""
    x = c.one()
    rank = c.integer("numInputDims", x.rank)
    axis = c.integer("pos") - 1 + x.rank - rank
    if rank > x.rank or not 0 <= axis <= x.rank:
        c.invalid(f"its position is {axis + 1} for an input of {x.rank} dimensions")
    return reshaped(c, x, (*x.shape[:axis], 1, *x.shape[axis:]))


@module("Replicate")
def replicate(c: Call) -> Value:
    """Read `tile` along a new dimension."""
    x, count = c.one(), c.integer("nfeatures", least=1)
    # A count of 0 is one that is not given.
    has_batch = 0 < c.integer("ndim", 0) < x.rank
    axis = c.integer("dim", 1, 1) - 1 + has_batch
    if axis > x.rank:
        c.invalid(f"its dimension is {axis + 1} for an input of {x.rank} dimensions")
    wide = reshaped(c, x, (*x.shape[:axis], 1, *x.shape[axis:]))
    if count == 1:
        return wide
    if x.data is not None:
        c.allowance.take((count, *x.shape), 4)
    return c.op("tile", wide, repeats=[count if n == axis else 1 for n in range(wide.rank)])


# -- parts -----------------------------------------------------------------------------------------


@module("Narrow")
def narrow(c: Call) -> Value:
    """Read `slice`; negative lengths count from the end."""
    x, index, length = c.one(), c.integer("index"), c.integer("length", 1)
    axis = c.dimension(c.integer("dimension"), x.rank)
    extent = x.shape[axis]
    if length < 0:
        length += extent - index + 2
    if index < 0:
        index, length = 1, extent - length
    begin = index - 1
    if begin < 0 or length < 1 or begin + length > extent:
        c.invalid(f"it selects {length} elements from {index} on, but there are {extent}")
    return sliced(c, x, axis, begin, begin + length)


@module("ShaveImage")
def shaved(c: Call) -> Value:
    """Read `slice`: an image without a border."""
    x, size = c.ranked(4), c.integer("size", least=0)
    for axis in (2, 3):
        if x.shape[axis] <= 2 * size:
            c.invalid(f"it cuts {size} elements off each side of {x.shape[axis]}")
        x = sliced(c, x, axis, size, x.shape[axis] - size)
    return x


@module("Select")
def select(c: Call) -> Value:
    """Read one element of a dimension, which is removed."""
    x = c.one()
    axis = c.dimension(c.integer("dimension"), x.rank)
    place = c.integer("index")
    return element(c, x, axis, place + x.shape[axis] if place < 0 else place - 1)


def element(c: Call, x: Value, axis: int, place: int) -> Value:
    """Return one element of an axis, which is removed; of a vector it is a vector."""
    if not 0 <= place < x.shape[axis]:
        c.invalid(f"it selects element {place + 1} of {x.shape[axis]}")
    part = sliced(c, x, axis, place, place + 1)
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    return reshaped(c, part, shape) if shape else part


@module("SplitTable")
def split(c: Call) -> list[Value]:
    """Read `unstack`: a table of the elements of a dimension."""
    x = c.one()
    axis = counted_dimension(c, x)
    if x.rank == 1:
        c.refuse("it splits a vector into numbers", "A table has tensors of one dimension or more.")
    if x.shape[axis] == 1:
        return [element(c, x, axis, 0)]
    return c.ops("unstack", x, axis=axis)


# -- padding ---------------------------------------------------------------------------------------

_BORDERS = {"ZeroPadding": "constant", "ReflectionPadding": "reflect"}
_IMAGE_ENDS = (("pad_t", "pad_b"), ("pad_l", "pad_r"))
_VOLUME_ENDS = (("pfront", "pback"), ("ptop", "pbottom"), ("pleft", "pright"))


@module("SpatialZeroPadding", "SpatialReflectionPadding", "SpatialReplicationPadding")
@module("VolumetricReplicationPadding")
def padding(c: Call) -> Value:
    """Read `pad`; negative numbers cut off."""
    is_volume = c.module.short_name.startswith("Volumetric")
    spatial = 3 if is_volume else 2
    x = c.ranked(spatial + 1, spatial + 2)
    ends = _VOLUME_ENDS if is_volume else _IMAGE_ENDS
    first = c.integer(ends[-1][0])
    pairs = [(c.integer(before, first), c.integer(after, first)) for before, after in ends]
    widths = [(0, 0)] * (x.rank - spatial) + pairs
    if any(n + before + after < 1 for n, (before, after) in zip(x.shape, widths, strict=True)):
        c.invalid(f"its padding {pairs} leaves nothing of an input of {[*x.shape]}")
    stem = c.module.short_name.removeprefix("Spatial").removeprefix("Volumetric")
    border = _BORDERS.get(stem, "replicate")
    if border == "reflect" and any(
        max(before, after) >= n for n, (before, after) in zip(x.shape, widths, strict=True)
    ):
        c.invalid(f"its padding {pairs} is not less than the extents {[*x.shape[-2:]]}")
    cut, left = cropped(c, x, widths)
    if not any(map(any, left)):
        return cut
    return c.op("pad", cut, padding=left, border=border)


@module("Padding")
def padded_dimension(c: Call) -> Value:
    """Read `pad` of one dimension with a number, at an end or in between."""
    x, count = c.one(), c.integer("pad")
    has_batch = c.has("nInputDim") and x.rank != c.integer("nInputDim")
    axis = c.dimension(c.integer("dim", least=1) + has_batch, x.rank)
    place, value = c.integer("index", 1), c.module.get("value")
    number = 0.0 if value is None else value
    if not isinstance(number, float):
        c.invalid("its value is not a number")
    if count > 0:
        place = x.shape[axis] - place + 2
    if not 1 <= place <= x.shape[axis] + 1:
        c.invalid(f"its index is {c.integer('index', 1)} of {x.shape[axis]} elements")
    if not count:
        return x
    before = sliced(c, x, axis, 0, place - 1) if place > 1 else None
    after = sliced(c, x, axis, place - 1, x.shape[axis]) if place <= x.shape[axis] else None
    if before is None or after is None:
        pair = (abs(count), 0) if before is None else (0, abs(count))
        return _padded(c, x, axis, pair, number)
    return concat(c, [_padded(c, before, axis, (0, abs(count)), number), after], axis)


def _padded(c: Call, x: Value, axis: int, pair: tuple[int, int], number: float) -> Value:
    widths = [pair if place == axis else (0, 0) for place in range(x.rank)]
    if isfinite(number):
        return c.op("pad", x, padding=widths, border="constant", value=c.decimal(number))
    shape = [n + sum(pair) for n, pair in zip(x.shape, widths, strict=True)]
    c.allowance.take(shape, 4)
    return padded_by_constants(c, x, widths, number)


@module("Convert")
def convert(c: Call) -> Value:
    """Read a `transpose` between layouts such as bchw and bhwc, or `reshape` to bf."""
    x = c.one()
    old, new = c.module.get("inputShape"), c.module.get("outputShape")
    if not isinstance(old, str) or not isinstance(new, str):
        c.invalid("its layouts are missing")
    if old == new:
        return x
    if x.rank != len(old) or not old.startswith("b"):
        c.refuse(f"it converts {x.rank} dimensions from {old} to {new}", "Use nn.Transpose.")
    if sorted(old) == sorted(new):
        return transposed(c, x, [old.index(letter) for letter in new])
    if new != "bf":
        c.refuse(f"it converts from {old} to {new}", "Use nn.View.")
    return reshaped(c, x, (x.shape[0], prod(x.shape[1:])), 1, (0,))
