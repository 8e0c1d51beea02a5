"""`from_caffe`: names, phases, inputs, cuts, weights, refusals, and the comparison with OpenCV."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("google.protobuf")

from caffe_networks import input_layer, layer, read, text_of, weights_of
from oracles.caffe_references import text, weights

import nnefkit as nk

SHAPE = (1, 2, 3, 3)
X = np.random.default_rng(0).uniform(-1.5, 1.5, SHAPE).astype(np.float32)
IN = input_layer("x", SHAPE)


def refusals(text, weights=None, **options):
    with pytest.raises(nk.DocumentError) as raised:
        read(text, weights, **options)
    return [(each.message, each.hint) for each in raised.value.diagnostics]


# -- names, inputs, outputs ------------------------------------------------------------------------


IN_PLACE = text_of(
    IN,
    layer("scaled", "Power", tops=("b",), parameters="power_param { scale: 2 }"),
    layer("kept", "AbsVal", ("b",)),
    layer("rectified", "ReLU", ("b",), ("b",)),
    layer("y", "Eltwise", ("b", "kept")),
)


def test_layers_in_place_give_a_blob_several_values():
    graph = read(IN_PLACE)
    assert [*graph.tensors] == ["x", "b", "kept", "rectified", "y"]
    assert [tensor.origin for tensor in graph.tensors.values()] == [*graph.tensors]
    expected = np.abs(2 * X) + np.maximum(2 * X, 0)
    np.testing.assert_allclose(nk.run(graph, {"x": X})["y"], expected, rtol=1e-6)


def test_outputs_are_blobs_with_their_last_value_or_layers():
    assert read(IN_PLACE).outputs == ("y",)
    graph = read(IN_PLACE, outputs=["b", "kept"])
    assert graph.outputs == ("b", "kept")
    np.testing.assert_allclose(nk.run(graph, {"x": X})["b"], np.maximum(2 * X, 0), rtol=1e-6)
    assert read(IN_PLACE, outputs="scaled").operations[-1].name == "mul"
    with pytest.raises(nk.UnknownNameError, match="no blob or layer 'kep'") as raised:
        read(IN_PLACE, outputs=["kep"])
    assert "kept" in raised.value.diagnostics[0].hint


@pytest.mark.parametrize(
    "fields",
    [
        'input: "x" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 3',
        'input: "x" input_shape { dim: 1 dim: 2 dim: 3 dim: 3 }',
        IN,
    ],
)
def test_inputs_are_fields_or_layers(fields):
    written = text_of(fields, layer("y", "TanH"))
    assert read(written).tensors["x"].shape == SHAPE
    other = read(written, input_shapes={"x": (5, 2, 7, 8)})
    assert other.tensors["y"].shape == (5, 2, 7, 8)


def test_shapes_of_inputs_are_asked_for():
    written = text_of('input: "x"', layer("y", "TanH"))
    with pytest.raises(nk.InputError, match="the shape of the input 'x' is not in the network"):
        read(written)
    assert read(written, input_shapes={"x": (1, 4)}).tensors["y"].shape == (1, 4)
    with pytest.raises(nk.UnknownNameError, match="no input 'z'"):
        read(written, input_shapes={"z": (1, 4)})
    with pytest.raises(nk.InputError, match="not a row of positive integers"):
        read(written, input_shapes={"x": (1, -4)})


TRAINING = text_of(
    'layer { name: "d" type: "Data" top: "x" top: "label" include { phase: TRAIN } }',
    'layer { name: "d" type: "Data" top: "x" top: "label" include { phase: TEST } }',
    layer("drop", "Dropout", tops=("x",)),
    layer("y", "TanH"),
    'layer { name: "extra" type: "ReLU" bottom: "y" top: "y" exclude { phase: TEST } }',
    'layer { name: "staged" type: "ReLU" bottom: "y" top: "y" include { stage: "deploy" } }',
    layer("loss", "SoftmaxWithLoss", ("y", "label")),
    'layer { name: "top1" type: "Accuracy" bottom: "y" bottom: "label" top: "top1" }',
    'layer { name: "quiet" type: "Silence" bottom: "label" }',
)


def test_layers_for_training_are_refused_all_at_once_with_what_to_cut():
    found = refusals(TRAINING, input_shapes={"x": SHAPE, "label": (1,)})
    assert [message.partition(":")[0] for message, _ in found] == [
        "SoftmaxWithLoss 'loss'",
        "Accuracy 'top1'",
    ]
    assert all("outputs=['y']" in hint for _, hint in found)
    message, hint = refusals(TRAINING, outputs=["y"])[0]
    assert message == "Data 'd': it reads examples from a database"
    assert "input_shapes={'x': (1, 3, 224, 224)}" in hint


def test_the_test_phase_is_read():
    graph = read(TRAINING, input_shapes={"x": SHAPE}, outputs=["y"])
    assert [op.name for op in graph.computations] == ["tanh"]
    assert graph.inputs == ("x",)
    staged = text_of('state { stage: "deploy" }', TRAINING)
    graph = read(staged, input_shapes={"x": SHAPE}, outputs=["y"])
    assert [op.name for op in graph.computations] == ["tanh", "relu"]


def test_blobs_of_a_database_that_are_not_inputs_are_named():
    found = refusals(TRAINING, input_shapes={"x": SHAPE}, outputs=["loss"])
    assert "SoftmaxWithLoss 'loss'" in found[0][0]
    written = text_of(TRAINING, layer("z", "ReLU", ("label",)))
    found = refusals(written, input_shapes={"x": SHAPE}, outputs=["y", "z"])
    assert "reads the blob 'label' of a layer of training data" in found[0][0]


def test_detections_are_cut_off():
    inputs = [input_layer(name, (1, 8)) for name in ("loc", "conf", "priors")]
    written = text_of(*inputs, layer("found", "DetectionOutput", ("loc", "conf", "priors")))
    message, hint = refusals(written)[0]
    assert message.startswith("DetectionOutput 'found': it sorts and drops boxes")
    assert "outputs=['loc', 'conf', 'priors']" in hint
    assert len(read(written, outputs=["loc", "conf"]).outputs) == 2


# -- weights ---------------------------------------------------------------------------------------

LINEAR = text_of(
    input_layer("x", (1, 3)),
    layer("y", "InnerProduct", parameters="inner_product_param { num_output: 2 }"),
)
MATRIX, ROW = np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(2, np.float32)


def test_weights_are_labeled_by_their_layer():
    graph = read(LINEAR, weights_of(y=[MATRIX, ROW]))
    labels = [op.attribs["label"] for op in graph.operations if op.name == "variable"]
    assert labels == ["y/weight", "y/bias"]


@pytest.mark.parametrize(
    ("blobs", "message"),
    [
        (None, "the file of its weights is missing"),
        ([], "has none for it, but not its weight"),
        ([MATRIX, ROW, ROW], "has 3 weights for it, and not 2"),
        ([MATRIX], "has 1 for it, but not its bias"),
        ([MATRIX.T, ROW], "its weight is 3×2 in the file, not 2×3"),
    ],
)
def test_weights_that_do_not_fit_are_refused(blobs, message):
    given = None if blobs is None else weights_of(y=blobs, other=[ROW])
    assert message in refusals(LINEAR, given)[0][0]


def test_layers_share_weights_by_name():
    shared = 'param { name: "w" } param { name: "b" } inner_product_param { num_output: 2 }'
    written = text_of(
        input_layer("x", (1, 3)),
        layer("y", "InnerProduct", parameters=shared),
        layer("z", "InnerProduct", parameters=shared),
    )
    graph = read(written, weights_of(y=[MATRIX, ROW], z=[MATRIX, ROW]))
    assert sum(op.name == "variable" for op in graph.operations) == 2
    found = refusals(written, weights_of(y=[MATRIX, ROW], z=[MATRIX + 1, ROW]))
    assert "shares its weight as 'w'" in found[0][0]


def test_files_are_found_beside_each_other(tmp_path):
    (tmp_path / "deploy.prototxt").write_text(LINEAR)
    with pytest.raises(nk.DocumentError, match="weights is missing"):
        nk.from_caffe(tmp_path / "deploy.prototxt")
    (tmp_path / "net.caffemodel").write_bytes(weights_of(y=[MATRIX, ROW]))
    graph = nk.from_caffe(tmp_path / "deploy.prototxt", verify=False)
    assert graph.provenance["weights"] == str(tmp_path / "net.caffemodel")
    (tmp_path / "deploy.caffemodel").write_bytes(weights_of(y=[MATRIX + 1, ROW]))
    graph = nk.from_caffe(tmp_path / "deploy.prototxt", verify=False)
    assert graph.provenance["weights"] == str(tmp_path / "deploy.caffemodel")


def hdf5_of(**blobs):
    """A file of HDF5 with weights: name of a layer -> arrays."""
    h5py = pytest.importorskip("h5py")
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, arrays in blobs.items():
            group = file.create_group(f"data/{name}")
            for number, array in enumerate(arrays):
                group[str(number)] = array
    return content.getvalue()


def test_weights_may_be_a_file_of_hdf5(tmp_path):
    expected = read(LINEAR, weights_of(y=[MATRIX, ROW]))
    assert str(read(LINEAR, hdf5_of(y=[MATRIX, ROW]))) == str(expected)
    (tmp_path / "net.prototxt").write_text(LINEAR)
    (tmp_path / "net.caffemodel.h5").write_bytes(hdf5_of(y=[MATRIX, ROW]))
    graph = nk.from_caffe(tmp_path / "net.prototxt")
    np.testing.assert_array_equal(graph.tensors["y_weight"].data, MATRIX)
    assert "its weight is 3×2 in the file" in refusals(LINEAR, hdf5_of(y=[MATRIX.T, ROW]))[0][0]
    with pytest.raises(nk.StorageError, match="has no group 'data'"):
        read(LINEAR, hdf5_of().replace(b"data", b"date"))
    with pytest.raises(nk.StorageError, match="damaged"):
        read(LINEAR, hdf5_of(y=[MATRIX, ROW])[:600])


# -- files and layers that are not valid -----------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "error", "message"),
    [
        ("", nk.InputError, "not a Caffe network, or it has no layers"),
        ("layer {", nk.StorageError, "not the text of a valid NetParameter"),
        (text_of(layer("y", "ReLU")), nk.InputError, "reads the blob 'x', which no layer"),
        (
            text_of(IN, layer("y", "ReLU"), layer("z", "TanH", tops=("y",))),
            nk.InputError,
            "computes the blob 'y', which a layer before it",
        ),
        (
            text_of(IN, 'layers { layer { name: "y" type: "conv" } }'),
            nk.InputError,
            "mixes layers of the older form",
        ),
        ('layers { layer { name: "y" type: "conv" } }', nk.InputError, "oldest form"),
        ('input: "x" input_dim: 1 ' + layer("y", "ReLU"), nk.InputError, "not 4 for each"),
    ],
)
def test_files_that_are_not_networks_are_refused(written, error, message):
    with pytest.raises(error, match=message):
        read(written)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(nk.StorageError, match="the file is not text"):
        nk.from_caffe(b"\xff\0")
    with pytest.raises(nk.InputError, match="not a Caffe model"):
        read(IN_PLACE, b"")
    with pytest.raises(nk.InputError, match="must be a path or bytes"):
        nk.from_caffe(3)
    with pytest.raises(nk.StorageError):
        nk.from_caffe(tmp_path / "none.prototxt")


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 pad: 1 }", "takes no pad"),
        ("Pooling", "pooling_param { kernel_size: 1 stride: 9 }", "has none of them"),
        ("Pooling", "pooling_param { kernel_size: 1 pad: 1 }", "its pad"),
        ("Pooling", "", "its kernel is"),
        ("BatchNorm", "batch_norm_param { use_global_stats: false }", "of the batch"),
        ("LRN", "lrn_param { local_size: 4 }", "not odd"),
        ("ArgMax", "argmax_param { top_k: 50 }", "returns 50 of 18 elements"),
        ("ArgMax", "argmax_param { top_k: 0 }", "returns 0 of 18 elements"),
        ("Convolution", "convolution_param { num_output: 2 }", "numbers 'kernel_size'"),
        ("Convolution", "convolution_param { num_output: 3 kernel_size: 1 group: 2 }", "groups"),
        ("Eltwise", "", "its bottoms have the shapes"),
        ("Flatten", "flatten_param { axis: 9 }", "its axis is 9"),
        ("Crop", "", "has 1 bottoms, not 2"),
        ("Slice", "slice_param { axis: 1 slice_point: 1 }", "for 1 tops"),
        ("Permute", "permute_param { order: 1 order: 1 }", "its order is"),
        ("Reshape", "reshape_param { shape { dim: 5 } }", "does not fit"),
        ("Tile", "tile_param { tiles: 0 }", "repeats its bottom 0 times"),
        ("Log", "log_param { base: 1 }", "its base is 1"),
        ("LSTM", "recurrent_param { num_output: 2 }", "it has 1 bottoms and 2 outputs"),
        (
            "Pooling",
            "pooling_param { kernel_size: 2 hole: 2 }",
            "the parameter 'pooling_param.hole'",
        ),
        ("Python", "", "or it is not a layer of Caffe"),
    ],
)
def test_a_layer_is_refused_by_name(kind, parameters, message):
    written = text_of(IN, layer("y", kind, parameters=parameters))
    ((found, _),) = refusals(written, weights_of(other=[ROW]))
    assert found.startswith(f"{kind} 'y': ")
    assert message in found


# -- the comparison with OpenCV --------------------------------------------------------------------


class Network:
    """What `cv2.dnn.readNetFromCaffe` returns, with the results of a graph."""

    def __init__(self, graph, factor=1.0):
        self.graph, self.factor, self.feeds = graph, factor, {}

    def enableFusion(self, wanted):
        assert not wanted

    def setInput(self, array, name):
        self.feeds[name] = array

    def forward(self, name):
        return nk.trace(self.graph, self.feeds, progress=False)[name] * self.factor


def with_opencv(monkeypatch, graph, factor=1.0):
    dnn = SimpleNamespace(readNetFromCaffe=lambda *files: Network(graph, factor))
    module = SimpleNamespace(dnn=dnn, __spec__=SimpleNamespace(name="cv2"))
    monkeypatch.setitem(sys.modules, "cv2", module)


def test_opencv_computes_what_the_graph_must(monkeypatch):
    expected = read(IN_PLACE)
    with_opencv(monkeypatch, expected)
    graph = nk.from_caffe(IN_PLACE.encode(), progress=False)
    assert graph.provenance["verified"] is True
    with_opencv(monkeypatch, expected, factor=1.5)
    with pytest.raises(nk.ExecutionError, match="the graph does not compute what its source"):
        nk.from_caffe(IN_PLACE.encode(), progress=False)


def test_networks_that_opencv_computes_otherwise_are_not_compared(monkeypatch):
    with_opencv(monkeypatch, None)
    graph = nk.from_caffe(text("zoo_act"), weights("zoo_act"), progress=False)
    assert graph.provenance["verified"] is False
    assert "Log, Threshold" in graph.provenance["not_verified"]


def test_without_opencv_nothing_is_compared(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    graph = nk.from_caffe(IN_PLACE.encode(), progress=False)
    assert graph.provenance["verified"] is False


def test_other_batches_are_declared():
    written = text_of(IN, layer("y", "Flatten"))
    graph = read(written, dynamic_shapes={"x": {0: (1, 9)}})
    assert graph.with_input_shapes(x=(7, 2, 3, 3)).tensors["y"].shape == (7, 18)


def test_texts_may_have_comments_in_any_encoding_and_fields_of_training():
    filler = 'weight_filler { type: "xavier" } engine: CAFFE'
    linear = f"inner_product_param {{ num_output: 2 {filler} # \xfc {{ hole: 1\n }}"
    written = text_of(
        input_layer("x", (1, 3)),
        layer("y", "InnerProduct", parameters=f"{linear} param {{ lr_mult: 1 }}"),
        layer("z", "Dropout", ("y",), parameters="dropout_param { scale_train: false }"),
    )
    given = weights_of(y=[MATRIX, ROW])
    graph = nk.from_caffe(written.encode("latin-1"), given, verify=False, progress=False)
    np.testing.assert_allclose(nk.run(graph, {"x": np.ones((1, 3))})["z"], [[2, 6.5]])


def test_layers_that_are_left_out_do_not_disturb_opencv():
    pytest.importorskip("cv2")
    broken = layer("boxes", "DetectionOutput", ("y",)), layer("own", "Unknown", ("y",))
    graph = nk.from_caffe(
        text_of(IN, layer("y", "AbsVal", ("x",)), *broken).encode(), outputs="y", progress=False
    )
    assert graph.provenance["verified"]
    assert graph.outputs == ("y",)
