"""Convolutions with constant filters, each by the fastest method for its shape.

- Pointwise filters: a matrix product.
- Depthwise filters of two dimensions: see `depthwise_convolution`.
- Other filters: see `dense_convolution`; the rest is left to the correlator of the reference
  kernel, prepared once.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.numpy.dense_convolution import dense_kernel
from nnefkit.execution.engines.numpy.depthwise_convolution import depthwise_kernel
from nnefkit.execution.engines.numpy.resolved_convolution import Epilogue, ResolvedConvolution
from nnefkit.execution.engines.numpy.specialization import CallSite, SpecializedKernel
from nnefkit.operations.correlation import correlator
from nnefkit.operations.window import Window


def specialize_convolution(
    site: CallSite,
    epilogue: Epilogue = Epilogue(),  # noqa: B008
) -> SpecializedKernel | None:
    """Specialize a convolution with known filter and bias, fused with operations on its result.

    Return None where only the reference kernel applies, or where the addition of a tensor cannot be
    fused.
    """
    conv = _resolve(site, epilogue)
    if conv is None:
        return None
    size = conv.window.size
    plain = math.prod(size) == 1 and not conv.padded and all(s == 1 for s in conv.window.stride)
    if plain and conv.groups == 1:
        return _pointwise(conv)
    kernel = None
    added = conv.epilogue.added
    if len(size) == 2 and conv.groups == conv.input[1] == conv.output[1] and not plain:
        kernel = None if added else depthwise_kernel(conv)
    elif not plain:
        kernel = dense_kernel(conv)
    if kernel is None and not added:
        kernel = _general(conv)
    return kernel


def _resolve(site: CallSite, epilogue: Epilogue) -> ResolvedConvolution | None:
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
    return ResolvedConvolution(
        weights.value,
        _bias(bias.value, weights.shape[0]),
        source.shape,
        site.shape,
        window.over(source.shape[2:]),
        attribs["groups"] or source.shape[1],
        epilogue,
    )


def _bias(bias: Array, channels: int) -> Array | None:
    """Return the bias of each channel, or None where it is zero."""
    if bias.size == 1 and not bias.any():
        return None
    # Adding zero turns -0 into 0, so that no result is -0 and clipping can ignore it.
    return np.ascontiguousarray(np.broadcast_to(bias.reshape(-1), (channels,))) + 0.0


def _pointwise(conv: ResolvedConvolution) -> SpecializedKernel:
    channels, results = conv.input[1], conv.output[1]
    pixels = math.prod(conv.input[2:])
    matrix = conv.filter.reshape(results, channels)
    if pixels == 1:
        transposed = np.ascontiguousarray(matrix.T)

        def run_vectors(out: Array, _: None, x: Array, addend: Array | None = None) -> None:
            np.matmul(x.reshape(-1, channels), transposed, out=out.reshape(-1, results))
            conv.finish(out, addend)

        return SpecializedKernel(run_vectors)

    def run(out: Array, _: None, x: Array, addend: Array | None = None) -> None:
        np.matmul(matrix, x.reshape(-1, channels, pixels), out=out.reshape(-1, results, pixels))
        conv.finish(out, addend)

    return SpecializedKernel(run)


# -- all other convolutions ------------------------------------------------------------------------


def _general(conv: ResolvedConvolution) -> SpecializedKernel:
    correlate: Any = correlator(conv.filter, conv.input[2:], conv.window, conv.groups, conv.bias)

    def run(x: Array) -> Array:
        out: Array = correlate(x)
        conv.finish(out, biased=True)
        return out

    return SpecializedKernel(run, allocates=True)
