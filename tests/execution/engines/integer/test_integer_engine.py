"""The engine `integer`: its options, what it refuses, and how its runs are compared."""

import pickle

import numpy as np
import pytest
from oracles.tflite_references import Reference, model

import nnefkit as nk

LINE = (
    "'{}': zero_point_linear_quantize(zero_point = {}, scale = {}, bits = 8, signed = true,"
    " symmetric = false);"
)


def quantized(text, inputs, **lines):
    """Return a graph with grids: name -> (zero point, scale), of signed codes of 8 bits."""
    info = "".join(LINE.format(name, *line) for name, line in lines.items())
    names = [name for name, _ in inputs]
    sources = "".join(f"{n} = external(shape = {[*shape]});" for n, shape in inputs)
    return nk.parse(f"version 1.0; graph g({', '.join(names)}) -> (y) {{ {sources} {text} }}", info)


def codes(graph, *arrays, **options):
    """Return the codes of the output for codes of the inputs."""
    inputs = {}
    for name, array in zip(graph.inputs, arrays, strict=True):
        line = graph.tensors[name].quantization
        inputs[name] = np.asarray((np.asarray(array) - line["zero_point"]) * line["scale"], "f4")
    return nk.trace(graph, inputs, "integer", **options).codes("y")["y"].tolist()


HALVES = [-6, -5, -3, -1, 1, 3, 5, 6]


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        ("half_away", [-3, -3, -2, -1, 1, 2, 3, 3]),
        ("half_up", [-3, -2, -1, 0, 1, 2, 3, 3]),
        ("half_even", [-3, -2, -2, 0, 0, 2, 2, 3]),
        ("truncate", [-3, -2, -1, 0, 0, 1, 2, 3]),
        ("floor", [-3, -3, -2, -1, 0, 1, 2, 3]),
    ],
)
def test_rounding_is_an_option(rounding, expected):
    graph = quantized("y = copy(x);", [("x", (8,))], x=(0, 0.5), y=(0, 1.0))
    assert codes(graph, HALVES, rounding=rounding) == expected
    pooled = quantized("y = mean_reduce(x, axes = [1]);", [("x", (8, 2))], x=(0, 1.0), y=(0, 1.0))
    pairs = [[n, 0] for n in HALVES]
    assert np.ravel(codes(pooled, pairs, rounding=rounding)).tolist() == expected


def product(scale):
    text = "y = matmul(x, z);"
    return quantized(text, [("x", (1, 300)), ("z", (300, 1))], x=(0, 1.0), z=(0, 1.0), y=(0, scale))


def test_the_width_of_sums_and_what_overflows_are_options():
    x, z = np.full((1, 300), 100), np.full((300, 1), 100)
    graph = product(2.0**16)
    assert codes(graph, x, z) == [[46]]
    # 3,000,000 is 2 ** 21 + 902,848: in 22 bits, it wraps around to -1,194,304.
    assert codes(graph, x, z, accumulator_bits=22) == [[-18]]
    assert codes(graph, x, z, accumulator_bits=22, overflow="saturate") == [[32]]
    with pytest.raises(nk.ExecutionError, match=r"'matmul'.*sums overflow 22 bits.*3,000,000"):
        codes(graph, x, z, accumulator_bits=22, overflow="error")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounding": "up"}, r"'rounding' must be one of .*not 'up'"),
        ({"rounding": 2}, r"'rounding' must be one of .*not 2"),
        ({"overflow": "clip"}, r"'overflow' must be one of .*not 'clip'"),
        ({"accumulator_bits": 7}, r"from 8 to 64, not 7"),
        ({"accumulator_bits": True}, r"must be an integer or None, not True"),
    ],
)
def test_a_wrong_option_is_refused(options, message):
    with pytest.raises(nk.InputError, match=message):
        nk.Session(product(1.0), "integer", **options)


def test_wrong_options_are_reported_at_once():
    with pytest.raises(nk.InputError) as caught:
        nk.Session(product(1.0), "integer", rounding="up", overflow="clip", accumulator_bits=0)
    assert len(caught.value.diagnostics) == 3


def test_sums_that_saturate_at_the_range_of_codes_are_codes():
    graph = quantized(
        "y = add(x, z);", [("x", (3,)), ("z", (3,))], x=(0, 1.0), z=(0, 1.0), y=(0, 1.0)
    )
    assert codes(graph, [127, -128, 5], [127, -128, -3]) == [127, -128, 2]


def test_what_has_no_rule_is_refused_at_once_with_the_reasons():
    text = """
        a = sin(x); b = local_response_normalization(a, size = [1, 3]);
        c = batch_normalization(b, 0.0, 1.0, 0.0, 1.0, epsilon = 0.1); y = relu(c);
    """
    grids = dict.fromkeys("xaby", (0, 0.1))
    graph = quantized(text, [("x", (1, 4))], **grids)
    with pytest.raises(nk.ExecutionError) as caught:
        nk.Session(graph, "integer")
    found = [(each.message, each.hint) for each in caught.value.diagnostics]
    assert [message.partition("cannot run ")[2].split(",")[0] for message, _ in found] == [
        "'local_response_normalization'",
        "'batch_normalization'",
        "'relu'",
    ]
    assert all("no integer arithmetic for" in hint for _, hint in found)
    assert all("fallback='numpy'" in hint for _, hint in found)


