"""Sliding windows (4.3), pools (4.9.3), local normalization (4.9.4)."""

import math

import numpy as np

from oracles.formulas.elementwise import array_of, each, maximum, over, power


def source(i, extent, border):
    """Return the index in the input of index `i` of the extended input: the formulas of 4.3,
    applied again while they lead outside. None where a border has no such index."""
    while not 0 <= i < extent:
        if border in ("constant", "ignore"):
            return None
        if border == "replicate" or extent == 1:
            return 0 if i < 0 else extent - 1
        if border == "reflect":
            i = -i if i < 0 else extent - 1 - (i - extent + 1)
        else:
            i = -i - 1 if i < 0 else extent - 1 - (i - extent)
    return i


def extended(array, place, border):
    """Return the element of the extended input; None where it is ignored."""
    found = [source(i, extent, border) for i, extent in zip(place, array.shape, strict=True)]
    if None in found:
        return None if border == "ignore" else 0.0
    return array[tuple(found)].item()


def automatic(padding, up, size, stride, dilation):
    """Return the padding of an up-scaled shape, automatic if none is given."""
    if padding:
        return padding
    result = []
    for X, f, s, d in zip(up, size, stride, dilation, strict=True):
        total = max((math.ceil(X / s) - 1) * s + (f - 1) * d + 1 - X, 0)
        result.append((math.floor(total / 2), math.ceil(total / 2)))
    return result


def down_scaled(up, size, padding, stride, dilation):
    return tuple(
        math.floor((p + X + q - ((f - 1) * d + 1)) / s) + 1
        for X, f, (p, q), s, d in zip(up, size, padding, stride, dilation, strict=True)
    )


def up_scaled(down, size, padding, stride, dilation):
    if not padding:
        return tuple(x * s for x, s in zip(down, stride, strict=True))
    return tuple(
        (x - 1) * s + (f - 1) * d + 1 - (p + q)
        for x, f, (p, q), s, d in zip(down, size, padding, stride, dilation, strict=True)
    )


def steps(rank, stride, dilation):
    return stride or [1] * rank, dilation or [1] * rank


def covered(i, j, padding, stride, dilation):
    """Return the index of the element under entry `j` of window `i`."""
    return [
        i_ * s + j_ * d - p
        for i_, j_, (p, _), s, d in zip(i, j, padding, stride, dilation, strict=True)
    ]


def covering(i, j, padding, stride, dilation):
    """Return the index of the window with entry `j` on up-scaled element `i`; None without one."""
    places = []
    for i_, j_, (p, _), s, d in zip(i, j, padding, stride, dilation, strict=True):
        place, rest = divmod(i_ + p - j_ * d, s)
        if rest:
            return None
        places.append(place)
    return places


# -- convolution ----------------------------------------------------------------------------------


def with_bias(total, bias, channel):
    bias = np.asarray(bias)
    return total + bias.reshape(-1)[channel if bias.size > 1 else 0].item()


def conv(input, filter, bias, border, padding, stride, dilation, groups):
    up, size = input.shape[2:], filter.shape[2:]
    stride, dilation = steps(len(up), stride, dilation)
    padding = automatic(padding, up, size, stride, dilation)
    groups = groups or input.shape[1]
    results, per_group = len(filter) // groups, filter.shape[1]

    def at(index):
        b, k, *i = index
        first = k // results * per_group
        total = 0.0
        for c in range(per_group):
            plane = input[b, first + c]
            for j in np.ndindex(*size):
                place = covered(i, j, padding, stride, dilation)
                total += extended(plane, place, border) * filter[(k, c, *j)].item()
        return with_bias(total, bias, k)

    down = down_scaled(up, size, padding, stride, dilation)
    return array_of(at, (len(input), len(filter), *down))


