"""Fused and specialized operations of the numpy engine agree with the reference kernels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnefkit as nk
from nnefkit.execution.engines.numpy.planner import make_plan

TOLERANCE = {np.float16: 1e-5, np.float32: 1e-5, np.float64: 1e-13}
"""Fraction of the largest element; weights of float16 are computed in float32."""
AFTER = ["relu({})", "clamp({}, -0.5, 0.75)", "max({}, 0.25)", "min({}, 0.0)", "max(-0.25, {})"]


def document(shape, lines, outputs):
    text = "".join(f"    {line};\n" for line in lines)
    return (
        "version 1.0;\n\n"
        f"graph net( x ) -> ( {', '.join(outputs)} )\n{{\n"
        f"    x = external<scalar>(shape = {[*shape]});\n{text}}}\n"
    )


def variable(name, shape):
    return f"{name} = variable<scalar>(shape = {[*shape]}, label = '{name}')"


@st.composite
def convolutions(draw):
    """Shapes of an input and a filter, the bias's shape or None, and attributes that fit."""
    kind = draw(st.sampled_from(["depthwise", "pointwise", "grouped", "dense", "dense"]))
    rank = draw(st.sampled_from([1, 2, 2, 2, 3]))
    groups = {"depthwise": draw(st.integers(1, 4)), "grouped": draw(st.integers(2, 3))}.get(kind, 1)
    inner = 1 if kind == "depthwise" else draw(st.integers(1, 5))
    results = groups * draw(st.integers(1, 1 if kind == "depthwise" and draw(st.booleans()) else 4))
    most = 1 if kind == "pointwise" else 4
    size = [draw(st.integers(1, most)) for _ in range(rank)]
    stride = [draw(st.sampled_from([1, 1, 2, 3])) for _ in range(rank)]
    dilation = [draw(st.sampled_from([1, 1, 2])) for _ in range(rank)]
    low = draw(st.sampled_from([0, 0, 0, -1]))
    padding = [(draw(st.integers(low, 3)), draw(st.integers(low, 3))) for _ in range(rank)]
    border = draw(st.sampled_from(["constant", "constant", "constant", "replicate", "reflect"]))
    if kind == "pointwise" and draw(st.booleans()):
        stride, padding = [1] * rank, [(0, 0)] * rank
    extents = [
        draw(st.integers(max((k - 1) * d + 1 - p - q, p + 1, q + 1, 2), (30, 24, 9)[rank - 1]))
        for k, d, (p, q) in zip(size, dilation, padding, strict=True)
    ]
    shapes = (draw(st.integers(1, 3)), groups * inner, *extents), (results, inner, *size)
    bias = draw(st.sampled_from([None, (1, results), (1, 1)]))
    count = 0 if kind == "depthwise" and inner * groups == groups else groups
    attribs = f"border = '{border}', stride = {stride}, dilation = {dilation}, groups = {count}, "
    attribs += "padding = []" if draw(st.integers(0, 4)) == 0 else f"padding = {padding}"
    return shapes, bias, attribs


@st.composite
def networks(draw):
    """Draw a convolution, operations on its result in any order, and the weights.

    The tensor that is added comes from another convolution, before or after the first one.
    """
    (shape, filter_shape), bias, attribs = draw(convolutions())
    channels = filter_shape[0]
    shapes = {"w": filter_shape, "v": filter_shape}
    lines = [variable("w", filter_shape), variable("v", filter_shape)]
    if bias is not None:
        lines.append(variable("b", bias))
        shapes["b"] = bias
    other = f"other = conv(x, v, 0.0, {attribs})"
    after = draw(st.booleans())
    lines += [] if after else [other]
    lines.append(f"t0 = conv(x, w, {'0.0' if bias is None else 'b'}, {attribs})")
    lines += [other] if after else []
    for number in range(draw(st.integers(0, 4))):
        source, target = f"t{number}", f"t{number + 1}"
        kind = draw(st.sampled_from(["normalize", "add", "clip", "clip", "neg"]))
        if kind == "normalize":
            named = [f"{part}{number}" for part in ("mean", "variance", "offset", "scale")]
            parameter = draw(st.sampled_from([(1, channels), (1, channels), (1, 1), shape[:1]]))
            shapes |= dict.fromkeys(named, parameter)
            lines += [variable(name, shapes[name]) for name in named]
            call = f"batch_normalization({source}, {', '.join(named)}, epsilon = 0.001)"
        elif kind == "add":
            first, second = draw(st.permutations([source, "other"]))
            call = f"add({first}, {second})"
        elif kind == "clip":
            call = draw(st.sampled_from(AFTER)).format(source)
        else:
            call = f"neg({source})"
        lines.append(f"{target} = {call}")
    last = lines[-1].split(" = ")[0]
    outputs = [f"t{sum(line.startswith('t') for line in lines) - 1}"]
    outputs += ["other"] if last != "other" and draw(st.booleans()) else []
    return document(shape, lines, outputs), shapes


