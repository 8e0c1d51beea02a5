"""Sessions, modules, traces and results go through pickle, copy and other processes."""

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import nnefkit as nk

COUNTER = """version 1.0;
graph counter(x) -> (y)
{
    x = external<scalar>(shape = [1, 2000]);
    n = variable<scalar>(shape = [1, 2000], label = 'n');
    y = add(x, n);
    z = update(n, y);
}
"""
ONES = np.ones((1, 2000), np.float32)
PLAIN = COUNTER.replace("z = update(n, y);", "")


@pytest.fixture
def graph(tmp_path):
    """A graph whose data is mapped from a file."""
    nk.save(nk.parse(COUNTER).with_data({"n": ONES}), tmp_path / "model")
    return nk.load(tmp_path / "model")


def first(outputs):
    return float(outputs["y"][0, 0])


def run(session):
    return first(session.run(ONES))


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "torch", "auto"])
@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_copied_session_continues_independently(graph, engine, way):
    session = nk.Session(graph, engine=engine)
    assert run(session) == 2
    another = way(session)
    assert [run(another), run(another), run(session)] == [3, 4, 3]
    another.reset()
    assert run(another) == 2
    assert another.engine == session.engine


def test_tract_too():
    graph = nk.parse(PLAIN).with_data({"n": ONES})
    session = nk.Session(graph, engine="tract")
    assert run(session) == 2
    assert run(pickle.loads(pickle.dumps(session))) == 2


def test_a_closed_session_stays_closed(graph):
    session = nk.Session(graph)
    session.close()
    with pytest.raises(nk.ExecutionError, match="closed"):
        pickle.loads(pickle.dumps(session)).run(ONES)


@pytest.mark.parametrize("start", ["spawn", "fork"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_sessions_run_in_other_processes(graph, start):
    session = nk.Session(graph)
    run(session)
    with ProcessPoolExecutor(1, get_context(start)) as pool:
        assert list(pool.map(run, [session, session])) == [3, 3]


def test_a_session_with_local_functions_says_what_to_do():
    text = "fragment last(x: tensor<scalar>) -> (y: tensor<scalar>);"
    operations = nk.CustomOperations()
    operations.register(text, shape=lambda x: x, kernel=lambda x: x)
    graph = nk.parse(
        f"version 1.0; extension KHR_enable_fragment_definitions; {text}"
        "graph g(x) -> (y) { x = external<scalar>(shape = [1, 64]); y = last(x); }",
        custom_operations=operations,
    )
    session = nk.Session(graph, custom_operations=operations)
    with pytest.raises(nk.InputError, match="cannot be pickled") as caught:
        pickle.dumps(session)
    assert "top of a module" in str(caught.value)


@pytest.mark.parametrize("way", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_modules_keep_their_weights(way, tmp_path):
    torch = pytest.importorskip("torch")

    def value(module):
        return float(module(torch.ones(1, 2000)).detach()[0, 0])

    module = nk.to_torch(nk.parse(PLAIN).with_data({"n": ONES}))
    with torch.no_grad():
        next(module.parameters()).fill_(5)
    another = way(module)
    assert value(another) == 6
    with torch.no_grad():
        next(another.parameters()).fill_(7)
    assert value(module) == 6
    torch.save(module, tmp_path / "module.pt")
    loaded = torch.load(tmp_path / "module.pt", weights_only=False)
    assert value(loaded) == 6


def test_results_are_pickled(graph, tmp_path):
    traced = nk.trace(graph, ONES, spill=tmp_path / "spill")
    for result in (traced, nk.compare(traced, traced), nk.validate(graph), graph):
        assert str(pickle.loads(pickle.dumps(result))) == str(result)
