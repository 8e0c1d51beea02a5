"""Windows, sampling and regions in PyTorch (4.3, 4.6)."""

import math

import numpy as np
import torch
from torch.nn import functional

from oracles.foreign.oracle import extended, same_padding


def filled(rank, extents, size, padding, stride, dilation):
    stride, dilation = stride or [1] * rank, dilation or [1] * rank
    padding = padding or same_padding(extents, size, stride, dilation)
    return padding, stride, dilation


def conv(input, filter, bias, border, padding, stride, dilation, groups):
    rank = input.ndim - 2
    if rank not in (1, 2, 3):
        return None
    padding, stride, dilation = filled(
        rank, input.shape[2:], filter.shape[2:], padding, stride, dilation
    )
    x = extended(input, [(0, 0), (0, 0), *padding], border)
    function = [functional.conv1d, functional.conv2d, functional.conv3d][rank - 1]
    count = len(filter)
    bias = np.broadcast_to(np.asarray(bias, input.dtype).reshape(-1), (count,))
    return function(
        *map(torch.tensor, (np.ascontiguousarray(x), filter, bias)),
        stride=tuple(stride),
        dilation=tuple(dilation),
        groups=groups or input.shape[1],
    ).numpy()


def spread(down, size, padding, stride, dilation, up, border):
    """Return the input of a reverse operation extended by its border, and the place of the output.

    Returns:
        The extended input, and for each dimension how much comes before the output.
    """
    reach = [
        0 if border in ("constant", "ignore") else (abs(p) + (f - 1) * d + X) // s + 1
        for (p, _), f, d, X, s in zip(padding, size, dilation, up, stride, strict=True)
    ]
    lead = down.ndim - len(size)
    x = extended(down, [(0, 0)] * lead + [(r, r) for r in reach], border)
    return x, [p + r * s for (p, _), r, s in zip(padding, reach, stride, strict=True)]


def cut(whole, before, up):
    """Return the part of a full output that the padding leaves; 0 where nothing was added."""
    lead = whole.ndim - len(up)
    pairs = [(0, 0)] * lead + [
        (-first, X + first - extent)
        for extent, first, X in zip(whole.shape[lead:], before, up, strict=True)
    ]
    return extended(whole, pairs, "constant")


def up_scaled(down, size, padding, stride, dilation):
    if not padding:
        return [x * s for x, s in zip(down, stride, strict=True)]
    return [
        (x - 1) * s + (f - 1) * d + 1 - p - q
        for x, f, (p, q), s, d in zip(down, size, padding, stride, dilation, strict=True)
    ]


def deconv(input, filter, bias, border, padding, stride, dilation, output_shape, groups):
    rank, size = input.ndim - 2, filter.shape[2:]
    if rank not in (1, 2, 3):
        return None
    stride, dilation = stride or [1] * rank, dilation or [1] * rank
    up = output_shape[2:] or up_scaled(input.shape[2:], size, padding, stride, dilation)
    padding = padding or same_padding(up, size, stride, dilation)
    if not groups:
        groups = output_shape[1] if output_shape and filter.shape[1] == 1 else len(filter)
    x, before = spread(input, size, padding, stride, dilation, up, border)
    function = [
        functional.conv_transpose1d,
        functional.conv_transpose2d,
        functional.conv_transpose3d,
    ][rank - 1]
    whole = function(
        torch.tensor(np.ascontiguousarray(x)),
        torch.tensor(filter),
        stride=tuple(stride),
        dilation=tuple(dilation),
        groups=groups,
    ).numpy()
    bias = np.broadcast_to(np.asarray(bias, input.dtype).reshape(-1), (whole.shape[1],))
    return cut(whole, before, up) + bias.reshape(1, -1, *[1] * rank)


PLAIN = {"border": "constant", "padding": [], "stride": [], "dilation": []}


def separable_conv(input, plane_filter, point_filter, bias, groups, **attribs):
    filtered = conv(input, plane_filter, 0.0, groups=0, **attribs)
    return None if filtered is None else conv(filtered, point_filter, bias, groups=groups, **PLAIN)


def separable_deconv(input, plane_filter, point_filter, bias, groups, **attribs):
    filtered = deconv(input, point_filter, 0.0, groups=groups, output_shape=[], **PLAIN)
    return None if filtered is None else deconv(filtered, plane_filter, bias, groups=0, **attribs)


