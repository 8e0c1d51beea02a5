"""The vocabulary of operations: color, weight and description of each in displays.

It has one row for each operation of ``standard.nnef``, in the order of chapter 4. This table is
the only part of the displays that changes for a new operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from nnefkit.display.attributes_in_brief import (
    Attributes,
    Brief,
    Shape,
    axes,
    convolution,
    factor,
    linear,
    new_shape,
    nothing,
    unusual_axes,
    value_of,
    window,
)
from nnefkit.display.colors import AMBER, BLUE, GRAY, TEAL, VIOLET

Helps = Literal["nothing", "neighbors", "next"]
"""Operations whose box may absorb a small one: none, adjacent ones, or the one after it."""


class Family(NamedTuple):
    """A group of operations that do similar things."""

    name: str
    """The name in legends."""
    color: str
    """``#rrggbb``, of rules, bars and markers."""
    weight: int
    """The default of `VocabularyRow.weight`."""
    helps: Helps = "nothing"
    """The default of `VocabularyRow.helps`."""


PRODUCTS = Family("windows and products", BLUE, 6)
REDUCTIONS = Family("pooling and reductions", VIOLET, 4)
NORMALIZATIONS = Family("normalization and quantization", TEAL, 3, "neighbors")
ELEMENTWISE = Family("elementwise", AMBER, 2, "neighbors")
SHAPING = Family("shaping", GRAY, 1, "neighbors")
INTRODUCING = Family("inputs and parameters", GRAY, 5)
OTHERS = Family("other", GRAY, 5)
"""Custom and vendor operations; somebody added them for a reason, hence the weight."""


class VocabularyRow(NamedTuple):
    """A row of the vocabulary."""

    family: Family
    brief: Brief
    """The attributes that matter, in a few words."""
    weight: int
    """Importance of the operation for the title of a box with several operations."""
    helps: Helps
    """True if the box of a more important operation may absorb it."""
    rearranges: bool
    """It only moves or renames elements, so boxes that compute something do not mention it."""
    deduced: bool
    """It is generic, and NNEF text may omit its type: the type follows from the arguments."""


def _entry(
    family: Family,
    brief: Brief = nothing,
    *,
    weight: int | None = None,
    helps: Helps | None = None,
    rearranges: bool = False,
    deduced: bool = False,
) -> VocabularyRow:
    return VocabularyRow(
        family,
        brief,
        family.weight if weight is None else weight,
        family.helps if helps is None else helps,
        rearranges,
        deduced,
    )


