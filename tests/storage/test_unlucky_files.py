"""Files that other programs change, truncate, or leave behind."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.arrays import mapped_files
from nnefkit.storage import exchange, open_model, write_tensor

TEXT = """version 1.0;
graph net(x) -> (y)
{
    x = external<scalar>(shape = [1, 64]);
    w = variable<scalar>(shape = [64, 64], label = 'w');
    v = variable<scalar>(shape = [64, 64], label = 'v');
    a = matmul(x, w);
    b = matmul(x, v);
    y = add(a, b);
}
"""
IMAGE = np.ones((1, 64), np.float32)


def model(value):
    data = np.full((64, 64), value, np.float32)
    return nk.parse(TEXT).with_data({"w": data, "v": data})


@pytest.fixture
def folder(tmp_path):
    nk.save(model(1), tmp_path / "model")
    return tmp_path / "model"


def python(script, *arguments, **options):
    """Run a script in another process, and return it when it has ended."""
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


# -- files that are truncated ----------------------------------------------------------------------

CUT_SHORT = """
import os, sys
import numpy as np
import nnefkit as nk
graph = nk.load(sys.argv[1])
inputs = np.ones((1, 64), np.float32)
session = nk.Session(graph)
session.run(inputs)
trace = session.trace(inputs)
os.truncate(sys.argv[2], 200)
calls = {
    "run": lambda: session.run(inputs),
    "onnxruntime": lambda: nk.run(graph, inputs, engine="onnxruntime"),
    "trace": lambda: nk.trace(graph, inputs),
    "step": lambda: list(nk.step(graph, inputs)),
    "text": lambda: repr(graph) + graph._repr_html_(),
    "tensor": lambda: graph.tensor("w")._repr_html_(),
    "save": lambda: nk.save(graph, sys.argv[3]),
    "onnx": lambda: nk.to_onnx(graph),
    "torch": lambda: nk.to_torch(graph),
    "compare": lambda: nk.compare({"w": trace["w"]}, {"w": np.ones((64, 64), np.float32)}),
    "plot": lambda: nk.plot.histogram(graph.tensor("w")),
    "validate": lambda: nk.validate(graph),
}
for name, call in calls.items():
    try:
        call()
    except nk.StorageError as error:
        assert "changed by another program" in str(error), error
        assert "copy=True" in str(error)
        print(name, "refused")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="mapped files cannot be cut short there")
def test_a_file_truncated_after_loading_is_refused_and_does_not_end_the_process(folder, tmp_path):
    result = python(CUT_SHORT, folder, folder / "w.dat", tmp_path / "other")
    assert result.returncode == 0, result.stderr
    names = [line.split()[0] for line in result.stdout.splitlines()]
    every = "run onnxruntime trace step text tensor save onnx torch compare plot validate"
    assert names == every.split()


