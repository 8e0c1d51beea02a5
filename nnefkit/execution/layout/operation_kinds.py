"""Which operations can be computed with their axes in another order, and what changes by that."""

from __future__ import annotations

from collections.abc import Collection, Mapping

_UNARY = frozenset(
    ("copy", "neg", "rcp", "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin")
).union(
    ("acos", "atan", "asinh", "acosh", "atanh", "abs", "sign", "not", "floor", "ceil", "round"),
    ("sqr", "sqrt", "rsqr", "rsqrt", "log2", "sigmoid", "relu", "leaky_relu", "elu", "selu"),
    ("gelu", "silu", "softplus", "cast", "copy_n"),
)
_BROADCASTING = frozenset(
    ("add", "sub", "mul", "div", "pow", "lt", "gt", "le", "ge", "eq", "ne", "and", "or")
).union(
    ("select", "min", "max", "clamp", "prelu", "add_n", "batch_normalization"),
    ("min_max_linear_quantize", "zero_point_linear_quantize", "linear_quantize"),
    ("logarithmic_quantize",),
)
_FRAGMENTS = frozenset(
    ("hard_sigmoid", "hard_swish", "mish", "gelu_tanh", "swish", "celu", "shrink", "erf")
).union(
    ("round_half_to_even", "floor_divide", "division_rest", "atan2", "hypot"),
    ("index_from_front", "checked_index", "integers_in_range", "integer_root"),
)
_FRAGMENTS_OF_AXES = frozenset(
    ("integer_log_sum_exp", "log_softmax", "log_sum_exp", "layer_normalization")
).union(("instance_normalization", "rms_normalization"))
BOUND_FRAGMENTS = frozenset(
    ("group_normalization", "scaled_dot_product_attention", "pixel_shuffle", "pixel_unshuffle")
).union(
    ("lstm_step", "lstm_projected_step", "gru_step", "gru_reset_first_step", "rnn_tanh_step"),
    ("rnn_relu_step",),
)
"""Fragments of nnefkit that depend on the order of the axes."""

ELEMENTWISE = _UNARY | _BROADCASTING
POOLING = frozenset(("box", "debox", "max_pool", "avg_pool", "rms_pool"))
LOCAL = frozenset(
    (
        "local_response_normalization",
        "local_mean_normalization",
        "local_variance_normalization",
        "local_contrast_normalization",
    )
)
SPATIAL = (
    POOLING
    | LOCAL
    | frozenset(
        ("conv", "deconv", "separable_conv", "separable_deconv", "argmax_pool", "sample")
    ).union(
        ("desample", "max_pool_with_index", "nearest_downsample", "area_downsample"),
        ("nearest_upsample", "multilinear_upsample", "avg_roi_pool", "max_roi_pool"),
        ("roi_resample", "avg_roi_align", "max_roi_align"),
    )
)
"""Operations that NNEF defines for channels-first tensors, from which the layout spreads."""

_WINDOW = ("size", "padding", "stride", "dilation", "output_shape")
_REDUCTIONS = frozenset(
    ("sum_reduce", "max_reduce", "min_reduce", "mean_reduce", "all_reduce", "any_reduce")
).union(("softmax", "l1_normalization", "l2_normalization", "moments"))
_POSITIONS = frozenset(("argmax_reduce", "argmin_reduce"))

AXES, AXIS = "axes", "axis"

_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(ELEMENTWISE, ()),
    **dict.fromkeys(_REDUCTIONS | _POSITIONS, (AXES,)),
    **dict.fromkeys(("concat", "split", "gather"), (AXIS,)),
    **dict.fromkeys(POOLING, _WINDOW),
    **dict.fromkeys(LOCAL, ("size",)),
    "slice": (AXES,),
    "pad": ("padding",),
    "tile": ("repeats",),
}


def known_operations(fragments: Collection[str] = ()) -> Mapping[str, tuple[str, ...]]:
    """Return the operations that can be computed in another order of axes.

    Args:
        fragments: Names of the fragments that the graph declares as nnefkit does.

    Returns:
        Name -> its attributes that name axes, or that have an element for each axis.
    """
    return {
        **_ATTRIBUTES,
        **dict.fromkeys(_FRAGMENTS.intersection(fragments), ()),
        **dict.fromkeys(_FRAGMENTS_OF_AXES.intersection(fragments), (AXES,)),
    }


def is_ordered(name: str, attribs: Mapping[str, object]) -> bool:
    """Return whether the result of an operation depends on the order of the axes that it names."""
    axes = attribs.get(AXES)
    return name in _POSITIONS and isinstance(axes, (list, tuple)) and len(axes) > 1
