"""Tensor files of the NNEF Tools of 2018, whose header has 132 bytes."""

import numpy as np
import pytest

import nnefkit as nk

GRAPH = (
    "version 1.0; graph net( x ) -> ( y ) { x = external(shape = [1, 3]);"
    " w = variable(shape = [1, 3], label = 'w'); v = variable(shape = [1, 3], label = 'v');"
    " y = x + w + v; }"
).replace("version 1.0;", "version 1.0; extension KHR_enable_operator_expressions;")


def lengthened(path):
    content = path.read_bytes()
    path.write_bytes(content[:128] + bytes(4) + content[128:])


@pytest.fixture
def model(tmp_path):
    values = {"w": np.float32([[1, 2, 3]]), "v": np.float32([[4, 5, 6]])}
    nk.save(nk.parse(GRAPH).with_data(values), tmp_path / "model")
    lengthened(tmp_path / "model/w.dat")
    lengthened(tmp_path / "model/v.dat")
    return tmp_path / "model"


def test_load_warns_and_reads_the_values(model, tmp_path):
    with pytest.warns(UserWarning, match=r"w\.dat and 1 other file with a header of 132") as caught:
        graph = nk.load(model)
    assert [warning.filename for warning in caught] == [__file__]
    assert graph.tensors["w"].data.tolist() == [[1, 2, 3]]
    assert nk.run(graph, {"x": np.zeros((1, 3), np.float32)})["y"].tolist() == [[5, 7, 9]]
    assert {d.code for d in nk.validate(model).warnings} == {"long-header"}
    nk.save(graph, tmp_path / "again")
    assert (tmp_path / "again/w.dat").stat().st_size == 128 + 12
    assert nk.load(tmp_path / "again").tensors["v"].data.tolist() == [[4, 5, 6]]


@pytest.mark.parametrize("dtype", ["float16", "float64", "uint8", "int16", "int64"])
def test_read_tensor_warns_and_reads_items_of_any_width(tmp_path, dtype):
    values = np.arange(5).astype(dtype)
    nk.write_tensor(tmp_path / "x.dat", values)
    lengthened(tmp_path / "x.dat")
    with pytest.warns(UserWarning, match="132 bytes"):
        read = nk.read_tensor(tmp_path / "x.dat")
    assert read.dtype == values.dtype
    assert read.tolist() == values.tolist()


@pytest.mark.parametrize("count", [1, 5, 40])
def test_bools_in_whole_bytes_are_refused(tmp_path, count):
    nk.write_tensor(tmp_path / "x.dat", np.ones(count, bool))
    header = (tmp_path / "x.dat").read_bytes()[:128]
    (tmp_path / "x.dat").write_bytes(header + bytes(4) + b"\1" * count)
    with pytest.raises(nk.StorageError, match="one bit, as the NNEF Tools of 2018"):
        nk.read_tensor(tmp_path / "x.dat")