CUT_UNDER_LOAD = """
import os, sys, threading, time
import numpy as np
import nnefkit as nk
path = sys.argv[1]
whole = open(path, "rb").read()
stop = False
def cut():
    while not stop:
        os.truncate(path, 150)
        with open(path, "r+b") as file:
            file.write(whole)
thread = threading.Thread(target=cut)
thread.start()
outcomes = {"good": 0, "refused": 0}
end = time.monotonic() + 3
while time.monotonic() < end:
    try:
        graph = nk.load(sys.argv[2], copy=True)
        result = nk.run(graph, np.ones((1, 64), np.float32))["y"]
        assert np.unique(result).tolist() == [128.0], result
        outcomes["good"] += 1
    except nk.NnefError:
        outcomes["refused"] += 1
stop = True
thread.join()
print(outcomes)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model", "model.zip", "model.tar"])
def test_models_truncated_while_they_are_loaded_are_whole_or_refused(tmp_path, name):
    nk.save(model(1), tmp_path / name)
    path = tmp_path / name
    result = python(CUT_UNDER_LOAD, path / "w.dat" if path.is_dir() else path, path)
    assert result.returncode == 0, result.stderr
    assert "good" in result.stdout


@pytest.mark.parametrize("name", ["model", "model.zip", "model.tar", "model.nnef.tgz"])
@pytest.mark.parametrize("copy", [None, True, False])
def test_data_is_mapped_from_folders_and_read_from_archives(tmp_path, name, copy):
    nk.save(model(3), tmp_path / name)
    graph = nk.load(tmp_path / name, copy=copy)
    compressed = name.endswith("tgz")
    mapped = not compressed and (copy is False or (copy is None and name == "model"))
    assert bool(mapped_files([graph.tensors["w"].data])) == mapped
    assert np.unique(graph.tensors["w"].data).tolist() == [3]
    if not mapped:
        for path in [tmp_path / name] if compressed or name != "model" else []:
            os.truncate(path, 10)
        assert np.unique(nk.run(graph, IMAGE)["y"]).tolist() == [384]


def test_other_content_of_the_same_size_is_refused(folder):
    graph = nk.load(folder)
    path = folder / "w.dat"
    content = bytearray(path.read_bytes())
    content[-4:] = np.float32(7).tobytes()
    time.sleep(0.02)
    path.write_bytes(content)
    with pytest.raises(nk.StorageError, match="changed by another program"):
        nk.run(graph, IMAGE)


def test_a_model_that_is_replaced_or_deleted_stays_as_it_was_loaded(folder):
    graph = nk.load(folder)
    nk.save(model(2), folder)
    assert np.unique(nk.run(graph, IMAGE)["y"]).tolist() == [128]
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert np.unique(nk.run(graph, IMAGE)["y"]).tolist() == [128]


def test_arrays_that_were_spilled_or_recorded_are_checked_too(folder, tmp_path):
    np.save(tmp_path / "y.npy", np.ones((100, 100)))
    os.truncate(tmp_path / "y.npy", 5000)
    with pytest.raises(nk.StorageError):
        nk.compare(tmp_path / "y.npy", {"y": np.ones((100, 100))})


# -- models that are saved while they are read -----------------------------------------------------

SAVING = """
import sys, time
import numpy as np
import nnefkit as nk
graph = nk.load(sys.argv[1], copy=True)
end = time.monotonic() + 4
value = 0
while time.monotonic() < end:
    value += 1
    data = np.full((64, 64), value, np.float32)
    nk.save(graph.with_data({"w": data, "v": data}), sys.argv[1])
