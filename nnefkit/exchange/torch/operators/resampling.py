"""Up- and down-sampling (4.3.4), and pixel shuffles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.compositions import grid_sampling, resampling
from nnefkit.exchange.compositions.grid_sampling import Sampling
from nnefkit.exchange.compositions.resampling import ResizedAxis
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import SCALAR, Value
from nnefkit.exchange.torch.call import Call, operator


@operator("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d")
@operator("_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d")
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
    """Return `nearest_upsample` for integer factors, else `gather`."""
    given = scale_factors or _scales(scales, scales_d, scales_h, scales_w)
    mode = "nearest-exact" if "exact" in c.operator else "nearest"
    old, new = input.shape[2:], c.shape[2:]
    indices = [_indices(old, new, axis, mode, given) for axis in range(len(old))]
    outer = [np.arange(extent) for extent in input.shape[:2]]
    axes = _axes(c, input, given)
    return resampling.selected(c, input, axes, [*outer, *indices], f"{c.name}.indices")


def _scales(*given: Any) -> list[Any] | None:
    known = [scale for scale in given if scale is not None]
    return known or None


def _axes(c: Call, x: Value, scales: Sequence[float] | None) -> list[ResizedAxis]:
    """Return how each axis is resized, batch and channels included."""
    axes = [ResizedAxis(extent, extent, 1.0) for extent in x.shape[:2]]
    for number, (old, new) in enumerate(zip(x.shape[2:], c.shape[2:], strict=True)):
        scale = scales[number] if scales and int(old * scales[number]) == new else new / old
        axes.append(ResizedAxis(old, new, float(scale)))
    return axes


def _indices(
    old: Sequence[int],
    new: Sequence[int],
    axis: int,
    mode: str,
    scales: Sequence[float] | None,
) -> Array:
    """Return the indices that PyTorch selects; its own kernels are run, since they disagree."""
    import torch
    from torch.nn import functional

    shape = [1] * len(old)
    shape[axis] = old[axis]
    numbers = torch.arange(old[axis], dtype=torch.float32).reshape(shape).expand(*old)
    size: dict[str, Any] = {"size": [*new]}
    if scales and all(int(o * s) == n for o, s, n in zip(old, scales, new, strict=True)):
        size = {"scale_factor": [*map(float, scales)], "recompute_scale_factor": False}
    resized = functional.interpolate(numbers[None, None].contiguous(), mode=mode, **size)
    line = np.moveaxis(resized.numpy()[0, 0], axis, -1).reshape(-1, new[axis])[0]
    return np.asarray(line.astype(np.int64))


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
    """Return `multilinear_upsample` for integer factors, else a product with a matrix."""
    given = scale_factors or _scales(scales, scales_d, scales_h, scales_w)
    return _weighted(c, input, "linear", given, align_corners)


@operator("upsample_bicubic2d", "_upsample_bicubic2d_aa")
def cubic(
    c: Call,
    input: Value,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Any = None,
    scales_h: Any = None,
    scales_w: Any = None,
) -> Value:
    """Return a product with a matrix of weights."""
    given = scale_factors or _scales(scales_h, scales_w)
    return _weighted(c, input, "bicubic", given, align_corners)


def _weighted(c: Call, x: Value, mode: str, scales: Sequence[float] | None, aligned: bool) -> Value:
    if x.data_type != SCALAR:
        refuse("it interpolates integers", "Convert them first: x.float().")
    axes = _axes(c, x, None if aligned else scales)
    antialias = c.operator.endswith("_aa")

    def weights(number: int) -> Value:
        axis = axes[number]
        scale = scales[number - 2] if scales else None
        words = f"{mode}_{axis.extent}_to_{axis.new_extent}" + "_aligned" * aligned
        words += "_antialiased" * antialias

        def make() -> Array:
            options = {"align_corners": aligned, "antialias": antialias}
            matrix = _resize(np.eye(axis.extent), axis.new_extent, mode, scale, options)
            return np.ascontiguousarray(matrix.T.astype(x.dtype))

        return c.graph.shared(words + (f"_by_{scale}" if scale else ""), make)

    method = "aligned" if aligned else "symmetric"
    # PyTorch's antialiasing filter uses other positions for aligned corners.
    is_standard = mode == "linear" and not (aligned and antialias)
    return resampling.interpolated(
        c, x, axes, weights, method=method if is_standard else "", antialias=antialias
    )


def _resize(
    array: Array, count: int, mode: str, scale: float | None, options: dict[str, bool]
) -> Array:
    """Return the rows of `array`, resized by PyTorch itself, as columns."""
    import torch
    from torch.nn import functional

    extent = array.shape[-1]
    image = torch.from_numpy(array.astype(np.float64)).reshape(1, -1, 1, extent)
    size: dict[str, Any] = {"size": (1, count)}
    if scale is not None and int(extent * scale) == count:
        size = {"scale_factor": (1.0, float(scale)), "recompute_scale_factor": False}
    mode = "bilinear" if mode == "linear" else mode
    rows = functional.interpolate(image, mode=mode, **options, **size)
    return np.asarray(rows.numpy()[0, :, 0].T)


@operator("grid_sampler", "grid_sampler_2d", "grid_sampler_3d")
def grid_sampler(
    c: Call,
    input: Value,
    grid: Value,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
) -> Value:
    """Return `gather` of the neighbors of each position, times their weights."""
    mode, border = _MODES[interpolation_mode], _BORDERS[padding_mode]
    return grid_sampling.grid_sample(c, input, grid, Sampling(mode, border, align_corners))


_MODES = ("linear", "nearest", "cubic")
_BORDERS = ("zeros", "border", "reflection")


@operator("pixel_shuffle")
def pixel_shuffle(c: Call, x: Value, upscale_factor: int) -> Value:
    """Return ``pixel_shuffle``."""
    return _shuffled(c, resampling.pixel_shuffle, x, upscale_factor)


@operator("pixel_unshuffle")
def pixel_unshuffle(c: Call, x: Value, downscale_factor: int) -> Value:
    """Return ``pixel_unshuffle``."""
    return _shuffled(c, resampling.pixel_unshuffle, x, downscale_factor)


Shuffle = Callable[[Call, Value, int], Value]


def _shuffled(c: Call, shuffle: Shuffle, x: Value, factor: int) -> Value:
    if x.rank > 4:
        refuse(f"its input has rank {x.rank}", "Pass a batch of images: [N, C, H, W].")
    batch = reshaped(c, x, (1, *x.shape)) if x.rank == 3 else x
    return reshaped(c, shuffle(c, batch, factor), c.shape)
