"""Models of one node, or of a few, in ONNX Runtime."""

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from oracles.foreign.oracle import Oracle

OPSET = 21


def run(nodes, feeds, outputs):
    """Run nodes (op type, inputs, outputs, attributes) on arrays.

    An input that is an array becomes a constant of the model.
    """
    made, constants = [], []
    for op, inputs, results, attributes in nodes:
        names = []
        for value in inputs:
            if isinstance(value, str):
                names.append(value)
            else:
                names.append(f"constant{len(constants)}")
                constants.append(numpy_helper.from_array(np.asarray(value), names[-1]))
        made.append(helper.make_node(op, names, results, **attributes))
    graph = helper.make_graph(
        made,
        "nodes",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in feeds.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(outputs, feeds)


def choose(condition, true_value, false_value):
    values = arrays(condition, true_value, false_value)
    return None if values[1].dtype == bool else one("Where", *values)  # not there for logicals


def one(op, *arrays, constants=(), **attributes):
    """Return the result of one node."""
    names = [f"x{i}" for i in range(len(arrays))]
    node = (op, [*names, *constants], ["y"], attributes)
    return run([node], dict(zip(names, arrays, strict=True)), ["y"])[0]


def single(array):
    """ONNX Runtime has many operations in single precision only."""
    array = np.asarray(array)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    return np.array(array, order="C")


def arrays(*values):
    """Return arguments as arrays of one rank; missing dimensions are trailing."""
    kinds = [v.dtype for v in values if isinstance(v, np.ndarray) and v.dtype.kind == "f"]
    made = [np.asarray(v, kinds[0] if kinds and type(v) in (int, float) else None) for v in values]
    rank = max(a.ndim for a in made)
    return [single(a.reshape((*a.shape, *[1] * (rank - a.ndim)))) for a in made]


def node(op, **attributes):
    return Oracle(op, lambda *values: one(op, *arrays(*values), **attributes))


def ints(*values):
    return np.array(values, np.int64)
