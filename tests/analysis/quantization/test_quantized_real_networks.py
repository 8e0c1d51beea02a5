"""BlazeFace and EfficientNet-Lite0 in 8 bits: the loss, and what better ranges gain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nnefkit as nk

MODELS = Path(__file__).parents[2] / "models"
BEST = {"method": "mse", "equalize": True, "correct_biases": True}


def decibels(a, b):
    a, b = np.asarray(a, float), np.asarray(b, float)
    return 10 * np.log10(np.square(a).sum() / np.square(a - b).sum())


@pytest.fixture(scope="module")
def blazeface():
    graph = nk.load(MODELS / "blazeface_front" / "blazeface_front.nnef")
    with np.load(MODELS / "blazeface_front" / "io.npz") as recorded:
        return graph, {"external1": recorded["external1"]}, recorded["concat1"]


def test_blazeface_in_8_bits(blazeface):
    graph, inputs, scores = blazeface
    plain = nk.quantize(graph, inputs, per_channel=False).report.snr
    better = nk.quantize(graph, inputs, equalize=True, correct_biases=True)
    assert plain == pytest.approx(14.8, abs=0.5)
    assert better.report.snr == pytest.approx(22.3, abs=0.5)
    assert [step for step, _ in better.report.steps] == ["plain", "equalized", "biases corrected"]
    outputs = nk.run(better, inputs, quantized=True)
    expected = nk.run(graph, inputs)
    ratios = [decibels(expected[name], outputs[name]) for name in expected]
    noise = np.mean([10 ** (-ratio / 10) for ratio in ratios])
    assert better.report.snr == pytest.approx(-10 * np.log10(noise))
    # The face is found by one of the anchors that find it in the run that LiteRT recorded.
    assert scores.reshape(-1)[outputs["concat1"].argmax()] > 0


def test_two_layers_of_blazeface_in_16_bits_gain_most_of_the_loss(blazeface):
    graph, inputs, _ = blazeface
    quantized = nk.quantize(graph, inputs, method="mse")
    curve = nk.precision_curve(quantized, inputs, target=25, bits=16)
    assert curve.reached
    assert set(curve.keep[:2]) == {"conv22", "conv32"}
    assert curve.points[2].snr - curve.points[0].snr > 6
    found = nk.sensitivity(graph, inputs)
    assert {each.tensor for each in found.operations[:2]} == {"conv22", "conv32"}


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_other_engines_run_it_alike(blazeface, engine):
    graph, inputs, _ = blazeface
    quantized = nk.quantize(graph, inputs, equalize=True)
    expected = nk.run(quantized, inputs, quantized=True)
    outputs = nk.run(quantized, inputs, engine, quantized=True)
    for name, array in expected.items():
        # Only values near the middle of two numbers of the grid may be rounded to the other one.
        step = quantized.tensor(name).quantization["scale"]
        assert np.mean(np.abs(outputs[name] - array) > step / 2) < 0.02


@pytest.mark.slow
def test_efficientnet_in_8_bits():
    graph = nk.load(MODELS / "efficientnet_lite0" / "efficientnet_lite0.nnef.tgz")
    with np.load(MODELS / "efficientnet_lite0" / "io.npz") as recorded:
        photos = [recorded["cat_external1"], recorded["coffee_external1"]]
        classes = [recorded[f"{name}_linear1"].argmax() for name in ("cat", "coffee")]
    plain = nk.quantize(graph, photos, per_channel=False, engine="onnxruntime").report.snr
    channels = nk.quantize(graph, photos, engine="onnxruntime").report.snr
    best = nk.quantize(graph, photos, engine="onnxruntime", **BEST)
    assert plain == pytest.approx(7.8, abs=1)
    assert channels == pytest.approx(21.7, abs=1)
    assert best.report.snr == pytest.approx(27.1, abs=1)
    assert best.report.snr > channels + 3 > plain + 10
    for photo, expected in zip(photos, classes, strict=True):
        scores = nk.run(best, photo, "onnxruntime", quantized=True)["linear1"]
        assert scores.argmax() == expected
