"""`from_tflite`: names, shapes, state, refusals, proof."""

import sys

import numpy as np
import pytest

pytest.importorskip("tflite")
pytest.importorskip("ai_edge_litert")

from oracles.tflite_references import Reference, model
from written_models import Model, check, one

import nnefkit as nk

F = "float32"


def draw(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1.5, 1.5, shape).astype(np.float32)


def relu(x):
    return one("RELU", [x], [(x.shape, F)])


# -- the call --------------------------------------------------------------------------------------


def test_the_proof_is_in_the_provenance():
    graph = nk.from_tflite(model("networks/digits/digits.float32"))
    facts = graph.provenance
    assert facts["source"] == "TFLite"
    assert facts["verified"]
    assert facts["largest_difference"] < 1e-5
    assert facts["tolerance"] == 1e-4
    assert {"tflite", "ai-edge-litert"} == {*facts["versions"]}


def test_codes_that_differ_more_at_the_end_are_compared_operation_by_operation(monkeypatch):
    """A difference of one code at an early layer is amplified by the later ones."""
    module = sys.modules["nnefkit.exchange.tflite.from_tflite"]
    monkeypatch.setattr(module, "CODES_TOLERANCE", 0.019)
    graph = nk.from_tflite(model("networks/attention/attention.int8"))
    assert graph.provenance["largest_difference"] > 0.019
    assert graph.provenance["compared"] == "each operation on its own"


def test_inputs_are_recorded_as_the_codes_that_they_become():
    source = model("networks/digits/digits.int8")
    graph = nk.from_tflite(source, verify=False)
    trace = nk.trace_tflite(source, {"image": draw(1, 8, 8, 1)}, graph=graph)
    line = graph.tensors["image"].quantization
    codes = trace["image"] / np.float32(line["scale"])
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-4)
    ours = nk.trace(graph, {"image": draw(1, 8, 8, 1)}, "integer")
    assert np.array_equal(ours["image"], trace["image"])


def test_paths_and_bytes_are_read(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(relu(draw(2, 3)))
    for source in (path, str(path), path.read_bytes(), bytearray(path.read_bytes())):
        assert nk.from_tflite(source, verify=False).operations[-1].name == "relu"
    assert nk.from_tflite(path, verify=False).name == "net"
    assert nk.from_tflite(path).provenance["path"] == str(path)


def test_inputs_and_outputs_have_the_names_of_the_signature():
    data = model("written/two_signatures")
    graph = nk.from_tflite(data, verify=False)
    signature = Reference("written/two_signatures").opened.signature
    assert graph.inputs == tuple(signature.inputs.values())
    assert {*graph.outputs} == {name for name, _ in signature.outputs}


def two_signatures():
    built = Model()
    for operator in ("RELU", "TANH"):
        graph = built.graph()
        x, y = graph.input((2, 3), name="in"), graph.tensor((2, 3), name="out")
        graph.outputs = [y]
        graph.call(operator, [x], [y])
        built.sign(operator.lower(), {"image": x}, {"score": y}, len(built.graphs) - 1)
    return built.bytes()


def test_the_graph_of_another_signature_is_read():
    for key, operation in (("relu", "relu"), ("tanh", "tanh")):
        graph = nk.from_tflite(two_signatures(), signature=key)
        assert graph.operations[-1].name == operation
        assert (graph.inputs, graph.outputs) == (("image",), ("score",))
        assert graph.provenance["verified"]
    with pytest.raises(nk.UnknownNameError, match="no signature 'rellu'") as raised:
        nk.from_tflite(two_signatures(), signature="rellu")
    assert "relu" in raised.value.diagnostics[0].hint


def test_the_graph_of_another_signature_is_recorded():
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    for key, expected in (("relu", np.maximum(x, 0)), ("tanh", np.tanh(x))):
        graph = nk.from_tflite(two_signatures(), signature=key)
        recorded = nk.trace_tflite(two_signatures(), {"image": x}, graph=graph, signature=key)
        np.testing.assert_allclose(recorded["score"], expected, atol=1e-6)
        assert nk.compare(nk.trace(graph, x), recorded).ok
    with pytest.raises(nk.UnknownNameError, match="no signature 'elu'"):
        nk.trace_tflite(two_signatures(), {"image": x}, signature="elu")


def test_given_inputs_are_found_under_each_of_their_names():
    data = two_signatures()
    for name in ("image", "in"):
        graph = nk.from_tflite(data, inputs={name: draw(2, 3)})
        assert graph.provenance["verified"]
    with pytest.raises(nk.UnknownNameError, match="no input 'imag'"):
        nk.from_tflite(data, inputs={"imag": draw(2, 3)})


def open_batch():
    built = Model()
    graph = built.graph()
    x = graph.input((1, 4), name="x", signature=(-1, 4))
    graph.outputs = [graph.tensor((1, 4), signature=(-1, 4))]
    graph.call("RELU", [x], graph.outputs)
    return built.bytes()


def test_open_dimensions_need_a_shape():
    with pytest.raises(nk.InputError, match=r"'x' \[\?, 4\]") as raised:
        nk.from_tflite(open_batch())
    assert "input_shapes={'x': (1, 4)}" in raised.value.diagnostics[0].hint
    graph = nk.from_tflite(open_batch(), input_shapes={"x": (5, 4)})
    assert graph.tensors["x"].shape == (5, 4)
    assert graph.provenance["verified"]


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"y": (1, 4)}, "no input 'y'"),
        ({"x": (1, 4, 1)}, "3 extents, but the model expects 2"),
        ({"x": (0, 4)}, "the shape for 'x' is"),
        ({"x": ("a", 4)}, "must be a list of integers"),
        ([1], "must be a mapping"),
    ],
)
def test_wrong_shapes_are_refused(shapes, message):
    with pytest.raises(nk.NnefError, match=message):
        nk.from_tflite(open_batch(), input_shapes=shapes)


