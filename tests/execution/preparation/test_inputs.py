"""The inputs of a graph are checked, and whatever is wrong is reported by name."""

import numpy as np
import pytest
import torch

from nnefkit import io
from nnefkit.errors import InputError
from nnefkit.execution import run

TWO_INPUTS = """
version 1.0;
graph net(image, mask) -> (y, picked)
{
    image = external<scalar>(shape = [1, 3, 4, 4]);
    mask = external<logical>(shape = [1, 3, 4, 4]);
    y = relu(image);
    picked = select(mask, image, y);
}
"""
ONE_INPUT = """
version 1.0;
graph net(x) -> (y) { x = external<scalar>(shape = [2, 3]); y = add(x, 1.0); }
"""
IMAGE = np.linspace(-1, 1, 48, dtype=np.float32).reshape(1, 3, 4, 4)
MASK = IMAGE > 0.5


def refusal(text, inputs):
    with pytest.raises(InputError) as caught:
        run(io.parse(text), inputs)
    return caught.value.diagnostics


WRONG = [
    ({"image": IMAGE}, "missing-input", "'mask'", "bools of shape [1, 3, 4, 4]"),
    ({"imgae": IMAGE, "mask": MASK}, "unknown-input", "'imgae'", "Did you mean 'image'?"),
    ({"image": IMAGE[0], "mask": MASK}, "wrong-shape", "[3, 4, 4]", "array[np.newaxis]"),
    (
        {"image": IMAGE.transpose(0, 2, 3, 1), "mask": MASK},
        "wrong-shape",
        "[1, 4, 4, 3]",
        "array.transpose(0, 3, 1, 2)",
    ),
    (
        {"image": np.ones((5, 3, 4, 4)), "mask": MASK},
        "wrong-shape",
        "must have shape [1, 3, 4, 4], not [5, 3, 4, 4]",
        "nk.infer_shapes(graph, image=(5, 3, 4, 4))",
    ),
    ({"image": np.ones((0, 3, 4, 4)), "mask": MASK}, "wrong-shape", "[0, 3, 4, 4]", "empty"),
    (
        {"image": (IMAGE * 100).astype(np.uint8), "mask": MASK},
        "wrong-dtype",
        "floating-point numbers, not uint8",
        ".astype(np.float32)",
    ),
    ({"image": IMAGE, "mask": IMAGE}, "wrong-dtype", "bools, not float32", "array != 0"),
    ({"image": "cat.png", "mask": MASK}, "wrong-dtype", "'image'", ""),
    ({"image": [[1.0], [1.0, 2.0]], "mask": MASK}, "wrong-input", "'image'", ""),
    ({"image": IMAGE.astype(complex), "mask": MASK}, "wrong-dtype", "complex128", ""),
]


@pytest.mark.parametrize(("inputs", "code", "message", "hint"), WRONG)
def test_wrong_inputs_are_refused_with_what_was_expected(inputs, code, message, hint):
    found = [d for d in refusal(TWO_INPUTS, inputs) if d.code == code]
    assert len(found) == 1
    assert message in found[0].message
    assert hint in found[0].hint


def test_all_problems_are_reported_at_once():
    inputs = {"image": IMAGE[0], "mask": MASK.astype(int), "label": 3}
    codes = [d.code for d in refusal(TWO_INPUTS, inputs)]
    assert sorted(codes) == ["unknown-input", "wrong-dtype", "wrong-shape"]


def test_one_array_is_enough_for_one_input_only():
    graph = io.parse(ONE_INPUT)
    np.testing.assert_array_equal(run(graph, np.ones((2, 3)))["y"], np.full((2, 3), 2))
    (diagnostic,) = refusal(TWO_INPUTS, IMAGE)
    assert "2 inputs" in diagnostic.message
    assert "'image': ..., 'mask': ..." in diagnostic.hint


@pytest.mark.parametrize(
    "value",
    [
        np.ones((2, 3), np.float16),
        np.ones((2, 3), np.float64),
        np.ones((2, 3), ">f4"),
        np.asfortranarray(np.ones((2, 3))),
        np.ones((4, 6))[::2, ::2],
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]],
        torch.ones(2, 3),
        torch.ones(2, 3, dtype=torch.float64),
    ],
    ids=str,
)
def test_floats_of_every_width_and_origin_are_accepted(value):
    result = run(io.parse(ONE_INPUT), {"x": value})["y"]
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, np.full((2, 3), 2))


def test_a_torch_tensor_that_needs_a_gradient_is_an_input():
    x = torch.arange(6.0).reshape(2, 3).requires_grad_()
    graph = io.parse(ONE_INPUT)
    (result,), (expected,) = run(graph, x).values(), run(graph, x.detach().numpy()).values()
    np.testing.assert_array_equal(result, expected)
    assert x.requires_grad


def test_inputs_are_not_changed_and_results_do_not_alias_them():
    text = """
    version 1.0;
    graph net(x) -> (same, flat)
    {
        x = external<scalar>(shape = [2, 3]);
        same = copy(x);
        flat = reshape(x, shape = [6]);
    }
    """
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    results = run(io.parse(text), x)
    results["same"][:] = 9
    results["flat"][:] = 8
    np.testing.assert_array_equal(x, np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(results["same"], np.full((2, 3), 9))