def test_the_refusal_says_what_to_do_before_a_graph_is_quantized():
    text = "y = separable_conv(x, p, q);"
    sources = [("x", (1, 2, 4, 4)), ("p", (2, 1, 3, 3)), ("q", (3, 2, 1, 1))]
    graph = quantized(text, sources, **dict.fromkeys("xpqy", (0, 0.1)))
    with pytest.raises(nk.ExecutionError, match=r"'separable_conv'(.|\n)*nk\.lower\(graph\)"):
        nk.Session(graph, "integer")


def test_a_graph_without_quantization_info_is_refused():
    graph = nk.parse("version 1.0; graph g(x) -> (y) { x = external(shape = [2]); y = relu(x); }")
    with pytest.raises(nk.ExecutionError, match=r"no quantization info.*nk\.quantize"):
        nk.run(graph, np.zeros(2, np.float32), "integer")


def test_a_result_without_info_that_ends_no_step_is_refused():
    graph = quantized("y = add(x, x);", [("x", (2,))], x=(0, 1.0))
    with pytest.raises(nk.ExecutionError, match=r"'y' has no quantization info"):
        nk.run(graph, np.zeros(2, np.float32), "integer")


def test_a_fallback_computes_what_has_no_rule_between_codes():
    text = "a = relu(x); b = local_response_normalization(a, size = [1, 3]); y = relu(b);"
    graph = quantized(text, [("x", (1, 4))], x=(0, 0.25), a=(0, 0.25), b=(3, 0.125), y=(0, 0.125))
    inputs = np.array([[1.0, -1.0, 0.5, 3.25]], np.float32)
    trace = nk.trace(graph, inputs, "integer", fallback="numpy")
    assert trace.engine == "integer+numpy"
    expected = nk.trace(graph, inputs, quantized=True)
    for name in "xaby":
        np.testing.assert_array_equal(trace[name], expected[name])


def test_nan_has_no_code():
    graph = quantized("y = relu(x);", [("x", (2,))], x=(0, 0.5), y=(0, 0.5))
    with pytest.raises(nk.ExecutionError, match="NaN has no code"):
        nk.run(graph, np.array([1, np.nan], np.float32), "integer")
    root = quantized("y = sqrt(x);", [("x", (2,))], x=(0, 0.5), y=(0, 0.5))
    with pytest.raises(nk.ExecutionError, match=r"'sqrt'.*a result is NaN"):
        nk.run(root, np.array([1, -1], np.float32), "integer")


def test_inputs_are_rounded_to_codes_and_infinity_is_limited():
    graph = quantized("y = relu(x);", [("x", (4,))], x=(1, 0.5), y=(1, 0.5))
    trace = nk.trace(graph, np.array([0.3, np.inf, -np.inf, 1], np.float32), "integer")
    assert trace["x"].tolist() == [0.5, 63.0, -64.5, 1.0]
    assert trace.codes() == {
        name: pytest.approx(values)
        for name, values in {"x": [2, 127, -128, 3], "y": [2, 127, 1, 3]}.items()
    }


def test_a_session_is_pickled_and_runs_alike():
    reference = Reference("networks/digits/digits.int8")
    graph = reference.graph()
    inputs = reference.inputs(graph)
    session = nk.Session(graph, "integer")
    expected = session.run(inputs)
    again = pickle.loads(pickle.dumps(session)).run(inputs)
    assert all(np.array_equal(again[name], expected[name]) for name in expected)


def test_quantized_changes_nothing():
    reference = Reference("networks/digits/digits.int8")
    graph = reference.graph()
    inputs = reference.inputs(graph)
    once, twice = (nk.run(graph, inputs, "integer", quantized=q) for q in (False, True))
    assert all(np.array_equal(once[name], twice[name]) for name in once)


def test_runs_are_compared_with_litert_floats_and_recorded_codes():
    name = "networks/mobile_block/mobile_block.int8"
    reference = Reference(name)
    graph = reference.graph()
    inputs = {n: np.random.default_rng(3).normal(size=t) for n, t in shapes(graph).items()}
    inputs = {n: a.astype(np.float32) for n, a in inputs.items()}
    trace = nk.trace(graph, inputs, "integer")
    device = nk.trace_tflite(model(name), inputs, graph=graph)
    assert nk.compare(trace, device).ok
    assert nk.compare(trace.codes(), device.codes(graph=graph)).ok
    changed = device.codes(graph=graph)
    changed["mobile_block_1_residual_1_Add"] = changed["mobile_block_1_residual_1_Add"] + 1
    found = nk.compare(trace.codes(), changed)
    assert [each.name for each in found if not each.ok] == ["mobile_block_1_residual_1_Add"]
    floats = nk.compare(trace, nk.trace(graph, inputs))
    assert len(floats) == len(trace)


