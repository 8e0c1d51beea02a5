"""A verdict of `compare` claims only what was compared."""

from __future__ import annotations

import numpy as np
import pytest

import nnefkit as nk

TEXT = """
version 1.0;
graph net( x ) -> ( y )
{
    x = external(shape = [1, 4]);
    w = variable(shape = [3, 4], label = 'w');
    v = variable(shape = [2, 3], label = 'v');
    t0 = linear(x, w);
    t1 = relu(t0);
    t2 = linear(t1, v);
    y = sigmoid(t2);
}
"""


@pytest.fixture
def random():
    return np.random.default_rng(3)


@pytest.fixture
def graph(random):
    return nk.parse(TEXT).with_data(
        {"w": random.normal(size=(3, 4)), "v": random.normal(size=(2, 3))}
    )


@pytest.fixture
def x(random):
    return random.normal(size=(1, 4)).astype(np.float32)


def changed(graph, **factors):
    return graph.with_data({name: graph.tensor(name).data * f for name, f in factors.items()})


# -- neighbors that were not compared ------------------------------------------------------------


def test_a_trace_of_one_tensor_may_diverge_before_it(graph, x):
    other = nk.trace(changed(graph, w=2), x, keep=["t2"])
    found = nk.compare(nk.trace(graph, x), other)
    assert found.suspects == ("x", "t0", "t1", "t2")
    assert found.summary.startswith("The runs diverge at or before t2 (linear, line 10): ")
    assert "The difference may arise before it: x, t0 and t1 were not compared." in found.summary
    assert "Not compared: 4 tensors only in a (x, t0, t1 and 1 more)." in found.summary
    assert "agree" not in found.summary
    assert "equal" not in found.summary


def test_outputs_of_another_program_may_diverge_anywhere(graph, x):
    found = nk.compare(nk.trace(graph, x), nk.run(changed(graph, w=2), x))
    assert found.suspects == ("x", "t0", "t1", "t2", "y")
    assert "The runs diverge at or before y" in found.summary
    assert "input agrees" not in found.summary


def test_suspects_end_where_a_tensor_was_compared(graph, x):
    kept = nk.trace(changed(graph, v=2), x, keep=["t1", "y"])
    found = nk.compare(nk.trace(graph, x), kept)
    assert found.suspects == ("t2", "y")
    assert "t2 was not compared" in found.summary


def test_the_weights_that_differ_are_named_beside_what_was_not_compared(graph, x):
    found = nk.compare(nk.trace(graph, x), nk.trace(changed(graph, v=2), x, keep=["t2", "y"]))
    assert "Its weight v differs; x, t0 and t1 were not compared." in found.summary


def test_runs_that_agree_as_far_as_they_were_compared(graph, x):
    whole = nk.trace(graph, x)
    assert nk.compare(whole, whole).summary.startswith("The runs are equal.")
    part = nk.compare(whole, nk.trace(graph, x, keep=["t0"]))
    assert part.summary.startswith("What was compared is equal. The one tensor compared is")
    both = nk.compare(*(nk.trace(graph, x, keep=["t0", "y"]) for _ in range(2)))
    assert both.summary == (
        "What was compared is equal. All 2 tensors are equal in every element. Not compared: "
        "3 tensors in neither run (x, t1 and t2)."
    )
    assert both.ok


# -- causes --------------------------------------------------------------------------------------


def test_a_second_fault_is_a_cause_of_its_own_however_much_it_inherits(graph, x):
    found = nk.compare(nk.trace(graph, x), nk.trace(changed(graph, w=1.5, v=3), x))
    assert [row.name for row in found.introducing] == ["t0", "t2"]
    assert found["t2"].causes == ("v",)
    assert "1 more tensor introduces a difference (t2: its weight v differs)" in found.summary
    assert found["t1"].verdict == "inherits"


def test_an_operation_without_weights_is_not_said_to_have_some(graph, x):
    a = dict(nk.trace(graph, x))
    found = nk.compare(a, {**a, "y": a["y"] + 1}, graph=graph)
    assert "Its input agrees, so it is computed differently." in found.summary
    assert "weight" not in found.summary


