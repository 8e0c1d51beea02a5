"""Inputs that are given for runs of ONNX models: arrays by name, of the dtypes of the model."""

import numpy as np
import pytest
import torch
from onnx import TensorProto
from small_models import model, node

import nnefkit as nk


def chain():
    return model(node("Relu", "x", "h"), node("Add", "h h"))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([1, 2], "must be a mapping"),
        (np.ones((2, 3)), "must be a mapping"),
        ({"x": [[1], [2, 3]]}, "input 'x' are not an array"),
        ({"x": "abc"}, "input 'x'"),
        ({"x": {}}, "input 'x'"),
    ],
)
def test_inputs_that_are_not_arrays_by_name_are_refused(inputs, message):
    graph = nk.from_onnx(chain(), verify=False)
    for call in (
        lambda: nk.from_onnx(chain(), inputs=inputs),
        lambda: nk.to_onnx(graph, inputs=inputs),
        lambda: nk.trace_onnx(chain(), inputs),
    ):
        with pytest.raises(nk.NnefError, match=message):
            call()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_tensors_of_pytorch_are_inputs(dtype):
    x = torch.ones(2, 3, dtype=dtype, requires_grad=True)
    assert nk.from_onnx(chain(), inputs={"x": x}).provenance["verified"]
    assert nk.trace_onnx(chain(), {"x": x})["y"].tolist() == [[2, 2, 2], [2, 2, 2]]


@pytest.mark.parametrize("values", [[1.5, 2.0], [300, 1], [float("nan"), 1.0], [1j, 2]])
def test_inputs_that_the_dtype_of_the_model_cannot_hold_are_refused(values):
    narrow = model(node("Abs", "x"), inputs=[("x", TensorProto.INT8, [2])])
    with pytest.raises(nk.InputError, match="'x' is int8 in the model"):
        nk.trace_onnx(narrow, {"x": values})
    assert nk.trace_onnx(narrow, {"x": [1.0, -2.0]})["y"].tolist() == [1, 2]
