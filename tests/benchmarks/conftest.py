"""The same network for ONNX Runtime, as a yardstick for the engines."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

sys.path.insert(0, str(Path(__file__).parent))  # the networks stand in a package beside this file


class Translation:
    """Translates exactly the operations that EfficientNet-Lite0 uses into an ONNX model."""

    def __init__(self, graph):
        self.graph = graph
        self.nodes = []
        self.constants = {}
        for op in graph.operations:
            if op.name not in ("external", "variable", "constant"):
                getattr(self, op.name)(op.inputs, op.attribs, op.output_names[0])

    def model(self, outputs):
        def info(names):
            shapes = ((name, self.graph.tensors[name].shape) for name in names)
            return [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in shapes]

        weights = [numpy_helper.from_array(a, name) for name, a in self.constants.items()]
        inputs = info(self.graph.inputs)
        graph = helper.make_graph(self.nodes, "network", inputs, info(outputs), weights)
        opset = helper.make_opsetid("", 18)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
        onnx.checker.check_model(model)
        return model.SerializeToString()

    def weight(self, name, shape=None):
        data = np.ascontiguousarray(self.graph.tensors[name].data)
        return self.given(name, data if shape is None else data.reshape(shape))

    def given(self, name, value):
        self.constants[name] = np.asarray(value)
        return name

    def add_node(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def conv(self, inputs, attribs, output):
        starts, stops = zip(*attribs["padding"], strict=True)
        self.add_node(
            "Conv",
            [inputs["input"], self.weight(inputs["filter"]), self.weight(inputs["bias"], -1)],
            output,
            pads=[*starts, *stops],
            strides=attribs["stride"],
            dilations=attribs["dilation"],
            group=attribs["groups"] or self.graph.tensors[inputs["input"]].shape[1],
        )

    def clamp(self, inputs, attribs, output):
        bounds = []
        for bound in (inputs["a"], inputs["b"]):
            tensor = self.graph.tensors.get(bound) if isinstance(bound, str) else None
            value = np.float32(bound if tensor is None else tensor.data)
            bounds.append(self.given(f"{output}_{len(bounds)}", value))
        self.add_node("Clip", [inputs["x"], *bounds], output)

    def add(self, inputs, attribs, output):
        self.add_node("Add", [inputs["x"], inputs["y"]], output)

    def mean_reduce(self, inputs, attribs, output):
        axes = self.given(f"{output}_axes", np.int64(attribs["axes"]))
        self.add_node("ReduceMean", [inputs["input"], axes], output, keepdims=1)

    def squeeze(self, inputs, attribs, output):
        axes = self.given(f"{output}_axes", np.int64(attribs["axes"]))
        self.add_node("Squeeze", [inputs["input"], axes], output)

    def linear(self, inputs, attribs, output):
        weights = [self.weight(inputs["filter"]), self.weight(inputs["bias"])]
        self.add_node("Gemm", [inputs["input"], *weights], output, transB=1)


@pytest.fixture(scope="session")
def as_onnx():
    """``as_onnx(graph, outputs) -> bytes``: the ONNX model of a graph."""

    def translate(graph, outputs=None):
        return Translation(graph).model(outputs or graph.outputs)

    return translate
