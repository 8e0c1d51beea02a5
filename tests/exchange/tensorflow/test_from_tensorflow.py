"""`from_tensorflow`: names, shapes, cuts, functions, branches, loops, variables, refusals."""

import shutil

import numpy as np
import pytest

pytest.importorskip("google.protobuf")

from oracles.tensorflow_graphs import Written
from oracles.tensorflow_references import path

import nnefkit as nk

F = np.dtype(np.float32)
X = np.random.default_rng(0).uniform(-1.5, 1.5, (2, 3)).astype(np.float32)


def read(written, **options):
    data = written if isinstance(written, bytes) else written.bytes()
    return nk.from_tensorflow(data, verify=False, progress=False, **options)


def refusals(written, **options):
    with pytest.raises(nk.DocumentError) as raised:
        read(written, **options)
    return [each.message for each in raised.value.diagnostics]


def only(graph, **inputs):
    (output,) = nk.run(graph, inputs or {graph.inputs[0]: X}).values()
    return output


def chain():
    written = Written()
    written.input("x", (2, 3))
    written.add("a/relu", "Relu", "x", T=F)
    written.add("y", "Tanh", "a/relu", T=F)
    return written


# -- the call --------------------------------------------------------------------------------------


def test_placeholders_are_inputs_and_ends_are_outputs():
    graph = read(chain())
    assert (graph.inputs, graph.outputs) == (("x",), ("y",))
    assert graph.tensors["a_relu"].origin == "a/relu"
    assert graph.provenance["source"] == "TensorFlow"
    assert graph.provenance["verified"] is False


