"""The same layer in ONNX and in PyTorch becomes the same operation or fragment call."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn
from torch.nn import functional

import nnefkit as nk

IMAGE = (2, 6, 5, 4)
SEQUENCE = (2, 5, 8)


def text(graph):
    """The operations of a graph with their attributes; tensors are numbered as they appear."""
    numbers = {}

    def named(item):
        if isinstance(item, (list, tuple)):
            return [named(part) for part in item]
        return numbers.setdefault(str(item), f"#{len(numbers)}") if isinstance(item, str) else item

    lines = []
    for op in graph.operations:
        if op.name in ("external", "variable", "constant"):
            continue
        inputs = {name: named(value) for name, value in op.inputs.items()}
        outputs = [named(value) for value in op.outputs.values()]
        lines.append(f"{outputs} = {op.name}({inputs}, {dict(op.attribs)})")
    return lines


def from_torch(module, *shapes, seed=0):
    torch.manual_seed(seed)
    inputs = tuple(torch.randn(shape) for shape in shapes)
    return nk.from_torch(Layer(module).eval(), inputs)


class Layer(nn.Module):
    """A function or module as the only layer of a network."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def from_onnx(node, *shapes, weights=(), outputs=1, opset=22, **attributes):
    names = [f"x{i}" for i in range(len(shapes))]
    constants = [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)]
    inputs = [helper.make_tensor_value_info(n, 1, s) for n, s in zip(names, shapes, strict=True)]
    results = [f"y{i}" for i in range(outputs)]
    layer = helper.make_node(node, [*names, *(c.name for c in constants)], results, **attributes)
    logical = node in ("IsInf", "IsNaN")
    # The second result of a layer that has two is an index.
    types = [onnx.TensorProto.BOOL if logical else onnx.TensorProto.FLOAT, onnx.TensorProto.INT64]
    infos = [
        helper.make_tensor_value_info(r, t, None) for r, t in zip(results, types, strict=False)
    ]
    graph = helper.make_graph([layer], "layer", inputs, infos, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return nk.from_onnx(model)


def from_onnx_nodes(nodes, *shapes, opset=22, **constants):
    """The graph of nodes that read ``x0``, ``x1``, ... and compute ``y0``."""
    inputs = [helper.make_tensor_value_info(f"x{i}", 1, s) for i, s in enumerate(shapes)]
    output = helper.make_empty_tensor_value_info("y0")
    weights = [numpy_helper.from_array(w, name) for name, w in constants.items()]
    graph = helper.make_graph(nodes, "layers", inputs, [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return nk.from_onnx(onnx.shape_inference.infer_shapes(model))


def drawn(*shape):
    return np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(np.float32)


def normalization(module):
    """A module with the weights of an ONNX node."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.from_numpy(drawn(*parameter.shape)))
    return module


PAIRS = {
    "hard-sigmoid": (nn.Hardsigmoid(), "HardSigmoid", {"alpha": 1 / 6}),
    "hard-swish": (nn.Hardswish(), "HardSwish", {}),
    "mish": (nn.Mish(), "Mish", {}),
    "gelu": (nn.GELU(), "Gelu", {}),
    "gelu by tanh": (nn.GELU("tanh"), "Gelu", {"approximate": "tanh"}),
    "leaky ReLU": (nn.LeakyReLU(0.1), "LeakyRelu", {"alpha": 0.1}),
    "ELU": (nn.ELU(0.3), "Elu", {"alpha": 0.3}),
    "SELU": (nn.SELU(), "Selu", {}),
    "CELU": (nn.CELU(0.7), "Celu", {"alpha": 0.7}),
    "CELU of alpha 1": (nn.CELU(), "Celu", {}),
    "softplus": (nn.Softplus(), "Softplus", {}),
    "softsign": (nn.Softsign(), "Softsign", {}),
    "softmax": (nn.Softmax(-1), "Softmax", {}),
    "log-softmax": (nn.LogSoftmax(1), "LogSoftmax", {"axis": 1}),
    "error function": (torch.erf, "Erf", {}),
    "rounding": (torch.round, "Round", {}),
}


@pytest.mark.parametrize("name", PAIRS)
def test_activations(name):
    module, node, attributes = PAIRS[name]
    theirs = from_onnx(node, IMAGE, **attributes)
    assert text(from_torch(module, IMAGE)) == text(theirs)


def test_thresholds_differ_for_nan_only():
    ours = from_torch(nn.Threshold(0.3, 0.0), IMAGE)
    theirs = from_onnx("ThresholdedRelu", IMAGE, alpha=0.3)
    x = np.random.default_rng(0).standard_normal(IMAGE).astype(np.float32)
    x[0, 0, 0] = [0.3, np.inf, -np.inf, np.nan]
    a, b = (nk.run(graph, x).popitem()[1] for graph in (ours, theirs))
    assert np.isnan(a[0, 0, 0, 3])
    assert b[0, 0, 0, 3] == 0
    a[0, 0, 0, 3] = 0
    np.testing.assert_array_equal(a, b)


NORMALIZATIONS = {
    "layer": (nn.LayerNorm(8), "LayerNormalization", SEQUENCE, {}, 22),
    "layer over two axes": (nn.LayerNorm((5, 4)), "LayerNormalization", IMAGE, {"axis": -2}, 22),
    "instance": (nn.InstanceNorm2d(6, affine=True), "InstanceNormalization", IMAGE, {}, 22),
    "group": (nn.GroupNorm(3, 6), "GroupNormalization", IMAGE, {"num_groups": 3}, 22),
    "RMS": (nn.RMSNorm(8, eps=1e-6), "RMSNormalization", SEQUENCE, {"epsilon": 1e-6}, 23),
}


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_normalizations(name):
    module, node, shape, attributes, opset = NORMALIZATIONS[name]
    weights = [drawn(*parameter.shape) for parameter in module.parameters()]
    theirs = from_onnx(node, shape, weights=weights, opset=opset, **attributes)
    ours = from_torch(normalization(module), shape)
    assert text(ours) == text(theirs)


def test_slopes_for_each_channel():
    slope = drawn(6)
    module = nn.PReLU(6)
    theirs = from_onnx("PRelu", IMAGE, weights=[slope.reshape(6, 1, 1)])
    assert text(from_torch(normalization(module), IMAGE)) == text(theirs)


def test_one_slope():
    theirs = from_onnx("PRelu", IMAGE, weights=[np.array([0.25], np.float32)])
    assert text(from_torch(nn.PReLU(), IMAGE)) == text(theirs)


def test_batch_normalization():
    module = nn.BatchNorm2d(6).eval()
    weights = [drawn(6), drawn(6), drawn(6), drawn(6)]
    theirs = from_onnx("BatchNormalization", IMAGE, weights=weights)
    assert text(from_torch(module, IMAGE)) == text(theirs)


OTHERS = {
    "cumulative sum": (lambda x: x.cumsum(1), "CumSum", [np.array(1)], {}),
    "log-sum-exp": (lambda x: x.logsumexp(1, keepdim=True), "ReduceLogSumExp", [np.array([1])], {}),
    "largest elements": (lambda x: torch.topk(x, 3), "TopK", [np.array([3])], {"outputs": 2}),
    "product": (lambda x: x.prod(1, keepdim=True), "ReduceProd", [np.array([1])], {}),
    "matrix product": (lambda x: x @ torch.from_numpy(drawn(4, 3)), "MatMul", [drawn(4, 3)], {}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_reductions_and_products(name):
    function, node, constants, attributes = OTHERS[name]
    theirs = from_onnx(node, IMAGE, weights=constants, **attributes)
    assert text(from_torch(function, IMAGE)) == text(theirs)


def test_pixel_shuffles():
    shape = (2, 8, 3, 5)
    theirs = from_onnx("DepthToSpace", shape, blocksize=2, mode="CRD")
    assert text(from_torch(nn.PixelShuffle(2), shape)) == text(theirs)


RECURRENT = {
    "LSTM": (nn.LSTM(3, 4), 4, {}),
    "GRU": (nn.GRU(3, 4), 3, {"linear_before_reset": 1}),
    "RNN": (nn.RNN(3, 4), 1, {}),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_layers(name):
    layer, gates, attributes = RECURRENT[name]
    weights = [drawn(1, 4 * gates, 3), drawn(1, 4 * gates, 4), drawn(1, 8 * gates)]
    theirs = from_onnx(name, (5, 2, 3), weights=weights, hidden_size=4, **attributes)
    ours = from_torch(lambda x: layer(x)[0].unsqueeze(1), (5, 2, 3))
    assert ours.declarations == theirs.declarations
    assert text(ours) == text(theirs)
    assert len(text(ours)) == 5 + 3


@pytest.mark.parametrize(("truncating", "function"), [(0, torch.remainder), (1, torch.fmod)])
def test_remainders(truncating, function):
    theirs = from_onnx("Mod", IMAGE, IMAGE, fmod=truncating)
    ours = from_torch(function, IMAGE, IMAGE)
    assert text(ours) == text(theirs)[: len(text(ours))]


ELEMENTWISE = {
    "clamp": (lambda x: x.clamp(-0.5, 0.7), "Clip", [-0.5, 0.7]),
    "clamp with crossed bounds": (lambda x: x.clamp(0.7, -0.5), "Clip", [0.7, -0.5]),
    "lower bound": (lambda x: x.clamp(min=0.2), "Clip", [0.2]),
    "infinite bound": (lambda x: x.clamp(-torch.inf, 0.7), "Clip", [-np.inf, 0.7]),
    "infinite elements": (torch.isinf, "IsInf", []),
    "NaN": (torch.isnan, "IsNaN", []),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_operations(name):
    function, node, bounds = ELEMENTWISE[name]
    weights = [np.array(bound, np.float32) for bound in bounds]
    theirs = from_onnx(node, IMAGE, weights=weights)
    assert text(from_torch(function, IMAGE)) == text(theirs)


def test_choices_between_tensors():
    mask = drawn(5, 4) < 1
    theirs = from_onnx_nodes(
        [
            helper.make_node("Greater", ["x0", "x1"], ["condition"]),
            helper.make_node("Where", ["condition", "x0", "x1"], ["chosen"]),
            helper.make_node("Where", ["mask", "chosen", "x1"], ["y0"]),
        ],
        IMAGE,
        IMAGE[1:],
        mask=mask,
    )

    def function(x, y):
        return torch.where(torch.from_numpy(mask), torch.where(x > y, x, y), y)

    assert text(from_torch(function, IMAGE, IMAGE[1:])) == text(theirs)


def test_exclusive_or():
    theirs = from_onnx_nodes(
        [
            helper.make_node("Greater", ["x0", "x1"], ["above"]),
            helper.make_node("Less", ["x0", "x2"], ["below"]),
            helper.make_node("Xor", ["above", "below"], ["y0"]),
        ],
        *[IMAGE] * 3,
    )
    ours = from_torch(lambda x, y, z: torch.logical_xor(x > y, x < z), *[IMAGE] * 3)
    assert text(ours) == text(theirs)


def test_softplus_with_a_factor():
    theirs = from_onnx_nodes(
        [
            helper.make_node("Mul", ["x0", "beta"], ["scaled"]),
            helper.make_node("Softplus", ["scaled"], ["result"]),
            helper.make_node("Div", ["result", "beta"], ["y0"]),
        ],
        IMAGE,
        beta=np.array(2.5, np.float32),
    )
    assert text(from_torch(nn.Softplus(2.5), IMAGE)) == text(theirs)


END = np.iinfo(np.int64)
PADS = np.array([0, 0, 2, 1, 0, 0, 1, 3])
CROPS = np.array([0, 0, 2, -1, 0, 0, -1, 3])
SHAPING = {
    "flip": (
        lambda x: x.flip(3, 1),
        "Slice",
        [np.array([-1, END.max]), np.array([END.min] * 2), np.array([1, 3]), np.array([-1, -1])],
        {},
    ),
    "circular padding": (
        lambda x: functional.pad(x, (1, 3, 2, 1), mode="circular"),
        "Pad",
        [PADS],
        {"mode": "wrap"},
    ),
    "circular padding with cropping": (
        lambda x: functional.pad(x, (-1, 3, 2, -1), mode="circular"),
        "Pad",
        [CROPS],
        {"mode": "wrap"},
    ),
    "padding with a number": (
        lambda x: functional.pad(x, (1, 3, 2, 1), value=0.5),
        "Pad",
        [PADS, np.array(0.5, np.float32)],
        {},
    ),
    "padding with infinity": (
        lambda x: functional.pad(x, (1, 3, 2, 1), value=-torch.inf),
        "Pad",
        [PADS, np.array(-np.inf, np.float32)],
        {},
    ),
    "reflecting padding": (
        lambda x: functional.pad(x, (1, 3, 2, 1), mode="reflect"),
        "Pad",
        [PADS],
        {"mode": "reflect"},
    ),
}


@pytest.mark.parametrize("name", SHAPING)
def test_flips_and_padding(name):
    function, node, constants, attributes = SHAPING[name]
    theirs = from_onnx(node, IMAGE, weights=constants, **attributes)
    assert text(from_torch(function, IMAGE)) == text(theirs)


LINEAR = {"mode": "linear"}
ALIGNED = LINEAR | {"coordinate_transformation_mode": "align_corners"}
NEAREST = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
CUBIC = {"mode": "cubic", "cubic_coeff_a": -0.75}
RESIZES = {
    "repeated": ({"size": (10, 12)}, NEAREST),
    "nearest": ({"size": (7, 3)}, NEAREST),
    "linear by whole factors": ({"size": (10, 12), "mode": "bilinear"}, LINEAR),
    "halved": ({"size": (5, 2), "mode": "bilinear"}, LINEAR),
    "linear": ({"size": (7, 9), "mode": "bilinear"}, LINEAR),
    "linear with aligned corners": (
        {"size": (10, 12), "mode": "bilinear", "align_corners": True},
        ALIGNED,
    ),
    "cubic": ({"size": (7, 8), "mode": "bicubic"}, CUBIC),
}


@pytest.mark.parametrize("name", RESIZES)
def test_resizes(name):
    arguments, attributes = RESIZES[name]
    sizes = np.array([*IMAGE[:2], *arguments["size"]])
    empty = np.zeros(0, np.float32)
    theirs = from_onnx("Resize", IMAGE, weights=[empty, empty, sizes], **attributes)
    ours = from_torch(lambda x: functional.interpolate(x, **arguments), IMAGE)
    assert text(ours) == text(theirs)


def test_linear_resizes_of_sequences():
    sizes, empty = np.array([2, 5, 16]), np.zeros(0, np.float32)
    theirs = from_onnx("Resize", SEQUENCE, weights=[empty, empty, sizes], **LINEAR)
    ours = from_torch(lambda x: functional.interpolate(x, size=16, mode="linear"), SEQUENCE)
    assert text(ours) == text(theirs)


QUERY, KEYS = (2, 4, 5, 8), (2, 4, 6, 8)
ATTENTION = {
    "attention": ([], {}, {}),
    "scaled attention": ([], {"scale": 0.25}, {"scale": 0.25}),
    "causal attention": ([], {"is_causal": True}, {"is_causal": 1}),
    "attention with numbers added": ([drawn(5, 6)], {}, {}),
    "attention with a mask": ([drawn(5, 6) < 1.3], {}, {}),
}


@pytest.mark.parametrize("name", ATTENTION)
def test_attention(name):
    masks, arguments, attributes = ATTENTION[name]
    theirs = from_onnx("Attention", QUERY, KEYS, KEYS, weights=masks, opset=23, **attributes)

    def function(q, k, v):
        known = [torch.from_numpy(mask) for mask in masks]
        return functional.scaled_dot_product_attention(q, k, v, *known, **arguments)

    assert text(from_torch(function, QUERY, KEYS, KEYS)) == text(theirs)


def test_attention_with_shared_heads():
    shared = (2, 2, 6, 8)
    theirs = from_onnx("Attention", QUERY, shared, shared, opset=23)

    def function(q, k, v):
        return functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)

    assert text(from_torch(function, QUERY, shared, shared)) == text(theirs)


def test_fragments_are_defined_once():
    theirs = from_onnx("HardSwish", IMAGE)
    ours = from_torch(functional.hardswish, IMAGE)
    assert ours.declarations == theirs.declarations


GATES = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}
"""The gates of PyTorch in the order of ONNX."""


@pytest.mark.parametrize(("node", "kind"), [("RNN", nn.RNN), ("GRU", nn.GRU), ("LSTM", nn.LSTM)])
def test_steps_of_recurrent_layers(node, kind):
    module = kind(8, 4)
    torch.manual_seed(0)
    order = np.concatenate([np.arange(4) + 4 * gate for gate in GATES[node]])
    w, r, *biases = (p.detach().numpy()[order] for p in module.parameters())
    weights = [w[None], r[None], np.concatenate(biases)[None]]
    attributes = {"linear_before_reset": 1} if node == "GRU" else {}
    theirs = from_onnx(node, SEQUENCE, weights=weights, hidden_size=4, **attributes)
    ours = from_torch(lambda x: module(x)[0], SEQUENCE)

    def steps(graph):
        return [op for op in graph.operations if op.name.endswith("_step")]

    assert [op.name for op in steps(ours)] == [op.name for op in steps(theirs)] != []
    x = np.random.default_rng(0).normal(size=SEQUENCE).astype(np.float32)
    (a,), (b,) = (nk.run(graph, x).values() for graph in (ours, theirs))
    np.testing.assert_allclose(a, b[:, 0], rtol=1e-5, atol=1e-6)
    stored = [sorted(t.data.tobytes() for t in graph.variables) for graph in (ours, theirs)]
    assert stored[0] == stored[1]


def keras_pairs():
    """Layers of PyTorch and of Keras that are the same, with the shape of their input."""
    layers = pytest.importorskip("keras").layers
    return {
        "hard-sigmoid": (nn.Hardsigmoid(), layers.Activation("hard_sigmoid"), SEQUENCE),
        "hard-swish": (nn.Hardswish(), layers.Activation("hard_swish"), SEQUENCE),
        "mish": (nn.Mish(), layers.Activation("mish"), SEQUENCE),
        "gelu": (nn.GELU(), layers.Activation("gelu"), SEQUENCE),
        "SiLU": (nn.SiLU(), layers.Activation("silu"), SEQUENCE),
        "leaky ReLU": (nn.LeakyReLU(0.1), layers.LeakyReLU(0.1), SEQUENCE),
        "ELU": (nn.ELU(0.3), layers.ELU(0.3), SEQUENCE),
        "SELU": (nn.SELU(), layers.Activation("selu"), SEQUENCE),
        "softmax": (nn.Softmax(-1), layers.Softmax(), SEQUENCE),
        "log-softmax": (nn.LogSoftmax(-1), layers.Activation("log_softmax"), SEQUENCE),
        "soft shrink": (nn.Softshrink(0.5), layers.Activation("soft_shrink"), SEQUENCE),
        "layer": (nn.LayerNorm(8, 1e-3), layers.LayerNormalization(), SEQUENCE),
        "rms": (nn.RMSNorm(8, 1e-6), layers.RMSNormalization(), SEQUENCE),
        "LSTM": (Last(nn.LSTM(8, 3, batch_first=True)), layers.LSTM(3), SEQUENCE),
        "GRU": (Last(nn.GRU(8, 3, batch_first=True)), layers.GRU(3), SEQUENCE),
        "RNN": (Last(nn.RNN(8, 3, batch_first=True)), layers.SimpleRNN(3), SEQUENCE),
    }


class Last(nn.Module):
    """The last result of a recurrent layer."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0][:, -1]


def test_layers_of_keras_are_the_calls_of_pytorch():
    keras = pytest.importorskip("keras")
    pytest.importorskip("h5py")
    for name, (module, layer, shape) in keras_pairs().items():
        x = keras.Input(shape[1:], batch_size=shape[0])
        graph = nk.from_keras(keras.Model(x, layer(x)), verify=False)
        ours = {op.name for op in from_torch(normalization(module), shape).operations}
        theirs = {op.name for op in graph.operations}
        # Keras takes the last state itself, and PyTorch a part of all of them.
        assert theirs - ours <= {"external", "variable", "constant"}, name


# -- TensorFlow ------------------------------------------------------------------------------------


def from_tensorflow(operator, *shapes, weights=(), **attributes):
    pytest.importorskip("google.protobuf")
    from oracles.tensorflow_graphs import Written

    written, dtype = Written(), np.dtype(np.float32)
    inputs = [written.input(f"x{i}", shape) for i, shape in enumerate(shapes)]
    constants = [written.constant(f"w{i}", each) for i, each in enumerate(weights)]
    written.add("y", operator, *inputs, *constants, T=dtype, **attributes)
    return nk.from_tensorflow(written.bytes(), outputs=["y"], verify=False)


IN_TENSORFLOW = {
    "leaky ReLU": ("LeakyRelu", {"alpha": 0.1}),
    "SELU": ("Selu", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "softmax": ("Softmax", {}),
    "error function": ("Erf", {}),
    "rounding": ("Round", {}),
}


@pytest.mark.parametrize("name", IN_TENSORFLOW)
def test_activations_of_tensorflow_are_the_same_calls(name):
    operator, attributes = IN_TENSORFLOW[name]
    read = from_tensorflow(operator, IMAGE, **attributes)
    assert text(read) == text(from_torch(PAIRS[name][0], IMAGE))


def test_tensorflow_and_onnx_sum_products_alike():
    ours = from_tensorflow("Einsum", (2, 3, 4), (2, 4, 5), equation="bij,bjk->bik", N=2)
    theirs = from_onnx("Einsum", (2, 3, 4), (2, 4, 5), equation="bij,bjk->bik")
    assert text(ours) == text(theirs)
