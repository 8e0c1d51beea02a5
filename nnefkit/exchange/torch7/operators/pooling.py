"""Pooling (4.3.3)."""

from __future__ import annotations

from math import prod

from nnefkit.exchange.compositions import elementwise, pooling
from nnefkit.exchange.compositions.pooling import PoolingWindow
from nnefkit.exchange.reshaping import reshaped, sliced
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch7.call import Call, module
from nnefkit.exchange.torch7.operators.convolution import window


@module("SpatialMaxPooling", cudnn=True)
@module("SpatialDilatedMaxPooling", "inn.SpatialMaxPooling")
def max_pool(c: Call) -> Value:
    """Read `max_pool`."""
    return _max_pool(c, "HW")


@module("VolumetricMaxPooling", cudnn=True)
@module("VolumetricDilatedMaxPooling")
def volumetric_max_pool(c: Call) -> Value:
    """Read `max_pool` of volumes."""
    return _max_pool(c, "THW")


def _max_pool(c: Call, letters: str) -> Value:
    ceil = c.flag("ceil_mode", default=c.operator.startswith("inn."))
    view = _window(c, letters, ceil=ceil)

    def compute(x: Value) -> Value:
        c.pooled[id(c.module)] = x, view
        return pooling.pooled(c, x, "max_pool", view)

    return c.batched(c.one(), len(letters) + 2, compute)


@module("SpatialMaxUnpooling", "VolumetricMaxUnpooling")
def max_unpool(c: Call) -> Value:
    """Read `desample`, at the positions of the maxima of a module that ran before."""
    pooling_module = c.module.get("pooling")
    known = c.pooled.get(id(pooling_module))
    if known is None:
        c.invalid("the module whose maxima it reads has not run before")
    x, view = known
    if [*view.size] != [*view.stride]:
        c.refuse("its windows overlap", "Use a stride that is the size of the window.")

    def compute(y: Value) -> Value:
        return pooling.unpooled(c, y, x, view)

    return c.batched(c.one(), x.rank, compute)


@module("SpatialAveragePooling", cudnn=True)
@module("inn.SpatialAveragePooling")
def avg_pool(c: Call) -> Value:
    """Read `avg_pool`, or `box` where it does not divide."""
    return _avg_pool(c, "HW")


@module("VolumetricAveragePooling", cudnn=True)
def volumetric_avg_pool(c: Call) -> Value:
    """Read `avg_pool` of volumes."""
    return _avg_pool(c, "THW")


def _avg_pool(c: Call, letters: str) -> Value:
    ceil = c.flag("ceil_mode", default=c.operator.startswith("inn."))
    counts = c.flag("count_include_pad", default=True)
    is_cudnn = c.operator.startswith("cudnn.")
    if is_cudnn and c.has("mode"):
        counts = c.module.get("mode") != "CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING"
    view = _window(c, letters, ceil=ceil, counts=counts)
    size = prod(view.size)
    # Without a division, Torch7 multiplies averages by the size of a whole window.
    is_sum = not c.flag("divide", default=True)

    def compute(x: Value) -> Value:
        if is_cudnn and ceil and counts:
            # cuDNN divides by the size of a whole window, also at the end.
            total = pooling.pooled(c, x, "box", view)
            return total if is_sum else c.op("div", total, float(size))
        mean = pooling.pooled(c, x, "avg_pool", view)
        return c.op("mul", mean, float(size)) if is_sum else mean

    return c.batched(c.one(), len(letters) + 2, compute)


def _window(c: Call, letters: str, *, ceil: bool, counts: bool = True) -> PoolingWindow:
    w = window(c, letters)
    if any(2 * p > k for p, k in zip(w.pad, w.size, strict=True)):
        c.invalid(f"its padding {w.pad} is more than half of its kernel {w.size}")
    return PoolingWindow(w.size, w.stride, w.pad, w.dilation, ceil, counts)


@module("SpatialAdaptiveMaxPooling", "SpatialAdaptiveAveragePooling")
def adaptive(c: Call) -> Value:
    """Read pooling to a number of windows along each axis."""
    x = c.ranked(3, 4)
    name = "max_pool" if "Max" in c.operator else "avg_pool"
    counts = [c.integer("H", least=1), c.integer("W", least=1)]
    return pooling.adaptive(c, x, name, counts)


@module("SpatialSubSampling")
def sub_sampling(c: Call) -> Value:
    """Read sums of windows times a weight of the channel, plus a bias."""
    w = window(c)

    def compute(x: Value) -> Value:
        shape = (1, c.integer("nInputPlane", least=1))
        if x.shape[1] != shape[1]:
            c.invalid(f"its input has {x.shape[1]} channels, not {shape[1]}")
        total = pooling.pooled(c, x, "box", PoolingWindow(w.size, w.stride, [0, 0]))
        return c.op("add", c.op("mul", total, c.weight("weight", shape)), c.weight("bias", shape))

    return c.batched(c.one(), 4, compute)


@module("FeatureLPPooling")
def feature_lp_pool(c: Call) -> Value:
    """Read roots of sums of powers of neighboring features."""
    x, is_batch = c.one(), c.flag("batch_mode")
    width, stride = c.integer("width", least=1), c.integer("stride", least=1)
    axis = 1 if is_batch else 0
    if x.rank <= axis or x.rank > 3 + is_batch or x.shape[axis] < width:
        c.invalid(f"its width of {width} does not fit an input of {[*x.shape]}")
    count = (x.shape[axis] - width) // stride + 1
    shape = (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :])
    parts = [
        sliced(c, reshaped(c, x, shape), axis, k, k + (count - 1) * stride + 1, stride)
        for k in range(width)
    ]
    joined = parts[0] if width == 1 else c.op("concat", parts, axis=axis + 1)
    power = c.number("power")
    if power == 0:
        c.invalid("its power is 0")
    # Unlike in a norm, powers are those of the elements, and not of their absolute values.
    total = c.op("sum_reduce", elementwise.power(c, joined, power), axes=[axis + 1])
    result = elementwise.power(c, total, 1 / power)
    return reshaped(c, result, (*x.shape[:axis], count, *x.shape[axis + 1 :]))
