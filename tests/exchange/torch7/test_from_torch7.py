"""Files, inputs, outputs, names, refusals and the proof of Torch7 networks."""

import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from oracles.torch7_files import Function, Longs, Module, Raw, written
from oracles.torch7_references import binary, graph, recorded
from torch7_networks import computed, numbers, read

import nnefkit as nk
from nnefkit.exchange.torch7.serialized_file import read_objects

WEIGHT = numbers(3, 4)
X = numbers(2, 4)
LINEAR = Module("Linear", weight=WEIGHT)
RELU = Module("ReLU")


def refusals(module, x=X, **options):
    with pytest.raises(nk.DocumentError) as caught:
        read(module, x, **options)
    return [each.message for each in caught.value.diagnostics]


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"as_text": True},
        {"long_size": 4},
        {"versions": False},
        {"as_text": True, "versions": False},
    ],
    ids=str,
)
def test_all_forms_of_files_are_read(form):
    base = numbers(5, 9)
    network = Module(
        "Sequential",
        Module("Linear", weight=base[1:4, 2:6], callback=Function(), again=Function()),
        Module("View", size=Longs(3, 1), numInputDims=1),
        note="caf\xe9",
        empty={},
        nothing=np.zeros((0,), np.float32),
        bytes=np.arange(5, dtype=np.uint8),
        flags={True: 7},
    )
    network.fields["itself"] = network.fields
    found = computed(network, X, file=form)
    np.testing.assert_allclose(found[..., 0], X @ base[1:4, 2:6].T, rtol=1e-5)
    objects = read_objects(written(network, **form), "")
    assert objects.get("itself") is objects.fields
    assert objects.get("flags").list() == []
    np.testing.assert_array_equal(objects.get("bytes").array(), np.arange(5))


@pytest.mark.parametrize("dtype", ["float64", "float16", "int64", "int32"])
def test_weights_of_other_types_become_float32(dtype):
    weight = (WEIGHT * 4).astype(dtype)
    found = read(Module("Linear", weight=weight), X)
    (variable,) = [t for t in found.tensors.values() if t.label]
    assert variable.data.dtype == np.float32
    np.testing.assert_array_equal(variable.data, weight.astype(np.float32))


def test_numbers_that_are_not_finite_are_read_from_text():
    weight = np.float32([[np.nan, np.inf], [-np.inf, 1]])
    (variable,) = [
        t
        for t in read(
            Module("Linear", weight=weight), numbers(1, 2), file={"as_text": True}
        ).tensors.values()
        if t.label
    ]
    np.testing.assert_array_equal(variable.data, weight)


def test_labels_follow_the_places_of_modules():
    network = Module("Sequential", RELU, Module("Sequential", LINEAR, RELU), RELU)
    found = read(network, X)
    assert [t.label for t in found.tensors.values() if t.label] == ["module2/1/weight"]
    assert [op.outputs["y"] for op in found.operations if op.name == "relu"] == [
        "module1",
        "module2",
        "output",
    ]
    assert found.tensors["output"].origin == "module3"


