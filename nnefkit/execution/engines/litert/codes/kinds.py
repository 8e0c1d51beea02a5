"""What TFLite's integer kernels expect of the grids of their values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

LAYERS: Mapping[str, tuple[int, int, int]] = {
    "CONV_2D": (0, 1, 0),
    "DEPTHWISE_CONV_2D": (0, 1, 3),
    "FULLY_CONNECTED": (0, 1, 0),
    "TRANSPOSE_CONV": (2, 1, 0),
}
"""Layers with weights: number of the input, number of the weights, their axis of channels. The bias
is the last input, if there is one."""
BIAS: Mapping[str, int] = {
    "CONV_2D": 2,
    "DEPTHWISE_CONV_2D": 2,
    "FULLY_CONNECTED": 2,
    "TRANSPOSE_CONV": 3,
}

MOVING = frozenset(
    ("RESHAPE", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "PAD", "MIRROR_PAD", "GATHER", "TILE")
).union(("SPLIT", "SPLIT_V", "UNPACK", "BROADCAST_TO"))
"""Operators whose results are elements of their input, or zeros."""
SAME = MOVING.union(
    ("MAX_POOL_2D", "AVERAGE_POOL_2D", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "PADV2")
).union(("REDUCE_MAX", "REDUCE_MIN"))
"""Operators whose result has the grid of their input."""
DATA: Mapping[str, int] = {"SPLIT": 1}
"""Number of the input that is not a parameter; 0 by default."""
JOINING = frozenset(("CONCATENATION", "PACK", "MAXIMUM", "MINIMUM", "SELECT_V2"))
"""Operators whose inputs have the grid of their result."""
RESCALING = frozenset(
    ("ADD", "SUB", "MUL", "SQUARED_DIFFERENCE", "RELU", "RELU6", "RELU_N1_TO_1", "LEAKY_RELU")
).union(("RELU_0_TO_1", "PRELU", "HARD_SWISH", "MEAN", "SUM", "BATCH_MATMUL"))
"""Operators whose inputs and result may have any grids."""
TABLES = frozenset(("ELU", "EXP", "GELU", "LOG"))
"""Operators that codes of 8 bits are looked up for."""
COMPARISONS = frozenset(
    ("LESS", "GREATER", "LESS_EQUAL", "GREATER_EQUAL", "EQUAL", "NOT_EQUAL", "ARG_MAX", "ARG_MIN")
)
"""Operators that read codes, and compute none."""

FIXED: Mapping[str, Mapping[str, tuple[float, int]]] = {
    "LOGISTIC": {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)},
    "SOFTMAX": {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)},
    "TANH": {"int8": (1 / 128, 0), "uint8": (1 / 128, 128), "int16": (1 / 32768, 0)},
    "L2_NORMALIZATION": {"int8": (1 / 128, 0), "uint8": (1 / 128, 128)},
    "LOG_SOFTMAX": {"int8": (16 / 256, 127), "uint8": (16 / 256, 255)},
}
"""Operators whose result has one grid: dtype of the codes -> scale and zero point."""

_NARROW: Mapping[np.dtype[np.generic], int] = {
    np.dtype(np.int8): 8,
    np.dtype(np.uint8): 8,
    np.dtype(np.int16): 16,
}
_WITHOUT_UNSIGNED = TABLES | {"SUM", "SQUARED_DIFFERENCE", "BATCH_MATMUL", "RELU_0_TO_1"}
_OF_8_BITS = frozenset(
    ("SQUARED_DIFFERENCE", "HARD_SWISH", "TILE", "PRELU", "RELU6", "RELU_N1_TO_1", "ELU", "GELU")
)


def has_kernel(kind: str, dtype: np.dtype[np.generic]) -> bool:
    """Return whether an operator has a kernel for codes of a dtype."""
    if dtype not in _NARROW:
        return False
    if dtype == np.uint8 and kind in _WITHOUT_UNSIGNED:
        return False
    return _NARROW[dtype] == 8 or kind not in _OF_8_BITS
