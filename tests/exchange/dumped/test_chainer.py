"""`from_chainer`: reference networks, single functions, names, cuts, and what is refused."""

import io
import json
import re
import zipfile
from functools import partial

import dumped_documents
import numpy as np
import pytest
from dumped_documents import node, value
from oracles.dumped_references import differences, digits, files, graph, names, recorded
from oracles.reference_archive import members

import nnefkit as nk

FUNCTIONS = sorted(
    each.removesuffix(".json") for each in members("chainer", "functions") if ".json" in each
)
REFUSED = {"Lsimpl": "it draws random numbers", "unpq": "cut the padding of this size differently"}


read = partial(dumped_documents.read, "chainer")
refusals = partial(dumped_documents.refusals, "chainer")
document = partial(dumped_documents.document, "chainer")

# -- reference networks ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", names("chainer"))
def test_a_reference_network_is_read_right(name):
    found = differences("chainer", name)
    assert max(found.values()) <= 1e-6, found
    assert graph("chainer", name).provenance["verified"]
    # Changes of shape that change nothing have no tensor.
    assert len(found) >= 0.8 * len(recorded("chainer", name)) - 4


def test_the_digits_are_told_as_well_as_in_training():
    network = graph("chainer", "digits/digits.graph")
    images, labels = digits()
    found = [nk.run(network, {"image": image})["output"][0] for image in images[::4]]
    assert (np.argmax(found, axis=1) == labels[::4]).mean() >= 0.94


def test_what_chainer_does_not_record_is_refused_by_name():
    graph_, arrays, _ = files("chainer", "zoo_act/zoo_act.graph")
    ((message, hint),) = refusals(graph_, arrays)
    assert message.startswith("output 'floor'")
    assert "detached" in message
    assert "outputs=[...]" in hint
    graph_, arrays, _ = files("chainer", "zoo_shape/zoo_shape.graph")
    ((message, _),) = refusals(graph_, arrays)
    assert message.startswith("Where")
    assert "depends on the input" in message


# -- single functions ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_computes_what_chainer_computes(name):
    found = members("chainer", "functions")
    dumped = found[f"{name}.json"], found[f"{name}.npz"]
    if name in REFUSED:
        assert REFUSED[name] in refusals(*dumped)[0][0]
        return
    facts = read(*dumped).provenance
    assert facts["verified"]
    assert facts["largest_difference"] <= 1e-6
    assert "compared" not in facts


def test_functions_cover_the_readers():
    from nnefkit.exchange.chainer.functions import CHAINER

    tested = {
        node["op"]
        for archive in ("networks", "functions")
        for name, data in members("chainer", archive).items()
        if name.endswith(".json")
        for node in json.loads(data)["nodes"]
    }
    # The same as others, of other versions, or on other devices.
    untested = {"MaxPooling2D", "Copy", "Forget", "RsqrtGPU"} | {*FORMULAS}
    assert CHAINER.readers.keys() - tested <= untested
    assert not CHAINER.readers.keys() & CHAINER.refused.keys()