def test_weights_of_recorded_runs_are_not_taken_for_those_of_the_graph(graph, x):
    a, b = (dict(nk.trace(g, x)) for g in (graph, changed(graph, v=2)))
    found = nk.compare(a, b, graph=graph)
    first = found.first_divergence
    assert (first.name, first.operation, first.line) == ("t2", "linear", 10)
    assert not first.weights_compared
    assert "so its weights differ or it is computed differently" in found.summary


# -- saved traces ---------------------------------------------------------------------------------


def saved(tmp_path, name, trace):
    trace.save(tmp_path / name)
    return tmp_path / name


def test_saved_traces_know_operations_lines_and_causes(graph, x, tmp_path):
    live = [nk.trace(g, x) for g in (graph, changed(graph, v=2))]
    paths = [saved(tmp_path, f"{i}.npz", trace) for i, trace in enumerate(live)]
    found = nk.compare(*paths)
    assert found.first_divergence.causes == ("v",)
    assert found.summary == nk.compare(*live, labels=("0.npz", "1.npz")).summary
    same = nk.compare(paths[0], {**live[0], "t2": live[0]["t2"] + 1})
    assert "Its input agrees, so its weights differ or it is computed" in same.summary
    again = nk.compare(paths[0], saved(tmp_path, "2.npz", nk.Trace.load(paths[1])))
    assert again.first_divergence.causes == ("v",)


def test_equal_weights_of_saved_traces_are_known_to_be_equal(graph, x, tmp_path):
    a = nk.trace(graph, x)
    b = nk.Trace(a.run, {**a, "t2": a["t2"] + 1}, graph=graph)
    found = nk.compare(saved(tmp_path, "a.npz", a), saved(tmp_path, "b.npz", b))
    assert found.first_divergence.weights_compared
    assert "Its input agrees and its weights are equal, so it is computed" in found.summary


def test_a_transposition_of_weights_is_not_blamed_for_the_convolution(x, tmp_path):
    text = TEXT.replace(
        "t2 = linear(t1, v)", "vt = transpose(v, axes = [0, 1]);\n t2 = linear(t1, vt)"
    )
    random = np.random.default_rng(1)
    graph = nk.parse(text).with_data({"w": random.random((3, 4)), "v": random.random((2, 3))})
    paths = [
        saved(tmp_path, f"{i}.npz", nk.trace(g, x))
        for i, g in enumerate((graph, changed(graph, v=2)))
    ]
    first = nk.compare(*paths).first_divergence
    assert (first.name, first.causes) == ("t2", ("v",))


def test_a_trace_of_an_older_version_is_read(graph, x, tmp_path):
    import json
    import zipfile

    path = saved(tmp_path, "new.npz", nk.trace(graph, x))
    with zipfile.ZipFile(path) as new, zipfile.ZipFile(tmp_path / "old.npz", "w") as old:
        for name in new.namelist():
            if name == "trace.json":
                fields = json.loads(new.read(name))
                del fields["weights"]
                old.writestr(name, json.dumps(fields))
            elif name != "graph.nnef":
                old.writestr(name, new.read(name))
    trace = nk.Trace.load(tmp_path / "old.npz")
    assert trace.graph is None
    assert nk.compare(trace, path).equal


WRONG = TEXT.replace("w = variable(shape = [3, 4]", "w = variable(shape \x7f [3, 4]")


@pytest.mark.parametrize(
    "text", ["", "graph", TEXT.replace("t1", "t9"), "\0" * 50, "version 1.0;", WRONG]
)
def test_a_trace_with_another_text_has_no_graph(graph, x, tmp_path, text):
    import zipfile

    path = saved(tmp_path, "good.npz", nk.trace(graph, x))
    with zipfile.ZipFile(path) as good, zipfile.ZipFile(tmp_path / "bad.npz", "w") as bad:
        for name in good.namelist():
            bad.writestr(name, text if name == "graph.nnef" else good.read(name))
    assert nk.Trace.load(tmp_path / "bad.npz").graph is None


def test_signaling_nan_in_weights_and_values_are_no_warning(tmp_path):
    signaling = np.array([0x7F800001, 0x3F800000], np.uint32).view(np.float32)
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [2]);"
        " w = variable(shape = [2], label = 'w'); y = add(x, w); }"
    ).with_data({"w": signaling})
    trace = nk.trace(graph, signaling)
    loaded = nk.Trace.load(saved(tmp_path, "nan.npz", trace))
    assert loaded.statistics["x"].nan == 1
    assert len(loaded.weight_digests["w"]) == 32


