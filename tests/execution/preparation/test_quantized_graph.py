"""Quantization info is applied as defined in 7.1: to each tensor after its value is computed."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nnefkit as nk
from nnefkit import language

NET = """version 1.0;
graph net( x ) -> ( z )
{{
    x{x} = external<scalar>(shape = [1, 2, 4, 4]);
    {qx}
    w{w} = variable<scalar>(shape = [3, 2, 3, 3], label = 'w');
    {qw}
    y{y} = conv(x, w);
    {qy}
    z{z} = relu(y);
    {qz}
}}
"""
PLAIN = NET.format(x="", w="", y="", z="", qx="", qw="", qy="", qz="")
RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(1, 2, 4, 4)).astype(np.float32)
W = RANDOM.normal(size=(3, 2, 3, 3)).astype(np.float32)
CHANNELS = (
    '"w": zero_point_linear_quantize(zero_point = [3, 4, 5], scale = [0.1, 0.2, 0.3], bits = 4,'
    " signed = false, symmetric = false);\n"
)
LINES = (
    '"x": min_max_linear_quantize(min = -1.0, max = 1.5, bits = 5, signed = true,'
    " symmetric = true);\n"
    + CHANNELS
    + '"y": min_max_linear_quantize(min = [[-1.0, -2.0, -3.0]], max = [[1.0, 2.0, 3.0]], bits = 6,'
    " signed = false, symmetric = false);\n" + '"z": logarithmic_quantize(max = 3.0, bits = 4);\n'
)


def loaded(lines, text=PLAIN, **weights):
    return nk.parse(text, lines).with_data(weights or {"w": W})


# -- what it means -------------------------------------------------------------------------------


@st.composite
def algorithms(draw):
    """The arguments of a line of graph.quant and of an operation: equal by 7.1."""
    bits = draw(st.integers(2, 10))
    flags = {"signed": draw(st.booleans()), "symmetric": draw(st.booleans())}
    name = draw(st.sampled_from(["min_max_linear", "linear", "zero_point_linear", "logarithmic"]))
    high = draw(st.floats(0.5, 4.0, width=32))
    if name == "zero_point_linear":
        tensors = {"zero_point": draw(st.integers(-3, 3)), "scale": high / 10}
    elif name == "logarithmic":
        tensors, flags = {"max": high}, {}
    else:
        tensors = {"min": -draw(st.floats(0.5, 4.0, width=32)), "max": high}
        flags = {} if name == "linear" else flags
    return f"{name}_quantize", tensors, {"bits": bits, **flags}


def written(values):
    return [
        f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}"
        for key, value in values.items()
    ]


@given(st.fixed_dictionaries({}, optional={name: algorithms() for name in "xwyz"}))
@settings(max_examples=60, deadline=None)
def test_a_quantization_file_is_equal_to_operations_in_the_graph(chosen):
    if not chosen:
        return
    lines, names, operations = "", dict.fromkeys("xwyz", ""), dict.fromkeys("xwyz", "")
    for tensor, (name, tensors, attribs) in chosen.items():
        lines += f'"{tensor}": {name}({", ".join(written(tensors) + written(attribs))});\n'
        names[tensor] = "_raw"
        literals = [repr(value) for value in tensors.values()]
        arguments = ", ".join([f"{tensor}_raw", *literals, *written(attribs)])
        operations[tensor] = f"{tensor} = {name}({arguments});"
    text = NET.format(**names, **{f"q{n}": text for n, text in operations.items()})
    text = text.replace("net( x )", f"net( x{names['x']} )")
    by_file = nk.trace(loaded(lines), {"x": X}, quantized=True)
    explicit = nk.trace(nk.parse(text).with_data({f"w{names['w']}": W}), {f"x{names['x']}": X})
    for name in "xwyz":
        np.testing.assert_array_equal(by_file[name], explicit[name])


@pytest.mark.parametrize("signed", [True, False])
def test_channels_are_quantized_as_pytorch_quantizes_them(signed):
    scale, zero = np.array([0.05, 0.11, 0.2], np.float32), np.array([1, -2, 3])
    if not signed:
        zero = np.abs(zero)
    lines = (
        f'"w": zero_point_linear_quantize(zero_point = {zero.tolist()}, scale = '
        f"{[float(s) for s in scale]}, bits = 8, signed = {str(signed).lower()}, "
        "symmetric = false);"
    )
    # PyTorch rounds ties to even, NNEF rounds them up: none of the random values is a tie.
    theirs = torch.fake_quantize_per_channel_affine(
        *(torch.tensor(W), torch.tensor(scale), torch.tensor(zero, dtype=torch.int32), 0),
        *((-128, 127) if signed else (0, 255)),
    ).numpy()
    ours = nk.run(loaded(lines), X, outputs="w", quantized=True)["w"]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    conv = torch.nn.functional.conv2d(torch.tensor(X), torch.tensor(theirs), padding=1).numpy()
    z = nk.run(loaded(lines), X, quantized=True)["z"]
    np.testing.assert_allclose(z, np.maximum(conv, 0), atol=1e-5)


def test_the_name_is_that_of_the_quantized_value():
    graph = loaded(LINES)
    trace = nk.trace(graph, X, quantized=True)
    assert set("xyz") <= set(trace)
    assert len(np.unique(trace["x"])) <= 2**5 - 1
    np.testing.assert_array_equal(trace["x_unquantized"], X)
    levels = np.abs(trace["z"][trace["z"] != 0])
    np.testing.assert_array_equal(np.log2(levels), np.round(np.log2(levels)))
    # Weights are quantized before anything runs.
    assert len(np.unique(trace["w"][0])) <= 2**4
    assert {op.name for op in trace.graph.operations} >= {"conv", "relu", "logarithmic_quantize"}


def test_nothing_is_quantized_by_default():
    np.testing.assert_array_equal(
        nk.run(loaded(LINES), X)["z"], nk.run(nk.parse(PLAIN).with_data({"w": W}), X)["z"]
    )


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_every_engine_quantizes_alike(engine):
    graph = loaded(LINES)
    reference = nk.trace(graph, X, quantized=True)
    other = nk.trace(graph, X, engine, quantized=True)
    assert list(other) == list(reference)
    comparison = nk.compare(reference, other)
    assert comparison.missing == ((), ())
    # A value near a boundary may be rounded to the other side.
    for row in comparison:
        assert row.metrics.outside <= 0.05, row


def test_a_comparison_shows_the_error_of_quantization():
    graph = loaded(LINES)
    comparison = nk.compare(nk.trace(graph, X), nk.trace(graph, X, quantized=True))
    # Both are quantized in the second run only, which adds an error of their own.
    assert comparison["z"].verdict == comparison["x"].verdict == "introduces"
    assert "in the second" in comparison["z"].altered
    assert "min_max_linear_quantize" in repr(comparison)
    assert "not run on the same values" not in repr(comparison)
    fine = nk.parse(PLAIN, LINES.replace("bits = 5", "bits = 16").split("\n")[0])
    traces = [nk.trace(fine.with_data({"w": W}), np.clip(X, -1, 1), quantized=q) for q in (0, 1)]
    assert nk.compare(*traces)["z"].metrics.snr > 70 > comparison["z"].metrics.snr


def test_parameters_of_float64_networks_are_computed_in_float64():
    graph = loaded(LINES, w=W.astype(np.float64))
    assert nk.run(graph, X, quantized=True)["z"].dtype == np.float64


def test_names_in_use_are_not_taken_for_new_tensors():
    text = PLAIN.replace("z = relu(y)", "y_unquantized = neg(y); z = relu(y_unquantized)")
    line = '"y": linear_quantize(min = -1.0, max = 1.0, bits = 8);'
    trace = nk.trace(loaded(line, text), X, quantized=True)
    np.testing.assert_array_equal(trace["y_unquantized"], -trace["y"])


# -- sessions and state --------------------------------------------------------------------------

RECURRENT = """version 1.0;
graph net( x ) -> ( h_new )
{
    x = external<scalar>(shape = [1, 2]);
    h = variable<scalar>(shape = [1, 2], label = 'h');
    sum = add(x, h);
    h_new = update(h, sum);
}
"""


@pytest.mark.parametrize("engine", ["numpy", "torch", "onnxruntime"])
def test_a_state_is_quantized_again_in_every_run(engine):
    lines = '"h": linear_quantize(min = 0.0, max = 8.0, bits = 3);'  # steps of 8/7
    graph = loaded(lines, RECURRENT, h=np.zeros((1, 2), np.float32))
    session = nk.Session(graph, engine, quantized=True)
    state = np.zeros((1, 2), np.float32)
    for value in (0.5, 1.25, 3.0):
        x = np.array([[value, 1.0]], np.float32)
        state = np.floor(np.clip(state, 0, 8) / 8 * 7 + 0.5) * 8 / 7 + x
        np.testing.assert_allclose(session.run(x)["h_new"], state, rtol=1e-5)
        np.testing.assert_allclose(session.variables["h"], state, rtol=1e-5)
    session.reset("h")
    np.testing.assert_array_equal(session.variables["h"], [[0.0, 0.0]])


def test_inputs_are_given_and_refused_by_their_own_names():
    session = nk.Session(loaded(LINES), quantized=True)
    np.testing.assert_array_equal(session.run({"x": X})["z"], session.run(X)["z"])
    for wrong in ({"x_unquantized": X}, {"x": X[0]}):
        with pytest.raises(nk.InputError, match="input 'x'") as caught:
            session.run(wrong)
        assert "must " in str(caught.value)


# -- what cannot be computed ---------------------------------------------------------------------


def test_unknown_algorithms_are_refused_by_name_all_at_once():
    lines = '"x": ternary(t = 0.5); "y": ternary(t = 0.5); "z": posit(bits = 8);'
    graph = nk.parse(PLAIN, lines, strict=False).with_data({"w": W})
    nk.run(graph, X)
    with pytest.raises(nk.ExecutionError) as caught:
        nk.run(graph, X, quantized=True)
    assert "'ternary' of 'x', 'y' is unknown" in str(caught.value)
    assert "'posit' of 'z' is unknown" in str(caught.value)


def test_a_registered_algorithm_is_applied():
    declaration = (
        "fragment ternary( x: tensor<scalar>, t: tensor<scalar>, high: scalar = 1.0 )"
        " -> ( y: tensor<scalar> );"
    )
    nk.register_operation(
        declaration,
        shape=lambda x, t, high: x,
        kernel=lambda x, t, high: high * np.sign(x) * (np.abs(x) > t),
    )
    try:
        head = f"version 1.0;\nextension KHR_enable_fragment_definitions;\n{declaration}\n"
        text = PLAIN.replace("version 1.0;\n", head)
        graph = nk.parse(text, '"y": ternary(t = 0.5); "w": ternary(t = 1.0, high = 2.0);')
        trace = nk.trace(graph.with_data({"w": W}), X, quantized=True)
    finally:
        nk.unregister_operation("ternary")
    assert set(np.unique(trace["w"])) == {-2.0, 0.0, 2.0}
    assert set(np.unique(trace["y"])) <= {-1.0, 0.0, 1.0}


def test_a_fragment_of_the_document_is_an_algorithm_too(tmp_path):
    text = PLAIN.replace(
        "version 1.0;\n",
        "version 1.0;\nextension KHR_enable_fragment_definitions KHR_enable_operator_expressions;\n"
        "fragment stepped( x: tensor<scalar>, step: tensor<scalar>, bias: scalar = 0.0 )"
        " -> ( y: tensor<scalar> ) { y = round((x - bias) / step) * step + bias; }\n",
    )
    lines = (
        '"x": stepped(step = 0.5);\n"w": stepped(step = [0.25, 0.5, 1.0]);\n'
        '"z": stepped(step = 0.25, bias = 0.125);\n'
    )
    nk.save(nk.parse(text, lines).with_data({"w": W}), tmp_path / "model")
    graph = nk.load(tmp_path / "model")
    trace = nk.trace(graph, X, quantized=True)
    np.testing.assert_array_equal(trace["x"], np.floor(X / 0.5 + 0.5) * 0.5)
    np.testing.assert_array_equal(trace["w"][2], np.floor(W[2] + 0.5))
    shifted = (trace["z"] - 0.125) / 0.25
    np.testing.assert_array_equal(shifted, np.round(shifted))


def test_a_graph_without_quantization_info_says_so():
    with pytest.raises(nk.ExecutionError, match="no quantization info"):
        nk.run(nk.parse(PLAIN).with_data({"w": W}), X, quantized=True)


UNFIT = {
    "'bits' must be at most 64": '"x": linear_quantize(min = 0.0, max = 1.0, bits = 65);',
    "'min' has shape [3], which cannot be broadcast to [1, 2, 4, 4]": (
        '"x": linear_quantize(min = [0.0, 0.1, 0.2], max = 1.0, bits = 8);'
    ),
    "'max' has shape [1, 1, 1, 1, 1]": (
        '"x": linear_quantize(min = 0.0, max = [[[[[1.0]]]]], bits = 8);'
    ),
    "at least 2": '"x": min_max_linear_quantize(min = 0.0, max = 1.0, bits = 1, signed = true,'
    " symmetric = true);",
    "'i' is of type integer": '"i": linear_quantize(min = 0.0, max = 1.0, bits = 8);',
}


@pytest.mark.parametrize("message", UNFIT)
def test_lines_that_do_not_fit_their_tensors_are_errors_of_the_document(message):
    text = PLAIN.replace("( z )", "( z, i )").replace(
        "z = relu(y);", "z = relu(y); i = argmax_reduce(y, axes = [1]);"
    )
    with pytest.raises(nk.DocumentError) as caught:
        nk.parse(text, UNFIT[message])
    assert message in str(caught.value)
    assert "graph.quant" in str(caught.value)


ZERO_POINT = (
    "zero_point_linear_quantize(zero_point = {}, scale = 0.1, bits = {}, signed = {}, "
    "symmetric = {})"
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((256, 8, "false", "false"), "codes from 0 to 255"),
        ((-1, 8, "false", "false"), "codes from 0 to 255"),
        ((-128, 8, "true", "true"), "codes from -127 to 127"),
        (("[[3, 16]]", 4, "false", "false"), "codes from 0 to 15 at 1 of 2"),
    ],
)
def test_a_warning_reports_zero_points_that_are_not_codes(arguments, message):
    report = nk.validate(nk.parse(PLAIN, f'"x": {ZERO_POINT.format(*arguments)};'))
    assert report.ok
    (warning,) = report.warnings
    assert message in warning.message


@pytest.mark.parametrize("point", [-128, 127])
def test_a_zero_point_may_be_the_first_or_the_last_code(point):
    graph = nk.parse(PLAIN, f'"x": {ZERO_POINT.format(point, 8, "true", "false")};')
    assert not nk.validate(graph.with_data({"w": W})).warnings


@pytest.mark.parametrize(
    ("line", "codes", "message"),
    [
        ("min_max_linear_quantize(min = 0.0, max = 1.5, bits = 4, signed = false, "
         "symmetric = false)", [3, 200], "the code 200, but its codes range from 0 to 15"),
        ("linear_quantize(min = 0.0, max = 1.5, bits = 4)", [16, 0], "the code 16, but"),
        (ZERO_POINT.format(0, 4, "false", "false"), [3, 200], "the code 200, but"),
        (ZERO_POINT.format(0, 4, "true", "true"), [3, 8], "codes range from -7 to 7"),
        ("logarithmic_quantize(max = 1.0, bits = 4)", [3, 16], "the code 16, but"),
        ("logarithmic_quantize(max = -1.0, bits = 8)", [3, 16], "'max' is not positive"),
        ("linear_quantize(min = 2.0, max = 1.5, bits = 8)", [0, 1], "'min' is greater than"),
        (ZERO_POINT.format(0, 8, "false", "false").replace("0.1", "-0.1"), [0, 1], "negative"),
        ("linear_quantize(min = 0.0, max = 1.0, bits = 0)", [0, 1], "'bits'"),
        ("linear_quantize(min = 0.0, max = 1.0, bits = 65)", [0, 1], "'bits'"),
    ],
)  # fmt: skip
def test_codes_without_a_defined_value_are_refused(tmp_path, line, codes, message):
    (tmp_path / "graph.nnef").write_text(
        "version 1.0;\ngraph g(x) -> (y)\n{\n    x = external(shape = [2]);\n"
        "    w = variable(shape = [2], label = 'w');\n    y = add(x, w);\n}\n"
    )
    (tmp_path / "graph.quant").write_text(f'"w": {line};\n')
    nk.write_tensor(tmp_path / "w.dat", np.uint8(codes), quantized=True)
    (problem,) = nk.validate(tmp_path).errors
    assert message in problem.message
    with pytest.raises(nk.NnefError, match=message):
        nk.load(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("linear_quantize(min = 1.0, max = 1.0, bits = 8)", "'min' is not less than 'max',"),
        ("linear_quantize(min = [[0.0, 1.0]], max = [[1.0]], bits = 8)", "at 1 of 2 places"),
        ("logarithmic_quantize(max = 0.0, bits = 8)", "'max' is not positive"),
        (
            "zero_point_linear_quantize(zero_point = 0, scale = -1.0, bits = 8, signed = true, "
            "symmetric = true)",
            "'scale' is not positive",
        ),
        ("linear_quantize(min = 2.0, max = 1.0, bits = 8)", "'min' is not less than 'max',"),
        ("logarithmic_quantize(max = -4.0, bits = 8)", "'max' is not positive"),
    ],
)
@pytest.mark.parametrize("engine", ["numpy", "torch", "onnxruntime"])
def test_a_warning_reports_empty_ranges_and_a_run_refuses_them(line, message, engine):
    graph = nk.parse(PLAIN, f'"x": {line};').with_data({"w": W})
    report = nk.validate(graph)
    assert report.ok
    with pytest.raises(nk.ExecutionError, match=re.escape(message)) as caught:
        nk.run(graph, X, engine, quantized=True)
    (problem,) = caught.value.diagnostics
    assert problem.code == "undefined-quantization"
    (warning,) = [d for d in report.warnings if d.code != "deprecated-operation"]
    assert warning.code == "undefined-quantization"
    assert message in warning.message


# -- from codes in files to numbers --------------------------------------------------------------


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("bits", [3, 4, 8])
@pytest.mark.parametrize("algorithm", ["min_max", "zero_point"])
def test_stored_codes_are_the_values_that_quantization_computes(
    tmp_path, algorithm, bits, symmetric, signed
):
    """Every code is loaded as its algorithm defines, and quantizing it again changes nothing."""
    low = -(2 ** (bits - 1)) + symmetric if signed else 0
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    codes = np.arange(low, high + 1)
    codes = np.stack([codes, codes[::-1]])
    if algorithm == "min_max":
        tensors = "min = [-1.0, -2.0], max = [1.0, 3.0]"
        least, most = np.array([[-1.0], [-2.0]]), np.array([[1.0], [3.0]])
        expected = (codes - low) / (high - low) * (most - least) + least
    else:
        tensors = "zero_point = [1, 2], scale = [0.25, 0.125]"
        expected = (codes - [[1], [2]]) * [[0.25], [0.125]]
    flags = f"signed = {str(signed).lower()}, symmetric = {str(symmetric).lower()}"
    shape = [*codes.shape]
    (tmp_path / "graph.nnef").write_text(
        f"version 1.0; graph net( x ) -> ( y ) {{ x = external(shape = {shape});"
        f" w = variable(shape = {shape}, label = 'w'); y = add(x, w); }}"
    )
    (tmp_path / "graph.quant").write_text(
        f'"w": {algorithm}_linear_quantize({tensors}, bits = {bits}, {flags});\n'
    )
    dtype = np.int8 if signed else np.uint8
    nk.write_tensor(tmp_path / "w.dat", codes.astype(dtype), bits=bits, quantized=True)
    graph = nk.load(tmp_path)
    np.testing.assert_allclose(graph.tensors["w"].data, expected, rtol=1e-6, atol=1e-6)
    zeros = np.zeros(codes.shape, np.float32)
    for quantized in (False, True):
        y = nk.run(graph, zeros, quantized=quantized)["y"]
        np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)
    # And once more through a file: the codes are preserved, bit by bit.
    nk.save(graph, tmp_path / "again")
    assert (tmp_path / "again" / "w.dat").read_bytes() == (tmp_path / "w.dat").read_bytes()
    assert nk.load(tmp_path / "again").tensors["w"].quantization == graph.tensors["w"].quantization


# -- a real network ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def blazeface():
    folder = Path(__file__).parents[2] / "models" / "blazeface_front"
    graph = nk.load(folder / "blazeface_front.nnef")
    (name,) = graph.inputs
    shape = graph.tensors[name].shape
    x = np.random.default_rng(2).uniform(-1, 1, shape).astype(np.float32)
    return graph, x, nk.trace(graph, x, progress=False)


def calibrated(graph, trace, bits):
    """The graph with lines for all its activations, their ranges taken from a run."""
    lines = "".join(
        f'"{name}": min_max_linear_quantize(min = {float(s.minimum)!r}, max = '
        f"{float(s.maximum)!r}, bits = {bits}, signed = false, symmetric = false);\n"
        for name, s in trace.statistics.items()
        if s.minimum < s.maximum
    )
    found, diagnostics = language.parse_quantization(lines)
    assert diagnostics == []
    tensors = {n: replace(t, quantization=found.get(n)) for n, t in graph.tensors.items()}
    return replace(graph, tensors=tensors)


def test_more_bits_are_nearer_to_the_network_itself(blazeface):
    graph, x, trace = blazeface
    snr = {}
    for bits in (4, 8, 12):
        quantized = nk.run(calibrated(graph, trace, bits), x, quantized=True, progress=False)
        wanted = {name: trace[name] for name in graph.outputs}
        snr[bits] = min(row.metrics.snr for row in nk.compare(wanted, quantized))
    # A bit is worth 6 dB.
    assert 15 < snr[8] - snr[4] < 35
    assert 15 < snr[12] - snr[8] < 35
    assert snr[12] > 25


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_engines_quantize_a_real_network_alike(blazeface, engine):
    graph, x, trace = blazeface
    quantized = calibrated(graph, trace, 12)
    ours = nk.run(quantized, x, quantized=True, progress=False)
    theirs = nk.run(quantized, x, engine, quantized=True, progress=False)
    for name, values in ours.items():
        # A sum in another order now and then rounds to the next step, and the layers below pass
        # that on. Both must be much nearer to each other than to the network without steps.
        error = np.abs(values - trace[name]).mean()
        assert np.abs(theirs[name] - values).mean() < 0.3 * error
        assert np.abs(theirs[name] - trace[name]).mean() == pytest.approx(error, rel=0.15)