# Chainer does not record these, but other versions may.
FORMULAS = {
    "ArgMax": (lambda x: x.argmax(1), {"axis": 1}, "int32"),
    "ArgMin": (lambda x: x.argmin(), {"axis": None}, "int32"),
    "Mean": (lambda x: x.mean(0), {"axis": [0]}, "float32"),
    "Sign": (np.sign, {}, "float32"),
    "Floor": (np.floor, {}, "float32"),
    "Ceil": (np.ceil, {}, "float32"),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_function_computes_its_formula(name):
    formula, params, dtype = FORMULAS[name]
    x = np.random.default_rng(0).uniform(-2, 2, (3, 4)).astype(np.float32)
    expected = np.asarray(formula(x))
    values = {"v0": value("input", x.shape), "v2": value(shape=expected.shape, dtype=dtype)}
    network = read(document([node(name, ["v0"], ["v2"], **params)], values=values))
    np.testing.assert_allclose(nk.run(network, {"x": x})["y"], expected, rtol=1e-6)


# -- names, cuts, shapes ---------------------------------------------------------------------------


SMALL = document([node("ReLU", ["v0"], ["v1"]), node("Tanh", ["v1"], ["v2"])])


def test_tensors_have_the_names_of_links_and_functions():
    network = graph("chainer", "resnet/resnet.graph")
    assert network.inputs == ("image",)
    assert network.outputs == ("output",)
    named = {variable.label for variable in network.variables}
    assert any(label.endswith("/W") for label in named)
    assert network.provenance["source"] == "Chainer"
    assert network.provenance["chainer_version"] == "7.8.1"
    small = read(SMALL)
    assert [*small.tensors] == ["x", "relu", "y"]
    assert [tensor.origin for tensor in small.tensors.values()] == ["x", "v1", "v2"]


def test_a_graph_is_cut_at_values():
    assert read(SMALL, outputs="v1").outputs == ("v1",)
    with pytest.raises(nk.UnknownNameError, match="no output or value 'z'"):
        read(SMALL, outputs=["z"])
    with pytest.raises(nk.InputError, match="leaves nothing"):
        read(SMALL, outputs=[])


def test_a_graph_has_the_extents_of_its_example():
    with pytest.raises(nk.NnefError, match="one example"):
        nk.infer_shapes(graph("chainer", "digits/digits.graph"), image=(2, 1, 8, 8))


def test_the_files_are_found_beside_each_other(tmp_path):
    graph_, arrays, run = files("chainer", "digits/digits.graph")
    (tmp_path / "net.graph.json").write_bytes(graph_)
    with pytest.raises(nk.StorageError):
        nk.from_chainer(tmp_path / "net.graph.json", progress=False)
    (tmp_path / "net.graph.npz").write_bytes(arrays)
    network = nk.from_chainer(tmp_path / "net.graph.json", progress=False)
    assert network.provenance["not_verified"] == "the file has no recorded run"
    (tmp_path / "net.npz").write_bytes(run)
    assert nk.from_chainer(tmp_path / "net.graph.json", progress=False).provenance["verified"]
    quiet = nk.from_chainer(tmp_path / "net.graph.json", verify=False, progress=False)
    assert quiet.provenance["not_verified"] == "verify=False"


def test_a_run_of_something_else_is_noticed():
    x = np.array([[1, -2, 3, 0.5]], np.float32)
    run = {"inputs/x": x, "outputs/y": np.tanh(np.maximum(x, 0))}
    assert read(SMALL, run).provenance["verified"]
    run["outputs/y"] = run["outputs/y"] + np.float32(0.1)
    with pytest.raises(nk.ExecutionError, match="does not compute what its source computes"):
        read(SMALL, run)


# -- refusals --------------------------------------------------------------------------------------


def test_all_refusals_are_reported_at_once():
    nodes = [
        node("Dropout", ["v0"], ["v1"], dropout_ratio=0.5),
        node("Custom", ["v0"], ["v3"]),
        node("Add", ["v1", "v3"], ["v2"]),
    ]
    values = {**SMALL["values"], "v3": value()}
    (first, hint), (second, _) = refusals(document(nodes, values=values))
    assert "draws random numbers" in first
    assert "train = False" in hint
    assert "not an operation of Chainer" in second


def test_a_dynamic_graph_is_refused():
    ((message, _),) = refusals({**SMALL, "structure": "dynamic"})
    assert "other operations for other inputs" in message


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([node("ReLU", ["v0"], ["v2"]), node("Tanh", ["v0"], ["v2"])], "computes 'v2' again"),
        ([node("ReLU", ["v1"], ["v2"])], "reads 'v1' before it is there"),
        ([node("ReLU", ["v9"], ["v2"])], "refers to a value 'v9'"),
        ([{"op": "ReLU"}], "has no inputs or outputs"),
        ([3], "has no class"),
    ],
)
def test_a_graph_that_is_not_valid_is_refused(nodes, reason):
    with pytest.raises(nk.InputError, match=reason) as raised:
        read(document(nodes))
    assert "export-script chainer" in raised.value.diagnostics[0].hint


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (node("Softmax", ["v0"], ["v2"], axis=5), "its axis is 5"),
        (node("Reshape", ["v0"], ["v2"], shape=[3, -1]), "its shape is"),
        (node("Sum", ["v0"], ["v2"], axis=[1]), r"has the shape \[1\], not \[1, 4\]"),
        (node("ReLU", ["v0", "v0"], ["v2"]), "2 inputs, not 1"),
        (node("LeakyReLU", ["v0"], ["v2"], slope="x"), "not a number"),
        (node("GetItem", ["v0"], ["v2"], slices=[True]), "selects by a condition"),
        (node("SoftmaxCrossEntropy", ["v0"], ["v2"]), "function for training"),
        (node("NStepLSTM", ["v0"], ["v2"]), "cuDNN"),
    ],
)
def test_a_function_that_cannot_be_read_is_refused(made, reason):
    ((message, hint),) = refusals(document([made]))
    assert re.search(reason, message)
    assert hint


