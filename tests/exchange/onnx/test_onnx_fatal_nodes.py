"""Nodes at which a run would end the process or never end are refused before it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from small_models import FLOAT, model, node, weight

import nnefkit as nk

ML = "ai.onnx.ml"
HERE = str(Path(__file__).parent)


def trees(true, false, x="x", y="y"):
    """Return an ensemble of one tree, whose last node is its only leaf."""
    count = len(true)
    return helper.make_node(
        "TreeEnsembleRegressor",
        [x],
        [y],
        domain=ML,
        n_targets=1,
        nodes_treeids=[0] * count,
        nodes_nodeids=[*range(count)],
        nodes_featureids=[0] * count,
        nodes_values=[0.5] * count,
        nodes_modes=["BRANCH_LEQ"] * (count - 1) + ["LEAF"],
        nodes_truenodeids=true,
        nodes_falsenodeids=false,
        target_treeids=[0],
        target_nodeids=[count - 1],
        target_ids=[0],
        target_weights=[1.0],
    )


def branches(true, false):
    """Return an ensemble in the form of version 5, with one leaf."""
    count = len(true)
    return helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["y"],
        domain=ML,
        nodes_featureids=[0] * count,
        nodes_splits=helper.make_tensor("s", FLOAT, [count], [0.5] * count),
        nodes_modes=helper.make_tensor("m", TensorProto.UINT8, [count], [0] * count),
        nodes_truenodeids=true,
        nodes_falsenodeids=false,
        nodes_trueleafs=[0] * count,
        nodes_falseleafs=[0] * (count - 1) + [1],
        leaf_targetids=[0],
        leaf_weights=helper.make_tensor("w", FLOAT, [1], [1.0]),
        tree_roots=[0],
    )


def with_ml(*nodes, version=3, **parts):
    source = model(*nodes, **parts)
    source.opset_import.append(helper.make_opsetid(ML, version))
    return source


def branch(body, condition):
    """Return a model with nodes in a branch, which is taken if the condition is true."""
    then = helper.make_graph(body, "then", [], [helper.make_empty_tensor_value_info("inner")])
    other = helper.make_graph(
        [node("Relu", "x", "other")], "else", [], [helper.make_empty_tensor_value_info("other")]
    )
    made = helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    return with_ml(made, weights=[weight(np.array(condition), "c")])


def transform(x):
    """Return a short-time transform of a signal, and its weights."""
    weights = [weight(np.array(1), "step"), weight(np.array(4), "length")]
    return helper.make_node("STFT", [x, "step", "", "length"], ["y"]), weights


def fatal(case):
    """Return a model that ends the process or never ends, and the name of the node."""
    if case == "a node of a tree leads to itself":
        return with_ml(trees([0, 0], [0, 1])), "TreeEnsembleRegressor"
    if case == "a node of a tree leads back":
        return with_ml(trees([3, 2, 1, 0], [1, 2, 3, 0])), "TreeEnsembleRegressor"
    if case == "a cycle of many nodes":
        count = 2000
        return (
            with_ml(trees([*range(1, count - 1), 0, 0], [count - 1] * (count - 1) + [0])),
            "TreeEnsembleRegressor",
        )
    if case == "trees of version 5":
        return with_ml(branches([1, 0], [1, 0]), version=5), "TreeEnsemble"
    if case == "trees after a node of unknown extents":
        nodes = node("NonZero", "x", "n"), node("Cast", "n", "r", to=FLOAT)
        return with_ml(*nodes, trees([0, 0], [0, 1], "r")), "TreeEnsembleRegressor"
    if case in ("trees in a branch", "trees in an unused branch"):
        body = [trees([0, 0], [0, 1], y="inner")]
        return branch(body, case == "trees in a branch"), "TreeEnsembleRegressor"
    if case == "a transform of a scalar":
        made, weights = transform("x")
        return model(made, inputs=[("x", FLOAT, None)], weights=weights), "STFT"
    made, weights = transform("r")
    nodes = node("NonZero", "x", "n"), node("Size", "n", "s"), node("Cast", "s", "r", to=FLOAT)
    return model(*nodes, made, outputs=("y", "n"), weights=weights), "STFT"


CASES = [
    "a node of a tree leads to itself",
    "a node of a tree leads back",
    "a cycle of many nodes",
    "trees of version 5",
    "trees after a node of unknown extents",
    "trees in a branch",
    "trees in an unused branch",
    "a transform of a scalar",
    "a transform of a scalar after a refused node",
]


def in_another_process(code, seconds=60):
    """Return what a program prints; it fails if it ends otherwise, or takes longer."""
    setup = f"import sys; sys.path.append({HERE!r}); from test_onnx_fatal_nodes import *\n"
    done = subprocess.run(
        [sys.executable, "-c", setup + code], capture_output=True, text=True, timeout=seconds
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("case", CASES)
def test_a_node_at_which_the_process_would_end_or_hang_is_refused_by_name(case):
    code = f"""
