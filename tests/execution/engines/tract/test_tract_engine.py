"""tract runs in a child process: real networks are computed correctly, and crashes are errors."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tract")

from nnefkit import io
from nnefkit.errors import (
    ExecutionError,
    InputError,
    MissingPackageError,
    UnknownNameError,
)
from nnefkit.execution import Session, run
from nnefkit.execution.engine_list import engines, find_engine, load_engine
from nnefkit.execution.engines.tract import process
from nnefkit.graph.input_shapes import reshaped


def small(body="y = relu(x);"):
    return io.parse(
        f"version 1.0; graph g(x) -> (y) {{ x = external<scalar>(shape = [2, 3]); {body} }}"
    )


X = np.float32([[1, -2, 3], [-4, 5, -6]])


def test_one_child_serves_many_runs_and_sessions():
    first, second = Session(small(), "tract"), Session(small("y = neg(x);"), "tract")
    pids = set()
    for _ in range(3):
        np.testing.assert_array_equal(first.run(X)["y"], X.clip(0))
        np.testing.assert_array_equal(second.run(X)["y"], -X)
        pids.add(process.worker().child().pid)
    assert len(pids) == 1


def test_results_are_not_overwritten_by_the_next_run():
    session = Session(small(), "tract")
    first = session.run(X)["y"]
    session.run(-X)
    np.testing.assert_array_equal(first, X.clip(0))


def test_a_killed_child_is_an_error_and_the_next_run_starts_another():
    session = Session(small(), "tract")
    session.run(X)
    os.kill(process.worker().child().pid, signal.SIGKILL)
    time.sleep(0.1)
    np.testing.assert_array_equal(session.run(X)["y"], X.clip(0))
    pid = process.worker().child().pid
    os.kill(pid, signal.SIGSTOP)  # so that it dies in the middle of a request
    try:
        timer = subprocess.Popen([sys.executable, "-c", _KILL, str(pid)])
        with pytest.raises(ExecutionError, match="ended by signal 9"):
            session.run(X)
    finally:
        timer.wait()
    np.testing.assert_array_equal(Session(small(), "tract").run(X)["y"], X.clip(0))
    np.testing.assert_array_equal(session.run(X)["y"], X.clip(0))


_KILL = "import os, sys, time; time.sleep(0.5); os.kill(int(sys.argv[1]), 9)"


def test_a_child_that_does_not_answer_is_stopped():
    session = Session(small(), "tract", timeout=0.5)
    session.run(X)
    os.kill(process.worker().child().pid, signal.SIGSTOP)
    with pytest.raises(ExecutionError, match=r"did not answer within 0\.5 seconds"):
        session.run(X)
    np.testing.assert_array_equal(session.run(X)["y"], X.clip(0))


def test_the_message_of_a_panic_is_reported(monkeypatch):
    engine = find_engine("tract")
    monkeypatch.setattr(type(engine), "unsupported", lambda *_: [])
    body = "y = box(x, size = [1, 3], border = 'replicate');"
    with pytest.raises(ExecutionError, match="the process of tract ended by signal 6") as caught:
        run(small(body), X, engine="tract")
    assert "Its last output: " in str(caught.value)
    np.testing.assert_array_equal(run(small(), X, engine="tract")["y"], X.clip(0))


def test_refusals_of_tract_are_reported_without_temporary_file_names(monkeypatch):
    engine = find_engine("tract")
    monkeypatch.setattr(type(engine), "unsupported", lambda *_: [])
    with pytest.raises(ExecutionError, match=r"tract cannot prepare the graph: .*gelu") as caught:
        run(small("y = gelu(x);"), X, engine="tract")
    assert "nnefkit-tract-" not in str(caught.value)


def test_the_child_ends_with_its_parent():
    program = """
        import numpy as np, os, nnefkit as nk
        from nnefkit.execution.engines.tract import process
        graph = nk.parse('version 1.0; graph g(x)->(y) {'
                         ' x = external<scalar>(shape = [1]); y = relu(x); }')
        nk.run(graph, np.ones(1, np.float32), engine="tract")
        print(process.worker().child().pid, flush=True)
        os.kill(os.getpid(), 9)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True
    )
    pid = int(done.stdout)
    for _ in range(100):
        if not _runs(pid):
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} still runs")


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ")[-1][0] not in "ZX"
    except OSError:
        return False


def test_all_unsupported_operations_are_named_before_anything_runs():
    graph = small("a = gelu(x); b = elu(a, alpha = 2.0); y = relu(b);")
    with pytest.raises(ExecutionError) as caught:
        Session(graph, "tract")
    first, second = caught.value.diagnostics
    assert "cannot run 'gelu', which computes 'a'" in first.message
    assert "cannot run 'elu', which computes 'b'" in second.message
    assert second.hint.startswith("tract ignores alpha, and uses 1. fallback='numpy' runs just")


