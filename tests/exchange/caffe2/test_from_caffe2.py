"""`from_caffe2`: files, inputs, outputs, names, refusals, and the comparison with Caffe2."""

import sys
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("google.protobuf")

from caffe2_networks import given, net_of, operator, place, read
from oracles.caffe2_references import init_net, names, predict_net, recorded, value_info

import nnefkit as nk

SHAPE = (1, 2, 3, 3)
X = np.random.default_rng(0).uniform(-1.5, 1.5, SHAPE).astype(np.float32)
PLACE = net_of(place("x", SHAPE))


def refusals(init, net, shapes=None, **options):
    with pytest.raises(nk.DocumentError) as raised:
        read(init, net, shapes, **options)
    return [(each.message, each.hint) for each in raised.value.diagnostics]


# -- files -----------------------------------------------------------------------------------------


def written(folder, first, second, name="digits"):
    (folder / first).write_bytes(init_net(name))
    (folder / second).write_bytes(predict_net(name))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("init_net.pb", "predict_net.pb"),
        ("a_init_net.pb", "a_predict_net.pb"),
        ("exec_net.pb", "predict_net.pb"),
        ("net_init.pb", "net_predict.pb"),
        ("model_init.pb", "model.pb"),
    ],
)
def test_nets_are_found_beside_each_other(tmp_path, first, second):
    written(tmp_path, first, second)
    expected = nk.from_caffe2(tmp_path / first, tmp_path / second, progress=False)
    for path in (tmp_path, tmp_path / first, tmp_path / second):
        graph = nk.from_caffe2(path, progress=False)
        assert str(graph) == str(expected)
        assert graph.provenance["path"] == str(tmp_path / second)
        assert graph.provenance["weights"] == str(tmp_path / first)


def test_what_nets_hold_decides_which_is_which(tmp_path):
    written(tmp_path, "predict_net.pb", "init_net.pb")
    expected = nk.from_caffe2(init_net("digits"), predict_net("digits"), progress=False)
    assert str(nk.from_caffe2(tmp_path, progress=False)) == str(expected)


def test_text_and_binary_are_read_alike(tmp_path):
    text_format = pytest.importorskip("google.protobuf.text_format")
    from nnefkit.exchange.caffe2.messages import FORMAT

    for name, data in (("init_net", init_net("digits")), ("predict_net", predict_net("digits"))):
        text = text_format.MessageToString(FORMAT.parsed("NetDef", data))
        (tmp_path / f"{name}.pbtxt").write_text(text)
    binary = nk.from_caffe2(init_net("digits"), predict_net("digits"), progress=False)
    assert str(nk.from_caffe2(tmp_path, progress=False)) == str(binary)


def test_a_table_of_shapes_beside_a_net_states_the_inputs(tmp_path):
    written(tmp_path, "init_net.pb", "predict_net.pb", "embed_rnn_cell")
    # Without it, the tables that indices select from would not be inputs, but the indices are.
    (tmp_path / "value_info.json").write_bytes(value_info("embed_rnn_cell"))
    graph = nk.from_caffe2(tmp_path, progress=False)
    assert {name: graph.tensors[name].dtype for name in graph.inputs} == {
        "tokens": "integer",
        "h0": "scalar",
        "c0": "scalar",
    }
    (tmp_path / "value_info.json").write_text('{"tokens": [99, [1]]}')
    with pytest.raises(nk.InputError, match="the entry of 'tokens' is not a type of data"):
        nk.from_caffe2(tmp_path)
    (tmp_path / "value_info.json").write_text("{")
    with pytest.raises(nk.StorageError, match="not valid JSON"):
        nk.from_caffe2(tmp_path)


def test_files_that_are_not_nets_are_refused(tmp_path):
    with pytest.raises(nk.InputError, match="the folder has no Caffe2 network"):
        nk.from_caffe2(tmp_path)
    written(tmp_path, "init_net.pb", "other.pb")
    with pytest.raises(nk.InputError, match="the net that computes the outputs is missing"):
        nk.from_caffe2(tmp_path / "init_net.pb")
    with pytest.raises(nk.StorageError):
        nk.from_caffe2(tmp_path / "none.pb")
    with pytest.raises(nk.InputError, match="must be a path or bytes"):
        nk.from_caffe2(3)
    with pytest.raises(nk.InputError, match="not a net of Caffe2, or it has no operators"):
        nk.from_caffe2(b"")
    with pytest.raises(nk.StorageError, match="not a valid NetDef"):
        nk.from_caffe2(b"\x12\xff\x01")
    with pytest.raises(nk.StorageError, match="not the text of a valid NetDef"):
        nk.from_caffe2(b"op {")
    with pytest.raises(nk.InputError, match="the second net only makes weights"):
        nk.from_caffe2(predict_net("digits"), init_net("digits"))


