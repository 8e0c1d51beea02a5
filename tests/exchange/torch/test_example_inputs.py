"""Example inputs may be tensors of any kind, arrays of NumPy, or shapes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import nnefkit as nk

LINEAR = torch.nn.Linear(3, 2)
X = np.random.default_rng(0).normal(size=(4, 3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ">f4", ">f8"])
def test_an_array_is_converted_to_the_dtype_of_the_module(dtype) -> None:
    graph = nk.from_torch(LINEAR, X.astype(dtype))
    expected = LINEAR(torch.tensor(X, dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(nk.run(graph, X)[graph.outputs[0]], expected, rtol=1e-5, atol=1e-6)
    assert graph.tensors[graph.inputs[0]].shape == (4, 3)


@pytest.mark.parametrize(
    "array",
    [X[::2], X.T.copy().T, np.broadcast_to(X[:1], (4, 3)), np.asfortranarray(X)],
    ids=["strided", "transposed", "broadcast", "by columns"],
)
def test_any_memory_layout_is_read_right(array) -> None:
    array = np.asarray(array)
    array.flags.writeable = False
    trace = nk.trace_torch(LINEAR, array)
    expected = LINEAR(torch.tensor(array.tolist())).detach().numpy()
    np.testing.assert_allclose(next(iter(trace.outputs.values())), expected, rtol=1e-5, atol=1e-6)


def test_a_module_in_double_precision_gets_doubles() -> None:
    module = torch.nn.Linear(3, 2).double()
    assert nk.from_torch(module, X).outputs
    assert nk.from_torch(module, X.astype(np.float32)).outputs
    assert nk.from_torch(module, (4, 3)).outputs


@pytest.mark.parametrize("place", ["tuple", "list", "nested list", "dict", "kwargs", "by name"])
def test_arrays_inside_of_arguments_are_converted(place: str) -> None:
    class Net(torch.nn.Module):
        def forward(self, x):
            return (x[0] if isinstance(x, list) else x["a"] if isinstance(x, dict) else x) * 2

    given, more = {
        "tuple": ((X,), {}),
        "list": ([X], {}),
        "nested list": (([X],), {}),
        "dict": (({"a": X},), {}),
        "kwargs": (None, {"kwargs": {"x": X}}),
        "by name": ({"x": X}, {}),
    }[place]
    graph = nk.from_torch(Net(), given, **more)
    assert graph.tensors[graph.inputs[0]].shape == (4, 3)
    found = nk.run(graph, X)[graph.outputs[0]]
    np.testing.assert_allclose(found, np.float32(X) * 2, rtol=1e-6)


def test_indices_stay_integers() -> None:
    graph = nk.from_torch(torch.nn.Embedding(5, 3), np.array([[1, 4]]))
    assert graph.tensors[graph.inputs[0]].dtype == "integer"


@pytest.mark.parametrize("shape", [(4, 3), [4, 3], torch.Size([4, 3]), ((4, 3),), [[4, 3]]])
def test_a_shape_stands_for_random_numbers(shape) -> None:
    graph = nk.from_torch(LINEAR, shape)
    assert graph.tensors[graph.inputs[0]].shape == (4, 3)
    assert nk.from_torch(LINEAR, shape).provenance.keys() == graph.provenance.keys()


def test_several_shapes_are_several_inputs() -> None:
    class Net(torch.nn.Module):
        def forward(self, x, y):
            return x @ y

    graph = nk.from_torch(Net(), [(2, 3), (3, 5)])
    assert [graph.tensors[name].shape for name in graph.inputs] == [(2, 3), (3, 5)]


def test_an_argument_that_is_a_number_is_no_shape() -> None:
    class Net(torch.nn.Module):
        def forward(self, x, count):
            return x * count

    graph = nk.from_torch(Net(), (torch.ones(2, 3), 7))
    assert nk.run(graph, np.ones((2, 3)))[graph.outputs[0]].tolist() == [[7.0] * 3] * 2


def test_tensors_that_require_gradients_are_taken() -> None:
    x = torch.tensor(X, dtype=torch.float32, requires_grad=True)
    graph = nk.from_torch(LINEAR, x)
    y = LINEAR(x)
    assert y.requires_grad
    np.testing.assert_allclose(
        nk.run(graph, x)[graph.outputs[0]], y.detach().numpy(), rtol=1e-5, atol=1e-6
    )
    assert nk.compare({"y": y}, {"y": y.detach().numpy()}).equal
    assert nk.plot.heat_map(y).images
    assert x.requires_grad
    trace = nk.trace_torch(LINEAR, x)
    assert nk.compare(trace, nk.trace(graph, x)).ok


def test_an_exported_program_takes_arrays() -> None:
    program = torch.export.export(LINEAR, (torch.zeros(4, 3),))
    assert nk.from_torch(program, X).outputs
    trace = nk.trace_torch(program, X)
    assert nk.compare(trace, nk.trace_torch(LINEAR, X)).ok


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.array(["a", "b"]), "dtype <U1"),
        (np.array([None, 1]), "dtype object"),
        (np.ma.masked_array(X, X > 0), "masked"),
        ((2**20, 2**20), "too large"),
        (np.zeros((4, 5)), "must run on the example inputs"),
    ],
)
def test_what_is_no_tensor_is_refused(given, words: str) -> None:
    with pytest.raises(nk.InputError, match=words):
        nk.from_torch(LINEAR, given)
