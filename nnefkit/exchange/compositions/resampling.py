"""Resampling (4.3.4): pixels out of channels and back."""

from __future__ import annotations

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.source_graph import Value


def pixel_shuffle(c: OperatorCall, x: Value, factor: int) -> Value:
    """Return ``[N, C r r, H, W]`` as ``[N, C, H r, W r]``."""
    batch, channels, height, width = x.shape
    channels //= factor * factor
    shape = batch, channels, height * factor, width * factor
    attribs = {"factor": factor, "channels": channels, "height": height, "width": width}
    return c.fragment("pixel_shuffle", shape, x, **attribs)


def pixel_unshuffle(c: OperatorCall, x: Value, factor: int) -> Value:
    """Return ``[N, C, H r, W r]`` as ``[N, C r r, H, W]``."""
    batch, channels, height, width = x.shape
    height, width = height // factor, width // factor
    shape = batch, channels * factor * factor, height, width
    attribs = {"factor": factor, "channels": channels, "height": height, "width": width}
    return c.fragment("pixel_unshuffle", shape, x, **attribs)
