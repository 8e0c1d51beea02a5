"""Cross-layer equalization and bias correction: what they change, and what they gain."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import nnefkit as nk
from nnefkit.analysis.quantization.equalization import equalized, layer_pairs

NET = """
version 1.0;
graph net( x ) -> ( y )
{
    x = external(shape = [1, 6, 8, 8]);
    w1 = variable(shape = [8, 6, 1, 1], label = 'w1');
    b1 = variable(shape = [1, 8], label = 'b1');
    c1 = conv(x, w1, b1);
    r1 = relu(c1);
    p1 = max_pool(r1, size = [1, 1, 2, 2], stride = [1, 1, 2, 2], padding = []);
    w2 = variable(shape = [1, 3, 3, 8], label = 'w2');
    t2 = transpose(w2, axes = [3, 0, 1, 2]);
    b2 = variable(shape = [1, 8], label = 'b2');
    c2 = conv(p1, t2, b2, groups = 0);
    w3 = variable(shape = [4, 8, 1, 1], label = 'w3');
    y = conv(c2, w3, 0.0);
}
"""


@pytest.fixture
def net():
    random = np.random.default_rng(1)
    graph = nk.parse(NET)
    data = {v.name: random.normal(size=v.shape) for v in graph.variables}
    data["w1"] *= 10.0 ** np.arange(-3, 5).reshape(8, 1, 1, 1)
    data["b1"] *= 10.0 ** np.arange(-3, 5)
    return graph.with_data({name: array.astype(np.float32) for name, array in data.items()})


@pytest.fixture
def inputs():
    random = np.random.default_rng(2)
    return [random.normal(1, 1, size=(1, 6, 8, 8)).astype(np.float32) for _ in range(4)]


def test_equalized_layers_have_equal_ranges_and_compute_the_same(net, inputs):
    graph, pairs = equalized(net)
    assert pairs == (("c1", "c2"), ("c2", "y"))
    w1, w3 = (np.abs(graph.tensor(n).data) for n in ("w1", "w3"))
    t2 = np.abs(graph.tensor("w2").data.transpose(3, 0, 1, 2))
    # After the factors of Nagel et al., a channel has the same range in both layers.
    np.testing.assert_allclose(w1.max(axis=(1, 2, 3)), t2.max(axis=(1, 2, 3)), rtol=2e-3)
    np.testing.assert_allclose(t2.max(axis=(1, 2, 3)), w3.max(axis=(0, 2, 3)), rtol=2e-3)
    for x in inputs:
        expected = nk.run(net, x)["y"]
        scale = np.abs(expected).max()
        np.testing.assert_allclose(nk.run(graph, x)["y"], expected, atol=2e-5 * scale)


def test_the_factors_of_one_pair_are_those_of_the_paper():
    graph = nk.parse("""
        version 1.0;
        graph net( x ) -> ( y )
        {
            x = external(shape = [1, 3]);
            w1 = variable(shape = [5, 3], label = 'w1');
            b1 = variable(shape = [1, 5], label = 'b1');
            h = linear(x, w1, b1);
            r = relu(h);
            w2 = variable(shape = [2, 5], label = 'w2');
            y = linear(r, w2, 0.0);
        }
        """)
    random = np.random.default_rng(3)
    data = {v.name: random.normal(size=v.shape).astype(np.float32) for v in graph.variables}
    scaled, _ = equalized(graph.with_data(data))
    r1, r2 = np.abs(data["w1"]).max(axis=1), np.abs(data["w2"]).max(axis=0)
    factor = np.sqrt(r1 * r2) / r2
    np.testing.assert_allclose(scaled.tensor("w1").data, data["w1"] / factor[:, None], rtol=1e-6)
    np.testing.assert_allclose(scaled.tensor("b1").data, data["b1"] / factor, rtol=1e-6)
    np.testing.assert_allclose(scaled.tensor("w2").data, data["w2"] * factor, rtol=1e-6)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("r1 = relu(c1)", "r1 = sigmoid(c1)"),
        ("r1 = relu(c1)", "r1 = clamp(c1, 0.0, 6.0)"),
        (
            "size = [1, 1, 2, 2], stride = [1, 1, 2, 2]",
            "size = [1, 2, 2, 2], stride = [1, 1, 2, 2]",
        ),
        ("graph net( x ) -> ( y )", "graph net( x ) -> ( y, r1 )"),
        ("c1 = conv(x, w1, b1)", "c1 = conv(x, w1, 0.5)"),
        (
            "c1 = conv(x, w1, b1)",
            "b0 = variable(shape = [1, 1], label = 'b0'); c1 = conv(x, w1, b0)",
        ),
    ],
)
def test_layers_with_something_between_that_does_not_scale_are_left(net, old, new):
    assert old in NET
    graph = nk.parse(NET.replace(old, new))
    data = {v.name: v.data for v in net.variables} | {"b0": np.ones((1, 1), np.float32)}
    graph = graph.with_data({v.name: data[v.name] for v in graph.variables})
    names = {pair.names for pair in layer_pairs(graph)}
    assert names == {("c2", "y")}


def test_weights_that_something_else_depends_on_are_left(net):
    data = {v.name: v.data for v in net.variables}
    text = NET.replace("y = conv(c2, w3", "c0 = mul(w1, 2.0); y = conv(c2, w3")
    text = text.replace("( y )", "( y, c0 )")
    names = {pair.names for pair in layer_pairs(nk.parse(text).with_data(data))}
    assert names == {("c2", "y")}
    shared = NET.replace(
        "w3 = variable(shape = [4, 8, 1, 1], label = 'w3')",
        "w3 = variable(shape = [8, 6, 1, 1], label = 'w1')",
    )
    shared = shared.replace("y = conv(c2, w3, 0.0)", "y = conv(x, w3, 0.0)")
    shared = shared.replace("( y )", "( y, c2 )")
    del data["w3"]
    assert not [*layer_pairs(nk.parse(shared).with_data(data))]


def test_equalization_gains_what_the_report_says(net, inputs):
    plain = nk.quantize(net, inputs, per_channel=False)
    better = nk.quantize(net, inputs, per_channel=False, equalize=True)
    (first, before), (second, after) = better.report.steps
    assert (first, second) == ("plain", "equalized")
    assert before == pytest.approx(plain.report.snr)
    assert after > before + 5
    noise = 0.0
    for x in inputs:
        a = nk.run(net, x)["y"].astype(float)
        b = nk.run(better, x, quantized=True)["y"]
        noise += np.square(a - b).sum() / np.square(a).sum() / len(inputs)
    assert after == pytest.approx(-10 * np.log10(noise))
    assert better.report.equalized == (("c1", "c2"), ("c2", "y"))


def test_corrected_biases_have_the_mean_error_of_rounded_weights_taken_off(net, inputs):
    corrected = nk.quantize(net, inputs, bits=4, correct_biases=True)
    assert set(corrected.report.corrected) == {"c1", "c2", "y"}

    def rounded(name, axis=0):
        w = torch.tensor(np.array(net.tensor(name).data))
        scale = w.abs().transpose(0, axis).reshape(w.shape[axis], -1).amax(1) / 7
        zero = torch.zeros(len(scale), dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(w, scale, zero, axis, -7, 7)

    w1 = torch.tensor(np.array(net.tensor("w1").data))
    x = torch.tensor(np.concatenate(inputs))
    error = (torch.conv2d(x, rounded("w1")) - torch.conv2d(x, w1)).mean(dim=(0, 2, 3))
    change = corrected.tensor("b1").data[0] - net.tensor("b1").data[0]
    np.testing.assert_allclose(change, -error, rtol=1e-3, atol=1e-4)
    # The last layer had no bias.
    (last,) = [op for op in corrected.operations if op.output_names == ("y",)]
    bias = corrected.tensor(last.inputs["bias"])
    assert bias.shape == (1, 4)
    assert bias.quantization["bits"] == 32


def test_layers_in_floating_point_have_no_error_to_correct(net, inputs):
    corrected = nk.quantize(net, inputs, bits=4, keep=["y"], correct_biases=True)
    assert set(corrected.report.corrected) == {"c1", "c2"}
    (last,) = [op for op in corrected.operations if op.output_names == ("y",)]
    assert last.inputs["bias"] == 0.0


def test_errors_of_tensors_are_against_the_graph_before_its_biases_are_corrected(net, inputs):
    corrected = nk.quantize(net, inputs[0], bits=3, correct_biases=True)
    assert corrected.report["y"].snr == pytest.approx(corrected.report.snr)
    a = nk.trace(net, inputs[0])["c2"].astype(float)
    b = nk.trace(corrected, inputs[0], quantized=True)["c2"]
    expected = 10 * np.log10(np.square(a).sum() / np.square(a - b).sum())
    assert corrected.report["c2"].snr == pytest.approx(expected)


def test_a_bias_of_rank_1_keeps_its_shape():
    graph = nk.parse("""
        version 1.0;
        graph net( x ) -> ( y )
        {
            x = external(shape = [2, 6]);
            w = variable(shape = [1, 6], label = 'w');
            b = variable(shape = [1], label = 'b');
            y = linear(x, w, b);
        }
        """)
    random = np.random.default_rng(4)
    w, x = (random.normal(size=shape).astype(np.float32) for shape in ((1, 6), (2, 6)))
    graph = graph.with_data({"w": w, "b": np.ones(1, np.float32)})
    corrected = nk.quantize(graph, x, bits=3, correct_biases=True)
    scale = float(np.abs(w).max()) / 3
    rounded = torch.fake_quantize_per_tensor_affine(torch.tensor(w), scale, 0, -3, 3).numpy()
    data = corrected.tensor("b").data
    assert data.shape == (1,)
    assert data[0] == pytest.approx(1 - (x @ (rounded - w).T).mean(), rel=1e-5)


def test_a_corrected_model_is_saved_and_valid(net, inputs, tmp_path):
    corrected = nk.quantize(net, inputs, equalize=True, correct_biases=True)
    nk.save(corrected, tmp_path / "model.nnef.tgz")
    assert nk.validate(tmp_path / "model.nnef.tgz").ok
    again = nk.load(tmp_path / "model.nnef.tgz")
    a, b = (nk.run(g, inputs[0], quantized=True)["y"] for g in (corrected, again))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("argument", ["equalize", "correct_biases"])
def test_wrong_options(net, inputs, argument):
    with pytest.raises(nk.InputError, match=f"'{argument}' must be True or False"):
        nk.quantize(net, inputs, **{argument: "yes"})