@pytest.mark.parametrize(
    ("data", "error", "reason"),
    [
        (b"{", nk.StorageError, "not JSON"),
        (b"[" * 100_000, nk.StorageError, "not JSON"),
        (b"[]", nk.InputError, "no graph"),
        (b'{"format": "theano-graph"}', nk.InputError, "not a Chainer graph: its format is"),
        (b'{"format": "chainer-graph", "version": 2}', nk.InputError, "version 2"),
        (b'{"format": "chainer-graph", "version": 1}', nk.InputError, "has no 'values'"),
    ],
)
def test_a_file_that_is_not_a_graph_is_refused(data, error, reason):
    with pytest.raises(error, match=reason):
        read(data)


def test_arrays_that_are_not_numbers_or_too_large_are_refused():
    values = {**SMALL["values"], "v1": value("parameter", name="w")}
    broken = document([node("Add", ["v0", "v1"], ["v2"])], values=values)
    with pytest.raises(nk.StorageError, match="not numbers"):
        read(broken, {"v1": np.array([["a"] * 4])})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive, archive.open("v1.npy", "w") as member:
        header = {"descr": "<f4", "fortran_order": False, "shape": (1, 1 << 40)}
        np.lib.format.write_array_header_1_0(member, header)
    with pytest.raises(nk.StorageError, match="far larger than its archive"):
        read(broken, packed.getvalue())
    ((message, _),) = refusals(broken, {"v1": np.zeros((1, 5), np.float32)})
    assert "has the shape [1, 5], not [1, 4]" in message
    ((message, _),) = refusals(broken, {})
    assert "'v1' is missing" in message
    with pytest.raises(nk.StorageError, match=r"not an \.npz file"):
        read(SMALL, b"PK")


# -- Chainer's own exports to ONNX -----------------------------------------------------------------

WRONG = {"softplus", "avg_nd_uncounted", "resize"}
"""Outputs that Chainer exports wrongly: they are read as the file has them."""


@pytest.mark.parametrize("name", names("chainer"))
def test_an_export_to_onnx_is_read_where_it_is_right(name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    stem = name.partition(".")[0]
    model = members("chainer")[f"{stem}.onnx"]
    known = recorded("chainer", name)
    network = nk.from_onnx(model, verify=False, progress=False)
    feeds = {each: known[f"inputs/{network.tensors[each].origin}"] for each in network.inputs}
    found = nk.run(network, feeds)
    session = onnxruntime.InferenceSession(model)
    given = {each.name: known[f"inputs/{each.name}"] for each in session.get_inputs()}
    keys = [each.name for each in session.get_outputs()]
    theirs = dict(zip(keys, session.run(None, given), strict=True))
    for key, array in found.items():
        np.testing.assert_allclose(array, theirs[network.tensors[key].origin or key], atol=1e-5)
        if key not in WRONG:
            np.testing.assert_allclose(array, known[f"outputs/{key}"], atol=1e-5)
