"""`from_mxnet`: versions, names, inputs, parameters, cuts, layouts and refusals."""

import io
import re

import numpy as np
import pytest
import torch
from mxnet_networks import array_of, file_of, node, params_of, read, symbol_of, variable

import nnefkit as nk

X = np.random.default_rng(0).uniform(-1.5, 1.5, (2, 3, 4)).astype(np.float32)


def refusals(*arguments, **options):
    with pytest.raises(nk.DocumentError) as raised:
        read(*arguments, **options)
    return [(each.message, each.hint) for each in raised.value.diagnostics]


def run(graph, **inputs):
    return [*nk.run(graph, inputs or {"x": X}, progress=False).values()]


# -- versions --------------------------------------------------------------------------------------


def test_the_attributes_of_all_versions_are_read():
    for key in ("attrs", "attr", "param"):
        written = node("_mul_scalar", "y", [0])
        written[key] = {"scalar": "3"}
        if key == "param":
            written["attr"] = {"ctx_group": "dev1", "lr_mult": "2"}
        if key != "attrs":
            del written["attrs"]
        np.testing.assert_array_equal(run(read(symbol_of(variable("x"), written)))[0], 3 * X)


def test_states_that_old_symbols_leave_out_are_found():
    nodes = [variable("x"), variable("bn_gamma"), variable("bn_beta")]
    old = symbol_of(*nodes, node("BatchNorm", "bn", [0, 1, 2], fix_gamma="False"), version=800)
    names = ("bn_gamma", "bn_beta", "bn_moving_mean", "bn_moving_var")
    arrays = {name: np.array([1, 2, 4], np.float32) + i for i, name in enumerate(names)}
    gamma, beta, mean, variance = (each[:, None] for each in arrays.values())
    expected = (X - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    np.testing.assert_allclose(run(read(old, params_of(arrays)))[0], expected, rtol=1e-5)


def test_an_axis_of_minus_one_was_all_of_them_before_0_9_5():
    nodes = [variable("x"), node("argmax", "y", [0], axis="-1")]
    old, new = (read(symbol_of(*nodes, version=v)) for v in (904, 905))
    np.testing.assert_array_equal(run(old)[0], [X.argmax()])
    np.testing.assert_array_equal(run(new)[0], X.argmax(-1))


@pytest.mark.parametrize("magic", [0, 0xF993FAC8, 0xF993FAC9, 0xF993FACA])
def test_arrays_of_all_versions_are_read(magic):
    data = np.arange(12, dtype=np.float32).reshape(3, 4)
    symbol = symbol_of(variable("x"), variable("w"), node("broadcast_add", "y", [0, 1]))
    for prefix in ("", "arg:", "aux:"):
        graph = read(symbol, file_of([array_of(data, magic)], [f"{prefix}w"]))
        np.testing.assert_array_equal(run(graph)[0], X + data)
        assert [op.attribs.get("label") for op in graph.operations][1] == "w"


@pytest.mark.parametrize("dtype", ["float64", "float16", "uint8", "int32", "int8", "int64"])
def test_parameters_of_all_types_are_read(dtype):
    data = np.array([[1, 2, 0, 3]] * 3, dtype)
    symbol = symbol_of(variable("x"), variable("w"), node("broadcast_mul", "y", [0, 1]))
    graph = read(symbol, file_of([array_of(data)], ["arg:w"]))
    np.testing.assert_array_equal(run(graph)[0], X * data.astype(np.float32))


def test_bfloat16_is_the_upper_half_of_float32():
    data = np.array([1.0, -2.5, 3e8, 0.0078125], np.float32)
    data = (data.view(np.uint32) >> 16 << 16).view(np.float32)
    half = (data.view(np.uint32) >> 16).astype(np.uint16)
    written = file_of([array_of(half.view(np.int16), code=12)], ["w"])
    graph = read(
        symbol_of(variable("x"), variable("w"), node("broadcast_add", "y", [0, 1])), written
    )
    np.testing.assert_array_equal(run(graph)[0], X + data)


def test_parameters_of_mxnet_2_are_an_archive():
    file = io.BytesIO()
    np.savez(file, **{"arg:y_weight": X})
    np.testing.assert_array_equal(run(read(NEEDS, file.getvalue()))[0], 2 * X)
    for damaged in (file.getvalue()[:60], file.getvalue()[:90] + b"x" + file.getvalue()[91:]):
        with pytest.raises(nk.StorageError):
            read(NEEDS, damaged)


# -- names, inputs and outputs ---------------------------------------------------------------------

TWICE = symbol_of(
    variable("x"),
    node("tanh", "same", [0]),
    node("tanh", "same", [1]),
    node("SliceChannel", "cut", [2], num_outputs="3"),
    node("elemwise_add", "y", [(3, 0), (3, 2)]),
    heads=[[4, 0, 0], [3, 1, 0], [0, 0, 0]],
)


def test_tensors_have_the_names_of_nodes_and_outputs_those_of_mxnet():
    graph = read(TWICE)
    assert graph.outputs == ("y_output", "cut_output1", "x_1")
    assert {"same", "same_1", "cut_output0"} <= {*graph.tensors}
    origins = [graph.tensors[name].origin for name in ("same", "same_1", "y_output", "x")]
    assert origins == ["same_output", "same_output#2", "y_output", "x"]
    np.testing.assert_array_equal(run(graph)[2], X)


def test_outputs_are_outputs_or_nodes():
    assert read(TWICE, outputs="same").outputs == ("same",)
    assert [op.name for op in read(TWICE, outputs=["cut_output2"]).operations][-1] == "split"
    with pytest.raises(nk.UnknownNameError, match="no output or node 'cut_output3'") as raised:
        read(TWICE, outputs=["cut_output3"])
    assert "cut_output" in raised.value.diagnostics[0].hint
    with pytest.raises(nk.InputError, match="no outputs are named"):
        read(TWICE, outputs=[])


def test_shapes_are_those_of_the_network_or_given_ones():
    noted = symbol_of(variable("x", __shape__="(2, 3, 4)"), node("tanh", "y", [0]))
    assert read(noted, shapes={}).tensors["x"].shape == (2, 3, 4)
    assert read(noted, shapes={"x": (5, 6)}).tensors["y_output"].shape == (5, 6)
    open_ = symbol_of(variable("x", __shape__="(0, 3)"), node("tanh", "y", [0]))
    with pytest.raises(nk.InputError, match=r"the shapes of these inputs are not .*: 'x'"):
        read(open_, shapes={})
    with pytest.raises(nk.UnknownNameError, match="no input 'z'"):
        read(noted, shapes={"z": (1,)})
    with pytest.raises(nk.InputError):
        read(noted, shapes={"x": (0, 3)})


def test_labels_are_not_inputs():
    symbol = symbol_of(variable("x"), variable("l"), node("SoftmaxOutput", "y", [0, 1]))
    assert read(symbol).inputs == ("x",)
    assert read(symbol, shapes={"x": (2, 3, 4), "l": (2,)}).inputs == ("x",)


def test_inputs_may_be_integers():
    symbol = symbol_of(variable("x", __dtype__="4"), variable("w"), node("take", "y", [1, 0]))
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    graph = read(symbol, params_of({"w": table}), {"x": (2,)})
    assert graph.provenance["integer_inputs"] == {"x": "int32"}
    found = run(graph, x=np.array([3, 1], np.int32))[0]
    np.testing.assert_array_equal(found, table[[3, 1]])


def test_states_of_an_open_batch_take_that_of_the_inputs():
    symbol = symbol_of(
        variable("x"),
        node("_zeros", "state", shape="(0, 4)"),
        node("SliceChannel", "cut", [0], num_outputs="3", squeeze_axis="True"),
        node("elemwise_add", "y", [(2, 1), 1]),
    )
    np.testing.assert_array_equal(run(read(symbol))[0], X[:, 1])
    (refused,) = refusals(symbol_of(variable("x"), node("_ones", "y", shape="(0, 4)")))
    assert "0 is an extent that MXNet infers" in refused[0]


# -- layouts ---------------------------------------------------------------------------------------


def test_channels_may_be_the_last_axis():
    rng = np.random.default_rng(1)
    image = rng.uniform(-1, 1, (2, 9, 8, 4)).astype(np.float32)
    weight = rng.uniform(-1, 1, (6, 3, 2, 2)).astype(np.float32)
    row = {n: rng.uniform(0.5, 1, 6).astype(np.float32) for n in ("b", "g", "o", "m", "v")}
    symbol = symbol_of(
        *(variable(name) for name in ("x", "w", *row)),
        node(
            "Convolution",
            "c",
            [0, 1, 2],
            kernel="(3, 2)",
            num_filter="6",
            num_group="2",
            stride="(2, 1)",
            pad="(1, 0)",
            layout="NHWC",
        ),
        node("BatchNorm", "n", [7, 3, 4, 5, 6], axis="3", fix_gamma="False"),
        node("Pooling", "p", [8], kernel="(2, 2)", pool_type="avg", layout="NHWC"),
    )
    graph = read(symbol, params_of({"w": weight, **row}), {"x": image.shape})
    first = torch.tensor(image.transpose(0, 3, 1, 2))
    filters = torch.tensor(weight.transpose(0, 3, 1, 2))
    b, g, o, m, v = map(torch.tensor, row.values())
    c = torch.conv2d(first, filters, b, (2, 1), (1, 0), 1, 2)
    normal = torch.batch_norm(c, g, o, m, v, False, 0.0, 1e-3, False)
    expected = torch.nn.functional.avg_pool2d(normal, 2, 1).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(run(graph, x=image)[0], expected, rtol=1e-4, atol=1e-5)
    assert sum(op.name == "transpose" for op in graph.operations) <= 2


# -- refusals --------------------------------------------------------------------------------------


def test_all_refused_operators_are_reported_at_once():
    symbol = symbol_of(
        variable("x"),
        node("CTCLoss", "loss", [0]),
        node("_contrib_MultiBoxDetection", "boxes", [1, 0]),
        node("Dropout", "random", [0], mode="always"),
        node("relu", "known", [0], other="3"),
        node("Nonsense", "new", [0]),
        heads=[[2, 0, 0], [3, 0, 0], [4, 0, 0], [5, 0, 0]],
    )
    found = refusals(symbol)
    assert [message.partition(":")[0] for message, _ in found] == [
        "CTCLoss 'loss'",
        "_contrib_MultiBoxDetection 'boxes'",
        "Dropout 'random'",
        "relu 'known'",
        "Nonsense 'new'",
    ]
    assert "outputs=['x']" in found[0][1]
    assert "outputs=['loss_output', 'x']" in found[1][1]
    assert "'other', which is not known" in found[3][0]


@pytest.mark.parametrize(
    ("operator", "attributes", "reason"),
    [
        ("Activation", {"act_type": "swish"}, "its 'act_type' is 'swish'"),
        ("softmax", {"axis": "3"}, "its axis is 3"),
        ("softmax", {"axis": "one"}, "not an integer"),
        ("clip", {"a_min": "2", "a_max": "1"}, "its bounds are"),
        ("Pooling", {"kernel": "(9,)"}, "its window of 9 elements does not fit"),
        ("Pooling", {"kernel": "(2, 2)"}, "for 1 spatial axes"),
        ("Pooling", {"kernel": "(2,)", "pooling_convention": "same"}, "is 'same'"),
        ("Pooling", {"kernel": "(2,)", "layout": "NHWC"}, "its 'layout' is 'NHWC'"),
        ("Reshape", {"shape": "(5, -1)"}, "its shape is"),
        ("Reshape", {"shape": "(-4, 2, 2, -2)"}, "it splits an extent of 2"),
        ("slice_axis", {"axis": "1", "begin": "3", "end": "None"}, "is empty"),
        ("SliceChannel", {"num_outputs": "2"}, "it splits 3 elements into 2 parts"),
        ("transpose", {"axes": "(0, 1)"}, "its axes are"),
        ("Pad", {"pad_width": "(0, 1)"}, "its pad_width is"),
        ("topk", {"k": "9"}, "it selects 9 of 4 elements"),
        ("_full", {"shape": "(99999, 99999)", "value": "1"}, "it computes a constant of"),
        ("FullyConnected", {"num_hidden": "4"}, "its input 2 is missing"),
        ("broadcast_to", {"shape": "(2, 3, 5)"}, "cannot be broadcast|cannot be repeated"),
        ("Cast", {"dtype": "complex64"}, "its 'dtype' is 'complex64'"),
    ],
)
def test_invalid_operators_are_refused(operator, attributes, reason):
    (found,) = refusals(symbol_of(variable("x"), node(operator, "y", [0], **attributes)))
    assert re.search(reason, found[0]), found


def test_outputs_that_no_node_has_are_refused():
    symbol = symbol_of(variable("x"), node("relu", "a", [0]), node("relu", "y", [(1, 2)]))
    (found,) = refusals(symbol)
    assert "output 2 of relu 'a', which no node can read" in found[0]


def test_layers_of_too_many_steps_are_refused():
    rnn = node("RNN", "y", [0, 1, 2], mode="rnn_tanh", state_size="1", num_layers="30")
    symbol = symbol_of(variable("x"), variable("w"), variable("s"), rnn)
    shapes = {"x": (1000, 1, 1), "s": (30, 1, 1)}
    (found,) = refusals(symbol, params_of({"w": np.zeros(120, np.float32)}), shapes)
    assert "it has 30,000 steps in all of its layers" in found[0]


def test_a_network_of_constants_is_refused():
    assert "has no inputs" in refusals(symbol_of(node("_ones", "y", shape="(2,)")), shapes={})[0][0]


# -- files -----------------------------------------------------------------------------------------

NEEDS = symbol_of(variable("x"), variable("y_weight"), node("broadcast_add", "y", [0, 1]))


def test_missing_parameters_are_named():
    with pytest.raises(nk.InputError, match="parameters are missing: 'y_weight'"):
        read(NEEDS)
    with pytest.raises(nk.InputError, match="no parameters for 'y_weight'") as raised:
        read(NEEDS, params_of({"other": X}))
    assert "'other'" in raised.value.diagnostics[0].hint
    with pytest.raises(nk.InputError, match="arrays without names"):
        read(NEEDS, file_of([array_of(X)]))


def test_sparse_and_empty_parameters_are_refused_if_they_are_read():
    from oracles.mxnet_references import member

    symbol = symbol_of(
        variable("x"), variable("csr"), node("broadcast_add", "y", [0, 1]), heads=[[2, 0, 0]]
    )
    (found,) = refusals(symbol, member("ndarrays/sparse.params"))
    assert "the sparse form 'csr'" in found[0]
    assert "tostype" in found[1]
    assert read(symbol, member("ndarrays/sparse.params"), outputs="x").outputs
    (found,) = refusals(NEEDS, params_of({"y_weight": np.zeros((0, 3), np.float32)}))
    assert "its array is empty" in found[0]


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", nk.StorageError, "not JSON"),
        (b"[" * 100_000, nk.StorageError, "not JSON"),
        (b"{}", nk.InputError, "it has no nodes"),
        (b'{"nodes": [3], "heads": [[0, 0]]}', nk.InputError, "node 0 is not an object"),
        (b'{"nodes": []}', nk.InputError, "it has no outputs"),
        (b'{"nodes": [], "heads": [[0, 0]]}', nk.InputError, "reads the node 0"),
        (symbol_of(node("relu", "y", [0])), nk.InputError, "which is not before it"),
        (symbol_of(variable("x"), heads=[["0", 0]]), nk.InputError, "which is not an output"),
        (
            symbol_of(
                variable("x"),
                *(node("split", "y", [0], num_outputs="65536") for _ in range(17)),
            ),
            nk.InputError,
            "more than 1,048,576 outputs",
        ),
        (params_of({"w": X}), nk.InputError, "has parameters, not a network"),
    ],
)
def test_damaged_symbols_are_refused(content, error, message):
    with pytest.raises(error, match=message):
        read(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-3], "it ends at byte"),
        (lambda data: b"\x13" + data[1:], "not a list of arrays"),
        (lambda data: data[:16] + b"\xff" * 8 + data[24:], "18,446,744,073,709,551,615 arrays"),
        (lambda data: data[:32] + b"\x99" + data[33:], "has 153 axes"),
        (lambda data: data[:36] + b"\xff" * 8 + data[44:], "has the shape"),
        (lambda data: data[:68] + b"\x63" + data[69:], "the unknown type 99"),
    ],
)
def test_damaged_parameters_are_refused(change, message):
    with pytest.raises(nk.StorageError, match=message):
        read(NEEDS, change(params_of({"y_weight": X})))


def test_parameters_beside_the_symbol_are_found(tmp_path):
    path = tmp_path / "net-symbol.json"
    path.write_bytes(NEEDS)
    (tmp_path / "net-0002.params").write_bytes(params_of({"y_weight": 2 * X}))
    (tmp_path / "net-0010.params").write_bytes(params_of({"y_weight": X}))
    graph = read(path)
    assert graph.name == "net"
    assert graph.provenance["weights"].endswith("net-0010.params")
    np.testing.assert_array_equal(run(graph)[0], 2 * X)
    with pytest.raises(nk.StorageError, match="no such file"):
        read(tmp_path / "none-symbol.json")
    with pytest.raises(nk.InputError, match="must be a path or bytes"):
        read(3)


def test_nothing_proves_a_network_without_mxnet():
    graph = nk.from_mxnet(TWICE, None, {"x": (2, 3, 4)}, progress=False)
    assert graph.provenance["verified"] is False
    assert "MXNet" in graph.provenance["not_verified"]
    assert read(TWICE).provenance["not_verified"] == "verify=False"