def test_several_networks_in_a_folder_are_named(tmp_path):
    written(tmp_path, "a_init_net.pb", "a_predict_net.pb")
    written(tmp_path, "b_init_net.pb", "b_predict_net.pb")
    with pytest.raises(nk.InputError, match="2 networks: a_predict_net, b_predict_net"):
        nk.from_caffe2(tmp_path)


# -- inputs and outputs ----------------------------------------------------------------------------

RELU = net_of(operator("Relu"))


def test_shapes_of_inputs_are_given_or_filled():
    assert read(RELU, None, {"x": (2, 3)}).tensors["y"].shape == (2, 3)
    assert read(PLACE, RELU).tensors["x"].shape == SHAPE
    assert read(PLACE, RELU, {"x": (4, 2, 5, 5)}).tensors["y"].shape == (4, 2, 5, 5)
    with pytest.raises(nk.InputError, match="do not state the shape of 'x'") as raised:
        read(RELU, None)
    assert "input_shapes={'x': (1, 3, 224, 224)}" in raised.value.diagnostics[0].hint
    with pytest.raises(nk.UnknownNameError, match="no input 'z'"):
        read(PLACE, RELU, {"z": (1,)})
    with pytest.raises(nk.InputError, match="must be a list of integers"):
        read(PLACE, RELU, {"x": "abc"})


def test_the_number_that_exporters_write_for_an_input_has_not_its_shape():
    exported = net_of(given("x", np.zeros((1, 1))))
    with pytest.raises(nk.InputError, match="do not state the shape of 'x'"):
        read(exported, RELU)
    assert read(exported, RELU, {"x": SHAPE}).inputs == ("x",)


def test_constant_fills_of_weights_are_not_inputs():
    init = net_of(place("x", SHAPE), place("b", (2,)), given("w", np.ones((2, 2, 1, 1))))
    net = net_of(operator("Conv", ("x", "w", "b"), kernel=1))
    assert read(init, net).inputs == ("x",)
    assert read(init, net, {"b": (2,)}).inputs == ("x", "b")


def test_a_missing_net_of_weights_is_asked_for():
    with pytest.raises(nk.InputError, match=r"nothing makes the blobs 'data', 'conv1_w'"):
        read(predict_net("digits"), None)


def test_outputs_are_stated_or_what_nothing_reads_or_named():
    net = net_of(operator("Relu"), operator("Abs", ("y",), ("z",)), outputs=["y", "z"])
    assert read(PLACE, net).outputs == ("y", "z")
    net = net_of(operator("Relu"), operator("Abs", ("y",), ("z",)))
    assert read(PLACE, net).outputs == ("z",)
    assert read(PLACE, net, outputs="y").outputs == ("y",)
    with pytest.raises(nk.UnknownNameError, match="no blob 'yy'"):
        read(PLACE, net, outputs=["yy"])
    loop = net_of(operator("Relu", ("x",), ("x",)), operator("Relu", ("x",), ("x",)))
    assert read(PLACE, loop).outputs == ("x_2",)


def test_blobs_written_again_have_the_names_of_their_turn():
    net = net_of(
        operator("Scale", scale=2.0),
        operator("Abs", ("y",), ("kept",)),
        operator("Relu", ("y",), ("y",)),
        operator("Sum", ("y", "kept"), ("y",)),
        outputs=["y"],
    )
    graph = read(PLACE, net)
    origins = [graph.tensors[name].origin for name in graph.tensors]
    assert origins == ["x", "y", "kept", "y#1", "y#2"]
    assert graph.outputs == ("y",)
    expected = np.maximum(2 * X, 0) + np.abs(2 * X)
    np.testing.assert_allclose(nk.run(graph, {"x": X})["y"], expected, rtol=1e-6)
    assert read(PLACE, net, outputs=["y#1"]).operations[-1].name == "relu"


