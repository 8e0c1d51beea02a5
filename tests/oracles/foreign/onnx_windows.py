"""Windows, sampling and regions in ONNX Runtime (4.3, 4.6)."""

import math

import numpy as np

from oracles.foreign.onnx_node import one, run, single
from oracles.foreign.oracle import extended, same_padding


def pads(padding):
    return [p for p, _ in padding] + [q for _, q in padding]


def window(rank, extents, size, padding, stride, dilation):
    stride, dilation = stride or [1] * rank, dilation or [1] * rank
    padding = padding or same_padding(extents, size, stride, dilation)
    return padding, list(stride), list(dilation)


def conv(input, filter, bias, border, padding, stride, dilation, groups):
    rank = input.ndim - 2
    if not 1 <= rank <= 3:
        return None
    padding, stride, dilation = window(
        rank, input.shape[2:], filter.shape[2:], padding, stride, dilation
    )
    if border != "constant" or min(pads(padding)) < 0:
        input = extended(input, [(0, 0), (0, 0), *padding], border)
        padding = [(0, 0)] * rank
    bias = np.broadcast_to(np.asarray(bias, np.float32).reshape(-1), (len(filter),))
    attributes = {"pads": pads(padding), "strides": stride, "dilations": dilation}
    group = groups or input.shape[1]
    return one("Conv", *map(single, (input, filter, bias)), group=group, **attributes)


def deconv(input, filter, bias, border, padding, stride, dilation, output_shape, groups):
    rank = input.ndim - 2
    if not 1 <= rank <= 3 or border != "constant" or not padding or min(pads(padding)) < 0:
        return None
    stride, dilation = stride or [1] * rank, dilation or [1] * rank
    if not groups:
        groups = output_shape[1] if output_shape and filter.shape[1] == 1 else len(filter)
    more = [0] * rank
    if output_shape:
        least = [
            (x - 1) * s + (f - 1) * d + 1 - p - q
            for x, f, (p, q), s, d in zip(
                input.shape[2:], filter.shape[2:], padding, stride, dilation, strict=True
            )
        ]
        more = [X - n for X, n in zip(output_shape[2:], least, strict=True)]
    count = filter.shape[1] * groups
    bias = np.broadcast_to(np.asarray(bias, np.float32).reshape(-1), (count,))
    if groups > 1 and rank == 3:
        return None
    return one(
        "ConvTranspose",
        *map(single, (input, filter, bias)),
        group=groups,
        pads=pads(padding),
        strides=list(stride),
        dilations=list(dilation),
        output_padding=more,
    )


PLAIN = {"border": "constant", "padding": [], "stride": [], "dilation": []}


def separable_conv(input, plane_filter, point_filter, bias, groups, **attribs):
    filtered = conv(input, plane_filter, 0.0, groups=0, **attribs)
    return None if filtered is None else conv(filtered, point_filter, bias, groups=groups, **PLAIN)


def separable_deconv(input, plane_filter, point_filter, bias, groups, **attribs):
    rank = input.ndim - 2
    plain = {**PLAIN, "padding": [(0, 0)] * rank}
    filtered = deconv(input, point_filter, 0.0, groups=groups, output_shape=[], **plain)
    return None if filtered is None else deconv(filtered, plane_filter, bias, groups=0, **attribs)


def pooled(op, outputs=1, **fixed):
    """Windows over spatial dimensions, whose border is ignored, or already there."""

    def compute(input, size, border, padding, stride, dilation):
        rank = input.ndim - 2
        padding, stride, dilation = window(input.ndim, input.shape, size, padding, stride, dilation)
        spatial = {*size[:2], *stride[:2], *dilation[:2]} == {1} if rank > 0 else False
        if not spatial or rank > 3 or any(map(any, padding[:2])):
            return None
        if border != "ignore" or min(pads(padding)) < 0:
            if border == "ignore":
                return None
            input, padding = extended(input, padding, border), [(0, 0)] * input.ndim
        if any(max(pair) >= f for pair, f in zip(padding, size, strict=True)):
            return None  # refused, since a window might have no true element
        if {*dilation} != {1} and any(map(any, padding)):
            return None  # a window may have none, whose average is 0 there
        attributes = {
            "kernel_shape": list(size[2:]),
            "pads": pads(padding[2:]),
            "strides": stride[2:],
            **fixed,
        }
        if set(dilation) != {1}:
            attributes["dilations"] = dilation[2:]
        names = ["y", "index"][:outputs]
        results = run([(op, ["x"], names, attributes)], {"x": single(input)}, names)
        return results if outputs > 1 else results[0]

    return compute


max_pool = pooled("MaxPool")
average_pool = pooled("AveragePool", count_include_pad=0)


