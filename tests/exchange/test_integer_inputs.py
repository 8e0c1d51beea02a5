"""Integer inputs keep their dtype on the way through a graph to an ONNX model."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import nnefkit as nk


def element_type(model, name):
    info = next(info for info in model.graph.input if info.name == name)
    return info.type.tensor_type.elem_type


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "uint32", "int64"])
def test_from_onnx_to_onnx(dtype):
    code = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["k"], ["wide"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "wide"], ["y"]),
        ],
        "net",
        [helper.make_tensor_value_info("k", code, [3])],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(np.arange(10, dtype=np.float32).reshape(5, 2), "table")],
    )
    net = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    written = nk.to_onnx(nk.from_onnx(net))
    onnx.checker.check_model(written, full_check=True)
    assert element_type(written, "k") == code
    session = onnxruntime.InferenceSession(written.SerializeToString())
    (result,) = session.run(None, {"k": np.array([4, 0, 2], dtype)})
    np.testing.assert_array_equal(result, [[8, 9], [0, 1], [4, 5]])


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.uint8])
def test_from_torch_to_onnx(dtype):
    class Net(torch.nn.Module):
        def forward(self, k, x):
            return x + k

    graph = nk.from_torch(Net(), (torch.tensor([1, 2], dtype=dtype), torch.zeros(2)))
    code = helper.np_dtype_to_tensor_dtype(np.dtype(str(dtype).removeprefix("torch.")))
    assert element_type(nk.to_onnx(graph), "k") == code


def test_an_input_that_is_an_output_stays_right():
    class Net(torch.nn.Module):
        def forward(self, k):
            return k, k + 1

    graph = nk.from_torch(Net(), (torch.tensor([1, 2], dtype=torch.int32),))
    session = onnxruntime.InferenceSession(nk.to_onnx(graph).SerializeToString())
    first, second = session.run(None, {"k": np.array([5, 6], np.int32)})
    np.testing.assert_array_equal(first, [5, 6])
    np.testing.assert_array_equal(second, [6, 7])