DAMAGED = {
    "cut": written(LINEAR)[:-9],
    "text cut": written(LINEAR, as_text=True)[:-30],
    "nothing": b"",
    "other type": struct.pack("<i", 99),
    "long string": struct.pack("<ii", 2, 2**30),
    "negative string": struct.pack("<ii", 2, -5),
    "long table": struct.pack("<iii", 3, 1, 2**30),
    "negative table": struct.pack("<iii", 3, 1, -2),
    "no key": struct.pack("<iiiii", 3, 1, 1, 0, 0),
    "high rank": struct.pack("<iii", 4, 1, 18) + b"torch.DoubleTensor" + struct.pack("<i", 1000),
    "text": b"4\nx\n",
    "long number": b"2\n" + b"9" * 5000 + b"\n",
    "long digits": b"4\n1\n3\nV 1\n19\ntorch.DoubleStorage\n3\n1 2 " + b"9" * 500 + b"\n",
    "timer": written(Module("torch.Timer")),
    "hash": written({"model": Module("tds.Hash")}),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_reported(name):
    with pytest.raises(nk.StorageError):
        nk.from_torch7(DAMAGED[name], (1, 4), verify=False, progress=False)


def raw_tensor(shape, strides, offset):
    """A tensor of a storage with three numbers."""
    name = b"torch.FloatStorage"
    return Raw(
        struct.pack("<iii", 4, 900, 17)
        + b"torch.FloatTensor"
        + struct.pack("<i", len(shape))
        + struct.pack(f"<{len(shape)}q", *shape)
        + struct.pack(f"<{len(shape)}q", *strides)
        + struct.pack("<qiii", offset, 4, 901, len(name))
        + name
        + struct.pack("<q", 3)
        + bytes(12)
    )


@pytest.mark.parametrize("view", [(3, 1, 2), (2, -1, 2), (2, 5, 1), (2, 1, 0), (4, 1, 1)], ids=str)
def test_tensors_stay_inside_of_their_storages(view):
    extent, stride, offset = view
    tensor = raw_tensor([extent], [stride], offset)
    with pytest.raises(nk.StorageError, match="exceeds its storage"):
        nk.from_torch7(written(Module("Linear", weight=tensor), versions=False), (1, 4))


def test_a_tensor_that_repeats_a_number_endlessly_takes_no_memory():
    weight = raw_tensor([1 << 20, 1 << 20], [0, 0], 1)
    file = written(Module("Linear", weight=weight), versions=False)
    with pytest.raises(nk.DocumentError, match="a constant of 1,099,511,627,776 elements"):
        nk.from_torch7(file, (1, 1 << 20))


def test_files_of_others_are_named():
    for data, reason in (
        (b"PK\3\4", "PyTorch"),
        (b"\x80\2}", "PyTorch"),
        (b"\0\0\0\4", "big-endian"),
    ):
        with pytest.raises(nk.InputError, match=reason):
            nk.from_torch7(data, (1, 4))
    with pytest.raises(nk.InputError, match="a path or bytes"):
        nk.from_torch7(7, (1, 4))
    with pytest.raises(nk.StorageError):
        nk.from_torch7("missing.t7", (1, 4))


# -- the network in the file, its inputs and outputs -----------------------------------------------


def test_a_network_inside_of_a_table_is_found():
    file = written({"model": LINEAR, "epoch": 7, "criterion": Module("MSECriterion")})
    found = nk.from_torch7(file, X.shape, verify=False)
    assert found.provenance["entry"] == "model"
    deep = written({"protos": {"cnn": LINEAR, "rnn": Module("Recurrent")}, "vocabulary": ["a"]})
    found = nk.from_torch7(deep, X.shape, entry="protos.cnn", verify=False)
    assert found.provenance["entry"] == "protos.cnn"
    with pytest.raises(nk.InputError) as caught:
        nk.from_torch7(deep, X.shape, entry="protos")
    assert "entry='protos.cnn'" in caught.value.diagnostics[0].hint
    with pytest.raises(nk.InputError) as caught:
        nk.from_torch7(deep, X.shape)
    assert "entry='protos." in caught.value.diagnostics[0].hint
    with pytest.raises(nk.UnknownNameError, match="no entry 'proto'"):
        nk.from_torch7(deep, X.shape, entry="proto")


def test_files_without_a_network_are_refused():
    for value in (7, "text", [1, 2], WEIGHT, Module("ClassNLLCriterion")):
        with pytest.raises(nk.InputError, match="not a network"):
            nk.from_torch7(written(value), (1, 4))


def test_shapes_are_asked_for():
    with pytest.raises(nk.InputError) as caught:
        nk.from_torch7(written(Module("Sequential", LINEAR)))
    assert "(1, 4)" in caught.value.diagnostics[0].hint


@pytest.mark.parametrize(
    "shapes",
    [(0, 4), (1, 4.5), "ab", (), {"input1": (1, 4), "input": (1, 4)}, {"input2": (1, 4)}, 7],
    ids=str,
)
def test_shapes_that_are_not_valid_are_refused(shapes):
    with pytest.raises(nk.InputError):
        nk.from_torch7(written(LINEAR), shapes)


def test_names_of_inputs_are_checked():
    with pytest.raises(nk.UnknownNameError, match="no input 'data'"):
        nk.from_torch7(written(LINEAR), {"data": (1, 4)})


def test_networks_are_cut_at_modules():
    network = Module("Sequential", LINEAR, Module("ConcatTable", RELU, RELU), Module("Recurrent"))
    found = read(network, X, outputs=["module2", "module1"])
    assert found.outputs == ("module2_1", "module2_2", "module1")
    with pytest.raises(nk.UnknownNameError, match="no module 'module9'"):
        read(Module("Sequential", LINEAR), X, outputs="module9")


def test_other_batches_are_recorded():
    found = nk.from_torch7(binary("resnet"), (1, 3, 17, 13), dynamic_shapes={"input": {0: "n"}})
    other = found.with_input_shapes(input=(3, 3, 17, 13))
    assert other.tensors["output"].shape == (3, 4)


# -- refusals --------------------------------------------------------------------------------------


def test_all_refused_modules_are_reported_at_once():
    network = Module(
        "Sequential",
        Module(
            "ConcatTable", Module("Sequencer"), Module("Sequential", RELU, Module("MaskedSelect"))
        ),
        Module("my.Layer"),
        Module("fbnn.ReLU"),
    )
    messages = refusals(network)
    assert len(messages) == 4
    assert "nn.Sequencer 'module1_1': it keeps states" in messages[0]
    assert "'module1_2_2'" in messages[1]
    assert "modules of the package my" in messages[2]


REFUSED = {
    "features": (Module("Linear", weight=numbers(3, 5)), "has 4 features, not 5"),
    "missing": (Module("Linear"), "its tensor 'weight' is missing"),
    "rank": (Module("SpatialMaxPooling", kW=2, kH=2), "its input has 2 dimensions, not 3 or 4"),
    "not a number": (Module("LeakyReLU", negval="x"), "its field 'negval' is 'x', not a number"),
    "not an integer": (Module("Select", dimension=1.5, index=1), "is 1.5, not an integer"),
    "dimension": (Module("Select", dimension=3, index=1), "its dimension is 3"),
    "index": (Module("Select", dimension=2, index=5), "selects element 5 of 4"),
    "table": (Module("CAddTable"), "its input is a tensor, not a table"),
    "tensor": (Module("Sequential", Module("ConcatTable", RELU), RELU), "a table of 1 values"),
    "size": (Module("View", size=Longs(7)), r"its size is [7] for an input of [2, 4]"),
    "alike": (
        Module("Sequential", Module("ConcatTable", LINEAR, RELU), Module("CAddTable")),
        "its inputs are [2, 3] and [2, 4]",
    ),
    "random": (Module("Dropout", p=0.5, v2=True, stochastic_inference=True), "at random"),
    "function": (Module("ReLU", updateOutput=Function()), "replaces its 'updateOutput'"),
    "bytes": (Module("Copy", output=np.zeros(1, np.uint8)), "whose integers wrap around"),
    "no modules": (Module("Concat", dimension=1), "it has no modules"),
    "something else": (Module("Sequential", "x"), "something else than modules"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_network_that_breaks_the_rules_is_refused(name):
    module, reason = REFUSED[name]
    (message,) = refusals(module)
    assert reason in message


def test_containers_inside_of_themselves_are_refused():
    loop = Module("Sequential", RELU)
    loop.fields["modules"].append(loop)
    (message,) = refusals(loop)
    assert "inside of itself" in message
    deep = RELU
    for _ in range(150):
        deep = Module("Sequential", deep)
    (message,) = refusals(deep)
    assert "more than 100 containers" in message


def test_containers_that_double_their_modules_are_bounded():
    twice = RELU
    for _ in range(60):
        twice = Module("Sequential", twice, twice)
    with nk.Budget(steps=2000):
        messages = refusals(twice)
    assert "takes more than 2000 steps" in messages[0]


def test_large_inputs_are_refused():
    with pytest.raises(nk.DocumentError, match="has 100,000,000,000 elements"):
        nk.from_torch7(written(RELU), (10**11,))


# -- the proof -------------------------------------------------------------------------------------


@pytest.fixture
def opencv(monkeypatch):
    """A stand-in of OpenCV, which returns what was recorded, times a factor."""
    state = SimpleNamespace(factor=1.0)

    class Net:
        def enableFusion(self, _):
            pass

        def getUnconnectedOutLayersNames(self):
            return ("l7_Softmax",)

        def setInput(self, array, name):
            state.input, state.name = array, name

        def forward(self, _):
            found = nk.run(graph("cudnn"), {"input": state.input})
            return found["output"] * np.float32(state.factor)

    def read_network(path, is_binary):
        assert is_binary
        state.size = Path(path).stat().st_size
        return Net()

    package = SimpleNamespace(dnn=SimpleNamespace(readNetFromTorch=read_network), __spec__=True)
    monkeypatch.setitem(sys.modules, "cv2", package)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: True)
    return state


def test_a_graph_is_compared_with_opencv(opencv):
    shape = recorded("cudnn")["inputs/input"].shape
    found = nk.from_torch7(binary("cudnn"), shape, progress=False)
    assert found.provenance["verified"] is True
    assert (opencv.size, opencv.name) == (len(binary("cudnn")), "")
    opencv.factor = 1.5
    with pytest.raises(nk.ExecutionError, match="does not compute what its source"):
        nk.from_torch7(binary("cudnn"), shape, progress=False)


def test_what_opencv_computes_otherwise_is_not_compared(opencv):
    x = numbers(1, 4)
    for module, reason in (
        (Module("LeakyReLU"), "nn.LeakyReLU"),
        (Module("Sequential", Module("Dropout", p=0.5)), "nn.Dropout"),
        (Module("Sequential", RELU, RELU), "one module in two places"),
        (Module("ConcatTable", Module("ReLU", inplace=True), Module("Identity")), "in place"),
    ):
        found = nk.from_torch7(written(module), x.shape, progress=False)
        assert found.provenance["verified"] is False
        assert reason in found.provenance["not_verified"]