def test_other_extents_are_checked_by_converting_again():
    graph = nk.from_tflite(open_batch(), {"x": (2, 4)}, dynamic_shapes={"x": {0: (1, 9)}})
    other = nk.infer_shapes(graph, x=(7, 4))
    assert other.tensors[other.outputs[0]].shape == (7, 4)
    assert "in 1..9" in str(graph)


def test_all_refused_operators_are_reported_at_once():
    built = Model()
    graph = built.graph()
    x = graph.input((2, 3))
    a, b = graph.tensor((2, 3)), graph.tensor((2, 3), name="last")
    graph.call("CUSTOM Magic", [x], [a])
    graph.call("HASHTABLE_SIZE", [x], [b])
    graph.outputs = [a, b]
    with pytest.raises(nk.DocumentError) as raised:
        nk.from_tflite(built.bytes())
    first, second = raised.value.diagnostics
    assert "the custom operator 'Magic'" in first.message
    assert "HASHTABLE_SIZE with output 'last'" in second.message
    assert first.hint
    assert second.hint


def test_a_wrong_graph_is_named_with_the_first_tensor_that_differs(monkeypatch):
    from nnefkit.exchange.tflite.call import READERS

    monkeypatch.setitem(READERS, "RELU", lambda c: c.op("abs", c[0]))
    with pytest.raises(nk.ExecutionError, match="first tensor that differs") as raised:
        nk.from_tflite(relu(draw(2, 3)))
    assert "'y'" in raised.value.diagnostics[0].message


def test_load_names_the_function(tmp_path):
    (tmp_path / "net.tflite").write_bytes(relu(draw(2)))
    with pytest.raises(nk.NnefError, match=r"nnefkit\.from_tflite"):
        nk.load(tmp_path / "net.tflite")


# -- weights ---------------------------------------------------------------------------------------


def test_weights_of_4_bits_are_unpacked():
    built = Model()
    graph = built.graph()
    x = graph.input((2, 3))
    codes = np.array([[-8, 7, 1], [3, -1, 0], [5, -5, 2]], np.int8)
    pairs = np.append(codes.reshape(-1), 0).astype(np.uint8) & 15
    number = graph.tensor((3, 3), "int8", "w", quantization=([0.5], [0], 0))
    graph.tensors[number].type = 17  # INT4
    graph.tensors[number].buffer = built.buffer((pairs[::2] | pairs[1::2] << 4).tobytes())
    graph.outputs = [graph.tensor((2, 3))]
    graph.call("FULLY_CONNECTED", [x, number, -1], graph.outputs, "FullyConnectedOptions")
    read = nk.from_tflite(built.bytes(), verify=False)
    (weight,) = read.variables
    np.testing.assert_array_equal(weight.data, codes * 0.5)
    assert weight.quantization["bits"] == 4


