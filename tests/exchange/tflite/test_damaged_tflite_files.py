"""Damaged and hostile files end in an `NnefError`, before anything is run."""

import random
import struct

import pytest

pytest.importorskip("tflite")

from oracles.tflite_references import model

import nnefkit as nk


def read(data):
    return nk.from_tflite(data, verify=False, progress=False)


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\x18\0\0\0TFL4" + bytes(40), b"PK\x03\x04" * 9])
def test_other_files_are_not_models(data):
    with pytest.raises(nk.InputError, match="the bytes are not a TFLite model"):
        read(data)


def test_a_missing_file_and_a_wrong_type_are_reported(tmp_path):
    with pytest.raises(nk.StorageError):
        read(tmp_path / "missing.tflite")
    with pytest.raises(nk.InputError, match="must be a path or bytes, not int"):
        read(7)


def test_every_prefix_of_a_file_is_refused():
    data = model("written/prelu")
    for length in range(8, len(data) - 4, 7):
        with pytest.raises(nk.NnefError):
            read(data[:length])


def test_changed_bytes_never_end_in_another_error():
    chance = random.Random(0)
    data = model("written/lstm_sequence")
    for _ in range(100):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 4))):
            at = chance.randrange(4, len(changed))
            changed[at] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        try:
            read(bytes(changed))
        except nk.NnefError as error:
            assert error.diagnostics  # noqa: PT017


def test_an_offset_outside_of_the_file_is_named():
    data = bytearray(model("written/prelu"))
    data[:4] = struct.pack("<I", 2**31)
    with pytest.raises(nk.StorageError, match="is damaged: a table is at"):
        read(bytes(data))


def test_parts_that_refer_to_each_other_many_times_are_refused():
    """A file of 80 KB whose 10,000 graphs are one graph of 10,000 operators."""
    count = 10_000
    # From the end, as offsets are positive: the operator, the graph, the model.
    operator = struct.pack("<HHi", 4, 4, 4)
    many = struct.pack("<I", count)
    operators = many + b"".join(struct.pack("<I", 4 * (count - n) + 4) for n in range(count))
    graph = struct.pack("<HHHHHHiI", 12, 8, 0, 0, 0, 4, 12, 4)
    graphs = many + b"".join(struct.pack("<I", 4 * (count - n) + 12) for n in range(count))
    codes = struct.pack("<IIHHi", 1, 8, 4, 4, 4)
    root = struct.pack("<HHHHHxxiII", 10, 12, 0, 4, 8, 12, 8, 20)
    start = struct.pack("<I4s", 8 + 12, b"TFL3")
    data = start + root + codes + graphs + graph + operators + operator
    with pytest.raises(nk.StorageError, match="more often than the file has room for"):
        read(data)
