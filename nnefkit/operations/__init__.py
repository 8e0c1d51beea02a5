"""Argument rule, shape rule, cost and reference kernel of every standard operation.

Each module holds the operations of one section of chapter 4; `registry` holds the tables.
"""

# Importing a module registers what it defines.
from nnefkit.operations import (  # noqa: F401
    activation,
    box,
    convolution,
    elementwise,
    joining,
    linear_algebra,
    local_normalization,
    miscellaneous,
    normalization,
    pooling,
    quantization,
    reduction,
    region_of_interest,
    resampling,
    shaping,
    slicing,
    tensor_introduction,
)
from nnefkit.operations.kernel_call import as_argument, call, computing_dtype, shape_of_literal
from nnefkit.operations.registry import COSTS, KERNELS, SHAPE_RULES, kernel, macs, shape_rule

__all__ = [
    "COSTS",
    "KERNELS",
    "SHAPE_RULES",
    "as_argument",
    "call",
    "computing_dtype",
    "kernel",
    "macs",
    "shape_of_literal",
    "shape_rule",
]


def __dir__() -> list[str]:
    return sorted(__all__)
