"""Stepping with stops: running on to a tensor, breakpoints, going back, replacing, later runs."""

import numpy as np
import pytest

from nnefkit import io
from nnefkit.errors import ExecutionError, InputError, NnefError, UnknownNameError
from nnefkit.execution import Session, step, trace

TEXT = """
version 1.0;
graph net(x) -> (y)
{
    x = external<scalar>(shape = [1, 4]);
    w = variable<scalar>(shape = [1, 4], label = 'w');
    a = mul(x, w);
    [b, c] = split(a, axis = 1, ratios = [1, 1]);
    d = log(b);
    e = add(d, c);
    y = relu(e);
}
"""
ACCUMULATOR = """
version 1.0;
graph net(x) -> (y)
{
    x = external<scalar>(shape = [2]);
    s = variable<scalar>(shape = [2], label = 's');
    t = add(s, x);
    u = update(s, t);
    y = mul(s, 10.0);
}
"""
X = np.float32([[1, 2, 3, -4]])
ENGINES = ("numpy", "onnxruntime", "torch", "tract")


@pytest.fixture(scope="module")
def graph():
    return io.parse(TEXT).with_data({"w": np.float32([[1, 2, 3, 4]])})


@pytest.fixture(scope="module")
def accumulator():
    return io.parse(ACCUMULATOR).with_data({"s": np.float32([1, 2])})


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_computes_the_steps_that_it_computes_in_a_run(graph, engine):
    pytest.importorskip(engine)
    traced = trace(graph, X, engine, fallback="numpy")
    seen = {}
    for one in step(graph, X, engine, fallback="numpy"):
        seen.update(one.outputs)
    assert list(seen) == ["a", "b", "c", "d", "e", "y"]
    for name, array in seen.items():
        np.testing.assert_allclose(array, traced[name], rtol=1e-6)
        assert array.dtype == traced[name].dtype


@pytest.mark.parametrize("engine", ENGINES)
def test_going_back_replacing_and_going_on_changes_what_follows(graph, engine):
    pytest.importorskip(engine)
    steps = step(graph, X, engine, fallback="numpy")
    assert steps.until("e").operation.name == "add"
    again = steps.back_to("b")
    np.testing.assert_array_equal(again.outputs["b"], [[1, 4]])
    again.outputs["b"] = [[np.e, 1.0]]
    assert steps.go() is None
    assert steps.stopped == "end of the run"
    np.testing.assert_allclose(steps["y"], [[10, 0]], rtol=1e-6)
    # A result that was replaced is computed again when the run goes back to before it.
    np.testing.assert_array_equal(steps.back_to("c").outputs["b"], [[1, 4]])
    steps.replace("w", np.full((1, 4), 2.0))
    np.testing.assert_array_equal(steps.back_to("a").outputs["a"], 2 * X)
    steps.replace("x", np.full((1, 4), 3.0))
    np.testing.assert_array_equal(steps.back_to("a").outputs["a"], np.full((1, 4), 6))


def test_tensors_before_the_point_of_return_keep_what_replaced_them(graph):
    steps = step(graph, X)
    steps.until("a").outputs["a"] = [[1, 1, 5, 7]]
    steps.until("y")
    np.testing.assert_array_equal(steps.back_to("d").outputs["d"], [[0, 0]])
    steps.go()
    np.testing.assert_array_equal(steps["y"], [[5, 7]])


def test_a_tensor_that_was_passed_or_not_reached_or_does_not_exist_is_reported(graph):
    steps = step(graph, X)
    with pytest.raises(InputError, match="not computed yet"):
        steps.back_to("b")
    with pytest.raises(InputError, match="not computed yet"):
        steps["b"]
    with pytest.raises(InputError, match="not computed yet"):
        steps.replace("b", [[1, 1]])
    steps.until("d")
    with pytest.raises(InputError, match="'a' was computed already") as caught:
        steps.until("a")
    assert "back_to" in caught.value.diagnostics[0].hint
    with pytest.raises(InputError, match="'d' was computed already"):
        steps.until("d")
    for method in (steps.until, steps.back_to, steps.break_at):
        with pytest.raises(UnknownNameError):
            method("dd")
        with pytest.raises(InputError, match="'x' is an input"):
            method("x")
        with pytest.raises(InputError, match="'w' is a variable"):
            method("w")
    with pytest.raises(UnknownNameError):
        steps.replace("dd", X)
    with pytest.raises(InputError, match=r"\[1, 2\]"):
        steps.replace("d", X)
    # None of these moved the run.
    assert next(steps).operation.name == "add"


def test_the_first_nan_stops_the_run_and_says_whether_the_inputs_had_it(graph):
    steps = step(graph, -X)
    found = steps.until(nan=True)
    assert list(found.outputs) == ["d"]
    assert steps.stopped == "'d' has 2 NaN, which no input of it has"
    next(steps)
    steps.back_to("e")
    assert steps.current.has_nan
    steps.back_to("d").outputs["d"] = [[1, 1]]
    assert steps.until(nan=True) is None


