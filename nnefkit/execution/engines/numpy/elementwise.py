"""Element-wise operations that write into given memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.numpy.resolved_convolution import Affine
from nnefkit.execution.engines.numpy.specialization import (
    Bounds,
    CallSite,
    SpecializedKernel,
    Specializer,
)

UNARY: dict[str, Callable[..., Any]] = {
    "abs": np.absolute,
    "ceil": np.ceil,
    "cos": np.cos,
    "exp": np.exp,
    "floor": np.floor,
    "log": np.log,
    "neg": np.negative,
    "rcp": np.reciprocal,
    "sin": np.sin,
    "sqr": np.square,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
}
BINARY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "div": np.true_divide,
    "mul": np.multiply,
    "sub": np.subtract,
}


def specialize_unary(site: CallSite) -> SpecializedKernel | None:
    """Specialize an operation that is one function of NumPy."""
    function = UNARY[site.operation.name]

    def run(out: Array, _scratch: None, x: Array) -> None:
        function(x, out=out)

    return SpecializedKernel(run, in_place=True)


def specialize_binary(site: CallSite) -> SpecializedKernel | None:
    """Specialize an operation that is one function of NumPy, whose arguments broadcast (4.2.2)."""
    function = BINARY[site.operation.name]
    x, y = site.arguments
    rank = len(site.shape)
    shapes = [(*argument.shape, *[1] * (rank - len(argument.shape))) for argument in (x, y)]
    if x.value is None and y.value is None:
        if x.shape == y.shape:
            return SpecializedKernel(lambda out, _, x, y: function(x, y, out=out), in_place=True)

        def run(out: Array, _scratch: None, x: Array, y: Array) -> None:
            function(x.reshape(shapes[0]), y.reshape(shapes[1]), out=out)

        return SpecializedKernel(run, in_place=True)
    if y.value is not None:
        right = y.value.reshape(shapes[1])
        if shapes[0] == x.shape:
            return SpecializedKernel(lambda out, _, x: function(x, right, out=out), in_place=True)
    elif x.value is not None:
        left = x.value.reshape(shapes[0])
        if shapes[1] == y.shape:
            return SpecializedKernel(lambda out, _, y: function(left, y, out=out), in_place=True)
    return None


def specialize_clip(site: CallSite) -> SpecializedKernel | None:
    """Specialize rectifiers, and clamps between constants."""
    bounds = site.bounds()
    if bounds is None:
        return None
    return SpecializedKernel(_clip(bounds), in_place=True)


def _clip(bounds: Bounds) -> Callable[..., None]:
    def run(out: Array, _scratch: None, x: Array) -> None:
        # Adding zero turns -0 into 0, as the formulas do where a bound is zero.
        np.add(x, 0.0, out=out)
        bounds.apply(out)

    return run


def specialize_batch_normalization(site: CallSite) -> SpecializedKernel | None:
    """Specialize a normalization whose parameters are known numbers for each channel."""
    affine = affine_of(site)
    if affine is None:
        return None
    return SpecializedKernel(lambda out, _, x: affine.apply(x, out), in_place=True)


def affine_of(site: CallSite) -> Affine | None:
    """Return a batch normalization with known parameters as an affine function, else None."""
    shape = site.shape
    if len(shape) < 2 or site.arguments[0].shape != shape or site.arguments[0].value is not None:
        return None
    parameters = [_by_channel(argument.value, shape[1]) for argument in site.arguments[1:]]
    mean, variance, offset, scale = parameters
    if mean is None or variance is None or offset is None or scale is None:
        return None
    with np.errstate(all="ignore"):
        factor = scale / np.sqrt(variance + site.operation.attribs["epsilon"])
    return Affine(mean if mean.any() else None, factor, offset)


def _by_channel(value: Array | None, channels: int) -> Array | None:
    """Return a parameter with one element for each channel, or None."""
    if value is None:
        return None
    if value.size != 1 and not (value.ndim > 1 and value.size == channels == value.shape[1]):
        return None
    return np.broadcast_to(value.reshape(-1), (channels,))


SPECIALIZERS: dict[str, Specializer] = {
    **dict.fromkeys(UNARY, specialize_unary),
    **dict.fromkeys(BINARY, specialize_binary),
    **dict.fromkeys(("relu", "clamp", "min", "max"), specialize_clip),
    "batch_normalization": specialize_batch_normalization,
}