def test_other_batches_are_declared():
    net = net_of(operator("Flatten"))
    graph = read(PLACE, net, dynamic_shapes={"x": {0: (1, 9)}})
    assert graph.with_input_shapes(x=(7, 2, 3, 3)).tensors["y"].shape == (7, 18)


# -- refusals --------------------------------------------------------------------------------------


def test_operators_are_refused_all_at_once_with_what_to_do():
    net = net_of(
        operator("Relu"),
        operator("RoIAlign", ("y", "rois"), ("r",)),
        operator("Int8Conv", ("y",), ("q",)),
        operator("SoftmaxWithLoss", ("y", "label"), ("loss",)),
        operator("While", ("y",), ("w",)),
        operator("NoSuchOperator", ("y",), ("n",)),
        outputs=["r", "q", "loss", "w", "n"],
    )
    found = refusals(PLACE, net, {"x": SHAPE, "rois": (1, 5), "label": (1,)})
    assert [message.partition(":")[0] for message, _ in found] == [
        "RoIAlign 'r'",
        "Int8Conv 'q'",
        "SoftmaxWithLoss 'loss'",
        "While 'w'",
        "NoSuchOperator 'n'",
    ]
    assert "outputs=['y', 'rois']" in found[0][1]
    assert "before it was quantized" in found[1][1]
    assert read(PLACE, net, outputs="y").outputs == ("y",)


def test_what_the_network_reads_from_a_database_becomes_an_input():
    net = net_of(
        operator("TensorProtosDBInput", ("db",), ("x", "label")),
        operator("Relu"),
        outputs=["y"],
    )
    init = net_of(operator("CreateDB", (), ("db",)))
    found = refusals(init, net)
    assert "it reads or writes data outside of the network" in found[0][0]
    reader = net_of(operator("ImageInput", (), ("x", "label")), operator("Relu"), outputs=["y"])
    message, hint = refusals(reader, None)[0]
    assert message == "ImageInput 'x': it reads or writes data outside of the network"
    assert "input_shapes={'x': (1, 3, 224, 224)}" in hint
    assert read(reader, None, {"x": SHAPE}).inputs == ("x",)


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (
            operator("SpatialBN", ("x", *"abcd"), is_test=0),
            "the mean and the variance of the batch",
        ),
        (operator("Dropout", ratio=0.5), "drops elements at random"),
        (operator("Conv", ("x", "w"), engine="DNNLOWP", kernel=1), "computes with 8 bits"),
        (operator("Conv", ("x", "w"), kernel=1.5), "'kernel' is not a whole number"),
        (operator("Clip", min=1), "'min' is not a real number"),
        (operator("Transpose", axes=3), "'axes' is not a list of whole numbers"),
        (operator("Relu", ()), "its input 0 is missing"),
        (operator("Relu", ("nowhere",)), None),
        (operator("MaxPool", kernel=2, order="CHWN"), "its order is 'CHWN'"),
        (operator("XavierFill", (), shape=[1]), "draws random numbers"),
        (operator("ReluGradient", ("x", "x")), "an operator for training"),
        (operator("GivenTensorFill", (), shape=[3], values=[1.0]), "1 numbers for the shape [3]"),
        (operator("GivenTensorStringFill", (), shape=[1]), "ragged data"),
        (operator("ConstantFill", (), shape=[2**40, 2**20], value=1.0), "computes a constant of"),
        (operator("LRN", size=4, alpha=1.0, beta=1.0), "not odd"),
        (operator("Gather", ("x", "x")), "its indices are not integers"),
        (operator("Reshape", ("x", "x")), "its shape depends on the inputs"),
    ],
)
def test_an_operator_is_refused_by_name(one, message):
    init = net_of(place("x", SHAPE), given("w", np.ones((1, 2, 1, 1))), *map(_one, "abcd"))
    net = net_of(one, operator("Sum", ("x", "y"), ("z",)), outputs=["z"])
    if message is None:
        with pytest.raises(nk.InputError, match="do not state the shape of 'nowhere'"):
            read(init, net)
        return
    found = refusals(init, net, {"x": SHAPE})
    assert message in found[0][0]
    assert " 'y': " in found[0][0]


def _one(name):
    return given(name, np.ones(2))