def unfolded(x, size, stride, dilation):
    """Return the elements of each window in a last dimension."""
    rank = x.ndim
    for axis, (f, s, d) in enumerate(zip(size, stride, dilation, strict=True)):
        x = x.unfold(axis, (f - 1) * d + 1, s)[..., ::d]
    return x.flatten(rank)


def windows(input, size, border, padding, stride, dilation, outside=0.0):
    padding, stride, dilation = filled(input.ndim, input.shape, size, padding, stride, dilation)
    x = torch.tensor(extended(input, padding, border, outside))
    return unfolded(x, size, stride, dilation)


def average(input, border, **attribs):
    sums = windows(input, border=border, **attribs).sum(-1)
    if border != "ignore":
        return (sums / math.prod(attribs["size"])).numpy()
    return (sums / windows(np.ones_like(input), border=border, **attribs).sum(-1)).numpy()


def box(input, normalize, **attribs):
    return average(input, **attribs) if normalize else windows(input, **attribs).sum(-1).numpy()


def maximum(input, border, **attribs):
    outside = -math.inf if border == "ignore" else 0.0
    return windows(input, border=border, outside=outside, **attribs)


def argmax_pool(input, **attribs):
    found = maximum(input, **attribs)
    if attribs["border"] == "ignore" and torch.isneginf(found.amax(-1)).any():
        return None  # nothing but border
    return found.argmax(-1).numpy()


def max_pool_with_index(input, **attribs):
    index = argmax_pool(input, **attribs)
    return None if index is None else [maximum(input, **attribs).amax(-1).numpy(), index]


def sample(input, index, **attribs):
    return windows(input, **attribs).gather(-1, torch.tensor(index)[..., None])[..., 0].numpy()


def adjoint(up, function, down):
    """Return the transpose of a linear function, by differentiating it."""
    x = torch.zeros(tuple(up), dtype=torch.as_tensor(down).dtype, requires_grad=True)
    y = function(x)
    y.backward(torch.tensor(np.ascontiguousarray(down)))
    return x.grad.numpy()


def torch_padded(x, padding):
    return functional.pad(x, [item for pair in reversed(padding) for item in pair])


def debox(input, size, border, padding, stride, dilation, output_shape, normalize):
    stride, dilation = stride or [1] * input.ndim, dilation or [1] * input.ndim
    up = output_shape or up_scaled(input.shape, size, padding, stride, dilation)
    padding = padding or same_padding(up, size, stride, dilation)
    x, before = spread(input, size, padding, stride, dilation, up, border)
    span = [(f - 1) * d + 1 for f, d in zip(size, dilation, strict=True)]
    full = [(n - 1) * s + f for n, s, f in zip(x.shape, stride, span, strict=True)]
    whole = adjoint(full, lambda up: unfolded(up, size, stride, dilation).sum(-1), x)
    result = cut(whole, before, up)
    return result / math.prod(size) if normalize else result


def desample(input, index, size, border, padding, stride, dilation, output_shape):
    stride, dilation = stride or [1] * input.ndim, dilation or [1] * input.ndim
    up = output_shape or up_scaled(input.shape, size, padding, stride, dilation)
    padding = padding or same_padding(up, size, stride, dilation)
    chosen = torch.tensor(index)[..., None]

    def sampled(x):
        found = unfolded(torch_padded(x, padding), size, stride, dilation)
        return found.gather(-1, chosen)[..., 0]

    return adjoint(up, sampled, input)


def around(x, size):
    padding = same_padding(x.shape, size, [1] * x.ndim, [1] * x.ndim)
    return average(x, size=size, **{**PLAIN, "padding": padding})


def local_response_normalization(input, size, alpha, beta, bias):
    return input / (bias + alpha * around(input * input, size)) ** beta


def local_variance_normalization(input, size, bias, epsilon):
    return input / np.maximum(around(input * input, size) ** 0.5 + bias, epsilon)


def local_contrast_normalization(input, size, bias, epsilon):
    return local_variance_normalization(input - around(input, size), size, bias, epsilon)


# -- sampling and regions (4.3.4, 4.6) ------------------------------------------------------------