def max_pool_with_index(input, size, border, padding, stride, dilation):
    padding, stride, dilation = window(input.ndim, input.shape, size, padding, stride, dilation)
    attribs = {"size": size, "stride": stride, "dilation": dilation}
    given = {"border": border, "padding": padding}
    if border != "ignore":
        input = extended(input, padding, border)
        given = {"border": "ignore", "padding": [(0, 0)] * input.ndim}
    results = pooled("MaxPool", 2)(input, **attribs, **given)
    if results is None:
        return None
    values, flat = results
    # Theirs are positions in the whole input.
    places = np.unravel_index(flat, input.shape)
    index = np.zeros(values.shape, np.int64)
    for axis, (place, f, s, d, (p, _)) in enumerate(
        zip(places, size, stride, dilation, given["padding"], strict=True)
    ):
        starts = np.arange(values.shape[axis]) * s - p
        entry = (place - starts.reshape(-1, *[1] * (values.ndim - axis - 1))) // d
        index = index * f + entry
    return [values, index]


def argmax_pool(input, **attribs):
    results = max_pool_with_index(input, **attribs)
    return None if results is None else results[1]


def box(input, normalize, **attribs):
    average = average_pool(input, **attribs)
    if average is None or normalize:
        return average
    return None if attribs["border"] == "ignore" else average * math.prod(attribs["size"])


def rms_pool(input, **attribs):
    average = average_pool(np.square(input), **attribs)
    return None if average is None else np.sqrt(average)


def around(x, size):
    ones = [1] * x.ndim
    padding = same_padding(x.shape, size, ones, ones)
    return average_pool(x, size, "constant", padding, ones, ones)


def local_response_normalization(input, size, alpha, beta, bias):
    if input.ndim != 4 or {*size[:1], *size[2:]} != {1} or size[1] % 2 == 0:
        energy = around(np.square(input), size)
        return None if energy is None else input / (bias + alpha * energy) ** beta
    if alpha <= 0 or beta <= 0:
        return None  # ONNX Runtime asserts that both are positive
    attributes = {"alpha": alpha, "beta": beta, "bias": bias, "size": size[1]}
    return one("LRN", single(input), **attributes)


def local_mean_normalization(input, size):
    mean = around(input, size)
    return None if mean is None else input - mean


def local_variance_normalization(input, size, bias, epsilon):
    energy = around(np.square(input), size)
    return None if energy is None else input / np.maximum(np.sqrt(energy) + bias, epsilon)


def local_contrast_normalization(input, size, bias, epsilon):
    centered = local_mean_normalization(input, size)
    if centered is None:
        return None
    return local_variance_normalization(centered, size, bias, epsilon)


# -- sampling and regions (4.3.4, 4.6) ------------------------------------------------------------


def resized(factor, input, scale, mode, transformation, **attributes):
    if not 1 <= len(factor) <= 3:
        return None
    scales = np.array([1, 1, *(scale(f) for f in factor)], np.float32)
    return one(
        "Resize",
        single(input),
        constants=("", scales),
        mode=mode,
        coordinate_transformation_mode=transformation,
        **attributes,
    )


def nearest(scale):
    def compute(input, factor):
        return resized(factor, input, scale, "nearest", "asymmetric", nearest_mode="floor")

    return compute


def multilinear_upsample(input, factor, method, border):
    if border != "replicate":
        return None
    names = {"symmetric": "half_pixel", "asymmetric": "asymmetric", "aligned": "align_corners"}
    return resized(factor, input, float, "linear", names[method])


def area_downsample(input, factor):
    if not 1 <= len(factor) <= 3:
        return None
    return one("AveragePool", single(input), kernel_shape=factor, strides=factor)


def avg_roi_align(input, rois, batch_index, output_size, sampling_rate, resize_method):
    if len(output_size) != 2 or resize_method != "symmetric" or len({*sampling_rate}) > 1:
        return None
    starts, stops = rois.reshape(len(rois), 2, 2).swapaxes(0, 1)
    if (starts < 0).any() or (stops > input.shape[2:]).any() or (stops < starts + 1e-3).any():
        return None  # positions outside are 0 there
    height, width = output_size
    return one(
        "RoiAlign",
        single(input),
        single(rois[:, [1, 0, 3, 2]]),
        batch_index.reshape(-1),
        output_height=height,
        output_width=width,
        sampling_ratio=sampling_rate[0],
        coordinate_transformation_mode="half_pixel",
    )


def max_roi_pool(input, rois, batch_index, output_size):
    if len(output_size) != 2:
        return None
    corners = np.floor(rois + 0.5)
    starts, stops = corners.reshape(len(rois), 2, 2).swapaxes(0, 1)
    extents = stops - starts
    if (starts < 0).any() or (stops > input.shape[2:]).any() or (extents < 1).any():
        return None
    if (extents % output_size).any():
        return None  # cells that do not divide a region differ there
    rows = np.concatenate([batch_index, starts[:, ::-1], stops[:, ::-1] - 1], 1)
    return one("MaxRoiPool", single(input), rows.astype(np.float32), pooled_shape=output_size)
