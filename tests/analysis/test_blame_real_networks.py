"""`blame` finds planted faults in real networks, and nobody where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nnefkit as nk

MODELS = Path(__file__).parents[1] / "models"


@pytest.fixture(scope="module")
def blazeface():
    graph = nk.load(MODELS / "blazeface_front" / "blazeface_front.nnef")
    with np.load(MODELS / "blazeface_front" / "io.npz") as recorded:
        return graph, {"external1": recorded["external1"]}


def rounded(data, bits):
    step = np.abs(data).max() / (2 ** (bits - 1) - 1)
    return np.round(data / step) * step


def with_weights(graph, **changes):
    return graph.with_data({n: change(graph.tensor(n).data) for n, change in changes.items()})


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_engines_that_agree_are_not_guilty(blazeface, engine):
    graph, inputs = blazeface
    found = nk.blame(graph, inputs, suspect=engine)
    assert found.ok, found.summary
    assert not found.unchecked


def test_two_layers_of_rounded_weights_are_found_with_their_grids(blazeface):
    graph, inputs = blazeface
    suspect = with_weights(
        graph, variable15=lambda w: rounded(w, 4), variable35=lambda w: rounded(w, 6)
    )
    found = nk.blame(graph, inputs, suspect=suspect)
    assert {each.tensor for each in found.guilty} == {"conv8", "conv18"}
    assert found["conv8"].share == pytest.approx(0.48, abs=0.03)
    assert found["conv8"].own_snr == pytest.approx(18.9, abs=0.1)
    assert found["conv18"].own_snr == pytest.approx(24.0, abs=0.1)
    assert "4-bit grid" in found["conv8"].cause
    assert "6-bit grid" in found["conv18"].cause
    assert all(each.own_snr == np.inf for each in found.operations[2:])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "guilty"),
    [
        ({"weight": lambda w: rounded(w, 8)}, 1),
        ({"weight": lambda w: np.ascontiguousarray(w[::-1])}, 1),
    ],
)
def test_one_layer_of_efficientnet_is_found(change, guilty):
    graph = nk.load(MODELS / "efficientnet_lite0" / "efficientnet_lite0.nnef.tgz")
    name = max(graph.variables, key=lambda v: (len(v.shape) == 4) * v.data.size).name
    (reader,) = [op for op in graph.computations if name in op.input_names]
    (shape,) = [graph.tensor(n).shape for n in graph.inputs]
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    suspect = with_weights(graph, **{name: change["weight"]})
    found = nk.blame(graph, x, suspect=suspect)
    assert len(found.guilty) == guilty
    assert found.guilty[0].tensor == reader.output_names[0]
    assert found.guilty[0].share == pytest.approx(1, abs=0.01)
    assert nk.blame(graph, x, suspect="onnxruntime").ok


TRANSFORMER = """
version 1.0;
graph net( x ) -> ( y )
{{
    x = external(shape = [1, 12, 16]);
    {layers}
    y = copy(x{last});
}}
"""
LAYER = """
    wq{i} = variable(shape = [1, 16, 16], label = 'wq{i}');
    wk{i} = variable(shape = [1, 16, 16], label = 'wk{i}');
    wv{i} = variable(shape = [1, 16, 16], label = 'wv{i}');
    q{i} = matmul(x{i}, wq{i});
    k{i} = matmul(x{i}, wk{i});
    v{i} = matmul(x{i}, wv{i});
    s{i} = matmul(q{i}, k{i}, transposeB = true);
    d{i} = mul(s{i}, 0.25);
    p{i} = softmax(d{i}, axes = [2]);
    h{i} = matmul(p{i}, v{i});
    a{i} = add(x{i}, h{i});
    m{i}, z{i} = moments(a{i}, axes = [2]);
    c{i} = sub(a{i}, m{i});
    e{i} = add(z{i}, 0.01);
    f{i} = rsqrt(e{i});
    x{next} = mul(c{i}, f{i});
"""


def transformer(count=6, **changes):
    layers = "".join(LAYER.format(i=i, next=i + 1) for i in range(count)).replace("x0", "x")
    text = TRANSFORMER.format(layers=layers, last=count)
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    random = np.random.default_rng(2)
    graph = nk.parse(text)
    return graph.with_data(
        {v.name: random.normal(size=v.shape).astype(np.float32) / 4 for v in graph.variables}
    )


@pytest.mark.parametrize(
    ("change", "guilty"),
    [
        (("e3 = add(z3, 0.01)", "e3 = add(z3, 0.1)"), "e3"),
        (("d2 = mul(s2, 0.25)", "d2 = mul(s2, 0.5)"), "d2"),
        (("p4 = softmax(d4, axes = [2])", "p4 = softmax(d4, axes = [1])"), "p4"),
        (("s1 = matmul(q1, k1", "s1 = matmul(k1, q1"), "s1"),
    ],
)
def test_a_fault_in_a_transformer_is_found(change, guilty):
    x = np.random.default_rng(3).normal(size=(1, 12, 16)).astype(np.float32)
    found = nk.blame(transformer(), x, suspect=transformer(change=change))
    assert [each.tensor for each in found.guilty] == [guilty]
    assert found.guilty[0].cause or guilty == "s1"
