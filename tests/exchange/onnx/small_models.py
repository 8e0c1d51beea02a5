"""Models of a few nodes, and the check that one is refused with an explanation."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import nnefkit as nk

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def weight(array, name="w"):
    return numpy_helper.from_array(np.asarray(array), name)


def model(*nodes, inputs=(("x", FLOAT, [2, 3]),), outputs=("y",), weights=(), opset=17, **parts):
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(*info) for info in inputs],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        list(weights),
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, **parts)


def node(kind, inputs, *outputs, **attributes):
    names = inputs.split() if isinstance(inputs, str) else inputs
    return helper.make_node(kind, names, outputs or ["y"], **attributes)


def refused(source, *phrases, **arguments):
    with pytest.raises(nk.NnefError) as caught:
        nk.from_onnx(source, **arguments)
    text = str(caught.value)
    for phrase in phrases:
        assert phrase in text
    assert "could not be read" not in text
    return caught.value
