"""Indices that are computed or given at run time: negative ones, and ones out of range."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from sampled import sampled
from torch import nn

import nnefkit as nk
from nnefkit.execution import Session, run

ENGINES = ("numpy", "onnxruntime", "torch")


class Layer(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


WEIGHT = torch.arange(20.0).reshape(4, 5)
TORCH = {
    "last token": (lambda x, k: x[torch.arange(3), k], (3,)),
    "one axis": (lambda x, k: x[k], (2, 2)),
    "second axis": (lambda x, k: x[:, k], (3,)),
    "two axes": (lambda x, k: x[:, k, k], (2,)),
    "one slice": (lambda x, k: x[k], ()),
    "slice of another axis": (lambda x, k: x[1:, 2, k], ()),
    "slice of a slice": (lambda x, k: x[k].select(-1, k), ()),
    "slice of known rows": (lambda x, k: x[torch.tensor([True, False, True])][:, k], ()),
    "outer axes": (lambda x, k: x[k.unsqueeze(1), torch.arange(4)], (3,)),
    "three axes": (lambda x, k: x[k, k, k], (3,)),
    "index_select": (lambda x, k: torch.index_select(x, 1, k), (3,)),
    "gather": (lambda x, k: torch.gather(x, 1, k), (3, 2, 5)),
    "gather of a part": (lambda x, k: torch.gather(x, 2, k), (2, 3, 1)),
    "gather of one axis": (lambda x, k: torch.gather(x[:, 0, 0], 0, k), (4,)),
    "take": (lambda x, k: torch.take(x, k), (3,)),
    "take_along_dim": (lambda x, k: torch.take_along_dim(x, k, 1), (3, 2, 1)),
    "embedding": (lambda x, k: nn.functional.embedding(k, WEIGHT), (2, 3)),
    "index_put": (lambda x, k: x.index_put((k,), torch.tensor(-1.0)), (2, 2)),
    "index_put of two axes": (lambda x, k: x.index_put((k, k), torch.tensor(-1.0)), (2,)),
    "index_put of each row": (
        lambda x, k: x.index_put((torch.arange(3), k), torch.tensor(-1.0)),
        (3,),
    ),
    "index_put that adds": (
        lambda x, k: x.index_put((k,), torch.tensor(2.0), accumulate=True),
        (3,),
    ),
    "put": (lambda x, k: x[:, 0, 0].put(k, torch.ones(3) * 2), (3,)),
    "index_fill": (lambda x, k: x.index_fill(1, k, 2.0), (2,)),
    "index apart": (lambda x, k: x[k, :, k], (2,)),
    "one_hot": (lambda x, k: nn.functional.one_hot(k, 4), (2, 3)),
}


def graph_of(name):
    """Return the graph of a function, its inputs and the function itself."""
    function, shape = TORCH[name]
    x = torch.arange(60.0).reshape(3, 4, 5)
    k = torch.arange(int(np.prod(shape))).reshape(shape) % 3
    return nk.from_torch(Layer(function), (x, k)), x, shape, function


@pytest.mark.parametrize("name", sampled(TORCH, 3))
@pytest.mark.parametrize("engine", ENGINES)
def test_indices_are_those_of_pytorch_or_an_error_that_names_one(engine, name):
    graph, x, shape, function = graph_of(name)
    session = Session(graph, engine)
    size = int(np.prod(shape))
    numbers = st.one_of(st.integers(-6, 6), st.sampled_from([-(2**40), 2**24 + 1, 2**62]))
    few = st.lists(st.integers(-3, 2), min_size=size, max_size=size)

    @settings(max_examples=40)
    @given(st.one_of(few, st.lists(numbers, min_size=size, max_size=size)))
    def check(chosen):
        k = np.array(chosen, np.int64).reshape(shape)
        try:
            expected = function(x, torch.from_numpy(k)).numpy()
        except (IndexError, RuntimeError):
            expected = None
        arrays = {"scalar": x.numpy(), "integer": k}
        inputs = {name: arrays[graph.tensors[name].dtype] for name in graph.inputs}
        if expected is not None:
            np.testing.assert_array_equal(session.run(inputs)[graph.outputs[0]], expected)
            return
        with pytest.raises(
            nk.ExecutionError, match=r"operation 'gather'.*'indices' has "
        ) as caught:
            session.run(inputs)
        named = int(str(caught.value).split("'indices' has ")[1].split(",")[0])
        assert named in k
        assert not 0 <= named < 3

    check()


def onnx_model(operator, shape, indices, result, **attributes):
    node = helper.make_node(operator, ["x", "k"], ["y"], **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("k", TensorProto.INT64, indices),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, result)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


ONNX = {
    "Gather": (onnx_model("Gather", (3, 4), (3, 2), (3, 3, 2), axis=1), (3, 4), (3, 2)),
    "GatherElements": (
        onnx_model("GatherElements", (3, 4), (3, 2), (3, 2), axis=1),
        (3, 4),
        (3, 2),
    ),
    "GatherND": (onnx_model("GatherND", (3, 4, 2), (3, 2), (3, 2)), (3, 4, 2), (3, 2)),
}


@pytest.mark.parametrize("operator", ONNX)
@pytest.mark.parametrize("engine", ENGINES)
def test_indices_are_those_of_onnx_or_an_error_that_names_one(engine, operator):
    model, shape, indices = ONNX[operator]
    onnx.checker.check_model(model, full_check=True)
    foreign = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    graph = nk.from_onnx(model)
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    session = Session(graph, engine)
    size = int(np.prod(indices))

    @settings(max_examples=40)
    @given(st.lists(st.integers(-5, 4), min_size=size, max_size=size))
    def check(chosen):
        k = np.array(chosen, np.int64).reshape(indices)
        try:
            expected = foreign.run(None, {"x": x, "k": k})[0]
        except Exception:  # noqa: BLE001
            expected = None
        if expected is not None:
            np.testing.assert_array_equal(session.run({"x": x, "k": k})["y"], expected)
            return
        with pytest.raises(
            nk.ExecutionError, match=r"operation 'gather'.*'indices' has "
        ) as caught:
            session.run({"x": x, "k": k})
        named = int(str(caught.value).split("'indices' has ")[1].split(",")[0])
        assert named in k

    check()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_gather_of_the_specification_takes_no_negative_index(engine):
    graph = nk.parse(
        "version 1.0;\ngraph g(x, k) -> (y)\n{\nx = external(shape = [3, 2]);\n"
        "k = external<integer>(shape = [2]);\ny = gather(x, k);\n}"
    )
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    for wrong in (-1, -3, -4, 3, 2**40, -(2**62)):
        with pytest.raises(nk.ExecutionError, match=f"'gather'.*'indices' has {wrong}, "):
            run(graph, {"x": x, "k": np.array([0, wrong])}, engine)


def test_constant_indices_out_of_range_are_refused():
    model = onnx_model("Gather", (3, 4), (1,), (1, 4))
    del model.graph.input[1]
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([3]), "k"))
    with pytest.raises(nk.DocumentError, match="exceed the 3 elements"):
        nk.from_onnx(model)
