"""Einstein sums of ONNX whose axes have other extents, checked with ONNX Runtime."""

import numpy as np
import onnxruntime
import pytest
from small_models import FLOAT, model, node, refused

import nnefkit as nk


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("...ij,...jk->...ik", [[1, 4, 2], [2, 1, 2]]),
        ("...ij,...jk->...ik", [[3, 4, 1], [1, 2, 2]]),
        ("bij,bjk->bik", [[1, 4, 2], [3, 2, 5]]),
        ("bij,bjk->ik", [[3, 4, 2], [1, 2, 5]]),
        ("ij,ij->", [[1, 3], [2, 1]]),
        ("ij,ij,j->ij", [[2, 1], [1, 3], [1]]),
        ("ij,jk", [[2, 3], [3, 4]]),
    ],
)
def test_extents_of_1_are_repeated(equation, shapes):
    names = "xyz"[: len(shapes)]
    inputs = [(name, FLOAT, shape) for name, shape in zip(names, shapes, strict=True)]
    made = node("Einsum", " ".join(names), "result", equation=equation)
    proto = model(made, inputs=inputs, outputs=["result"])
    chance = np.random.default_rng(5)
    feeds = {n: chance.standard_normal(s).astype(np.float32) for n, _, s in inputs}
    (expected,) = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, feeds)
    computed = nk.run(nk.from_onnx(proto, verify=False), feeds)["result"]
    np.testing.assert_allclose(computed, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("equation", "shapes", "phrase"),
    [
        ("ij,jk->ik", [[2, 3], [4, 2]], "axis 'j' has 3 and 4 elements"),
        ("ijk,jk->ik", [[2, 3], [3, 2]], "other axes than 'ijk'"),
    ],
)
def test_other_extents_are_refused(equation, shapes, phrase):
    inputs = [(name, FLOAT, shape) for name, shape in zip("xy", shapes, strict=True)]
    refused(model(node("Einsum", "x y", equation=equation), inputs=inputs), phrase)
