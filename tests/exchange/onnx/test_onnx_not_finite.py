"""Random models of one operator compute of infinity and NaN what ONNX Runtime computes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from drawn_nodes import DRAWERS, draw
from sampled import sampled
from test_onnx_operators import reference_results

import nnefkit as nk

SEEDS = range(20000, 20003)

_FOURIER = "ONNX Runtime multiplies complex numbers: the product of 0 and infinity is NaN"
_GATES = "ONNX Runtime limits the gates, and NaN becomes a number"
_MAXIMA = "ONNX Runtime ignores NaN in maxima"
_CODES = "there is no code for NaN, nor for a range without an end"
_BOUND = "clamp and relu have no NaN (4.2.4)"
_WEIGHTS = "ONNX Runtime multiplies by weights of 0 along axes that keep their extent"
_UNDEFINED = "the integer for infinity and NaN is not defined"
FOREIGN = {
    **dict.fromkeys(("DFT", "STFT"), _FOURIER),
    **dict.fromkeys(("GRU", "LSTM", "com.microsoft.DynamicQuantizeLSTM"), _GATES),
    **dict.fromkeys(("GlobalMaxPool", "MaxPool", "ReduceMax", "ReduceMin"), _MAXIMA),
    **dict.fromkeys(("ArgMax", "ArgMin", "Hardmax", "TopK", "ScatterElements"), _MAXIMA),
    **dict.fromkeys(("QuantizeLinear", "DynamicQuantizeLinear", "QLinearMatMul"), _CODES),
    **dict.fromkeys(
        ("com.microsoft.QuantizeLinear", "com.microsoft.DynamicQuantizeMatMul"), _CODES
    ),
    **dict.fromkeys(("HardSigmoid", "Relu", "Clip"), _BOUND),
    **dict.fromkeys(("com.microsoft.FusedConv", "com.microsoft.FusedGemm"), _BOUND),
    **dict.fromkeys(("Resize", "Upsample", "GridSample"), _WEIGHTS),
    **dict.fromkeys(("Pow", "Cast", "CastLike"), _UNDEFINED),
    "LRN": "ONNX Runtime adds and subtracts along the channels, so that infinity spreads",
    "LayerNormalization": "ONNX Runtime's mean of infinity is NaN",
    "OneHot": "the evaluator of ONNX multiplies by 0",
    "ai.onnx.ml.Normalizer": "ONNX Runtime ignores NaN in maxima, and divides infinity by itself",
    "com.microsoft.CDist": "ONNX Runtime subtracts products of infinity",
}
"""Operators for which ONNX Runtime computes something else, and why."""


def judged(name, seed, numbers):
    """Return whether a drawn model agrees with ONNX Runtime; None if nothing can be judged."""
    drawn = draw(name, seed)
    floats = [key for key, array in (drawn[1] if drawn else {}).items() if array.dtype.kind == "f"]
    if not floats:
        return None
    model, feeds = drawn
    rng = np.random.default_rng(seed)
    array = np.array(feeds[floats[0]])
    count = max(1, array.size // 8)
    array.reshape(-1)[rng.integers(0, array.size, count)] = rng.choice(numbers, count)
    feeds[floats[0]] = array
    expected = reference_results(model, feeds)
    if expected is None:
        return None
    try:
        graph = nk.from_onnx(model, verify=False)
    except nk.NnefError:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        results = nk.run(graph, {key: feeds[key] for key in graph.inputs}, progress=False)
    return all(
        np.allclose(ours.astype(float), np.asarray(theirs).astype(float), 1e-3, 1e-5, True)
        for ours, theirs in zip(results.values(), expected, strict=True)
    )


@pytest.mark.parametrize("numbers", [[np.inf, -np.inf], [np.nan]], ids=["infinity", "NaN"])
@pytest.mark.parametrize("name", sampled(sorted(set(DRAWERS) - set(FOREIGN)), 3))
def test_operators_compute_what_onnx_runtime_computes(name, numbers):
    verdicts = [judged(name, seed, numbers) for seed in SEEDS]
    if verdicts == [None] * len(SEEDS):
        pytest.skip("no drawn model has a float input and is read")
    assert False not in verdicts


def test_only_operators_with_a_difference_are_left_out():
    agree = [
        name
        for name in ("DFT", "GlobalMaxPool", "HardSigmoid", "LRN", "QuantizeLinear", "Relu")
        if all(
            judged(name, seed, numbers) is not False
            for numbers in ([np.inf, -np.inf], [np.nan])
            for seed in SEEDS
        )
    ]
    assert not agree


@pytest.mark.parametrize("power", [1, 2])
def test_normalization_of_a_row_with_nan_is_nan(power):
    from onnx import helper

    node = helper.make_node("LpNormalization", ["x"], ["y"], axis=1, p=power)
    x = helper.make_tensor_value_info("x", 1, [3, 3])
    output = helper.make_empty_tensor_value_info("y")
    graph = helper.make_graph([node], "g", [x], [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    rows = np.array([[np.nan, 1, 2], [3, 4, 0], [0, 0, 0]], np.float32)
    (expected,) = reference_results(model, {"x": rows})
    assert np.isnan(expected[0]).all()
    read = nk.from_onnx(model)
    for engine in ("numpy", "onnxruntime", "torch"):
        np.testing.assert_allclose(nk.run(read, rows, engine)["y"], expected, 1e-5)