source, _ = fatal({case!r})
shape = [d.dim_value for d in source.graph.input[0].type.tensor_type.shape.dim]
try:
    nk.trace_onnx(source, {{"x": np.ones(shape, np.float32)}}, progress=False)
except nk.ExecutionError as error:
    print(error)
"""
    printed = in_another_process(code)
    assert fatal(case)[1] in printed
    assert "'y'" in printed or "'inner'" in printed


def test_a_proof_does_not_run_trees_in_an_unused_branch():
    printed = in_another_process("""
source, _ = fatal("trees in an unused branch")
print(len(nk.from_onnx(source, verify=False).operations))
try:
    nk.from_onnx(source)
except nk.ExecutionError as error:
    print(error)
""")
    assert "TreeEnsembleRegressor" in printed


def test_a_given_graph_does_not_spare_the_check_of_trees():
    printed = in_another_process("""
graph = nk.from_onnx(model(node("Relu", "x")))
try:
    nk.trace_onnx(fatal(CASES[0])[0], {"x": np.ones((2, 3))}, graph=graph)
except nk.ExecutionError as error:
    print(error)
""")
    assert "returns to where it was" in printed


def test_nodes_are_refused_before_the_run_also_where_only_the_runtime_would_tell():
    source = model(node("Squeeze", "x", "t", axes=[0]), node("Relu", "t"), opset=12)
    with pytest.raises(nk.ExecutionError, match="not run, since it is not valid: Squeeze"):
        nk.trace_onnx(source, {"x": np.ones((2, 3))})


def test_a_node_that_is_only_unreadable_is_run_and_valid_ones_after_it():
    x = np.array([[1, 0, 2], [0, 3, 0]], np.float32)
    source = model(
        node("NonZero", "x", "places"),
        node("Hardmax", "x", "h"),
        node("Unique", "x", "unique"),
        node("Add", "h x", "y"),
        outputs=("y", "places", "unique"),
    )
    trace = nk.trace_onnx(source, {"x": x})
    np.testing.assert_array_equal(trace["places"], np.nonzero(x))
    np.testing.assert_array_equal(trace["unique"], [0, 1, 2, 3])


def test_deep_trees_and_nodes_with_two_ways_to_them_are_run():
    deep = 600
    chain = [*range(1, deep), 0], [deep - 1] * (deep - 1) + [0]
    trace = nk.trace_onnx(with_ml(trees(*chain)), {"x": np.zeros((2, 3))})
    np.testing.assert_array_equal(trace["y"], [[1], [1]])
    joined = with_ml(trees([1, 2, 0], [1, 2, 0]))
    np.testing.assert_array_equal(nk.trace_onnx(joined, {"x": np.zeros((1, 3))})["y"], [[1]])


def test_missing_inputs_are_named_before_the_model_is_read():
    source = model(node("Add", "x z"), inputs=[("x", FLOAT, ["n"]), ("z", FLOAT, ["n"])])
    with pytest.raises(nk.ExecutionError, match="its inputs 'z' are missing"):
        nk.trace_onnx(source, {"x": [1.0]})
