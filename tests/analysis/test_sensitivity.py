"""`sensitivity`: what rounding or noise of one operation does is what PyTorch computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import nnefkit as nk

NET = """
version 1.0;
graph net( x ) -> ( y )
{
    x = external(shape = [1, 3, 8, 8]);
    w1 = variable(shape = [4, 3, 3, 3], label = 'w1');
    a = conv(x, w1, 0.0, padding = [(0, 0), (0, 0)]);
    r = relu(a);
    w2 = variable(shape = [3, 3, 4, 5], label = 'w2');
    t = transpose(w2, axes = [3, 2, 0, 1]);
    y = conv(r, t, 0.0, padding = [(0, 0), (0, 0)]);
}
"""


@pytest.fixture
def net():
    random = np.random.default_rng(1)
    graph = nk.parse(NET)
    return graph.with_data(
        {v.name: random.normal(size=v.shape).astype(np.float32) for v in graph.variables}
    )


@pytest.fixture
def x():
    return np.random.default_rng(2).normal(size=(1, 3, 8, 8)).astype(np.float32)


def decibels(a, b):
    a, b = np.asarray(a, float), np.asarray(b, float)
    return 10 * np.log10(np.square(a).sum() / np.square(a - b).sum())


def rounded(values, bits):
    low, high = min(values.min().item(), 0), max(values.max().item(), 0)
    scale = (high - low) / (2**bits - 1)
    zero = round(-low / scale)
    return torch.fake_quantize_per_tensor_affine(values, scale, zero, 0, 2**bits - 1)


def by_channel(values, bits, axis=0):
    most = 2 ** (bits - 1) - 1
    scale = values.abs().transpose(0, axis).reshape(values.shape[axis], -1).amax(1) / most
    points = torch.zeros(len(scale), dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(values, scale, points, axis, -most, most)


def layers(net, x):
    w1, w2 = (torch.tensor(np.array(net.tensor(n).data)) for n in ("w1", "w2"))
    w2 = w2.permute(3, 2, 0, 1)
    return torch.tensor(x), w1, w2


@pytest.mark.parametrize("bits", [3, 8])
@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_rounding_results_is_that_of_pytorch(net, x, bits, engine):
    found = nk.sensitivity(net, x, bits=bits, engine=engine)
    assert {each.tensor for each in found.operations} == {"a", "r", "y"}
    given, w1, w2 = layers(net, x)
    a = torch.conv2d(given, w1)
    y = torch.conv2d(torch.relu(a), w2)
    expected = {
        "a": torch.conv2d(torch.relu(rounded(a, bits)), w2),
        "r": torch.conv2d(rounded(torch.relu(a), bits), w2),
        "y": rounded(y, bits),
    }
    for name, other in expected.items():
        assert found[name].output_snr == pytest.approx(decibels(y, other), abs=0.2)
    assert found["a"].own_snr == pytest.approx(decibels(a, rounded(a, bits)), abs=0.2)
    order = [each.output_snr for each in found.operations]
    assert order == sorted(order)


def test_rounding_weights_is_that_of_pytorch(net, x):
    found = nk.sensitivity(net, x, of="weights", bits=4)
    assert {each.tensor for each in found.operations} == {"a", "y"}
    given, w1, w2 = layers(net, x)
    r = torch.relu(torch.conv2d(given, w1))
    y = torch.conv2d(r, w2)
    first = torch.conv2d(torch.relu(torch.conv2d(given, by_channel(w1, 4))), w2)
    assert found["a"].output_snr == pytest.approx(decibels(y, first), abs=0.1)
    second = torch.conv2d(r, by_channel(w2, 4))
    assert found["y"].output_snr == pytest.approx(decibels(y, second), abs=0.1)
    assert found["y"].own_snr == found["y"].output_snr


def test_noise_has_the_ratio_that_was_asked_for_and_repeats():
    graph = nk.parse("""
        version 1.0;
        graph net( x ) -> ( z )
        {
            x = external(shape = [1, 20000]);
            small = mul(x, 0.1);
            large = mul(x, 10.0);
            z = add(small, large);
        }
        """)
    x = np.random.default_rng(3).normal(size=(1, 20000)).astype(np.float32)
    found = nk.sensitivity(graph, [x, x], "noise", snr=20)
    assert all(each.own_snr == pytest.approx(20, abs=0.2) for each in found.operations)
    # z = 10.1 x, so that the noise of `small` is 101 times smaller than that of all.
    assert found["small"].output_snr == pytest.approx(20 + 20 * np.log10(101), abs=0.2)
    assert found["large"].output_snr == pytest.approx(20 + 20 * np.log10(1.01), abs=0.2)
    assert found["small"].amplification == pytest.approx(-20 * np.log10(101), abs=0.4)
    again = nk.sensitivity(graph, [x, x], "noise", snr=20)
    assert found.operations == again.operations
    assert nk.sensitivity(graph, [x, x], "noise", snr=20, seed=1).operations != again.operations
    assert found.inputs == 2
    frame = found.to_frame()
    assert frame.tensor.tolist() == [each.tensor for each in found.operations]


def test_noise_of_a_result_of_zeros_moves_no_output(x):
    graph = nk.parse("""
        version 1.0;
        graph net( x ) -> ( y )
        {
            x = external(shape = [1, 3, 8, 8]);
            s = mul(x, 0.0);
            y = exp(s);
        }
        """)
    found = nk.sensitivity(graph, x, "noise")
    assert found["s"].own_snr == np.inf
    assert found["s"].output_snr == np.inf
    assert found["s"].amplification == 0
    assert found.operations[0].tensor == "y"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"perturbation": "nois"}, "'perturbation' must be 'bits' or 'noise', not 'nois'"),
        ({"of": "biases"}, "'of' must be 'results' or 'weights'"),
        ({"bits": 0}, "'bits' must be from 2 to 16"),
        ({"snr": np.inf}, "'snr' must be a finite number of dB"),
        ({"seed": -1}, "'seed' must be a non-negative integer"),
        ({"inputs": []}, "there are no inputs"),
        ({"inputs": "cat.npy"}, "'inputs' must be one input"),
    ],
)
def test_wrong_arguments(net, x, arguments, message):
    given = arguments.pop("inputs", x)
    with pytest.raises(nk.InputError, match=message):
        nk.sensitivity(net, given, **arguments)


def test_a_graph_without_weights_has_no_sensitivity_to_them(x):
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 3, 8, 8]); y = exp(x); }"
    )
    with pytest.raises(nk.InputError, match="has no weights to perturb"):
        nk.sensitivity(graph, x, of="weights")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_weights_that_are_computed_are_perturbed(engine, dtype):
    graph = nk.parse("""
        version 1.0;
        graph net( x ) -> ( y, z )
        {
            x = external(shape = [4, 6]);
            v = variable(shape = [10, 6], label = 'v');
            [a, b] = split(v, axis = 0, ratios = [2, 3]);
            d = mul(b, 2.0);
            y = linear(x, a, 0.0);
            z = linear(x, d, 0.0);
        }
        """)
    random = np.random.default_rng(5)
    v, x = (random.normal(size=shape).astype(np.float32) for shape in ((10, 6), (4, 6)))
    graph = graph.with_data({"v": v.astype(dtype)})
    found = nk.sensitivity(graph, x, of="weights", bits=4, engine=engine)
    for name, w in (("y", v[:4]), ("z", 2 * v[4:])):
        expected = decibels(x @ w.T, x @ by_channel(torch.tensor(w), 4).numpy().T)
        assert found[name].own_snr == pytest.approx(expected, abs=0.1)
        # The other output does not move.
        assert found[name].output_snr == pytest.approx(expected + 10 * np.log10(2), abs=0.1)


@pytest.mark.parametrize("perturbation", ["bits", "noise"])
def test_infinite_values_stay_and_the_others_are_perturbed(perturbation):
    graph = nk.parse("""
        version 1.0;
        graph net( x ) -> ( y )
        {
            x = external(shape = [1, 40000]);
            l = log(x);
            y = add(l, 0.5);
        }
        """)
    x = np.random.default_rng(6).uniform(0.1, 1, size=(1, 40000)).astype(np.float32)
    masked = x * (np.arange(40000) % 2)
    found = nk.sensitivity(graph, masked, perturbation, bits=5, snr=20)
    alone = nk.sensitivity(graph, x[:, 1::2].repeat(2, axis=1), perturbation, bits=5, snr=20)
    for name in "ly":
        assert np.isfinite(found[name].own_snr)
        assert found[name].own_snr == pytest.approx(alone[name].own_snr, abs=0.2)
        assert found[name].output_snr == pytest.approx(alone[name].output_snr, abs=0.2)


def test_weights_that_are_not_finite_are_refused(net, x):
    weights = net.tensor("w1").data.copy()
    weights[0, 0, 0, 0] = np.nan
    with pytest.raises(nk.InputError, match="'w1' has NaN or infinite values"):
        nk.sensitivity(net.with_data({"w1": weights}), x, of="weights")
