"""Fourier transforms, as products with matrices of sines and cosines, or as convolutions."""

from __future__ import annotations

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, sliced
from nnefkit.exchange.source_value import Value

_LONGEST = 8192
"""Maximum number of elements of a transform; its matrix has the square of that."""


def waves(elements: int, length: int, bins: int) -> tuple[Array, Array]:
    """Return cosines and sines of shape (elements, bins).

    Raises:
        Refusal: The transform is longer than 8,192 elements.
    """
    if length > _LONGEST:
        refuse(f"it transforms {length} elements at once", f"At most {_LONGEST} are supported.")
    # The remainder keeps the angle exact where the product is large.
    turns = np.outer(np.arange(elements), np.arange(bins)) % length
    angles = 2 * np.pi * turns / length
    return np.cos(angles), np.sin(angles)


def short_time_spectra(
    c: OperatorCall, signal: Value, window: Array, step: int, *, onesided: bool, name: str
) -> tuple[Value, Value]:
    """Return the spectra of overlapping frames of a real signal, by a convolution.

    Args:
        c: The call of the operator.
        signal: The signals, of shape (batch, samples).
        window: The factors of the elements of a frame.
        step: The number of samples between two frames.
        onesided: Whether to leave out the bins that mirror others.
        name: The label of the filters.

    Returns:
        The real and the imaginary parts, of shape (batch, bins, frames).
    """
    length = window.size
    bins = length // 2 + 1 if onesided else length
    cosine, sine = waves(length, length, bins)
    filters = np.concatenate([cosine.T, -sine.T])[:, None] * np.asarray(window, np.float64)
    with c.graph.scope("stft"):
        sound = reshaped(c, signal, (signal.shape[0], 1, signal.shape[1]))
        weights = c.graph.constant(filters.astype(c.scalar_dtype), name=name)
        spectra = c.op("conv", sound, weights, padding=[(0, 0)], stride=[step])
        return sliced(c, spectra, 1, 0, bins), sliced(c, spectra, 1, bins, 2 * bins)
