"""`precision_curve`: the layers that it keeps are those that help, as measured by running."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.graph import FrozenDict

NET = """
version 1.0;
graph net( x ) -> ( y )
{
    x = external(shape = [1, 8, 6, 6]);
    w1 = variable(shape = [8, 8, 1, 1], label = 'w1');
    c1 = conv(x, w1, 0.0);
    r1 = relu(c1);
    w2 = variable(shape = [8, 8, 1, 1], label = 'w2');
    c2 = conv(r1, w2, 0.0);
    s2 = max_pool(c2, size = [1, 1, 2, 2], stride = [1, 1, 2, 2], padding = []);
    w3 = variable(shape = [8, 8, 1, 1], label = 'w3');
    y = conv(s2, w3, 0.0);
}
"""


@pytest.fixture
def net():
    random = np.random.default_rng(1)
    graph = nk.parse(NET)
    data = {v.name: random.normal(size=v.shape).astype(np.float32) for v in graph.variables}
    # One channel of c2 is far larger than the others, and the next layer hardly reads it.
    data["w2"][3] *= 300
    data["w3"][:, 3] /= 3e4
    return graph.with_data(data)


@pytest.fixture
def inputs():
    random = np.random.default_rng(2)
    return [random.normal(size=(1, 8, 6, 6)).astype(np.float32) for _ in range(3)]


def ratio(graph, other, inputs):
    signal = noise = 0.0
    for x in inputs:
        a = nk.run(graph, x)["y"].astype(float)
        b = nk.run(other, x, quantized=True)["y"].astype(float)
        signal += 1
        noise += np.square(a - b).sum() / np.square(a).sum()
    return 10 * np.log10(signal / noise)


def without(graph, *names):
    tensors = {
        n: replace(t, quantization=None) if n in names else t for n, t in graph.tensors.items()
    }
    return replace(graph, tensors=tensors)


def test_the_layer_that_costs_most_is_kept_first(net, inputs):
    quantized = nk.quantize(net, inputs)
    curve = nk.precision_curve(quantized, inputs, target=35)
    assert curve.reached
    assert curve.keep[0] == "c2"
    assert set(curve.points[1].tensors) == {"c2", "s2", "w2"}
    assert curve.points[0].snr == pytest.approx(ratio(net, quantized, inputs))
    kept = without(quantized, "c2", "s2", "w2")
    assert curve.points[1].snr == pytest.approx(ratio(net, kept, inputs))
    assert curve.points[-1].snr == pytest.approx(ratio(net, curve.graph, inputs))
    assert "1 of 4 layers in floating point give" in curve.summary


def test_every_first_choice_is_the_best_of_all(net, inputs):
    quantized = nk.quantize(net, inputs, bits=6)
    layers = {"x": ["x"], "r1": ["r1", "w1"], "c2": ["c2", "s2", "w2"], "y": ["y", "w3"]}
    best = max(layers, key=lambda n: ratio(net, without(quantized, *layers[n]), inputs))
    curve = nk.precision_curve(quantized, inputs, target=1000, limit=4)
    assert curve.keep[0] == best
    assert len(curve.keep) == 4
    assert curve.points[-1].snr == np.inf


def test_kept_layers_in_16_bits_have_the_same_ranges(net, inputs):
    quantized = nk.quantize(net, inputs)
    curve = nk.precision_curve(quantized, inputs, target=35, bits=16)
    assert curve.keep == ("c2",)
    before, after = (g.tensor("c2").quantization for g in (quantized, curve.graph))
    assert (before["bits"], after["bits"]) == (8, 16)
    assert after["scale"] * 65535 == pytest.approx(before["scale"] * 255, rel=1e-5)
    assert after["scale"] * after["zero_point"] == pytest.approx(
        before["scale"] * before["zero_point"], rel=1e-4
    )
    assert curve.graph.tensor("x").quantization["bits"] == 8


def test_symmetric_ranges_stay_symmetric_in_16_bits(net, inputs):
    quantized = nk.quantize(net, inputs, symmetric=True)
    curve = nk.precision_curve(quantized, inputs, target=1000, bits=16, limit=4)
    for name in {"c2", "y"} & set(curve.keep):
        before, after = (g.tensor(name).quantization for g in (quantized, curve.graph))
        assert (after["bits"], after["zero_point"], after["signed"]) == (16, 0, True)
        assert after["scale"] * 32767 == pytest.approx(before["scale"] * 127, rel=1e-5)
    assert "c2" in curve.keep


@pytest.mark.parametrize("operation", ["min_max_linear_quantize", "linear_quantize"])
def test_kept_layers_of_other_linear_algorithms_have_the_same_ranges(net, inputs, operation):
    line = {"op-name": operation, "min": -400.0, "max": 400.0, "bits": 8}
    if operation == "min_max_linear_quantize":
        line |= {"signed": False, "symmetric": False}
    tensors = {
        n: replace(t, quantization=FrozenDict(line)) if n in ("c2", "s2") else t
        for n, t in net.tensors.items()
    }
    curve = nk.precision_curve(
        replace(net, tensors=FrozenDict(tensors)), inputs, target=60, bits=16
    )
    assert curve.keep == ("c2",)
    assert curve.graph.tensor("c2").quantization == {**line, "bits": 16}
    step = 800 / 65535
    x = nk.trace(net, inputs[0])["c2"].clip(-400, 400)
    found = nk.trace(curve.graph, inputs[0], quantized=True)["c2"]
    assert 0.4 * step < np.abs(found - x).max() < 0.51 * step
    assert curve.points[1].snr > curve.points[0].snr + 20


def test_its_choice_goes_back_to_quantize(net, inputs, tmp_path):
    curve = nk.precision_curve(nk.quantize(net, inputs), inputs, target=35)
    again = nk.quantize(net, inputs, keep=curve.keep)
    assert again.report.snr == pytest.approx(curve.points[-1].snr, abs=1)
    nk.save(curve.graph, tmp_path / "mixed")
    loaded = nk.load(tmp_path / "mixed")
    assert ratio(net, loaded, inputs) == pytest.approx(curve.points[-1].snr)


def test_of_a_stream_the_first_inputs_are_used(net, inputs):
    quantized = nk.quantize(net, inputs)
    curve = nk.precision_curve(quantized, cycle(inputs), target=1)
    assert curve.inputs == 16
    used = [inputs[i % 3] for i in range(16)]
    assert curve.points[0].snr == pytest.approx(ratio(net, quantized, used))
    with pytest.raises(nk.InputError, match="'inputs' must be one input"):
        nk.precision_curve(quantized, "images/")


def test_the_operation_of_a_layer_is_the_one_with_weights_or_the_first_of_it(net, inputs):
    curve = nk.precision_curve(nk.quantize(net, inputs, 6), inputs, target=1000)
    operations = {point.layer: point.operation for point in curve.points[1:]}
    assert operations == {"x": "external", "r1": "conv", "c2": "conv", "y": "conv"}
    graph = nk.parse("""
        version 1.0;
        graph net( x ) -> ( y )
        {
            x = external(shape = [2, 6]);
            s = variable(shape = [2, 6], label = 's');
            n = add(s, x);
            u = update(s, n);
            w = variable(shape = [3, 6], label = 'w');
            y = linear(u, w, 0.0);
        }
        """)
    random = np.random.default_rng(3)
    data = {v.name: random.normal(size=v.shape).astype(np.float32) for v in graph.variables}
    x = random.normal(size=(2, 6)).astype(np.float32)
    curve = nk.precision_curve(nk.quantize(graph.with_data(data), x), x, target=1000)
    assert {p.layer: p.operation for p in curve.points[1:]}["y"] == "linear"


def test_nothing_is_kept_if_the_target_is_reached(net, inputs):
    curve = nk.precision_curve(nk.quantize(net, inputs), inputs, target=1)
    assert curve.reached
    assert not curve.keep
    assert curve.summary.startswith("No layer needs to be kept.")
    frame = nk.precision_curve(nk.quantize(net, inputs), inputs, target=35).to_frame()
    assert [*frame.columns] == ["kept", "layer", "operation", "snr"]
    assert len(frame) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": np.nan}, "'target' must be a number of dB"),
        ({"target": "30"}, "'target' must be a number of dB"),
        ({"bits": 1}, "'bits' must be from 2 to 16, not 1"),
        ({"bits": True}, "'bits' must be an integer"),
        ({"limit": 0}, "'limit' must be a positive integer"),
        ({"limit": True}, "'limit' must be a positive integer"),
        ({"inputs": []}, "there are no calibration inputs"),
    ],
)
def test_wrong_arguments(net, inputs, arguments, message):
    given = arguments.pop("inputs", inputs)
    with pytest.raises(nk.InputError, match=message):
        nk.precision_curve(nk.quantize(net, inputs), given, **arguments)


def test_a_graph_without_quantization_info_is_refused(net, inputs):
    with pytest.raises(nk.InputError, match="has no quantization info"):
        nk.precision_curve(net, inputs)


def test_blame_names_the_layers_that_cost_most(net, inputs):
    quantized = nk.quantize(net, inputs)
    found = nk.blame(net, inputs[0], suspect=quantized, quantized=True)
    worst = found["c2"]
    assert worst.operation == "conv"
    assert "its result is rounded to 8 bits" in worst.cause
    x = nk.trace(net, inputs[0])
    line = quantized.tensor("c2").quantization
    scale = np.asarray(quantized.tensor("w2").quantization["scale"])[:, None]
    w2 = np.round(net.tensor("w2").data[:, :, 0, 0] / scale) * scale
    c2 = np.einsum("oi,nihw->nohw", w2, x["r1"])
    rounded = np.clip(np.round(c2 / line["scale"]) + line["zero_point"], 0, 255)
    noise = np.square((rounded - line["zero_point"]) * line["scale"] - x["c2"]).sum()
    expected = 10 * np.log10(np.square(x["c2"]).sum() / noise)
    assert worst.own_snr == pytest.approx(expected, abs=0.1)
    assert max(found.guilty, key=lambda each: each.share or 0).tensor in ("c2", "s2")
