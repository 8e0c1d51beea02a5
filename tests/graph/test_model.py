"""Graphs are values: changed copies share data and leave the original as it is."""

import copy
import gc
import pickle
from dataclasses import replace

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.errors import FrozenError, InputError, NnefError, Source, Span, UnknownNameError
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor
from nnefkit.graph.input_shapes import reshaped

I = Identifier  # noqa: E741
TEXT = "graph g(x) -> (y)\n{\n    x = external();\n    y = relu(x);\n}\n"


def op(name, outputs, inputs=None, **attribs):
    return Operation(name, FrozenDict(inputs or {}), FrozenDict(outputs), FrozenDict(attribs))


def variable(name, shape, label=None):
    return op("variable", {"output": I(name)}, shape=list(shape), label=label or name)


@pytest.fixture
def graph():
    """x -> conv(w, 0.0) -> c -> split -> [p, q]; r = add_n([p, q, z]); s = update(state, r)."""
    operations = (
        op("external", {"output": I("x")}, shape=[1, 2]),
        op("external", {"output": I("z")}, shape=[1, 1]),
        variable("w", (2,)),
        variable("w2", (2,), label="W"),
        variable("state", (1, 1)),
        op("conv", {"output": I("c")}, {"input": I("x"), "filter": I("w"), "bias": 0.0}, stride=[]),
        op("split", {"values": [I("p"), I("q")]}, {"value": I("c")}, axis=1),
        op("add_n", {"y": I("r")}, {"x": [I("p"), I("q"), I("z")]}),
        op("update", {"result": I("s")}, {"variable": I("state"), "value": I("r")}),
        op("add", {"z": I("out")}, {"x": I("q"), "y": I("state")}),
    )
    operations = tuple(
        replace(o, span=Span(TEXT.index("y = "), TEXT.index("y = ") + 11))
        if o.name == "conv"
        else o
        for o in operations
    )
    shapes = {"x": (1, 2), "z": (1, 1), "w": (2,), "w2": (2,), "state": (1, 1), "c": (1, 2)}
    shapes |= dict.fromkeys("pqrs", (1, 1)) | {"out": (1, 1)}
    data = {
        "w": np.array([1, 2], np.float32),
        "w2": np.array([1, 2], np.float32),
        "state": np.array([[0]], np.float32),
    }
    labels = {"w": "w", "w2": "W", "state": "state"}
    tensors = {
        name: Tensor(name, shape=shape, data=data.get(name), label=labels.get(name))
        for name, shape in shapes.items()
    }
    return Graph(
        "net", ("x", "z"), ("out", "s"), operations, FrozenDict(tensors), source=Source(TEXT)
    )


def names(graph):
    return [name for op in graph.operations for name in op.output_names]


def assert_whole(graph):
    """Every tensor that is read is computed before, once; tensors are just those of operations."""
    computed = []
    for operation in graph.operations:
        assert set(operation.input_names) <= set(computed)
        computed += operation.output_names
    assert len(computed) == len(set(computed))
    assert set(computed) == set(graph.tensors)
    assert set(graph.outputs) <= set(computed)
    externals = [n for o in graph.operations if o.name == "external" for n in o.output_names]
    assert list(graph.inputs) == externals


# -- what it is ------------------------------------------------------------------------------


def test_arguments_name_tensors_or_are_literals(graph):
    conv, split, add_n = graph.operations[5:8]
    assert conv.input_names == ("x", "w")
    assert split.output_names == ("p", "q")
    assert add_n.input_names == ("p", "q", "z")
    assert op("f", {"y": I("y")}, {"a": "x", "b": [1, I("x"), [I("x")]]}).input_names == ("x", "x")


def test_producers_and_consumers(graph):
    assert graph.producers["q"].name == "split"
    assert [o.name for o in graph.consumers["q"]] == ["add_n", "add"]
    assert graph.consumers["out"] == ()
    assert [v.name for v in graph.variables] == ["w", "w2", "state"]


def test_lines_are_those_of_the_source(graph):
    assert graph.line(graph.producers["c"]) == 4
    assert graph.line(graph.producers["p"]) is None
    assert replace(graph, source=None).line(graph.producers["c"]) is None


