"""Sequences, whose tensors are frames × features, or batch × frames × features."""

from __future__ import annotations

from collections.abc import Callable

from nnefkit.exchange.compositions import pooling
from nnefkit.exchange.compositions.pooling import PoolingWindow
from nnefkit.exchange.reshaping import reshaped, transposed
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch7.call import Call, module
from nnefkit.exchange.torch7.operators.convolution import KernelWindow, convolved


def _over_frames(c: Call, compute: Callable[[Value], Value]) -> Value:
    """Return what is computed of batch × features × frames, in the order of the input."""

    def moved(x: Value) -> Value:
        return transposed(c, compute(transposed(c, x, [0, 2, 1])), [0, 2, 1])

    return c.batched(c.one(), 3, moved)


def _window(size: int, stride: int, pad: int = 0) -> KernelWindow:
    return KernelWindow([size], [stride], [pad], [1])


@module("TemporalConvolution", cudnn=True)
def temporal_convolution(c: Call) -> Value:
    """Read `conv` along the frames."""
    features, planes = c.integer("inputFrameSize", least=1), c.integer("outputFrameSize", least=1)
    # In cudnn, frames are the height of an image.
    letter = "H" if c.operator.startswith("cudnn.") else "W"
    size, stride = c.integer(f"k{letter}", least=1), c.integer(f"d{letter}", 1, 1)
    pad = c.integer("padH", 0, 0) if letter == "H" else 0
    stored = c.weight("weight", (planes, size, features))
    weight = transposed(c, stored, [0, 2, 1])
    bias = c.optional("bias", (1, planes))

    def compute(x: Value) -> Value:
        if x.shape[1] != features:
            c.invalid(f"its input has {x.shape[1]} features, not {features}")
        return convolved(c, x, weight, bias, _window(size, stride, pad), 1)

    return _over_frames(c, compute)


@module("TemporalRowConvolution")
def row_convolution(c: Call) -> Value:
    """Read `conv` of each feature on its own along the frames."""
    features = c.integer("inputFrameSize", least=1)
    size, stride = c.integer("kW", least=1), c.integer("dW", 1, 1)
    weight, bias = c.weight("weight", (features, 1, size)), c.optional("bias", (1, features))

    def compute(x: Value) -> Value:
        if x.shape[1] != features:
            c.invalid(f"its input has {x.shape[1]} features, not {features}")
        return convolved(c, x, weight, bias, _window(size, stride), features)

    if c.flag("featFirst"):
        return c.batched(c.one(), 3, compute)
    return _over_frames(c, compute)


@module("TemporalMaxPooling")
def temporal_max_pool(c: Call) -> Value:
    """Read `max_pool` along the frames."""
    size = c.integer("kW", least=1)
    view = PoolingWindow([size], [c.integer("dW", size, 1)], [0])
    return _over_frames(c, lambda x: pooling.pooled(c, x, "max_pool", view))


@module("TemporalSubSampling")
def temporal_sub_sampling(c: Call) -> Value:
    """Read sums of frames times a weight of the feature, plus a bias."""
    shape = (1, c.integer("inputFrameSize", least=1))
    view = PoolingWindow([c.integer("kW", least=1)], [c.integer("dW", 1, 1)], [0])
    weight, bias = c.weight("weight", shape), c.weight("bias", shape)

    def compute(x: Value) -> Value:
        if x.shape[1] != shape[1]:
            c.invalid(f"its input has {x.shape[1]} features, not {shape[1]}")
        return c.op("add", c.op("mul", pooling.pooled(c, x, "box", view), weight), bias)

    return _over_frames(c, compute)


@module("TemporalDynamicKMaxPooling")
def dynamic_k_max_pool(c: Call) -> Value:
    """Read `max_reduce` over the frames, for one maximum."""
    x, least = c.ranked(2, 3), c.integer("minK", least=1)
    if least > 1 or c.number("factor", 0.0) > 0:
        c.refuse("it selects several frames in order", "NNEF does not sort: use one maximum.")
    return reshaped(c, c.op("max_reduce", x, axes=[x.rank - 2]), (*x.shape[:-2], 1, x.shape[-1]))