def test_weights_in_blocks_of_a_sparse_format():
    reference = Reference("written/sparse_weights")
    graph = reference.graph()
    assert any(0.1 < (v.data == 0).mean() < 1 for v in graph.variables)


def test_weights_by_channel_have_a_grid_by_channel():
    graph = nk.from_tflite(model("written/quantized_per_channel"), verify=False)
    lines = {v.name: v.quantization for v in graph.variables}
    filters = [v for v in graph.variables if len(v.shape) == 4]
    assert len(filters) == 2
    for variable in filters:
        scale = np.asarray(lines[variable.name]["scale"])
        assert scale.shape[0] == variable.shape[0]
        codes = variable.data / scale.reshape(-1, 1, 1, 1)
        np.testing.assert_allclose(codes, np.round(codes), atol=1e-3)


def test_weights_are_saved_as_the_codes_that_they_were(tmp_path):
    graph = nk.from_tflite(model("networks/digits/digits.int8"), verify=False)
    nk.save(graph, tmp_path / "codes")
    files = [*(tmp_path / "codes").rglob("*.dat")]
    assert sorted({nk.read_tensor(file).dtype.name for file in files}) == ["int32", "int8"]
    loaded = nk.load(tmp_path / "codes")
    for variable in graph.variables:
        assert np.array_equal(loaded.tensor(variable.name).data, variable.data)
    # Weights that are no codes any more are floats again.
    changed = next(v for v in graph.variables if len(v.shape) == 4)
    nk.save(graph.with_data({changed.name: changed.data * 1.01}), tmp_path / "changed")
    stored = nk.read_tensor(tmp_path / "changed" / f"{changed.label}.dat")
    assert stored.dtype == np.float32


# -- state and control -----------------------------------------------------------------------------


def counter(*, initialized=True):
    """A model that adds its input to a variable, and returns the sum so far."""
    built = Model()
    main, start = built.graph(), built.graph()
    x = main.input((3,))
    handle = main.tensor((), "resource", "handle")
    old, new = main.tensor((3,), name="old"), main.tensor((3,), name="new")
    options = ("VarHandleOptions",)
    if initialized:
        main.call("CALL_ONCE", [], [], "CallOnceOptions", initSubgraphIndex=1)
    main.call("VAR_HANDLE", [], [handle], *options, container="", sharedName="total")
    main.call("READ_VARIABLE", [handle], [old])
    main.call("ADD", [old, x], [new], "AddOptions")
    main.call("ASSIGN_VARIABLE", [handle, new], [])
    main.outputs = [new]
    first = start.constant(np.array([1, 2, 3], np.float32))
    again = start.tensor((), "resource", "handle")
    start.call("VAR_HANDLE", [], [again], *options, container="", sharedName="total")
    start.call("ASSIGN_VARIABLE", [again, first], [])
    return built.bytes()


def test_variables_live_between_runs():
    graph = check(counter(), [draw(3)], [draw(3, seed=1)], [draw(3, seed=2)])
    assert [v.label for v in graph.variables] == ["total"]
    assert "update" in {op.name for op in graph.operations}
    assert nk.from_tflite(counter()).provenance["verified"]


def test_a_variable_without_a_value_is_refused():
    with pytest.raises(nk.DocumentError, match="read before it has a value"):
        nk.from_tflite(counter(initialized=False))


