"""Resampling (4.3.4)."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.exchange.compositions.resampling import pixel_shuffle, resized_image
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch7.call import Call, module


@module("SpatialUpSamplingNearest")
def nearest(c: Call) -> Value:
    """Read `nearest_upsample`."""
    return c.batched(c.ranked(3, 4), 4, lambda x: _nearest(c, x))


@module("SpatialUpSamplingBilinear")
def bilinear(c: Call) -> Value:
    """Read `multilinear_upsample` with aligned corners, or products with matrices."""
    return c.batched(c.ranked(3, 4), 4, lambda x: _linear(c, x))


@module("UpSampling")
def up_sampling(c: Call) -> Value:
    """Read the nearest elements, or linear interpolation with aligned corners."""
    x = c.ranked(4, 5)
    return _linear(c, x) if c.module.get("mode") == "linear" else _nearest(c, x)


@module("PixelShuffle")
def shuffled(c: Call) -> Value:
    """Read the fragment `pixel_shuffle`."""
    factor = c.integer("upscaleFactor", least=1)

    def compute(x: Value) -> Value:
        if x.shape[1] % factor**2:
            c.invalid(f"its input has {x.shape[1]} channels for a factor of {factor}")
        return pixel_shuffle(c, x, factor)

    return c.batched(c.one(), 4, compute)


def _nearest(c: Call, x: Value) -> Value:
    factor = c.integer("scale_factor", least=1)
    return _resized(c, x, [n * factor for n in x.shape[2:]], is_nearest=True)


def _linear(c: Call, x: Value) -> Value:
    if c.has("scale_factor"):
        factor = c.integer("scale_factor", least=1)
        return _resized(c, x, [n * factor for n in x.shape[2:]])
    names = ("odepth", "oheight", "owidth")[-len(x.shape[2:]) :]
    return _resized(c, x, [c.integer(name, least=1) for name in names])


def _resized(c: Call, x: Value, extents: Sequence[int], *, is_nearest: bool = False) -> Value:
    return resized_image(
        c,
        x,
        extents,
        nearest=is_nearest,
        align_corners=not is_nearest,
        name=c.path,
        take=lambda shape: c.allowance.take(shape, 8),
    )