def deconv(input, filter, bias, border, padding, stride, dilation, output_shape, groups):
    down, size = input.shape[2:], filter.shape[2:]
    stride, dilation = steps(len(down), stride, dilation)
    if not groups:
        # Depthwise: a group for each channel of the output, if it is known, else of the input.
        known = output_shape and filter.shape[1] == 1
        groups = output_shape[1] if known else len(filter)
    channels = filter.shape[1] * groups
    shape = output_shape or (
        len(input),
        channels,
        *up_scaled(down, size, padding, stride, dilation),
    )
    padding = automatic(padding, shape[2:], size, stride, dilation)
    per_group = len(filter) // groups

    def at(index):
        b, k, *i = index
        group, c = divmod(k, filter.shape[1])
        total = 0.0
        for n in range(group * per_group, (group + 1) * per_group):
            for j in np.ndindex(*size):
                place = covering(i, j, padding, stride, dilation)
                if place is not None:
                    total += extended(input[b, n], place, border) * filter[(n, c, *j)].item()
        return with_bias(total, bias, k)

    return array_of(at, tuple(shape))


def separable_conv(input, plane_filter, point_filter, bias, groups, **attribs):
    filtered = conv(input, plane_filter, 0.0, groups=0, **attribs)
    plain = {"border": "constant", "padding": [], "stride": [], "dilation": []}
    return conv(filtered, point_filter, bias, groups=groups, **plain)


def separable_deconv(input, plane_filter, point_filter, bias, groups, **attribs):
    plain = {"border": "constant", "padding": [], "stride": [], "dilation": []}
    filtered = deconv(input, point_filter, 0.0, groups=groups, output_shape=[], **plain)
    return deconv(filtered, plane_filter, bias, groups=0, **attribs)


# -- windows over all dimensions ------------------------------------------------------------------


def windows(function, input, size, border, padding, stride, dilation):
    """Return the results of a function of the elements of each window, in row-major order."""
    stride, dilation = steps(input.ndim, stride, dilation)
    padding = automatic(padding, input.shape, size, stride, dilation)

    def at(i):
        places = (covered(i, j, padding, stride, dilation) for j in np.ndindex(*size))
        return function([extended(input, place, border) for place in places])

    return array_of(at, down_scaled(input.shape, size, padding, stride, dilation))


def there(items):
    return [value for value in items if value is not None]


def total(items):
    result = 0.0
    for value in there(items):
        result += value
    return result


def average(items):
    return over(total(items), float(len(there(items))))


def first_maximum(items):
    """The position of the first maximum, or the first NaN; None where all are ignored."""
    best = None
    for j, value in enumerate(items):
        if value is None:
            continue
        if best is None or value > items[best] or (math.isnan(value) > math.isnan(items[best])):
            best = j
    return best


def position(items):
    return first_maximum(items) or 0


def highest(items):
    best = first_maximum(items)
    return -math.inf if best is None else items[best]


def over_windows(function):
    return lambda input, **attribs: windows(function, input, **attribs)


def box(input, normalize, **attribs):
    return windows(average if normalize else total, input, **attribs)


def rms_pool(input, **attribs):
    squares = each(lambda x: power(x, 2.0))(input)
    return each(lambda x: power(x, 0.5))(windows(average, squares, **attribs))


def max_pool_with_index(input, **attribs):
    return [windows(highest, input, **attribs), windows(position, input, **attribs)]


def debox(input, size, border, padding, stride, dilation, output_shape, normalize):
    stride, dilation = steps(input.ndim, stride, dilation)
    shape = output_shape or up_scaled(input.shape, size, padding, stride, dilation)
    padding = automatic(padding, shape, size, stride, dilation)

    def at(i):
        places = (covering(i, j, padding, stride, dilation) for j in np.ndindex(*size))
        items = [extended(input, place, border) for place in places if place is not None]
        return total(items) / (math.prod(size) if normalize else 1)

    return array_of(at, tuple(shape))


def sample(input, index, size, border, padding, stride, dilation):
    stride, dilation = steps(input.ndim, stride, dilation)
    padding = automatic(padding, input.shape, size, stride, dilation)

    def at(i):
        entry, rest = [], int(index[i])
        for f in reversed(size):
            rest, j = divmod(rest, f)
            entry.insert(0, j)
        return extended(input, covered(i, entry, padding, stride, dilation), border)

    return array_of(at, index.shape)


