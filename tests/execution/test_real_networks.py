"""Trained networks compute the numbers that were recorded in their source frameworks."""

from pathlib import Path

import numpy as np
import pytest

from nnefkit import io
from nnefkit.execution import Session, run, step, trace

MODELS = Path(__file__).parent.parent / "models"


@pytest.fixture(scope="module")
def efficientnet():
    folder = MODELS / "efficientnet_lite0"
    return io.load(folder / "efficientnet_lite0.nnef.tgz"), np.load(folder / "io.npz")


@pytest.fixture(scope="module")
def blazeface():
    folder = MODELS / "blazeface_front"
    return io.load(folder / "blazeface_front.nnef"), np.load(folder / "io.npz")


@pytest.mark.parametrize(("photo", "winner"), [("cat", 285), ("coffee", 967)])
def test_efficientnet_classifies_photos_as_pytorch_does(efficientnet, photo, winner):
    graph, recorded = efficientnet
    logits = run(graph, {"external1": recorded[f"{photo}_external1"]})["linear1"]
    assert logits.argmax() == winner
    np.testing.assert_allclose(logits, recorded[f"{photo}_linear1"], rtol=0, atol=1e-4)


def test_a_trace_of_efficientnet_has_the_same_bits_as_a_run(efficientnet):
    graph, recorded = efficientnet
    photo = recorded["cat_external1"]
    session = Session(graph)
    traced = session.trace(photo)
    np.testing.assert_array_equal(traced["linear1"], session.run(photo)["linear1"])
    some = ["clamp5", "conv23", "add4", "conv47", "mean_reduce1"]
    for name, array in session.run(photo, outputs=some).items():
        np.testing.assert_array_equal(traced[name], array)


def test_every_tensor_of_efficientnet_equals_that_of_the_reference_kernels(efficientnet):
    graph, recorded = efficientnet
    traced = trace(graph, recorded["coffee_external1"])
    for one in step(graph, recorded["coffee_external1"]):
        for name, array in one.outputs.items():
            scale = np.abs(array).max()
            np.testing.assert_allclose(traced[name], array, rtol=0, atol=2e-5 * scale, err_msg=name)


def test_a_batch_of_photos_has_the_results_of_each_photo(efficientnet):
    graph, recorded = efficientnet
    photos = np.concatenate([recorded["cat_external1"], recorded["coffee_external1"]])
    from nnefkit.operations.shape_inference import infer_shapes

    logits = run(infer_shapes(graph, external1=photos.shape), photos)["linear1"]
    expected = np.concatenate([recorded["cat_linear1"], recorded["coffee_linear1"]])
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)


def test_blazeface_finds_the_face_as_litert_does_through_run_and_trace(blazeface):
    graph, recorded = blazeface
    results = run(graph, {"external1": recorded["external1"]})
    traced = trace(graph, {"external1": recorded["external1"]})
    assert list(results) == ["concat2", "concat1"]
    for name in results:
        np.testing.assert_allclose(results[name], recorded[name], rtol=0, atol=2e-3)
        np.testing.assert_allclose(traced[name], recorded[name], rtol=0, atol=2e-3)
    assert (results["concat1"] > 0).sum() == 10


def test_a_trace_has_every_tensor_that_flows_including_folded_ones(blazeface):
    graph, recorded = blazeface
    traced = trace(graph, recorded["external1"])
    weights = {op.output_names[0] for op in graph.operations if op.name in ("variable", "constant")}
    assert list(traced) == [name for name in graph.tensors if name not in weights]
    np.testing.assert_array_equal(
        traced["transpose2"], np.transpose(graph.tensors["variable1"].data, (0, 3, 1, 2))
    )
    for name, array in traced.items():
        assert array.shape == graph.tensors[name].shape, name
