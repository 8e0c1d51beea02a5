"""Tensor files that the reader refuses, and those that it warns about (5.2)."""

import os
import struct

import numpy as np
import pytest

from nnefkit.errors import StorageError
from nnefkit.storage import read_tensor
from nnefkit.storage.blob import Blob, open_blob
from nnefkit.storage.tensor_file import open_tensor

DATA = np.arange(6, dtype=np.float32).tobytes()


def tensor_file(
    magic=b"N\xef",
    version=(1, 0),
    length=24,
    rank=2,
    extents=(2, 3),
    bits=32,
    item=0,
    parameters=b"",
    reserved=b"",
    data=DATA,
):
    extents = tuple(extents) + (0,) * (8 - len(extents))
    return (
        struct.pack("<2sBBII8III", magic, *version, length, rank, *extents, bits, item)
        + parameters.ljust(32, b"\0")
        + reserved.ljust(44, b"\0")
        + data
    )


def test_the_file_that_the_others_are_made_from_is_good(tmp_path):
    (tmp_path / "x.dat").write_bytes(tensor_file())
    assert read_tensor(tmp_path / "x.dat").tolist() == [[0, 1, 2], [3, 4, 5]]


REFUSED = {
    "empty": (b"", "is empty"),
    "garbage": (b"garbage" * 40, "is not a tensor file"),
    "half a magic number": (b"N", "is not a tensor file"),
    "bad magic": (tensor_file(magic=b"NN"), "4e 4e"),
    "big-endian magic": (tensor_file(magic=b"\xefN"), "is not a tensor file"),
    "version 0": (tensor_file(version=(0, 9)), "version 0.9"),
    "version 2": (tensor_file(version=(2, 0)), "version 2.0"),
    "truncated header": (tensor_file()[:100], "has 100 bytes"),
    "no data": (tensor_file(data=b""), "ends after 0 of its 24 bytes"),
    "truncated data": (tensor_file(data=DATA[:-1]), "ends after 23 of its 24 bytes"),
    "length too short": (tensor_file(length=20), "data length of 20 bytes.*needs 24"),
    "length too long": (tensor_file(length=28, data=DATA + DATA), "data length of 28 bytes"),
    "length all ones": (tensor_file(length=2**32 - 1), "data length of 4,294,967,295 bytes"),
    "rank 9": (tensor_file(rank=9), "rank 9; at most 8 is allowed"),
    "rank all ones": (tensor_file(rank=2**32 - 1), "rank 4294967295"),
    "extent 0": (tensor_file(extents=(2, 0), length=0, data=b""), "not all positive"),
    "volume overflows 32 bits": (
        tensor_file(extents=(2**16, 2**16), length=0, data=b""),
        "more than a tensor file can hold",
    ),
    "volume overflows 64 bits": (
        tensor_file(rank=8, extents=(2**32 - 1,) * 8),
        "more than a tensor file can hold",
    ),
    "bits 0": (tensor_file(bits=0), "cannot have 0 bits"),
    "float of 8 bits": (tensor_file(bits=8, length=6), "float items cannot have 8 bits"),
    "float of 33 bits": (tensor_file(bits=33, length=25), "cannot have 33 bits"),
    "integer of 65 bits": (tensor_file(bits=65, item=4), "cannot have 65 bits, only 1 to 64"),
    "integer of 2**31 bits": (tensor_file(bits=2**31, item=1), "cannot have 2147483648 bits"),
    "bool of 2 bits": (tensor_file(bits=2, item=5), "bool items cannot have 2 bits"),
    "unknown item-type": (tensor_file(item=6), "item type 6 does not exist"),
    "item type of a vendor": (tensor_file(item=0x5254_0001), "belongs to vendor 0x5254"),
    "vendor and item type swapped": (tensor_file(item=4 << 16), "belongs to vendor 0x0004"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path, name):
    content, message = REFUSED[name]
    path = tmp_path / "x.dat"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=message) as caught:
        read_tensor(path)
    assert {d.file for d in caught.value.diagnostics} == {str(path)}
    assert {d.section for d in caught.value.diagnostics} == {"5.2"}


def test_all_problems_of_a_header_are_reported_at_once():
    content = tensor_file(rank=9, bits=7, item=77)
    with pytest.raises(StorageError) as caught:
        open_tensor(Blob("x.dat", content, content, 0, len(content)))
    assert [d.code for d in caught.value.diagnostics] == ["invalid-rank", "unknown-item-type"]


