"""The numpy engine, which plans, fuses and packs, agrees with its kernels and with PyTorch."""

import math
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nnefkit.execution import Session, step
from nnefkit.execution.engines.numpy.memory import Arena, Chunks
from nnefkit.execution.engines.numpy.planner import make_plan
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor
from nnefkit.operations.shape_inference import infer_shapes


class Builder:
    """A builder of graphs, one operation at a time."""

    def __init__(self):
        self.operations = []
        self.tensors = {}
        self.inputs = []

    def external(self, shape):
        name = Identifier(f"input{len(self.inputs)}")
        attribs = FrozenDict(shape=list(shape))
        self._add("external", {}, {"output": name}, attribs, "scalar")
        self.tensors[name] = Tensor(name, shape=tuple(shape))
        self.inputs.append(name)
        return name

    def variable(self, data):
        name = Identifier(f"variable{len(self.operations)}")
        attribs = FrozenDict(shape=list(data.shape), label=name)
        self._add("variable", {}, {"output": name}, attribs, "scalar")
        self.tensors[name] = Tensor(name, shape=data.shape, data=data, label=name)
        return name

    def call(self, operation, inputs, results=1, **attribs):
        names = [Identifier(f"{operation}{len(self.operations)}_{i}") for i in range(results)]
        outputs = {"values": names} if operation == "split" else {"output": names[0]}
        inputs = {f"in{i}": value for i, value in enumerate(inputs)}
        self._add(operation, inputs, outputs, FrozenDict(attribs), None)
        for name in names:
            self.tensors[name] = Tensor(name)
        return names if operation == "split" else names[0]

    def _add(self, name, inputs, outputs, attribs, dtype):
        inputs, outputs = FrozenDict(inputs), FrozenDict(outputs)
        self.operations.append(Operation(name, inputs, outputs, attribs, dtype))

    def graph(self, *outputs):
        graph = Graph(
            "built",
            tuple(self.inputs),
            outputs,
            tuple(self.operations),
            FrozenDict(self.tensors),
        )
        return infer_shapes(graph)


def convolution(shape, weights, bias, then=None, **attribs):
    build = Builder()
    x = build.external(shape)
    given_bias = 0.0 if bias is None else build.variable(bias)
    y = build.call("conv", [x, build.variable(weights), given_bias], **attribs)
    if then is not None:
        y = build.call(then[0], [y, *then[1:]])
    return build.graph(y)


def torch_convolution(x, weights, bias, padding, stride, dilation, groups):
    x = torch.from_numpy(x)
    flat = [p for pair in reversed(padding) for p in pair]
    x = torch.nn.functional.pad(x, flat)
    function = {3: torch.conv1d, 4: torch.conv2d, 5: torch.conv3d}[x.ndim]
    bias = None if bias is None else torch.from_numpy(bias.reshape(-1))
    return function(x, torch.from_numpy(weights), bias, stride, 0, dilation, groups).numpy()


@st.composite
def convolutions(draw):
    kind = draw(st.sampled_from(["depthwise", "pointwise", "grouped", "any"]))
    rank = draw(st.sampled_from([1, 2, 2, 2, 3]))
    channels = draw(st.sampled_from([1, 2, 6]))
    groups = {"depthwise": channels, "grouped": math.gcd(channels, 2)}.get(kind, 1)
    results = groups * draw(st.integers(1, 2 if kind == "depthwise" else 3))
    top = 1 if kind == "pointwise" else 4
    size = [draw(st.integers(1, top)) for _ in range(rank)]
    stride = [draw(st.integers(1, 3)) for _ in range(rank)]
    dilation = [draw(st.integers(1, 2)) for _ in range(rank)]
    low = -1 if draw(st.booleans()) else 0
    padding = [(draw(st.integers(low, 3)), draw(st.integers(low, 3))) for _ in range(rank)]
    extents = [
        draw(st.integers(max((k - 1) * d + 1 - p - q, 2), 40 if rank < 3 else 10))
        for k, d, (p, q) in zip(size, dilation, padding, strict=True)
    ]
    batch = draw(st.integers(1, 2))
    shapes = (batch, channels, *extents), (results, channels // groups, *size)
    bias = draw(st.sampled_from([None, (1, results), (1, 1)]))
    seed = draw(st.integers(0, 2**31))
    attribs = {"padding": padding, "stride": stride, "dilation": dilation, "groups": groups}
    return shapes, bias, seed, attribs


@settings(max_examples=300, deadline=None)
@given(convolutions(), st.sampled_from([None, ("relu",), ("clamp", 0.0, 1.0), ("max", -0.5)]))
def test_convolutions_agree_with_pytorch_whichever_method_is_used(case, then):
    (shape, filter_shape), bias_shape, seed, attribs = case
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape).astype(np.float32)
    weights = rng.standard_normal(filter_shape).astype(np.float32)
    bias = None if bias_shape is None else rng.standard_normal(bias_shape).astype(np.float32)
    graph = convolution(shape, weights, bias, then, border="constant", **attribs)
    whole = None if bias is None else np.broadcast_to(bias, (1, filter_shape[0])).copy()
    expected = torch_convolution(x, weights, whole, **attribs)
    if then is not None:
        low, high = {"relu": (0, np.inf), "clamp": (0, 1), "max": (-0.5, np.inf)}[then[0]]
        expected = expected.clip(low, high)
    session = Session(graph)
    (result,) = session.run(x).values()
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(session.trace(x)[graph.outputs[0]], result)


