"""Classical models, in the domain ``ai.onnx.ml``: trees, linear models, labels of classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import nnefkit as nk

MODELS = Path(__file__).parent / "classical_models"
ML = "ai.onnx.ml"
onnxruntime.set_default_logger_severity(4)


def examples(name, shape):
    """Features of the size of those that the models were trained on, some of them missing."""
    rng = np.random.default_rng(0)
    if name == "onehot":
        return rng.integers(1, 9, shape)
    x = rng.uniform(0.1, 7, shape).astype(np.float32)
    if name in ("lgb_bin", "xgb_bin", "imputer"):
        x[rng.random(shape) < 0.2] = np.nan
    return x


@pytest.mark.parametrize("name", sorted(path.stem for path in MODELS.glob("*.onnx")))
def test_models_of_other_libraries_compute_what_onnx_runtime_computes(name):
    path = MODELS / f"{name}.onnx"
    session = onnxruntime.InferenceSession(path)
    (given,) = session.get_inputs()
    x = examples(name, (25, given.shape[1]))
    graph = nk.from_onnx(path, {given.name: x.shape}, inputs={given.name: x})
    assert graph.provenance["verified"]
    labels = graph.provenance.get("labels", {})
    results, expected = nk.run(graph, x, progress=False), session.run(None, {given.name: x})
    for (output, ours), theirs in zip(results.items(), expected, strict=True):
        if isinstance(theirs, list):
            assert [*theirs[0]] == labels[output]
            theirs = np.array([[*row.values()] for row in theirs])
        if theirs.dtype.kind == "O":
            assert np.array(labels[output])[ours].tolist() == theirs.tolist()
            continue
        assert ours.dtype.kind == theirs.dtype.kind
        np.testing.assert_allclose(ours, theirs, 1e-5, 1e-6)


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_trees_run_in_other_engines(engine):
    path = MODELS / "forest_names.onnx"
    x = examples("", (9, 4))
    graph = nk.from_onnx(path, {"X": x.shape}, verify=False)
    ours, theirs = nk.run(graph, x, progress=False), nk.run(graph, x, engine, progress=False)
    for name, array in ours.items():
        np.testing.assert_allclose(array, theirs[name], 1e-5, 1e-6)


def test_missing_dimensions_are_reported_with_an_example():
    with pytest.raises(nk.InputError, match=r"leaves dimensions of its inputs open: 'X'"):
        nk.from_onnx(MODELS / "xgb.onnx")


def test_traces_of_models_have_indices_of_labels():
    x = examples("", (3, 4))
    trace = nk.trace_onnx(MODELS / "forest_names.onnx", {"X": x})
    assert trace["output_label"].dtype == np.int64


# -- labels ----------------------------------------------------------------------------------------


def model(nodes, outputs, weights=(), shape=(3, 2), dtype=TensorProto.FLOAT):
    inputs = [helper.make_tensor_value_info("x", dtype, shape)]
    infos = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()]
    graph = helper.make_graph(nodes, "classical", inputs, infos, list(weights))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(ML, 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def classifier(labels=("no", "maybe", "yes"), **attributes):
    return helper.make_node(
        "LinearClassifier", ["x"], ["label", "scores"], domain=ML,
        coefficients=[1.0, 0.0, 0.0, 1.0, -1.0, -1.0], intercepts=[0.0, 0.1, 0.0],
        classlabels_strings=list(labels), **attributes,
    )  # fmt: skip


X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]], np.float32)


def test_labels_that_are_strings_become_indices():
    made = model([classifier()], {"label": TensorProto.STRING, "scores": TensorProto.FLOAT})
    graph = nk.from_onnx(made)
    assert graph.provenance["labels"] == {"label": ["no", "maybe", "yes"]}
    assert nk.run(graph, X, progress=False)["label"].tolist() == [0, 1, 2]


def test_labels_are_followed_through_lookups_and_copies():
    nodes = [
        classifier(),
        helper.make_node("Reshape", ["label", "column"], ["moved"]),
        helper.make_node(
            "LabelEncoder", ["moved"], ["answer"], domain=ML,
            keys_strings=["yes", "no", "never"], values_strings=["good", "bad", "ugly"],
            default_string="open",
        ),
    ]  # fmt: skip
    column = numpy_helper.from_array(np.array([-1, 1]), "column")
    made = model(nodes, {"answer": TensorProto.STRING}, [column])
    expected = onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"x": X})[0]
    graph = nk.from_onnx(made)
    labels = np.array(graph.provenance["labels"]["answer"])
    assert labels[nk.run(graph, X, progress=False)["answer"]].tolist() == expected.tolist()
    assert expected.tolist() == [["bad"], ["open"], ["good"]]


def test_tables_of_strings_become_indices():
    nodes = [
        helper.make_node("ArgMax", ["x"], ["index"], axis=1, keepdims=0),
        helper.make_node("ArrayFeatureExtractor", ["classes", "index"], ["label"], domain=ML),
    ]
    classes = helper.make_tensor("classes", TensorProto.STRING, [2], [b"left", b"right"])
    graph = nk.from_onnx(model(nodes, {"label": TensorProto.STRING}, [classes]))
    assert graph.provenance["labels"] == {"label": ["left", "right"]}
    assert nk.run(graph, X, progress=False)["label"].tolist() == [[0, 1, 0]]


def test_strings_that_other_nodes_compute_with_are_refused():
    nodes = [classifier(), helper.make_node("Equal", ["label", "wanted"], ["is_yes"])]
    wanted = helper.make_tensor("wanted", TensorProto.STRING, [1], [b"yes"])
    made = model(nodes, {"is_yes": TensorProto.BOOL}, [wanted])
    with pytest.raises(nk.DocumentError, match="labels are strings, which other nodes compute"):
        nk.from_onnx(made)


# -- refusals --------------------------------------------------------------------------------------


def stump(**changes):
    """A classifier with one tree of one branch."""
    attributes = {
        "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"], "nodes_values": [0.0, 0.0, 0.0],
        "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0],
        "class_treeids": [0, 0], "class_nodeids": [1, 2], "class_ids": [0, 0],
        "class_weights": [0.2, 0.8], "classlabels_int64s": [0, 1],
    } | changes  # fmt: skip
    return helper.make_node(
        "TreeEnsembleClassifier", ["x"], ["label", "scores"], domain=ML, **attributes
    )


def branches(**changes):
    """A regressor with one branch, in the form of version 5."""
    attributes = {
        "n_targets": 2, "tree_roots": [0], "nodes_featureids": [0], "leaf_targetids": [0, 1],
        "nodes_modes": numpy_helper.from_array(np.array([0], np.uint8)),
        "nodes_splits": numpy_helper.from_array(np.zeros(1, np.float32)),
        "nodes_truenodeids": [0], "nodes_falsenodeids": [1], "nodes_trueleafs": [1],
        "nodes_falseleafs": [1],
        "leaf_weights": numpy_helper.from_array(np.ones(2, np.float32)),
    } | changes  # fmt: skip
    return helper.make_node("TreeEnsemble", ["x"], ["scores"], domain=ML, **attributes)


def svm(**changes):
    attributes = {
        "kernel_type": "RBF", "kernel_params": [0.5, 0.0, 3.0], "vectors_per_class": [1, 1],
        "support_vectors": [0.0, 1.0, 1.0, 0.0], "coefficients": [1.0, -1.0], "rho": [0.1],
        "classlabels_ints": [0, 1],
    } | changes  # fmt: skip
    return helper.make_node("SVMClassifier", ["x"], ["label", "scores"], domain=ML, **attributes)


def encoder(name, **attributes):
    return helper.make_node(name, ["x"], ["scores"], domain=ML, **attributes)


REFUSED = {
    "a cycle": (
        stump(nodes_modes=["BRANCH_LEQ", "BRANCH_LEQ", "LEAF"], nodes_falsenodeids=[2, 2, 0]),
        "returns to where it was",
    ),
    "a node that does not exist": (stump(nodes_falsenodeids=[7, 0, 0]), "does not exist"),
    "a node beyond its tree": (branches(nodes_falsenodeids=[5]), "does not exist"),
    "a feature that does not exist": (stump(nodes_featureids=[2, 0, 0]), "beyond the 2 of"),
    "a class that does not exist": (stump(class_ids=[0, 3]), "targets beyond its 2"),
    "scores for both classes": (stump(class_ids=[0, 1]), "runtimes disagree"),
    "several scores for a class": (stump(class_nodeids=[1, 1]), "several scores for a target"),
    "an unknown mode": (
        stump(nodes_modes=["BRANCH_ODD", "LEAF", "LEAF"]), "unknown mode 'ODD'"
    ),
    "lengths that differ": (stump(nodes_values=[0.0]), "of different lengths"),
    "mixed trees": (
        stump(
            nodes_treeids=[0, 1, 0, 0], nodes_nodeids=[0, 0, 1, 2],
            nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF", "LEAF"], nodes_values=[0.0] * 4,
            nodes_featureids=[0] * 4, nodes_truenodeids=[1, 0, 0, 0],
            nodes_falsenodeids=[2, 0, 0, 0],
        ),
        "not in order",
    ),
    "PROBIT of one of two classes": (stump(post_transform="PROBIT"), "by PROBIT"),
    "an unknown transformation": (
        stump(post_transform="ODD", class_ids=[0, 1], classlabels_int64s=[0, 1, 2]), "'ODD'"
    ),
    "two base values for one score": (stump(base_values=[0.1, 0.2]), "2 base values"),
    "transformations that runtimes confuse": (branches(post_transform=1), "confuses SOFTMAX"),
    "probabilities of support vectors": (svm(prob_a=[1.0], prob_b=[0.0]), "probabilities"),
    "categories that are strings": (
        encoder("OneHotEncoder", cats_strings=["a"]), "categories are strings"
    ),
    "conversions of strings": (
        encoder("CategoryMapper", cats_strings=["a"], cats_int64s=[1]), "strings and integers"
    ),
    "integers beyond float32": (
        encoder("LabelEncoder", keys_int64s=[2**40], values_int64s=[1]), "above 16,777,216"
    ),
    "scales that do not fit": (
        encoder("Scaler", offset=[0.0] * 3, scale=[1.0] * 3), "has 3 numbers"
    ),
    "an unknown norm": (encoder("Normalizer", norm="L7"), "norm 'L7' is unknown"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_expressed_is_refused(what):
    node, message = REFUSED[what]
    outputs = {"scores": TensorProto.FLOAT}
    if "label" in node.output:
        outputs["label"] = TensorProto.INT64
    with pytest.raises(nk.DocumentError, match=message) as caught:
        nk.from_onnx(model([node], outputs), verify=False)
    assert all(diagnostic.hint for diagnostic in caught.value.diagnostics)


def test_unknown_operators_of_the_domain_are_refused():
    node = helper.make_node("Oracle", ["x"], ["scores"], domain=ML)
    with pytest.raises(nk.DocumentError, match=r"operator of the domain 'ai\.onnx\.ml'"):
        nk.from_onnx(model([node], {"scores": TensorProto.FLOAT}))


def test_deep_trees_are_unrolled_once_for_all_trees():
    depth, trees = 60, 3
    # A branch, and a leaf at its true side; the false side is the next branch, or the last leaf.
    levels = np.arange(2 * depth + 1)
    is_branch = (levels % 2 == 0) & (levels < 2 * depth)
    leaves = np.flatnonzero(~is_branch)
    each = {
        "nodes_nodeids": levels,
        "nodes_featureids": np.zeros_like(levels),
        "nodes_truenodeids": np.where(is_branch, levels + 1, 0),
        "nodes_falsenodeids": np.where(is_branch, levels + 2, 0),
        "target_nodeids": leaves,
        "target_ids": np.zeros_like(leaves),
    }
    rng = np.random.default_rng(0)
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["scores"], domain=ML, n_targets=1,
        **{name: np.tile(column, trees).tolist() for name, column in each.items()},
        nodes_treeids=np.repeat(np.arange(trees), len(levels)).tolist(),
        nodes_modes=np.where(is_branch, "BRANCH_LT", "LEAF").tolist() * trees,
        nodes_values=np.sort(rng.normal(size=(trees, len(levels)))).reshape(-1).tolist(),
        target_treeids=np.repeat(np.arange(trees), len(leaves)).tolist(),
        target_weights=rng.normal(size=trees * len(leaves)).tolist(),
    )  # fmt: skip
    graph = nk.from_onnx(model([node], {"scores": TensorProto.FLOAT}, shape=(40, 2)))
    assert graph.provenance["verified"]
    assert len(graph.operations) < 12 * depth
