"""ONNX Runtime: models of one node, or of a few where one does not say it."""

import numpy as np

from oracles.foreign.onnx_node import arrays, choose, ints, node, one, single
from oracles.foreign.onnx_tensors import (
    batch_normalization,
    cast,
    concat,
    linear,
    logarithmic,
    logical,
    matmul,
    min_max,
    moments,
    normalization,
    pad,
    position,
    prelu,
    quantized,
    reduced,
    reshape,
    slice_,
    softmax,
    split,
    stack,
    sum_reduce,
    transpose,
    unstack,
)
from oracles.foreign.onnx_windows import (
    area_downsample,
    argmax_pool,
    average_pool,
    avg_roi_align,
    box,
    conv,
    deconv,
    local_contrast_normalization,
    local_mean_normalization,
    local_response_normalization,
    local_variance_normalization,
    max_pool,
    max_pool_with_index,
    max_roi_pool,
    multilinear_upsample,
    nearest,
    rms_pool,
    separable_conv,
    separable_deconv,
)
from oracles.foreign.said import Said

UNARY = {
    **{name: name.capitalize() for name in ("neg", "exp", "log", "sin", "cos", "tan", "sinh")},
    **{name: name.capitalize() for name in ("cosh", "tanh", "asin", "acos", "atan", "asinh")},
    **{name: name.capitalize() for name in ("acosh", "atanh", "abs", "sign", "not", "floor")},
    **{name: name.capitalize() for name in ("ceil", "round", "sqrt", "sigmoid", "relu", "gelu")},
    "rcp": "Reciprocal",
    "softplus": "Softplus",
    "copy": "Identity",
}
BINARY = {
    **{name: name.capitalize() for name in ("add", "sub", "mul", "div", "pow", "and", "or")},
    **{name: name.capitalize() for name in ("min", "max")},
    "lt": "Less",
    "gt": "Greater",
    "le": "LessOrEqual",
    "ge": "GreaterOrEqual",
    "eq": "Equal",
}

SAID: dict[str, Said] = {
    **{name: node(op) for name, op in {**UNARY, **BINARY}.items()},
    "ne": Said("Equal, Not", lambda x, y: ~one("Equal", *arrays(x, y))),
    "select": Said("Where", choose),
    "clamp": Said("Min, Max", lambda x, a, b: one("Max", *arrays(one("Min", *arrays(x, b)), a))),
    "sqr": Said("Pow", lambda x: one("Pow", single(x), np.array(2, np.float32))),
    "rsqr": Said("Pow", lambda x: one("Pow", single(x), np.array(-2, np.float32))),
    "rsqrt": Said("Pow", lambda x: one("Pow", single(x), np.array(-0.5, np.float32))),
    "silu": Said("Sigmoid, Mul", lambda x: one("Mul", single(x), one("Sigmoid", single(x)))),
    "leaky_relu": Said("LeakyRelu", lambda x, alpha: one("LeakyRelu", single(x), alpha=alpha)),
    "elu": Said("Elu", lambda x, alpha: one("Elu", single(x), alpha=alpha)),
    "selu": Said(
        "Selu",
        lambda x, alpha, **rest: one("Selu", single(x), alpha=alpha * 1.0, gamma=rest["lambda"]),
    ),
    "prelu": Said("PRelu", prelu),
    "softmax": Said("Softmax", softmax),
    "conv": Said("Conv", conv),
    "deconv": Said("ConvTranspose", deconv),
    "separable_conv": Said("Conv", separable_conv),
    "separable_deconv": Said("ConvTranspose", separable_deconv),
    "box": Said("AveragePool", box),
    "avg_pool": Said("AveragePool", average_pool),
    "rms_pool": Said("AveragePool", rms_pool),
    "max_pool": Said("MaxPool", max_pool),
    "argmax_pool": Said("MaxPool", argmax_pool),
    "max_pool_with_index": Said("MaxPool", max_pool_with_index),
    "nearest_downsample": Said("Resize", nearest(lambda f: 1 / f)),
    "nearest_upsample": Said("Resize", nearest(float)),
    "area_downsample": Said("AveragePool", area_downsample),
    "multilinear_upsample": Said("Resize", multilinear_upsample),
    "avg_roi_align": Said("RoiAlign", avg_roi_align),
    "max_roi_pool": Said("MaxRoiPool", max_roi_pool),
    "sum_reduce": Said("ReduceSum, ReduceMean", sum_reduce),
    **{
        f"{kind}_reduce": Said(f"Reduce{kind.capitalize()}", reduced(f"Reduce{kind.capitalize()}"))
        for kind in ("mean", "max", "min")
    },
    "argmax_reduce": Said("ArgMax", position("ArgMax")),
    "argmin_reduce": Said("ArgMin", position("ArgMin")),
    "all_reduce": Said("ReduceMin", logical("ReduceMin")),
    "any_reduce": Said("ReduceMax", logical("ReduceMax")),
    "moments": Said("ReduceMean", moments),
    "l1_normalization": Said("ReduceL1", normalization("ReduceL1")),
    "l2_normalization": Said("ReduceL2", normalization("ReduceL2")),
    "batch_normalization": Said("BatchNormalization", batch_normalization),
    "local_response_normalization": Said("LRN, AveragePool", local_response_normalization),
    "local_mean_normalization": Said("AveragePool", local_mean_normalization),
    "local_variance_normalization": Said("AveragePool", local_variance_normalization),
    "local_contrast_normalization": Said("AveragePool", local_contrast_normalization),
    "matmul": Said("MatMul", matmul),
    "linear": Said("Gemm", linear),
    "reshape": Said("Reshape", reshape),
    "squeeze": Said(
        "Squeeze",
        lambda input, axes: (
            one("Squeeze", single(input), constants=(ints(*axes),)) if axes else None
        ),
    ),
    "unsqueeze": Said(
        "Unsqueeze", lambda input, axes: one("Unsqueeze", single(input), constants=(ints(*axes),))
    ),
    "transpose": Said("Transpose", transpose),
    "split": Said("Split", split),
    "concat": Said("Concat", concat),
    "stack": Said("Unsqueeze, Concat", stack),
    "unstack": Said("Split, Squeeze", unstack),
    "slice": Said("Slice", slice_),
    "pad": Said("Pad", pad),
    "tile": Said(
        "Tile",
        lambda input, repeats: (
            one("Tile", single(input), constants=(ints(*repeats),)) if repeats else None
        ),
    ),
    "gather": Said(
        "Gather", lambda input, indices, axis: one("Gather", single(input), indices, axis=axis)
    ),
    "cast": Said("Cast", cast),
    "update": Said("Identity", lambda variable, value: one("Identity", single(value))),
    "copy_n": Said("Identity", lambda x, times: [one("Identity", single(x))] * times),
    "add_n": Said("Sum", lambda x: one("Sum", *arrays(*x))),
    "zero_point_linear_quantize": Said(
        "QuantizeLinear, DequantizeLinear",
        lambda x, zero_point, scale, **attribs: quantized(x, scale, zero_point, **attribs),
    ),
    "min_max_linear_quantize": Said("QuantizeLinear, DequantizeLinear", min_max),
    "linear_quantize": Said("QuantizeLinear, DequantizeLinear", min_max),
    "logarithmic_quantize": Said("Log, Round, Pow", logarithmic),
}
