"""Tensor files of the provisional specification of 2017 (its sections 5.2 and 7.1)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

import nnefkit as nk

TEXT = """version 1.0
graph net( x ) -> ( y )
{{
    x = external(shape = [2, 3])
    v = variable(shape = {shape}, label = 'v')
    y = add(x, v)
}}
"""


def provisional_file(
    shape: tuple[int, ...], code: int, bits: int, data: bytes, algorithm: bytes = b""
) -> bytes:
    """Magic, version, offset of the data, rank, extents, type, bits, length of the algorithm."""
    end = 2 + 2 + 4 + 4 + 4 * len(shape) + 1 + 1 + 2 + len(algorithm)
    head = struct.pack(f"<2sBBII{len(shape)}I", b"N\xef", 1, 0, end, len(shape), *shape)
    return head + struct.pack("<BBH", code, bits, len(algorithm)) + algorithm + data


def model(folder: Path, shape: list[int], content: bytes) -> Path:
    folder.joinpath("graph.nnef").write_text(TEXT.format(shape=shape), "ascii")
    folder.joinpath("v.dat").write_bytes(content)
    return folder


def saved_again(path: Path, folder: Path) -> object:
    """The values of the variable when the model was saved and loaded."""
    nk.save(nk.load(path), folder / "saved")
    assert not nk.validate(folder / "saved").diagnostics
    return np.asarray(nk.load(folder / "saved").tensors["v"].data).tolist()


# (what it is, code, bits, data, the numbers)
ITEMS = [
    ("float 16", 0, 16, np.array([0.5, -2.0, 1.5], "<f2").tobytes(), [0.5, -2.0, 1.5]),
    ("float 32", 0, 32, np.array([0.5, -2.0, 1.5], "<f4").tobytes(), [0.5, -2.0, 1.5]),
    ("float 64", 0, 64, np.array([0.5, -2.0, 1.5], "<f8").tobytes(), [0.5, -2.0, 1.5]),
    ("signed", 2, 8, np.array([1, -2, 3], "<i1").tobytes(), [1.0, -2.0, 3.0]),
    ("signed", 2, 32, np.array([1, -2, 3], "<i4").tobytes(), [1.0, -2.0, 3.0]),
    ("unsigned", 3, 16, np.array([1, 2, 60000], "<u2").tobytes(), [1.0, 2.0, 60000.0]),
    ("unsigned of 4 bits", 3, 4, bytes([0x1F, 0x70]), [1.0, 15.0, 7.0]),
]


@pytest.mark.parametrize(("what", "code", "bits", "data", "numbers"), ITEMS)
def test_items_of_all_types_are_the_scalars_that_tensors_held(
    tmp_path: Path, what: str, code: int, bits: int, data: bytes, numbers: list[float]
) -> None:
    assert what
    path = model(tmp_path, [1, 3], provisional_file((1, 3), code, bits, data))
    values = nk.load(path).tensors["v"].data
    assert values is not None
    assert values.dtype.kind == "f"
    np.testing.assert_array_equal(values, [numbers])
    assert nk.validate(path).ok
    assert saved_again(path, tmp_path) == [numbers]


ALGORITHMS = [
    (b"linear_quantize(min = -1.0, max = 1.0, bits = 8)", [-1.0, -0.6, 1.0]),
    (b"quantize_linear(min = -1.0, max = 1.0, bits = 8)", [-1.0, -0.6, 1.0]),
    (b"logarithmic_quantize(max = 9.0, bits = 8)", [1.0, 2.0**51, np.inf]),
]


@pytest.mark.parametrize(("algorithm", "numbers"), ALGORITHMS)
def test_quantized_items_are_decoded_by_their_algorithm(
    tmp_path: Path, algorithm: bytes, numbers: list[float]
) -> None:
    codes = bytes([0, 51, 127 if b"log" in algorithm else 255])
    if b"log" in algorithm:
        numbers = [*numbers[:2], 2.0**127]
    path = model(tmp_path, [1, 3], provisional_file((1, 3), 1, 8, codes, algorithm))
    values = nk.load(path).tensors["v"].data
    np.testing.assert_allclose(values, [numbers], rtol=1e-6)
    np.testing.assert_allclose(saved_again(path, tmp_path), [numbers], rtol=1e-6)


@pytest.mark.parametrize(
    ("written", "stored"),
    [([2], (2,)), ([2], (2, 1)), ([2, 1], (2,)), ([2, 1, 1], (2,)), ([1, 1], ()), ([1, 3], (1, 3))],
)
def test_trailing_extents_of_1_can_be_omitted(
    tmp_path: Path, written: list[int], stored: tuple[int, ...]
) -> None:
    count = int(np.prod(written))
    data = np.arange(1, count + 1, dtype="<f4")
    path = model(tmp_path, written, provisional_file(stored, 0, 32, data.tobytes()))
    values = nk.load(path).tensors["v"].data
    assert values is not None
    np.testing.assert_array_equal(values, data.reshape(written))


@pytest.mark.parametrize(("written", "stored"), [([3, 2], (2, 3)), ([6], (2, 3)), ([1, 6], (6,))])
def test_other_extents_may_not_differ(
    tmp_path: Path, written: list[int], stored: tuple[int, ...]
) -> None:
    data = np.arange(6, dtype="<f4").tobytes()
    path = model(tmp_path, written, provisional_file(stored, 0, 32, data))
    codes = [diagnostic.code for diagnostic in nk.validate(path).errors]
    assert "wrong-data-shape" in codes


def test_trailing_extents_count_in_current_files(tmp_path: Path) -> None:
    folder = model(tmp_path, [2], b"")
    nk.write_tensor(folder / "v.dat", np.ones((2, 1), np.float32))
    assert [d.code for d in nk.validate(folder).errors] == ["wrong-data-shape"]


def test_the_model_is_saved_with_current_files(tmp_path: Path) -> None:
    data = np.arange(1, 3, dtype="<f4")
    path = model(tmp_path, [2], provisional_file((2, 1), 0, 32, data.tobytes()))
    notes = {note.code for note in nk.validate(path).notes}
    assert notes == {"provisional", "provisional-tensor-file"}
    nk.save(nk.load(path), tmp_path / "saved")
    assert not nk.validate(tmp_path / "saved").diagnostics
    np.testing.assert_array_equal(nk.read_tensor(tmp_path / "saved" / "v.dat"), data)
