"""Extents and numbers of elements that 64 bits cannot count are refused by shape inference."""

from __future__ import annotations

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.graph import Graph, Identifier, Operation, Tensor

HUGE = 2**62


def document(call, shape, weights=""):
    return (
        f"version 1.0; graph g(x) -> (y) {{ x = external(shape = {[*shape]}); {weights} y = {call};"
        " }"
    )


IMAGE, FILTER = (1, 1, 2, 2), "f = variable(shape = [1, 1, 2, 2], label = 'f');"
BEYOND = {
    "deconv": (f"deconv(x, f, stride = [{HUGE}, 1])", IMAGE, FILTER),
    "a deconv of one element": (f"deconv(x, f, stride = [{HUGE}, {HUGE}])", (1, 1, 1, 1), FILTER),
    "a deconv that is cropped": (
        f"deconv(x, f, stride = [{HUGE}, 1], padding = [({HUGE}, {HUGE}), (0, 0)])",
        (1, 1, 3, 2),
        FILTER,
    ),
    "conv": (f"conv(x, f, padding = [({HUGE}, {HUGE}), (0, 0)])", IMAGE, FILTER),
    "a strided conv": (
        f"conv(x, f, stride = [{HUGE}, 1], padding = [({HUGE}, {HUGE}), (0, 0)])",
        IMAGE,
        FILTER,
    ),
    "a dilated conv": (
        f"conv(x, f, dilation = [{2 * HUGE - 1}, 1], padding = [])",
        IMAGE,
        FILTER,
    ),
    "box": (
        f"box(x, size = [1, 1, 1, 1], padding = [(0, 0), (0, 0), ({HUGE}, {HUGE}), (0, 0)])",
        IMAGE,
        "",
    ),
    "max_pool": (
        f"max_pool(x, size = [1, 1, 1, 1], padding = [(0, 0), (0, 0), ({HUGE}, {HUGE}), (0, 0)])",
        IMAGE,
        "",
    ),
    "debox": (f"debox(x, size = [1, 1, 1, 1], stride = [1, 1, {HUGE}, 1])", IMAGE, ""),
    "nearest_upsample": (f"nearest_upsample(x, factor = [{HUGE}, 1])", IMAGE, ""),
    "multilinear_upsample": (f"multilinear_upsample(x, factor = [{HUGE}, 1])", IMAGE, ""),
    "pad": (f"pad(x, padding = [({HUGE}, {HUGE}), (0, 0)])", (2, 2), ""),
    "tile": (f"tile(x, repeats = [{HUGE}, 1])", (2, 2), ""),
    "tile in two axes": (f"tile(x, repeats = [{2**31}, {2**31}])", (1, 1), ""),
    "add": ("add(x, z)", (2**31, 1), "z = transpose(x, axes = [1, 0]);"),
    "matmul": ("matmul(x, z)", (2**31, 1), "z = transpose(x, axes = [1, 0]);"),
    "linear": (
        "linear(x, f, 0.0)",
        (2**31, 1),
        f"f = variable(shape = [{2**31}, 1], label = 'f');",
    ),
    "concat": ("concat([x, x], axis = 0)", (2**60,), ""),
    "stack": ("stack([x, x], axis = 0)", (2**60,), ""),
    "external": ("relu(x)", (2**31, 2**31), ""),
    "variable": ("relu(v)", (1,), f"v = variable(shape = [{2**31}, {2**31}], label = 'v');"),
    "constant": ("add(x, c)", (1,), f"c = constant(shape = [{2**31}, {2**31}], value = [1.0]);"),
}


@pytest.mark.parametrize("name", BEYOND)
def test_what_64_bits_cannot_count_is_a_diagnostic(name):
    call, shape, weights = BEYOND[name]
    report = nk.validate(document(call, shape, weights))
    assert report.errors
    for error in report.errors:
        assert "2^60" in error.message or str(2**63 - 1) in error.message
        assert error.hint
        assert error.span is not None


def test_a_result_in_an_array_is_held_to_the_same():
    text = document("copy(a)", (2**61, 2), "[a, b] = split(x, axis = 1, ratios = [1, 1]);")
    errors = nk.validate(text).errors
    assert len(errors) == 1
    assert "'x'" in errors[0].message


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        ("relu(x)", (2**30, 2**30)),
        (f"tile(x, repeats = [{2**59}, 1])", (1, 2)),
        (f"nearest_upsample(x, factor = [{2**58}, 1])", IMAGE),
        (f"pad(x, padding = [({HUGE}, {-HUGE})])", (2,)),
    ],
)
def test_what_64_bits_can_count_has_a_shape(call, shape):
    graph = nk.parse(document(call, shape))
    assert np.prod([float(n) for n in graph.tensors["y"].shape]) <= 2**60


def test_other_input_shapes_and_graphs_built_by_hand_are_held_to_the_same():
    graph = nk.parse(document("concat([x, x], axis = 0)", (2, 2)))
    for call in (nk.infer_shapes, lambda one, **shapes: one.with_input_shapes(**shapes)):
        with pytest.raises(nk.NnefError, match=r"2\^60"):
            call(graph, x=(2**70, 2))
    x, y = Identifier("x"), Identifier("y")
    built = Graph(
        "g",
        ("x",),
        ("y",),
        (
            Operation("external", {}, {"output": x}, {"shape": [2**70]}, dtype="scalar"),
            Operation("relu", {"x": x}, {"y": y}, {}),
        ),
        {"x": Tensor("x", "scalar"), "y": Tensor("y", "scalar")},
    )
    with pytest.raises(nk.NnefError, match=r"2\^60"):
        nk.infer_shapes(built)
