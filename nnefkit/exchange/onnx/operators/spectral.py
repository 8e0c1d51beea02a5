"""Fourier transforms, as products with matrices of sines and cosines, or as convolutions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.compositions.linear_algebra import along_axis
from nnefkit.exchange.onnx.call import INVALID, Call, operator
from nnefkit.exchange.reshaping import reshaped, sliced, transposed
from nnefkit.exchange.source_graph import Value

_LONGEST = 8192
"""Maximum number of elements of a transform; its matrix has the square of that."""


def _waves(c: Call, elements: int, length: int, bins: int) -> tuple[Array, Array]:
    """Return cosines and sines of shape (elements, bins)."""
    if length > _LONGEST:
        c.refuse(f"it transforms {length} elements at once", f"At most {_LONGEST} are supported.")
    # The remainder keeps the angle exact where the product is large.
    turns = np.outer(np.arange(elements), np.arange(bins)) % length
    angles = 2 * np.pi * turns / length
    return np.cos(angles), np.sin(angles)


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
    cosine, sine = _waves(c, x.shape[t.axis], t.length, bins)
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
        given = c.constant(2, "axis")
        axis = (-2 if given is None else int(given.reshape(-1)[0])) % x.rank
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
    cosine, sine = _waves(c, bins, t.length, t.length)
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
    signal = c[0]
    if signal.rank == 3 and signal.shape[2] != 1:
        c.refuse("its signal is complex", "Transform the real and imaginary parts separately.")
    step = int(c.required_constant(1, "frame step").reshape(-1)[0])
    filters = _windowed_waves(c)
    batch, count = signal.shape[:2]
    with c.graph.scope("stft"):
        sound = reshaped(c, signal, (batch, 1, count))
        weights = c.graph.constant(filters, name=f"{c.output_names[0]}.waves")
        spectra = c.op("conv", sound, weights, padding=[(0, 0)], stride=[step])
        parts = reshaped(c, spectra, (batch, 2, filters.shape[0] // 2, spectra.shape[2]))
        return transposed(c, parts, [0, 3, 2, 1])


def _windowed_waves(c: Call) -> Array:
    """Return the filters: cosines, then negative sines, of shape (2 bins, 1, length)."""
    window, frame = c.constant(2, "window"), c.constant(3, "length")
    if frame is not None:
        length = int(frame.reshape(-1)[0])
    elif window is not None:
        length = window.size
    else:
        c.refuse("it has neither a window nor a length of frames", INVALID)
    bins = length // 2 + 1 if c.attribute("onesided", 1) else length
    cosine, sine = _waves(c, length, length, bins)
    waves = np.stack([cosine, -sine])
    if window is not None:
        waves *= np.asarray(window, np.float64).reshape(1, -1, 1)
    return waves.transpose(0, 2, 1).reshape(2 * bins, 1, length).astype(np.float32)