def test_tensors_are_chosen_and_named():
    assert read(chain(), outputs=["a/relu"]).outputs == ("a_relu",)
    assert read(chain(), outputs={"scores": "a/relu:0"}).outputs == ("scores",)
    graph = read(chain(), inputs={"half": "a/relu"}, input_shapes={"half": (2, 3)})
    assert graph.inputs == ("half",)
    np.testing.assert_allclose(only(graph), np.tanh(X), rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": ["z"]}, "no node 'z'"),
        ({"inputs": ["xx"]}, "no node 'xx'"),
        ({"outputs": [7]}, "must be a string"),
        ({"signature": "serve"}, "no signature 'serve'"),
        ({"input_shapes": {"y": (1,)}}, "no input 'y'"),
        ({"input_shapes": {"x": (1, 2, 3)}}, "3 extents, but the model expects 2"),
        ({"input_shapes": {"x": (0, 3)}}, "the shape for 'x' is"),
        ({"input_shapes": [1]}, "must be a mapping"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(nk.NnefError, match=message):
        read(chain(), **options)


def test_open_dimensions_need_a_shape():
    written = Written()
    written.input("x", (-1, 3))
    written.add("y", "Relu", "x", T=F)
    with pytest.raises(nk.InputError, match=r"'x' \[\?, 3\]") as raised:
        read(written)
    assert "input_shapes={'x': (1, 3)}" in raised.value.diagnostics[0].hint
    assert read(written, input_shapes={"x": (5, 3)}).tensors["y"].shape == (5, 3)
    graph = read(written, input_shapes={"x": (2, 3)}, dynamic_shapes={"x": {0: (1, 9)}})
    assert graph.with_input_shapes(x=(7, 3)).tensors["y"].shape == (7, 3)


def test_all_problems_are_reported_at_once_by_name():
    written = Written()
    written.input("x", (2, 3))
    written.add("a", "Betainc", "x", T=F)
    written.add("b", "Zeta", "x", "x", T=F)
    written.add("c", "Polygamma", "a", "b", T=F)
    found = refusals(written)
    assert [each.partition(":")[0] for each in found] == [
        "Betainc 'a'",
        "Zeta 'b'",
        "Polygamma 'c'",
    ]


def test_what_no_output_needs_is_not_read():
    written = chain()
    written.add("loss", "Zeta", "y", "y", T=F)
    assert refusals(written) == ["Zeta 'loss': NNEF has no operation for it"]
    assert read(written, outputs=["y"]).outputs == ("y",)


# -- functions, branches, loops --------------------------------------------------------------------


def test_functions_are_inlined():
    written = Written()
    written.input("x", (2, 3))
    inner = written.function("half", ["v"], {"r": "m:z:0"})
    inner("two", "Const", dtype=F, value=np.asarray(2, np.float32))
    inner("m", "RealDiv", "v", "two:output:0", T=F)
    outer = written.function("both", ["v"], {"p": "h:output:0", "q": "s:output:1"})
    outer("h", "PartitionedCall", "v", f={"func": "half"})
    outer("axis", "Const", dtype=np.dtype(np.int32), value=np.asarray(1, np.int32))
    outer("s", "Split", "axis:output:0", "v", T=F, num_split=3)
    written.add("c", "StatefulPartitionedCall", "x", f={"func": "both"})
    graph = read(written, outputs=["c", "c:1"])
    first, second = nk.run(graph, {"x": X}).values()
    np.testing.assert_allclose(first, X / 2)
    np.testing.assert_allclose(second, X[:, 1:2])


def test_functions_that_call_themselves_are_refused():
    written = Written()
    written.input("x", (2, 3))
    inner = written.function("again", ["v"], {"r": "c:output:0"})
    inner("c", "PartitionedCall", "v", f={"func": "again"})
    written.add("y", "PartitionedCall", "x", f={"func": "again"})
    assert "call each other without an end" in refusals(written)[0]


def switched(condition):
    """``2 x`` or ``x + 1``, as TensorFlow 1 writes a branch."""
    written = Written()
    written.input("x", (2, 3))
    condition(written)
    written.add("switch", "Switch", "x", "p", T=F)
    written.add("pivot/Switch", "Switch", "p", "p", T=np.dtype(np.bool_))
    written.add("pivot/t", "Identity", "pivot/Switch:1")
    written.add("pivot/f", "Identity", "pivot/Switch")
    written.add("one", "Const", "^pivot/f", dtype=F, value=np.asarray(1, np.float32))
    written.add("two", "Const", "^pivot/t", dtype=F, value=np.asarray(2, np.float32))
    written.add("true", "Mul", "switch:1", "two", T=F)
    written.add("false", "AddV2", "switch", "one", T=F)
    written.add("y", "Merge", "false", "true", T=F, N=2)
    return read(written, outputs=["y"])


@pytest.mark.parametrize("taken", [True, False])
def test_a_branch_with_a_constant_condition_is_chosen(taken):
    graph = switched(lambda written: written.constant("p", taken))
    assert len(graph.computations) == 1
    np.testing.assert_allclose(only(graph), 2 * X if taken else X + 1, rtol=1e-6)


def test_a_branch_with_a_computed_condition_is_selected():
    def condition(written):
        written.constant("axes", [0, 1], np.int32)
        written.add("sum", "Sum", "x", "axes", T=F)
        written.constant("zero", np.float32(0))
        written.add("p", "Greater", "sum", "zero", T=F)

    graph = switched(condition)
    assert [op.name for op in graph.operations].count("select") == 1
    for x in (X - X.mean() + 1, X - X.mean() - 1):
        np.testing.assert_allclose(only(graph, x=x), 2 * x if x.sum() > 0 else x + 1, rtol=1e-6)


def test_dropout_without_effect_disappears_and_other_random_numbers_are_refused():
    for rate, is_read in ((0.0, True), (0.5, False)):
        written = Written()
        written.input("x", (2, 3))
        written.constant("shape", [2, 3], np.int32)
        written.add("random", "RandomUniform", "shape", T=np.dtype(np.int32), dtype=F)
        written.constant("rate", np.float32(rate))
        written.add("keep", "GreaterEqual", "random", "rate", T=F)
        written.add("mask", "Cast", "keep", SrcT=np.dtype(np.bool_), DstT=F)
        written.add("y", "Mul", "x", "mask", T=F)
        if is_read:
            np.testing.assert_array_equal(only(read(written)), X)
        else:
            assert "it compares with random numbers" in refusals(written)[0]


def loop(limit):
    """``x 1.5^n``, as TensorFlow 1 writes a loop of `limit` rounds."""
    written = Written()
    written.input("x", (2, 3))
    count, frame = np.dtype(np.int32), {"frame_name": "while"}
    written.constant("zero", np.int32(0))
    limit(written)
    for name, start, dtype in (("k", "zero", count), ("v", "x", F), ("n", "limit", count)):
        written.add(f"{name}/Enter", "Enter", start, T=dtype, **frame)
    for name, dtype in (("k", count), ("v", F)):
        written.add(f"{name}/Merge", "Merge", f"{name}/Enter", f"{name}/Next", T=dtype, N=2)
        written.add(f"{name}/Switch", "Switch", f"{name}/Merge", "cond", T=dtype)
        written.add(f"{name}/Body", "Identity", f"{name}/Switch:1", T=dtype)
        written.add(f"{name}/Next", "NextIteration", f"{name}/New", T=dtype)
        written.add(f"{name}/Exit", "Exit", f"{name}/Switch", T=dtype)
    written.add("less", "Less", "k/Merge", "n/Enter", T=count)
    written.add("cond", "LoopCond", "less")
    written.add("one", "Const", "^k/Body", dtype=count, value=np.asarray(1, np.int32))
    written.add("factor", "Const", "^k/Body", dtype=F, value=np.asarray(1.5, np.float32))
    written.add("k/New", "AddV2", "k/Body", "one", T=count)
    written.add("v/New", "Mul", "v/Body", "factor", T=F)
    return written


def test_loops_of_both_versions_are_unrolled():
    graph = read(loop(lambda written: written.constant("limit", np.int32(4))), outputs=["v/Exit"])
    assert [op.name for op in graph.computations] == ["mul"] * 4
    np.testing.assert_allclose(only(graph), X * 1.5**4, rtol=1e-6)
    written = Written()
    written.input("x", (2, 3))
    written.constant("zero", np.int32(0))
    condition = written.function("goes_on", ["k", "v"], {"r": "less:z:0"})
    condition("n", "Const", dtype=np.dtype(np.int32), value=np.asarray(3, np.int32))
    condition("less", "Less", "k", "n:output:0", T=np.dtype(np.int32))
    body = written.function("body", ["k", "v"], {"k_new": "next:z:0", "v_new": "double:z:0"})
    body("one", "Const", dtype=np.dtype(np.int32), value=np.asarray(1, np.int32))
    body("next", "AddV2", "k", "one:output:0", T=np.dtype(np.int32))
    body("double", "AddV2", "v", "v", T=F)
    functions = {"cond": {"func": "goes_on"}, "body": {"func": "body"}}
    written.add("while", "StatelessWhile", "zero", "x", **functions)
    np.testing.assert_allclose(only(read(written, outputs=["while:1"])), 8 * X, rtol=1e-6)


def test_loops_with_a_computed_condition_and_endless_ones_are_refused():
    def computed(written):
        written.constant("axes", [0, 1], np.int32)
        written.add("most", "Max", "x", "axes", T=F)
        written.add("limit", "Cast", "most", SrcT=F, DstT=np.dtype(np.int32))

    found = refusals(loop(computed), outputs=["v/Exit"])
    assert "the condition of its loop is computed at run time" in found[0]
    endless = loop(lambda written: written.constant("limit", np.int32(2**30)))
    assert "repeats more than 1000 times" in refusals(endless, outputs=["v/Exit"])[0]
    with nk.Budget(steps=500):
        assert "more than 500 steps to read" in refusals(endless, outputs=["v/Exit"])[0]


# -- layers ----------------------------------------------------------------------------------------

FILTERS = np.random.default_rng(1).uniform(-1, 1, (3, 3, 3, 4)).astype(np.float32)
IMAGE = np.random.default_rng(2).uniform(-1, 1, (1, 5, 6, 3)).astype(np.float32)


def biased(shape, *, also=()):
    written = Written()
    written.input("x", IMAGE.shape)
    written.constant("w", FILTERS)
    written.add("conv", "Conv2D", "x", "w", T=F, strides=[1, 1, 1, 1], padding="SAME")
    written.constant("b", np.arange(1, 5, dtype=np.float32).reshape(shape))
    written.add("y", "BiasAdd" if len(shape) == 1 else "AddV2", "conv", "b", T=F)
    return read(written, outputs=["y", *also], layout="nnef")


@pytest.mark.parametrize("shape", [(4,), (1, 4), (1, 1, 1, 4)])
def test_a_bias_is_part_of_the_layer_that_it_is_added_to(shape):
    graph = biased(shape)
    (conv,) = graph.computations
    assert conv.name == "conv"
    assert graph.outputs == ("y",)
    without, added = nk.run(biased(shape, also=["conv"]), IMAGE.transpose(0, 3, 1, 2)).values()
    np.testing.assert_allclose(without, only(graph, x=IMAGE.transpose(0, 3, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(
        without - added, np.arange(1, 5).reshape(1, 4, 1, 1) + 0 * added, rtol=1e-4
    )


def test_tensors_of_functions_have_the_names_and_the_path_of_their_nodes():
    written = Written()
    written.input("x", (2, 3))
    inner = written.function("layer", ["v"], {"r": "relu:activations:0"})
    inner("act/tanh", "Tanh", "v", T=F)
    inner("relu", "Relu", "act/tanh:y:0", T=F)
    written.add("c", "PartitionedCall", "x", f={"func": "layer"})
    graph = read(written, outputs=["c"])
    assert graph.tensors["act_tanh"].origin == "c/act/tanh"


# -- variables -------------------------------------------------------------------------------------


def test_a_variable_without_a_checkpoint_is_refused():
    written = Written()
    written.input("x", (2, 3))
    written.add("w", "VarHandleOp", dtype=F, shape=(3,), shared_name="layer/w")
    written.add("w/Read", "ReadVariableOp", "w", dtype=F)
    written.add("y", "Mul", "x", "w/Read", T=F)
    assert "the value of the variable 'layer/w' is not in the file" in refusals(written)[0]


def test_a_variable_that_a_run_assigns_is_refused(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(path("networks/tf1_zoo/checkpoint/model.ckpt.meta").parent, folder)
    from nnefkit.exchange.tensorflow.messages import FORMAT

    file = folder / "model.ckpt.meta"
    meta = FORMAT.parsed("MetaGraphDef", file.read_bytes())
    node = meta.graph_def.node.add(name="late", op="Assign", input=["b2", "b2/read"])
    node.attr["T"].type = 1
    elu = next(each for each in meta.graph_def.node if each.name == "elu")
    elu.input.append("^late")
    file.write_bytes(meta.SerializeToString())
    shapes = {"image": (1, 11, 8, 4)}
    with pytest.raises(nk.DocumentError, match="a run assigns the variable 'b2'"):
        nk.from_tensorflow(file, outputs=["elu"], input_shapes=shapes)
    nk.from_tensorflow(file, outputs=["avg"], input_shapes=shapes)