def test_an_unknown_tensor_is_refused_with_the_nearest(graph):
    assert graph.tensor("state").name == "state"
    with pytest.raises(UnknownNameError, match="Did you mean 'state'"):
        graph.tensor("sttae")
    with pytest.raises(KeyError):
        graph.tensor("nothing")


# -- nothing changes in place ----------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.__setitem__("a", 2),
        lambda d: d.__delitem__("a"),
        lambda d: d.update(a=2),
        lambda d: d.setdefault("b", 1),
        lambda d: d.pop("a"),
        lambda d: d.popitem(),
        lambda d: d.clear(),
        lambda d: d.__ior__({"b": 1}),
    ],
)
def test_mappings_of_a_graph_refuse_every_change(change):
    frozen = FrozenDict(a=1)
    with pytest.raises(FrozenError, match="changed copy"):
        change(frozen)
    assert frozen == {"a": 1}
    assert frozen | {"b": 2} == {"a": 1, "b": 2}


def test_a_picture_is_drawn_once(graph, monkeypatch):
    first = graph._repr_html_()
    monkeypatch.setattr("nnefkit.graph.model.draw_graph", None)
    assert graph._repr_html_() == first
    assert gc.isenabled()


def test_fields_refuse_every_change(graph):
    for value, field in (
        (graph, "name"),
        (graph.operations[0], "name"),
        (graph.tensor("x"), "data"),
    ):
        with pytest.raises(FrozenError):
            setattr(value, field, None)
    with pytest.raises(TypeError):
        graph.operations[5].attribs["stride"] = [2]


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))]
)
def test_copies_are_whole(graph, clone):
    other = clone(graph)
    assert names(other) == names(graph)
    assert isinstance(other.operations[5].attribs, FrozenDict)
    assert isinstance(other.operations[5].inputs["input"], Identifier)
    np.testing.assert_array_equal(other.tensors["w"].data, graph.tensors["w"].data)


# -- with_data -------------------------------------------------------------------------------


def test_with_data_changes_a_copy_and_shares_the_rest(graph):
    changed = graph.with_data({"state": [[5]]})
    assert changed.tensors["state"].data.tolist() == [[5]]
    assert graph.tensors["state"].data.tolist() == [[0]]
    assert changed.tensors["w"] is graph.tensors["w"]
    assert changed.operations is graph.operations


@pytest.mark.parametrize("key", ["w", "w2", "W"])
def test_with_data_gives_variables_of_one_label_the_same_values(graph, key):
    changed = graph.with_data({key: [7, 8]})
    assert changed.tensors["w"].data.tolist() == changed.tensors["w2"].data.tolist() == [7, 8]


def test_variables_without_a_label_share_nothing(graph):
    bare = {n: replace(t, label=None) for n, t in graph.tensors.items()}
    changed = replace(graph, tensors=FrozenDict(bare)).with_data({"w": [7, 8]})
    assert changed.tensors["w2"].data.tolist() == [1, 2]
    assert changed.tensors["state"].data.tolist() == [[0]]


def test_with_data_does_not_see_later_changes_of_the_array(graph):
    values = np.array([3, 4], np.float32)
    changed = graph.with_data({"w": values})
    values[:] = 0
    assert changed.tensors["w"].data.tolist() == [3, 4]
    with pytest.raises(ValueError, match="read-only"):
        changed.tensors["w"].data[0] = 1
    fixed = np.array([3, 4], np.float32)
    fixed.flags.writeable = False
    assert graph.with_data({"w": fixed}).tensors["w"].data is fixed


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0.5, 1], "float32"),
        ((1, 2), "float32"),
        (np.array([1, 2]), "float32"),
        (np.array([1, 2], np.float64), "float64"),
        (np.array([1, 2], np.float16), "float16"),
    ],
)
def test_with_data_keeps_the_precision_unless_an_array_says_otherwise(graph, values, dtype):
    assert graph.with_data({"w": values}).tensors["w"].data.dtype == dtype


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("scalar", ["a", "b"]),
        ("scalar", [1j, 2]),
        ("scalar", [[1], [2, 3]]),
        ("scalar", [1, 2, 3]),
        ("scalar", [[1, 2]]),
        ("scalar", [True, False]),
        ("scalar", None),
        ("integer", [0.5, 1.0]),
        ("logical", [0, 1]),
    ],
)
def test_with_data_refuses_values_that_do_not_fit(graph, dtype, values):
    tensors = graph.tensors | {"w": replace(graph.tensors["w"], dtype=dtype)}
    with pytest.raises(InputError, match="'w'"):
        replace(graph, tensors=FrozenDict(tensors)).with_data({"w": values})


