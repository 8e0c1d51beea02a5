"""The interpreter of the Khronos tools (`nnef_tools`), whose kernels take the attributes of NNEF.

Calls that it rejects by an assertion count as not supported. So do those that it is known to get
wrong; each condition names the fault.
"""

import keyword
import warnings

import numpy as np
import torch
from nnef_tools.interpreter.pytorch.nnef_operators import Operators

from oracles.foreign.oracle import Oracle


def tensor(value, number_dtype):
    if isinstance(value, list):
        return [tensor(item, number_dtype) for item in value]
    if isinstance(value, np.ndarray):
        return torch.tensor(value)
    return torch.tensor(value, dtype=number_dtype if type(value) in (int, float) else None)


def dtype_of(values):
    for value in values:
        found = dtype_of(value) if isinstance(value, list) else None
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            found = torch.tensor(value).dtype
        if found is not None:
            return found
    return None


def runs_all(*_inputs, **_attribs):
    return False


def runs(name, wrong):
    """Return the kernel of an operation, except for calls that it gets `wrong`."""
    kernel = Operators[name]

    def compute(*inputs, **attribs):
        if wrong(*inputs, **attribs):
            return None
        attribs = {
            f"_{key}_" if keyword.iskeyword(key) else key: value for key, value in attribs.items()
        }
        if "dtype" in attribs:
            attribs["dtype"] = {"scalar": np.float64, "integer": np.int64, "logical": bool}[
                attribs["dtype"]
            ]
        for optional in ("padding", "stride", "dilation", "output_shape"):
            if attribs.get(optional, True) == []:
                attribs[optional] = None
        number_dtype = dtype_of(inputs)
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it was written for older versions
                results = kernel(*(tensor(value, number_dtype) for value in inputs), **attribs)
        except (AssertionError, IndexError, NotImplementedError, RuntimeError, TypeError):
            return None  # it does not support the call
        if isinstance(results, (list, tuple)):
            return [result.numpy() for result in results]
        return results.numpy()

    return Oracle("✓", compute)


def one_reach(*inputs, border, padding, output_shape, **attribs):
    """It extends the input of a deconvolution by one element, however far the window reaches; and
    where the output is larger than what is computed, the bias is missing."""
    extended = output_shape or not padding or any(min(pair) < 0 for pair in padding)
    return border != "constant" or bool(extended and np.any(inputs[-1]))


def empty_window(input, size, border, padding, **attribs):
    """It returns 0 for the average of a window whose elements are all ignored."""
    return border == "ignore" and any(
        max(pair) >= f for pair, f in zip(padding, size, strict=False)
    )


def many_axes(x, axes):
    """Its softmax over several axes divides by the sum of its input, over none by 1."""
    return len(axes) != 1


def own_constants(x, alpha, **attribs):
    """It ignores the attributes of selu."""
    return alpha != 1.67326319


def out_of_order(input, axes):
    """It inserts axes in the order in which they are given."""
    return list(axes) != sorted(axes)


def toward_zero(input, dtype):
    """It truncates instead of rounding down."""
    return dtype == "integer" and input.dtype.kind == "f"


def wide_slope(x, alpha):
    """The slope of its prelu must not broadcast the input."""
    return not isinstance(x, np.ndarray) or np.ndim(alpha) > x.ndim


def aligned_right(x, *parameters, **attribs):
    """Its quantization aligns dimensions from the right."""
    return any(np.ndim(value) not in (0, x.ndim) for value in parameters)


def several_limits(x, max, bits):
    """It accepts only one limit."""
    return np.size(max) != 1 or np.ndim(max) > x.ndim


WRONG = {
    "deconv": one_reach,
    "separable_deconv": one_reach,
    "box": empty_window,
    "avg_pool": empty_window,
    "rms_pool": empty_window,
    "softmax": many_axes,
    "selu": own_constants,
    "unsqueeze": out_of_order,
    "cast": toward_zero,
    "prelu": wide_slope,
    "min_max_linear_quantize": aligned_right,
    "zero_point_linear_quantize": aligned_right,
    "logarithmic_quantize": several_limits,
}
NOT_SUPPORTED = {
    # Not an operation of the standard.
    "softabs",
    # Its positions are those in the whole input, unlike in the specification.
    "argmax_pool",
    "max_pool_with_index",
    "desample",
    # Its kernel wants arguments that the operation does not have.
    "linear_quantize",
}

OPERATIONS = {
    name: runs(name, WRONG.get(name, runs_all)) for name in Operators if name not in NOT_SUPPORTED
}