def weights(shapes, rng, dtype):
    values = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    values |= {name: abs(value) for name, value in values.items() if name.startswith("variance")}
    if rng.integers(4) == 0:  # zeros are a case of their own
        values |= {n: np.zeros_like(v) for n, v in values.items() if n.startswith(("b", "mean"))}
    return {name: value.astype(dtype) for name, value in values.items()}


def referenced(graph, x):
    """The value of each tensor by the reference kernels, one at a time."""
    values = {"x": x}
    for one in nk.step(graph, x):
        values |= {name: array.copy() for name, array in one.outputs.items()}
    return values


@settings(max_examples=400, deadline=None)
@given(
    networks(),
    st.sampled_from([np.float16, np.float32, np.float32, np.float64]),
    st.sampled_from([None, None, None, np.nan, np.inf, -np.inf, -0.0]),
    st.integers(0, 2**31),
)
def test_fused_convolutions_agree_with_the_kernels(network, dtype, strange, seed):
    text, shapes = network
    rng = np.random.default_rng(seed)
    graph = nk.parse(text).with_data(weights(shapes, rng, dtype))
    x = rng.standard_normal(graph.tensors["x"].shape).astype(
        np.float64 if dtype is np.float64 else np.float32
    )
    if strange is not None:
        x[rng.random(x.shape) < rng.choice([0.002, 0.1, 1])] = strange
    session = nk.Session(graph)
    results = session.run(x)
    expected = referenced(graph, x)
    trace = session.trace(x)
    for name, result in results.items():
        # Bit by bit, except for the payload of NaN.
        np.testing.assert_array_equal(result, trace[name])
        known = ~np.isnan(result)
        np.testing.assert_array_equal(np.signbit(result[known]), np.signbit(trace[name][known]))
    for name, value in trace.items():
        wanted = expected[name]
        assert value.dtype == wanted.dtype
        tolerance = TOLERANCE[dtype] * np.abs(wanted[np.isfinite(wanted)]).max(initial=1)
        np.testing.assert_allclose(value, wanted, 0, tolerance, err_msg=name)


@pytest.mark.parametrize("kind", ["dense", "pointwise", "depthwise"])
def test_a_convolution_and_all_that_follows_it_are_one_step(kind):
    filters = {"dense": (4, 4, 3, 3), "pointwise": (4, 4, 1, 1), "depthwise": (4, 1, 3, 3)}
    size = filters[kind][2]
    lines = [variable("w", filters[kind])]
    lines += [variable(n, (1, 4)) for n in ("mean", "variance", "offset", "scale")]
    lines.append(
        f"a = conv(x, w, groups = {0 if kind == 'depthwise' else 1}, "
        f"padding = [({size // 2}, {size // 2}), ({size // 2}, {size // 2})])"
    )
    lines.append("b = batch_normalization(a, mean, variance, offset, scale, epsilon = 0.001)")
    lines += ["c = add(x, b)", "y = relu(c)"]
    rng = np.random.default_rng(0)
    graph = nk.parse(document((1, 4, 8, 8), lines, ["y"]))
    shapes = {"w": filters[kind]} | dict.fromkeys(("mean", "variance", "offset", "scale"), (1, 4))
    graph = graph.with_data(weights(shapes, rng, np.float32))
    plan = make_plan(graph, frozenset("y"), frozenset())
    fused = [[op.name for op in step.operations] for step in plan.steps]
    if kind == "depthwise":
        assert fused == [["conv", "batch_normalization"], ["add"], ["relu"]]
    else:
        assert fused == [["conv", "batch_normalization", "add", "relu"]]
    # Requested tensors are computed.
    seen = make_plan(graph, frozenset("y"), frozenset("b"))
    assert seen.steps[0].writes == ("b",)


def test_batch_normalizations_write_into_the_arena():
    lines = [variable(n, (1, 4)) for n in ("mean", "variance", "offset", "scale")]
    lines += [
        "a = neg(x)",
        "b = batch_normalization(a, mean, variance, offset, scale, epsilon = 0.1)",
    ]
    lines += ["y = relu(b)"]
    graph = nk.parse(document((2, 4, 9), lines, ["y"]))
    shapes = dict.fromkeys(("mean", "variance", "offset", "scale"), (1, 4))
    graph = graph.with_data(weights(shapes, np.random.default_rng(0), np.float32))
    assert make_plan(graph, frozenset("y"), frozenset()).memory == 64 * -(-2 * 4 * 9 * 4 // 64)
