"""Calls of Fourier transforms: common forms, and edge cases."""

import torch

from oracles.torch_operators.drawn import x

HANN, HAMMING = torch.hann_window(8), torch.hamming_window(5)


def _stft(a, **kwargs):
    return torch.stft(a, **{"n_fft": 8, "window": HANN, "return_complex": True, **kwargs})


CASES = {
    "parts": (lambda a: torch.view_as_real(_stft(a)), (x(2, 30),)),
    "power": (lambda a: _stft(a, hop_length=3).abs() ** 2, (x(2, 30),)),
    "one_signal": (lambda a: (_stft(a).real, _stft(a).imag), (x(30),)),
    "normalized": (
        lambda a: _stft(
            a, n_fft=9, win_length=6, window=None, normalized=True, onesided=False, center=False
        ).abs(),
        (x(2, 30),)),
    "short_window": (
        lambda a: _stft(a, win_length=5, window=HAMMING, hop_length=8, pad_mode="constant").abs(),
        (x(2, 30),)),
    "old_form": (lambda a: _stft(a, return_complex=False), (x(2, 30),)),
    "length": (lambda a: torch.view_as_complex(a).abs() + a.real[..., 0], (x(3, 2),)),
}  # fmt: skip


REFUSED = {
    "complex_output": (_stft, (x(30),), "view_as_real"),
    "product": (lambda a: (_stft(a) * 2).abs(), (x(30),), "complex"),
    "window": (lambda a, w: _stft(a, window=w).abs(), (x(30), x(8)), "window is computed"),
}  # fmt: skip