@pytest.mark.parametrize(("key", "hint"), [("sttae", "'state'"), ("x", "'x'"), (3, "'3'")])
def test_with_data_accepts_variables_only(graph, key, hint):
    with pytest.raises(UnknownNameError, match=hint):
        graph.with_data({key: [1]})


def network(variables):
    """Return a graph with variables of the given labels and shapes."""
    lines = [
        f"    v{i} = variable(shape = {[*shape]}, label = '{label}');"
        for i, (label, shape) in enumerate(variables.items())
    ]
    text = "version 1.0;\ngraph g(x) -> (y)\n{\n    x = external(shape = [1]);\n"
    return nk.parse(text + "\n".join(lines) + "\n    y = neg(x);\n}\n")


def test_with_data_takes_the_names_of_a_state_dict():
    graph = network({"body/0/weight": [2, 3], "body/0/bias": [1, 2], "Scale": [1]})
    data = {
        "body.0.weight": np.ones((2, 3), np.float32),
        "body.0.bias": np.float32([3, 4]),
        "scale": np.float32(5),
        "body.1.num_batches_tracked": np.int64(7),
    }
    changed = graph.with_data(data)
    assert [changed.tensors[f"v{i}"].data.tolist() for i in range(3)] == [
        [[1, 1, 1], [1, 1, 1]], [[3, 4]], [5]]  # fmt: skip


def test_with_data_lists_all_names_without_a_variable():
    graph = network({"body/weight": [2]})
    with pytest.raises(UnknownNameError) as caught:
        graph.with_data({"body.weight": [1, 2], "body.wieght": [1, 2], "other.bias": [1]})
    assert [d.message for d in caught.value.diagnostics] == [
        "graph 'g' has no variable 'body.wieght'",
        "graph 'g' has no variable 'other.bias'",
    ]
    assert "body/weight" in caught.value.diagnostics[0].hint


def test_with_data_refuses_names_that_fit_several_variables():
    graph = network({"a/b_c": [1], "a_b/c": [1]})
    with pytest.raises(InputError, match="several variables: a/b_c, a_b/c"):
        graph.with_data({"a.b.c": [1]})
    assert graph.with_data({"a/b_c": [1]}).tensors["v0"].data.tolist() == [1]


def test_with_data_refuses_two_values_of_one_variable():
    graph = network({"a/b": [2]})
    with pytest.raises(InputError, match="their values differ"):
        graph.with_data({"a/b": [1, 2], "a.b": [2, 1]})
    assert graph.with_data({"a/b": [1, 2], "a.b": [1, 2]}).tensors["v0"].data.tolist() == [1, 2]


@pytest.mark.parametrize("shape", [(3, 2), (2, 1, 3), (6,), (2, 3, 1)])
def test_with_data_adds_extents_of_one_only(shape):
    with pytest.raises(InputError, match=r"has shape \[2, 3\]"):
        network({"w": [2, 3]}).with_data({"w": np.zeros(shape, np.float32)})


# -- with_input_shapes -----------------------------------------------------------------------


def test_other_input_shapes_forget_what_follows_from_them(graph):
    changed = reshaped(graph, {"x": [8, 2]})
    assert changed.tensors["x"].shape == (8, 2)
    assert changed.producers["x"].attribs["shape"] == [8, 2]
    assert {n: t.shape for n, t in changed.tensors.items() if t.shape} == {
        "x": (8, 2),
        "z": (1, 1),
        "w": (2,),
        "w2": (2,),
        "state": (1, 1),
    }
    assert graph.tensors["c"].shape == (1, 2)
    assert changed.tensors["w"].data is graph.tensors["w"].data


