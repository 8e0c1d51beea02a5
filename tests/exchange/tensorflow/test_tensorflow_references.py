"""The reference models compute what TensorFlow recorded, or are refused for a known reason."""

import re

import numpy as np
import pytest
from oracles.tensorflow_references import graph, kind, names, path, results, verdict
from packaged import packaged

import nnefkit as nk

pytest.importorskip("google.protobuf")

REFUSED = {
    "operators/where_index.pb": "its condition .* must be constant",
    # The text of a graph that is not frozen, without its checkpoint.
    "networks/tf1_layers/graph.pbtxt": "the value of the variable 'c1/kernel' is not in the file",
}
"""Models that cannot be read."""
CONVOLUTIONAL = ("digits", "mobile_block", "tf1_layers", "tf1_lenet", "zoo_pool")


@pytest.mark.parametrize("name", names())
def test_a_reference_model_is_read_right(name):
    found = verdict(name)
    if name in REFUSED:
        assert found.result == "refused"
        assert re.search(REFUSED[name], found.reason)
    else:
        assert found.result == "equal", found


@pytest.mark.parametrize(
    "name",
    [
        *(n for n in names() if n.startswith("operators/nchw_")),
        *(n for n in names() if n.split("/")[1] in CONVOLUTIONAL and kind(n) == "frozen graph"),
    ],
)
def test_convolutional_networks_have_no_transpositions_inside(name):
    read = graph(name, layout="nnef")
    assert not [op for op in read.operations if op.name == "transpose"]
    for array, expected in results(name, graph(name)):
        np.testing.assert_allclose(array, expected, rtol=1e-4, atol=1e-5)


def test_the_ways_in_give_one_set_of_numbers():
    ways = [n for n in names() if n.startswith("networks/tf1_zoo/")]
    assert {kind(n) for n in ways} == {"frozen graph", "SavedModel", "MetaGraph"}
    image = np.random.default_rng(0).uniform(-1, 1, (1, 11, 8, 4)).astype(np.float32)
    first, *others = [nk.run(graph(way), {"image": image}) for way in ways]
    for other in others:
        for name, array in first.items():
            np.testing.assert_array_equal(array, other[name])


@pytest.mark.slow
def test_a_music_network_has_the_numbers_of_its_other_file():
    folder = "basic_pitch/saved_models/icassp_2022"
    shapes = {"input_2": (1, 43844, 1)}
    file = packaged("basic-pitch", f"{folder}/nmp/saved_model.pb")
    read = nk.from_tensorflow(file.parent, input_shapes=shapes, verify=False, progress=False)
    pytest.importorskip("tflite")
    lite = nk.from_tflite(
        packaged("basic-pitch", f"{folder}/nmp.tflite"), shapes, verify=False, progress=False
    )
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 43844, 1)).astype(np.float32)
    expected = nk.run(lite, {"input_2": sound})
    for name, array in nk.run(read, {"input_2": sound}).items():
        np.testing.assert_allclose(array, expected[name], atol=1e-5)


def test_a_saved_model_is_found_by_its_file_too():
    folder = path("networks/digits/savedmodel_tf/saved_model.pb")
    read = nk.from_tensorflow(folder / "saved_model.pb", verify=False)
    assert str(read) == str(nk.from_tensorflow(folder, verify=False))
    assert read.inputs == ("inputs",)
    assert read.outputs == ("output_0",)
