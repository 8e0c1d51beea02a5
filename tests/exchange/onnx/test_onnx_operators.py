"""Random models of one operator compute what ONNX Runtime computes, or are refused."""

from __future__ import annotations

import collections
import warnings

import numpy as np
import onnxruntime
import pytest
from drawn_nodes import DRAWERS, draw
from onnx.reference import ReferenceEvaluator
from sampled import sampled

import nnefkit as nk

onnxruntime.set_default_logger_severity(4)
COUNT = 12
"""Models of each operator; they are the same each time."""

_WINDOW = "its (padding is automatic and its window is dilated|automatic padding would be)"

MAY_BE_REFUSED = {
    "Mul": "products of 16-bit integers wrap around",
    "ConvTranspose": "its automatic padding would be negative",
    "MaxPool": _WINDOW,
    "AveragePool": _WINDOW,
    "LpPool": _WINDOW,
    "Resize": "it (aligns corners of|interpolates integers|rounds positions)"
    "|its (scales change no extent|result is an empty tensor)",
    "Shape": "output 'out0' is empty",
    "Upsample": "it interpolates integers",
    "RNN": "its sequences have different lengths",
    "GRU": "its sequences have different lengths",
    "LSTM": "its sequences have different lengths",
}
"""Operators that NNEF cannot always express, or on which runtimes disagree."""


def reference_results(model, feeds):
    """Return the results of ONNX Runtime, else of ONNX's evaluator, else None."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        return session.run(None, feeds)
    except Exception:  # noqa: BLE001 - of several kinds
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ReferenceEvaluator(model).run(None, feeds)
    except Exception:  # noqa: BLE001
        return None


def judged(name, seed):
    """Return "passed", "refused", or "nothing" to judge; fail if the numbers are wrong."""
    drawn = draw(name, seed)
    if drawn is None or not drawn[1]:
        return "nothing"
    model, feeds = drawn
    expected = reference_results(model, feeds)
    if expected is None:
        return "nothing"
    try:
        graph = nk.from_onnx(model, verify=False)
    except nk.NnefError as error:
        with pytest.raises(nk.NnefError, match=MAY_BE_REFUSED.get(name, "nothing is refused")):
            raise error from None
        return "refused"
    given = {tensor: feeds[tensor] for tensor in graph.inputs}
    actual = nk.run(graph, given, progress=False)
    assert len(actual) == len(expected)
    for ours, theirs in zip(actual.values(), map(np.asarray, expected), strict=True):
        about = f"seed {seed}, opset {model.opset_import[0].version}: {model.graph.node[0]}"
        assert ours.shape == theirs.shape, about
        assert ours.dtype.kind.replace("u", "i") == theirs.dtype.kind.replace("u", "i"), about
        np.testing.assert_allclose(
            ours.astype(float), theirs.astype(float), 1e-3, 1e-5, err_msg=about
        )
    return "passed"


@pytest.mark.parametrize("name", sampled(sorted(DRAWERS), 3))
def test_graphs_of_operators_compute_what_onnx_runtime_computes(name):
    counts = collections.Counter(judged(name, seed) for seed in range(COUNT))
    assert counts["passed"] >= COUNT // 3


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DRAWERS))
def test_graphs_of_many_more_operators_compute_what_onnx_runtime_computes(name):
    counts = collections.Counter(judged(name, seed) for seed in range(1000, 1040))
    assert counts["passed"] >= 10


def test_every_supported_operator_is_drawn_or_listed():
    from nnefkit.exchange.onnx import nodes  # noqa: F401  (it registers the operators)
    from nnefkit.exchange.onnx.call import READERS

    elsewhere = {
        # Their outcome depends on other nodes, or is never the same.
        *("If", "Loop", "Scan", "CastLike", "NonZero", "Unique", "NonMaxSuppression"),
        *("BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor"),
        # As the node tests have them.
        *("Constant", "Scatter", "Col2Im"),
        # They are replaced before the model is read, or always refused.
        *(f"ai.onnx.ml.{name}" for name in ("ZipMap", "CategoryMapper", "CastMap")),
        "ai.onnx.ml.DictVectorizer",
        # ONNX Runtime returns the neighboring code now and then: see `test_onnx_microsoft`.
        "com.microsoft.QLinearSoftmax",
    }
    assert set(READERS) - set(DRAWERS) <= elsewhere
