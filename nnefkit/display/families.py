"""The families of operations, and the colour that each has in every display.

The colours reach a contrast of 3 : 1 on white and on #111, so that one HTML serves light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Family(NamedTuple):
    """A group of operations that do a similar thing."""

    name: str
    """What legends call it."""
    color: str
    """``#rrggbb``, of rules, bars and markers."""


BLUE = "#3a84c9"
AMBER = "#b87a14"
VIOLET = "#9272c4"
TEAL = "#2f8f8b"
GREY = "#828282"
RED = "#d9504c"
GREEN = "#2f9560"

PRODUCTS = Family("windows and products", BLUE)
ELEMENTWISE = Family("elementwise", AMBER)
REDUCTIONS = Family("pooling and reductions", VIOLET)
NORMALIZATIONS = Family("normalization and quantization", TEAL)
SHAPING = Family("shaping", GREY)
SOURCES = Family("inputs and parameters", GREY)
OTHERS = Family("other", GREY)

FAMILIES: Mapping[str, Family] = {
    operation: family
    for family, operations in {
        PRODUCTS: """
            conv deconv separable_conv separable_deconv linear matmul box debox
            multilinear_upsample multilinear_downsample
            """,
        ELEMENTWISE: """
            copy neg rcp exp log sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh abs
            sign not floor ceil round add sub mul div pow lt gt le ge eq ne and or select sqr sqrt
            rsqr rsqrt log2 min max clamp sigmoid relu prelu leaky_relu elu selu gelu silu softplus
            softmax cast add_n
            """,
        REDUCTIONS: """
            max_pool avg_pool rms_pool argmax_pool max_pool_with_index sample desample
            area_downsample nearest_downsample nearest_upsample sum_reduce max_reduce min_reduce
            argmax_reduce argmin_reduce mean_reduce any_reduce all_reduce moments max_roi_pool
            avg_roi_pool roi_resample max_roi_align avg_roi_align
            """,
        NORMALIZATIONS: """
            local_response_normalization local_mean_normalization local_variance_normalization
            local_contrast_normalization l1_normalization l2_normalization batch_normalization
            linear_quantize logarithmic_quantize min_max_linear_quantize zero_point_linear_quantize
            """,
        SHAPING: """
            reshape squeeze unsqueeze flatten transpose split concat stack unstack slice pad tile
            gather shape_of copy_n
            """,
        SOURCES: "external variable constant update",
    }.items()
    for operation in operations.split()
}


def family(operation: str) -> Family:
    """The family of `operation`; an operation of a vendor belongs to the others."""
    return FAMILIES.get(operation, OTHERS)