"""


def check_whole(path, writer):
    loads = 0
    seen = set()
    while writer.poll() is None:
        graph = nk.load(path)
        values = {float(x) for v in graph.variables for x in np.unique(v.data)}
        assert len(values) == 1
        seen |= values
        loads += 1
    assert loads > 10
    assert len(seen) > 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model", "model.zip"])
def test_a_model_that_is_saved_again_and_again_is_loaded_whole(tmp_path, name):
    nk.save(model(0), tmp_path / name)
    with subprocess.Popen([sys.executable, "-c", SAVING, str(tmp_path / name)]) as writer:
        check_whole(tmp_path / name, writer)
    assert writer.returncode == 0


@pytest.mark.slow
def test_a_model_is_loaded_whole_where_a_save_takes_two_renames(tmp_path):
    nk.save(model(0), tmp_path / "model")
    script = "import nnefkit.storage.exchange as e; e.exchanged = lambda *_: False\n" + SAVING
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "model")]) as writer:
        check_whole(tmp_path / "model", writer)
    assert writer.returncode == 0


def test_a_model_that_is_away_for_a_moment_is_read_again(folder, monkeypatch):
    original = nk.io.storage.open_model
    away = folder.with_name("away")
    fresh = folder.with_name("fresh")
    shutil.copytree(folder, fresh)
    calls = []

    def opened(path, **options):
        calls.append(path)
        if len(calls) > 1:
            return original(path, **options)
        folder.rename(away)
        try:
            return original(path, **options)
        finally:
            fresh.rename(folder)

    monkeypatch.setattr(nk.io.storage, "open_model", opened)
    assert nk.load(folder).variables
    assert len(calls) == 2


def test_a_model_that_is_not_there_is_not_waited_for(folder, monkeypatch):
    original = nk.io.storage.open_model
    calls = []
    monkeypatch.setattr(
        nk.io.storage, "open_model", lambda *a, **k: calls.append(a) or original(*a, **k)
    )
    with pytest.raises(nk.StorageError, match="no such file"):
        nk.load(folder.with_name("nowhere"))
    assert len(calls) == 1


def test_files_written_in_place_are_read_again(folder, monkeypatch):
    whole = open_model(folder).tensor("w")
    assert whole is not None
    original = nk.io.storage.attach_data
    calls = []

    def attached(graph, files, **options):
        result = original(graph, files, **options)
        if not calls:
            time.sleep(0.02)
            write_other(folder, 5)
        calls.append(1)
        return result

    monkeypatch.setattr(nk.io.storage, "attach_data", attached)
    graph = nk.load(folder)
    assert len(calls) == 2
    assert {float(v.data[0, 0]) for v in graph.variables} == {5}


def test_a_model_that_changes_all_the_time_is_refused(folder, monkeypatch):
    original = nk.io.storage.attach_data
    values = iter(range(1000))

    def attached(graph, files, **options):
        result = original(graph, files, **options)
        time.sleep(0.02)
        write_other(folder, next(values))
        return result

    monkeypatch.setattr(nk.io.storage, "attach_data", attached)
    monkeypatch.setattr(nk.io, "PATIENCE", 0.2)
    with pytest.raises(nk.StorageError, match="by another program again and again"):
        nk.load(folder)
    assert next(values) > 1


def write_other(folder, value):
    for name in ("w", "v"):
        write_tensor(folder / "new.dat", np.full((64, 64), value, np.float32))
        (folder / f"{name}.dat").write_bytes((folder / "new.dat").read_bytes())
    (folder / "new.dat").unlink()


# -- links -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["packed.zip", "packed.nnef.tgz", "other"])
@pytest.mark.parametrize("kind", ["absolute", "relative", "through a folder"])
def test_what_links_out_of_the_folder_point_to_is_not_packed(folder, tmp_path, target, kind):
    secret = tmp_path / "elsewhere" / "secret.txt"
    secret.parent.mkdir()
    secret.write_text("the key")
    (folder / "notes.txt").write_text("mine")
    (folder / "same.txt").symlink_to("notes.txt")
    if kind == "through a folder":
        (folder / "inner").symlink_to(secret.parent, target_is_directory=True)
    elif kind == "relative":
        (folder / "leak.txt").symlink_to("../elsewhere/secret.txt")
    else:
        (folder / "leak.txt").symlink_to(secret)
    graph = nk.load(folder)
    assert sorted(graph.provenance["files"]) == ["notes.txt", "same.txt"]
    nk.save(graph, tmp_path / target)
    again = nk.load(tmp_path / target)
    assert {**again.provenance["files"]} == {"notes.txt": b"mine", "same.txt": b"mine"}


def test_a_link_that_is_put_in_place_of_a_file_after_loading_is_refused(folder, tmp_path):
    (tmp_path / "secret.txt").write_text("the key")
    (folder / "notes.txt").write_text("mine")
    graph = nk.load(folder)
    (folder / "notes.txt").unlink()
    (folder / "notes.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(nk.StorageError, match="leads out of the folder"):
        nk.save(graph, tmp_path / "packed.zip")
    with pytest.raises(nk.StorageError, match="leads out of the folder"):
        graph.provenance["files"]["notes.txt"]
    assert not (tmp_path / "packed.zip").exists()


# -- leftovers -------------------------------------------------------------------------------------

KILLED_SAVE = """
import os, signal, sys
import numpy as np
import nnefkit as nk
from nnefkit.storage import model_writer
graph = nk.load(sys.argv[1])
def killed(*_):
    print("ready", flush=True)
    signal.pause()
