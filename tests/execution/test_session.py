"""Sessions run a graph many times, and variables persist from run to run (4.8)."""

import gc

import numpy as np
import pytest
import threadpoolctl

from nnefkit import io
from nnefkit.errors import ExecutionError, UnknownNameError
from nnefkit.execution import Session, run, trace
from nnefkit.execution.engine_list import engines
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor

COUNTER = """
version 1.0;
graph counter(x) -> (total)
{
    x = external<scalar>(shape = [1, 2]);
    sum = variable<scalar>(shape = [1, 2], label = 'sum');
    total = add(sum, x);
    new_sum = update(sum, total);
}
"""
SWAP = """
version 1.0;
graph swap(e) -> (seen)
{
    e = external<scalar>(shape = [1]);
    x = variable<scalar>(shape = [1], label = 'x');
    y = variable<scalar>(shape = [1], label = 'y');
    new_x = update(x, y);
    new_y = update(y, x);
    seen = add(x, e);
}
"""


def zeros(graph):
    return graph.with_data({v.name: np.zeros(v.shape, np.float32) for v in graph.variables})


def test_an_update_takes_effect_after_the_run_and_survives_to_the_next():
    session = Session(zeros(io.parse(COUNTER)))
    for expected in (1, 2, 3):
        result = session.run(np.ones((1, 2)))["total"]
        np.testing.assert_array_equal(result, np.full((1, 2), expected))
        np.testing.assert_array_equal(session.variables["sum"], result)


def test_the_variable_has_its_old_value_within_the_run():
    traced = Session(zeros(io.parse(COUNTER))).trace(np.ones((1, 2)))
    np.testing.assert_array_equal(traced["total"], [[1, 1]])
    np.testing.assert_array_equal(traced["new_sum"], [[1, 1]])


def test_variables_that_take_each_others_value_are_swapped():
    graph = io.parse(SWAP).with_data({"x": np.float32([1]), "y": np.float32([2])})
    session = Session(graph)
    assert session.run([0.0])["seen"] == 1
    assert {k: float(v[0]) for k, v in session.variables.items()} == {"x": 2.0, "y": 1.0}
    assert session.run([0.0])["seen"] == 2
    assert session.run([0.0], outputs="new_x")["new_x"] == 2


def test_updates_happen_whatever_outputs_are_requested():
    session = Session(zeros(io.parse(COUNTER)))
    session.run(np.ones((1, 2)), outputs=["x"])
    session.trace(np.ones((1, 2)), keep=["x"])
    np.testing.assert_array_equal(session.variables["sum"], [[2, 2]])


def test_a_failed_run_changes_no_variable():
    session = Session(zeros(io.parse(COUNTER)))
    session.run(np.ones((1, 2)))
    with pytest.raises(ValueError, match="shape"):
        session.run(np.ones((2, 2)))
    np.testing.assert_array_equal(session.variables["sum"], [[1, 1]])


def test_reset_restores_the_values_of_the_graph():
    session = Session(zeros(io.parse(COUNTER)))
    session.run(np.ones((1, 2)))
    session.reset()
    np.testing.assert_array_equal(session.variables["sum"], [[0, 0]])
    np.testing.assert_array_equal(session.run(np.ones((1, 2)))["total"], [[1, 1]])
    with pytest.raises(UnknownNameError, match="Did you mean 'sum'"):
        session.reset("summ")


def test_neither_the_graph_nor_the_state_can_be_reached_through_results():
    graph = zeros(io.parse(COUNTER))
    session = Session(graph)
    for array in session.run(np.ones((1, 2)), outputs=["total", "sum", "new_sum"]).values():
        array[:] = 100
    session.variables["sum"][:] = 100
    np.testing.assert_array_equal(session.variables["sum"], [[1, 1]])
    np.testing.assert_array_equal(graph.tensors["sum"].data, [[0, 0]])
    np.testing.assert_array_equal(run(graph, np.ones((1, 2)))["total"], [[1, 1]])
    for array in run(graph, np.ones((1, 2)), outputs=["sum"]).values():
        array[:] = 100
    np.testing.assert_array_equal(graph.tensors["sum"].data, [[0, 0]])


