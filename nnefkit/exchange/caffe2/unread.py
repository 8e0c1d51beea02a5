"""Operators of Caffe2 that are not read: why, and what to do instead."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nnefkit.exchange.refusal import Refusal

QUANTIZED = "quantized"
RANDOM = "random"
DATA = "data"
TRAINING = "training"
DETECTION = "detection"
LOOP = "loop"
SPARSE = "sparse"
PACKED = "packed"

REASONS = {
    QUANTIZED: "it computes with codes of 8 or fewer bits",
    RANDOM: "it draws random numbers",
    DATA: "it reads or writes data outside of the network",
    TRAINING: "it is an operator for training and testing, which NNEF has no operation for",
    DETECTION: "it sorts and drops boxes, which NNEF has no operation for",
    LOOP: "it runs another net a number of times, or on a condition",
    SPARSE: "it works on sparse or ragged data, whose extents depend on numbers",
    PACKED: "it converts images from and to bytes for phones",
}
"""Kind of an operator -> why it is not read."""

WAYS_OUT = {
    QUANTIZED: "Give the float network from before it was quantized.",
    RANDOM: "Export the network with its trained weights.",
    DATA: "Make its result an input: input_shapes={...}.",
    TRAINING: "Cut the network before it: outputs=[...].",
    DETECTION: "Cut the network before it, outputs=[...], and compute the rest outside of it.",
    LOOP: "Export the network for a constant number of steps, without nets inside of operators.",
    SPARSE: "Make its result an input, or cut the network before it: outputs=[...].",
    PACKED: "Make its result an input, or cut the network before it: outputs=[...].",
    "": "Cut the network before it, outputs=[...], and compute the rest outside of it.",
}
"""Kind of an operator -> what to do."""

OTHER = "NNEF has no operation for it, or it is not one of Caffe2"
"""Why operators of no kind are not read."""

_PATTERNS = (
    (QUANTIZED, r"Int8\w+|(?!Sparse).*(Fused\w*(Bit|Rand)|Dequant|Quantize|FbFC|FbGemm)\w*"),
    (QUANTIZED, r"QuantDecode|Rowwise8Bit\w+"),
    (RANDOM, r".*(UniformFill|UniformIntFill|GaussianFill|XavierFill|MSRAFill)|WeightedSample.*"),
    (TRAINING, r".*(Gradient\w*|Loss|Entropy.*|Accuracy|Criterion|Adagrad|SGD.*)|.*Adam.*"),
    (TRAINING, r".*(Ftrl|RmsProp|Adadelta|LearningRate\w*|Iter|Storm|YellowFin|Lars|Wngrad)"),
    (TRAINING, r"APMeter|Perplexity|LambdaRankNdcg|.*JSD"),
    (
        DETECTION,
        r".*(Proposals\w*|BoxWithNMSLimit|BBoxTransform|RoI\w+|RMACRegions|HeatmapMaxKeypoint)",
    ),
    (LOOP, r"RecurrentNetwork.*|While|If|Do|ONNXWhile|InferenceLSTM|rnn_internal.*|Onnxifi"),
    (PACKED, r"PackedInt8.*|BRGNCHWC.*"),
    (DATA, r".*(DBInput|ImageInput|VideoInput|Load|Save|Checkpoint|Snapshot|Queue.*|Reader.*)"),
    (DATA, r".*(DB|DBExists|queueBlobs|FeedBlob|Print|Store\w+|Counter|Cursor\w*|Batch|Records)"),
    (SPARSE, r".*(Sparse|Lengths|Segment|Ranges|Unique|IdList|Feature|Index|String|Mask).*"),
)


def kind_of(operator: str, *, is_gradient: bool = False) -> str:
    """Return the kind of an operator that is not read; empty if it is of none."""
    if is_gradient:
        return TRAINING
    for kind, pattern in _PATTERNS:
        if re.fullmatch(pattern, operator):
            return kind
    return ""


def refusal_of_type(
    operator: str, is_gradient: bool, read: Sequence[str], made: Sequence[str]
) -> Refusal:
    """Return the refusal of an operator that is not read.

    Args:
        operator: Its type.
        is_gradient: Whether the network marks it as one of training.
        read: The names of what it reads.
        made: The names of what it computes.
    """
    kind = kind_of(operator, is_gradient=is_gradient)
    reason, hint = REASONS.get(kind, OTHER), WAYS_OUT[kind]
    hint = hint.replace("outputs=[...]", f"outputs={[*read[:3]]!r}") if read else hint
    if made:
        shapes = ", ".join(f"'{name}': (1, 3, 224, 224)" for name in made[:1])
        hint = hint.replace("input_shapes={...}", f"input_shapes={{{shapes}}}")
    return Refusal(reason, hint)
