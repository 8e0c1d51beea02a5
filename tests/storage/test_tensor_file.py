"""Tensor files (5.2): the same bits come back, and other tools agree on what they are."""

import mmap
import os
import struct
from pathlib import Path

import hypothesis.extra.numpy as hnp
import nnef
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnefkit.errors import StorageError
from nnefkit.storage import open_model, read_tensor, tensor_content, write_tensor
from nnefkit.storage.blob import Blob, open_blob
from nnefkit.storage.tensor_file import open_tensor

PLAIN_DTYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]
SWAPPED_DTYPES = [">f2", ">f4", ">f8", ">i2", ">i4", ">i8", ">u2", ">u4", ">u8"]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=8, min_side=1, max_side=4)


def through_bytes(array, **options):
    """Write and read in memory; return the bytes of the file as well."""
    content = b"".join(map(bytes, tensor_content(array, **options).chunks()))
    stored = open_tensor(Blob("x.dat", content, content, 0, len(content)))
    assert stored.warnings == ()
    return stored.data, content


def orders(array):
    """The same values in layouts that are not C-contiguous."""
    yield array
    yield array.T.copy().T
    yield np.repeat(array.reshape(*array.shape, 1), 2, -1)[..., 0]
    if array.ndim:
        yield np.flip(np.flip(array, 0).copy(), 0)


@given(hnp.arrays(st.sampled_from(PLAIN_DTYPES + SWAPPED_DTYPES), SHAPES))
@settings(max_examples=150, deadline=None)
def test_every_dtype_shape_and_memory_layout_survives_bit_by_bit(array):
    native = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))).reshape(array.shape)
    for layout in orders(array):
        back, _ = through_bytes(layout)
        assert back.dtype == native.dtype
        assert back.shape == native.shape
        assert back.tobytes() == native.tobytes()


