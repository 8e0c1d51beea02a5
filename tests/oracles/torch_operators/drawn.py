"""Inputs of the calls, the same in every run."""

import torch


def x(*shape, seed=0, dtype=torch.float32):
    """Return normally distributed elements."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype)


def positive(*shape):
    return x(*shape).abs() + 0.1


def unit(*shape):
    """Return elements between -1 and 1."""
    return torch.tanh(x(*shape)) * 0.9


def whole(*shape, low=-7, high=8, dtype=torch.int64):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(low, high, shape, generator=generator, dtype=dtype)


def coins(*shape, seed=1):
    return x(*shape, seed=seed) > 0
