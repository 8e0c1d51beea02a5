"""Linear models and support vector machines, of the domain ``ai.onnx.ml``."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.onnx.call import INVALID, ML, Call, operator
from nnefkit.exchange.onnx.operators.class_scores import (
    label_by_sign,
    label_of_largest,
    labels_of,
    of_two_classes,
    rows,
    transform_of,
    transformed,
)
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value


def _numbers(c: Call, name: str) -> Array:
    """Return an attribute as an array of scalars."""
    return np.asarray(c.attribute(name) or [], c.scalar_dtype).reshape(-1)


def _weights(c: Call, array: Array, name: str) -> Value:
    return c.graph.constant(np.asarray(array, c.scalar_dtype), name=f"{c.output_names[0]}.{name}")


# -- linear models ---------------------------------------------------------------------------------


@operator("LinearRegressor", domain=ML)
def linear_regressor(c: Call) -> Value:
    """Read `linear`."""
    targets = int(c.attribute("targets", 1))
    return transformed(c, _linear(c, rows(c), targets), transform_of(c))


@operator("LinearClassifier", domain=ML)
def linear_classifier(c: Call) -> list[Value]:
    """Read labels and scores: `linear`, and the index of the largest score."""
    labels, transform = labels_of(c), transform_of(c)
    count = _numbers(c, "intercepts").size
    if not count:
        refuse("it has no intercepts", "Add an intercept of 0 for each class.")
    scores = _linear(c, rows(c), count)
    if count > 1:
        return [label_of_largest(c, scores, labels), transformed(c, scores, transform)]
    label = label_by_sign(c, scores, labels)
    if len(labels) != 2:
        return [label, transformed(c, scores, transform)]
    return [label, of_two_classes(c, scores, transform, is_share=True)]


def _linear(c: Call, x: Value, count: int) -> Value:
    """Return the products of rows with the coefficients, plus the intercepts."""
    coefficients, intercepts = _numbers(c, "coefficients"), _numbers(c, "intercepts")
    features = x.shape[1]
    if coefficients.size != count * features or intercepts.size not in (0, count):
        refuse(f"its coefficients do not fit {features} features and {count} results", INVALID)
    filters = _weights(c, coefficients.reshape(count, features), "coefficients")
    if not intercepts.any():
        return c.op("linear", x, filters)
    return c.op("linear", x, filters, _weights(c, intercepts.reshape(1, count), "intercepts"))


# -- support vector machines -----------------------------------------------------------------------


@operator("SVMRegressor", domain=ML)
def svm_regressor(c: Call) -> Value:
    """Read a weighted sum of kernels, or for a detector of outliers, its sign as 1 and -1."""
    x, rho, coefficients = rows(c), _numbers(c, "rho"), _numbers(c, "coefficients")
    count = int(c.attribute("n_supports", 0))
    if not count:
        result = _products(c, x, coefficients.reshape(1, -1), "coefficients", float(rho[0]))
    else:
        vectors = _numbers(c, "support_vectors").reshape(count, -1)
        weights = _weights(c, coefficients.reshape(1, count), "coefficients")
        result = c.op("linear", _kernel(c, x, vectors), weights)
        result = c.op("add", result, c.decimal(rho[0])) if rho[0] else result
    if c.attribute("one_class", 0):
        return c.op("select", c.op("gt", result, 0.0), 1.0, -1.0)
    return result


@operator("SVMClassifier", domain=ML)
def svm_classifier(c: Call) -> list[Value]:
    """Read labels by votes of the pairs of classes, and the scores of the pairs."""
    labels, transform, x = labels_of(c), transform_of(c), rows(c)
    rho, coefficients = _numbers(c, "rho"), _numbers(c, "coefficients")
    counts = c.ints("vectors_per_class") or []
    if c.attribute("prob_a"):
        refuse(
            "it estimates probabilities of classes, by a different iteration in each runtime",
            "Export the model without probabilities, as with SVC(probability=False).",
        )
    if not sum(counts):
        if len(labels) < 3:
            refuse("it is linear and has two classes", "Write it as a LinearClassifier.")
        filters = coefficients.reshape(len(labels), -1)
        scores = _products(c, x, filters, "coefficients", float(rho[0]))
        return [label_of_largest(c, scores, labels), transformed(c, scores, transform)]
    if len(labels) != len(counts) or len(labels) < 2:
        refuse(f"it has {len(labels)} labels for {len(counts)} classes", INVALID)
    vectors = _numbers(c, "support_vectors").reshape(sum(counts), -1)
    weights = _pairs(coefficients.reshape(len(labels) - 1, -1), counts)
    scores = c.op(
        "linear",
        _kernel(c, x, vectors),
        _weights(c, weights, "coefficients"),
        _weights(c, rho[: len(weights)].reshape(1, -1), "rho"),
    )
    label = _voted(c, scores, labels)
    if len(labels) > 2:
        return [label, transformed(c, scores, transform)]
    return [label, of_two_classes(c, scores, transform, is_share=transform != "NONE")]


def _pairs(coefficients: Array, counts: list[int]) -> Array:
    """Return the weight of each support vector for each pair of classes."""
    ends = np.cumsum(counts)
    parts = [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
    pairs = [*combinations(range(len(counts)), 2)]
    weights = np.zeros((len(pairs), int(ends[-1])), coefficients.dtype)
    for row, (i, j) in zip(weights, pairs, strict=True):
        row[parts[i]] = coefficients[j - 1, parts[i]]
        row[parts[j]] = coefficients[i, parts[j]]
    return weights


def _voted(c: Call, scores: Value, labels: list[int]) -> Value:
    """Return the label with most votes; a pair votes for its first class if its score is > 0."""
    pairs = [*combinations(range(len(labels)), 2)]
    votes = np.zeros((2, len(labels), len(pairs)))
    for number, (i, j) in enumerate(pairs):
        votes[0, i, number], votes[1, j, number] = 1, 1
    is_first = c.op("cast", c.op("gt", scores, 0.0), data_type="scalar")
    difference = _weights(c, votes[0] - votes[1], "votes")
    base = _weights(c, votes[1].sum(1)[None], "votes_of_zeros")
    return label_of_largest(c, c.op("linear", is_first, difference, base), labels)


def _products(c: Call, x: Value, filters: Array, name: str, offset: float = 0.0) -> Value:
    if filters.shape[1] != x.shape[1]:
        refuse(f"its {name} do not fit {x.shape[1]} features", INVALID)
    result = c.op("linear", x, _weights(c, filters, name))
    return c.op("add", result, c.decimal(offset)) if offset else result


def _kernel(c: Call, x: Value, vectors: Array) -> Value:
    """Return the kernel of each row and each support vector, of shape [N, vectors]."""
    kind = str(c.attribute("kernel_type", "LINEAR"))
    gamma, offset, degree = [*_numbers(c, "kernel_params"), 0.0, 0.0, 0.0][:3]
    if kind == "RBF":
        if vectors.shape[1] != x.shape[1]:
            refuse(f"its support vectors do not fit {x.shape[1]} features", INVALID)
        # Differences, since the expanded square loses digits.
        columns = _weights(c, vectors.T[None], "support_vectors")
        difference = c.op("sub", reshaped(c, x, (*x.shape, 1)), columns)
        squares = c.op("sum_reduce", c.op("sqr", difference), axes=[1])
        distance = reshaped(c, squares, (x.shape[0], len(vectors)))
        return c.op("exp", c.op("mul", distance, c.decimal(-gamma)))
    products = _products(c, x, vectors, "support_vectors")
    if kind == "LINEAR":
        return products
    products = c.op("add", c.op("mul", products, c.decimal(gamma)), c.decimal(offset))
    if kind == "POLY":
        return c.op("pow", products, c.decimal(degree))
    return c.op("tanh", products)
