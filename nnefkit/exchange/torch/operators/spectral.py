"""Fourier transforms of frames, as convolutions with sines and cosines."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.complex_tensor import Complex
from nnefkit.exchange.compositions import spectral
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch.call import Call, arithmetic, operator


@operator("stft")
def stft(
    c: Call,
    x: Value,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Value | None = None,
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Value | Complex:
    """Return `conv` with windowed waves, real and imaginary parts along the last axis."""
    if window is not None and window.data is None:
        refuse("its window is computed", "Make the window a buffer of the module.")
    factors = np.ones(win_length or n_fft) if window is None else np.asarray(window.data)
    before = (n_fft - factors.size) // 2
    factors = np.pad(factors.astype(np.float64), (before, n_fft - factors.size - before))
    if normalized:
        factors = factors / np.sqrt(n_fft)
    signal = x if x.rank == 2 else reshaped(c, x, (1, *x.shape))
    parts = spectral.short_time_spectra(
        c,
        signal,
        factors,
        hop_length or n_fft // 4,
        onesided=onesided is not False,
        name=f"{c.name}.waves",
    )
    if not return_complex:
        return reshaped(c, c.op("stack", [*parts], axis=3), c.shape)
    return Complex(*(reshaped(c, part, c.shape) for part in parts))


# -- complex numbers -------------------------------------------------------------------------------


@operator("view_as_real")
def view_as_real(c: Call, x: Complex) -> Value:
    """Return `stack` of the real and imaginary parts."""
    return c.op("stack", [x.real, x.imaginary], axis=x.real.rank)


@operator("view_as_complex")
def view_as_complex(c: Call, x: Value) -> Complex:
    """Return the parts along the last axis as real and imaginary parts."""
    return Complex(*c.ops("unstack", x, axis=x.rank - 1))


@operator("real")
def real(c: Call, x: Complex | Value) -> Value:
    """Return the real part."""
    return x.real if isinstance(x, Complex) else x


@operator("imag")
def imaginary(c: Call, x: Complex) -> Value:
    """Return the imaginary part."""
    return x.imaginary


@operator("abs")
def absolute(c: Call, x: Complex | Value) -> Value:
    """Return `abs`, or the length of complex numbers."""
    if not isinstance(x, Complex):
        return arithmetic(c, "abs", x)
    squares = [c.op("sqr", part) for part in (x.real, x.imaginary)]
    return c.op("sqrt", c.op("add", *squares))
