"""Resizing (4.3.4), padding with zeros and cropping (4.5)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from nnefkit.exchange.channels_last import resized
from nnefkit.exchange.compositions.shaping import cropped
from nnefkit.exchange.keras.call import Call, layer
from nnefkit.exchange.keras.layers.spatial import dimensions, spatial
from nnefkit.exchange.keras.options import INVALID
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.source_value import Value


def _interpolation(c: Call, default: str) -> bool:
    """Return whether the nearest element is selected; otherwise elements are interpolated."""
    method = c.options.text("interpolation", default)
    if method not in ("nearest", "bilinear"):
        refuse(f"it interpolates by the method '{method}'", "Use 'bilinear' or 'nearest'.")
    return method == "nearest"


@layer("UpSampling1D", "UpSampling2D", "UpSampling3D")
def up_sampling(c: Call) -> Value:
    """Read `nearest_upsample` or `multilinear_upsample` by integers."""
    count = dimensions(c)
    size = c.options.positive("size", count, 2)
    is_nearest = count != 2 or _interpolation(c, "nearest")
    if count == 1:
        return _repeated_steps(c, size[0])

    def read(x: Value) -> Value:
        extents = [n * factor for n, factor in zip(x.shape[1:-1], size, strict=True)]
        return resized(
            c,
            x,
            extents,
            nearest=is_nearest,
            half_pixel_centers=True,
            name=c.path,
            take=partial(c.allowance.take, itemsize=4),
        )

    return spatial(c, count, read)


def _repeated_steps(c: Call, size: int) -> Value:
    x = c.x
    if x.rank != 3:
        refuse(f"its input has rank {x.rank}, not 3", INVALID)
    return resized(
        c,
        x,
        [x.shape[1] * size],
        nearest=True,
        half_pixel_centers=True,
        name=c.path,
        take=partial(c.allowance.take, itemsize=4),
    )


@layer("Resizing")
def resizing(c: Call) -> Value:
    """Read a resize of images to a size."""
    c.argument(1, "training")  # It has no effect.
    extents = [c.options.integer("height"), c.options.integer("width")]
    if min(extents) < 1:
        refuse(f"its size is {extents}", INVALID)
    for option in ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"):
        if c.options.flag(option):
            refuse(f"it is set to {option}", "Resize to the final size.")
    for option in ("fill_mode", "fill_value"):
        c.options.get(option)
    is_nearest = _interpolation(c, "bilinear")
    return spatial(
        c,
        2,
        lambda x: resized(
            c,
            x,
            extents,
            nearest=is_nearest,
            half_pixel_centers=True,
            name=c.path,
            take=partial(c.allowance.take, itemsize=4),
        ),
    )


@layer("CenterCrop")
def center_crop(c: Call) -> Value:
    """Read `slice` of the center of images."""
    c.argument(1, "training")  # It has no effect.
    size = [c.options.integer("height"), c.options.integer("width")]

    def read(x: Value) -> Value:
        rest = [n - wanted for n, wanted in zip(x.shape[1:3], size, strict=True)]
        if min(rest) < 0 or min(size) < 1:
            refuse(f"it crops {size} of images of {[*x.shape[1:3]]}", "Resize them before.")
        sides = [(-(n // 2), -(n - n // 2)) for n in rest]
        return cropped(c, x, [(0, 0), *sides, (0, 0)])[0]

    return spatial(c, 2, read)


# -- sides -----------------------------------------------------------------------------------------


def _sides(c: Call, name: str, count: int) -> list[tuple[int, int]]:
    """Return what an option states for both sides of each axis."""
    stated = c.options.get(name, 1)
    each: Sequence[Any] = [stated] * count if isinstance(stated, int) else stated
    if count == 1 and isinstance(stated, (list, tuple)) and len(stated) == 2:
        each = [stated]
    if not isinstance(each, (list, tuple)) or len(each) != count:
        refuse(f"its option '{name}' is {stated!r:.60}", INVALID)
    sides = [(side, side) if isinstance(side, int) else tuple(side) for side in each]
    for side in sides:
        if len(side) != 2 or not all(isinstance(n, int) and 0 <= n < 2**31 for n in side):
            refuse(f"its option '{name}' is {stated!r:.60}", INVALID)
    return [(int(before), int(after)) for before, after in sides]


@layer("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
def zero_padding(c: Call) -> Value:
    """Read `pad`."""
    count = dimensions(c)
    sides = _sides(c, "padding", count)
    if not any(before or after for before, after in sides):
        return c.x
    return spatial(c, count, lambda x: c.op("pad", x, padding=[(0, 0), *sides, (0, 0)]))


@layer("Cropping1D", "Cropping2D", "Cropping3D")
def cropping(c: Call) -> Value:
    """Read `slice`."""
    count = dimensions(c)
    sides = [(-before, -after) for before, after in _sides(c, "cropping", count)]

    def read(x: Value) -> Value:
        for extent, (before, after) in zip(x.shape[1:-1], sides, strict=True):
            if extent + before + after < 1:
                refuse(f"it leaves nothing of {extent} elements", INVALID)
        return cropped(c, x, [(0, 0), *sides, (0, 0)])[0]

    return spatial(c, count, read)
