"""`blame` finds planted faults in a residual network of 50 layers, and among 60 of them."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.execution.engine_list import GROUP

STAGES = (3, 4, 6, 3)
"""Numbers of blocks of three convolutions, as in ResNet-50."""
WRONG_ENGINE = """
from dataclasses import replace
from nnefkit.execution.engines.numpy import NumpyEngine

class WrongEngine(NumpyEngine):
    name = "wrong"

    def prepare(self, graph, fetch, watched=()):
        # Its kernel of mean_reduce computes another thing.
        operations = [
            replace(op, name={"mean_reduce": "max_reduce"}.get(op.name, op.name))
            for op in graph.operations
        ]
        return super().prepare(replace(graph, operations=tuple(operations)), fetch, watched)
"""


class Lines:
    """The text of a network, layer by layer."""

    def __init__(self) -> None:
        self.lines = ["x = external(shape = [1, 3, 32, 32]);"]

    def conv(self, name, source, sizes, stride=1):
        """Add a convolution with a batch normalization."""
        shape, pad = list(sizes), sizes[2] // 2
        parameters = ("mean", "variance", "offset", "scale")
        self.lines += [
            f"w{name} = variable(shape = {shape}, label = 'w{name}');",
            *(
                f"{p}{name} = variable(shape = [1, {shape[0]}], label = '{p}{name}');"
                for p in parameters
            ),
            f"c{name} = conv({source}, w{name}, padding = [({pad}, {pad}), ({pad}, {pad})], "
            f"stride = [{stride}, {stride}], border = 'constant');",
            f"n{name} = batch_normalization(c{name}, "
            f"{', '.join(p + name for p in parameters)}, epsilon = 0.001);",
        ]
        return f"n{name}"

    def relu(self, name, source):
        """Add an activation."""
        self.lines.append(f"{name} = relu({source});")
        return name


def text(stages=STAGES):
    net = Lines()
    last, width = net.relu("r", net.conv("stem", "x", (8, 3, 3, 3), 2)), 8
    for stage, count in enumerate(stages):
        inner, outer = 4 << stage, 16 << stage
        for block in range(count):
            key, stride = f"{stage}_{block}", 2 if stage and not block else 1
            a = net.relu(f"r{key}a", net.conv(f"{key}a", last, (inner, width, 1, 1)))
            b = net.relu(f"r{key}b", net.conv(f"{key}b", a, (inner, inner, 3, 3), stride))
            c = net.conv(f"{key}c", b, (outer, inner, 1, 1))
            side = last if block else net.conv(f"{key}d", last, (outer, width, 1, 1), stride)
            net.lines.append(f"s{key} = add({c}, {side});")
            last, width = net.relu(f"r{key}", f"s{key}"), outer
    net.lines += [
        f"m = mean_reduce({last}, axes = [2, 3]);",
        "f = squeeze(m, axes = [2, 3]);",
        f"wf = variable(shape = [10, {width}], label = 'wf');",
        "l = linear(f, wf);",
        "y = softmax(l);",
    ]
    body = "\n    ".join(net.lines)
    return f"version 1.0;\ngraph resnet( x ) -> ( y )\n{{\n    {body}\n}}\n"


def with_values(graph):
    """The graph with random weights that keep the magnitude of what flows."""
    random = np.random.default_rng(8)

    def values(variable):
        name, shape = variable.name, variable.shape
        drawn = random.normal(size=shape)
        if name.startswith(("variance", "scale")):
            return 1 + 0.2 * np.abs(drawn)
        if name.startswith(("mean", "offset")):
            return 0.2 * drawn
        return drawn / math.sqrt(np.prod(shape[1:]))

    return graph.with_data({v.name: values(v).astype(np.float32) for v in graph.variables})


@cache
def network(stages=STAGES):
    return with_values(nk.parse(text(stages)))


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(9).normal(size=(1, 3, 32, 32)).astype(np.float32)


def changed(graph, **weights):
    return graph.with_data(
        {name: np.ascontiguousarray(f(graph.tensor(name).data)) for name, f in weights.items()}
    )


def with_text(graph, *replacements):
    other = text()
    for old, new in replacements:
        assert other.count(old) == 1, old
        other = other.replace(old, new)
    return nk.parse(other).with_data({v.name: v.data for v in graph.variables})


def rounded(bits):
    def change(data):
        step = np.abs(data).max() / (2 ** (bits - 1) - 1)
        return np.round(data / step) * step

    return change


def line(name):
    """The line of the text that computes a tensor."""
    return next(
        each.strip() for each in text().splitlines() if each.strip().startswith(f"{name} =")
    )


def replaced(graph, name, old, new):
    whole = line(name)
    assert old in whole
    return with_text(graph, (whole, whole.replace(old, new)))


def zeroed(data):
    data = data.copy()
    data[0, data[0].argmax()] = 0
    return data


def swapped(data):
    return data[[1, 0, *range(2, len(data))]]


def two_faults(graph):
    return changed(replaced(graph, "r1_2b", "relu", "elu"), w3_0b=rounded(5))


FAULTS = {
    "a wrong attribute": (
        lambda g: replaced(g, "c1_1b", "[(1, 1), (1, 1)]", "[(2, 0), (1, 1)]"),
        ["c1_1b"],
    ),
    "another operation": (lambda g: replaced(g, "r1_1", "relu", "elu"), ["r1_1"]),
    "a weight transposed": (lambda g: changed(g, w2_4b=lambda w: w.swapaxes(0, 1)), ["c2_4b"]),
    "a filter turned": (lambda g: changed(g, w2_4b=lambda w: w.swapaxes(2, 3)), ["c2_4b"]),
    "channels swapped": (lambda g: changed(g, w1_0c=swapped), ["c1_0c"]),
    "one bias zeroed": (lambda g: changed(g, offset0_1a=zeroed), ["n0_1a"]),
    "rounding to 8 bits": (lambda g: changed(g, w3_1b=rounded(8)), ["c3_1b"]),
    "rounding to 4 bits": (lambda g: changed(g, w0_0a=rounded(4)), ["c0_0a"]),
    "another border": (lambda g: replaced(g, "c0_2b", "'constant'", "'reflect'"), ["c0_2b"]),
    "an epsilon ten times as large": (lambda g: replaced(g, "n2_2b", "0.001", "0.01"), ["n2_2b"]),
    "a fault in a branch": (lambda g: changed(g, w2_0d=rounded(4)), ["c2_0d"]),
    "two at once": (two_faults, ["r1_2b", "c3_0b"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_by_the_first_call(x, fault):
    change, guilty = FAULTS[fault]
    found = nk.blame(network(), x, suspect=change(network()))
    assert {each.tensor for each in found.guilty} == set(guilty)
    assert not found.ok
    for each in found.guilty:
        assert each.tensor in found.summary
        assert each.cause
    ranked = list(found.to_frame().index)
    assert ranked[: len(guilty)] == [each.tensor for each in found.guilty]
    assert "passes it on" in {each.verdict for each in found.operations[len(guilty) :]}


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("layer", ["0_0a", "1_4b", "3_4c"])
def test_one_rounded_layer_among_sixty_is_found(x, layer, bits):
    graph = network((5, 5, 5, 5))
    assert sum(op.name == "conv" for op in graph.operations) == 65
    found = nk.blame(graph, x, suspect=changed(graph, **{f"w{layer}": rounded(bits)}))
    assert [each.tensor for each in found.guilty] == [f"c{layer}"]
    # A filter of few values may lie on a grid by chance.
    is_large = graph.tensor(f"w{layer}").data.size > 64
    assert (f"{bits}-bit grid" in found.guilty[0].cause) is is_large
    assert found.guilty[0].share == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_engines_that_compute_right_are_not_blamed(x, engine):
    assert nk.blame(network(), x, suspect=engine).ok


def test_an_engine_with_a_wrong_kernel_is_caught(x, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "wrong_engine.py").write_text(WRONG_ENGINE)
    (tmp_path / "wrong-1.0.dist-info").mkdir()
    (tmp_path / "wrong-1.0.dist-info" / "METADATA").write_text("Name: wrong\nVersion: 1.0\n")
    points = f"[{GROUP}]\nwrong = wrong_engine:WrongEngine\n"
    (tmp_path / "wrong-1.0.dist-info" / "entry_points.txt").write_text(points)
    found = nk.blame(network(), x, suspect="wrong")
    assert [each.tensor for each in found.guilty] == ["m"]
    assert found.summary.startswith("m is guilty.")