def test_an_update_of_a_label_changes_all_the_variables_that_share_it():
    text = COUNTER.replace(
        "total = add", "twin = variable<scalar>(shape = [1, 2], label = 'SUM');\n total = add"
    ).replace("-> (total)", "-> (total, twin)")
    session = Session(zeros(io.parse(text)))
    session.run(np.ones((1, 2)))
    np.testing.assert_array_equal(session.run(np.ones((1, 2)))["twin"], [[1, 1]])


def test_a_recurrent_network_computes_the_same_as_a_loop():
    text = """
    version 1.0;
    graph rnn(x) -> (h)
    {
        x = external<scalar>(shape = [1, 3]);
        W = variable<scalar>(shape = [4, 3], label = 'W');
        U = variable<scalar>(shape = [4, 4], label = 'U');
        state = variable<scalar>(shape = [1, 4], label = 'state');
        a = linear(x, W);
        b = linear(state, U);
        s = add(a, b);
        h = tanh(s);
        next = update(state, h);
    }
    """
    rng = np.random.default_rng(0)
    w, u = rng.standard_normal((4, 3)), rng.standard_normal((4, 4))
    graph = io.parse(text).with_data(
        {"W": w.astype("f"), "U": u.astype("f"), "state": np.zeros((1, 4), "f")}
    )
    session = Session(graph)
    h = np.zeros((1, 4))
    for x in rng.standard_normal((20, 1, 3)):
        h = np.tanh(x @ w.T + h @ u.T)
        np.testing.assert_allclose(session.run(x)["h"], h, atol=1e-5)


def test_outputs_may_be_any_tensors_in_any_order():
    graph = zeros(io.parse(COUNTER))
    assert list(run(graph, np.ones((1, 2)), outputs=["total", "x", "sum"])) == ["total", "x", "sum"]
    assert list(run(graph, np.ones((1, 2)), outputs="sum")) == ["sum"]
    with pytest.raises(UnknownNameError, match="Did you mean 'total'"):
        run(graph, np.ones((1, 2)), outputs=["totl"])


def test_an_unknown_engine_is_refused_by_name():
    with pytest.raises(UnknownNameError, match="Did you mean 'numpy'"):
        Session(zeros(io.parse(COUNTER)), engine="nunpy")
    assert engines()["numpy"].installed
    assert {"conv", "external", "update"} <= engines()["numpy"].operations
    assert "numpy" in repr(engines())
    assert list(engines().to_frame()) == list(engines())


def test_all_operations_without_a_kernel_and_variables_without_values_are_reported_at_once():
    text = "version 1.0;\ngraph g(x) -> (y, z)\n{\n"
    text += "x = external<scalar>(shape = [2]);\n"
    text += "w = variable<scalar>(shape = [2], label = 'weights/w');\n"
    text += "y = frobnicate(x);\nu = add(y, w);\nz = twiddle(u);\n}\n"
    graph = io.parse(text, strict=False)
    with pytest.raises(ExecutionError) as caught:
        Session(graph)
    messages = [d.message for d in caught.value.diagnostics]
    assert [d.line for d in caught.value.diagnostics] == [6, 8, 5]
    assert "'frobnicate'" in messages[0]
    assert "'twiddle'" in messages[1]
    assert "weights/w" in messages[2]


def test_unsupported_operations_are_reported_in_order_and_many_alike_together():
    def refused(count):
        lines = [f"    a{i} = {'twiddle' if i % 2 else 'frobnicate'}(x);" for i in range(count)]
        names = ", ".join(f"a{i}" for i in range(count))
        text = f"version 1.0;\ngraph g(x) -> ({names})\n{{\n    x = external(shape = [2]);\n"
        graph = io.parse(text + "\n".join(lines) + "\n}\n", strict=False)
        with pytest.raises(ExecutionError) as caught:
            Session(graph)
        return caught.value.diagnostics

    assert [d.line for d in refused(6)] == [5, 6, 7, 8, 9, 10]
    first, second = refused(101)
    assert "cannot run 51 operations: frobnicate (51)" in first.message
    assert "cannot run 50 operations: twiddle (50)" in second.message
    assert (first.line, second.line) == (5, 6)


