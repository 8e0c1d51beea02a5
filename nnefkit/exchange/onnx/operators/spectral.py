"""Fourier transforms, as products with matrices of sines and cosines, or as convolutions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.compositions.linear_algebra import along_axis
from nnefkit.exchange.compositions.spectral import short_time_spectra, waves
from nnefkit.exchange.onnx.call import INVALID, Call, operator
from nnefkit.exchange.reshaping import reshaped, sliced, transposed
from nnefkit.exchange.source_value import Value


@dataclass(frozen=True)
class _Transform:
    """The axis of a transform, its length, and its direction."""

    axis: int
    length: int
    inverse: bool
    onesided: bool


@operator("DFT")
def transform(c: Call) -> Value:
    """Read the spectrum along an axis; the last axis has the real and imaginary parts."""
    x, t = c[0], _transform_of(c)
    if t.axis == x.rank - 1 or t.length < 1:
        c.refuse("it has no elements to transform", "The last axis has real and imaginary parts.")
    if t.inverse and t.onesided:
        return _from_half(c, x, t)
    x = sliced(c, x, t.axis, 0, min(t.length, x.shape[t.axis]))
    bins = t.length // 2 + 1 if t.onesided else t.length
    cosine, sine = waves(x.shape[t.axis], t.length, bins)
    if t.inverse:
        cosine, sine = cosine / t.length, -sine / t.length
    cosines, sines = _matrix(c, cosine, "cosines"), _matrix(c, sine, "sines")
    with c.graph.scope("dft"):
        real = sliced(c, x, x.rank - 1, 0, 1)
        parts = [
            along_axis(c, real, t.axis, cosines),
            along_axis(c, real, t.axis, _matrix(c, -sine, "negative_sines")),
        ]
        if x.shape[-1] == 2:
            imaginary = sliced(c, x, x.rank - 1, 1, 2)
            parts = [
                c.op("add", parts[0], along_axis(c, imaginary, t.axis, sines)),
                c.op("add", parts[1], along_axis(c, imaginary, t.axis, cosines)),
            ]
        return c.op("concat", parts, axis=x.rank - 1)


def _matrix(c: Call, array: Array, word: str) -> Value:
    return c.graph.constant(array.astype(np.float32), name=f"{c.output_names[0]}.{word}")


def _transform_of(c: Call) -> _Transform:
    x = c[0]
    if c.opset < 20:
        axis = c.axis("axis", 1, x.rank)
    else:
        axis = c.axis_input(2, x.rank, -2)
    inverse, onesided = bool(c.attribute("inverse", 0)), bool(c.attribute("onesided", 0))
    length = c.constant(1, "length")
    if length is not None:
        extent = int(length.reshape(-1)[0])
    else:
        extent = 2 * (x.shape[axis] - 1) if inverse and onesided else x.shape[axis]
    return _Transform(axis, extent, inverse, onesided)


def _from_half(c: Call, x: Value, t: _Transform) -> Value:
    """Return a real signal, given the half of a spectrum whose other half mirrors it."""
    if x.shape[-1] != 2:
        c.refuse("its spectrum has no imaginary parts", INVALID)
    bins = min(t.length // 2 + 1, x.shape[t.axis])
    x = sliced(c, x, t.axis, 0, bins)
    cosine, sine = waves(bins, t.length, t.length)
    # Each bin also counts for its mirror image, except for the first and the middle one, if any.
    factors = np.full((bins, 1), 2 / t.length)
    factors[0] /= 2
    if t.length % 2 == 0 and bins == t.length // 2 + 1:
        factors[-1] /= 2
    with c.graph.scope("inverse_dft"):
        real, imaginary = (sliced(c, x, x.rank - 1, part, part + 1) for part in (0, 1))
        return c.op(
            "add",
            along_axis(c, real, t.axis, _matrix(c, factors * cosine, "cosines")),
            along_axis(c, imaginary, t.axis, _matrix(c, -factors * sine, "sines")),
        )


@operator("STFT")
def short_time_transform(c: Call) -> Value:
    """Read spectra of overlapping frames of a real signal: a convolution with windowed waves."""
    signal = c.ranked(0, 2)
    if signal.rank == 3 and signal.shape[2] != 1:
        c.refuse("its signal is complex", "Transform the real and imaginary parts separately.")
    step = int(c.required_constant(1, "frame step").reshape(-1)[0])
    real, imaginary = short_time_spectra(
        c,
        reshaped(c, signal, signal.shape[:2]),
        _window(c),
        step,
        onesided=bool(c.attribute("onesided", 1)),
        name=f"{c.output_names[0]}.waves",
    )
    return transposed(c, c.op("stack", [real, imaginary], axis=3), [0, 2, 1, 3])


def _window(c: Call) -> Array:
    """Return the factors of the elements of a frame."""
    window, frame = c.constant(2, "window"), c.constant(3, "length")
    if window is not None and frame is None:
        return np.asarray(window, np.float64).reshape(-1)
    if frame is None:
        c.refuse("it has neither a window nor a length of frames", INVALID)
    length = int(frame.reshape(-1)[0])
    return np.ones(length) if window is None else np.asarray(window, np.float64).reshape(-1)
