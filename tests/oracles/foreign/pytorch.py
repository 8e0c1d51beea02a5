"""PyTorch (and NumPy's padding, where PyTorch has no such border)."""

import numpy as np
import torch
from torch.nn import functional

from oracles.foreign.pytorch_tensors import (
    aligned,
    batch_normalization,
    cast,
    gather,
    joined,
    linear,
    listed,
    logarithmic_quantize,
    matmul,
    min_max_linear_quantize,
    moments,
    normalization,
    pad,
    position,
    prelu,
    reduced,
    reshape,
    slice_,
    softmax,
    split,
    tensors,
    unsqueeze,
    zero_point_linear_quantize,
)
from oracles.foreign.pytorch_windows import (
    argmax_pool,
    around,
    average,
    box,
    conv,
    debox,
    deconv,
    desample,
    down,
    local_contrast_normalization,
    local_response_normalization,
    local_variance_normalization,
    max_pool_with_index,
    maximum,
    multilinear_upsample,
    roi_align,
    roi_pool,
    roi_resample,
    sample,
    separable_conv,
    separable_deconv,
    up,
)
from oracles.foreign.said import Said


def said(words, function=None):
    chosen = function or getattr(torch, words)
    return Said(words, lambda x, **attribs: chosen(torch.as_tensor(x), **attribs).numpy())


NAMED = {
    **{name: name for name in ("neg", "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{name: name for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh", "abs", "sign")},
    **{name: name for name in ("floor", "ceil", "round", "sqrt", "rsqrt", "log2", "sigmoid")},
    "rcp": "reciprocal",
    "sqr": "square",
    "not": "logical_not",
    "copy": "clone",
}
BINARY = {
    **{name: name for name in ("add", "sub", "mul", "div", "pow", "lt", "gt", "le", "ge", "eq")},
    "ne": "ne",
    "and": "logical_and",
    "or": "logical_or",
    "min": "minimum",
    "max": "maximum",
    "select": "where",
}

