"""Sessions among threads and forked processes, closed, and traced, on every engine alike."""

import multiprocessing
import threading

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.arrays import mapped_files

ENGINES = ["numpy", "onnxruntime", "torch", "tract"]
TEXT = """version 1.0;
graph net(x) -> (y, total)
{
    x = external<scalar>(shape = [8, 64]);
    w = variable<scalar>(shape = [64, 64], label = 'w');
    sum = variable<scalar>(shape = [8, 64], label = 'sum');
    a = matmul(x, w);
    y = relu(a);
    total = add(sum, x);
    new_sum = update(sum, total);
}
"""
RANDOM = np.random.default_rng(5)
W = RANDOM.standard_normal((64, 64)).astype(np.float32)


@pytest.fixture
def graph():
    return nk.parse(TEXT).with_data({"w": W, "sum": np.zeros((8, 64), np.float32)})


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_share_a_session_and_no_update_is_lost(graph, engine):
    session = nk.Session(graph, engine)
    faults = []

    def work(number):
        x = np.full((8, 64), number, np.float32)
        for _ in range(10):
            y = session.run(x, outputs=["y", "x"] if number % 2 else "y")["y"]
            if not np.allclose(y, np.maximum(x @ W, 0), atol=1e-3):
                faults.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    np.testing.assert_array_equal(session.variables["sum"], np.full((8, 64), 10 * sum(range(5))))


def _forked(session, queue):
    result = session.run(np.ones((512, 64), np.float32))
    queue.put({name: array[-1].tolist() for name, array in result.items()})


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_forked_process_goes_on_with_its_own_copy_of_a_session(engine):
    """PyTorch's threads are not forked: a run that waited for them would wait forever."""
    large = nk.parse(TEXT.replace("[8, 64]", "[512, 64]"))
    session = nk.Session(large.with_data({"w": W, "sum": np.zeros((512, 64), "f")}), engine)
    x = np.ones((512, 64), np.float32)
    session.run(x)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=_forked, args=(session, queue))
    process.start()
    process.join(30)
    alive = process.is_alive()
    process.kill()
    assert not alive
    assert process.exitcode == 0
    found = queue.get()
    np.testing.assert_allclose(found["y"], np.maximum(x @ W, 0)[-1], atol=1e-4)
    np.testing.assert_array_equal(found["total"], 2 * x[-1])
    np.testing.assert_array_equal(session.run(x)["total"], 2 * x)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_closed_session_refuses_to_run(graph, engine):
    with nk.Session(graph, engine) as session:
        session.run(np.ones((8, 64), np.float32))
    assert repr(session).startswith("<closed Session of 'net'")
    for run in (session.run, session.trace):
        with pytest.raises(nk.ExecutionError, match=r"is closed[\s\S]*nk.Session"):
            run(np.ones((8, 64), np.float32))
    np.testing.assert_array_equal(session.variables["sum"], np.ones((8, 64)))


KEPT = {
    "all": ("all", ["x", "a", "y", "total", "new_sum"], True),
    "statistics": ("statistics", ["x", "a", "y", "total", "new_sum"], False),
    "names": (["y", "x"], ["x", "y"], True),
    "one name": ("new_sum", ["new_sum"], True),
    "a function": (lambda name: name > "o", ["x", "y", "total"], True),
}


@pytest.mark.parametrize("spilled", [False, True])
@pytest.mark.parametrize("keep", KEPT)
@pytest.mark.parametrize("engine", [*ENGINES, "auto"])
def test_every_engine_records_what_is_requested(graph, engine, keep, spilled, tmp_path):
    what, names, values = KEPT[keep]
    x = RANDOM.standard_normal((8, 64)).astype(np.float32)
    expected = nk.trace(graph, x)
    names = [name for name in expected if name in names]
    found = nk.trace(graph, x, engine, what, spill=tmp_path if spilled else None)
    assert list(found) == (names if values else [])
    assert list(found.statistics) == names
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4)
        assert bool(mapped_files([found[name]])) is spilled
    for name in names:
        assert found.statistics[name].mean == pytest.approx(expected[name].mean(), abs=1e-5)
    del found
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_shapes_known_only_after_a_run_are_recorded_whatever_is_stored():
    declaration = "fragment odd( x: tensor<scalar> ) -> ( y: tensor<scalar> );"
    nk.register_operation(declaration, kernel=lambda x: x[:, 1::2])
    text = (
        f"version 1.0; extension KHR_enable_fragment_definitions; {declaration} graph g(x) -> (z) "
        "{ x = external<scalar>(shape = [2, 6]); y = odd(x); z = neg(y); }"
    )
    try:
        for keep, known in (("all", "xyz"), ("statistics", "xyz"), (["y"], "xy")):
            for engine in (*ENGINES, "auto"):
                trace = nk.trace(nk.parse(text), np.ones((2, 6)), engine, keep, fallback="numpy")
                found = {e.tensor: e.shape for e in trace.run.entries if e.shape is not None}
                assert found == {name: (2, 6) if name == "x" else (2, 3) for name in known}
    finally:
        nk.unregister_operation("odd")