LARGE = [
    # channels, extents, size, stride, dilation
    (32, (112, 112), (3, 3), (1, 1), (1, 1)),
    (24, (57, 61), (3, 3), (2, 2), (1, 1)),
    (40, (28, 28), (5, 5), (1, 1), (1, 1)),
    (40, (28, 28), (5, 5), (2, 2), (1, 1)),
    (96, (14, 14), (5, 5), (1, 1), (1, 1)),
    (96, (14, 14), (3, 3), (1, 1), (2, 2)),
    (96, (7, 7), (5, 5), (1, 1), (1, 1)),
    (16, (60, 30), (7, 3), (2, 1), (1, 1)),
    (16, (40, 200), (1, 9), (1, 2), (1, 1)),
    (16, (200, 40), (9, 1), (1, 1), (2, 1)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("channels", "extents", "size", "stride", "dilation"), LARGE)
def test_depthwise_convolutions_of_usual_shapes_agree_with_pytorch(
    channels, extents, size, stride, dilation, dtype
):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, channels, *extents)).astype(dtype)
    weights = rng.standard_normal((channels, 1, *size)).astype(dtype)
    bias = rng.standard_normal((1, channels)).astype(dtype)
    padding = [((k - 1) * d // 2, (k - 1) * d // 2) for k, d in zip(size, dilation, strict=True)]
    attribs = {"padding": padding, "stride": list(stride), "dilation": list(dilation)}
    graph = convolution(x.shape, weights, bias, border="constant", groups=0, **attribs)
    (result,) = Session(graph).run(x).values()
    expected = torch_convolution(x, weights, bias, groups=channels, **attribs)
    assert result.dtype == dtype
    tolerance = 1e-4 if dtype == np.float32 else 1e-10
    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("border", ["replicate", "reflect", "reflect-even"])
def test_borders_other_than_constant_are_computed(border):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((1, 8, 9, 9)).astype(np.float32)
    weights = rng.standard_normal((8, 1, 3, 3)).astype(np.float32)
    attribs = {"padding": [(1, 1), (1, 1)], "stride": [1, 1], "dilation": [1, 1], "groups": 0}
    graph = convolution(x.shape, weights, None, border=border, **attribs)
    mode = {"replicate": "edge", "reflect": "reflect", "reflect-even": "symmetric"}[border]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode)
    expected = torch_convolution(padded, weights, None, [(0, 0)] * 2, [1, 1], [1, 1], 8)
    (result,) = Session(graph).run(x).values()
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("extents", [(7, 7), (14, 14), (40, 40)])
@pytest.mark.parametrize("then", [None, ("relu",), ("clamp", 0.0, 6.0)])
def test_nan_and_infinity_spread_only_as_far_as_the_filter_reaches(strange, extents, then):
    rng = np.random.default_rng(5)
    x = rng.standard_normal((1, 4, *extents)).astype(np.float32)
    x[0, 1, 3, 3] = strange
    weights = rng.standard_normal((4, 1, 3, 3)).astype(np.float32)
    bias = rng.standard_normal((1, 4)).astype(np.float32)
    attribs = {"padding": [(1, 1), (1, 1)], "stride": [1, 1], "dilation": [1, 1], "groups": 4}
    graph = convolution(x.shape, weights, bias, then, border="constant", **attribs)
    (result,) = Session(graph).run(x).values()
    expected = torch_convolution(x, weights, bias, **attribs)
    if then is not None:
        # max(min(NaN, b), a) is b by the formulas of 4.2.4, and max(NaN, 0) is 0.
        low, high = (0, np.inf) if then[0] == "relu" else (0, 6)
        nan = 0 if then[0] == "relu" else 6
        expected = np.where(np.isnan(expected), nan, expected.clip(low, high))
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_a_convolution_with_other_readers_is_not_clipped_for_them():
    rng = np.random.default_rng(6)
    x = rng.standard_normal((1, 3, 8, 8)).astype(np.float32)
    weights = rng.standard_normal((4, 3, 1, 1)).astype(np.float32)
    build = Builder()
    image = build.external(x.shape)
    attribs = {"border": "constant", "padding": [], "stride": [], "dilation": [], "groups": 1}
    conv = build.call("conv", [image, build.variable(weights), 0.0], **attribs)
    rectified, negated = build.call("relu", [conv]), build.call("neg", [conv])
    y = build.call("add", [rectified, negated])
    (result,) = Session(build.graph(y)).run(x).values()
    expected = np.einsum("oc,nchw->nohw", weights[:, :, 0, 0], x)
    np.testing.assert_allclose(result, np.maximum(-expected, 0), rtol=1e-5, atol=1e-5)


def test_a_rectified_convolution_has_no_negative_zero():
    build = Builder()
    image = build.external((1, 1, 2, 2))
    attribs = {"border": "constant", "padding": [], "stride": [], "dilation": [], "groups": 1}
    weights = build.variable(np.zeros((1, 1, 1, 1), np.float32))
    conv = build.call("conv", [image, weights, 0.0], **attribs)
    graph = build.graph(build.call("rcp", [build.call("relu", [conv])]))
    (result,) = Session(graph).run(np.full((1, 1, 2, 2), -1.0)).values()
    np.testing.assert_array_equal(result, np.full((1, 1, 2, 2), np.inf))


def test_a_rectifier_has_no_negative_zero():
    build = Builder()
    x = build.external((3,))
    y = build.call("rcp", [build.call("relu", [x])])
    graph = build.graph(y)
    (result,) = Session(graph).run(np.float32([-0.0, -1, 2])).values()
    np.testing.assert_array_equal(result, [np.inf, np.inf, 0.5])


# -- planning -------------------------------------------------------------------------------------

UNARY = ["relu", "abs", "neg", "sqr", "exp", "copy", "sigmoid", "tanh"]
BINARY = ["add", "sub", "mul", "max", "min"]


@st.composite
def networks(draw):
    """Graphs of operations that take, share, view and split each other's results."""
    build = Builder()
    shape = (2, 4, 3, 3)
    pool = [build.external(shape), build.external(shape)]
    weights = [build.variable(np.float32([[0.5, -1, 2, 0.25]]))]
    for _ in range(draw(st.integers(1, 14))):
        x, y = (draw(st.sampled_from(pool)) for _ in range(2))
        kind = draw(st.integers(0, 6))
        if kind <= 1:
            pool.append(build.call(draw(st.sampled_from(UNARY)), [x]))
        elif kind <= 3:
            other = draw(st.sampled_from([y, *weights, 0.5]))
            arguments = draw(st.permutations([x, other]))
            pool.append(build.call(draw(st.sampled_from(BINARY)), arguments))
        elif kind == 4:
            turned = build.call("transpose", [x], axes=[0, 1, 3, 2])
            pool.append(turned)
        elif kind == 5:
            flat = build.call("reshape", [x], shape=[2, 36], axis_start=0, axis_count=-1)
            pool.append(
                build.call("reshape", [flat], shape=list(shape), axis_start=0, axis_count=-1)
            )
        else:
            halves = build.call("split", [x], results=2, axis=1, ratios=[1, 1])
            joined = [halves[1], halves[0]] if draw(st.booleans()) else halves
            pool.append(build.call("concat", [joined], axis=1))
    outputs = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3, unique=True))
    return build.graph(*outputs)


