"""Up- and down-sampling (4.3.4), pixel shuffles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.exchange.builder import Value
from nnefkit.exchange.torch.registry import Call, operator, refuse
from nnefkit.exchange.torch.values import reshaped, transposed

Array = np.ndarray[Any, Any]


def along(c: Call, x: Value, axis: int, matrix: Array, name: str) -> Value:
    """A matrix times the vectors that lie along an axis."""
    key = c.builder.shared(name, lambda: matrix.astype(x.kind))
    if axis >= x.rank - 2:
        held = reshaped(c, key, (1,) * (x.rank - 2) + key.shape)
        if axis == x.rank - 1:
            result: Value = c.op("matmul", x, held, transposeB=True)
        else:
            result = c.op("matmul", held, x)
        return result
    order = [a for a in range(x.rank) if a != axis]
    turned = transposed(c, x, [*order, axis])
    done = along(c, turned, x.rank - 1, matrix, name)
    return transposed(c, done, [*range(axis), x.rank - 1, *range(axis, x.rank - 1)])


@operator("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d")
def nearest(
    c: Call,
    input: Value,
    output_size: Sequence[int] | None,
    scale_factors: Any = None,
    scales: Any = None,
    scales_d: Any = None,
    scales_h: Any = None,
    scales_w: Any = None,
) -> Value:
    """`nearest_upsample` by whole factors, else the items are picked."""
    given = scale_factors or _scales(scales, scales_d, scales_h, scales_w)
    return _nearest(c, input, "nearest", given)


@operator("_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d")
def nearest_exact(
    c: Call,
    input: Value,
    output_size: Sequence[int] | None,
    scale_factors: Any = None,
    scales: Any = None,
    scales_d: Any = None,
    scales_h: Any = None,
    scales_w: Any = None,
) -> Value:
    """Likewise."""
    given = scale_factors or _scales(scales, scales_d, scales_h, scales_w)
    return _nearest(c, input, "nearest-exact", given)


def _scales(*given: Any) -> list[Any] | None:
    found = [scale for scale in given if scale is not None]
    return found or None


def _nearest(c: Call, x: Value, mode: str, scales: Sequence[float] | None) -> Value:
    factors = _factors(x, c)
    if factors is not None and all(factor >= 1 for factor in factors):
        result: Value = c.op("nearest_upsample", x, factor=factors)
        return result
    for i, (old, new) in enumerate(zip(x.shape[2:], c.shape[2:], strict=True)):
        if old != new:
            places = _resize(np.arange(old), new, mode, scales[i] if scales else None, None)
            indices = c.builder.constant(places.astype(np.int64), name=f"{c.name}.indices")
            x = c.op("gather", x, indices, axis=2 + i)
    return x


@operator("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d")
@operator("_upsample_bilinear2d_aa")
def linear(
    c: Call,
    input: Value,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Any = None,
    scales: Any = None,
    scales_d: Any = None,
    scales_h: Any = None,
    scales_w: Any = None,
) -> Value:
    """`multilinear_upsample` by whole factors, else items are weighted by a matrix."""
    if c.kind.endswith("_aa"):
        refuse("it blurs what it makes smaller", "Use interpolate with antialias=False.")
    factors = _factors(input, c)
    if factors is not None and input.rank == 4 and not align_corners:
        result: Value = c.op(
            "multilinear_upsample", input, factor=factors, method="symmetric", border="replicate"
        )
        return result
    given = scale_factors or _scales(scales, scales_d, scales_h, scales_w)
    return _weighted(c, input, "linear", given, align_corners)


@operator("upsample_bicubic2d")
def cubic(
    c: Call,
    input: Value,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Any = None,
    scales_h: Any = None,
    scales_w: Any = None,
) -> Value:
    """Items weighted by a matrix."""
    given = scale_factors or _scales(scales_h, scales_w)
    return _weighted(c, input, "bicubic", given, align_corners)


def _weighted(c: Call, x: Value, mode: str, scales: Sequence[float] | None, aligned: bool) -> Value:
    for i, (old, new) in enumerate(zip(x.shape[2:], c.shape[2:], strict=True)):
        scale = scales[i] if scales else None
        if old != new:
            matrix = _resize(np.eye(old), new, mode, scale, aligned)
            corners = "_aligned" if aligned else ""
            name = f"{mode}_{old}_to_{new}{corners}" + (f"_by_{scale}" if scale else "")
            x = along(c, x, 2 + i, matrix, name)
    return x


def _resize(
    items: Array, count: int, mode: str, scale: float | None, aligned: bool | None
) -> Array:
    """What PyTorch makes of an axis: its own answer for each of the `items` (``[N]`` or rows)."""
    import torch
    from torch.nn import functional

    extent = items.shape[-1]
    plane = torch.from_numpy(items.astype(np.float64)).reshape(1, -1, extent)
    size: dict[str, Any] = {"size": count}
    if scale is not None and int(extent * scale) == count:
        size = {"scale_factor": float(scale), "recompute_scale_factor": False}
    if mode == "bicubic":
        size = {
            k: (1, v) if k == "size" else (1.0, v) if k == "scale_factor" else v
            for k, v in size.items()
        }
        found = functional.interpolate(plane[:, :, None], mode=mode, align_corners=aligned, **size)
        return np.asarray(found.numpy()[0, :, 0].T)
    found = functional.interpolate(plane, mode=mode, align_corners=aligned, **size)
    rows = found.numpy()[0]
    return np.asarray(rows[0] if items.ndim == 1 else rows.T)


def _factors(x: Value, c: Call) -> list[int] | None:
    pairs = [*zip(x.shape[2:], c.shape[2:], strict=True)]
    return None if any(new % old for old, new in pairs) else [new // old for old, new in pairs]


@operator("pixel_shuffle")
def pixel_shuffle(c: Call, x: Value, upscale_factor: int) -> Value:
    """``pixel_shuffle``."""
    return _shuffle(c, "pixel_shuffle", x, upscale_factor, c.shape[-3], *x.shape[-2:])


@operator("pixel_unshuffle")
def pixel_unshuffle(c: Call, x: Value, downscale_factor: int) -> Value:
    """``pixel_unshuffle``."""
    return _shuffle(c, "pixel_unshuffle", x, downscale_factor, x.shape[-3], *c.shape[-2:])


def _shuffle(
    c: Call, name: str, x: Value, factor: int, channels: int, height: int, width: int
) -> Value:
    if x.rank != 4:
        refuse(f"its input has rank {x.rank}", "Give it a batch of images: [N, C, H, W].")
    return c.fragment(name, x, factor=factor, channels=channels, height=height, width=width)
