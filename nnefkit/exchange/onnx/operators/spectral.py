"""Fourier transforms: products with matrices of sines and cosines, of sounds convolutions."""

from __future__ import annotations

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.onnx.operators.reduction import along_axis
from nnefkit.exchange.reshaping import reshaped, sliced, transposed
from nnefkit.exchange.source_graph import Value

_LONGEST = 8192
"""Items of a transform; its matrix has the square of that."""


def _waves(c: Call, items: int, length: int, bins: int) -> tuple[Array, Array]:
    """Cosines and sines, a row for each item, a column for each frequency."""
    if length > _LONGEST:
        c.refuse(f"it transforms {length} items at once", f"{_LONGEST} are the most.")
    # The remainder keeps the angle exact where the product is large.
    turns = np.outer(np.arange(items), np.arange(bins)) % length
    angles = 2 * np.pi * turns / length
    return np.cos(angles), np.sin(angles)


@operator("DFT")
def transform(c: Call) -> Value:
    """The spectrum along an axis; the last axis has real and imaginary parts."""
    x = c[0]
    if c.opset < 20:
        axis = c.axis("axis", 1, x.rank)
    else:
        given = c.values(2, "axis")
        axis = (-2 if given is None else int(given.reshape(-1)[0])) % x.rank
    data = c.values(1, "length")
    inverse, onesided = bool(c.attribute("inverse", 0)), bool(c.attribute("onesided", 0))
    length = x.shape[axis] if not (inverse and onesided) else 2 * (x.shape[axis] - 1)
    if data is not None:
        length = int(data.reshape(-1)[0])
    if axis == x.rank - 1 or length < 1:
        c.refuse("it has no items to transform", "The last axis has real and imaginary parts.")
    if inverse and onesided:
        return _from_half(c, x, axis, length)
    bins = length // 2 + 1 if onesided else length
    x = sliced(c, x, axis, 0, min(length, x.shape[axis]))
    cosine, sine = _waves(c, x.shape[axis], length, bins)
    if inverse:
        cosine, sine = cosine / length, -sine / length
    with c.graph.scope("dft"):
        real = sliced(c, x, x.rank - 1, 0, 1)
        parts = [along_axis(c, real, axis, cosine), along_axis(c, real, axis, -sine)]
        if x.shape[-1] == 2:
            imaginary = sliced(c, x, x.rank - 1, 1, 2)
            parts = [
                c.op("add", parts[0], along_axis(c, imaginary, axis, sine)),
                c.op("add", parts[1], along_axis(c, imaginary, axis, cosine)),
            ]
        result: Value = c.op("concat", parts, axis=x.rank - 1)
    return result


def _from_half(c: Call, x: Value, axis: int, length: int) -> Value:
    """The real signal of the half of a spectrum of which the other half is a mirror image."""
    if x.shape[-1] != 2:
        c.refuse("its spectrum has no imaginary parts", "The model is not valid.")
    bins = min(length // 2 + 1, x.shape[axis])
    x = sliced(c, x, axis, 0, bins)
    cosine, sine = _waves(c, bins, length, length)
    twice = np.full((bins, 1), 2 / length)
    twice[0] /= 2
    if length % 2 == 0 and bins == length // 2 + 1:
        twice[-1] /= 2
    with c.graph.scope("inverse_dft"):
        real, imaginary = (sliced(c, x, x.rank - 1, part, part + 1) for part in (0, 1))
        result: Value = c.op(
            "add",
            along_axis(c, real, axis, twice * cosine),
            along_axis(c, imaginary, axis, -twice * sine),
        )
    return result


@operator("STFT")
def short_time_transform(c: Call) -> Value:
    """Spectra of overlapping frames of a real signal: a convolution with windowed waves."""
    signal = c[0]
    if signal.rank == 3 and signal.shape[2] != 1:
        c.refuse("its signal is complex", "Transform the two parts.")
    step, window, frame = c.values(1, "frame step"), c.values(2, "window"), c.values(3, "length")
    assert step is not None  # noqa: S101 - the input is not optional
    if frame is None and window is None:
        c.refuse("it has neither a window nor a length of frames", "The model is not valid.")
    length = int(frame.reshape(-1)[0]) if frame is not None else np.asarray(window).size
    bins = length // 2 + 1 if c.attribute("onesided", 1) else length
    waves = np.stack(_waves(c, length, length, bins)) * np.array([1, -1])[:, None, None]
    if window is not None:
        waves *= np.asarray(window, np.float64).reshape(1, -1, 1)
    filters = waves.transpose(0, 2, 1).reshape(2 * bins, 1, length).astype(np.float32)
    batch, count = signal.shape[:2]
    with c.graph.scope("stft"):
        sound = reshaped(c, signal, (batch, 1, count))
        weights = c.graph.constant(filters, name=f"{c.output_names[0]}.waves")
        stride = int(step.reshape(-1)[0])
        spectra = c.op("conv", sound, weights, padding=[(0, 0)], stride=[stride])
        parts = reshaped(c, spectra, (batch, 2, bins, spectra.shape[2]))
        return transposed(c, parts, [0, 3, 2, 1])
