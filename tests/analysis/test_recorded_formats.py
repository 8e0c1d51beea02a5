"""Recorded runs in the formats of other programs, as their own libraries write them."""

import base64
import io
import json
import struct
import zipfile

import numpy as np
import pytest

from nnefkit import compare, write_tensor
from nnefkit.analysis.recordings import record
from nnefkit.errors import StorageError

DRAWN = np.random.default_rng(0)
ARRAYS = {
    "input": DRAWN.normal(size=(1, 3, 4, 4)).astype(np.float32),
    "half": DRAWN.normal(size=(2, 3)).astype(np.float16),
    "double": DRAWN.normal(size=(5,)),
    "scalar": np.float32(2.5),
    "empty": np.zeros((0, 3), np.float32),
    "bytes": np.array([-128, 127], np.int8),
    "unsigned": np.array([0, 255], np.uint8),
    "short": np.array([-5, 6], np.int16),
    "words": np.array([0, 65535], np.uint16),
    "int": np.array([[-(2**31), 2**31 - 1]], np.int32),
    "long": np.array([-(2**63), 2**63 - 1], np.int64),
    "unsigned_long": np.array([0, 2**64 - 1], np.uint64),
    "flags": np.array([[True], [False]]),
}


def assert_recorded(path, arrays=ARRAYS):
    found = record(path)
    assert set(found) == set(arrays)
    for name, expected in arrays.items():
        array = np.asarray(found[name])
        assert array.dtype == expected.dtype, name
        np.testing.assert_array_equal(array, expected, strict=True)
    assert compare(path, arrays).equal