def desample(input, index, size, border, padding, stride, dilation, output_shape):
    stride, dilation = steps(input.ndim, stride, dilation)
    shape = output_shape or up_scaled(input.shape, size, padding, stride, dilation)
    padding = automatic(padding, shape, size, stride, dilation)

    def at(i):
        result = 0.0
        for number, j in enumerate(np.ndindex(*size)):
            place = covering(i, j, padding, stride, dilation)
            if place is None or any(
                not 0 <= k < x for k, x in zip(place, input.shape, strict=True)
            ):
                continue
            if index[tuple(place)] == number:
                result += input[tuple(place)].item()
        return result

    return array_of(at, tuple(shape))


# -- up- and down-sampling (4.3.4) ----------------------------------------------------------------

NOTHING = {"border": "constant", "dilation": []}


def nearest_downsample(input, factor):
    step, none = [1, 1, *factor], [(0, 0)] * input.ndim
    ones = [1] * input.ndim
    return box(input, normalize=False, size=ones, stride=step, padding=none, **NOTHING)


def area_downsample(input, factor):
    step, none = [1, 1, *factor], [(0, 0)] * input.ndim
    return box(input, normalize=True, size=step, stride=step, padding=none, **NOTHING)


def nearest_upsample(input, factor):
    step, none = [1, 1, *factor], [(0, 0)] * input.ndim
    shaped = {"normalize": False, "output_shape": [], **NOTHING}
    return debox(input, size=step, stride=step, padding=none, **shaped)


def weights(i, factor, extent, method):
    """Return the first of two neighbors, and the weight of the second."""
    if method == "asymmetric":
        numerator, denominator = i, factor
    elif method == "symmetric":
        numerator, denominator = 2 * i - (factor - 1), 2 * factor
    elif extent == 1:
        numerator, denominator = 0, 1
    else:
        numerator, denominator = i * (extent - 1), extent * factor - 1
    j, rest = divmod(numerator, denominator)
    return j, rest / denominator


def multilinear_upsample(input, factor, method, border):
    shape = (*input.shape[:2], *(x * f for x, f in zip(input.shape[2:], factor, strict=True)))

    def along(plane, neighbors):
        """Return the weighted sum over the corners around a point; weights of zero do not count."""
        result = 0.0
        for corner in np.ndindex(*[2] * len(neighbors)):
            weight = math.prod(
                u if side else 1 - u for side, (_, u) in zip(corner, neighbors, strict=True)
            )
            if weight:
                place = [j + side for side, (j, _) in zip(corner, neighbors, strict=True)]
                result += weight * extended(plane, place, border)
        return result

    def at(index):
        b, c, *places = index
        neighbors = [
            weights(i, f, x, method)
            for i, f, x in zip(places, factor, input.shape[2:], strict=True)
        ]
        return along(input[b, c], neighbors)

    return array_of(at, shape)


# -- local normalization (4.9.4) ------------------------------------------------------------------


def around(input, size):
    return windows(average, input, size, padding=[], stride=[], **NOTHING)


def local_response_normalization(input, size, alpha, beta, bias):
    energy = around(each(lambda x: x * x)(input), size)
    return each(lambda x, e: over(x, power(bias + alpha * e, beta)))(input, energy)


def local_mean_normalization(input, size):
    return each(lambda x, m: x - m)(input, around(input, size))


def local_variance_normalization(input, size, bias, epsilon):
    energy = around(each(lambda x: x * x)(input), size)
    return each(lambda x, e: over(x, maximum(power(e, 0.5) + bias, epsilon)))(input, energy)


def local_contrast_normalization(input, size, bias, epsilon):
    return local_variance_normalization(local_mean_normalization(input, size), size, bias, epsilon)


FORMULAS = {
    "conv": conv,
    "deconv": deconv,
    "separable_conv": separable_conv,
    "separable_deconv": separable_deconv,
    "box": box,
    "debox": debox,
    "argmax_pool": over_windows(position),
    "sample": sample,
    "desample": desample,
    "nearest_downsample": nearest_downsample,
    "area_downsample": area_downsample,
    "nearest_upsample": nearest_upsample,
    "multilinear_upsample": multilinear_upsample,
    "max_pool_with_index": max_pool_with_index,
    "max_pool": over_windows(highest),
    "avg_pool": over_windows(average),
    "rms_pool": rms_pool,
    "local_response_normalization": local_response_normalization,
    "local_mean_normalization": local_mean_normalization,
    "local_variance_normalization": local_variance_normalization,
    "local_contrast_normalization": local_contrast_normalization,
}