def failing_graph(monkeypatch, error):
    from nnefkit.operations.registry import KERNELS

    def kernel(x):
        raise error

    monkeypatch.setitem(KERNELS, "sigmoid", kernel)
    text = "version 1.0;\ngraph g(x) -> (y)\n{\n"
    text += "x = external<scalar>(shape = [2, 3]);\ny = sigmoid(x);\n}\n"
    return io.parse(text)


@pytest.mark.parametrize("call", [run, trace])
@pytest.mark.parametrize("error", [ValueError("bad luck"), MemoryError(), ZeroDivisionError()])
def test_an_operation_that_fails_is_named_with_its_line_and_inputs(monkeypatch, call, error):
    graph = failing_graph(monkeypatch, error)
    with pytest.raises(ExecutionError) as caught:
        call(graph, np.ones((2, 3)))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.line == 5
    assert "'sigmoid', which computes 'y', failed" in diagnostic.message
    assert str(error) in diagnostic.message
    assert "x [2, 3]" in diagnostic.hint


def test_an_interrupt_leaves_the_session_usable(monkeypatch):
    graph = failing_graph(monkeypatch, KeyboardInterrupt())
    session = Session(graph)
    with pytest.raises(KeyboardInterrupt):
        session.run(np.ones((2, 3)))
    monkeypatch.undo()
    with pytest.raises(KeyboardInterrupt):  # the kernel was bound when the session was made
        session.run(np.ones((2, 3)))
    assert Session(graph).run(np.zeros((2, 3)))["y"].tolist() == [[0.5] * 3] * 2


def test_warnings_of_numpy_are_not_shown():
    text = "version 1.0; graph g(x) -> (y) { x = external<scalar>(shape = [2]); y = log(x); }"
    np.testing.assert_array_equal(run(io.parse(text), [0.0, -1.0])["y"], [-np.inf, np.nan])


def test_a_run_leaves_the_settings_of_numpy_unchanged():
    before = np.getbufsize(), np.geterr()
    run(zeros(io.parse(COUNTER)), np.ones((1, 2)))
    assert (np.getbufsize(), np.geterr()) == before


def test_the_number_of_threads_of_matrix_products_holds_for_the_run_only(monkeypatch):
    from nnefkit.operations.registry import KERNELS

    def threads():
        return {
            pool["num_threads"]
            for pool in threadpoolctl.threadpool_info()
            if pool["user_api"] == "blas"
        }

    seen = []

    def kernel(x):
        seen.append(threads())
        return x

    monkeypatch.setitem(KERNELS, "sigmoid", kernel)
    text = "version 1.0; graph g(x) -> (y) { x = external<scalar>(shape = [2]); y = sigmoid(x); }"
    before = threads()
    for number in (1, 2):
        run(io.parse(text), [0.0, 1.0], threads=number)
    assert seen == [{1}, {2}]
    assert threads() == before


def test_a_graph_made_by_hand_runs_and_gets_its_shapes():
    graph = Graph(
        "by_hand",
        ("x",),
        ("y",),
        (
            Operation(
                "external",
                FrozenDict(),
                FrozenDict(output=Identifier("x")),
                FrozenDict(shape=[1, 4]),
                "scalar",
            ),
            Operation(
                "mul",
                FrozenDict(x=Identifier("x"), y=2.0),
                FrozenDict(z=Identifier("y")),
                FrozenDict(),
            ),
        ),
        FrozenDict(x=Tensor("x"), y=Tensor("y")),
    )
    np.testing.assert_array_equal(run(graph, np.ones((1, 4)))["y"], np.full((1, 4), 2))


def test_double_precision_weights_make_a_double_precision_run():
    graph = zeros(io.parse(COUNTER))
    assert run(graph, np.ones((1, 2)))["total"].dtype == np.float32
    double = graph.with_data({"sum": np.full((1, 2), 1e-12)})
    result = run(double, np.ones((1, 2)))["total"]
    assert result.dtype == np.float64
    assert (result > 1).all()
    half = graph.with_data({"sum": np.ones((1, 2), np.float16)})
    assert run(half, np.ones((1, 2)))["total"].dtype == np.float32


def test_a_garbage_session_releases_its_memory():
    import weakref

    session = Session(zeros(io.parse(COUNTER)))
    session.run(np.ones((1, 2)))
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None
