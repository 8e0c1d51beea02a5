"""What a trace without all values shows, and what it says of the rest."""

import numpy as np
import pytest
from timing import assert_quick

import nnefkit as nk

COUNT = 120
STEPS = "\n".join(f"    t{i} = relu({'x' if i == 0 else f't{i - 1}'});" for i in range(COUNT))
TEXT = f"version 1.0;\ngraph long(x) -> (y)\n{{\n    x = external(shape = [4]);\n{STEPS}\n"
TEXT += f"    y = exp(t{COUNT - 1});\n}}\n"
STOPPING = "fragment stop(x: tensor<scalar>) -> (y: tensor<scalar>);"


@pytest.fixture(scope="module")
def graph():
    return nk.parse(TEXT)


def stopping(error, engine="numpy"):
    """Run a graph whose fifth operation raises an error; return what was raised."""

    def kernel(x):
        raise error

    operations = nk.CustomOperations()
    operations.register(STOPPING, shape=lambda x: x, kernel=kernel)
    graph = nk.parse(
        f"version 1.0; extension KHR_enable_fragment_definitions; {STOPPING} graph g(x) -> (y) {{"
        "x = external(shape = [2]); a = log(x); b = relu(a); c = exp(b); d = stop(c);"
        "e = relu(d); f = neg(e); g = exp(f); h = relu(g); y = neg(h); }",
        custom_operations=operations,
    )
    raised = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else nk.ExecutionError
    with pytest.raises(raised) as caught:
        nk.trace(graph, [-1.0, 2.0], engine, custom_operations=operations)
    return caught.value


def rows(shown):
    """The names of the tensors in a table of plain text, in its order."""
    words = [line.split() for line in shown.splitlines()]
    return [each[2] for each in words if len(each) > 3 and each[0].isdigit()]


@pytest.mark.parametrize("keep", [["t100", "t50", "y"], lambda name: name in ("t100", "t50", "y")])
def test_tensors_that_were_asked_for_come_first(graph, keep):
    traced = nk.trace(graph, np.ones(4), keep=keep)
    for shown in (repr(traced), traced._repr_html_()):
        places = [shown.index(name) for name in ("t50", "t100", "t0")]
        assert places == sorted(places)
        assert "The values of 3 of 122 tensors were recorded." in shown
        assert 'keep="all"' in shown.replace("&quot;", '"')
    assert rows(repr(traced))[:3] == ["t50", "t100", "y"]
    # What was not recorded is not the larger part of the display.
    assert repr(traced).count("not stored") <= 6


def test_many_tensors_that_were_asked_for_come_first_too(graph):
    wanted = [f"t{i}" for i in range(40, COUNT)]
    shown = rows(repr(nk.trace(graph, np.ones(4), keep=wanted)))
    assert shown[0] == "t40"
    assert shown.index(f"t{COUNT - 1}") < shown.index("x")


def test_a_trace_of_statistics_says_so_and_keeps_the_order_of_the_graph(graph):
    traced = nk.trace(graph, np.ones(4), keep="statistics")
    assert "Only statistics were recorded, no values." in repr(traced)
    assert rows(repr(traced))[:2] == ["x", "t0"]


def test_nothing_recorded_is_said_in_words(graph):
    assert "No values were recorded." in repr(nk.trace(graph, np.ones(4), keep=[]))


def test_a_whole_trace_says_nothing_of_missing_values(graph):
    assert "recorded" not in repr(nk.trace(graph, np.ones(4)))


def test_a_saved_trace_shows_the_same(graph, tmp_path):
    traced = nk.trace(graph, np.ones(4), keep=["t50"])
    traced.save(tmp_path / "run.npz")
    assert repr(nk.Trace.load(tmp_path / "run.npz")) == repr(traced)


