"""ONNX Runtime: models of one node, or of a few where one is not enough."""

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
from oracles.foreign.oracle import Oracle

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

OPERATIONS: dict[str, Oracle] = {
    **{name: node(op) for name, op in {**UNARY, **BINARY}.items()},
    "ne": Oracle("Equal, Not", lambda x, y: ~one("Equal", *arrays(x, y))),
    "select": Oracle("Where", choose),
    "clamp": Oracle("Min, Max", lambda x, a, b: one("Max", *arrays(one("Min", *arrays(x, b)), a))),
    "sqr": Oracle("Pow", lambda x: one("Pow", single(x), np.array(2, np.float32))),
    "rsqr": Oracle("Pow", lambda x: one("Pow", single(x), np.array(-2, np.float32))),
    "rsqrt": Oracle("Pow", lambda x: one("Pow", single(x), np.array(-0.5, np.float32))),
    "silu": Oracle("Sigmoid, Mul", lambda x: one("Mul", single(x), one("Sigmoid", single(x)))),
    "leaky_relu": Oracle("LeakyRelu", lambda x, alpha: one("LeakyRelu", single(x), alpha=alpha)),
    "elu": Oracle("Elu", lambda x, alpha: one("Elu", single(x), alpha=alpha)),
    "selu": Oracle(
        "Selu",
        lambda x, alpha, **rest: one("Selu", single(x), alpha=alpha * 1.0, gamma=rest["lambda"]),
    ),
    "prelu": Oracle("PRelu", prelu),
    "softmax": Oracle("Softmax", softmax),
    "conv": Oracle("Conv", conv),
    "deconv": Oracle("ConvTranspose", deconv),
    "separable_conv": Oracle("Conv", separable_conv),
    "separable_deconv": Oracle("ConvTranspose", separable_deconv),
    "box": Oracle("AveragePool", box),
    "avg_pool": Oracle("AveragePool", average_pool),
    "rms_pool": Oracle("AveragePool", rms_pool),
    "max_pool": Oracle("MaxPool", max_pool),
    "argmax_pool": Oracle("MaxPool", argmax_pool),
    "max_pool_with_index": Oracle("MaxPool", max_pool_with_index),
    "nearest_downsample": Oracle("Resize", nearest(lambda f: 1 / f)),
    "nearest_upsample": Oracle("Resize", nearest(float)),
    "area_downsample": Oracle("AveragePool", area_downsample),
    "multilinear_upsample": Oracle("Resize", multilinear_upsample),
    "avg_roi_align": Oracle("RoiAlign", avg_roi_align),
    "max_roi_pool": Oracle("MaxRoiPool", max_roi_pool),
    "sum_reduce": Oracle("ReduceSum, ReduceMean", sum_reduce),
    **{
        f"{kind}_reduce": Oracle(
            f"Reduce{kind.capitalize()}", reduced(f"Reduce{kind.capitalize()}")
        )
        for kind in ("mean", "max", "min")
    },
    "argmax_reduce": Oracle("ArgMax", position("ArgMax")),
    "argmin_reduce": Oracle("ArgMin", position("ArgMin")),
    "all_reduce": Oracle("ReduceMin", logical("ReduceMin")),
    "any_reduce": Oracle("ReduceMax", logical("ReduceMax")),
    "moments": Oracle("ReduceMean", moments),
    "l1_normalization": Oracle("ReduceL1", normalization("ReduceL1")),
    "l2_normalization": Oracle("ReduceL2", normalization("ReduceL2")),
    "batch_normalization": Oracle("BatchNormalization", batch_normalization),
    "local_response_normalization": Oracle("LRN, AveragePool", local_response_normalization),
    "local_mean_normalization": Oracle("AveragePool", local_mean_normalization),
    "local_variance_normalization": Oracle("AveragePool", local_variance_normalization),
    "local_contrast_normalization": Oracle("AveragePool", local_contrast_normalization),
    "matmul": Oracle("MatMul", matmul),
    "linear": Oracle("Gemm", linear),
    "reshape": Oracle("Reshape", reshape),
    "squeeze": Oracle(
        "Squeeze",
        lambda input, axes: (
            one("Squeeze", single(input), constants=(ints(*axes),)) if axes else None
        ),
    ),
    "unsqueeze": Oracle(
        "Unsqueeze", lambda input, axes: one("Unsqueeze", single(input), constants=(ints(*axes),))
    ),
    "transpose": Oracle("Transpose", transpose),
    "split": Oracle("Split", split),
    "concat": Oracle("Concat", concat),
    "stack": Oracle("Unsqueeze, Concat", stack),
    "unstack": Oracle("Split, Squeeze", unstack),
    "slice": Oracle("Slice", slice_),
    "pad": Oracle("Pad", pad),
    "tile": Oracle(
        "Tile",
        lambda input, repeats: (
            one("Tile", single(input), constants=(ints(*repeats),)) if repeats else None
        ),
    ),
    "gather": Oracle(
        "Gather", lambda input, indices, axis: one("Gather", single(input), indices, axis=axis)
    ),
    "cast": Oracle("Cast", cast),
    "update": Oracle("Identity", lambda variable, value: one("Identity", single(value))),
    "copy_n": Oracle("Identity", lambda x, times: [one("Identity", single(x))] * times),
    "add_n": Oracle("Sum", lambda x: one("Sum", *arrays(*x))),
    "zero_point_linear_quantize": Oracle(
        "QuantizeLinear, DequantizeLinear",
        lambda x, zero_point, scale, **attribs: quantized(x, scale, zero_point, **attribs),
    ),
    "min_max_linear_quantize": Oracle("QuantizeLinear, DequantizeLinear", min_max),
    "linear_quantize": Oracle("QuantizeLinear, DequantizeLinear", min_max),
    "logarithmic_quantize": Oracle("Log, Round, Pow", logarithmic),
}
