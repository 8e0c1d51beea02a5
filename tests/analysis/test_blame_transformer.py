"""`blame` finds planted faults in a transformer with several heads, and nobody in clean pairs."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.execution.engine_list import GROUP

LAYERS, TOKENS, WIDTH, HEADS = 6, 10, 16, 4
HEAD = WIDTH // HEADS
WRONG_ENGINE = """
from dataclasses import replace
from nnefkit.execution.engines.numpy import NumpyEngine

class WrongEngine(NumpyEngine):
    name = "wrong_softmax"

    def prepare(self, graph, fetch, watched=()):
        # Its kernel of softmax normalizes over the first axis, whatever it is given.
        operations = [
            replace(op, attribs={**op.attribs, "axes": [1]}) if op.name == "softmax" else op
            for op in graph.operations
        ]
        return super().prepare(replace(graph, operations=tuple(operations)), fetch, watched)
"""


def projection(name, source, rows, columns, bias=False):
    """A matrix that tokens are multiplied with."""
    lines = [
        f"w{name} = variable(shape = [1, {rows}, {columns}], label = 'w{name}');",
        f"{name} = matmul({source}, w{name});",
    ]
    if bias:
        lines += [
            f"b{name} = variable(shape = [1, 1, {columns}], label = 'b{name}');",
            f"o{name} = add({name}, b{name});",
        ]
    return lines


def normalization(name, source):
    """Layer normalization."""
    return [
        f"m{name}, z{name} = moments({source}, axes = [2]);",
        f"c{name} = sub({source}, m{name});",
        f"e{name} = add(z{name}, 0.01);",
        f"f{name} = rsqrt(e{name});",
        f"{name} = mul(c{name}, f{name});",
    ]


def layer(i, source):
    """Attention with several heads, then two layers of each token; both are added to what comes."""
    lines = normalization(f"n{i}", source)
    for each in ("q", "k", "v"):
        lines += projection(f"{each}{i}", f"n{i}", WIDTH, WIDTH)
        lines += [
            f"{each}r{i} = reshape({each}{i}, shape = [1, {TOKENS}, {HEADS}, {HEAD}]);",
            f"{each}h{i} = transpose({each}r{i}, axes = [0, 2, 1, 3]);",
        ]
    lines += [
        f"s{i} = matmul(qh{i}, kh{i}, transposeB = true);",
        f"d{i} = mul(s{i}, 0.5);",
        f"p{i} = softmax(d{i}, axes = [3]);",
        f"h{i} = matmul(p{i}, vh{i});",
        f"t{i} = transpose(h{i}, axes = [0, 2, 1, 3]);",
        f"r{i} = reshape(t{i}, shape = [1, {TOKENS}, {WIDTH}]);",
        *projection(f"o{i}", f"r{i}", WIDTH, WIDTH),
        f"a{i} = add({source}, o{i});",
        *normalization(f"l{i}", f"a{i}"),
        *projection(f"u{i}", f"l{i}", WIDTH, 2 * WIDTH, bias=True),
        f"g{i} = gelu(ou{i});",
        *projection(f"j{i}", f"g{i}", 2 * WIDTH, WIDTH, bias=True),
        f"y{i} = add(a{i}, oj{i});",
    ]
    return lines


@cache
def lines():
    found = [f"x = external(shape = [1, {TOKENS}, {WIDTH}]);"]
    for i in range(LAYERS):
        found += layer(i, f"y{i - 1}" if i else "x")
    return [*found, *normalization("y", f"y{LAYERS - 1}")]


def text(*changes):
    body = list(lines())
    for name, old, new in changes:
        (place,) = [i for i, each in enumerate(body) if each.startswith(f"{name} =")]
        assert old in body[place]
        body[place] = body[place].replace(old, new)
    return "version 1.0;\ngraph transformer( x ) -> ( y )\n{\n    " + "\n    ".join(body) + "\n}\n"


@cache
def network():
    random = np.random.default_rng(12)

    def values(v):
        drawn = random.normal(size=v.shape) / math.sqrt(v.shape[1])
        return (drawn / 4 if v.name.startswith("b") else drawn).astype(np.float32)

    graph = nk.parse(text())
    return graph.with_data({v.name: values(v) for v in graph.variables})


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(13).normal(size=(1, TOKENS, WIDTH)).astype(np.float32)


def faulty(*changes, **weights):
    """The network with changes (name, old, new) of lines, and of weights."""
    values = {v.name: v.data for v in network().variables}
    values |= {name: np.ascontiguousarray(change(values[name])) for name, change in weights.items()}
    return nk.parse(text(*changes)).with_data(values)


def rounded(bits):
    def change(data):
        step = np.abs(data).max() / (2 ** (bits - 1) - 1)
        return np.round(data / step) * step

    return change


def transposed(data):
    return data.swapaxes(1, 2)


def heads_swapped(data):
    return data[..., [*range(HEAD, 2 * HEAD), *range(HEAD), *range(2 * HEAD, WIDTH)]]


def channels_swapped(data):
    return data[..., [1, 0, *range(2, data.shape[-1])]]


def first_zeroed(data):
    return data * (np.arange(data.shape[-1]) > 0)


FAULTS = {
    "a wrong attribute": (lambda: faulty(("d2", "0.5", "0.25")), {"d2"}),
    "another axis": (lambda: faulty(("p4", "[3]", "[2]")), {"p4"}),
    "another operation": (lambda: faulty(("g1", "gelu", "relu")), {"g1"}),
    "queries and keys exchanged": (lambda: faulty(("s1", "qh1, kh1", "kh1, qh1")), {"s1"}),
    "heads in another order": (lambda: faulty(("t3", "[0, 2, 1, 3]", "[0, 2, 3, 1]")), {"t3"}),
    "an epsilon ten times as large": (lambda: faulty(("en3", "0.01", "0.1")), {"en3"}),
    "a weight transposed": (lambda: faulty(wo2=transposed), {"o2"}),
    "heads swapped": (lambda: faulty(wv4=heads_swapped), {"v4"}),
    "channels swapped": (lambda: faulty(wu1=channels_swapped), {"u1"}),
    "one bias zeroed": (lambda: faulty(bu0=first_zeroed), {"ou0"}),
    "rounding to 4 bits": (lambda: faulty(wq3=rounded(4)), {"q3"}),
    "rounding to 8 bits": (lambda: faulty(wj5=rounded(8)), {"j5"}),
    "a fault in a branch": (lambda: faulty(wk2=rounded(5)), {"k2"}),
    "two at once": (lambda: faulty(("el1", "0.01", "0.1"), wk4=rounded(6)), {"el1", "k4"}),
    "two in one layer": (lambda: faulty(wq2=rounded(4), wv2=channels_swapped), {"q2", "v2"}),
}
WITHOUT_CAUSE = {"queries and keys exchanged"}
"""An argument of another name is neither a weight nor an attribute."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_by_the_first_call(x, fault):
    change, guilty = FAULTS[fault]
    found = nk.blame(network(), x, suspect=change())
    assert {each.tensor for each in found.guilty} == guilty, found.summary
    assert list(found.to_frame().index[: len(guilty)]) == [each.tensor for each in found.guilty]
    for each in found.guilty:
        assert each.tensor in found.summary
        assert bool(each.cause) is (fault not in WITHOUT_CAUSE)
    assert {each.verdict for each in found.operations[len(guilty) :]} <= {"passes it on", "clean"}
    if len(guilty) == 1:
        assert found.guilty[0].share == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_a_clean_pair_blames_nobody(x, engine):
    found = nk.blame(network(), x, suspect=engine)
    assert found.ok, found.summary
    assert not found.unchecked
    assert found.summary.startswith("No operation is guilty.")