WARNED = {
    "newer minor version": (tensor_file(version=(1, 1)), "unknown-version"),
    "trailing bytes": (tensor_file(data=DATA + b"junk!"), "trailing-bytes"),
    "header of 132 bytes": (tensor_file(data=bytes(4) + DATA), "long-header"),
    "reserved bytes": (tensor_file(reserved=b"\1"), "reserved-bytes"),
    "last reserved byte": (tensor_file(reserved=bytes(43) + b"\1"), "reserved-bytes"),
    "extents beyond the rank": (tensor_file(extents=(2, 3, 1)), "reserved-bytes"),
    "parameters of floats": (tensor_file(parameters=b"\1"), "reserved-bytes"),
    "quantization range": (
        tensor_file(item=2, bits=32, parameters=struct.pack("<ff", 0.0, 1.0)),
        "deprecated-parameters",
    ),
    "signed by a parameter": (tensor_file(item=1, parameters=b"\1"), "deprecated-parameters"),
}


@pytest.mark.parametrize("name", WARNED)
def test_read_with_a_warning(name):
    content, code = WARNED[name]
    stored = open_tensor(Blob("x.dat", content, content, 0, len(content)))
    assert [(d.severity, d.code, d.file) for d in stored.warnings] == [("warning", code, "x.dat")]
    assert stored.data.tobytes() == DATA


def test_the_deprecated_parameter_makes_integers_signed():
    minus_one = np.full(6, -1, np.int32).tobytes()
    content = tensor_file(item=1, parameters=b"\1", data=minus_one)
    stored = open_tensor(Blob("x.dat", content, content, 0, len(content)))
    assert stored.data.dtype == np.int32
    assert (stored.data == -1).all()


def provisional(offset=None, rank=2, extents=(2, 3), code=0, bits=32, text=b"", data=DATA):
    end = 12 + 4 * rank + 4
    return (
        struct.pack("<2sBBII", b"N\xef", 1, 0, end + len(text) if offset is None else offset, rank)
        + struct.pack(f"<{len(extents)}IBBH", *extents, code, bits, len(text))
        + text
        + data
    )


def test_the_header_of_the_provisional_specification_is_read():
    content = provisional()
    stored = open_tensor(Blob("x.dat", content, content, 0, len(content)))
    assert stored.data.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert [(d.severity, d.code) for d in stored.warnings] == [("note", "provisional-tensor-file")]


def test_a_large_file_of_the_provisional_specification_is_read(tmp_path):
    array = np.random.default_rng(0).normal(size=(50, 60)).astype(np.float32)
    path = tmp_path / "x.dat"
    path.write_bytes(provisional(extents=(50, 60), data=array.tobytes()))
    assert np.array_equal(read_tensor(path), array)


def test_a_provisional_file_carries_its_own_quantization(tmp_path):
    text = b"linear_quantize(min = -1.0, max = 1.0, bits = 8)"
    path = tmp_path / "x.dat"
    path.write_bytes(
        provisional(code=1, bits=8, text=text, data=bytes([0, 51, 102, 153, 204, 255]))
    )
    decoded = read_tensor(path, dequantize=True)
    assert np.allclose(decoded, [[-1.0, -0.6, -0.2], [0.2, 0.6, 1.0]])


@pytest.mark.parametrize(
    "content",
    [
        provisional(offset=23),
        provisional(offset=2**31),
        provisional(rank=9, extents=(1,) * 9),
        provisional(code=7),
        provisional(bits=31),
        provisional(extents=(2, 0), data=b""),
        provisional(data=DATA[:-1]),
        provisional(data=DATA + b"x"),
    ],
)
def test_a_provisional_header_that_contradicts_itself_is_refused(content):
    with pytest.raises(StorageError):
        open_tensor(Blob("x.dat", content, content, 0, len(content)))


def test_files_that_are_not_regular_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.dat")
    for path, message in [
        (tmp_path / "pipe.dat", "a pipe or a device"),
        ("/dev/zero", "a pipe or a device"),
        (tmp_path, "a folder, not a file"),
        (tmp_path / "nothing.dat", "no such file"),
    ]:
        with pytest.raises(StorageError, match=message) as caught:
            read_tensor(path)
        assert caught.value.diagnostics[0].file == str(path)


def test_a_file_with_a_false_size_is_not_read_into_memory(tmp_path):
    # A sparse file with a proper header: opening it must not touch its 3 GB.
    path = tmp_path / "x.dat"
    count = 3 << 30
    with path.open("wb") as file:
        file.write(tensor_file(length=count, rank=1, extents=(count,), bits=8, item=1, data=b""))
        file.truncate(128 + count)
    blob = open_blob(str(path))
    assert open_tensor(blob).data.shape == (count,)