def interpolated(mode):
    def compute(input, factor, scale):
        if not 1 <= len(factor) <= 3:
            return None
        size = [scale(x, f) for x, f in zip(input.shape[2:], factor, strict=True)]
        return functional.interpolate(torch.tensor(input), size=size, mode=mode).numpy()

    return compute


def up(mode):
    return lambda input, factor: interpolated(mode)(input, factor, lambda x, f: x * f)


def down(mode):
    return lambda input, factor: interpolated(mode)(input, factor, lambda x, f: x // f)


def grid_sampled(maps, places, padding_mode="border"):
    """Return maps (N,C,...) interpolated linearly at the positions of each dimension."""
    rank = maps.ndim - 2
    x = torch.tensor(np.ascontiguousarray(maps))
    if rank == 1:
        x, places = x[:, :, None], [np.zeros(1), *places]
    axes = [
        torch.tensor(np.asarray(p)) * 2 / (n - 1) - 1 if n > 1 else torch.tensor(np.asarray(p))
        for p, n in zip(places, x.shape[2:], strict=True)
    ]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1).to(x.dtype)
    grid = grid.expand(len(x), *grid.shape)
    y = functional.grid_sample(x, grid, padding_mode=padding_mode, align_corners=True).numpy()
    return y[:, :, 0] if rank == 1 else y


def multilinear_upsample(input, factor, method, border):
    rank = len(factor)
    if not 1 <= rank <= 3:
        return None
    if method != "asymmetric" and (border == "replicate" or method == "aligned"):
        mode = ["linear", "bilinear", "trilinear"][rank - 1]
        x = torch.tensor(input)
        size = [x * f for x, f in zip(input.shape[2:], factor, strict=True)]
        return functional.interpolate(
            x, size=size, mode=mode, align_corners=method == "aligned"
        ).numpy()
    if method == "aligned" or border in ("reflect", "reflect-even") or 1 in input.shape[2:]:
        return None
    places = [
        (np.arange(x * f) + 0.5) / f - 0.5 if method == "symmetric" else np.arange(x * f) / f
        for x, f in zip(input.shape[2:], factor, strict=True)
    ]
    return grid_sampled(input, places, {"replicate": "border", "constant": "zeros"}[border])


def roi_resample(input, rois, batch_index, output_size, method):
    if not 1 <= len(output_size) <= 3 or 1 in input.shape[2:]:
        return None
    results = []
    for row, b in zip(rois, batch_index.reshape(-1), strict=True):
        starts, stops = row.reshape(2, -1)
        places = []
        for a, z, n in zip(starts, stops, output_size, strict=True):
            if method == "aligned":
                places.append(np.linspace(a, a + max(z - a - 1, 0), n))
            else:
                shift = 0.5 if method == "symmetric" else 0.0
                places.append(a + (np.arange(n) + shift) * (z - a) / n - shift)
        results.append(grid_sampled(input[b : b + 1], places))
    return np.concatenate(results)


def roi_align(reduce):
    def compute(input, rois, batch_index, output_size, sampling_rate, resize_method):
        size = [n * rate for n, rate in zip(output_size, sampling_rate, strict=True)]
        fine = roi_resample(input, rois, batch_index, size, resize_method)
        if fine is None:
            return None
        pool = getattr(functional, f"{reduce}_pool{len(size)}d")
        return pool(torch.tensor(fine), tuple(sampling_rate)).numpy()

    return compute


def roi_pool(reduce):
    def compute(input, rois, batch_index, output_size):
        rank = len(output_size)
        results = []
        for row, b in zip(np.floor(rois + 0.5).astype(int), batch_index.reshape(-1), strict=True):
            starts, stops = row.reshape(2, -1)
            if (starts < 0).any() or (stops > input.shape[2:]).any():
                return None  # reaches beyond the map
            extents = stops - starts
            if (extents < output_size).any():
                return None  # its cells would have to stay in place
            crop = input[
                (b, slice(None), *(slice(a, z) for a, z in zip(starts, stops, strict=True)))
            ]
            size = tuple(int(-(-e // n)) for e, n in zip(extents, output_size, strict=True))
            step = tuple(int(e // n) for e, n in zip(extents, output_size, strict=True))
            cells = getattr(functional, f"{reduce}_pool{rank}d")(
                torch.tensor(crop)[None], size, step
            )
            results.append(cells[(..., *(slice(n) for n in output_size))].numpy())
        return np.concatenate(results)

    return compute