@settings(max_examples=250, deadline=None)
@given(networks(), st.integers(0, 2**31))
def test_sharing_memory_never_changes_a_number(graph, seed):
    rng = np.random.default_rng(seed)
    feeds = {n: rng.standard_normal((2, 4, 3, 3)).astype(np.float32) for n in graph.inputs}
    values = dict(feeds)
    for one in step(graph, feeds):
        values.update({name: array.copy() for name, array in one.outputs.items()})
    session = Session(graph)
    for _ in range(2):
        results = session.run(feeds)
        for name in graph.outputs:
            np.testing.assert_array_equal(results[name], values[name])
        for array in results.values():
            array.fill(np.nan)
    for name, array in session.trace(feeds).items():
        np.testing.assert_array_equal(array, values[name])


def test_a_chain_needs_the_memory_of_two_results_at_most():
    build = Builder()
    x = build.external((1, 4, 64, 64))
    for _ in range(20):
        x = build.call("add", [build.call("exp", [x]), x])
    plan = make_plan(build.graph(x), frozenset([x]), frozenset())
    assert plan.memory <= 2 * 4 * 64 * 64 * 4


def test_operations_on_weights_alone_are_done_once():
    build = Builder()
    x = build.external((2, 2))
    turned = build.call("transpose", [build.variable(np.float32([[1, 2], [3, 4]]))], axes=[1, 0])
    y = build.call("matmul", [x, turned], transposeA=False, transposeB=False)
    plan = make_plan(build.graph(y), frozenset([y]), frozenset())
    assert [op.name for one in plan.steps for op in one.operations] == ["matmul"]
    (result,) = Session(build.graph(y)).run(np.eye(2)).values()
    np.testing.assert_array_equal(result, [[1, 3], [2, 4]])


