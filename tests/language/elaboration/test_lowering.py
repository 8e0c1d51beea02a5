"""Compound operations are lowered by their definitions (4.2.4, 4.3.4, 4.6.2, 4.9)."""

from __future__ import annotations

import numpy as np
import pytest

import nnefkit as nk
from nnefkit import language
from nnefkit.language import declarations, lower

SHAPE = [2, 3, 4, 5]
HEAD = (
    "version 1.0; graph net(x, w, p) -> (y) { x = external(shape = [2, 3, 4, 5]);"
    " w = external(shape = [6, 3, 3, 3]); p = external(shape = [1, 3]); "
)
CASES = {
    "sqr": "y = sqr(x);",
    "sqrt": "a = abs(x); y = sqrt(a);",
    "rsqr": "y = rsqr(x);",
    "rsqrt": "a = abs(x); y = rsqrt(a);",
    "log2": "a = abs(x); y = log2(a);",
    "min": "y = min(x, p);",
    "max": "y = max(x, p);",
    "clamp": "y = clamp(x, -0.5, p);",
    "nearest_upsample": "y = nearest_upsample(x, factor = [2, 3]);",
    "nearest_downsample": "y = nearest_downsample(x, factor = [2, 5]);",
    "area_downsample": "y = area_downsample(x, factor = [2, 5]);",
    "mean_reduce": "y = mean_reduce(x, axes = [1, 2]);",
    "sigmoid": "y = sigmoid(x);",
    "relu": "y = relu(x);",
    "prelu": "y = prelu(x, p);",
    "leaky_relu": "y = leaky_relu(x, alpha = 0.1);",
    "elu": "y = elu(x, alpha = 0.7);",
    "selu": "y = selu(x);",
    "gelu": "y = gelu(x);",
    "silu": "y = silu(x);",
    "softmax": "y = softmax(x, axes = [1, 2]);",
    "softplus": "a = mul(x, 60.0); y = softplus(a);",
    "linear": "a = reshape(x, shape = [8, 15]); y = linear(a, a, 0.5);",
    "separable_conv": "k = reshape(w, shape = [3, 1, 6, 9]);"
    "q = reshape(p, shape = [1, 3, 1, 1]); y = separable_conv(x, k, q, 0.5);",
    "max_pool_with_index": "y, i = max_pool_with_index(x, size = [1, 1, 2, 2]);",
    "max_pool": "y = max_pool(x, size = [1, 1, 3, 3], border = 'ignore', stride = [1, 1, 2, 2]);",
    "avg_pool": "y = avg_pool(x, size = [1, 1, 3, 3], border = 'ignore');",
    "rms_pool": "y = rms_pool(x, size = [1, 1, 2, 2], border = 'constant');",
    "local_response_normalization": "y = local_response_normalization(x, size = [1, 3, 1, 1]);",
    "local_mean_normalization": "y = local_mean_normalization(x, size = [1, 1, 3, 3]);",
    "local_variance_normalization":
        "y = local_variance_normalization(x, size = [1, 1, 3, 3], epsilon = 0.1);",
    "local_contrast_normalization":
        "y = local_contrast_normalization(x, size = [1, 1, 3, 3], bias = 0.5);",
    "l1_normalization": "y = l1_normalization(x, axes = [1], bias = 0.1);",
    "l2_normalization": "y = l2_normalization(x, axes = [1], epsilon = 0.1);",
    "batch_normalization": "a = abs(p); y = batch_normalization(x, p, a, p, p, epsilon = 0.1);",
    "min_max_linear_quantize":
        "y = min_max_linear_quantize(x, -1.0, 1.5, bits = 4, signed = true, symmetric = true);",
    "zero_point_linear_quantize": "y = zero_point_linear_quantize("
        "x, 3, 0.1, bits = 5, signed = true, symmetric = false);",
    "logarithmic_quantize": "y = logarithmic_quantize(x, 4.0, bits = 3);",
    "copy_n": "[y, z] = copy_n(x, times = 2);",
    "add_n": "y = add_n([x, p, x]);",
    "moments": "y, v = moments(x, axes = [0, 2, 3]);",
}  # fmt: skip


def _graph(body: str) -> nk.Graph:
    graph, diagnostics = language.parse(HEAD + body + "}")
    assert diagnostics == []
    assert graph is not None
    return graph


@pytest.mark.parametrize("name", CASES)
def test_lowered_operations_compute_the_same(name):
    graph = _graph(CASES[name])
    lowered = lower(graph)
    compound = {n for n, d in declarations().items() if d.body is not None}
    assert name in {op.name for op in graph.operations}
    assert not compound & {op.name for op in lowered.operations}
    random = np.random.default_rng(7)
    inputs = {
        "x": random.normal(size=SHAPE).astype(np.float32),
        "w": random.normal(size=(6, 3, 3, 3)).astype(np.float32),
        "p": random.normal(size=(1, 3)).astype(np.float32),
    }
    names = list(graph.operations[-1].output_names)

    def run(part: nk.Graph) -> dict[str, np.ndarray]:
        part = nk.infer_shapes(part.with_outputs(names))
        return nk.run(part, {key: inputs[key] for key in part.inputs})

    expected, found = run(graph), run(lowered)
    for output in names:
        np.testing.assert_allclose(found[output], expected[output], rtol=2e-5, atol=2e-6)


def test_chosen_operations_are_lowered_and_others_stay():
    graph = _graph("a = silu(x); b = softmax(a); y = relu(b);")
    lowered = lower(graph, ["silu"])
    assert [op.name for op in lowered.operations][3:] == ["sigmoid", "mul", "softmax", "relu"]


def test_new_operations_have_the_scope_and_span_of_their_origin():
    graph = _graph("y = softmax(x);")
    lowered = lower(graph)
    new = lowered.operations[3:]
    assert {op.scope for op in new} == {("softmax:y",)}
    assert {op.span for op in new} == {graph.operations[3].span}
    assert lowered.outputs == ("y",)
    assert new[-1].output_names == ("y",)
    assert set(graph.tensors) <= set(lowered.tensors)


def test_lowered_graphs_survive_printing_and_parsing():
    graph = lower(_graph("y = local_response_normalization(x, size = [1, 3, 1, 1]);"))
    again, diagnostics = language.parse(str(graph))
    assert diagnostics == []
    assert str(again) == str(graph)