SAID: dict[str, Said] = {
    "constant": Said(
        "full, tensor",
        lambda shape, value, dtype: (
            torch.full(shape, value[0]) if len(value) == 1 else torch.tensor(value).reshape(shape)
        ).numpy(),
    ),
    **{name: said(word) for name, word in NAMED.items()},
    **{name: Said(word, aligned(getattr(torch, word))) for name, word in BINARY.items()},
    "rsqr": said("pow", lambda x: torch.pow(x, -2)),
    "clamp": Said(
        "minimum, maximum", aligned(lambda x, a, b: torch.maximum(torch.minimum(x, b), a))
    ),
    **{name: said(name, getattr(functional, name)) for name in ("relu", "gelu", "silu")},
    "softplus": said("softplus", functional.softplus),
    "leaky_relu": said("leaky_relu", lambda x, alpha: functional.leaky_relu(x, alpha)),
    "elu": said("elu", lambda x, alpha: functional.elu(x, alpha)),
    "selu": said("elu", lambda x, alpha, **rest: rest["lambda"] * functional.elu(x, alpha)),
    "prelu": Said("prelu", prelu),
    "softmax": Said("softmax", softmax),
    "conv": Said("conv1d, conv2d, conv3d", conv),
    "deconv": Said("conv_transpose1d, 2d, 3d", deconv),
    "separable_conv": Said("conv1d, conv2d, conv3d", separable_conv),
    "separable_deconv": Said("conv_transpose1d, 2d, 3d", separable_deconv),
    "box": Said("unfold, sum", box),
    "avg_pool": Said("unfold, sum", average),
    "rms_pool": Said(
        "unfold, sum", lambda input, **attribs: average(np.square(input), **attribs) ** 0.5
    ),
    "debox": Said("unfold, differentiated", debox),
    "argmax_pool": Said("unfold, argmax", argmax_pool),
    "max_pool": Said(
        "unfold, amax", lambda input, **attribs: maximum(input, **attribs).amax(-1).numpy()
    ),
    "max_pool_with_index": Said("unfold, amax, argmax", max_pool_with_index),
    "sample": Said("unfold, gather", sample),
    "desample": Said("unfold, gather, differentiated", desample),
    "nearest_downsample": Said("interpolate", down("nearest")),
    "area_downsample": Said("interpolate", down("area")),
    "nearest_upsample": Said("interpolate", up("nearest")),
    "multilinear_upsample": Said("interpolate, grid_sample", multilinear_upsample),
    "avg_roi_pool": Said("avg_pool1d, 2d, 3d", roi_pool("avg")),
    "max_roi_pool": Said("max_pool1d, 2d, 3d", roi_pool("max")),
    "roi_resample": Said("grid_sample", roi_resample),
    "avg_roi_align": Said("grid_sample, avg_pool", roi_align("avg")),
    "max_roi_align": Said("grid_sample, max_pool", roi_align("max")),
    "sum_reduce": Said(
        "sum, mean",
        reduced(lambda x, axes, normalize: (torch.mean if normalize else torch.sum)(x, axes, True)),
    ),
    "mean_reduce": Said("mean", reduced(lambda x, axes: torch.mean(x, axes, True))),
    "max_reduce": Said("amax", reduced(lambda x, axes: torch.amax(x, axes, True))),
    "min_reduce": Said("amin", reduced(lambda x, axes: torch.amin(x, axes, True))),
    "argmax_reduce": Said("argmax", position(torch.argmax)),
    "argmin_reduce": Said("argmin", position(torch.argmin)),
    "all_reduce": Said("all", reduced(lambda x, axes: torch.all(x, tuple(axes), True))),
    "any_reduce": Said("any", reduced(lambda x, axes: torch.any(x, tuple(axes), True))),
    "moments": Said("var_mean", moments),
    "l1_normalization": Said("vector_norm", normalization(1)),
    "l2_normalization": Said("vector_norm", normalization(2)),
    "batch_normalization": Said("batch_norm", batch_normalization),
    "local_response_normalization": Said("unfold, sum", local_response_normalization),
    "local_mean_normalization": Said(
        "unfold, sum", lambda input, size: input - around(input, size)
    ),
    "local_variance_normalization": Said("unfold, sum", local_variance_normalization),
    "local_contrast_normalization": Said("unfold, sum", local_contrast_normalization),
    "matmul": Said("matmul", matmul),
    "linear": Said("linear", linear),
    "reshape": Said("reshape", reshape),
    "squeeze": Said(
        "squeeze", lambda input, axes: torch.tensor(input).squeeze(tuple(axes)).numpy()
    ),
    "unsqueeze": Said("unsqueeze", unsqueeze),
    "transpose": Said(
        "permute",
        lambda input, axes: (
            torch.tensor(input).permute((*axes, *range(len(axes), input.ndim))).numpy()
        ),
    ),
    "split": Said("split", split),
    "concat": Said("cat", joined(torch.cat)),
    "stack": Said("stack", joined(torch.stack)),
    "unstack": Said("unbind", listed(lambda x, axis: torch.unbind(x, axis))),
    "slice": Said("index_select", slice_),
    "pad": Said("pad, numpy.pad", pad),
    "tile": Said("tile", lambda input, repeats: torch.tile(torch.tensor(input), repeats).numpy()),
    "gather": Said("index_select", gather),
    "cast": Said("to", cast),
    "update": Said("clone", lambda variable, value: torch.tensor(value).clone().numpy()),
    "copy_n": Said("clone", lambda x, times: [torch.tensor(x).clone().numpy()] * times),
    "add_n": Said("sum", lambda x: torch.stack(tensors(*x)).sum(0).numpy()),
    "min_max_linear_quantize": Said("fake_quantize_per_tensor_affine", min_max_linear_quantize),
    "linear_quantize": Said("fake_quantize_per_tensor_affine", min_max_linear_quantize),
    "zero_point_linear_quantize": Said(
        "fake_quantize_per_tensor_affine, per_channel", zero_point_linear_quantize
    ),
    "logarithmic_quantize": Said("log2, round, exp2", logarithmic_quantize),
}