@given(
    bits=st.integers(1, 64),
    signed=st.booleans(),
    count=st.integers(1, 40),
    data=st.data(),
)
@settings(max_examples=200, deadline=None)
def test_integers_of_every_width_survive_a_round_trip(bits, signed, count, data):
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    values = data.draw(st.lists(st.integers(low, high), min_size=count, max_size=count))
    array = np.array([low, high, *values], dtype="i8" if signed else "u8")
    back, content = through_bytes(array, bits=bits)
    assert back.tolist() == array.tolist()
    assert len(content) == 128 + -(-bits * len(array) // 8)
    assert back.dtype.itemsize * 8 == next(w for w in (8, 16, 32, 64) if w >= bits)


@pytest.mark.parametrize("bits", [b for b in range(1, 65) if b % 8])
def test_odd_widths_are_one_stream_of_bits_from_the_most_significant_one(bits):
    values = [(0x9E3779B97F4A7C15 * (k + 1)) & ((1 << bits) - 1) for k in range(9)]
    stream = "".join(f"{value:0{bits}b}" for value in values)
    expected = int(stream.ljust(-(-len(stream) // 8) * 8, "0"), 2).to_bytes(-(-len(stream) // 8))
    _, content = through_bytes(np.array(values, np.uint64), bits=bits)
    assert content[128:] == expected


@pytest.mark.parametrize("bits", range(8, 65, 8))
def test_whole_bytes_are_little_endian(bits):
    values = [(0x9E3779B97F4A7C15 * (k + 1)) & ((1 << bits) - 1) for k in range(3)]
    _, content = through_bytes(np.array(values, np.uint64), bits=bits)
    assert content[128:] == b"".join(value.to_bytes(bits // 8, "little") for value in values)


def test_long_streams_are_packed_in_pieces_that_fit_together():
    array = np.arange(100_003, dtype=np.int32) % 4096 - 2048
    for bits in (12, 13, 24):
        assert np.array_equal(through_bytes(array, bits=bits)[0], array)


def test_the_header_is_that_of_the_specification():
    _, content = through_bytes(np.zeros((2, 3), np.float32))
    fields = struct.unpack("<2sBBII8III32s44s", content[:128])
    assert fields[:4] == (b"N\xef", 1, 0, 24)
    assert fields[4:13] == (2, 2, 3, 0, 0, 0, 0, 0, 0)
    assert fields[13:] == (32, 0, bytes(32), bytes(44))


@pytest.mark.parametrize(
    ("array", "options", "bits", "code"),
    [
        (np.ones(1, "f2"), {}, 16, 0),
        (np.ones(1, "f4"), {}, 32, 0),
        (np.ones(1, "f8"), {}, 64, 0),
        (np.ones(1, "f4"), {"bits": 16}, 16, 0),
        (np.ones(1, "u2"), {}, 16, 1),
        (np.ones(1, "u2"), {"bits": 3}, 3, 1),
        (np.ones(1, "u1"), {"quantized": True}, 8, 2),
        (np.ones(1, "i1"), {"quantized": True}, 8, 3),
        (np.ones(1, "f4"), {"quantized": (0.0, 1.0)}, 8, 2),
        (np.ones(1, "i8"), {}, 64, 4),
        (np.ones(1, "?"), {}, 1, 5),
        (np.ones(1, "?"), {"bits": 8}, 8, 5),
    ],
)
def test_dtype_and_options_choose_the_item_type(array, options, bits, code):
    _, content = through_bytes(array, **options) if "quantized" not in options else (0, None)
    content = content or b"".join(map(bytes, tensor_content(array, **options).chunks()))
    assert struct.unpack_from("<II", content, 44) == (bits, code)


@pytest.mark.parametrize("bits", [1, 8])
@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (2, 2, 2, 2)])
def test_bools_of_one_and_of_eight_bits_survive_a_round_trip(bits, shape):
    array = np.resize([True, False, False], shape)
    back, content = through_bytes(array, bits=bits)
    assert back.dtype == bool
    assert np.array_equal(back, array)
    assert len(content) == 128 + -(-array.size * bits // 8)


def test_any_byte_but_zero_is_a_true_bool():
    content = through_bytes(np.zeros(4, bool), bits=8)[1][:128] + bytes([0, 1, 2, 255])
    back = open_tensor(Blob("x.dat", content, content, 0, len(content))).data
    assert back.tolist() == [False, True, True, True]
    assert back.sum() == 3


# -- other tools -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", PLAIN_DTYPES)
@pytest.mark.parametrize("shape", [(1,), (7,), (2, 3, 4, 5), (1, 2, 1, 2, 1, 2, 1, 2)])
def test_khronos_reads_what_we_write_and_we_read_what_it_writes(tmp_path, dtype, shape):
    array = np.random.default_rng(1).integers(0, 100, shape).astype(dtype)
    write_tensor(tmp_path / "ours.dat", array)
    with (tmp_path / "ours.dat").open("rb") as file:
        theirs = nnef.read_tensor(file)
    assert theirs.dtype == array.dtype
    assert np.array_equal(theirs, array)
    with (tmp_path / "theirs.dat").open("wb") as file:
        nnef.write_tensor(file, array)
    ours = read_tensor(tmp_path / "theirs.dat")
    assert ours.dtype == array.dtype
    assert np.array_equal(ours, array)
    assert (tmp_path / "ours.dat").read_bytes() == (tmp_path / "theirs.dat").read_bytes()


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2"])
def test_khronos_and_we_agree_on_quantized_codes(tmp_path, dtype):
    codes = np.arange(6, dtype=dtype).reshape(2, 3)
    write_tensor(tmp_path / "ours.dat", codes, quantized=True)
    with (tmp_path / "ours.dat").open("rb") as file:
        theirs, quantized = nnef.read_tensor(file, return_quantization=True)
    assert quantized
    assert np.array_equal(theirs, codes)
    with (tmp_path / "theirs.dat").open("wb") as file:
        nnef.write_tensor(file, codes, quantized=True)
    assert np.array_equal(read_tensor(tmp_path / "theirs.dat"), codes)


def test_real_weights_are_read_as_khronos_reads_them():
    folder = Path(__file__).parents[1] / "models" / "blazeface_front" / "blazeface_front.nnef"
    with open_model(folder) as files:
        assert len(files.labels) == 74
        for label in files.labels:
            with (folder / f"{label}.dat").open("rb") as file:
                theirs = nnef.read_tensor(file)
            ours = files.tensor(label).data
            assert ours.dtype == theirs.dtype
            assert ours.tobytes() == theirs.tobytes()
            assert ours.shape == theirs.shape


# -- quantized codes -----------------------------------------------------------------------------


def test_codes_with_the_deprecated_range_represent_real_numbers(tmp_path):
    values = np.linspace(-1.5, 2.5, 17, dtype=np.float32).reshape(1, 17)
    write_tensor(tmp_path / "q.dat", values, bits=5, quantized=(-1.0, 2.0))
    codes = read_tensor(tmp_path / "q.dat")
    decoded = read_tensor(tmp_path / "q.dat", dequantize=True)
    clamped = np.clip(values, -1.0, 2.0)
    assert codes.dtype == np.uint8
    assert np.array_equal(codes, np.floor((clamped + 1) / 3 * 31 + 0.5))
    assert decoded.dtype == np.float32
    assert np.allclose(decoded, codes / 31.0 * 3.0 - 1.0)
    assert np.abs(decoded - clamped).max() <= 3.0 / 31 / 2 + 1e-6


def test_codes_of_the_deprecated_logarithmic_quantization_are_decoded(tmp_path):
    # 4 bits: sign, then 3 bits; m = ceil(log2(4)) = 2, r = 7, x = 2 ** (q - 5).
    codes = np.array([0, 7, 1, -8, -1], np.int8)
    write_tensor(tmp_path / "q.dat", codes, bits=4, quantized=(-4.0, 4.0))
    decoded = read_tensor(tmp_path / "q.dat", dequantize=True)
    assert decoded.tolist() == [2**-5, 2**2, 2**-4, -(2**-5), -(2**2)]
    assert np.array_equal(read_tensor(tmp_path / "q.dat"), codes)


def test_codes_without_any_parameters_are_not_decoded(tmp_path):
    write_tensor(tmp_path / "q.dat", np.arange(3, dtype=np.uint8), quantized=True)
    with pytest.raises(StorageError, match=r"nothing defines their values"):
        read_tensor(tmp_path / "q.dat", dequantize=True)


# -- what cannot be written ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (np.zeros((3, 0, 2)), {}, "all extents are positive"),
        (np.zeros((1,) * 9), {}, "at most rank 8"),
        (np.array(["a"]), {}, "dtype <U1"),
        (np.array([1j]), {}, "dtype complex128"),
        (np.array([None]), {}, "dtype object"),
        (np.zeros(2, np.longdouble), {}, "cannot be stored in a tensor file"),
        (np.array([300]), {"bits": 8}, "300 does not fit"),
        (np.array([-129]), {"bits": 8}, "-129 does not fit"),
        (np.array([16], np.uint8), {"bits": 4}, "16 does not fit"),
        (np.array([1.0]), {"bits": 8}, "float items cannot have 8 bits, only 16, 32, 64"),
        (np.array([1e6]), {"bits": 16}, r"1e\+06 does not fit"),
        (np.array([True]), {"bits": 2}, "bool items cannot have 2 bits, only 1, 8"),
        (np.array([1]), {"bits": 0}, "cannot have 0 bits, only 1 to 64"),
        (np.array([1]), {"bits": 65}, "cannot have 65 bits"),
        (np.array([1]), {"bits": 8.0}, "is not a number of bits"),
        (np.array([1.0]), {"quantized": True}, "not quantized codes"),
        (np.array([1.0]), {"quantized": (1, 0)}, "is not a range"),
        (np.array([1.0]), {"quantized": (0, 1e300)}, "is not a range"),
        (np.array([1.0]), {"quantized": (0, 1, 2)}, "is not a range"),
        ([[1, 2], [3]], {}, "not an array"),
    ],
)
def test_values_that_the_format_cannot_store_are_refused_and_nothing_is_written(
    tmp_path, array, options, message
):
    with pytest.raises(StorageError, match=message):
        write_tensor(tmp_path / "x.dat", array, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("dtype", "bits", "count"), [("f4", None, 2**30), ("u1", None, 2**32), ("u8", 33, 2**30)]
)
def test_more_than_4_gb_is_refused_at_once(tmp_path, dtype, bits, count):
    # A view of one item repeated: what counts is the length that the header would have to state.
    array = np.broadcast_to(np.zeros((), dtype), (count,))
    with pytest.raises(StorageError, match=r"more than the 4,294,967,295"):
        write_tensor(tmp_path / "x.dat", array, bits=bits)


# -- mapping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*PLAIN_DTYPES[:-1], "bool8"])
def test_large_files_are_mapped_and_cannot_be_changed(tmp_path, dtype):
    array = np.ones(100_000, bool if dtype == "bool8" else dtype)
    write_tensor(tmp_path / "x.dat", array, bits=8 if dtype == "bool8" else None)
    blob = open_blob(str(tmp_path / "x.dat"))
    data = open_tensor(blob).data
    mapped = np.frombuffer(blob.data, np.uint8)
    assert isinstance(blob.data, mmap.mmap)
    assert np.shares_memory(data, mapped)
    with pytest.raises(ValueError, match="read-only"):
        data[0] = 0
    with pytest.raises(ValueError, match="WRITEABLE"):
        data.flags.writeable = True


def test_a_mapped_array_outlives_the_replacement_of_its_file(tmp_path):
    path = tmp_path / "x.dat"
    write_tensor(path, np.full(100_000, 1.0))
    first = read_tensor(path)
    write_tensor(path, np.full(50_000, 2.0))
    assert np.array_equal(first, np.full(100_000, 1.0))
    assert np.array_equal(read_tensor(path), np.full(50_000, 2.0))
    write_tensor(path, read_tensor(path) + first[:50_000])
    assert np.array_equal(read_tensor(path), np.full(50_000, 3.0))
    write_tensor(path, read_tensor(path))
    assert np.array_equal(read_tensor(path), np.full(50_000, 3.0))


def test_mapping_leaves_the_process_descriptors_to_work_with(tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    write_tensor(tmp_path / "x.dat", np.zeros(5000))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        arrays = [read_tensor(tmp_path / "x.dat") for _ in range(400)]
        another = os.dup(0)
        os.close(another)
        assert another < 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert all(array.sum() == 0 for array in arrays)


@given(st.binary(max_size=300), st.integers(0, 127), st.integers(0, 255))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_read_or_raise_a_storage_error(noise, position, value):
    good = bytearray(through_bytes(np.arange(12, dtype="i2").reshape(3, 4), bits=12)[1])
    good[position] = value
    for content in (noise, b"N\xef\x01\x00" + noise, bytes(good), bytes(good) + noise):
        try:
            stored = open_tensor(Blob("x.dat", content, content, 0, len(content)))
        except StorageError as error:
            problem = error
        else:
            assert stored.data.nbytes < 1 << 20
            continue
        assert all(d.file == "x.dat" for d in problem.diagnostics)
