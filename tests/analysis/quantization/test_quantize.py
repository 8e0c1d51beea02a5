"""`quantize`: its grids and runs are those of other implementations; bad arguments are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnxruntime.quantization.quant_utils import compute_scale_zp

import nnefkit as nk

NET = """
version 1.0;
graph net( x ) -> ( y, z )
{
    x = external(shape = [1, 3, 8, 8]);
    w1 = variable(shape = [4, 3, 3, 3], label = 'w1');
    b1 = variable(shape = [1, 4], label = 'b1');
    c1 = conv(x, w1, b1, padding = [(1, 1), (1, 1)]);
    r1 = relu(c1);
    p1 = max_pool(r1, size = [1, 1, 2, 2], stride = [1, 1, 2, 2], padding = []);
    w2 = variable(shape = [6, 4, 1, 1], label = 'w2');
    c2 = conv(p1, w2, 0.0);
    b2 = variable(shape = [1, 6], label = 'b2');
    a2 = add(c2, b2);
    k = concat([a2, a2], axis = 1);
    y = reshape(k, shape = [1, -1]);
    w3 = variable(shape = [5, 192], label = 'w3');
    z = linear(y, w3, 0.0);
}
"""


@pytest.fixture
def net():
    random = np.random.default_rng(1)
    graph = nk.parse(NET)
    data = {}
    for v in graph.variables:
        size = 10.0 ** random.uniform(-2, 1, (v.shape[0], *[1] * (len(v.shape) - 1)))
        data[v.name] = (random.normal(size=v.shape) * size).astype(np.float32)
    return graph.with_data(data)


@pytest.fixture
def inputs():
    random = np.random.default_rng(2)
    return [random.normal(0.3, 1, size=(1, 3, 8, 8)).astype(np.float32) for _ in range(5)]


def line(graph, name):
    return graph.tensor(name).quantization


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (16, np.uint16), (4, None)])
def test_grids_of_activations_are_those_of_onnx_runtime(net, inputs, bits, dtype):
    quantized = nk.quantize(net, inputs, bits=bits)
    values = np.stack(inputs)
    low = np.array(min(values.min(), 0), np.float32)
    high = np.array(max(values.max(), 0), np.float32)
    if dtype is None:
        zero, scale = None, (high - low) / np.float32(15)
    else:
        zero, scale = compute_scale_zp(
            low, high, np.array(0, dtype), np.array(2**bits - 1, dtype), symmetric=False
        )
        assert line(quantized, "x")["zero_point"] == zero
    assert line(quantized, "x")["scale"] == pytest.approx(float(scale), rel=1e-6)
    assert line(quantized, "x")["bits"] == bits
    assert not line(quantized, "x")["signed"]


@pytest.mark.parametrize("symmetric", [True, False, "weights"])
def test_a_quantized_run_is_that_of_pytorch(net, inputs, symmetric):
    quantized = nk.quantize(net, inputs, symmetric=symmetric)

    def rounded(name, values):
        own = line(quantized, name)
        scale, zero = np.asarray(own["scale"], np.float32), np.asarray(own["zero_point"])
        low, high = (-127, 127) if own["signed"] else (0, 255)
        if own["bits"] == 32:
            step = torch.tensor(scale.reshape(-1))
            return (values.reshape(-1) / step).round().float().reshape(values.shape) * step
        if scale.ndim == 0:
            return torch.fake_quantize_per_tensor_affine(values, float(scale), int(zero), low, high)
        (axis,) = [i for i, extent in enumerate(scale.shape) if extent > 1]
        flat = scale.reshape(-1)
        points = np.broadcast_to(zero.reshape(-1), flat.shape).astype(np.int32).copy()
        return torch.fake_quantize_per_channel_affine(
            values, torch.tensor(flat), torch.tensor(points), axis, low, high
        )

    def weight(name):
        return rounded(name, torch.tensor(np.array(net.tensor(name).data)))

    x = rounded("x", torch.tensor(inputs[3]))
    r1 = torch.relu(torch.conv2d(x, weight("w1"), weight("b1").reshape(-1), padding=1))
    p1 = torch.max_pool2d(rounded("r1", r1), 2)
    a2 = rounded("a2", torch.conv2d(p1, weight("w2"), weight("b2").reshape(-1)))
    y = torch.cat([a2, a2], 1).reshape(1, -1)
    z = rounded("z", y @ weight("w3").T)
    result = nk.run(quantized, inputs[3], quantized=True)
    steps = [float(line(quantized, name)["scale"]) for name in "yz"]
    for expected, name, step in zip((y, z), "yz", steps, strict=True):
        assert np.abs(result[name] - expected.numpy()).max() <= 1.001 * step
        assert np.mean(np.abs(result[name] - expected.numpy()) > step / 2) < 0.02


def test_one_range_for_each_output_channel(net, inputs):
    quantized = nk.quantize(net, inputs)
    for name in ("w1", "w2", "w3"):
        data = np.abs(net.tensor(name).data)
        expected = data.reshape(len(data), -1).max(axis=1) / 127
        np.testing.assert_allclose(line(quantized, name)["scale"], expected, rtol=1e-6)
    one = nk.quantize(net, inputs, per_channel=False)
    assert line(one, "w1")["scale"] == pytest.approx(np.abs(net.tensor("w1").data).max() / 127)


def test_biases_have_the_step_of_the_products(net, inputs):
    quantized = nk.quantize(net, inputs)
    for bias, weight, source in (("b1", "w1", "x"), ("b2", "w2", "p1")):
        expected = np.asarray(line(quantized, weight)["scale"]) * line(quantized, source)["scale"]
        np.testing.assert_allclose(line(quantized, bias)["scale"], [expected], rtol=1e-6)
        assert line(quantized, bias)["bits"] == 32


def test_what_is_computed_together_or_only_moved_shares_a_range(net, inputs):
    quantized = nk.quantize(net, inputs)
    assert line(quantized, "c1") is None
    assert line(quantized, "c2") is None
    assert line(quantized, "p1") == line(quantized, "r1")
    assert line(quantized, "y") == line(quantized, "k") == line(quantized, "a2")
    assert line(quantized, "r1")["zero_point"] == 0


def test_zero_stays_zero(net, inputs):
    shifted = [x + 5 for x in inputs]
    quantized = nk.quantize(net, shifted, symmetric=False)
    x = np.zeros((1, 3, 8, 8), np.float32)
    assert not nk.trace(quantized, x, quantized=True)["x"].any()


def test_a_saved_model_computes_the_same(net, inputs, tmp_path):
    quantized = nk.quantize(net, inputs)
    nk.save(quantized, tmp_path / "model")
    again = nk.load(tmp_path / "model")
    assert {n: t.quantization for n, t in again.tensors.items()} == {
        n: t.quantization for n, t in quantized.tensors.items()
    }
    for name, array in nk.run(quantized, inputs[0], quantized=True).items():
        np.testing.assert_array_equal(nk.run(again, inputs[0], quantized=True)[name], array)
    assert nk.validate(tmp_path / "model").ok


def test_inputs_are_streamed_and_their_order_does_not_matter(net, inputs):
    def stream():
        for x in reversed(inputs):
            yield {"x": x}

    for method in ("minmax", "percentile", "mse"):
        a, b = (nk.quantize(net, each, method=method) for each in (inputs, stream()))
        assert [line(a, n) for n in a.tensors] == [line(b, n) for n in b.tensors]
    assert nk.quantize(net, stream()).report.inputs == 5
    assert nk.quantize(net, inputs[0]).report.inputs == 1


def test_kept_layers_stay_in_floating_point(net, inputs):
    quantized = nk.quantize(net, inputs, keep=["r1"])
    assert {n for n in ("c1", "r1", "p1", "w1", "b1") if line(quantized, n)} == set()
    assert line(quantized, "w2")
    assert line(quantized, "b2") is None, "its input is in floating point"
    assert quantized.report.left["w1"] == "kept on request"
    with pytest.raises(nk.UnknownNameError, match="no tensor 'r2'"):
        nk.quantize(net, inputs, keep=["r2"])


@pytest.mark.parametrize("keep", ["h", "y"])
@pytest.mark.parametrize(
    "body",
    [
        "h = linear(x, w, 0.0); y = linear(h, w, 0.0);",
        "s = transpose(w, axes = [1, 0]); t = transpose(w, axes = [1, 0]);"
        "h = linear(x, s, 0.0); y = linear(h, t, 0.0);",
    ],
)
def test_weights_that_a_kept_layer_shares_stay_in_floating_point(body, keep):
    graph, x = small(body, w=(6, 6))
    quantized = nk.quantize(graph, x, keep=[keep])
    assert line(quantized, "w") is None
    assert quantized.report.left == {keep: "kept on request", "w": "kept on request"}
    np.testing.assert_array_equal(
        nk.trace(quantized, x, quantized=True)["w"], graph.tensor("w").data
    )


def test_axes_of_deconv_matmul_and_transposed_filters():
    graph = nk.parse("""
        version 1.0;
        graph net( x ) -> ( y, z, g )
        {
            x = external(shape = [1, 4, 6, 6]);
            w = variable(shape = [4, 3, 2, 2], label = 'w');
            y = deconv(x, w, 0.0);
            m = reshape(x, shape = [1, 4, 36]);
            v = variable(shape = [1, 36, 7], label = 'v');
            z = matmul(m, v);
            u = variable(shape = [3, 3, 5, 4], label = 'u');
            t = transpose(u, axes = [2, 3, 0, 1]);
            g = conv(x, t, 0.0);
        }
        """)
    random = np.random.default_rng(3)
    graph = graph.with_data(
        {v.name: random.normal(size=v.shape).astype(np.float32) for v in graph.variables}
    )
    x = random.normal(size=(1, 4, 6, 6)).astype(np.float32)
    quantized = nk.quantize(graph, x)
    for name, axis in (("w", 1), ("v", 2), ("u", 2)):
        data = np.moveaxis(np.abs(graph.tensor(name).data), axis, 0)
        expected = data.reshape(len(data), -1).max(axis=1) / 127
        scale = np.asarray(line(quantized, name)["scale"])
        assert scale.shape == (*[1] * axis, len(data))
        np.testing.assert_allclose(scale.reshape(-1), expected, rtol=1e-6)
    assert line(quantized, "t") is None
    assert quantized.report.snr > 30


def test_metrics_of_rounding_alone_and_of_clipping():
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 100000]); y = exp(x); }"
    )
    x = np.random.default_rng(4).uniform(-1, 1, size=(1, 100000)).astype(np.float32)
    report = nk.quantize(graph, x).report
    assert report["x"].rmse_per_step == pytest.approx(12**-0.5, rel=0.01)
    assert report["x"].clipped == 0
    signal, noise = np.mean(x.astype(float) ** 2), report["x"].step ** 2 / 12
    assert report["x"].sqnr == pytest.approx(10 * np.log10(signal / noise), abs=0.1)
    assert report["x"].psnr == pytest.approx(10 * np.log10(4 / noise), abs=0.1)
    cut = nk.quantize(graph, x, method="percentile", percentile=90).report
    assert cut["x"].clipped == pytest.approx(0.1, abs=0.01)
    assert cut["x"].rmse_per_step > 1
    assert cut["x"].maximum == pytest.approx(np.percentile(x, 95), abs=0.01)
    assert cut["x"].minimum == pytest.approx(np.percentile(x, 5), abs=0.01)


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_percentile_of_nothing_but_zeros_is_not_the_range_of_other_values(symmetric):
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 40000]); y = copy(x); }"
    )
    x = np.zeros((1, 40000), np.float32)
    x[0, 7] = 300
    quantized = nk.quantize(graph, x, method="percentile", symmetric=symmetric)
    assert nk.run(quantized, x, quantized=True)["y"][0, 7] == pytest.approx(300)


def test_the_least_error_is_not_larger_than_that_of_any_other_range():
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 20000]); y = copy(x); }"
    )
    x = np.random.default_rng(5).standard_t(2.5, size=(1, 20000)).astype(np.float32)
    for symmetric in (True, False):
        for bits in (3, 4, 8):
            best = nk.quantize(graph, x, bits, method="mse", symmetric=symmetric).report["x"]
            others = [
                nk.quantize(
                    graph, x, bits, method="percentile", percentile=p, symmetric=symmetric
                ).report["x"]
                for p in (100, 99.9, 99, 97, 95)
            ]
            assert best.sqnr >= max(other.sqnr for other in others) - 0.05


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_by_name(net, inputs, value):
    wrong = inputs[1].copy()
    wrong[0, 0, 0, 0] = value
    with pytest.raises(
        nk.InputError, match="'x' has NaN or infinite values for calibration input 2"
    ):
        nk.quantize(net, [inputs[0], wrong])
    weights = net.tensor("w2").data.copy()
    weights[0] = value
    with pytest.raises(nk.InputError, match="has NaN or infinite values"):
        nk.quantize(net.with_data({"w2": weights}), inputs)


def test_a_constant_tensor_and_one_of_zeros_are_on_their_grids(net, inputs):
    zeros = {v.name: np.zeros(v.shape, np.float32) for v in net.variables if v.name != "b1"}
    quantized = nk.quantize(net.with_data(zeros), inputs)
    expected = nk.run(net.with_data(zeros), inputs[0])
    for name, array in nk.run(quantized, inputs[0], quantized=True).items():
        np.testing.assert_allclose(array, expected[name])
    assert quantized.report.snr == np.inf


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"calibration": []}, "there are no calibration inputs"),
        ({"calibration": iter(())}, "there are no calibration inputs"),
        ({"calibration": "images/"}, "'calibration' must be one input, or an iterable"),
        ({"calibration": None}, "'calibration' must be one input, or an iterable"),
        ({"calibration": [1.0, 2.0]}, "calibration input 1 is a number"),
        ({"bits": 1}, "'bits' must be from 2 to 16, not 1"),
        ({"bits": 17}, "'bits' must be from 2 to 16, not 17"),
        ({"bits": 8.0}, "'bits' must be an integer"),
        ({"bits": True}, "'bits' must be an integer"),
        ({"method": "entropy"}, "there is no method 'entropy'"),
        ({"percentile": 0.99}, "'percentile' must be from 50 to 100"),
        ({"symmetric": "all"}, "'symmetric' must be True, False or 'weights'"),
        ({"per_channel": 1}, "'per_channel' must be True or False"),
    ],
)
def test_wrong_arguments(net, inputs, arguments, message):
    calibration = arguments.pop("calibration", inputs)
    with pytest.raises(nk.InputError, match=message):
        nk.quantize(net, calibration, **arguments)


def test_integers_are_not_quantized():
    graph = nk.parse("""
        version 1.0;
        graph net( i ) -> ( y )
        {
            i = external<integer>(shape = [2]);
            t = variable(shape = [5, 3], label = 't');
            y = gather(t, i, axis = 0);
        }
        """)
    table = np.arange(15, dtype=np.float32).reshape(5, 3)
    quantized = nk.quantize(graph.with_data({"t": table}), np.array([0, 4]))
    assert line(quantized, "i") is None
    assert quantized.report.left["i"] == "of type integer"
    only = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external<integer>(shape = [2]); y = copy(x); }"
    )
    with pytest.raises(nk.InputError, match="nothing to quantize"):
        nk.quantize(only, np.array([1, 2]))


def test_a_changed_copy_has_no_report(net, inputs):
    quantized = nk.quantize(net, inputs)
    changed = quantized.with_data({"b1": np.zeros((1, 4), np.float32)})
    with pytest.raises(nk.InputError, match="changed after it was quantized"):
        _ = changed.report


def small(body, **shapes):
    """A graph of some operations on `x` with random weights, and an input."""
    random = np.random.default_rng(6)
    weights = " ".join(
        f"{name} = variable(shape = {[*shape]}, label = '{name}');"
        for name, shape in shapes.items()
    )
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [2, 6]); " + weights + body + " }"
    )
    data = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return graph.with_data(data), random.normal(size=(2, 6)).astype(np.float32)


@pytest.mark.parametrize(
    "body",
    [
        "c = gt(x, 0.0); y = select(c, x, 9.0);",
        "y = pad(x, padding = [(0, 0), (1, 1)], value = 9.0);",
        "e = exp(x); f = copy(e); k = clamp(e, 15.0, 17.0); y = add(k, f);",
    ],
)
def test_values_that_an_operation_adds_are_in_the_range(body):
    graph, x = small(body)
    quantized = nk.quantize(graph, x)
    assert quantized.report["y"].clipped == 0
    for name in set(quantized.report.to_frame().name):
        assert quantized.report[name].rmse_per_step < 0.5


def test_variables_that_a_run_updates_stay_in_floating_point():
    graph, x = small("n = add(s, x); u = update(s, n); y = exp(u);", s=(2, 6))
    quantized = nk.quantize(graph, [x, x])
    assert quantized.report.left == {
        "s": "a variable that a run updates",
        "u": "the new value of a variable",
    }
    assert line(quantized, "n")


def test_a_bias_of_one_value_for_several_steps_stays_in_floating_point():
    graph, x = small("y = linear(x, w, b);", w=(5, 6), b=(1, 1))
    quantized = nk.quantize(graph, x)
    assert line(quantized, "b") is None
    assert "one value for channels" in quantized.report.left["b"]
    assert quantized.report.snr > 30
    one = nk.quantize(graph, x, per_channel=False)
    expected = line(one, "w")["scale"] * line(one, "x")["scale"]
    assert line(one, "b")["scale"] == pytest.approx(expected, rel=1e-6)


def test_rows_of_a_constant_first_matrix_are_channels():
    graph, x = small("m = matmul(w, x); y = add(m, b);", w=(4, 2), b=(4, 1))
    quantized = nk.quantize(graph, x)
    expected = np.abs(graph.tensor("w").data).max(axis=1) / 127 * line(quantized, "x")["scale"]
    np.testing.assert_allclose(line(quantized, "b")["scale"], expected, rtol=1e-6)
    graph, x = small("m = matmul(w, x); y = add(m, b);", w=(4, 2), b=(1, 6))
    quantized = nk.quantize(graph, x)
    assert quantized.report.left == {"b": "it has more than one value for each channel"}
    assert quantized.report.snr > 30


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("symmetric", [True, False])
def test_the_bias_of_a_channel_without_weights_is_as_precise_as_others(per_channel, symmetric):
    graph, x = small("y = linear(x, w, b);", w=(3, 6), b=(1, 3))
    weights = graph.tensor("w").data.copy()
    weights[slice(1, 2) if per_channel else slice(None)] = 0
    graph = graph.with_data({"w": weights})
    options = {"per_channel": per_channel, "symmetric": symmetric}
    quantized = nk.quantize(graph, 300 * x, **options)
    bias = graph.tensor("b").data
    rounded = nk.trace(quantized, x, quantized=True)["b"]
    step = np.broadcast_to(line(quantized, "b")["scale"], bias.shape)
    np.testing.assert_allclose(rounded[:, 1], bias[:, 1], rtol=1e-6)
    assert (np.abs(rounded - bias) <= 0.5001 * step + 1e-6 * np.abs(bias)).all()
    assert not nk.trace(quantized, x, quantized=True)["w"][1].any()
    product = np.asarray(line(quantized, "w")["scale"]) * line(quantized, "x")["scale"]
    np.testing.assert_allclose(step, np.broadcast_to(product, step.shape), rtol=1e-6)


def test_graphs_of_float64_and_shared_biases():
    graph, x = small("h = linear(x, w, b); y = linear(h, w, b);", w=(6, 6), b=(1, 6))
    wide = graph.with_data({v.name: v.data.astype(np.float64) for v in graph.variables})
    for each in (graph, wide):
        quantized = nk.quantize(each, x, equalize=True, correct_biases=True)
        assert quantized.report.left == {
            "b": "several layers read it, each of which has another step"
        }
        assert quantized.report.snr > 30
    assert nk.run(quantized, x, quantized=True)["y"].dtype == np.float64


def test_values_beyond_float32_are_clipped():
    graph, x = small("y = mul(x, w);", w=(2, 6))
    graph = graph.with_data({"w": np.full((2, 6), 1e60)})
    quantized = nk.quantize(graph, x.astype(np.float64))
    largest = float(np.finfo(np.float32).max)
    assert line(quantized, "y")["scale"] == largest
    assert quantized.report["w"].maximum == 127 * largest
    assert quantized.report["w"].clipped == 1
    assert np.isfinite(nk.run(quantized, x.astype(np.float64), quantized=True)["y"]).all()


def test_a_tensor_of_rank_0_is_one_input():
    graph = nk.parse("version 1.0; graph g(x) -> (y) { x = external(shape = []); y = exp(x); }")
    quantized = nk.quantize(graph, np.float32(2))
    assert quantized.report.inputs == 1
    assert quantized.report["x"].maximum == pytest.approx(2)
