"""`from_theano`: reference networks, single operations, loops, shapes, and what is refused."""

import json
import re
from functools import partial

import dumped_documents
import numpy as np
import pytest
from dumped_documents import node, value
from oracles.dumped_references import differences, digits, files, graph, names, recorded
from oracles.reference_archive import members

import nnefkit as nk

OPERATIONS = sorted(
    each.removesuffix(".json") for each in members("theano", "operations") if ".json" in each
)
REFUSED = {
    "diag": "no operation for it",
    "sort": "does not sort",
    "while": "ends by a condition",
}

read = partial(dumped_documents.read, "theano")
refusals = partial(dumped_documents.refusals, "theano")
document = partial(dumped_documents.document, "theano")


# -- reference networks ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [each for each in names("theano") if each.endswith(".graph")])
def test_a_reference_network_is_read_right(name):
    found = differences("theano", name)
    assert max(found.values()) <= 1e-6, found
    facts = graph("theano", name).provenance
    assert facts["verified"]
    assert facts["theano_version"] == "1.0.5"


@pytest.mark.parametrize("name", [each for each in names("theano") if "optimised" in each])
def test_an_optimized_graph_computes_the_same(name):
    assert max(differences("theano", name).values()) <= 1e-6
    # Its outputs have other names than those of the run.
    assert not graph("theano", name).provenance["verified"]


def test_chainer_and_theano_have_the_same_probabilities():
    images, labels = digits()
    ours, theirs = graph("theano", "digits/digits.graph"), graph("chainer", "digits/digits.graph")
    found = [
        (nk.run(ours, {"image": image})["prob"][0], nk.run(theirs, {"image": image})["output"][0])
        for image in images[::4]
    ]
    assert max(np.abs(a - b).max() for a, b in found) <= 5e-7
    assert (np.argmax([a for a, _ in found], axis=1) == labels[::4]).mean() >= 0.94


# -- single operations -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_computes_what_theano_computes(name):
    found = members("theano", "operations")
    dumped = found[f"{name}.json"], found[f"{name}.npz"]
    if name in REFUSED:
        assert REFUSED[name] in refusals(*dumped)[0][0]
        return
    facts = read(*dumped).provenance
    assert facts["verified"]
    assert facts["largest_difference"] <= 1e-6
    assert "compared" not in facts


def test_operations_cover_the_readers():
    from nnefkit.exchange.theano.operations import THEANO
    from nnefkit.exchange.theano.scalar_call import SCALARS

    documents = [
        json.loads(data)
        for archive in ("networks", "operations")
        for name, data in members("theano", archive).items()
        if name.endswith(".json")
    ]
    nodes = [each for found in documents for each in all_nodes(found["nodes"])]
    untested = {
        # Aliases, what debugging inserts, and what compilers of C, or older versions, write.
        *("Gemm", "Gemv", "CGemv", "Ger", "CGer", "CumsumOp", "CumprodOp", "InplaceDimShuffle"),
        "Tile",
        *("CorrMM", "CorrMM_gradInputs", "Corr3dMM", "Corr3dMM_gradInputs", "CAReduceDtype"),
        *("Assert", "Print", "SpecifyShape", "Unbroadcast", "ViewOp", "OutputGuard", "MakeSlice"),
        *("AdvancedBooleanSubtensor", "AdvancedBooleanIncSubtensor", "UnravelIndex", "Flatten"),
    }
    assert THEANO.readers.keys() - {each["op"] for each in nodes} - untested == set()
    assert not THEANO.readers.keys() & THEANO.refused.keys()
    scalars = {each["scalar_op"]["op"] for each in nodes if "scalar_op" in each}
    assert SCALARS.keys() - scalars <= {"Real", "Conj", "InRange", "ScalarSoftsign", "ArcSinh"} | {
        *("Identity", "Expm1", "Log1p", "ArcCosh")
    }


def all_nodes(nodes):
    for each in nodes:
        yield each
        yield from all_nodes(each.get("inner", {}).get("nodes", []))


# What compilers of C write, against the formulas of the operations.
@pytest.mark.parametrize(("name", "shape"), [("CGemv", (3,)), ("Gemm", (3, 2))])
def test_products_and_sums_are_read_as_defined(name, shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    z, a, b = np.ones((2, *shape[1:]), np.float32), np.float32(0.5), np.float32(2)
    constants = {f"v{n}": each for n, each in enumerate((z, a, matrix, b), 3)}
    values = {key: value("constant", each.shape) for key, each in constants.items()}
    values |= {"v0": value("input", shape), "v2": value(shape=z.shape)}
    made = document([node(name, ["v3", "v4", "v5", "v0", "v6"], ["v2"])], values=values)
    found = nk.run(read(made, constants), {"x": x})["y"]
    np.testing.assert_allclose(found, b * z + a * (matrix @ x), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("conv_half_False", "AbstractConv2d", "CorrMM"),
        ("conv3", "AbstractConv3d", ""),
        ("decFalse", "AbstractConv2d_gradInputs", "CorrMM_gradInputs"),
    ],
)
def test_convolutions_of_compilers_do_not_turn_their_weights(name, old, new):
    found = members("theano", "operations")
    dumped, arrays = found[f"{name}.json"], found[f"{name}.npz"]
    assert f'"{old}"'.encode() in dumped
    renamed = dumped.replace(f'"{old}"'.encode(), f'"{new or "Corr3dMM"}"'.encode())
    if new:
        assert read(renamed, arrays).provenance["verified"]
    else:
        with pytest.raises(nk.ExecutionError):
            read(renamed, arrays)  # The weights of this one are turned.