def loop(*, runtime=False, step=1):
    """A model that doubles its input while a counter is below 5, or its sum is below 50."""
    built = Model()
    main, condition, body = (built.graph() for _ in range(3))
    x, zero = main.input((2,)), main.constant(np.array(0, np.int32), "int32")
    main.outputs = [main.tensor((2,), name="y")]
    end = main.tensor((), "int32", "end")
    options = {"condSubgraphIndex": 1, "bodySubgraphIndex": 2}
    main.call("WHILE", [zero, x], [end, *main.outputs], "WhileOptions", **options)
    n, v = condition.input((), "int32"), condition.input((2,))
    condition.outputs = [condition.tensor((), "bool")]
    if runtime:
        total = condition.tensor(())
        axis = condition.constant(np.array([0], np.int32), "int32")
        condition.call("SUM", [v, axis], [total], "ReducerOptions", keepDims=False)
        condition.call("LESS", [total, condition.constant(np.array(50.0, F))], condition.outputs)
    else:
        five = condition.constant(np.array(5, np.int32), "int32")
        condition.call("LESS", [n, five], condition.outputs)
    n, v = body.input((), "int32"), body.input((2,))
    body.outputs = [body.tensor((), "int32"), body.tensor((2,))]
    one_more = body.constant(np.array(step, np.int32), "int32")
    body.call("ADD", [n, one_more], body.outputs[:1], "AddOptions")
    body.call("ADD", [v, v], body.outputs[1:], "AddOptions")
    return built.bytes()


def test_loops_with_a_constant_count_are_unrolled():
    graph = check(loop(), [draw(2)])
    assert [op.name for op in graph.operations].count("add") == 5


def test_other_loops_are_refused():
    with pytest.raises(nk.DocumentError, match="its condition is computed at run time"):
        nk.from_tflite(loop(runtime=True))
    with pytest.raises(nk.DocumentError, match="repeats more than 1000 times"):
        nk.from_tflite(loop(step=0))


def test_graphs_that_call_each_other_are_refused():
    built = Model()
    graph = built.graph()
    x = graph.input((2,))
    graph.outputs = [graph.tensor((2,))]
    options = {"condSubgraphIndex": 0, "bodySubgraphIndex": 0}
    graph.call("WHILE", [x], graph.outputs, "WhileOptions", **options)
    with pytest.raises(nk.DocumentError, match="call each other without an end"):
        nk.from_tflite(built.bytes())


def branches(condition=None):
    built = Model()
    main, taken, other = (built.graph() for _ in range(3))
    if condition is None:
        c = main.input((), "bool")
    else:
        c = main.constant(np.array(condition), "bool")
    x = main.input((3,))
    main.outputs = [main.tensor((3,))]
    options = {"thenSubgraphIndex": 1, "elseSubgraphIndex": 2}
    main.call("IF", [c, x], main.outputs, "IfOptions", **options)
    for graph, operator in ((taken, "EXP"), (other, "NEG")):
        v = graph.input((3,))
        graph.outputs = [graph.tensor((3,))]
        graph.call(operator, [v], graph.outputs)
    return built.bytes()


@pytest.mark.parametrize("condition", [False, True])
def test_branches_are_taken(condition):
    graph = check(branches(condition), [draw(3)])
    assert [op.name for op in graph.operations][1:] == ["exp" if condition else "neg"]
    check(branches(), [np.array(condition), draw(3)])


# -- recurrent layers ------------------------------------------------------------------------------


