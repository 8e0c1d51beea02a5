"""The reference networks compute what MXNet recorded, node by node."""

import numpy as np
import pytest
from oracles.mxnet_references import (
    ARCHIVE,
    differences,
    graph,
    index,
    member,
    params,
    recorded,
    symbol,
)

import nnefkit as nk
from nnefkit.exchange.mxnet.ndarray_file import SparseArray, read_arrays

DIGITS = ARCHIVE.parents[1] / "digits_images.npz"


@pytest.mark.parametrize("name", index())
def test_a_reference_network_is_read_right(name):
    found, known = differences(name), recorded(f"{name}/{name}.npz")
    assert {key for key in known if key.startswith("outputs/")} <= found.keys()
    assert max(found.values()) <= 1e-6, found
    # Nodes that change nothing have no tensor, nor have those whose shape alone is read.
    assert len(found) >= len([key for key in known if not key.startswith("inputs/")]) - 3


def test_files_of_all_versions_are_the_same_network():
    old, new = graph("digits_old"), graph("digits")
    assert str(old).partition("{")[2] == str(new).partition("{")[2]
    assert "version" not in old.provenance
    assert new.provenance["version"] == "1.9.1"


def test_a_network_is_valid_for_other_batches():
    read = nk.from_mxnet(
        symbol("digits"), params("digits"), {"data": (3, 1, 8, 8)}, verify=False, progress=False
    )
    x = np.random.default_rng(0).uniform(0, 1, (3, 1, 8, 8)).astype(np.float32)
    rows = [nk.run(graph("digits"), {"data": x[i : i + 1]})["softmax_output"] for i in range(3)]
    found = nk.run(read, {"data": x})["softmax_output"]
    np.testing.assert_allclose(found, np.concatenate(rows), atol=1e-6)


def test_arrays_without_names_are_read():
    arrays, names = read_arrays(member("ndarrays/unnamed.params"), "")
    expected = recorded("ndarrays/unnamed.npz")
    assert names == []
    assert len(arrays) == len(expected)
    for array, (_, other) in zip(arrays, sorted(expected.items()), strict=True):
        assert array.dtype == other.dtype
        np.testing.assert_array_equal(array, other)


def test_arrays_under_the_shapes_of_numpy_are_read():
    arrays, names = read_arrays(member("ndarrays/np_shape.params"), "")
    assert names == ["arg:scalar", "arg:w"]
    assert [array.shape for array in arrays] == [(), (1, 2)]


def test_sparse_arrays_are_passed_over():
    arrays, names = read_arrays(member("ndarrays/sparse.params"), "")
    assert names == ["arg:csr", "arg:rows"]
    assert all(isinstance(array, SparseArray) for array in arrays)
    assert [array.storage for array in arrays] == ["csr", "row_sparse"]


def test_digits_are_told_apart_as_well_as_in_training():
    with np.load(DIGITS) as file:
        images, labels = file["images"], file["labels"]
    x = images[:, None].astype(np.float32) / 16
    graph_ = graph("digits").with_input_shapes(data=x.shape)
    found = nk.run(graph_, {"data": x}, progress=False)["softmax_output"]
    assert (found.argmax(1) == labels).mean() >= 0.94
