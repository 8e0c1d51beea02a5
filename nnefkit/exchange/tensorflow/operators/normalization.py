"""Normalization (4.9.4)."""

from __future__ import annotations

from nnefkit.exchange.channels_last import channels_first, channels_last, local_response
from nnefkit.exchange.compositions.normalization import batch_normalization
from nnefkit.exchange.refusal import UNREAD
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensorflow.call import Call, Result, operator


@operator("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def batch_norm(c: Call) -> list[Result]:
    """Read `batch_normalization` by constant statistics."""
    if c.option("is_training", True):
        c.refuse(
            "it normalizes by the statistics of the batch, as in training",
            "Export the network for inference.",
        )
    x = c[0]
    given = str(c.option("data_format", "NHWC"))
    image = x if given.startswith("NC") else channels_first(c, x)
    scale, offset, mean, variance = (c.ranked(index, 1) for index in range(1, 5))
    epsilon = float(c.option("epsilon", 1e-4))
    result = batch_normalization(c, image, mean, variance, scale, offset, epsilon)
    if not given.startswith("NC"):
        result = channels_last(c, result)
    # The others are of training, but for the statistics.
    return [result, mean, variance, UNREAD, UNREAD, UNREAD]


@operator("LRN")
def local_response_normalization(c: Call) -> Value:
    """Read `local_response_normalization` over neighboring channels."""
    return local_response(
        c,
        c.ranked(0, 4),
        int(c.option("depth_radius", 5)),
        alpha=float(c.option("alpha", 1.0)),
        beta=float(c.option("beta", 0.5)),
        bias=float(c.option("bias", 1.0)),
    )