def shapes(graph):
    return {name: graph.tensors[name].shape for name in graph.inputs}


def test_blame_runs_steps_on_the_codes_of_a_device():
    name = "networks/digits/digits.int8"
    reference = Reference(name)
    graph = reference.graph()
    inputs = reference.inputs(graph)
    device = nk.trace_tflite(model(name), inputs, graph=graph)
    assert not nk.blame(graph, inputs, reference=device, suspect="integer").guilty
    wrong = {n: np.array(device[n]) for n in device}
    step = graph.tensors["digits_1_relu2_1_Relu6"].quantization["scale"]
    wrong["digits_1_relu2_1_Relu6"] += np.float32(step)
    found = nk.blame(graph, inputs, reference="integer", suspect=wrong)
    # It is not what the layer computes, nor what the next one computes from.
    assert {each.tensor for each in found.guilty} == {
        "digits_1_relu2_1_Relu6",
        "digits_1_pw2_1_Relu",
    }
    assert nk.blame(graph, inputs, suspect="integer").guilty


def test_single_operations_are_no_steps_on_codes():
    graph = quantized("y = relu(x);", [("x", (2,))], x=(0, 0.5), y=(0, 0.5))
    with pytest.raises(nk.ExecutionError, match=r"several operations at once(.|\n)*nk\.trace"):
        next(iter(nk.step(graph, np.zeros(2, np.float32), "integer")))


def test_codes_need_quantization_info():
    graph = quantized("y = relu(x);", [("x", (2,))], x=(0, 0.5))
    trace = nk.trace(graph, np.zeros(2, np.float32))
    assert list(trace.codes()) == ["x"]
    with pytest.raises(nk.InputError, match="'y' has no codes"):
        trace.codes("y")
    with pytest.raises(nk.UnknownNameError):
        trace.codes("w")


def test_codes_of_a_saved_trace_need_the_graph(tmp_path):
    graph = quantized("y = relu(x);", [("x", (2,))], x=(0, 0.5))
    trace = nk.trace(graph, np.array([1, -1], np.float32), "integer", fallback="numpy")
    trace.save(tmp_path / "trace.zip")
    saved = nk.Trace.load(tmp_path / "trace.zip")
    with pytest.raises(nk.InputError, match=r"no recorded tensor has codes.*\n.*graph=graph"):
        saved.codes()
    assert saved.codes(graph=graph)["x"].tolist() == [2, -2]


WIDE = (
    "'{}': zero_point_linear_quantize(zero_point = {}, scale = {}, bits = 16, signed = false,"
    " symmetric = false);"
)


def test_products_of_unsigned_codes_of_16_bits_do_not_wrap_around():
    info = WIDE.format("x", 0, 1.0) + WIDE.format("y", 0, 65536.0)
    text = "version 1.0; graph g(x) -> (y) { x = external(shape = [3]); y = mul(x, x); }"
    graph = nk.parse(text, info)
    found = nk.trace(graph, np.array([65535, 50000, 3], np.float32), "integer").codes("y")["y"]
    assert found.dtype == np.uint16
    assert found.tolist() == [65534, 38147, 0]


def test_codes_of_four_bits_are_computed_with():
    info = LINE.replace("bits = 8", "bits = 4")
    lines = [LINE.format("x", 3, 0.5), info.format("w", 0, [0.25, 0.5]), LINE.format("y", 0, 0.5)]
    text = """version 1.0; graph g(x) -> (y) { x = external(shape = [1, 2]);
        w = variable(shape = [2, 2], label = 'w'); y = linear(x, w); }"""
    weights = np.array([[1.75, -2.0], [4.0, -1.0]], np.float32)
    graph = nk.parse(text, "".join(lines)).with_data({"w": weights})
    # (7 - 3) * 7 + (1 - 3) * -8 = 44 quarters of a half; 4.0 is limited to 7 * 0.5.
    assert codes(graph, [[7, 1]]) == [[11, 16]]


def test_other_algorithms_have_no_codes():
    info = "'y': min_max_linear_quantize(min = 0.0, max = 1.0, bits = 8, signed = false,"
    info += " symmetric = false);"
    text = "version 1.0; graph g(x) -> (y) { x = external(shape = [2]); y = relu(x); }"
    with pytest.raises(nk.ExecutionError, match=r"'y' is quantized by 'min_max_linear_quantize'"):
        nk.run(nk.parse(text, info), np.zeros(2, np.float32), "integer")


def test_values_inside_of_a_step_are_those_before_rounding():
    text = "a = add(x, 0.3); y = relu(a);"
    graph = quantized(text, [("x", (2,))], x=(0, 0.5), y=(0, 0.5))
    trace = nk.trace(graph, np.array([-1, 1], np.float32), "integer")
    np.testing.assert_allclose(trace["a"], [-0.7, 1.3], rtol=1e-6)
    assert trace["y"].tolist() == [0, 1.5]
    assert nk.run(graph, np.array([-1, 1], np.float32), "integer", outputs="a")["a"].shape == (2,)
