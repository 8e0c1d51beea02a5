"""The LiteRT engine: every tensor of a run, blame, threads, and what it refuses."""

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
pytest.importorskip("tflite")

import nnefkit as nk

TEXT = """
version 1.0;
graph net(x) -> (y)
{
    x = external(shape = [2, 3, 6, 6]);
    f = variable(shape = [4, 3, 3, 3], label = 'f');
    w = variable(shape = [5, 16], label = 'w');
    c = conv(x, f, padding = [(0, 0), (1, 0)], stride = [2, 2]);
    t = transpose(c, axes = [0, 2, 3, 1]);
    m = mul(t, 2.0);
    u = transpose(m, axes = [0, 3, 1, 2]);
    r = relu(u);
    p = avg_pool(r, size = [1, 1, 2, 2], padding = [(0, 0), (0, 0), (1, 1), (1, 0)]);
    q = slice(p, axes = [2, 3], begin = [0, 0], end = [2, 2]);
    n = reshape(q, shape = [2, 16]);
    y = linear(n, w);
}
"""


def network(**changed):
    rng = np.random.default_rng(0)
    graph = nk.parse(TEXT)
    data = {t.name: rng.normal(size=t.shape).astype(np.float32) for t in graph.variables}
    return graph.with_data(data | changed), rng.normal(size=(2, 3, 6, 6)).astype(np.float32)


def test_every_tensor_is_seen_in_the_layout_of_the_graph():
    graph, x = network()
    ours, theirs = nk.trace(graph, x), nk.trace(graph, x, "litert")
    assert [*ours] == [*theirs]
    assert nk.compare(ours, theirs).ok
    np.testing.assert_array_equal(theirs["t"], theirs["c"].transpose(0, 2, 3, 1))


def test_a_fault_is_blamed_on_its_operation():
    graph, x = network()
    wrong, _ = network(w=graph.tensors["w"].data * 1.01)
    assert not nk.blame(graph, x, reference="numpy", suspect="litert").guilty
    blame = nk.blame(graph, x, reference="numpy", suspect=nk.trace(wrong, x, "litert"))
    assert [each.operation for each in blame.guilty] == ["linear"]


def test_runs_repeat_and_take_threads():
    graph, x = network()
    session = nk.Session(graph, "litert", threads=2)
    first = session.run(x)["y"].copy()
    session.run(-x)
    np.testing.assert_array_equal(session.run(x)["y"], first)


def test_variables_change_from_run_to_run():
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 2, 3, 3]); "
        "v = variable(shape = [1, 2, 3, 3], label = 'v'); f = variable(shape = [2, 2, 1, 1], "
        "label = 'f'); c = conv(x, f); y = add(v, c); s = update(v, y); }"
    )
    rng = np.random.default_rng(1)
    graph = graph.with_data(
        {t.name: rng.normal(size=t.shape).astype(np.float32) for t in graph.variables}
    )
    sessions = nk.Session(graph), nk.Session(graph, "litert")
    for _ in range(3):
        x = rng.normal(size=(1, 2, 3, 3)).astype(np.float32)
        ours, theirs = (session.run(x)["y"] for session in sessions)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_what_it_cannot_run_is_refused_with_a_reason():
    graph, x = network()
    wide = graph.with_data({"w": graph.tensors["w"].data.astype(np.float64)})
    with pytest.raises(nk.ExecutionError, match="float32 only"):
        nk.run(wide, x, "litert")
    text = (
        "version 1.0; graph g(x) -> (y) { x = external(shape = [2]); "
        "y = argmax_pool(x, size = [2]); }"
    )
    with pytest.raises(nk.ExecutionError, match="No TFLite operators express it"):
        nk.run(nk.parse(text), np.ones(2, np.float32), "litert")