def lstm(*, norm=False, coupled=False, peephole=False, time_major=False):
    built = Model()
    graph = built.graph()
    x = graph.input((4, 2, 3) if time_major else (2, 4, 3))
    generator = np.random.default_rng(0)

    def weight(*shape):
        return graph.constant(generator.uniform(-0.9, 0.9, shape).astype(F))

    weights = [weight(5, 3) for _ in range(4)]
    recurrent = [weight(5, 5) for _ in range(4)]
    peepholes = [weight(5) for _ in range(3)] if peephole else [-1] * 3
    biases = [weight(5) for _ in range(4)]
    if coupled:
        weights[0] = recurrent[0] = biases[0] = peepholes[0] = -1
    states = [graph.tensor((2, 5), variable=True) for _ in range(2)]
    norms = [weight(5) for _ in range(4)] if norm else []
    if norm and coupled:
        norms[0] = -1
    inputs = [x, *weights, *recurrent, *peepholes, *biases, -1, -1, *states, *norms]
    graph.outputs = [graph.tensor((4, 2, 5) if time_major else (2, 4, 5))]
    options = {"fusedActivationFunction": 4, "timeMajor": time_major}
    kind = "UnidirectionalSequenceLSTMOptions"
    graph.call("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, graph.outputs, kind, **options)
    return built.bytes()


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("peephole", [False, True])
def test_every_kind_of_lstm_keeps_its_state(norm, coupled, peephole):
    data = lstm(norm=norm, coupled=coupled, peephole=peephole)
    check(data, [draw(2, 4, 3)], [draw(2, 4, 3, seed=1)])


def test_a_plain_lstm_is_the_fragment_of_other_frameworks():
    graph = nk.from_tflite(lstm(time_major=True), verify=False)
    assert [op.name for op in graph.operations].count("lstm_step") == 4


def test_a_single_step_of_an_rnn():
    built = Model()
    graph = built.graph()
    x = graph.input((2, 3))
    weights = [graph.constant(draw(*shape)) for shape in ((4, 3), (4, 4), (4,))]
    state = graph.tensor((2, 4), variable=True)
    graph.outputs = [graph.tensor((2, 4))]
    graph.call("RNN", [x, *weights, state], graph.outputs, "RNNOptions", fusedActivationFunction=4)
    check(built.bytes(), [draw(2, 3)], [draw(2, 3, seed=1)])


# -- constants -------------------------------------------------------------------------------------


def test_shape_arithmetic_is_computed_while_the_model_is_read():
    built = Model()
    graph = built.graph()
    x = graph.input((2, 3, 4))
    (shape,) = graph.call("SHAPE", [x], [graph.tensor((3,), "int32")], "ShapeOptions", outType=2)
    bounds = [graph.constant(np.array([n], np.int32), "int32") for n in (0, 1, 1)]
    options = ("StridedSliceOptions",)
    (first,) = graph.call(
        "STRIDED_SLICE", [shape, *bounds], [graph.tensor((), "int32")], *options, shrinkAxisMask=1
    )
    rest = graph.constant(np.array(-1, np.int32), "int32")
    (packed,) = graph.call(
        "PACK", [first, rest], [graph.tensor((2,), "int32")], "PackOptions", valuesCount=2
    )
    graph.outputs = [graph.tensor((2, 12))]
    graph.call("RESHAPE", [x, packed], graph.outputs, "ReshapeOptions")
    graph = check(built.bytes(), [draw(2, 3, 4)])
    assert [op.name for op in graph.operations] == ["external", "reshape"]


def test_constants_are_bounded():
    built = Model()
    graph = built.graph()
    x = graph.input((1,))
    shape = graph.constant(np.array([2**15, 2**15, 2**10], np.int32), "int32")
    big = graph.tensor((2**15, 2**15, 2**10))
    graph.call("FILL", [shape, graph.constant(np.array(1.0, F))], [big])
    graph.outputs = [graph.tensor((2**15, 2**15, 2**10))]
    graph.call("ADD", [x, big], graph.outputs, "AddOptions")
    with pytest.raises(nk.DocumentError, match="a constant of 1,099,511,627,776 elements"):
        nk.from_tflite(built.bytes(), verify=False)


def test_one_tensor_that_is_two_outputs_is_copied():
    graph = Reference("written/shared_buffer").graph()
    assert len({*graph.outputs}) == len(graph.outputs) > 1


def test_inputs_that_are_outputs_are_copied():
    built = Model()
    graph = built.graph()
    x = graph.input((2,))
    graph.outputs = [x]
    read = nk.from_tflite(built.bytes(), verify=False)
    np.testing.assert_array_equal(
        nk.run(read, {read.inputs[0]: [1.0, 2.0]})[read.outputs[0]], [1, 2]
    )


def test_integers_where_an_operation_takes_scalars_are_refused():
    data = one("SOFTMAX", [np.ones((2, 3), np.int32)], [((2, 3), "int32")], "SoftmaxOptions")
    with pytest.raises(nk.DocumentError, match="must be scalar, but its input is integer"):
        nk.from_tflite(data, verify=False)