def test_the_same_weights_in_another_graph_blame_nobody(x):
    assert nk.blame(network(), x, suspect=faulty()).ok


def test_an_engine_with_one_wrong_kernel_is_caught(x, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "wrong_softmax_engine.py").write_text(WRONG_ENGINE)
    metadata = tmp_path / "wrong_softmax-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: wrong_softmax\nVersion: 1.0\n")
    points = f"[{GROUP}]\nwrong_softmax = wrong_softmax_engine:WrongEngine\n"
    (metadata / "entry_points.txt").write_text(points)
    found = nk.blame(network(), x, suspect="wrong_softmax")
    assert {each.tensor for each in found.guilty} == {f"p{i}" for i in range(LAYERS)}
    assert {each.operation for each in found.guilty} == {"softmax"}


def test_a_reference_of_a_few_tensors_finds_the_layer(x):
    kept = [f"y{i}" for i in range(LAYERS)]
    reference = nk.trace(network(), x, keep=kept)
    found = nk.blame(network(), x, reference=reference, suspect=faulty(wk2=rounded(4)))
    assert [each.tensor for each in found.guilty] == ["y2"]
    assert "k2" in found["y2"].operations
    assert "or before it" in found.summary
    assert found["y2"].cause.startswith("in `k2`, its weight `wk2` differs")