def test_a_failed_run_leaves_what_was_computed(tmp_path):
    error = stopping(ValueError("no more"))
    traced = error.trace
    assert list(traced) == ["x", "a", "b", "c"]
    np.testing.assert_allclose(traced["c"], [1.0, 2.0], rtol=1e-6)
    traced.save(tmp_path / "run.npz")
    for each in (traced, nk.Trace.load(tmp_path / "run.npz")):
        for shown in (repr(each), each._repr_html_()):
            assert "The run failed" in shown
            assert "no more" in shown
            assert "4 of 10 tensors were computed." in shown
            assert "NaN or Inf, first in" in shown
            assert "not computed" in shown
        assert rows(repr(each))[:4] == ["x", "a", "b", "c"]
    comparison = nk.compare(traced, traced)
    assert comparison.ok
    assert "Not compared: 6 tensors in neither run (d, e, f and 3 more)" in comparison.summary


def test_an_interrupted_run_leaves_what_was_computed():
    traced = stopping(KeyboardInterrupt()).trace
    assert list(traced) == ["x", "a", "b", "c"]
    assert "The run was interrupted. 4 of 10 tensors were computed." in repr(traced)


def test_a_failed_run_with_requested_tensors_tells_both_kinds_apart():
    def kernel(x):
        raise ValueError("no more")

    operations = nk.CustomOperations()
    operations.register(STOPPING, shape=lambda x: x, kernel=kernel)
    graph = nk.parse(
        f"version 1.0; extension KHR_enable_fragment_definitions; {STOPPING} graph g(x) -> (y) {{"
        "x = external(shape = [2]); a = log(x); b = relu(a); d = stop(b); y = exp(d); }",
        custom_operations=operations,
    )
    with pytest.raises(nk.ExecutionError) as caught:
        nk.trace(graph, [1.0, 2.0], keep=["b"], custom_operations=operations)
    shown = repr(caught.value.trace)
    assert rows(shown) == ["b", "x", "a", "d", "y"]
    assert "3 of 5 tensors were computed. The values of 1 were recorded." in shown
    assert (shown.count("not stored"), shown.count("not computed")) == (2, 2)


def test_other_errors_have_no_trace():
    text = "version 1.0; graph g(x) -> (y) { x = external(shape = [1]); w = variable(shape = [1], "
    with pytest.raises(nk.ExecutionError) as caught:
        nk.run(nk.parse(text + "label = 'w'); y = add(x, w); }"), [1.0])
    assert caught.value.trace is None


def test_partial_traces_are_shown_within_the_budget():
    count = 10_000
    steps = "\n".join(f"t{i} = relu({'x' if i == 0 else f't{i - 1}'});" for i in range(count))
    graph = nk.parse(
        f"version 1.0; graph g(x) -> (y) {{ x = external(shape = [4]);\n{steps}\n"
        f"y = exp(t{count - 1}); }}"
    )
    traced = nk.trace(graph, np.ones(4), keep=lambda name: not name.endswith("7"))
    assert_quick(traced._repr_html_, 0.2)
    assert_quick(lambda: repr(traced), 0.2)
    assert len(traced._repr_html_().encode()) < 100 * 1024


def test_asking_for_what_was_not_recorded_is_quick():
    """Similar names are searched for an error only."""
    count = 10_000
    steps = "\n".join(f"t{i} = relu({'x' if i == 0 else f't{i - 1}'});" for i in range(count))
    graph = nk.parse(
        f"version 1.0; graph g(x) -> (t9999) {{ x = external(shape = [4]);\n{steps} }}"
    )
    traced = nk.trace(graph, np.ones(4), keep=["t5"])
    assert_quick(lambda: [traced.get(f"t{i}") for i in range(count)], 0.2)
    assert_quick(lambda: [traced.statistics.get(f"t{i}") for i in range(count)], 0.2)
    assert_quick(traced.to_frame, 0.5)
    assert traced.get("t5").shape == (4,)
    assert traced.get("nothing", 3) == 3
    many = nk.trace_many(graph, [np.ones(4)], keep=["t5"])
    assert_quick(lambda: [many.get(f"t{i}") for i in range(count)], 0.2)
