"""Constructs of Keras 2: functions of TensorFlow, shared networks, calls in a list."""

import json

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

import nnefkit as nk  # noqa: E402

SHAPE = 2, 6


def read(tmp_path, *layers, outputs=(("y", 0, 0),), weights=None):
    """Return the graph of a network in the form of Keras 2, with an input x of 2 by 6."""
    first = {
        "class_name": "InputLayer",
        "name": "x",
        "config": {"batch_input_shape": [*SHAPE], "dtype": "float32", "name": "x"},
        "inbound_nodes": [],
    }
    config = {
        "class_name": "Functional",
        "keras_version": "2.9.0",
        "config": {
            "name": "net",
            "layers": [first, *layers],
            "input_layers": [["x", 0, 0]],
            "output_layers": [[*each] for each in outputs],
        },
    }
    (tmp_path / "net.json").write_text(json.dumps(config))
    with h5py.File(tmp_path / "net.h5", "w") as file:
        given = weights or {}
        file.attrs["layer_names"] = [name.encode() for name in given] or np.zeros(0)
        for name, arrays in given.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [each.encode() for each in arrays]
            for each, array in arrays.items():
                group[each] = array
    return nk.from_keras(tmp_path / "net.json")


def function(name, *, given=("x", 0, 0), key="y", **arguments):
    config = {"name": key, "trainable": True, "dtype": "float32", "function": name}
    return {
        "class_name": "TFOpLambda",
        "name": key,
        "config": config,
        "inbound_nodes": [[*given, {**arguments, "name": None}]],
    }


X = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
FUNCTIONS = {
    "math.multiply": ({"y": 2.5}, X * 2.5),
    "math.subtract": ({"y": ["x", 0, 0]}, X - X),
    "__operators__.add": ({"y": 1.0}, X + 1),
    "math.pow": ({"y": 2}, X**2),
    "math.reduce_mean": ({"axis": [1], "keepdims": True}, X.mean(1, keepdims=True)),
    "math.reduce_sum": ({"axis": -1}, X.sum(-1)),
    "nn.relu": ({}, np.maximum(X, 0)),
    "nn.leaky_relu": ({"alpha": 0.1}, np.where(X < 0, 0.1 * X, X)),
    "reshape": ({"shape": [2, -1, 3]}, X.reshape(2, 2, 3)),
    "transpose": ({"perm": [1, 0]}, X.T),
    "expand_dims": ({"axis": -1}, X[..., None]),
    "tile": ({"multiples": [1, 2]}, np.tile(X, (1, 2))),
    "clip_by_value": ({"clip_value_min": -0.5, "clip_value_max": 0.5}, np.clip(X, -0.5, 0.5)),
    "gather": ({"indices": [1, 0], "axis": 0}, X[[1, 0]]),
    "cast": ({"dtype": "float32"}, X),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_tensorflow_is_read(name, tmp_path):
    arguments, expected = FUNCTIONS[name]
    graph = read(tmp_path, function(name, **arguments))
    (result,) = nk.run(graph, {"x": X}).values()
    np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_a_number_may_be_the_first_operand(tmp_path):
    layer = function("math.subtract", given=("_CONSTANT_VALUE", -1, 2.0), y=["x", 0, 0])
    (result,) = nk.run(read(tmp_path, layer), {"x": X}).values()
    np.testing.assert_allclose(result, 2 - X, rtol=1e-6)


def test_lists_of_tensors_are_read(tmp_path):
    layer = function("concat", axis=-1)
    layer["inbound_nodes"] = [[["x", 0, 0, {"axis": -1}], ["x", 0, 0, {"axis": -1}]]]
    (result,) = nk.run(read(tmp_path, layer), {"x": X}).values()
    np.testing.assert_array_equal(result, np.concatenate([X, X], -1))


def test_subscripts_are_read(tmp_path):
    spec = [{"start": None, "stop": None, "step": None}, {"start": 1, "stop": -1, "step": 2}]
    layer = function("__operators__.getitem", slice_spec=spec)
    layer["class_name"] = "SlicingOpLambda"
    (result,) = nk.run(read(tmp_path, layer), {"x": X}).values()
    np.testing.assert_array_equal(result, X[:, 1:-1:2])


def test_other_functions_are_refused_by_name(tmp_path):
    with pytest.raises(nk.DocumentError, match=r"the function 'signal\.fft'"):
        read(tmp_path, function("signal.fft"))
    with pytest.raises(nk.DocumentError, match="its argument 'sharpness' is not read"):
        read(tmp_path, function("math.multiply", y=2.0, sharpness=1))


def test_a_network_that_is_called_twice_shares_its_weights(tmp_path):
    inner = {
        "name": "inner",
        "layers": [
            {
                "class_name": "InputLayer",
                "name": "i",
                "config": {"batch_input_shape": [None, 6], "dtype": "float32", "name": "i"},
                "inbound_nodes": [],
            },
            {
                "class_name": "Dense",
                "name": "d",
                "config": {
                    "name": "d",
                    "trainable": True,
                    "units": 6,
                    "activation": "hard_sigmoid",
                },
                "inbound_nodes": [[["i", 0, 0, {}]]],
            },
        ],
        "input_layers": [["i", 0, 0]],
        "output_layers": [["d", 0, 0]],
    }
    # Calls of a network count from 1: its own construction is call 0.
    network = {
        "class_name": "Functional",
        "name": "inner",
        "config": inner,
        "inbound_nodes": [[["x", 0, 0, {}]], [["inner", 1, 0, {}]]],
    }
    draw = np.random.default_rng(1)
    kernel, bias = (draw.standard_normal(s).astype(np.float32) for s in ((6, 6), (6,)))
    weights = {"inner": {"d/kernel:0": kernel, "d/bias:0": bias}}
    graph = read(tmp_path, network, outputs=[("inner", 2, 0)], weights=weights)
    (result,) = nk.run(graph, {"x": X}).values()

    def dense(x):
        return np.clip(0.2 * (x @ kernel + bias) + 0.5, 0, 1)

    np.testing.assert_allclose(result, dense(dense(X)), rtol=1e-5)
    assert sum(op.name == "variable" for op in graph.operations) == 2
