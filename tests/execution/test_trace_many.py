"""Statistics over many inputs, and their independence of who computes them."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.execution.many.tensor_range import TensorRange

TEXT = """
version 1.0;
graph net(x) -> (y)
{
    x = external<scalar>(shape = [2, 5]);
    s = variable<scalar>(shape = [2, 5], label = 's');
    t = add(s, x);
    u = update(s, t);
    l = log(t);
    y = relu(l);
}
"""
DRAW = np.random.default_rng(0)
INPUTS = [DRAW.normal(size=(2, 5), scale=4).astype(np.float32) for _ in range(11)]


@pytest.fixture(scope="module")
def graph():
    return nk.parse(TEXT).with_data({"s": np.ones((2, 5), np.float32)})


@pytest.fixture(scope="module")
def alone(graph):
    return nk.trace_many(graph, INPUTS)


def test_statistics_are_those_of_all_values_together(graph, alone):
    assert alone.inputs == 11
    for name in ("x", "t", "l", "y"):
        # Each input begins with the variables of the graph.
        values = np.stack([nk.trace(graph, x)[name] for x in INPUTS]).astype(np.float64)
        finite = values[np.isfinite(values)]
        found = alone[name]
        assert (found.count, found.inputs) == (values.size, 11)
        assert (found.minimum, found.maximum) == (finite.min(), finite.max())
        np.testing.assert_allclose(found.mean, finite.mean(), rtol=1e-12)
        np.testing.assert_allclose(found.deviation, finite.std(), rtol=1e-12)
        assert found.zeros == np.count_nonzero(values == 0)
        assert found.nan == np.isnan(values).sum()
        at = (found.worst.input, *found.worst.at)
        assert values[at] == found.worst.value
        assert abs(found.worst.value) == np.abs(finite).max()
        exponents = np.floor(np.log2(np.abs(finite[finite != 0])))
        expected = dict(zip(*np.unique(exponents, return_counts=True), strict=True))
        assert found.magnitudes == expected
    first = next(i for i, x in enumerate(INPUTS) if (x + 1 <= 0).any())
    assert alone["l"].first_nan == first
    assert alone["x"].first_nan is None


def test_threads_and_processes_give_the_same_result(graph, alone):
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as executor:
            assert dict(nk.trace_many(graph, iter(INPUTS), executor=executor)) == dict(alone)


@pytest.mark.slow
def test_processes_give_the_same_result(graph, alone):
    for workers in (1, 2):
        with ProcessPoolExecutor(workers) as executor:
            assert dict(nk.trace_many(graph, INPUTS, executor=executor)) == dict(alone)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_workers_of_dask_give_the_same_result(graph, alone):
    distributed = pytest.importorskip("distributed", reason="the package distributed is missing")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert dict(nk.trace_many(graph, INPUTS, executor=client)) == dict(alone)
        executor = client.get_executor()
        assert dict(nk.trace_many(graph, INPUTS, executor=executor)) == dict(alone)


def test_few_inputs_are_held_at_a_time(graph):
    begun = []

    def generated():
        for i in range(200):
            begun.append(i)
            yield INPUTS[0]

    with ThreadPoolExecutor(2) as executor:
        executor_submit, done = executor.submit, []

        def submit(function, shipment, chunk):
            future = executor_submit(function, shipment, chunk)
            future.add_done_callback(lambda _: done.append(len(chunk)))
            assert len(begun) - sum(done) <= 40
            return future

        executor.submit = submit
        assert nk.trace_many(graph, generated(), executor=executor).inputs == 200


def interrupted_after(count):
    yield from INPUTS[:count]
    raise KeyboardInterrupt


def test_an_interrupt_keeps_what_was_done(graph):
    found = nk.trace_many(graph, interrupted_after(3))
    assert (found.inputs, found.interrupted) == (3, True)
    assert dict(found) == dict(nk.trace_many(graph, INPUTS[:3]))
    assert "Interrupted after 3 inputs" in found.summary
    for text in (repr(found), found._repr_html_()):
        assert "Interrupted after 3 inputs" in text
    with pytest.raises(KeyboardInterrupt):
        nk.trace_many(graph, interrupted_after(0))


@pytest.mark.parametrize("executor", [None, "threads"])
def test_a_wrong_input_is_reported_with_its_number(graph, executor):
    pool = ThreadPoolExecutor(2) if executor else None
    with pytest.raises(nk.InputError, match="input 5: "):
        nk.trace_many(graph, [*INPUTS[:5], np.ones((2, 4), np.float32)], executor=pool)


@pytest.mark.parametrize(
    "inputs",
    [[], np.ones((3, 2, 5)), {"x": INPUTS[0]}, "x", 3, None],
    ids=lambda each: str(type(each)),
)
def test_what_is_not_several_inputs_is_refused(graph, inputs):
    with pytest.raises(nk.InputError):
        nk.trace_many(graph, inputs)


def test_an_executor_that_cannot_submit_is_refused(graph):
    with pytest.raises(nk.InputError, match="cannot spread work"):
        nk.trace_many(graph, INPUTS, executor=3)


def test_huge_values_neither_overflow_nor_hide(graph):
    graph = nk.parse("version 1.0; graph g(x) -> (y) { x = external(shape = [2]); y = copy(x); }")
    wide = [np.float32([3e38, -3e38]), np.float32([3e38, 3e38]), np.float32([np.inf, np.nan])]
    found = nk.trace_many(graph, wide)["x"]
    values = np.float64(wide[:2])
    np.testing.assert_allclose(found.mean, values.mean())
    np.testing.assert_allclose(found.deviation, values.std())
    assert (found.nan, found.infinite, found.first_nan, found.finite) == (1, 1, 2, 4)


def test_results_are_shown_as_words_and_as_tables(graph, alone):
    assert "with NaN or Inf" in alone.summary
    frame = alone.to_frame()
    assert list(frame.index) == list(alone)
    assert frame.loc["x", "worst_input"] == alone["x"].worst.input
    for text in (repr(alone), alone._repr_html_()):
        assert "trace of 11 inputs" in text
        assert "largest in input" in text


def test_the_first_nan_is_said_to_be_first_in_its_input(graph):
    inputs = [np.ones((2, 5), np.float32), np.full((2, 5), -3, np.float32)] * 2
    found = nk.trace_many(graph, inputs)
    assert "is l (20 NaN and 0 Inf), first in input 1." in found.summary


def test_nothing_kept_is_an_empty_table(graph):
    frame = nk.trace_many(graph, INPUTS[:2], keep=[]).to_frame()
    assert len(frame) == 0
    assert list(frame.columns) == list(nk.trace_many(graph, INPUTS[:2]).to_frame().columns)


def test_statistics_of_integers_and_logicals_are_those_of_all_values():
    graph = nk.parse("""
        version 1.0;
        graph net(i) -> (b)
        {
            i = external<integer>(shape = []);
            s = cast<scalar>(i);
            b = gt(s, 2.0);
        }
    """)
    found = nk.trace_many(graph, [np.array(number) for number in (3, -7, 0)])
    assert (found["i"].minimum, found["i"].maximum, found["i"].zeros) == (-7, 3, 1)
    assert found["i"].worst == (-7.0, 1, ())
    assert found["i"].magnitudes == {1: 1, 2: 1}
    assert (found["b"].maximum, found["b"].zeros, found["b"].worst.input) == (1, 2, 0)
    assert "The largest magnitude is -7, of i, input 1." in found.summary


def test_an_empty_tensor_adds_nothing():
    empty, values = TensorRange.of(np.zeros((0, 3)), 0), TensorRange.of(np.array([1.0, -4.0]), 1)
    assert np.isnan(empty.mean)
    assert (empty.count, empty.worst, empty.first_nan) == (0, None, None)
    for merged in (empty.merged(values), values.merged(empty)):
        assert replace(merged, inputs=1) == values


def test_signaling_nan_are_counted_without_a_warning():
    values = np.array([0x7F800001, 0x3F800000], np.uint32).view(np.float32)
    found = TensorRange.of(values, 0)
    assert (found.nan, found.maximum, found.magnitudes) == (1, 1.0, {0: 1})