def test_results_that_are_not_data_are_named():
    net = net_of(
        operator("Dropout", outputs=("y", "mask"), is_test=1),
        operator("Abs", ("mask",), ("z",)),
        outputs=["z"],
    )
    message, _ = refusals(PLACE, net)[0]
    assert "reads 'mask': of what Dropout computes, only the first results are read" in message
    found = refusals(PLACE, net, outputs=["mask"])
    assert "output 'mask': of what Dropout computes" in found[0][0]


def test_a_graph_of_tensorflow_is_named():
    graph = b"\n\x0b\n\x01x\x12\x06Square"
    with pytest.raises(nk.InputError, match="not a net of Caffe2") as raised:
        nk.from_caffe2(graph)
    assert "from_tensorflow" in raised.value.diagnostics[0].hint


# -- the comparison with Caffe2 --------------------------------------------------------------------


class Workspace(ModuleType):
    """What `caffe2.python.workspace` offers, with recorded tensors in place of a run."""

    def __init__(self, name, factor=1.0):
        super().__init__("caffe2.python.workspace")
        self._tensors = recorded(name)
        self._factor, self._counts = factor, {}

    def ResetWorkspace(self):
        self._counts = {}

    def FeedBlob(self, name, array):
        assert array.dtype == np.float32

    def RunOperatorOnce(self, message):
        from nnefkit.exchange.caffe2.messages import FORMAT

        for name in FORMAT.parsed("OperatorDef", message).output:
            self._counts[name.decode()] = self._counts.get(name.decode(), -1) + 1
        return True

    def FetchBlob(self, name):
        count = self._counts[name]
        found = self._tensors.get(f"tensors/{name}#{count}" if count else f"tensors/{name}")
        return "not a tensor" if found is None else found * self._factor


def with_caffe2(monkeypatch, module):
    package = ModuleType("caffe2")
    package.__spec__ = type("Spec", (), {"name": "caffe2"})()
    package.python = ModuleType("caffe2.python")
    monkeypatch.setitem(sys.modules, "caffe2", package)
    monkeypatch.setitem(sys.modules, "caffe2.python", package.python)
    monkeypatch.setitem(sys.modules, "caffe2.python.workspace", module)


def test_without_caffe2_nothing_is_compared(monkeypatch):
    monkeypatch.setitem(sys.modules, "caffe2", None)
    graph = nk.from_caffe2(PLACE, RELU, progress=False)
    assert graph.provenance["verified"] is False
    assert graph.provenance["not_verified"] == "Caffe2 is not installed"


def test_a_caffe2_that_cannot_be_imported_is_named(monkeypatch):
    with_caffe2(monkeypatch, None)
    graph = nk.from_caffe2(PLACE, RELU, progress=False)
    assert "cannot be imported" in graph.provenance["not_verified"]


def test_caffe2_computes_what_the_graph_must(monkeypatch):
    class Fixed(Workspace):
        def FeedBlob(self, name, array):
            self._tensors = {"tensors/y": np.maximum(array, 0)}

    with_caffe2(monkeypatch, Fixed("digits"))
    graph = nk.from_caffe2(PLACE, RELU, progress=False)
    assert graph.provenance["verified"] is True
    with_caffe2(monkeypatch, Fixed("digits", factor=1.5))
    with pytest.raises(nk.ExecutionError, match="the graph does not compute what its source"):
        nk.from_caffe2(PLACE, RELU, progress=False)


def test_a_failure_of_caffe2_is_an_error(monkeypatch):
    class Failing(Workspace):
        def RunOperatorOnce(self, message):
            return False

    with_caffe2(monkeypatch, Failing("digits"))
    with pytest.raises(nk.ExecutionError, match="Caffe2 cannot run the network"):
        nk.from_caffe2(PLACE, RELU, progress=False)


# -- the same network of other frameworks ----------------------------------------------------------


def test_digits_are_recognized_as_by_caffe():
    from oracles import caffe_references

    caffe = caffe_references.graph("digits")
    caffe2 = nk.from_caffe2(init_net("digits"), predict_net("digits"), progress=False)
    assert "digits" in names()
    images = np.random.default_rng(1).uniform(0, 1, (1, 1, 8, 8)).astype(np.float32)
    ours = nk.run(caffe2, {caffe2.inputs[0]: images})["prob"]
    theirs = nk.run(caffe, {caffe.inputs[0]: images})["prob"]
    np.testing.assert_allclose(ours.reshape(-1), theirs.reshape(-1), atol=5e-7)