model_writer.write_content = killed
nk.save(graph, sys.argv[2])
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def killed(script, *arguments):
    """Start a script in another process, and kill it once it has printed a line."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="locks and signals are those of POSIX")
@pytest.mark.parametrize("name", ["copy", "copy.zip", "copy.nnef.tgz"])
def test_what_a_killed_save_left_is_removed_by_the_next(folder, tmp_path, name):
    killed(KILLED_SAVE, folder, tmp_path / name)
    assert len(names(tmp_path)) == 2
    nk.save(model(1), tmp_path / "other")
    assert names(tmp_path) == ["model", "other"]


@pytest.mark.skipif(sys.platform == "win32", reason="locks and signals are those of POSIX")
def test_what_another_process_is_writing_stays(folder, tmp_path):
    command = [sys.executable, "-c", KILLED_SAVE, str(folder), str(tmp_path / "copy.zip")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline()
        nk.save(model(1), tmp_path / "other.zip")
        write_tensor(tmp_path / "x.dat", np.ones(3))
        assert len(names(tmp_path)) == 4
        process.kill()


def test_files_that_only_look_like_leftovers_stay(tmp_path):
    for name in ("trace-12345678", ".model", "a.nnefkit-b"):
        (tmp_path / name).mkdir()
    nk.save(model(1), tmp_path / "model.zip")
    assert names(tmp_path) == [".model", "a.nnefkit-b", "model.zip", "trace-12345678"]


def test_a_folder_that_was_renamed_by_a_killed_save_is_put_back(folder, tmp_path):
    folder.rename(tmp_path / ".model.nnefkit-old-0123456789ab")
    nk.save(model(1), tmp_path / "x.zip")
    assert (tmp_path / ".model.nnefkit-old-0123456789ab").exists()
    (tmp_path / ".model.nnefkit-old-0123456789ab" / "notes.txt").write_text("mine")
    nk.save(model(2), folder)
    assert names(tmp_path) == ["model", "x.zip"]
    assert (folder / "notes.txt").read_text() == "mine"


KILLED_TRACE = """
import signal, sys
import numpy as np
import nnefkit as nk
graph = nk.load(sys.argv[1])
trace = nk.trace(graph, np.ones((1, 64), np.float32), spill=sys.argv[2])
print("ready", flush=True)
signal.pause()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="locks and signals are those of POSIX")
def test_the_files_of_a_killed_trace_are_removed_by_the_next(folder, tmp_path):
    killed(KILLED_TRACE, folder, tmp_path / "spill")
    assert len(names(tmp_path / "spill")) == 1
    graph = nk.load(folder)
    mine = nk.trace(graph, IMAGE, spill=tmp_path / "spill")
    assert len(names(tmp_path / "spill")) == 1
    another = nk.trace(graph, IMAGE, spill=tmp_path / "spill")
    assert len(names(tmp_path / "spill")) == 2
    np.testing.assert_array_equal(mine["y"], another["y"])


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_trace_leaves_no_files(tmp_path, error):
    def interrupted(x):
        raise error

    text = "fragment last(x: tensor<scalar>) -> (y: tensor<scalar>);"
    operations = nk.CustomOperations()
    operations.register(text, shape=lambda x: x, kernel=interrupted)
    graph = nk.parse(
        f"version 1.0; extension KHR_enable_fragment_definitions; {text}"
        "graph g(x) -> (z) { x = external<scalar>(shape = [1, 64]); y = relu(x); z = last(y); }",
        custom_operations=operations,
    )
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else nk.ExecutionError):
        nk.trace(graph, IMAGE, spill=tmp_path / "spill", custom_operations=operations)
    assert names(tmp_path / "spill") == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forked processes")
