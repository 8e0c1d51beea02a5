"""One tensor that is passed as several inputs: the graph has several independent inputs."""

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

import nnefkit as nk
from nnefkit.exchange.proof_inputs import independent


class Weighted(nn.Module):
    """Tells its inputs apart."""

    def forward(self, a, b, c=None):
        third = 0 if c is None else 100 * c
        return a + 10 * b + third


class Nested(nn.Module):
    def forward(self, pair, named):
        return pair[0] + 10 * pair[1] + 100 * named["c"]


X = torch.linspace(-1, 1, 6).reshape(2, 3)
VIEWED = torch.linspace(-1, 1, 9)


@pytest.mark.parametrize(
    ("inputs", "kwargs"),
    [
        ((X, X, X), None),
        ([X, X, X], None),
        ((X, X), {"c": X}),
        ({"a": X, "b": X, "c": X}, None),
        ((X, X.detach(), X.view(2, 3)), None),
        ((VIEWED[:6].view(2, 3), VIEWED[3:].view(2, 3), VIEWED[:6].view(2, 3)), None),
        ((X, X.clone(), X.clone()), None),
        ((X.requires_grad_(False), nn.Parameter(X), X.expand(2, 3)), None),
    ],
    ids=["tuple", "list", "keyword", "mapping", "detached", "views", "copies", "parameter"],
)
def test_every_input_is_read(inputs, kwargs):
    graph = nk.from_torch(Weighted(), inputs, kwargs=kwargs)
    assert len(graph.inputs) == 3
    values = [np.random.default_rng(n).standard_normal((2, 3), np.float32) for n in range(3)]
    (result,) = nk.run(graph, dict(zip(graph.inputs, values, strict=True))).values()
    np.testing.assert_allclose(result, values[0] + 10 * values[1] + 100 * values[2], rtol=1e-4)


def test_tensors_in_lists_and_mappings_are_read():
    graph = nk.from_torch(Nested(), ([X, X], {"c": X}))
    assert all(graph.consumers[name] for name in graph.inputs)


def test_attention_over_one_tensor():
    torch.manual_seed(0)
    module = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    x = torch.randn(2, 5, 8)
    graph = nk.from_torch(module, (x, x, x))
    assert graph.inputs == ("query", "key", "value")
    query, key, value = torch.randn(2, 5, 8), torch.randn(2, 5, 8), torch.randn(2, 5, 8)
    feeds = {"query": query, "key": key, "value": value}
    outputs = nk.run(graph, {name: tensor.numpy() for name, tensor in feeds.items()})
    with torch.no_grad():
        expected, weights = module(query, key, value)
    for given, wanted in zip(outputs.values(), (expected, weights), strict=True):
        np.testing.assert_allclose(given, wanted, atol=1e-5)


def test_a_weight_as_an_input_is_not_the_weight():
    module = nn.Linear(3, 3, bias=False)
    graph = nk.from_torch(module, module.weight)
    x = np.float32([[1, 2, 3]] * 3)
    (result,) = nk.run(graph, {"input": x}).values()
    np.testing.assert_allclose(result, x @ module.weight.detach().numpy().T, rtol=1e-4)


def test_the_proof_tells_equal_inputs_apart(monkeypatch):
    class Confused(nn.Module):
        """A function that differs between run and export."""

        def forward(self, a, b):
            return a - b if torch.compiler.is_exporting() else b - a

    with pytest.raises(nk.ExecutionError, match="does not compute what its source computes"):
        nk.from_torch(Confused(), (X, X))
    zeros = torch.zeros(2, 3)
    with pytest.raises(nk.ExecutionError, match="does not compute what its source computes"):
        nk.from_torch(Confused(), (zeros, zeros))


def test_unused_inputs_are_named():
    class First(nn.Module):
        def forward(self, a, b):
            return a * 2

    graph = nk.from_torch(First(), (X, X))
    assert graph.provenance["unused_inputs"] == ("b",)
    assert "not read: b" in repr(graph)
    assert "unused_inputs" not in nk.from_torch(Weighted(), (X, X)).provenance
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in "abc"]
    node = helper.make_node("Relu", ["a"], ["c"])
    model = helper.make_model(helper.make_graph([node], "net", infos[:2], infos[2:]))
    model.ir_version = 8
    assert nk.from_onnx(model).provenance["unused_inputs"] == ("b",)


def test_independent_inputs_hold_the_same_elements():
    array = np.arange(8)
    given = {"a": array, "b": array, "c": array, "d": np.zeros(3, np.float32), "e": np.array([])}
    distinct = independent(given | {"f": np.zeros(3, np.float32)})
    assert {name: value.dtype for name, value in distinct.items()} == {
        **dict.fromkeys("abc", array.dtype),
        **dict.fromkeys("df", np.dtype(np.float32)),
        "e": np.dtype(np.float64),
    }
    for a, b in (("a", "b"), ("b", "c"), ("a", "c"), ("d", "f")):
        assert not np.array_equal(distinct[a], distinct[b])
    assert sorted(distinct["c"]) == [*range(8)]
    assert distinct["a"] is array