def test_nan_of_the_inputs_is_not_blamed_on_the_operation(graph):
    steps = step(graph, np.float32([[np.nan, 2, 3, 4]]))
    steps.until(nan=True)
    assert steps.stopped == "'a' has 1 NaN, as 'x' has, which it reads"


def test_the_first_value_beyond_a_bound_is_named_with_its_place(graph):
    steps = step(graph, X)
    assert list(steps.until(beyond=15.0).outputs) == ["a"]
    assert steps.stopped == "'a'[0, 3] is -16.0, beyond ±15"
    assert step(graph, X).until(beyond=16.0) is None
    # Inf is beyond every bound, NaN is not.
    infinite = step(graph, np.float32([[0, 2, 3, 4]]))
    infinite.until(beyond=1e30)
    assert infinite.stopped == "'d'[0, 0] is -inf, beyond ±1e+30"
    assert step(graph, np.float32([[np.nan, 2, 3, 4]])).until(beyond=18.0) is None


def test_breakpoints_stop_go_and_until(graph):
    steps = step(graph, X)
    steps.break_at("c")
    steps.break_at(lambda one: one.operation.name == "add")
    assert steps.breakpoints == ("'c'", "a function")
    assert "c" in steps.go().outputs
    assert steps.stopped == "breakpoint: 'c'"
    assert "e" in steps.until("y").outputs
    assert steps.stopped.startswith("breakpoint: a function")
    steps.back_to("a")
    assert "c" in steps.go().outputs
    steps.clear_breakpoints()
    assert steps.go() is None
    assert list(steps) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"target": 3},
        {"beyond": -1},
        {"beyond": np.nan},
        {"beyond": np.inf},
        {"beyond": "3"},
        {"beyond": True},
        {"beyond": 10**400},
        {"target": lambda one: np.array([True, False])},
    ],
    ids=lambda conditions: " ".join(conditions),
)
def test_wrong_conditions_are_reported(graph, arguments):
    with pytest.raises(NnefError):
        step(graph, X).until(**arguments)


@pytest.mark.parametrize("engine", ENGINES[:3])
def test_updated_variables_go_back_and_on_to_the_next_run(accumulator, engine):
    pytest.importorskip(engine)
    session = Session(accumulator, engine)
    steps = step(accumulator, [3.0, 4.0], engine)
    np.testing.assert_array_equal(steps.variables["s"], [1, 2])
    steps.until("u")
    np.testing.assert_array_equal(steps.variables["s"], [4, 6])
    steps.back_to("t")
    np.testing.assert_array_equal(steps.variables["s"], [1, 2])
    with pytest.raises(InputError, match="has not ended"):
        steps.next_run([1.0, 1.0])
    steps.go()
    # Operations of the run itself read the value from before it.
    np.testing.assert_array_equal(steps["y"], session.run([3.0, 4.0])["y"])
    for inputs in ([1.0, 1.0], [5.0, 7.0]):
        steps.next_run(inputs)
        steps.go()
        np.testing.assert_array_equal(steps["y"], session.run(inputs)["y"])
        np.testing.assert_array_equal(steps.variables["s"], session.variables["s"])


INFO = "".join(
    f'"{name}": linear_quantize(min = -{bound}, max = {bound}, bits = {bits});'
    for name, bound, bits in (
        ("x", 8.0, 7),
        ("w", 4.0, 4),
        ("a", 16.0, 6),
        ("s", 16.0, 5),
        ("u", 16.0, 6),
    )
)
QUANTIZED = """
version 1.0;
graph net(x) -> (y)
{
    x = external<scalar>(shape = [1, 4]);
    w = variable<scalar>(shape = [1, 4], label = 'w');
    s = variable<scalar>(shape = [1, 4], label = 's');
    a = mul(x, w);
    t = add(s, a);
    u = update(s, t);
    y = mul(u, 10.0);
}
"""


@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize("engine", ENGINES)
def test_quantized_graphs_are_stepped_as_they_are_traced(engine, history):
    pytest.importorskip(engine)
    weights = {"w": np.float32([[1, 2, 3, 4]]), "s": np.float32([[0.1, 0.2, 0.3, 0.4]])}
    graph = io.parse(QUANTIZED, INFO).with_data(weights)
    session = Session(graph, engine, quantized=True, fallback="numpy")
    steps = step(graph, X, engine, quantized=True, fallback="numpy", history=history)
    for number, inputs in enumerate((X, 2 * X, X - np.float32(1.3))):
        if number:
            steps.next_run(inputs)
        traced = session.trace(inputs)
        seen = {name: array for one in steps for name, array in one.outputs.items()}
        assert {"x", "s", "a", "a_unquantized", "u", "u_unquantized", "y"} <= set(seen)
        for name, array in seen.items():
            np.testing.assert_allclose(array, traced[name], rtol=1e-6)
        assert not np.array_equal(seen["a"], seen["a_unquantized"])
        np.testing.assert_allclose(steps.variables["s"], session.variables["s"], rtol=1e-6)
        assert list(steps.variables) == ["s"]


