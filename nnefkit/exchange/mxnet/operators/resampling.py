"""Resampling of images (4.3.4)."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.compositions.grid_sampling import Sampling, grid_sample
from nnefkit.exchange.compositions.resampling import resized_image
from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.reshaping import reshaped, to_scalar, transposed
from nnefkit.exchange.source_value import Value

_SAMPLING = Sampling("linear", "zeros", align_corners=True)


@operator("UpSampling")
def upsample(c: Call) -> Value:
    """Read `nearest_upsample` of each input, or `deconv` with given weights."""
    scale = c.integer("scale")
    kind = c.text("sample_type", "nearest", ("nearest", "bilinear"))
    joins = c.text("multi_input_mode", "concat", ("concat", "sum"))
    x, filters = to_scalar(c, c.ranked(4)), c.integer("num_filter", 0)
    if scale < 1:
        c.invalid(f"its scale is {scale}")
    if kind == "bilinear":
        return _bilinear(c, x, scale, filters)
    extents = [scale * n for n in x.shape[2:]]
    parts = []
    for index in range(len(c.inputs)):
        part = to_scalar(c, c.ranked(4, index=index))
        factor = extents[0] // part.shape[2]
        if [n * factor for n in part.shape[2:]] != extents:
            c.invalid(f"its input {index} has the shape {[*part.shape]}")
        up = c.op("nearest_upsample", part, factor=[factor, factor]) if factor > 1 else part
        parts.append(up)
    if len(parts) == 1:
        return parts[0]
    return c.op("concat", parts, axis=1) if joins == "concat" else c.op("add_n", parts)


def _bilinear(c: Call, x: Value, scale: int, filters: int) -> Value:
    """Return a depthwise `deconv`, which interpolates if its weights do."""
    size, pad = 2 * scale - scale % 2, scale // 2
    if scale % 2:
        pad = (scale - 1) // 2
    channels = x.shape[1]
    if filters != channels:
        c.invalid(f"its num_filter is {filters} for {channels} channels")
    weight = c.shaped(1, (channels, 1, size, size), "weight")
    return c.op(
        "deconv",
        x,
        weight,
        padding=[(pad, pad), (pad, pad)],
        stride=[scale, scale],
        groups=0 if channels > 1 else 1,
    )


_PARITIES = {"odd": 1, "even": 0}


@operator("_contrib_BilinearResize2D")
def bilinear_resize(c: Call) -> Value:
    """Read a linear interpolation of the two spatial axes, with aligned corners or not."""
    x = to_scalar(c, c.ranked(4))
    mode = c.text("mode", "size")
    extents, is_aligned = _extents(c, x, mode), c.flag("align_corners", True)
    if min(extents) < 1:
        c.invalid(f"its size is {extents}")
    return resized_image(
        c,
        x,
        extents,
        align_corners=is_aligned,
        half_pixel_centers=not is_aligned,
        name=c.name,
        take=lambda shape: c.allowance.take(shape, 4),
    )


def _extents(c: Call, x: Value, mode: str) -> list[int]:
    old = [*x.shape[2:]]
    size = [c.integer("height", 1), c.integer("width", 1)]
    scales = [c.real(name) if c.has(name) else None for name in ("scale_height", "scale_width")]
    if mode == "size":
        return [
            n if scale is None else int(np.float32(scale) * np.float32(m))
            for n, m, scale in zip(size, old, scales, strict=True)
        ]
    if mode == "like":
        return [*c.ranked(4, index=1).shape[2:]]
    if mode == "odd_scale":
        return [
            int(np.float32(m) * np.float32(s or 1))
            if m % 2 == 0
            else int(np.float32(m - 1) * np.float32(s or 1)) + 1
            for m, s in zip(old, scales, strict=True)
        ]
    way, _, direction = mode.removeprefix("to_").partition("_")
    if way not in _PARITIES or direction not in ("up", "down"):
        c.refuse(f"its mode is '{mode[:60]}'", "Use the mode 'size'.")
    change = 1 if direction == "up" else -1
    return [m if m % 2 == _PARITIES[way] else m + change for m in old]


# -- sampling at positions -------------------------------------------------------------------------


@operator("BilinearSampler")
def bilinear_sampler(c: Call) -> Value:
    """Read a linear interpolation at the positions of a grid, with zeros around the image."""
    x, grid = to_scalar(c, c.ranked(4)), to_scalar(c, c.ranked(4, index=1))
    if grid.shape[0] != x.shape[0] or grid.shape[1] != 2:
        c.invalid(f"its grid has the shape {[*grid.shape]}")
    return grid_sample(c, x, transposed(c, grid, [0, 2, 3, 1]), _SAMPLING)


@operator("GridGenerator")
def grid_generator(c: Call) -> Value:
    """Read the positions that an affine transformation, or a flow, moves pixels to."""
    kind = c.text("transform_type", "affine", ("affine", "warp"))
    if kind == "affine":
        size = c.integers("target_shape", [0, 0])
        return _affine_grid(c, to_scalar(c, c[0]), size)
    flow = to_scalar(c, c.ranked(4))
    c.integers("target_shape")
    rows, columns = flow.shape[2:]
    if flow.shape[1] != 2 or min(rows, columns) < 2:
        c.invalid(f"its flow has the shape {[*flow.shape]}")
    c.allowance.take((2, rows, columns), 4)
    positions = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)))[None]
    halves = np.array([(columns - 1) / 2, (rows - 1) / 2]).reshape(1, 2, 1, 1)
    moved = c.op("add", flow, c.graph.constant(positions.astype(np.float32)))
    share = c.op("div", moved, c.graph.constant(halves.astype(np.float32)))
    return c.op("sub", share, 1.0)


def _affine_grid(c: Call, theta: Value, size: list[int]) -> Value:
    """Return positions [N, 2, rows, columns] by matrices of 2 x 3 numbers."""
    if len(size) != 2 or min(size) < 2 or theta.rank != 2 or theta.shape[1] != 6:
        c.invalid(f"its target_shape is {size} for parameters of shape {[*theta.shape]}")
    rows, columns = size
    c.allowance.take((3, rows, columns), 4)
    x, y = np.meshgrid(np.linspace(-1, 1, columns), np.linspace(-1, 1, rows))
    points = np.stack([x.ravel(), y.ravel(), np.ones(rows * columns)]).astype(np.float32)
    matrix = reshaped(c, theta, (theta.shape[0], 2, 3))
    grid = c.op("matmul", matrix, c.graph.constant(points[None], name=f"{c.name}.points"))
    return reshaped(c, grid, (theta.shape[0], 2, rows, columns))


@operator("SpatialTransformer")
def spatial_transformer(c: Call) -> Value:
    """Read a linear interpolation at positions that an affine transformation computes."""
    x = to_scalar(c, c.ranked(4))
    c.text("transform_type", "affine", ("affine",))
    c.text("sampler_type", "bilinear", ("bilinear",))
    size = c.integers("target_shape", [0, 0])
    with c.graph.scope("spatial_transformer"):
        grid = _affine_grid(c, to_scalar(c, c[1]), size)
        return grid_sample(c, x, transposed(c, grid, [0, 2, 3, 1]), _SAMPLING)
