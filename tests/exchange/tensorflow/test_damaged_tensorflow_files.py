"""Damaged and hostile files end in an `NnefError`, before anything is run."""

import random
import shutil

import numpy as np
import pytest

pytest.importorskip("google.protobuf")

from oracles.tensorflow_graphs import Written
from oracles.tensorflow_references import path, source

import nnefkit as nk
from nnefkit.exchange.tensorflow.checksum import crc32c, masked_crc32c
from nnefkit.exchange.tensorflow.sorted_table import table_entries

SHAPES = {"image": (1, 11, 8, 4)}
FOLDER = path("networks/tf1_zoo/checkpoint/model.ckpt.meta").parent


def read(data, **options):
    return nk.from_tensorflow(data, verify=False, progress=False, **options)


@pytest.mark.parametrize("data", [b"", b"\xff" * 40, b"TFL3" * 9, b"\x0a\xff\xff\xff\xff\x0f"])
def test_other_files_are_not_models(data, tmp_path):
    with pytest.raises(nk.NnefError, match="the file is not a"):
        read(data)
    file = tmp_path / "m.meta"
    file.write_bytes(data)
    with pytest.raises(nk.NnefError, match="the file is not a"):
        read(file)
    (tmp_path / "saved_model.pb").write_bytes(data)
    with pytest.raises(nk.NnefError):
        read(tmp_path)


def test_missing_files_and_wrong_types_are_reported(tmp_path):
    for name in ("missing.pb", "missing.meta", "saved_model.pb", "a\0b.pb"):
        with pytest.raises(nk.NnefError):
            read(tmp_path / name)
    with pytest.raises(nk.InputError, match="it has no saved_model"):
        read(tmp_path)
    with pytest.raises(nk.InputError, match="must be a path or bytes, not int"):
        read(7)


def test_text_that_is_not_a_graph_is_refused_with_its_place(tmp_path):
    file = tmp_path / "g.pbtxt"
    file.write_text('node { name: "x" op: }')
    with pytest.raises(nk.StorageError, match="not the text of a valid GraphDef: 1:22"):
        read(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(nk.StorageError, match="not text"):
        read(file)


def test_circles_missing_nodes_and_repeated_names_are_refused():
    written = Written()
    written.input("x", (2, 3))
    written.add("a", "Relu", "b")
    written.add("b", "Relu", "a")
    with pytest.raises(nk.DocumentError, match="depends on itself"):
        read(written.bytes(), outputs=["b"])
    written.add("c", "Relu", "nowhere")
    with pytest.raises(nk.DocumentError, match="has no node 'nowhere'"):
        read(written.bytes(), outputs=["c"])
    written.add("d", "Relu", "x:3")
    with pytest.raises(nk.DocumentError, match="has no output 3"):
        read(written.bytes(), outputs=["d"])
    written.add("d", "Relu", "x")
    with pytest.raises(nk.StorageError, match="several nodes or functions of one name"):
        read(written.bytes())


def test_long_chains_are_read_without_recursion():
    written = Written()
    written.input("x", (2, 3))
    last = "x"
    for number in range(3000):
        last = written.add(f"n{number}", "Identity", last)
    written.add("y", "Relu", last, T=np.dtype(np.float32))
    assert read(written.bytes()).operations[-1].name == "relu"


def test_huge_constants_and_inputs_are_refused():
    written = Written()
    written.input("x", (2, 3))
    node = written.graph.node.add(name="w", op="Const")
    node.attr["value"].tensor.dtype = 1
    for _ in range(3):
        node.attr["value"].tensor.tensor_shape.dim.add().size = 1 << 20
    written.add("y", "Add", "x", "w")
    with pytest.raises(nk.DocumentError, match="it computes a constant of"):
        read(written.bytes())
    written = Written()
    written.input("x", (1 << 30, 1 << 20))
    written.add("y", "Relu", "x")
    with pytest.raises(nk.DocumentError, match="elements"):
        read(written.bytes())


def test_changed_bytes_never_end_in_another_error():
    chance = random.Random(0)
    data = source("operators/strided_slice_ellipsis.pb")
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 4))):
            at = chance.randrange(len(changed))
            changed[at] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        try:
            read(bytes(changed))
        except nk.NnefError as error:
            assert error.diagnostics  # noqa: PT017


# -- checkpoints -----------------------------------------------------------------------------------


def test_the_checksum_is_that_of_the_standard():
    assert crc32c(b"123456789") == 0xE3069283
    data = random.Random(0).randbytes(5000)
    assert crc32c(data) == crc32c(memoryview(data))
    # Of many bytes in rows as of few, one after the other.
    assert masked_crc32c(bytes(700)) != masked_crc32c(bytes(701))


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(FOLDER, folder)
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder / "model.ckpt"


def test_a_changed_element_is_noticed_by_its_checksum(checkpoint):
    file = checkpoint.with_name("model.ckpt.data-00000-of-00001")
    data = bytearray(file.read_bytes())
    data[5] ^= 1
    file.write_bytes(data)
    with pytest.raises(nk.StorageError, match="the checksum of the variable 'b2' is wrong"):
        read(f"{checkpoint}.meta", outputs=["elu"], input_shapes=SHAPES)


@pytest.mark.parametrize("size", [0, 10, 40, 47, 100, 300])
def test_a_cut_index_is_refused(checkpoint, size):
    file = checkpoint.with_name("model.ckpt.index")
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(nk.StorageError, match="the index of the checkpoint is damaged"):
        read(f"{checkpoint}.meta", outputs=["elu"], input_shapes=SHAPES)


def test_missing_and_short_shards_are_refused(checkpoint):
    file = checkpoint.with_name("model.ckpt.data-00000-of-00001")
    file.write_bytes(file.read_bytes()[:9])
    with pytest.raises(nk.StorageError, match="is too short"):
        read(f"{checkpoint}.meta", outputs=["elu"], input_shapes=SHAPES)
    file.unlink()
    with pytest.raises(nk.StorageError, match="no such file"):
        read(f"{checkpoint}.meta", outputs=["elu"], input_shapes=SHAPES)


def test_every_changed_byte_of_an_index_is_noticed():
    data = (FOLDER / "model.ckpt.index").read_bytes()
    whole = table_entries(data)
    for at in range(0, len(data), 3):
        changed = bytearray(data)
        changed[at] ^= 0x41
        try:
            assert table_entries(bytes(changed)) == whole  # padding of the footer
        except nk.StorageError:
            continue
