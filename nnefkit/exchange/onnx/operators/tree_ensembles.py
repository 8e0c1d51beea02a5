"""Tree ensembles, of the domain ``ai.onnx.ml``: level by level, for all trees at once.

The state is the index of a node for each example and tree. At each level the feature and the
threshold of that node are gathered, and one of its two next nodes is selected. Leaves lead to
themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.compositions.elementwise import LARGEST, is_nan
from nnefkit.exchange.onnx.call import INVALID, ML, Call, operator
from nnefkit.exchange.onnx.operators.class_scores import (
    TRANSFORMS,
    label_by_sign,
    label_of_largest,
    labels_of,
    of_two_classes,
    rows,
    transform_of,
    transformed,
)
from nnefkit.exchange.onnx.operators.tree_tables import (
    EQUAL,
    LESS,
    LESS_EQUAL,
    MEMBER,
    Trees,
    trees_of,
    trees_of_branches,
)
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import EXACT, reshaped
from nnefkit.exchange.source_value import Value

_INTEGER = np.dtype(np.int64)
_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
"""How the scores of trees are aggregated, in the order of their numbers in `TreeEnsemble`."""


@operator("TreeEnsembleRegressor", domain=ML)
def tree_ensemble_regressor(c: Call) -> Value:
    """Read scores of targets, aggregated over the trees."""
    x, targets = rows(c), int(c.attribute("n_targets", 1))
    trees = trees_of(c, "target", targets, x.shape[1], _dtype(c))
    aggregate = str(c.attribute("aggregate_function", "SUM"))
    return _regressed(c, x, trees, aggregate, transform_of(c))


@operator("TreeEnsemble", domain=ML)
def tree_ensemble(c: Call) -> Value:
    """Read scores of targets, aggregated over the trees, in the form of version 5."""
    x, targets = rows(c), int(c.attribute("n_targets", 1))
    trees = trees_of_branches(c, targets, x.shape[1], _dtype(c))
    aggregate = _AGGREGATES[_choice(c, "aggregate_function", 1, len(_AGGREGATES))]
    transform = TRANSFORMS[_choice(c, "post_transform", 0, len(TRANSFORMS))]
    if transform in ("SOFTMAX", "LOGISTIC") and targets > 1:
        refuse(
            f"its post_transform {c.attribute('post_transform')} is {transform}, and ONNX Runtime "
            "confuses SOFTMAX and LOGISTIC",
            "Leave it out, and add a Softmax or Sigmoid node.",
        )
    return _regressed(c, x, trees, aggregate, transform)


def _choice(c: Call, name: str, default: int, count: int) -> int:
    """Return an attribute that is the number of a choice."""
    number = int(c.attribute(name, default))
    if not 0 <= number < count:
        c.refuse(f"its {name} is {number}, and there are {count} choices", INVALID)
    return number


def _regressed(c: Call, x: Value, trees: Trees, aggregate: str, transform: str) -> Value:
    base = _base_values(c)
    if base.size not in (0, trees.scores.shape[1]):
        refuse(f"it has {base.size} base values", INVALID)
    with c.graph.scope("tree_ensemble"):
        leaves = _leaves(c, x, trees)
        scores = _aggregated(c, leaves, trees, aggregate)
        if base.any() and trees.scores.shape[1] > 1 and not trees.is_scored.all():
            refuse(
                "it has base values for targets that some of its leaves do not score, and "
                "runtimes disagree on the result",
                "Give each leaf a score for each target, even if it is 0.",
            )
        if base.any():
            scores = c.op("add", scores, c.graph.constant(base[None]))
        return transformed(c, scores, transform)


@operator("TreeEnsembleClassifier", domain=ML)
def tree_ensemble_classifier(c: Call) -> list[Value]:
    """Read labels and scores of classes."""
    x, labels, transform = rows(c), labels_of(c), transform_of(c)
    if len(labels) < 2:
        refuse("it has fewer than two classes", "Leave it out: its result is constant.")
    trees = trees_of(c, "class", len(labels), x.shape[1], _dtype(c))
    base = _base_values(c)
    with c.graph.scope("tree_ensemble"):
        leaves = _leaves(c, x, trees)
        if len(labels) == 2:
            return _binary(c, leaves, trees, labels, base, transform)
        if base.size not in (0, len(labels)):
            refuse(f"it has {base.size} base values for {len(labels)} classes", INVALID)
        scores = _aggregated(c, leaves, trees, "SUM")
        has_score = None if base.size else _has_score(c, leaves, trees)
        if base.any():
            scores = c.op("add", scores, c.graph.constant(base[None]))
        label = label_of_largest(c, scores, labels, has_score)
        return [label, transformed(c, scores, transform)]


def _binary(
    c: Call, leaves: Value, trees: Trees, labels: list[int], base: Array, transform: str
) -> list[Value]:
    """Return the labels and scores of two classes, of which one has scores."""
    (scored,) = np.nonzero(trees.has_score.any(0)) if trees.has_score.any() else ((0,),)
    if len(scored) > 1:
        refuse(
            "its leaves have scores for both classes, and runtimes disagree on the labels",
            "Give scores for one of the two classes only, as converters do.",
        )
    is_first = scored[0] == 0
    if base.size > 1 or (base.size and not is_first):
        refuse(
            f"it has {base.size} base values for one score, and runtimes disagree on them",
            "Give one base value, or none.",
        )
    scores = _aggregated(c, leaves, trees, "SUM")
    score = c.op("slice", scores, axes=[1], begin=[int(scored[0])], end=[int(scored[0]) + 1])
    if base.any():
        score = c.op("add", score, c.decimal(base[0]))
    is_positive = bool((trees.scores >= 0).all())
    label = label_by_sign(c, score, labels, 0.5 if is_positive else 0.0)
    if is_first:
        return [label, of_two_classes(c, score, transform, is_share=is_positive)]
    return [label, transformed(c, scores, transform)]


def _dtype(c: Call) -> Any:
    """Return the dtype in which features are compared with thresholds."""
    return np.float64 if c[0].dtype == np.float64 else np.float32


def _base_values(c: Call) -> Array:
    tensor = c.attribute("base_values_as_tensor")
    given = c.attribute("base_values") or [] if tensor is None else tensor
    return np.asarray(np.ravel(np.asarray(given)), _dtype(c))


# -- from the roots to the leaves ------------------------------------------------------------------


class _Tables:
    """The constants that nodes are looked up in."""

    def __init__(self, c: Call, x: Value, trees: Trees) -> None:
        self.c, self.x, self.trees = c, x, trees
        count, features = x.shape
        if count * features > EXACT:
            refuse(
                f"it selects features from {count * features:,} numbers",
                f"At most {EXACT:,} are supported: read the model with a smaller batch.",
            )
        self.flat = reshaped(c, x, (count * features,))
        starts = np.arange(count, dtype=np.float32)[:, None] * features
        self.starts = c.graph.constant(starts)
        self.kinds = {*trees.comparisons[trees.holds != np.arange(len(trees.holds))].tolist()}

    def of(self, table: Array, node: Value, name: str, dtype: Any = None) -> Value:
        """Return the entries of a table for nodes."""
        if (table == table[:1]).all() and table.ndim == 1:
            return self.c.graph.constant(table[0], dtype)
        stem = f"{self.c.output_names[0]}.{name}"
        constant = self.c.graph.shared(stem, lambda: np.asarray(table, dtype))
        return self.c.op("gather", constant, node, axis=0)

    def features(self, node: Value) -> Value:
        """Return the feature that each node compares, of shape [N, trees]."""
        c = self.c
        column = self.of(self.trees.features, node, "features", np.float32)
        places = c.op("add", self.starts, column) if self.x.shape[0] > 1 else column
        if not places.rank:
            places = reshaped(c, places, (1, 1))
        indices = c.op("cast", places, data_type="integer")
        return c.op("gather", self.flat, indices, axis=0)

    def holds(self, node: Value) -> Value:
        """Return whether the comparison of each node is true."""
        c, trees = self.c, self.trees
        x = self.features(node)
        threshold = self.of(trees.thresholds, node, "thresholds")
        results = {
            kind: c.op({LESS_EQUAL: "le", LESS: "lt", EQUAL: "eq"}[kind], x, threshold)
            for kind in sorted(self.kinds - {MEMBER})
        }
        if MEMBER in self.kinds:
            results[MEMBER] = self._is_member(x, node)
        (_, result), *others = results.items()
        if others:
            kinds = self.of(trees.comparisons, node, "comparisons", np.float32)
            for kind, other in others:
                is_kind = c.op("eq", kinds, float(kind))
                result = c.op("select", is_kind, other, result)
        if trees.nan_holds.any():
            takes_nan = self.of(trees.nan_holds, node, "missing_values_hold", np.bool_)
            result = c.op("or", result, c.op("and", is_nan(c, x), takes_nan))
        return result

    def _is_member(self, x: Value, node: Value) -> Value:
        c, trees = self.c, self.trees
        members = c.graph.constant(trees.members, name=f"{c.output_names[0]}.members")
        if len(trees.members) == 1:
            row = reshaped(c, members, (1, 1, members.shape[1]))
        else:
            row = c.op("gather", members, self.of(trees.sets, node, "sets", _INTEGER), axis=0)
        is_equal = c.op("eq", reshaped(c, x, (*x.shape, 1)), row)
        return reshaped(c, c.op("any_reduce", is_equal, axes=[2]), is_equal.shape[:2])


def _leaves(c: Call, x: Value, trees: Trees) -> Value:
    """Return the leaf that each example reaches in each tree, of shape [N or 1, trees]."""
    tables = _Tables(c, x, trees)
    node = c.graph.constant(trees.roots[None], _INTEGER)
    for _ in range(trees.depth):
        holds = tables.holds(node)
        yes = tables.of(trees.holds, node, "true_nodes", _INTEGER)
        no = tables.of(trees.fails, node, "false_nodes", _INTEGER)
        node = c.op("select", holds, yes, no)
    if node.shape[0] != x.shape[0]:
        # All trees are single leaves.
        node = c.graph.constant(np.repeat(trees.roots[None], x.shape[0], 0), _INTEGER)
    return node


# -- scores ----------------------------------------------------------------------------------------


def _aggregated(c: Call, leaves: Value, trees: Trees, aggregate: str) -> Value:
    """Return the scores of shape [N, targets]."""
    if aggregate not in _AGGREGATES:
        refuse(f"its aggregate function '{aggregate}' is unknown", INVALID)
    shape = (leaves.shape[0], trees.scores.shape[1])
    if aggregate in ("SUM", "AVERAGE"):
        table = c.graph.constant(trees.scores, name=f"{c.output_names[0]}.scores")
        total = c.op("sum_reduce", c.op("gather", table, leaves, axis=0), axes=[1])
        total = reshaped(c, total, shape)
        return c.op("div", total, float(len(trees.roots))) if aggregate == "AVERAGE" else total
    unscored = LARGEST if aggregate == "MIN" else -LARGEST
    numbers = np.where(trees.has_score, trees.scores, unscored).astype(trees.scores.dtype)
    table = c.graph.constant(numbers, name=f"{c.output_names[0]}.scores")
    name = "min_reduce" if aggregate == "MIN" else "max_reduce"
    result = reshaped(c, c.op(name, c.op("gather", table, leaves, axis=0), axes=[1]), shape)
    has_score = _has_score(c, leaves, trees)
    return result if has_score is None else c.op("select", has_score, result, 0.0)


def _has_score(c: Call, leaves: Value, trees: Trees) -> Value | None:
    """Return which targets have a score, of shape [N, targets]; None if all of them do."""
    if trees.is_scored.all():
        return None
    table = c.graph.constant(trees.has_score.astype(np.float32))
    scored = c.op("max_reduce", c.op("gather", table, leaves, axis=0), axes=[1])
    return c.op("gt", reshaped(c, scored, (leaves.shape[0], trees.scores.shape[1])), 0.5)
