"""Trained networks from packages: read, verified, run in several engines, written, read again."""

from __future__ import annotations

import nnef
import numpy as np
import onnx
import onnxruntime
import pytest
from packaged import packaged
from PIL import Image, ImageDraw, ImageFont
from sampled import sampled

import nnefkit as nk

ENGINES = ["numpy", "onnxruntime", "torch"]
PITCH = "basic_pitch/saved_models/icassp_2022/nmp.onnx"
SPEECH = "silero_vad/data/"
ANGLE = "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"


def in_runtime(model, feeds):
    """Return the results of ONNX Runtime for a file or a ModelProto."""
    source = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds), strict=True))


def assert_close(actual, expected, tolerance):
    assert [array.shape for array in actual] == [array.shape for array in expected]
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


def assert_written_correctly(graph, folder):
    """Check that the saved graph is valid and that both parsers read it without loss."""
    nk.save(graph, folder)
    report = nk.validate(folder)
    assert report.ok
    assert report.warnings == ()
    fragments = [text.split("(")[0].split()[1] for text in graph.declarations]
    theirs = nnef.load_graph(str(folder), lowered=fragments)
    nnef.infer_shapes(theirs)
    for name in graph.outputs:
        assert tuple(theirs.tensors[name].shape) == graph.tensors[name].shape
    again = nk.load(folder)
    # Calls of fragments are expanded when a document is read.
    assert str(again) == str(nk.parse(str(graph)))
    for tensor in graph.variables:
        np.testing.assert_array_equal(again.tensors[tensor.name].data, tensor.data)


# -- basic-pitch: notes in a recording ------------------------------------------------------------


@pytest.fixture(scope="module")
def chord():
    """Return a C major chord of decaying partials, as the network takes sounds."""
    time = np.arange(43844) / 22050
    sound = sum(
        np.exp(-3 * time) * np.sin(2 * np.pi * partial * pitch * time) / partial
        for pitch in (261.63, 329.63, 392.0)
        for partial in (1, 2, 3)
    )
    return (0.2 * sound).astype(np.float32)[None, :, None]


@pytest.fixture(scope="module")
def pitch(chord):
    path = packaged("basic-pitch", PITCH)
    name = "serving_default_input_2:0"
    return path, nk.from_onnx(path, {name: (1, 43844, 1)}, inputs={name: chord})


def test_the_pitch_network_is_verified_and_hears_the_chord(pitch, chord):
    _, graph = pitch
    proof = graph.provenance
    assert proof["verified"] is True
    assert proof["largest_difference"] <= proof["tolerance"] == 1e-4
    outputs = nk.run(graph, chord)
    notes = outputs["StatefulPartitionedCall_1"][0]
    assert notes.shape == (172, 88)
    # Keys of the piano, the first of which is A0: C4, E4 and G4.
    assert set(np.argsort(notes[20:60].mean(0))[-3:]) == {39, 43, 46}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_pitch_network_computes_what_onnx_runtime_computes(pitch, chord, engine):
    """The logarithms of its quiet bands amplify rounding, in ONNX Runtime too: 4e-4 in float32.

    Engines may differ from the results in float64 by as much as ONNX Runtime does.
    """
    path, graph = pitch
    wide = {v.label: v.data.astype(np.float64) for v in graph.variables if v.data.dtype.kind == "f"}
    exact = nk.run(graph.with_data(wide), chord.astype(np.float64))
    theirs = in_runtime(path, {"serving_default_input_2:0": chord})
    ours = nk.run(graph, chord, engine=engine)
    for mine, expected, value in zip(ours.values(), theirs.values(), exact.values(), strict=True):
        assert value.dtype == np.float64
        rounding = np.abs(expected - value).max()
        assert rounding < 1e-3
        assert np.abs(mine - value).max() < 1.5 * rounding


def test_the_pitch_network_agrees_with_its_source_layer_by_layer(pitch, chord):
    path, graph = pitch
    source = nk.trace_onnx(path, {"serving_default_input_2:0": chord}, graph=graph)
    comparison = nk.compare(source, nk.trace(graph, chord))
    assert comparison.ok
    computed = [t.name for t in graph.tensors.values() if t.origin and t.data is None]
    assert len(computed) > 150
    assert {row.name for row in comparison if row.other is not None}.issuperset(computed)


def test_the_pitch_network_is_not_transposed_inside(pitch):
    _, graph = pitch
    assert [op.name for op in graph.operations].count("transpose") == 1
    layouts = graph.provenance["layouts"]
    assert {axes for axes in layouts.values() if len(axes) == 4} == {(0, 2, 1, 3), (0, 3, 1, 2)}


def test_the_pitch_network_survives_a_round_trip(pitch, chord, tmp_path):
    path, graph = pitch
    assert_written_correctly(graph, tmp_path / "pitch.nnef")
    model = nk.to_onnx(graph, tmp_path / "pitch.onnx")
    onnx.checker.check_model(model, full_check=True)
    expected = in_runtime(path, {"serving_default_input_2:0": chord})
    actual = in_runtime(tmp_path / "pitch.onnx", {graph.inputs[0]: chord})
    assert [*actual] == [*graph.outputs]
    assert_close([*actual.values()], [*expected.values()], 2e-4)
    again = nk.from_onnx(tmp_path / "pitch.onnx", inputs={graph.inputs[0]: chord})
    assert again.outputs == graph.outputs
    assert_close([*nk.run(again, chord).values()], [*expected.values()], 2e-4)


# -- silero-vad: voice activity -------------------------------------------------------------------