VOCABULARY: Mapping[str, VocabularyRow] = {
    # 4.1 Tensor introducing operations
    "external": _entry(INTRODUCING),
    "constant": _entry(INTRODUCING),
    "variable": _entry(INTRODUCING),
    # 4.2.1 Unary operations
    "copy": _entry(ELEMENTWISE, rearranges=True, deduced=True),
    "neg": _entry(ELEMENTWISE),
    "rcp": _entry(ELEMENTWISE),
    "exp": _entry(ELEMENTWISE),
    "log": _entry(ELEMENTWISE),
    "sin": _entry(ELEMENTWISE),
    "cos": _entry(ELEMENTWISE),
    "tan": _entry(ELEMENTWISE),
    "sinh": _entry(ELEMENTWISE),
    "cosh": _entry(ELEMENTWISE),
    "tanh": _entry(ELEMENTWISE),
    "asin": _entry(ELEMENTWISE),
    "acos": _entry(ELEMENTWISE),
    "atan": _entry(ELEMENTWISE),
    "asinh": _entry(ELEMENTWISE),
    "acosh": _entry(ELEMENTWISE),
    "atanh": _entry(ELEMENTWISE),
    "abs": _entry(ELEMENTWISE),
    "sign": _entry(ELEMENTWISE),
    "not": _entry(ELEMENTWISE),
    "floor": _entry(ELEMENTWISE),
    "ceil": _entry(ELEMENTWISE),
    "round": _entry(ELEMENTWISE),
    # 4.2.2 Binary operations
    "add": _entry(ELEMENTWISE),
    "sub": _entry(ELEMENTWISE),
    "mul": _entry(ELEMENTWISE),
    "div": _entry(ELEMENTWISE),
    "pow": _entry(ELEMENTWISE),
    "lt": _entry(ELEMENTWISE),
    "gt": _entry(ELEMENTWISE),
    "le": _entry(ELEMENTWISE),
    "ge": _entry(ELEMENTWISE),
    "eq": _entry(ELEMENTWISE),
    "ne": _entry(ELEMENTWISE),
    "and": _entry(ELEMENTWISE),
    "or": _entry(ELEMENTWISE),
    # 4.2.3 Select operation
    "select": _entry(ELEMENTWISE, deduced=True),
    # 4.2.4 Simplifier operations
    "sqr": _entry(ELEMENTWISE),
    "sqrt": _entry(ELEMENTWISE),
    "rsqr": _entry(ELEMENTWISE),
    "rsqrt": _entry(ELEMENTWISE),
    "log2": _entry(ELEMENTWISE),
    "min": _entry(ELEMENTWISE),
    "max": _entry(ELEMENTWISE),
    "clamp": _entry(ELEMENTWISE),
    # 4.3.1 Convolution and deconvolution
    "conv": _entry(PRODUCTS, convolution),
    "deconv": _entry(PRODUCTS, convolution),
    # 4.3.2 Box filter
    "box": _entry(PRODUCTS, window),
    "debox": _entry(PRODUCTS, window),
    # 4.3.3 Index based sampling
    "argmax_pool": _entry(REDUCTIONS, window),
    "sample": _entry(REDUCTIONS, window),
    "desample": _entry(REDUCTIONS, window),
    # 4.3.4 Up and down-sampling
    "nearest_downsample": _entry(REDUCTIONS, factor),
    "area_downsample": _entry(REDUCTIONS, factor),
    "nearest_upsample": _entry(REDUCTIONS, factor),
    "multilinear_upsample": _entry(PRODUCTS, factor),
    # 4.4 Reduce operations
    "sum_reduce": _entry(REDUCTIONS, axes),
    "max_reduce": _entry(REDUCTIONS, axes),
    "min_reduce": _entry(REDUCTIONS, axes),
    "argmax_reduce": _entry(REDUCTIONS, axes),
    "argmin_reduce": _entry(REDUCTIONS, axes),
    "all_reduce": _entry(REDUCTIONS, axes),
    "any_reduce": _entry(REDUCTIONS, axes),
    "mean_reduce": _entry(REDUCTIONS, axes),
    # 4.5 Tensor shape operations
    "reshape": _entry(SHAPING, new_shape, rearranges=True, deduced=True),
    "squeeze": _entry(SHAPING, axes, rearranges=True, deduced=True),
    "unsqueeze": _entry(SHAPING, axes, rearranges=True, deduced=True),
    "transpose": _entry(SHAPING, axes, rearranges=True, deduced=True),
    "split": _entry(SHAPING, value_of("axis"), helps="nothing", deduced=True),
    "concat": _entry(SHAPING, value_of("axis"), helps="nothing", deduced=True),
    "stack": _entry(SHAPING, value_of("axis"), helps="nothing", deduced=True),
    "unstack": _entry(SHAPING, value_of("axis"), helps="nothing", deduced=True),
    "slice": _entry(SHAPING, axes, deduced=True),
    "pad": _entry(SHAPING, helps="next"),
    "tile": _entry(SHAPING, value_of("repeats"), deduced=True),
    "gather": _entry(SHAPING, value_of("axis"), weight=5, deduced=True),
    "cast": _entry(ELEMENTWISE),
    # 4.6 Region-of-interest operations
    "avg_roi_pool": _entry(REDUCTIONS, value_of("output_size")),
    "max_roi_pool": _entry(REDUCTIONS, value_of("output_size")),
    "roi_resample": _entry(REDUCTIONS),
    "avg_roi_align": _entry(REDUCTIONS, value_of("output_size")),
    "max_roi_align": _entry(REDUCTIONS, value_of("output_size")),
    # 4.7 Matrix multiplication
    "matmul": _entry(PRODUCTS),
    # 4.8 Variable updates
    "update": _entry(INTRODUCING, deduced=True),
    # 4.9.1 Activation functions
    "sigmoid": _entry(ELEMENTWISE),
    "relu": _entry(ELEMENTWISE),
    "prelu": _entry(ELEMENTWISE),
    "leaky_relu": _entry(ELEMENTWISE, value_of("alpha")),
    "elu": _entry(ELEMENTWISE, value_of("alpha")),
    "selu": _entry(ELEMENTWISE),
    "gelu": _entry(ELEMENTWISE),
    "silu": _entry(ELEMENTWISE),
    "softmax": _entry(ELEMENTWISE, unusual_axes),
    "softplus": _entry(ELEMENTWISE),
    # 4.9.2 Linear operations
    "linear": _entry(PRODUCTS, linear),
    "separable_conv": _entry(PRODUCTS, convolution),
    "separable_deconv": _entry(PRODUCTS, convolution),
    # 4.9.3 Pooling operations
    "max_pool_with_index": _entry(REDUCTIONS, window),
    "max_pool": _entry(REDUCTIONS, window),
    "avg_pool": _entry(REDUCTIONS, window),
    "rms_pool": _entry(REDUCTIONS, window),
    # 4.9.4 Normalization operations
    "local_response_normalization": _entry(NORMALIZATIONS, value_of("size")),
    "local_mean_normalization": _entry(NORMALIZATIONS),
    "local_variance_normalization": _entry(NORMALIZATIONS),
    "local_contrast_normalization": _entry(NORMALIZATIONS),
    "l1_normalization": _entry(NORMALIZATIONS, axes),
    "l2_normalization": _entry(NORMALIZATIONS, axes),
    "batch_normalization": _entry(NORMALIZATIONS),
    # 4.9.5 Quantization operations
    "min_max_linear_quantize": _entry(NORMALIZATIONS),
    "zero_point_linear_quantize": _entry(NORMALIZATIONS),
    "linear_quantize": _entry(NORMALIZATIONS),
    "logarithmic_quantize": _entry(NORMALIZATIONS),
    # 4.9.6 Miscellaneous operations
    "copy_n": _entry(SHAPING, deduced=True),
    "add_n": _entry(ELEMENTWISE),
    "moments": _entry(REDUCTIONS, axes),
}
_UNKNOWN = _entry(OTHERS)


def entry(operation: str) -> VocabularyRow:
    """Return the row of `operation`; custom and vendor operations share one."""
    return VOCABULARY.get(operation, _UNKNOWN)


def family(operation: str) -> Family:
    """Return the family of `operation`."""
    return VOCABULARY.get(operation, _UNKNOWN).family


def brief(operation: str, attributes: Attributes, filter_shape: Shape = None) -> str:
    """Return the attributes that matter in a few words, ``5×5 stride 2``, or an empty string.

    Args:
        operation: Name of the operation.
        attributes: Its attributes by name; missing ones are skipped.
        filter_shape: Shape of its ``filter`` (or ``plane_filter``), if known.
    """
    try:
        return entry(operation).brief(attributes, filter_shape)
    except (TypeError, ValueError, LookupError, ArithmeticError):
        # A graph that was not checked may have attributes of any type.
        return ""