def test_a_forked_process_leaves_the_files_of_a_trace_to_its_parent(folder, tmp_path):
    script = """
import os, sys
import numpy as np
import nnefkit as nk
trace = nk.trace(nk.load(sys.argv[1]), np.ones((1, 64), np.float32), spill=sys.argv[2])
if not os.fork():
    sys.exit(0)
os.wait()
print(len(os.listdir(sys.argv[2])))
"""
    result = python(script, folder, tmp_path / "spill")
    assert result.stdout.split() == ["1"], result.stderr
    assert names(tmp_path / "spill") == []


# -- interrupts and forks --------------------------------------------------------------------------

INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np
import nnefkit as nk
data = np.random.default_rng(0).normal(size=(400, 400)).astype(np.float32)
lines = "".join(f"w{k} = variable<scalar>(shape = [400, 400], label = 'w{k}');" for k in range(30))
first = "version 1.0; graph g(x) -> (w0) { x = external<scalar>(shape = [1]);"
graph = nk.parse(first + lines + "}")
graph = graph.with_data({f"w{k}": data for k in range(30)})
interrupts = 0
for attempt in range(40):
    timer = threading.Timer(0.0007 * attempt, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        nk.save(graph, sys.argv[1])
        timer.join()
        time.sleep(0.01)
    except KeyboardInterrupt:
        interrupts += 1
print(interrupts, sorted(os.listdir(os.path.dirname(sys.argv[1]))))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("name", ["m.zip", "m.tar", "m"])
def test_an_interrupt_of_a_save_is_raised_and_leaves_nothing(tmp_path, name):
    result = python(INTERRUPTED, tmp_path / name)
    assert result.returncode == 0, result.stderr
    count, listed = result.stdout.split(maxsplit=1)
    assert int(count) > 20
    assert listed.strip() in ("[]", f"['{name}']")


def test_an_interrupt_within_a_member_of_a_zip_is_raised(tmp_path, monkeypatch):
    def interrupted(self, *arguments, **options):
        raise KeyboardInterrupt

    original = zipfile._ZipWriteFile.close

    def close(self):
        original(self)
        raise ValueError("closing failed, too")

    monkeypatch.setattr(nk.io.storage.model_writer, "write_content", interrupted)
    monkeypatch.setattr(zipfile._ZipWriteFile, "close", close)
    with pytest.raises(KeyboardInterrupt):
        nk.save(model(1), tmp_path / "m.zip")
    monkeypatch.undo()
    assert names(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forked processes")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_forked_during_a_run_is_not_blocked(folder):
    graph = nk.load(folder)
    session = nk.Session(graph)
    session.run(IMAGE)
    stop = threading.Event()

    def runs():
        while not stop.is_set():
            session.run(IMAGE)
            session.trace(IMAGE)

    threads = [threading.Thread(target=runs) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(12):
            child = os.fork()
            if not child:
                signal.alarm(20)
                same = np.unique(session.run(IMAGE)["y"]).tolist() == [128]
                os._exit(0 if same else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_two_names_are_exchanged_in_one_step_where_the_system_can(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "x").touch()
    if exchange.exchanged(tmp_path / "a", tmp_path / "b"):
        assert names(tmp_path / "b") == ["x"]
    else:
        assert names(tmp_path / "a") == ["x"]
    assert not exchange.exchanged(tmp_path / "a", tmp_path / "missing")
    assert Path(tmp_path / "a").exists()


def test_a_zip_archive_refuses_a_file_whose_name_is_not_utf_8(folder, tmp_path):
    name = b"notes-\xf8.txt".decode("utf-8", "surrogateescape")
    (folder / name).write_text("mine")
    graph = nk.load(folder)
    for ending in ("", ".tar", ".nnef.tgz"):
        nk.save(graph, tmp_path / f"other{ending}")
        again = nk.load(tmp_path / f"other{ending}")
        assert {**again.provenance["files"]} == {name: b"mine"}
    with pytest.raises(nk.StorageError, match="zip archive cannot hold the file") as error:
        nk.save(graph, tmp_path / "other.zip")
    assert "as a folder" in str(error.value)
    assert not (tmp_path / "other.zip").exists()