def test_a_loaded_trace_has_shapes_of_its_graph_and_no_weights(graph, x, tmp_path):
    trace = nk.Trace.load(saved(tmp_path, "a.npz", nk.trace(graph, x)))
    assert trace.graph.tensor("t2").shape == (1, 2)
    assert trace.graph.tensor("w").data is None
    assert "w" not in trace
    assert trace.hidden_nan == ()


def test_a_saved_trace_of_a_custom_operation_knows_its_shapes(tmp_path):
    customs = nk.CustomOperations()
    customs.register(
        "fragment twice( x: tensor<scalar> ) -> ( y: tensor<scalar> );",
        kernel=lambda x: 2 * x,
        shape=lambda x: x,
    )
    text = """
version 1.0;
extension KHR_enable_fragment_definitions;
fragment twice( x: tensor<scalar> ) -> ( y: tensor<scalar> );
graph net( x ) -> ( y )
{
    x = external(shape = [2, 3]);
    t = twice(x);
    y = max_reduce(t, axes = [1]);
}
"""
    graph = nk.parse(text, custom_operations=customs)
    trace = nk.trace(graph, np.ones((2, 3), np.float32), custom_operations=customs)
    loaded = nk.Trace.load(saved(tmp_path, "custom.npz", trace))
    assert loaded.graph.tensor("t").shape == (2, 3)
    assert loaded.graph.tensor("y").shape == (2, 1)


# -- in words --------------------------------------------------------------------------------------


def test_the_element_that_differs_most_is_given_exactly():
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    b = a.copy()
    b[1, 2] = 5.0000005
    found = nk.compare({"x": a}, {"x": b}, tolerance=0)
    assert "At [1, 2] it is 5.0 in a and 5.0000005 in b." in found.summary
    integers = nk.compare({"x": np.int64([2**53])}, {"x": np.int64([2**53 + 1])}, tolerance=0)
    assert "At [0] it is 9007199254740992 in a and 9007199254740993 in b." in integers.summary
    rank_0 = nk.compare({"x": np.float32(1)}, {"x": np.float32(2)})
    assert "It is 1.0 in a and 2.0 in b." in rank_0.summary


def test_the_first_nan_counts_more_than_the_largest_difference():
    a, b = np.zeros((2, 2), np.float32), np.float32([[9, 0], [np.nan, np.nan]])
    assert nk.compare({"x": a}, {"x": b})["x"].metrics.element[0] == (1, 0)
    assert "At [1, 0] it is 0.0 in a and nan in b." in nk.compare({"x": a}, {"x": b}).summary


def test_shapes_that_broadcast_are_still_a_difference():
    found = nk.compare({"x": np.ones((1, 3))}, {"x": np.ones(3)})
    assert not found.ok
    assert "the shapes 1×3 and 3 do not match" in found.summary
    assert (
        "They would broadcast to each other, but only equal shapes are compared." in found.summary
    )
    assert "broadcast" not in nk.compare({"x": np.ones((2, 3))}, {"x": np.ones(4)}).summary


NAN = """
version 1.0;
graph net( x ) -> ( y )
{
    x = external(shape = [4]);
    r = rcp(x);
    d = mul(x, r);
    h = relu(d);
    y = add(h, 1.0);
}
"""


def test_the_producer_of_the_first_nan_is_named_and_what_hides_it():
    graph = nk.parse(NAN)
    a, b = (nk.trace(graph, np.float32(v)) for v in ([1, 2, 3, 4], [1, 2, 0, 4]))
    found = nk.compare(a, b)
    assert (
        "The first NaN of b arises in d (mul, line 7); h (relu, line 8) replaces it"
        in found.summary
    )
    assert "NaN of a" not in found.summary
    partial = nk.compare(dict(a), {name: b[name] for name in ("d", "y")}, graph=graph)
    assert "The first NaN of b arises at or before d (mul, line 7)." in partial.summary
    plain = nk.compare({"p": np.ones(2)}, {"p": np.float64([1, np.nan])})
    assert "The first NaN of b arises in p." in plain.summary