def test_only_what_the_outputs_need_is_computed():
    build = Builder()
    x = build.external((2, 2))
    y, z = build.call("exp", [x]), build.call("log", [x])
    plan = make_plan(build.graph(y, z), frozenset([z]), frozenset())
    assert [op.name for one in plan.steps for op in one.operations] == ["log"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5)), max_size=40))
def test_places_in_the_arena_never_overlap(requests):
    arena = Arena()
    held = {}
    for size, victim in requests:
        start = arena.take(size)
        assert start % 64 == 0
        assert all(start + size <= other or other + taken <= start for other, taken in held.items())
        assert start + size <= arena.size
        held[start] = size
        if victim and len(held) >= victim:
            gone = list(held)[victim - 1]
            arena.free(gone)
            del held[gone]
    for start in held:
        arena.free(start)
    assert arena.take(arena.size) == 0


def test_pieces_of_memory_are_reused_only_when_they_are_not_referenced():
    chunks = Chunks(piece=1 << 16)
    first = chunks.take((100,), np.dtype(np.float32))
    first.fill(1)
    chunks.renew()
    second = chunks.take((100,), np.dtype(np.float32))
    second.fill(2)
    assert (first == 1).all()
    assert not np.shares_memory(first, second)
    address = second.ctypes.data
    view = second[3:]
    chunks.renew()
    del second
    third = chunks.take((100,), np.dtype(np.float32))
    assert third.ctypes.data != address
    del view, third
    chunks.renew()
    big = chunks.take((1 << 16,), np.dtype(np.float32))
    assert big.shape == (1 << 16,)


def peak_memory(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_released_when_it_is_no_longer_needed():
    build = Builder()
    x = first = build.external((1, 4, 512, 512))
    for _ in range(15):
        x = build.call("concat", [[build.call("neg", [x]), first]], axis=1)
        x = build.call("split", [x], results=2, axis=1, ratios=[1, 1])[0]
    session = Session(build.graph(x))
    photo = np.ones((1, 4, 512, 512), np.float32)
    assert peak_memory(lambda: session.run(photo)) < 12 * photo.nbytes
    assert peak_memory(lambda: session.trace(photo, keep="statistics")) < 20 * photo.nbytes


def test_statistics_need_no_memory_for_all_the_values():
    build = Builder()
    x = build.external((1, 4, 512, 512))
    for _ in range(25):
        x = build.call("neg", [x])
    session = Session(build.graph(x))
    photo = np.ones((1, 4, 512, 512), np.float32)
    assert peak_memory(lambda: session.trace(photo, keep="statistics")) < 15 * photo.nbytes
    assert peak_memory(lambda: session.trace(photo)) > 25 * photo.nbytes
