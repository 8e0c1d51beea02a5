"""Other input shapes are inferred through the graph at once, or refused at once."""

from __future__ import annotations

import numpy as np
import pytest

import nnefkit as nk

GRAPH = nk.parse(
    """version 1.0;
    graph net(x, z) -> (out)
    {
        x = external(shape = [1, 3, 8, 8]);
        z = external(shape = [1, 4]);
        filter = variable(shape = [4, 3, 3, 3], label = 'filter');
        conv = conv(x, filter, stride = [2, 2]);
        mean = mean_reduce(conv, axes = [2, 3]);
        flat = squeeze(mean, axes = [2, 3]);
        out = add(flat, z);
    }"""
).with_data({"filter": np.ones((4, 3, 3, 3), np.float32)})


def test_all_shapes_follow_from_those_of_the_inputs() -> None:
    changed = GRAPH.with_input_shapes(x=[2, 3, 17, 9], z=(2, 4))
    assert {name: tensor.shape for name, tensor in changed.tensors.items()} == {
        "x": (2, 3, 17, 9),
        "z": (2, 4),
        "filter": (4, 3, 3, 3),
        "conv": (2, 4, 9, 5),
        "mean": (2, 4, 1, 1),
        "flat": (2, 4),
        "out": (2, 4),
    }
    assert changed.producers["conv"].macs == 2 * 4 * 9 * 5 * 27
    assert changed.producers["x"].attribs["shape"] == [2, 3, 17, 9]
    assert GRAPH.tensors["conv"].shape == (1, 4, 4, 4)
    assert changed.tensors["filter"].data is GRAPH.tensors["filter"].data
    assert str(nk.infer_shapes(GRAPH, x=[2, 3, 17, 9], z=[2, 4])) == str(changed)
    x, z = np.ones((2, 3, 17, 9), np.float32), np.zeros((2, 4), np.float32)
    assert nk.run(changed, {"x": x, "z": z})["out"].shape == (2, 4)


@pytest.mark.parametrize(
    ("shapes", "culprit"),
    [
        ({"x": [1, 5, 8, 8]}, "conv"),
        ({"x": [1, 3, 8]}, "conv"),
        ({"x": [3, 3, 8, 8], "z": [2, 4]}, "add"),
        ({"z": [1, 5]}, "add"),
    ],
)
def test_shapes_that_an_operation_cannot_take_are_refused_at_once(
    shapes: dict[str, list[int]], culprit: str
) -> None:
    with pytest.raises(nk.DocumentError) as caught:
        GRAPH.with_input_shapes(**shapes)
    assert culprit in caught.value.diagnostics[0].excerpt
    assert caught.value.diagnostics[0].line is not None


def test_an_unknown_operation_leaves_what_follows_unknown() -> None:
    text = "version 1.0; graph g(x) -> (y) { x = external(shape = [2]); y = mystery(x); }"
    graph = nk.parse(text, strict=False)
    assert graph.with_input_shapes(x=[3]).tensors["y"].shape is None