def test_safetensors_files_are_read_as_their_library_writes_them(tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "run.safetensors"
    library.save_file({k: np.asarray(v) for k, v in ARRAYS.items()}, path, {"made": "here"})
    assert_recorded(path)


def test_bfloat16_is_read_as_float32(tmp_path):
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("safetensors.torch")
    values = torch.tensor([1.0, -2.5, float("inf"), 3.14159]).to(torch.bfloat16)
    library.save_file({"x": values}, tmp_path / "run.safetensors")
    np.testing.assert_array_equal(
        record(tmp_path / "run.safetensors")["x"], values.to(torch.float32).numpy(), strict=True
    )


def test_tensors_of_onnx_are_read_from_bytes_and_from_fields(tmp_path):
    onnx = pytest.importorskip("onnx")
    for name, array in ARRAYS.items():
        proto = onnx.numpy_helper.from_array(np.asarray(array), name)
        (tmp_path / f"output_{name}.pb").write_bytes(proto.SerializeToString())
    assert_recorded(tmp_path)
    fields = tmp_path / "fields"
    fields.mkdir()
    for name, array in ARRAYS.items():
        kind = onnx.helper.np_dtype_to_tensor_dtype(np.asarray(array).dtype)
        proto = onnx.helper.make_tensor("", kind, array.shape, np.asarray(array).ravel().tolist())
        assert not proto.HasField("raw_data")
        # A tensor without a name is called like its file.
        (fields / f"{name}.tensorproto").write_bytes(proto.SerializeToString())
    assert_recorded(fields)
    assert_recorded(fields / "long.tensorproto", {"long": ARRAYS["long"]})


def test_many_integers_of_all_lengths_are_read_from_fields(tmp_path):
    onnx = pytest.importorskip("onnx")
    chance = np.random.default_rng(1)
    integers = chance.integers(-(2**63), 2**63, 300_000) >> chance.integers(0, 64, 300_000)
    proto = onnx.helper.make_tensor("x", onnx.TensorProto.INT64, integers.shape, integers)
    # More than what is read at a time.
    assert proto.ByteSize() > 1 << 20
    (tmp_path / "x.pb").write_bytes(proto.SerializeToString())
    np.testing.assert_array_equal(record(tmp_path / "x.pb")["x"], integers, strict=True)


def test_elements_that_are_stored_one_by_one_are_read(tmp_path):
    head = b"\x08\x02\x10"
    for data, expected in (
        (b"\x07\x38\x03\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", np.array([3, -1])),
        (b"\x01\x25\0\0\x80\x3f\x25\0\0\0\xc0", np.float32([1, -2])),
        (b"\x0b\x51" + struct.pack("<d", 0.1) + b"\x51" + bytes(8), np.array([0.1, 0])),
    ):
        (tmp_path / "x.pb").write_bytes(head + data)
        np.testing.assert_array_equal(record(tmp_path / "x.pb")["x"], expected, strict=True)


def test_bfloat16_of_onnx_is_read_as_float32(tmp_path):
    onnx = pytest.importorskip("onnx")
    values = [1.0, -2.5, 0.15625]
    proto = onnx.helper.make_tensor("x", onnx.TensorProto.BFLOAT16, [3], values)
    (tmp_path / "x.pb").write_bytes(proto.SerializeToString())
    np.testing.assert_array_equal(record(tmp_path / "x.pb")["x"], np.float32(values), strict=True)


def encoded(array):
    """Return an array as Polygraphy encodes it: its .npy file in base64."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    text = base64.b64encode(buffer.getvalue()).decode()
    return {"array": text, "polygraphy_class": "ndarray"}


def results(*runners, iterations=1):
    outputs = {
        name: {"values": encoded(array), "polygraphy_class": "LazyArray"}
        for name, array in ARRAYS.items()
    }
    iteration = {"outputs": outputs, "runtime": 0.1, "runner_name": "r"}
    iteration["polygraphy_class"] = "IterationResult"
    return {
        "lst": [[runner, [iteration] * iterations] for runner in runners],
        "polygraphy_class": "RunResults",
    }


def test_results_and_inputs_of_polygraphy_are_read(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results("trt-runner")))
    assert_recorded(path)
    path.write_text(json.dumps([{name: encoded(array) for name, array in ARRAYS.items()}]))
    assert_recorded(path)


def test_results_of_several_runners_and_iterations_are_all_named(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results("trt", "onnxrt", iterations=2)))
    expected = {
        f"{runner}/{i}/{name}": array
        for runner in ("trt", "onnxrt")
        for i in (0, 1)
        for name, array in ARRAYS.items()
    }
    assert_recorded(path, expected)


def test_folders_mix_formats_but_refuse_two_files_of_one_tensor(tmp_path):
    write_tensor(tmp_path / "a.dat", ARRAYS["input"])
    np.save(tmp_path / "b.npy", ARRAYS["half"])
    assert_recorded(tmp_path, {"a": ARRAYS["input"], "b": ARRAYS["half"]})
    np.save(tmp_path / "a.npy", ARRAYS["half"])
    with pytest.raises(StorageError, match="two files of the tensor 'a'"):
        record(tmp_path)
    (tmp_path / "a.npy").unlink()
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        (tmp_path / run / "output.pb").write_bytes(b"\x10\x01\x42\x01y\x22\x04\0\0\0\0")
    with pytest.raises(StorageError, match="two files of the tensor 'y'") as caught:
        record(tmp_path)
    assert "pass the folder of one run" in caught.value.diagnostics[0].hint
    assert_recorded(tmp_path / "first", {"y": np.float32(0)})


def safetensors_bytes(header, data=b"\0" * 8, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\1\0",
        safetensors_bytes({}, length=2**63),
        safetensors_bytes({}, length=1 << 25),
        safetensors_bytes([]),
        safetensors_bytes(b"\xff\xff"),
        safetensors_bytes(b"[" * 100_000),
        safetensors_bytes({"x": 3}),
        safetensors_bytes({"x": entry(shape=(3,))}),
        safetensors_bytes({"x": entry(shape=(4,), offsets=(0, 16))}),
        safetensors_bytes({"x": entry(offsets=(8, 16))}),
        safetensors_bytes({"x": entry(offsets=(-8, 0))}),
        safetensors_bytes({"x": entry(offsets=(0, 8, 8))}),
        safetensors_bytes({"x": entry(shape=(2**61, 2**61))}),
        safetensors_bytes({"x": entry(shape=(-1, -2))}),
        safetensors_bytes({"x": entry(shape=(2.0,))}),
        safetensors_bytes({"x": entry(shape=(1,) * 65, offsets=(0, 4))}),
        safetensors_bytes({"x": entry("F8_E4M3", (8,))}),
        safetensors_bytes({"x": entry(["F32"])}),
        safetensors_bytes(b'{"x": {"dtype": "F32"}, "x": {"dtype": "F32"}}'),
    ],
    ids=lambda data: repr(data[8:60]),
)
def test_damaged_safetensors_files_are_refused(tmp_path, data):
    path = tmp_path / "run.safetensors"
    path.write_bytes(data)
    with pytest.raises(StorageError) as caught:
        compare(path, {"x": np.zeros(2, np.float32)})
    assert caught.value.diagnostics[0].file == str(path)


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",
        b"\x08\x02",
        b"\x08\x02\x10\x01\x4a\x04\0\0\0\0",
        b"\x08\x02\x10\x01\x4a\xff\xff\xff\xff\x0f",
        b"\x08\x02\x10\x01\x4a\x07" + bytes(7),
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x01",
        b"\x10\x08\x32\x01a",
        b"\x10\x01\x70\x01",
        b"\x10\x01\x42\x02\xff\xfe\x22\x04\0\0\0\0",
        b"\x08\x01" * 70 + b"\x10\x01\x22\x04\0\0\0\0",
        b"\x10\x07\x3a\x01\x80",
        b"\x10\x07\x3a\x0b" + b"\xff" * 11,
        b"\x10\x07\x3a\x0b" + b"\xff" * 10 + b"\1",
        # A model: its version, the name of what wrote it, and a graph.
        b"\x08\x08\x12\x07pytorch\x3a\x08" + b"\1" * 8,
        b"\x08\x01\x10\x01\x21" + bytes(8),
        b"\x08\x01\x10\x01\x4d" + bytes(4),
        b"\x0a\x80\x80\x04" + b"\1" * (1 << 16),
        b"\x18\0" * ((1 << 20) + 1),
        b"\x0f\x01",
        b"\x00\x01",
        b"\xff" * 12,
        b"not a tensor at all",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_damaged_tensors_of_onnx_are_refused(tmp_path, data):
    path = tmp_path / "x.pb"
    path.write_bytes(data)
    with pytest.raises(StorageError) as caught:
        compare(path, {"x": np.zeros(2, np.float32)})
    assert caught.value.diagnostics[0].file == str(path)


def zipped(name, data):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        # With a fixed date: workers have to give the tests the same names.
        archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED, 1)
    return {"array": base64.b64encode(buffer.getvalue()).decode()}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[[]]",
        "{}",
        '{"lst": 3}',
        '{"lst": [3]}',
        '{"lst": [["r", 3]]}',
        '{"lst": [["r", [{"outputs": 3}]]]}',
        '{"lst": [["r", [{"outputs": {"x": 3}}]]]}',
        '{"lst": [["r", [{"outputs": {"x": {"array": "!!"}}}]]]}',
        '{"lst": [["r", [{"outputs": {"x": {"values": {"array": "AAAA"}}}}]]]}',
        '{"lst": []}',
        "[" * 100_000,
        json.dumps([{"x": {"array": base64.b64encode(b"\x80\x04K\x01.").decode()}}]),
        json.dumps([{"x": zipped("data.pkl", b"ctorch")}]),
        json.dumps([{"x": zipped("x.npy", bytes((1 << 28) + 1))}]),
    ],
    ids=lambda text: text[:40],
)
def test_damaged_results_of_polygraphy_are_refused(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(StorageError) as caught:
        compare(path, {"x": np.zeros(2, np.float32)})
    assert caught.value.diagnostics[0].file == str(path)
