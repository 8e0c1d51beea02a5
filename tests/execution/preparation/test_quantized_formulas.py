"""Quantization info applied in a run (7.1), element by element by the formulas of 4.9.5 and 5.2."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles.formulas import FORMULAS

import nnefkit as nk

NET = """version 1.0;
graph net( x ) -> ( z )
{
    x = external<scalar>(shape = [2, 2, 3]);
    w = variable<scalar>(shape = [3, 2, 2], label = 'w');
    b = variable<scalar>(shape = [1, 3], label = 'b');
    y = conv(x, w, b, border = 'replicate');
    z = tanh(y);
}
"""
CHANNELS = {"x": (1, 2), "w": (3,), "b": (1, 3), "y": (1, 3), "z": (1, 3)}
"""Shapes that parameters for each channel have: their dimensions are aligned from the left."""


@st.composite
def lines(draw, tensor):
    """The algorithm of a tensor and its arguments: one number for all, or one for each channel."""
    name = draw(st.sampled_from(["min_max_linear", "linear", "zero_point_linear", "logarithmic"]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))

    def number(low, high, whole=False):
        shape = draw(st.sampled_from([(), CHANNELS[tensor], (1,)]))
        values = random.integers(low, high, shape) if whole else random.uniform(low, high, shape)
        return np.round(values, 3).tolist()

    attribs = {"bits": draw(st.integers(2, 9))}
    if name in ("min_max_linear", "zero_point_linear"):
        attribs |= {"signed": draw(st.booleans()), "symmetric": draw(st.booleans())}
    if name == "zero_point_linear":
        tensors = {"zero_point": number(-3, 4, True), "scale": number(0.05, 0.3)}
    elif name == "logarithmic":
        tensors = {"max": number(0.3, 3)}
    else:
        tensors = {"min": number(-3, -0.2), "max": number(0.2, 3)}
    return f"{name}_quantize", tensors, attribs


def written(value):
    return str(value).lower() if isinstance(value, bool) else repr(value)


def quantized(values, line):
    if line is None:
        return values
    name, tensors, attribs = line
    return FORMULAS[name](values, *map(np.asarray, tensors.values()), **attribs)


@given(st.fixed_dictionaries({}, optional={name: lines(name) for name in CHANNELS}), st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_each_tensor_is_quantized_right_after_its_value_is_computed(chosen, data):
    if not chosen:
        return
    text = "".join(
        f'"{tensor}": {name}('
        + ", ".join(f"{key} = {written(value)}" for key, value in {**tensors, **attribs}.items())
        + ");\n"
        for tensor, (name, tensors, attribs) in chosen.items()
    )
    random = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    x, w, b = (random.normal(size=shape) for shape in [(2, 2, 3), (3, 2, 2), (1, 3)])
    graph = nk.parse(NET, text).with_data(
        {"w": w, "b": b}
    )  # float64: nothing is rounded on the way
    trace = nk.trace(graph, x, quantized=True, progress=False)

    x, w, b = (quantized(array, chosen.get(n)) for n, array in zip("xwb", (x, w, b), strict=True))
    attribs = {"border": "replicate", "padding": [], "stride": [], "dilation": [], "groups": 1}
    # Each step begins with what the run has: a last digit may decide where a value is rounded to.
    for name, array in {"x": x, "w": w, "b": b}.items():
        np.testing.assert_allclose(trace[name], array, rtol=1e-12, atol=1e-14, err_msg=text)
    before = FORMULAS["conv"](*(trace[name] for name in "xwb"), **attribs)
    raw = trace["y_unquantized"] if "y" in chosen else trace["y"]
    np.testing.assert_allclose(raw, before, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(trace["y"], quantized(raw, chosen.get("y")), rtol=1e-12, atol=1e-14)
    raw = trace["z_unquantized"] if "z" in chosen else trace["z"]
    np.testing.assert_allclose(raw, FORMULAS["tanh"](trace["y"]), rtol=1e-14)
    np.testing.assert_allclose(trace["z"], quantized(raw, chosen.get("z")), rtol=1e-12, atol=1e-14)


def logarithm_of(code, high, bits, signed):
    """The value of a code of logarithmic quantization: sign bit first, then the exponent."""
    sign = 1.0
    if signed:
        code %= 2**bits
        bits -= 1
        if code >= 2**bits:
            sign, code = -1.0, code - 2**bits
    m, r = math.ceil(math.log2(high)), 2**bits - 1
    return sign * 2.0 ** (code + (m - r))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [2, 3, 5, 8])
def test_stored_codes_of_logarithms_are_powers_of_two(tmp_path, bits, signed):
    low = -(2 ** (bits - 1)) if signed else 0
    codes = np.arange(low, low + 2**bits)
    codes = np.stack([codes, codes])
    highs = [3.0, 0.7]
    (tmp_path / "graph.nnef").write_text(
        f"version 1.0; graph net( x ) -> ( y ) {{ x = external(shape = {[*codes.shape]});"
        f" w = variable(shape = {[*codes.shape]}, label = 'w'); y = add(x, w); }}"
    )
    (tmp_path / "graph.quant").write_text(
        f'"w": logarithmic_quantize(max = {highs}, bits = {bits});'
    )
    dtype = np.int8 if signed else np.uint8
    nk.write_tensor(tmp_path / "w.dat", codes.astype(dtype), bits=bits, quantized=True)
    expected = [
        [logarithm_of(int(code), high, bits, signed) for code in row]
        for row, high in zip(codes, highs, strict=True)
    ]
    graph = nk.load(tmp_path)
    np.testing.assert_array_equal(graph.tensors["w"].data, np.array(expected, np.float32))
    if not signed:
        # Codes of all the bits are just the values that the operation rounds to.
        y = nk.run(graph, np.zeros(codes.shape), quantized=True)["y"]
        np.testing.assert_array_equal(y, np.array(expected, np.float32))
