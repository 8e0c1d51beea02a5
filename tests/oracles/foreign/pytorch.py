"""PyTorch (and NumPy's padding, where PyTorch has no such border)."""

import numpy as np
import torch
from torch.nn import functional

from oracles.foreign.oracle import Oracle
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


def by_function(words, function=None):
    chosen = function or getattr(torch, words)
    return Oracle(words, lambda x, **attribs: chosen(torch.as_tensor(x), **attribs).numpy())


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

OPERATIONS: dict[str, Oracle] = {
    "constant": Oracle(
        "full, tensor",
        lambda shape, value, dtype: (
            torch.full(shape, value[0]) if len(value) == 1 else torch.tensor(value).reshape(shape)
        ).numpy(),
    ),
    **{name: by_function(word) for name, word in NAMED.items()},
    **{name: Oracle(word, aligned(getattr(torch, word))) for name, word in BINARY.items()},
    "rsqr": by_function("pow", lambda x: torch.pow(x, -2)),
    "clamp": Oracle(
        "minimum, maximum", aligned(lambda x, a, b: torch.maximum(torch.minimum(x, b), a))
    ),
    **{name: by_function(name, getattr(functional, name)) for name in ("relu", "gelu", "silu")},
    "softplus": by_function("softplus", functional.softplus),
    "leaky_relu": by_function("leaky_relu", lambda x, alpha: functional.leaky_relu(x, alpha)),
    "elu": by_function("elu", lambda x, alpha: functional.elu(x, alpha)),
    "selu": by_function("elu", lambda x, alpha, **rest: rest["lambda"] * functional.elu(x, alpha)),
    "prelu": Oracle("prelu", prelu),
    "softmax": Oracle("softmax", softmax),
    "conv": Oracle("conv1d, conv2d, conv3d", conv),
    "deconv": Oracle("conv_transpose1d, 2d, 3d", deconv),
    "separable_conv": Oracle("conv1d, conv2d, conv3d", separable_conv),
    "separable_deconv": Oracle("conv_transpose1d, 2d, 3d", separable_deconv),
    "box": Oracle("unfold, sum", box),
    "avg_pool": Oracle("unfold, sum", average),
    "rms_pool": Oracle(
        "unfold, sum", lambda input, **attribs: average(np.square(input), **attribs) ** 0.5
    ),
    "debox": Oracle("unfold, differentiated", debox),
    "argmax_pool": Oracle("unfold, argmax", argmax_pool),
    "max_pool": Oracle(
        "unfold, amax", lambda input, **attribs: maximum(input, **attribs).amax(-1).numpy()
    ),
    "max_pool_with_index": Oracle("unfold, amax, argmax", max_pool_with_index),
    "sample": Oracle("unfold, gather", sample),
    "desample": Oracle("unfold, gather, differentiated", desample),
    "nearest_downsample": Oracle("interpolate", down("nearest")),
    "area_downsample": Oracle("interpolate", down("area")),
    "nearest_upsample": Oracle("interpolate", up("nearest")),
    "multilinear_upsample": Oracle("interpolate, grid_sample", multilinear_upsample),
    "avg_roi_pool": Oracle("avg_pool1d, 2d, 3d", roi_pool("avg")),
    "max_roi_pool": Oracle("max_pool1d, 2d, 3d", roi_pool("max")),
    "roi_resample": Oracle("grid_sample", roi_resample),
    "avg_roi_align": Oracle("grid_sample, avg_pool", roi_align("avg")),
    "max_roi_align": Oracle("grid_sample, max_pool", roi_align("max")),
    "sum_reduce": Oracle(
        "sum, mean",
        reduced(lambda x, axes, normalize: (torch.mean if normalize else torch.sum)(x, axes, True)),
    ),
    "mean_reduce": Oracle("mean", reduced(lambda x, axes: torch.mean(x, axes, True))),
    "max_reduce": Oracle("amax", reduced(lambda x, axes: torch.amax(x, axes, True))),
    "min_reduce": Oracle("amin", reduced(lambda x, axes: torch.amin(x, axes, True))),
    "argmax_reduce": Oracle("argmax", position(torch.argmax)),
    "argmin_reduce": Oracle("argmin", position(torch.argmin)),
    "all_reduce": Oracle("all", reduced(lambda x, axes: torch.all(x, tuple(axes), True))),
    "any_reduce": Oracle("any", reduced(lambda x, axes: torch.any(x, tuple(axes), True))),
    "moments": Oracle("var_mean", moments),
    "l1_normalization": Oracle("vector_norm", normalization(1)),
    "l2_normalization": Oracle("vector_norm", normalization(2)),
    "batch_normalization": Oracle("batch_norm", batch_normalization),
    "local_response_normalization": Oracle("unfold, sum", local_response_normalization),
    "local_mean_normalization": Oracle(
        "unfold, sum", lambda input, size: input - around(input, size)
    ),
    "local_variance_normalization": Oracle("unfold, sum", local_variance_normalization),
    "local_contrast_normalization": Oracle("unfold, sum", local_contrast_normalization),
    "matmul": Oracle("matmul", matmul),
    "linear": Oracle("linear", linear),
    "reshape": Oracle("reshape", reshape),
    "squeeze": Oracle(
        "squeeze", lambda input, axes: torch.tensor(input).squeeze(tuple(axes)).numpy()
    ),
    "unsqueeze": Oracle("unsqueeze", unsqueeze),
    "transpose": Oracle(
        "permute",
        lambda input, axes: (
            torch.tensor(input).permute((*axes, *range(len(axes), input.ndim))).numpy()
        ),
    ),
    "split": Oracle("split", split),
    "concat": Oracle("cat", joined(torch.cat)),
    "stack": Oracle("stack", joined(torch.stack)),
    "unstack": Oracle("unbind", listed(lambda x, axis: torch.unbind(x, axis))),
    "slice": Oracle("index_select", slice_),
    "pad": Oracle("pad, numpy.pad", pad),
    "tile": Oracle("tile", lambda input, repeats: torch.tile(torch.tensor(input), repeats).numpy()),
    "gather": Oracle("index_select", gather),
    "cast": Oracle("to", cast),
    "update": Oracle("clone", lambda variable, value: torch.tensor(value).clone().numpy()),
    "copy_n": Oracle("clone", lambda x, times: [torch.tensor(x).clone().numpy()] * times),
    "add_n": Oracle("sum", lambda x: torch.stack(tensors(*x)).sum(0).numpy()),
    "min_max_linear_quantize": Oracle("fake_quantize_per_tensor_affine", min_max_linear_quantize),
    "linear_quantize": Oracle("fake_quantize_per_tensor_affine", min_max_linear_quantize),
    "zero_point_linear_quantize": Oracle(
        "fake_quantize_per_tensor_affine, per_channel", zero_point_linear_quantize
    ),
    "logarithmic_quantize": Oracle("log2, round, exp2", logarithmic_quantize),
}
