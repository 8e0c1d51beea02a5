"""Scores of classes, of classical models: their transformation, and the label of the best one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnefkit.exchange.compositions.elementwise import LARGEST
from nnefkit.exchange.onnx.call import INVALID, Call
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, to_scalar
from nnefkit.exchange.source_value import Value

TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
"""The transformations, in the order of their numbers in `TreeEnsemble`."""

_NEARLY_ZERO = 1e-7
_A = 0.147
"""The constant of Winitzki's approximation of the inverse error function, which runtimes use."""


def rows(c: Call) -> Value:
    """Return the first input as a matrix of scalars; a vector is one row."""
    x = to_scalar(c, c[0])
    if x.rank > 2 or not x.rank:
        refuse(f"its input has rank {x.rank}", "Pass a matrix with one row for each example.")
    return reshaped(c, x, (1, *x.shape)) if x.rank == 1 else x


def transform_of(c: Call) -> str:
    """Return the transformation of the scores of a node."""
    return str(c.attribute("post_transform", "NONE"))


def transformed(c: Call, scores: Value, transform: str) -> Value:
    """Return scores of shape [N, classes] after a transformation.

    As in ONNX Runtime, a single score is transformed only by PROBIT.
    """
    if transform == "PROBIT":
        return _probit(c, scores)
    if transform == "NONE" or scores.shape[1] == 1:
        return scores
    if transform == "LOGISTIC":
        return c.op("sigmoid", scores)
    if transform == "SOFTMAX":
        return c.op("softmax", scores, axes=[1])
    if transform != "SOFTMAX_ZERO":
        refuse(f"its transformation '{transform}' is unknown", INVALID)
    return _softmax_without_zeros(c, scores)


def _softmax_without_zeros(c: Call, scores: Value) -> Value:
    """Return a softmax over the scores that are not 0; those that are 0 remain nearly 0."""
    with c.graph.scope("softmax_zero"):
        largest = c.op("max_reduce", scores, axes=[1])
        is_zero = c.op("le", c.op("abs", scores), _NEARLY_ZERO)
        waves = c.op("exp", c.op("sub", scores, largest))
        total = c.op("sum_reduce", c.op("select", is_zero, 0.0, waves), axes=[1])
        small = c.op("mul", scores, c.op("exp", c.op("neg", largest)))
        return c.op("div", c.op("select", is_zero, small, waves), total)


def _probit(c: Call, scores: Value) -> Value:
    """Return the quantiles of the normal distribution, by Winitzki's approximation."""
    with c.graph.scope("probit"):
        x = c.op("sub", c.op("mul", scores, 2.0), 1.0)
        log = c.op("log", c.op("mul", c.op("sub", 1.0, x), c.op("add", 1.0, x)))
        middle = c.op("add", c.op("mul", log, 0.5), c.decimal(2 / (3.14159 * _A)))
        inner = c.op("sub", c.op("sqr", middle), c.op("mul", log, c.decimal(1 / _A)))
        root = c.op("sqrt", c.op("sub", c.op("sqrt", inner), middle))
        signed = c.op("select", c.op("lt", x, 0.0), c.op("neg", root), root)
        return c.op("mul", signed, c.decimal(np.sqrt(2)))


def of_two_classes(c: Call, score: Value, transform: str, *, is_share: bool) -> Value:
    """Return the scores of two classes, given that of the second one, of shape [N, 1].

    Args:
        c: The call of the operator.
        score: The score of the second class.
        transform: The transformation.
        is_share: Whether the two scores add up to 1, not to 0.
    """
    if transform == "PROBIT":
        refuse(
            "it transforms the score of one of two classes by PROBIT",
            "Export the model without this transformation of its scores.",
        )
    if transform == "LOGISTIC":
        return c.op("sigmoid", c.op("concat", [c.op("neg", score), score], axis=1))
    other = c.op("sub", 1.0, score) if is_share else c.op("neg", score)
    return c.op("concat", [other, score], axis=1)


# -- labels ----------------------------------------------------------------------------------------


def labels_of(c: Call) -> list[int]:
    """Return the labels of the classes; [] if there are none."""
    for name in ("classlabels_strings", "classlabels_string"):
        if c.attribute(name):
            refuse(
                "its labels are strings, which other nodes compute with",
                "Return the labels from the model unchanged: then they become class indices.",
            )
    ints = c.attribute("classlabels_ints") or c.attribute("classlabels_int64s") or []
    return [int(label) for label in ints]


def label_by_sign(c: Call, score: Value, labels: Sequence[int], threshold: float = 0.0) -> Value:
    """Return the second label where a score of shape [N, 1] exceeds a threshold."""
    negative, positive = labels if len(labels) == 2 else (0, 1)
    is_positive = c.op("gt", reshaped(c, score, score.shape[:1]), threshold)
    integer = np.dtype(np.int64)
    return c.op(
        "select",
        is_positive,
        c.graph.constant(positive, integer),
        c.graph.constant(negative, integer),
        data_type="integer",
    )


def label_of_largest(
    c: Call, scores: Value, labels: Sequence[int], has_score: Value | None = None
) -> Value:
    """Return the label of the first of the largest scores of shape [N, classes].

    Args:
        c: The call of the operator.
        scores: The scores.
        labels: The labels of the classes.
        has_score: Which of them take part; all by default.
    """
    if len(labels) != scores.shape[1]:
        refuse(f"it has {len(labels)} labels for {scores.shape[1]} scores", INVALID)
    if has_score is not None:
        scores = c.op("select", has_score, scores, -LARGEST)
    index = reshaped(c, c.op("argmax_reduce", scores, axes=[1]), scores.shape[:1])
    if [*labels] == [*range(len(labels))]:
        return index
    return c.op("gather", c.graph.constant(labels, np.int64, "labels"), index, axis=0)
