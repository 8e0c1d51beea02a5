"""Variables that have quantization are stored as its codes (5.2.1), where that is asked for."""

import numpy as np
import pytest

import nnefkit as nk

VALUES = np.float32([[-1.04, -0.31, 0.0], [0.049, 0.05, 0.94], [1.3, -7.0, 0.15]])
LINES = {
    "signed": ("zero_point_linear_quantize(zero_point = 3, scale = 0.1, {})", 8, True, False),
    "unsigned": ("zero_point_linear_quantize(zero_point = 9, scale = 0.1, {})", 8, False, False),
    "symmetric": ("zero_point_linear_quantize(zero_point = 0, scale = 0.3, {})", 4, True, True),
    "by channel": (
        "zero_point_linear_quantize(zero_point = [0, 2, -1], scale = [0.1, 0.03, 0.7], {})",
        *(16, True, False),
    ),
    "along the second axis": (
        "zero_point_linear_quantize(zero_point = 0, scale = [[0.1, 0.03, 0.7]], {})",
        *(32, True, False),
    ),
    "range": ("min_max_linear_quantize(min = -1.0, max = 1.1, {})", 8, False, False),
    "signed range": ("min_max_linear_quantize(min = -1.0, max = 1.0, {})", 3, True, True),
}
TEXT = """version 1.0; graph g(x) -> (y) { x = external(shape = [3, 3]);
w = variable(shape = [3, 3], label = 'w'); y = add(x, w); }"""


def graph_of(line, values=VALUES):
    return nk.parse(TEXT, f'"w": {line};').with_data({"w": values})


def arguments(bits, signed, symmetric):
    flags = f"signed = {str(signed).lower()}, symmetric = {str(symmetric).lower()}"
    return f"bits = {bits}, {flags}"


@pytest.mark.parametrize("name", LINES)
def test_codes_stand_for_what_the_operation_computes(tmp_path, name):
    template, bits, signed, symmetric = LINES[name]
    graph = graph_of(template.format(arguments(bits, signed, symmetric)))
    nk.save(graph, tmp_path / "m", quantized=True)
    file = tmp_path / "m" / "w.dat"
    assert file.stat().st_size == 128 + -(-9 * bits // 8)
    assert nk.read_tensor(file).dtype.kind == ("i" if signed else "u")
    computed = nk.run(graph, np.zeros((3, 3), np.float32), quantized=True)["y"]
    loaded = nk.load(tmp_path / "m")
    assert loaded.tensor("w").data.dtype == np.float32
    np.testing.assert_allclose(loaded.tensor("w").data, computed, rtol=3e-7, atol=1e-7)

    # What is on the grid stays there, to the bit, and is saved again as it was.
    nk.save(loaded, tmp_path / "again")
    assert (tmp_path / "again" / "w.dat").read_bytes() == file.read_bytes()
    nk.save(loaded.with_data({"w": loaded.tensor("w").data + 0}), tmp_path / "new", quantized=True)
    assert (tmp_path / "new" / "w.dat").read_bytes() == file.read_bytes()


def test_a_scale_is_the_number_that_float32_holds(tmp_path):
    """Engines multiply by the float32 0.1, and not by the decimal."""
    graph = graph_of(LINES["signed"][0].format(arguments(8, True, False)))
    nk.save(graph, tmp_path / "m", quantized=True)
    codes = nk.read_tensor(tmp_path / "m" / "w.dat").astype(np.float32)
    expected = (codes - 3) * np.float32(0.1)
    assert np.array_equal(nk.load(tmp_path / "m").tensor("w").data, expected)


def test_floats_are_stored_by_default_and_on_request(tmp_path):
    graph = graph_of(LINES["signed"][0].format(arguments(8, True, False)))
    nk.save(graph, tmp_path / "m")
    assert np.array_equal(nk.read_tensor(tmp_path / "m" / "w.dat"), VALUES)
    nk.save(graph, tmp_path / "codes", quantized=True)
    loaded = nk.load(tmp_path / "codes")
    nk.save(loaded, tmp_path / "floats", quantized=False)
    stored = nk.read_tensor(tmp_path / "floats" / "w.dat")
    assert np.array_equal(stored, loaded.tensor("w").data)
    assert stored.dtype == np.float32


@pytest.mark.parametrize(
    ("line", "values"),
    [
        pytest.param("logarithmic_quantize(max = 2.0, bits = 4)", VALUES, id="not linear"),
        pytest.param(
            "zero_point_linear_quantize(zero_point = 0, scale = 0.1, bits = 33, "
            "signed = true, symmetric = false)",
            VALUES,
            id="more bits than digits",
        ),
        pytest.param(
            LINES["signed"][0].format(arguments(8, True, False)), VALUES * np.nan, id="NaN"
        ),
    ],
)
def test_what_has_no_codes_is_stored_as_floats(tmp_path, line, values):
    nk.save(graph_of(line, values), tmp_path / "m", quantized=True)
    stored = nk.read_tensor(tmp_path / "m" / "w.dat")
    assert np.array_equal(stored, values, equal_nan=True)