@pytest.mark.parametrize("shape", [5, None, "12", [0], [-1, 2], [1.5], [[1]]])
def test_shapes_consist_of_positive_integers(graph, shape):
    with pytest.raises(InputError, match="positive integers"):
        graph.with_input_shapes(x=shape)


def test_only_inputs_can_have_other_shapes(graph):
    with pytest.raises(UnknownNameError, match="Its inputs are x, z"):
        graph.with_input_shapes(out=[1])


def test_an_input_may_have_any_name():
    lone = Graph(
        "g",
        ("self",),
        ("self",),
        (op("external", {"output": I("self")}, shape=[1]),),
        FrozenDict(self=Tensor("self", shape=(1,))),
    )
    assert lone.with_input_shapes(self=(2,)).tensors["self"].shape == (2,)


# -- with_outputs, between -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (["c"], ["x", "w", "c"]),
        ("c", ["x", "w", "c"]),
        (["p"], ["x", "w", "c", "p", "q"]),
        (["x"], ["x"]),
        (["w"], ["w"]),
        (["c", "x", "c"], ["x", "w", "c"]),
        (["r"], ["x", "z", "w", "c", "p", "q", "r"]),
        # `state` is read, so that what updates it is needed as well: for the next run.
        (["out"], ["x", "z", "w", "state", "c", "p", "q", "r", "s", "out"]),
    ],
)
def test_with_outputs_keeps_what_they_need(graph, outputs, expected):
    part = graph.with_outputs(outputs)
    assert names(part) == expected
    assert_whole(part)


def test_outputs_keep_the_requested_order(graph):
    assert graph.with_outputs(["r", "c", "r"]).outputs == ("r", "c")
    assert graph.outputs == ("out", "s")


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected", "expected_inputs"),
    [
        (["c"], ["r"], ["c", "z", "p", "q", "r"], ("c", "z")),
        ("c", "r", ["c", "z", "p", "q", "r"], ("c", "z")),
        (["p", "q", "z"], ["r"], ["z", "p", "q", "r"], ("z", "p", "q")),
        (["q"], ["out"], ["q", "state", "out"], ("q",)),
        (["w"], ["c"], ["w", "x", "c"], ("w", "x")),
        (["c"], ["c"], ["c"], ("c",)),
        ([], ["c"], ["x", "w", "c"], ("x",)),
        (["x", "r"], ["c"], ["x", "w", "c"], ("x",)),
    ],
)
def test_between_cuts_a_part_out(graph, inputs, outputs, expected, expected_inputs):
    part = graph.between(inputs, outputs)
    assert names(part) == expected
    assert part.inputs == expected_inputs
    assert_whole(part)
    for name in expected_inputs:
        assert part.producers[name].name == "external"
        assert part.producers[name].attribs["shape"] == list(graph.tensors[name].shape)
        assert part.tensors[name].data is None


def test_a_result_cannot_be_both_given_and_computed(graph):
    with pytest.raises(InputError, match="'split' computes it together"):
        graph.between(["p"], ["r"])


@pytest.mark.parametrize(
    ("inputs", "outputs"), [(["nothing"], ["c"]), (["x"], ["nothing"]), (["x"], []), (None, [])]
)
def test_a_part_needs_tensors_that_exist(graph, inputs, outputs):
    with pytest.raises(NnefError):
        graph.between(inputs, outputs)


def test_a_cut_needs_a_shape(graph):
    with pytest.raises(InputError, match="infer_shapes"):
        reshaped(graph, {"x": (4, 2)}).between(["c"], ["r"])


def test_ten_thousand_operations_are_cut_in_linear_time():
    chain = [op("external", {"output": I("t0")}, shape=[1])]
    chain += [op("relu", {"y": I(f"t{i + 1}")}, {"x": I(f"t{i}")}) for i in range(10_000)]
    tensors = FrozenDict((n, Tensor(n, shape=(1,))) for o in chain for n in o.output_names)
    long = Graph("long", ("t0",), ("t10000",), tuple(chain), tensors)
    assert len(long.with_outputs(["t9000"]).operations) == 9_001
    assert len(long.between(["t8000"], ["t9000"]).operations) == 1_001
