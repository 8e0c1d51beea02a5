"""New weights of a module for its graph: the same numbers as the module, or a refusal."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import nnefkit as nk


class Weights(nn.Module):
    """A module with some weights and a function of the input and the weights."""

    def __init__(self, function, **shapes):
        super().__init__()
        self.function = function
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.randn(shape)))

    def forward(self, x):
        return self.function(self, x)


ROWS, IMAGE, SEQUENCE = torch.randn(4, 4), torch.randn(1, 4, 5, 5), torch.randn(2, 3, 4)

SETTABLE = {
    "linear": (lambda: nn.Linear(4, 4), ROWS),
    "matrix product": (lambda: Weights(lambda m, x: x @ m.w, w=(4, 4)), ROWS),
    "matrix product and its transpose": (
        lambda: Weights(lambda m, x: x @ m.w @ m.w.t(), w=(4, 4)), ROWS),
    "LSTM": (lambda: nn.LSTM(4, 4, batch_first=True, bidirectional=True), SEQUENCE),
    "GRU": (lambda: nn.GRU(4, 4), SEQUENCE),
    "transposed convolution": (lambda: nn.ConvTranspose2d(4, 4, 3), IMAGE),
    "encoder layer": (lambda: nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), SEQUENCE),
    "batch normalization": (lambda: nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)), IMAGE),
}  # fmt: skip

REFUSED = {
    "transposed": (lambda m, x: x @ m.w.t(), {"w": (4, 4)}, "w"),
    "transposed by T": (lambda m, x: x @ m.w.T, {"w": (4, 4)}, "w"),
    "transposed before linear": (lambda m, x: functional.linear(x, m.w.t()), {"w": (4, 4)}, "w"),
    "axes permuted": (lambda m, x: x @ m.w.permute(0, 2, 1), {"w": (4, 4, 4)}, "w"),
    "transposed and reshaped": (lambda m, x: x @ m.w.t().reshape(4, 4), {"w": (4, 4)}, "w"),
    "transposed in another shape": (
        lambda m, x: x * m.w.reshape(4, 2).t().contiguous().view(4, 2).repeat(1, 2),
        {"w": (2, 4)}, "w"),
    "columns of another shape": (
        lambda m, x: x * m.w.reshape(2, 8).t().contiguous().view(4, 4), {"w": (4, 4)}, "w"),
    "einsum": (lambda m, x: torch.einsum("bi,oi->bo", x, m.w), {"w": (4, 4)}, "w"),
    "rounded to half precision": (lambda m, x: x @ m.w.half().float(), {"w": (4, 4)}, "w"),
    "reversed": (lambda m, x: x @ m.w.flip(0), {"w": (4, 4)}, "w"),
    "repeated": (lambda m, x: x @ m.w.expand(4, 4), {"w": (4, 1)}, "w"),
    "two added": (lambda m, x: x @ (m.w + m.v), {"w": (4, 4), "v": (4, 4)}, "w"),
    "also doubled": (lambda m, x: x @ m.w + x @ (2 * m.w), {"w": (4, 4)}, "w"),
    "also its first row": (lambda m, x: x @ m.w + m.w[0], {"w": (4, 4)}, "w"),
    "also its mean": (lambda m, x: x @ m.w + m.w.mean(), {"w": (4, 4)}, "w"),
    "named as the operator": (lambda m, x: x @ m.abs.abs(), {"abs": (4, 4)}, "abs"),
    "named as another operator": (
        lambda m, x: x @ m.w.abs() + 2 * m.abs.abs().mean(), {"w": (4, 4), "abs": (4, 4)}, "abs"),
    "names that differ by case": (
        lambda m, x: x @ (2 * m.W) @ m.w, {"W": (4, 4), "w": (4, 4)}, "W"),
    "names that differ by a number": (
        lambda m, x: x @ (2 * m.w_1) @ m.w, {"w": (4, 4), "w_1": (4, 4)}, "w_1"),
    "one number": (lambda m, x: x * m.scale, {"scale": ()}, "scale"),
    "one number in a list": (lambda m, x: x * m.scale, {"scale": (1,)}, "scale"),
    "a name with a suffix": (
        lambda m, x: x @ m.w.t() + 0 * m.w_transposed.mean(),
        {"w": (4, 4), "w_transposed": (4, 4)}, "w_transposed"),
}  # fmt: skip


def trained(module):
    """Return the module with other weights."""
    with torch.no_grad():
        for name, tensor in module.state_dict(keep_vars=True).items():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + (0.5 if "var" in name else -0.3))
    return module


@pytest.fixture
def reloaded(tmp_path):
    """Return a function that saves a graph and loads it again."""

    def reloaded(graph):
        nk.save(graph, tmp_path / "model")
        return nk.load(tmp_path / "model")

    return reloaded


@pytest.mark.parametrize(("make", "x"), SETTABLE.values(), ids=SETTABLE)
def test_weights_of_layers_can_be_replaced(make, x, reloaded):
    module = make().eval()
    graph = nk.from_torch(module, x)
    state = trained(module).state_dict()
    expected = module(x)
    expected = expected[0] if isinstance(expected, tuple) else expected
    for given in (graph, reloaded(graph)):
        result = nk.run(given.with_data(state), x.numpy())[graph.outputs[0]]
        np.testing.assert_allclose(result, expected.detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("function", "shapes", "name"), REFUSED.values(), ids=REFUSED)
def test_weights_that_a_graph_holds_otherwise_are_refused(function, shapes, name, reloaded):
    module = Weights(function, **shapes).eval()
    graph = nk.from_torch(module, ROWS)
    weight = trained(module).state_dict()[name]
    for given in (graph, reloaded(graph), nk.from_onnx(nk.to_onnx(graph), verify=False)):
        with pytest.raises(nk.UnknownNameError, match="has no variable") as caught:
            given.with_data({name: weight})
        assert "convert the source again" in caught.value.diagnostics[0].hint


def test_a_weight_that_is_one_number_is_named_with_the_remedy():
    module = Weights(lambda m, x: x @ m.w * m.scale, w=(4, 4), scale=())
    graph = nk.from_torch(module, ROWS)
    with pytest.raises(nk.UnknownNameError, match="no variable 'scale'") as caught:
        graph.with_data(trained(module).state_dict())
    hint = caught.value.diagnostics[0].hint
    assert "as a number" in hint
    assert "convert the source again, with its new weights" in hint


@pytest.mark.parametrize("name", ["0.weight", "0.bias"])
def test_weights_of_folded_layers_are_refused(name, reloaded):
    module = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)).eval()
    graph = nk.from_torch(trained(module), IMAGE, fold=True)
    for given in (graph, reloaded(graph)):
        with pytest.raises(nk.UnknownNameError, match="has no variable"):
            given.with_data({name: module.state_dict()[name]})


def test_variables_of_other_names_can_be_replaced_by_their_labels(reloaded):
    graph = nk.from_torch(Weights(lambda m, x: x @ m.w.t(), w=(4, 4)), ROWS)
    (variable,) = reloaded(graph).variables
    assert variable.label == "w_transposed"
    changed = graph.with_data({variable.label: np.eye(4, dtype=np.float32)})
    assert np.array_equal(nk.run(changed, ROWS.numpy())[graph.outputs[0]], ROWS.numpy())
