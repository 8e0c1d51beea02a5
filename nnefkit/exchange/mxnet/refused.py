"""Operators that are refused by name, with the way out."""

from __future__ import annotations

from typing import NamedTuple

_CUT = "Cut the network before it, outputs={outputs}, and compute the rest outside of it."


class RefusedOperator(NamedTuple):
    """Why NNEF cannot express an operator, and what to do."""

    reason: str
    hint: str = _CUT


_BOXES = RefusedOperator("it sorts and drops boxes, which NNEF has no operation for")
_TRAINING = RefusedOperator("it computes a loss, which networks have in training only")
_RANDOM = RefusedOperator(
    "it draws random numbers, which NNEF has no operation for",
    "Make its result an input of the network.",
)
_LOOP = RefusedOperator(
    "it runs a graph inside of it, and NNEF has no loops and branches",
    "Unroll the loop in the network (cell.unroll), and export it again.",
)
_QUANTIZED = RefusedOperator(
    "it computes with the codes of a quantized network",
    "Read the network of before its quantization (quantize_model), and use nk.quantize.",
)
_FUSED = RefusedOperator(
    "it was fused for one backend",
    "Read the symbol of before its optimization (optimize_for, get_backend_symbol).",
)
_REGIONS = RefusedOperator("it pools regions that are rounded otherwise than in NNEF")
_DYNAMIC = RefusedOperator("the shape of its result depends on the elements of its input")
_DEFORMED = RefusedOperator("its filters move with the input, which NNEF has no operation for")
_CODE = RefusedOperator("it is computed by code that is not in the file")
_FUNCTION = RefusedOperator("NNEF has no operation for its function (4.2)")

REFUSED = {
    **dict.fromkeys(
        (
            *("_contrib_MultiBoxDetection", "_contrib_MultiBoxTarget", "_contrib_box_nms"),
            *("_contrib_Proposal", "_contrib_MultiProposal", "_contrib_bipartite_matching"),
            *("_contrib_box_non_maximum_suppression", "_npx_multibox_detection"),
            "_npx_multibox_target",
        ),
        _BOXES,
    ),
    **dict.fromkeys(
        ("CTCLoss", "ctc_loss", "_contrib_CTCLoss", "_contrib_ctc_loss", "softmax_cross_entropy"),
        _TRAINING,
    ),
    **dict.fromkeys(("_foreach", "_while_loop", "_cond", "_CachedOp"), _LOOP),
    **dict.fromkeys(
        ("ROIPooling", "_npx_roi_pooling", "_contrib_ROIAlign", "_contrib_RROIAlign"), _REGIONS
    ),
    **dict.fromkeys(("_contrib_PSROIPooling", "_contrib_DeformablePSROIPooling"), _REGIONS),
    **dict.fromkeys(
        ("_contrib_DeformableConvolution", "_contrib_ModulatedDeformableConvolution"), _DEFORMED
    ),
    **dict.fromkeys(
        ("_contrib_boolean_mask", "_npi_boolean_mask", "_npx_nonzero", "_npi_unique"), _DYNAMIC
    ),
    **dict.fromkeys(("Custom", "_npi_Custom", "_Native", "_NDArray", "_CustomFunction"), _CODE),
    **dict.fromkeys(
        ("erfinv", "gamma", "gammaln", "digamma", "_npx_erfinv", "_npx_gamma", "_npx_gammaln"),
        _FUNCTION,
    ),
    "Correlation": RefusedOperator("it compares patches of two images at all displacements"),
}
"""Name of an operator -> why it is refused."""
PREFIXES = {
    "_random_": _RANDOM,
    "_sample_": _RANDOM,
    "_shuffle": _RANDOM,
    "random_": _RANDOM,
    "sample_": _RANDOM,
    **dict.fromkeys(("_npi_uniform", "_npi_normal", "_npi_bernoulli", "_npi_random"), _RANDOM),
    "_contrib_quantize": _QUANTIZED,
    "_contrib_dequantize": _QUANTIZED,
    "_contrib_requantize": _QUANTIZED,
    "_sg_": _FUSED,
    "_TensorRT": _FUSED,
    "_contrib_dgl_": RefusedOperator("it computes with graphs in sparse form"),
    "_linalg_": RefusedOperator("it decomposes or solves matrices"),
}
"""Beginning of the names of operators -> why they are refused."""
_OTHER = RefusedOperator("NNEF has no operation for it, or nnefkit has no reader for it")


def refused_operator(name: str) -> RefusedOperator:
    """Return why an operator without a reader is refused."""
    if name in REFUSED:
        return REFUSED[name]
    return next((r for start, r in PREFIXES.items() if name.startswith(start)), _OTHER)