def test_a_graph_in_float64_is_refused_as_a_whole_and_left_to_numpy(network):
    graph, recorded = network("blazeface")
    wide = graph.with_data({v.name: v.data.astype(np.float64) for v in graph.variables})
    with pytest.raises(
        ExecutionError, match=r"207 operations: external \(1\), variable \(74\)"
    ) as caught:
        Session(wide, "tract")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.line == 5
    assert diagnostic.hint.startswith("tract computes in float32: use graph.with_data(...)")
    found = run(wide, recorded["external1"], engine="tract", fallback="numpy")
    expected = run(wide, recorded["external1"])
    for name, array in expected.items():
        assert found[name].dtype == np.float64
        np.testing.assert_array_equal(found[name], array)


def test_conditions_hold_for_graphs_whose_shapes_are_still_to_be_inferred():
    body = """
        f = variable<scalar>(shape = [4, 1, 3, 3], label = 'f');
        a = unsqueeze(x, axes = [0, 3]);
        y = conv(a, f, groups = 0);
    """
    graph = small(body).with_data({"f": np.ones((4, 1, 3, 3), np.float32)})
    graph = reshaped(graph, {"x": (2, 4)})
    assert graph.tensors["y"].shape is None
    with pytest.raises(ExecutionError, match="cannot run 'conv'"):
        Session(graph, "tract")


def test_updated_variables_keep_their_values():
    graph = io.parse("""version 1.0;
        graph g(x) -> (y) {
            x = external<scalar>(shape = [2]);
            state = variable<scalar>(shape = [2], label = 'state');
            y = add(x, state);
            new = update(state, y);
        }""").with_data({"state": np.float32([10, 20])})
    session = Session(graph, "tract")
    x = np.float32([1, 2])
    np.testing.assert_array_equal(session.run(x)["y"], [11, 22])
    np.testing.assert_array_equal(session.run(x)["y"], [12, 24])
    traced = session.trace(x)
    np.testing.assert_array_equal(traced["new"], [13, 26])
    session.reset()
    np.testing.assert_array_equal(session.run(x)["y"], [11, 22])


def test_inputs_and_weights_may_be_outputs():
    graph = small("y = relu(x);").with_outputs(["x", "y"])
    found = run(graph, X, engine="tract")
    np.testing.assert_array_equal(found["x"], X)
    assert not np.shares_memory(found["x"], X)
    np.testing.assert_array_equal(run(graph, X, engine="tract", outputs="x")["x"], X)


def test_unknown_options_are_refused_by_name():
    with pytest.raises(UnknownNameError, match="has no option 'timout'") as caught:
        Session(small(), "tract", timout=3)
    assert "'timeout'" in str(caught.value)
    with pytest.raises(InputError, match="must be positive"):
        Session(small(), "tract", timeout=0)


def test_a_missing_package_is_reported_with_the_command_that_installs_it(monkeypatch):
    for name in [n for n in sys.modules if n.startswith("nnefkit.execution.engines.tract")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tract", None)
    load_engine.cache_clear()
    try:
        with pytest.raises(MissingPackageError, match=r'pip install "nnefkit\[tract\]"'):
            run(small(), X, engine="tract")
        assert not engines()["tract"].installed
    finally:
        load_engine.cache_clear()


def test_results_of_updates_are_read_by_other_operations():
    text = """
    version 1.0;
    graph g(x) -> (y, z)
    {
        x = external<scalar>(shape = [2, 3]);
        s = variable<scalar>(shape = [2, 3], label = 's');
        t = variable<scalar>(shape = [2, 3], label = 't');
        u = update(s, x);
        v = update(t, u);
        y = relu(v);
        z = concat([u, v], axis = 0);
    }
    """
    ones = np.ones((2, 3), np.float32)
    graph = io.parse(text).with_data({"s": ones, "t": 2 * ones})
    x = np.arange(-3, 3, dtype=np.float32).reshape(2, 3)
    found = run(graph, x, engine="tract")
    np.testing.assert_array_equal(found["y"], np.maximum(x, 0))
    np.testing.assert_array_equal(found["z"], np.concatenate([x, x]))


def test_halves_are_rounded_up():
    # tract rounds them away from zero, unlike section 4.2.1.
    text = "version 1.0; graph g(x) -> (y) { x = external<scalar>(shape = [4]); y = round(x); }"
    found = run(io.parse(text), [-1.5, -0.5, 0.5, 1.5], engine="tract", fallback="numpy")
    np.testing.assert_array_equal(found["y"], [-1, 0, 1, 2])
