"""Convolutions with constant filters, by the method that is the fastest for their shape.

- Pointwise filters: a matrix product.
- Depthwise filters of two dimensions: see `depthwise`.
- Other filters: see `dense`; and what even that does not do is left to the correlator of the
  reference kernel, prepared once.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.numpy.dense_convolution import lower_dense
from nnefkit.execution.engines.numpy.depthwise_convolution import lower_depthwise
from nnefkit.execution.engines.numpy.resolved_convolution import Convolution, Epilogue
from nnefkit.execution.engines.numpy.specialization import Lowered, Site
from nnefkit.operations.correlation import correlator
from nnefkit.operations.window import Window


def lower_convolution(site: Site, epilogue: Epilogue = Epilogue()) -> Lowered | None:  # noqa: B008
    """A convolution whose filter and bias are known, and what is done to its result.

    None where only the reference kernel will do, or a tensor is to be added that cannot be.
    """
    conv = _resolve(site, epilogue)
    if conv is None:
        return None
    size = conv.window.size
    plain = math.prod(size) == 1 and not conv.padded and all(s == 1 for s in conv.window.stride)
    if plain and conv.groups == 1:
        return _pointwise(conv)
    lowered = None
    added = conv.epilogue.added
    if len(size) == 2 and conv.groups == conv.input[1] == conv.output[1] and not plain:
        lowered = None if added else lower_depthwise(conv)
    elif not plain:
        lowered = lower_dense(conv)
    if lowered is None and not added:
        lowered = _any(conv)
    return lowered


def _resolve(site: Site, epilogue: Epilogue) -> Convolution | None:
    source, weights, bias = site.arguments
    if weights.value is None or bias.value is None or len(site.shape) < 3:
        return None
    attribs = site.operation.attribs
    window = Window.of(
        weights.shape[2:],
        attribs["border"],
        attribs["padding"],
        attribs["stride"],
        attribs["dilation"],
    )
    return Convolution(
        weights.value,
        _bias(bias.value, weights.shape[0]),
        source.shape,
        site.shape,
        window.over(source.shape[2:]),
        attribs["groups"] or source.shape[1],
        epilogue,
    )


def _bias(bias: Array, channels: int) -> Array | None:
    """The bias of each channel, or None where it is zero."""
    if bias.size == 1 and not bias.any():
        return None
    # Adding zero makes 0 of -0, so that no result is -0 and clipping need not care.
    return np.ascontiguousarray(np.broadcast_to(bias.reshape(-1), (channels,))) + 0.0


def _pointwise(conv: Convolution) -> Lowered:
    channels, results = conv.input[1], conv.output[1]
    items = math.prod(conv.input[2:])
    matrix = conv.filter.reshape(results, channels)
    if items == 1:
        turned = np.ascontiguousarray(matrix.T)

        def run_vectors(out: Array, _: None, x: Array, addend: Array | None = None) -> None:
            np.matmul(x.reshape(-1, channels), turned, out=out.reshape(-1, results))
            conv.finish(out, addend)

        return Lowered(run_vectors)

    def run(out: Array, _: None, x: Array, addend: Array | None = None) -> None:
        np.matmul(matrix, x.reshape(-1, channels, items), out=out.reshape(-1, results, items))
        conv.finish(out, addend)

    return Lowered(run)


# -- all others -------------------------------------------------------------------------------


def _any(conv: Convolution) -> Lowered:
    correlate: Any = correlator(conv.filter, conv.input[2:], conv.window, conv.groups, conv.bias)

    def run(x: Array) -> Array:
        out: Array = correlate(x)
        conv.finish(out, biased=True)
        return out

    return Lowered(run, returns=True)