def test_positions_are_unraveled():
    values = {"v0": value("input", (4,), "int64"), "v1": value("constant", (3,), "int64")}
    values |= {f"v{n}": value(shape=(4,), dtype="int64") for n in (2, 3, 4)}
    made = document(
        [node("UnravelIndex", ["v0", "v1"], ["v2", "v3", "v4"])],
        values=values,
        outputs={"a": "v2", "b": "v3", "c": "v4"},
    )
    x = np.array([0, 7, 23, 12])
    found = nk.run(read(made, {"v1": np.array([2, 3, 4])}), {"x": x})
    for key, expected in zip("abc", np.unravel_index(x, (2, 3, 4)), strict=True):
        np.testing.assert_array_equal(found[key], expected)


# -- shapes and loops ------------------------------------------------------------------------------


def test_a_graph_is_read_for_other_shapes():
    dumped, arrays, run = files("theano", "digits/digits.graph")
    network = read(dumped, arrays, input_shapes={"image": (3, 1, 8, 8)}, run=run)
    assert network.provenance["not_verified"] == "the recorded run has inputs of other shapes"
    images, _ = digits()
    whole = nk.run(network, {"image": images[:3, 0]})["prob"]
    single = graph("theano", "digits/digits.graph")
    for number in range(3):
        one = nk.run(single, {"image": images[number]})["prob"]
        np.testing.assert_allclose(whole[number], one[0], atol=1e-6)
    assert nk.infer_shapes(single, image=(5, 1, 8, 8)).tensors["prob"].shape == (5, 10)


def test_shapes_must_be_known_and_fit():
    values = {**document([])["values"], "v0": {**value("input"), "shape": [None, 4]}}
    made = document([node("ViewOp", ["v0"], ["v2"])], values=values)
    with pytest.raises(nk.InputError, match="has no shape") as raised:
        read(made)
    assert "input_shapes={'x': (1, 1)}" in raised.value.diagnostics[0].hint
    assert read(made, input_shapes={"x": (1, 4)}).outputs == ("y",)
    with pytest.raises(nk.UnknownNameError, match="no input 'z'"):
        read(made, input_shapes={"z": (1, 4)})
    with pytest.raises(nk.InputError, match="has 1 extents"):
        read(made, input_shapes={"x": (4,)})


def test_a_loop_is_unrolled_without_its_buffers():
    found = members("theano", "operations")
    network = read(found["rnnlast.json"], found["rnnlast.npz"])
    names_ = [operation.name for operation in network.operations]
    # Five steps, of which only the last result is read.
    assert names_.count("tanh") == 5
    assert "stack" not in names_


def test_a_loop_of_an_unknown_number_of_steps_is_refused():
    found = members("theano", "operations")
    dumped = json.loads(found["map.json"])
    number = next(n for n, each in enumerate(dumped["nodes"]) if each["op"] == "Scan")
    dumped["values"]["n"] = value("input", (), "int64")
    dumped["inputs"]["n"] = "n"
    dumped["input_order"].append("n")
    dumped["nodes"][number]["inputs"][0] = "n"
    ((message, _),) = refusals(dumped, found["map.npz"])
    assert "its number of steps is computed at run time" in message


# -- refusals --------------------------------------------------------------------------------------


def test_names_are_those_of_variables_and_operations():
    network = graph("theano", "mlp/mlp.graph")
    assert network.inputs == ("x",)
    assert {variable.label for variable in network.variables} >= {"w1", "b1"}
    assert any(name.startswith("tanh") for name in network.tensors)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (node("Elemwise", ["v0"], ["v2"]), "its scalar operation is missing"),
        (node("GpuElemwise", ["v0"], ["v2"]), "operation on a GPU"),
        (node("RandomFunction", ["v0"], ["v2"]), "draws random numbers"),
        (node("Softmax", ["v0", "v0"], ["v2"]), "2 inputs, not 1"),
        (node("Scan", ["v0"], ["v2"], n_mit_mot=1), "loop of a gradient"),
        (node("DimShuffle", ["v0"], ["v2"], new_order=[0, 7]), "its order is"),
        (node("Sum", ["v0"], ["v2"], axis=[0]), r"has the shape \[4\], not \[1, 4\]"),
        (node("Reshape", ["v0", "v0"], ["v2"]), "its shape is computed at run time"),
    ],
)
def test_an_operation_that_cannot_be_read_is_refused(made, reason):
    ((message, hint),) = refusals(document([made]))
    assert re.search(reason, message)
    assert hint


def test_a_scalar_operation_that_nnef_lacks_is_refused():
    made = {**node("Elemwise", ["v0"], ["v2"]), "scalar_op": {"op": "Gamma", "params": {}}}
    ((message, hint),) = refusals(document([made]))
    assert "NNEF has no operation for Gamma" in message
    assert "outputs=[...]" in hint


def test_the_tensors_of_a_run_are_recorded():
    known = recorded("theano", "digits/digits.graph")
    assert sum(key.startswith("tensors/") for key in known) > 10