@pytest.mark.parametrize("history", [True, False])
def test_replaced_weights_remain_replaced_also_in_the_next_run(history):
    text = ACCUMULATOR.replace("mul(s, 10.0)", "mul(s, w)").replace(
        "t = ", "w = variable<scalar>(shape = [2], label = 'w'); t = "
    )
    ones = np.ones(2, np.float32)
    steps = step(io.parse(text).with_data({"s": ones, "w": ones}), ones, history=history)
    steps.replace("w", [3, 5])
    steps.replace("s", [10, 10])
    steps.go()
    np.testing.assert_array_equal(steps["w"], [3, 5])
    np.testing.assert_array_equal(steps["y"], [30, 50])
    steps.next_run(ones)
    steps.go()
    np.testing.assert_array_equal(steps["y"], [33, 55])
    np.testing.assert_array_equal(steps.variables["s"], [12, 12])


def test_what_a_tensor_cannot_represent_does_not_replace_it():
    text = TEXT.replace("d = log(b)", "i = external<integer>(shape = [2]);d = gather(b, i, axis=1)")
    graph = io.parse(text.replace("net(x)", "net(x, i)")).with_data({"w": np.ones((1, 4), "f4")})
    steps = step(graph, {"x": X, "i": [0, 1]})
    for values in ([0.5, 1], [np.nan, 1], [2.0**63, 1], np.array([2**64 - 1, 1], np.uint64)):
        with pytest.raises(InputError, match="'i' is int64, which cannot represent"):
            steps.replace("i", values)
    steps.replace("i", np.array([1.0, 0.0]))
    first = next(steps)
    for change in (lambda: first.outputs.update(a=[1, 2]), lambda: first.outputs.__ior__({"a": 1})):
        with pytest.raises(InputError, match=r"\[1, 4\]"):
            change()
    outputs = first.outputs
    outputs |= {"a": [[5, 6, 7, 8]]}
    np.testing.assert_array_equal(steps.until("d").outputs["d"], [[6, 5]])


def test_an_interrupted_run_goes_on_where_it_was(graph):
    def interrupt(one):
        if "d" in one.outputs:
            raise KeyboardInterrupt

    steps = step(graph, X)
    with pytest.raises(KeyboardInterrupt):
        steps.until(interrupt)
    assert "d" in steps.current.outputs
    assert steps.go() is None
    np.testing.assert_array_equal(steps["y"], trace(graph, X)["y"])


def test_without_history_results_that_nothing_reads_are_released():
    text = TEXT.replace("d = log(b)", "d = log(c)")
    graph = io.parse(text).with_data({"w": np.float32([[1, -2, 3, -4]])})
    steps = step(graph, X, history=False)
    steps.until("e")
    with pytest.raises(ExecutionError, match="'b' is not held any longer"):
        steps["b"]


def test_without_history_nothing_is_held_and_going_back_is_refused(graph):
    steps = step(graph, X, history=False)
    steps.until("e")
    steps.until("y")
    with pytest.raises(ExecutionError, match="not held") as caught:
        steps.back_to("a")
    assert "history=True" in caught.value.diagnostics[0].hint
    for name in ("a", "x"):
        with pytest.raises(ExecutionError, match="not held"):
            steps[name]
    np.testing.assert_array_equal(steps["y"], trace(graph, X)["y"])


def test_a_failed_operation_can_be_repaired_and_the_run_goes_on():
    text = TEXT.replace("d = log(b)", "i = external<integer>(shape = [2]);d = gather(b, i, axis=1)")
    graph = io.parse(text.replace("net(x)", "net(x, i)")).with_data({"w": np.ones((1, 4), "f4")})
    steps = step(graph, {"x": X, "i": [0, 9]})
    with pytest.raises(ExecutionError, match="gather"):
        steps.go()
    steps.replace("i", [0, 0])
    np.testing.assert_array_equal(next(steps).outputs["d"], [[1, 1]])


def test_float64_graphs_are_stepped_in_float64_by_other_engines(graph):
    wide = graph.with_data({"w": np.array([[1, 2, 3, 1 + 2**-40]])})
    steps = step(wide, np.float64(X), "torch")
    assert steps.until("a").outputs["a"][0, 3] == -4 * (1 + 2**-40)
    assert steps.until("d").outputs["d"].dtype == np.float64


def test_a_stepper_shows_where_it_stopped_and_what_comes_next(graph):
    steps = step(graph, -X)
    steps.break_at(nan=True)
    steps.go()
    line = repr(steps)
    assert "3 of 5 operations computed" in line
    assert "'d' has 2 NaN" in line
    page = steps._repr_html_()
    for words in ("3 of 5 operations computed", "has 2 NaN", "the first NaN", "add("):
        assert words in page