@pytest.fixture(scope="module")
def voice():
    """Return a voice that alternates between the vowels a and i, then silence."""
    rate, count = 16000, 512 * 20
    time = np.arange(count) / rate
    pitch = 110 + 15 * np.sin(2 * np.pi * 3 * time)
    pulses = np.diff(np.floor(np.cumsum(pitch / rate)), prepend=0.0)

    def vowel(*formants):
        sound = pulses
        for center, width in formants:
            radius = np.exp(-np.pi * width / rate)
            turn = 2 * radius * np.cos(2 * np.pi * center / rate)
            filtered = np.zeros(count + 2)
            for i in range(count):
                filtered[i + 2] = sound[i] + turn * filtered[i + 1] - radius**2 * filtered[i]
            sound = filtered[2:]
        return sound / np.abs(sound).max()

    share = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * time)
    a, i = vowel((700, 80), (1220, 90), (2600, 120)), vowel((300, 60), (2200, 100), (3000, 140))
    spoken = 0.5 * (share * a + (1 - share) * i) * (0.6 + 0.4 * np.sin(2 * np.pi * 8 * time))
    return np.concatenate([spoken, np.zeros(512 * 10)]).astype(np.float32)


def chances(step, sound):
    """Return the speech probability of each chunk; a chunk starts with the end of the last one."""
    state, context, chunks = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32), []
    for piece in sound.reshape(-1, 512):
        given = np.concatenate([context, piece])[None]
        chance, state = step(given, state)
        context = piece[-64:]
        chunks.append(chance.item())
    return np.array(chunks)


def test_the_speech_network_is_refused_without_its_rate():
    path = packaged("silero-vad", SPEECH + "silero_vad.onnx")
    with pytest.raises(nk.NnefError) as caught:
        nk.from_onnx(path, {"input": (1, 576), "state": (2, 1, 128)})
    message = str(caught.value)
    assert "If 'If_0'" in message
    # The hint names the input that the condition depends on.
    assert "computed from 'sr'. To make it constant, pass constants={'sr': ...}" in message


@pytest.mark.parametrize(
    ("file", "constants"),
    sampled(
        [
            ("silero_vad.onnx", {"sr": 16000}),
            ("silero_vad_16k_op15.onnx", {"sr": 16000}),
            ("silero_vad_op18_ifless.onnx", {"sr": 16000}),
            ("silero_vad_half.onnx", {}),
        ],
        3,
    ),
)
def test_speech_is_detected_as_in_onnx_runtime(file, constants, voice, tmp_path):
    path = packaged("silero-vad", SPEECH + file)
    graph = nk.from_onnx(path, {"input": (1, 576), "state": (2, 1, 128)}, constants=constants)
    assert set(graph.inputs) == {"input", "state"}
    fixed = {name: np.array(value, np.int64) for name, value in constants.items()}

    def source(sound, state):
        return in_runtime(path, {"input": sound, "state": state, **fixed}).values()

    expected = chances(source, voice)
    assert expected[3:20].mean() > 0.9 > 0.1 > expected[25:].mean()
    for engine in ENGINES:
        session = nk.Session(graph, engine)

        def step(sound, state, session=session):
            return session.run({"input": sound, "state": state}).values()

        np.testing.assert_allclose(chances(step, voice), expected, rtol=0, atol=1e-4)
    assert_written_correctly(graph, tmp_path / "speech.nnef")


def test_the_other_rate_gives_another_network(voice):
    path = packaged("silero-vad", SPEECH + "silero_vad.onnx")
    shapes = {"input": (1, 288), "state": (2, 1, 128)}
    graph = nk.from_onnx(path, shapes, constants={"sr": 8000})
    assert graph.provenance["verified"] is True
    feeds = {"input": voice[None, 1000:1288], "state": np.zeros((2, 1, 128), np.float32)}
    expected = in_runtime(path, {**feeds, "sr": np.array(8000, np.int64)})
    assert_close([*nk.run(graph, feeds).values()], [*expected.values()], 1e-5)


# -- rapidocr: orientation of text -----------------------------------------------------------------


@pytest.fixture(scope="module")
def texts():
    """Return a picture of a line of text, and the same upside down."""
    picture = Image.new("RGB", (192, 48), "white")
    font = ImageFont.load_default(30)
    ImageDraw.Draw(picture).text((8, 6), "Hello, NNEF", "black", font)
    upright = np.asarray(picture, np.float32).transpose(2, 0, 1) / 127.5 - 1
    return np.stack([upright, upright[:, ::-1, ::-1]])


def test_the_angle_of_text_is_classified_as_in_onnx_runtime(texts, tmp_path):
    path = packaged("rapidocr-onnxruntime", ANGLE)
    graph = nk.from_onnx(path, {"x": (2, 3, 48, 192)}, inputs={"x": texts})
    assert graph.provenance["verified"] is True
    expected = in_runtime(path, {"x": texts})
    (chances,) = expected.values()
    assert chances.argmax(1).tolist() == [0, 1]
    for engine in ENGINES:
        actual = nk.run(graph, texts, engine=engine)
        assert_close([*actual.values()], [*expected.values()], 1e-5)
    assert_written_correctly(graph, tmp_path / "angle.nnef")
    source = nk.trace_onnx(path, {"x": texts}, graph=graph)
    assert nk.compare(source, nk.trace(graph, texts)).ok
    model = nk.to_onnx(graph, tmp_path / "angle.onnx")
    again = nk.from_onnx(model, inputs={graph.inputs[0]: texts})
    assert_close([*nk.run(again, texts).values()], [*expected.values()], 1e-5)
