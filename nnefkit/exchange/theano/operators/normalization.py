"""Normalization and softmax (4.9.1, 4.9.4)."""

from __future__ import annotations

from nnefkit.exchange.compositions.activation import log_softmax as logarithm
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.theano.call import Call, op


@op("Softmax")
def softmax(c: Call) -> Value:
    """Read `softmax` over the last axis."""
    x = c.one()
    return c.op("softmax", x, axes=[x.rank - 1])


@op("LogSoftmax")
def log_softmax(c: Call) -> Value:
    """Read the logarithm of a softmax over the last axis."""
    x = c.one()
    return logarithm(c, x, [x.rank - 1])


@op("SoftmaxWithBias")
def softmax_with_bias(c: Call) -> Value:
    """Read `softmax` of a sum."""
    x, bias = c.ranked(0, 2), c.ranked(1, 1)
    return c.op("softmax", c.op("add", x, reshaped(c, bias, (1, *bias.shape))), axes=[1])


def _normalized(c: Call, mean: Value, variance: Value, epsilon: float) -> Value:
    x, scale, offset = c[0], c[1], c[2]
    return c.op("batch_normalization", x, mean, variance, offset, scale, epsilon=c.decimal(epsilon))


@op("AbstractBatchNormInference")
def batch_normalization(c: Call) -> Value:
    """Read `batch_normalization` with given statistics."""
    return _normalized(c, c[3], c[4], c.number_at(5, "epsilon"))


@op("AbstractBatchNormTrain")
def batch_statistics(c: Call) -> list[Value]:
    """Read `batch_normalization` with the statistics of the batch, which are results, too."""
    x, epsilon = c[0], c.number_at(3, "epsilon")
    if len(c.results) != 3:
        c.refuse("it changes stored statistics", "Use batch_normalization_test.")
    mean, variance = c.ops("moments", x, axes=c.axes("axes", x.rank))
    inverse = c.op("rsqrt", c.op("add", variance, c.decimal(epsilon)))
    return [_normalized(c, mean, variance, epsilon), mean, inverse]
