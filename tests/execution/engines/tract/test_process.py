"""Whatever happens to the process of tract: a clear error, no hang, and no process left over."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tract")

from nnefkit import io
from nnefkit.errors import ExecutionError
from nnefkit.execution import Session, run
from nnefkit.execution.engines.tract import process

X = np.float32([[1, -2, 3], [-4, 5, -6]])


def relu():
    return io.parse(
        "version 1.0; graph g(x) -> (y) { x = external<scalar>(shape = [2, 3]); y = relu(x); }"
    )


def works():
    np.testing.assert_array_equal(run(relu(), X, engine="tract")["y"], X.clip(0))


def until(condition, seconds=10.0):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ")[-1][0] not in "ZX"
    except OSError:
        return False


STRANGE = {
    "print('hello', flush=True); time.sleep(60)": "sent an invalid answer, 'hello'",
    r"sys.stdout.buffer.write(b'\xff\xfe\n'); sys.stdout.flush(); time.sleep(60)": "invalid answer",
    "print('ready\\n[1, 2]', flush=True); time.sleep(60)": r"invalid answer, '\[1, 2\]', and",
    "print('ready\\n{\"problem\": 3}', flush=True); time.sleep(60)": "sent an invalid answer",
    "print('ready\\n' + 'x' * 10**6, flush=True); time.sleep(60)": "x{9}', and was stopped",
    "os.close(1); time.sleep(60)": "does not answer, and was stopped",
    "sys.exit(3)": "ended with status 3",
    "print('ready')": "ended with status 0",
    "import no_such_package": "ModuleNotFoundError: No module named 'no_such_package'$",
    "os.kill(os.getpid(), 11)": "ended by signal 11",
}


@pytest.mark.parametrize("program", STRANGE)
def test_a_failing_process_is_reported_with_its_failure(program, monkeypatch, tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(f"import os, sys, time\n{program}\n")
    process.worker().end()
    monkeypatch.setattr(process, "SCRIPT", script)
    monkeypatch.setattr(process, "END_SECONDS", 0.2)
    with pytest.raises(ExecutionError, match=STRANGE[program]) as caught:
        run(relu(), X, engine="tract")
    assert len(str(caught.value)) < 1000
    monkeypatch.undo()
    works()


@pytest.mark.parametrize("interpreter", ["/no/such/python", "/dev/null"])
def test_an_interpreter_that_cannot_be_started_is_an_error(monkeypatch, interpreter):
    process.worker().end()
    monkeypatch.setattr(sys, "executable", interpreter)
    with pytest.raises(ExecutionError, match="the process of tract cannot be started"):
        run(relu(), X, engine="tract")
    monkeypatch.undo()
    works()


def test_a_full_disk_is_an_error_and_leaves_no_file(monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        with pytest.raises(ExecutionError, match=r"No space left on device[\s\S]*TMPDIR"):
            run(relu(), X, engine="tract")
    assert list(tmp_path.iterdir()) == []
    works()


def interrupt_main_thread():
    os.kill(os.getpid(), signal.SIGINT)


def interrupt_this_thread():
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


@pytest.mark.parametrize("interrupt", [interrupt_main_thread, interrupt_this_thread])
def test_an_interrupt_ends_the_process_and_leaves_the_session_usable(interrupt):
    session = Session(relu(), "tract", timeout=30)
    session.run(X)
    pid = process.worker().child().pid
    os.kill(pid, signal.SIGSTOP)
    timer = threading.Timer(0.3, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        session.run(X)
    timer.join()
    assert not runs(pid)
    np.testing.assert_array_equal(session.run(X)["y"], X.clip(0))


def test_models_of_closed_sessions_are_freed_and_the_process_ends_when_it_has_none(monkeypatch):
    process.worker().end()
    monkeypatch.setattr(process, "LINGER", 0.2)
    first, second = Session(relu(), "tract"), Session(relu(), "tract")
    first.run(X)
    second.run(X)
    child = process.worker().child()
    assert len(child.models) == 2
    del first
    until(lambda: len(child.models) == 1)
    time.sleep(0.5)
    assert child.alive
    second.close()
    until(lambda: not runs(child.pid))
    assert child.models == set()
    works()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_its_own_process_and_memory():
    session = Session(relu(), "tract")
    session.run(X)
    pid = process.worker().child().pid
    forked = os.fork()
    if forked == 0:
        try:
            for _ in range(50):
                np.testing.assert_array_equal(session.run(-X)["y"], (-X).clip(0))
            assert process.worker().child().pid != pid
            process.worker().end()
            del session
            os._exit(0)
        finally:
            os._exit(1)
    for _ in range(50):
        np.testing.assert_array_equal(session.run(X)["y"], X.clip(0))
    assert os.waitpid(forked, 0)[1] == 0
    assert process.worker().child().pid == pid
    np.testing.assert_array_equal(session.run(X)["y"], X.clip(0))


ORPHAN = """
    import numpy as np, os, sys, threading, time, nnefkit as nk
    from nnefkit.execution.engines.tract import process
    shape = [1, 64, 128, 128]
    lines = [f"x{i + 1} = conv(x{i}, w);" for i in range(8)]
    graph = nk.parse("version 1.0; graph g(x0) -> (x1, x8) {"
                     f"x0 = external<scalar>(shape = {shape});"
                     "w = variable<scalar>(shape = [64, 64, 7, 7], label = 'w');"
                     + "".join(lines) + "}")
    graph = graph.with_data({"w": np.zeros((64, 64, 7, 7), np.float32)})
    session = nk.Session(graph, "tract")
    x = np.zeros(shape, np.float32)
    session.run(x, outputs="x1")
    if len(sys.argv) > 1 and os.fork() == 0:
        time.sleep(30)
        os._exit(0)
    print(process.worker().child().pid, flush=True)
    threading.Timer(0.5, os.kill, (os.getpid(), 9)).start()
    session.run(x)
"""


@pytest.mark.slow
@pytest.mark.parametrize("forks", [False, True])
def test_the_process_ends_with_its_parent_even_in_the_middle_of_a_run(forks):
    """Even if a process forked from the parent holds the pipe open."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(ORPHAN), *(["fork"] if forks else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as parent:
        pid = int(parent.stdout.readline())
        try:
            assert parent.wait() == -9
            until(lambda: not runs(pid))
        finally:
            if forks:
                os.killpg(parent.pid, signal.SIGKILL)
