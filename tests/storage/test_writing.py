"""Saving replaces the old model at once, or not at all, and touches nothing else."""

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.errors import StorageError
from nnefkit.storage import (
    atomic_write,
    exchange,
    model_writer,
    open_model,
    tensor_content,
    write_model,
    write_tensor,
)

OLD_TEXT = b"version 1.0; # old 'a' \"sub/b\" 'gone'\n"
OLD = {
    "graph.nnef": OLD_TEXT,
    "graph.quant": b"old",
    "a.dat": tensor_content(np.full(3000, 1.0)),
    "sub/b.dat": tensor_content(np.full(3000, 2.0)),
    "gone.dat": tensor_content(np.full(3000, 3.0)),
}
NEW = {
    "graph.nnef": b"version 1.0; # new 'a'\n",
    "a.dat": tensor_content(np.full(3000, 9.0)),
    "c/d.dat": tensor_content(np.full(3000, 8.0)),
}
NAMES = ["model", "model.nnef", "model.nnef.tgz", "model.tar", "model.zip"]


def snapshot(folder):
    """Everything below a folder: path -> bytes, None for folders."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def failing_after(chunks, error, monkeypatch):
    """Let writing fail after some files."""
    write, left = model_writer.write_content, [chunks]

    def failing(content, file, bar):
        if left[0] == 0:
            raise error
        left[0] -= 1
        write(content, file, bar)

    monkeypatch.setattr(model_writer, "write_content", failing)


@pytest.mark.parametrize("name", NAMES)
def test_saving_again_replaces_the_whole_model(tmp_path, name):
    write_model(tmp_path / name, OLD)
    write_model(tmp_path / name, NEW)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with open_model(tmp_path / name) as files:
        assert sorted(files.names) == sorted(NEW)
        assert files.text == NEW["graph.nnef"].decode()
        assert (files.tensor("a").data == 9).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        OSError(errno.ENOSPC, "No space left on device"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_an_interrupted_save_leaves_everything_as_it_was(
    tmp_path, monkeypatch, name, existing, error, chunks
):
    (tmp_path / "bystander.txt").write_text("mine")
    if existing:
        write_model(tmp_path / name, OLD)
    before = snapshot(tmp_path)
    failing_after(chunks, error, monkeypatch)
    expected = StorageError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected) as caught:
        write_model(tmp_path / name, NEW)
    assert snapshot(tmp_path) == before
    if expected is StorageError:
        assert "no space left on device" in str(caught.value)
        assert caught.value.diagnostics[0].file == str(tmp_path / name)


@pytest.mark.parametrize("failing", [1, 2])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), PermissionError(errno.EACCES, "denied")])
def test_a_failing_rename_puts_the_old_folder_back(tmp_path, monkeypatch, failing, error):
    write_model(tmp_path / "model", OLD)
    before = snapshot(tmp_path)
    rename, calls = Path.rename, []
    # As on a system that cannot exchange two folders in one step.
    monkeypatch.setattr(exchange, "exchanged", lambda one, other: False)

    def renamed(self, target):
        calls.append(target)
        if len(calls) == failing:
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", renamed)
    with pytest.raises((StorageError, KeyboardInterrupt)):
        write_model(tmp_path / "model", NEW)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.EACCES, "denied")])
@pytest.mark.parametrize("name", ["m.tar", "m.zip", "m.tgz"])
def test_a_failing_replacement_leaves_the_old_file(tmp_path, monkeypatch, error, name):
    write_model(tmp_path / name, OLD)
    before = snapshot(tmp_path)

    def replaced(self, target):
        raise error

    monkeypatch.setattr(Path, "replace", replaced)
    with pytest.raises((StorageError, KeyboardInterrupt)):
        write_model(tmp_path / name, NEW)
    assert snapshot(tmp_path) == before


def test_an_interrupted_tensor_file_leaves_the_old_one(tmp_path, monkeypatch):
    write_tensor(tmp_path / "x.dat", np.ones(5))
    before = snapshot(tmp_path)

    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic_write.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_tensor(tmp_path / "x.dat", np.zeros(7))
    assert snapshot(tmp_path) == before


# -- what belongs to others ----------------------------------------------------------------------


def test_files_in_the_folder_that_are_not_part_of_the_model_remain(tmp_path):
    model = tmp_path / "model"
    write_model(model, OLD)
    foreign = {
        "notes.txt": b"mine",
        "sub/plan.bin": b"vendor",
        "sub/b.dat.q8": b"another version of the same data",
        "deep/er/x.dat": b"no label of the old model",
        ".hidden": b"",
    }
    for name, content in foreign.items():
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_bytes(content)
    (model / "empty").mkdir()
    (model / "link").symlink_to("notes.txt")
    (model / "dangling").symlink_to("nowhere")
    (model / "folder link").symlink_to("deep", target_is_directory=True)
    inode = (model / "notes.txt").stat().st_ino
    write_model(model, NEW)
    left = snapshot(model)
    assert {name: left[name] for name in foreign} == foreign
    assert left["empty"] is None
    assert (model / "link").readlink() == Path("notes.txt")
    assert (model / "dangling").readlink() == Path("nowhere")
    assert (model / "folder link").is_symlink()
    assert (model / "notes.txt").stat().st_ino == inode
    assert not {"gone.dat", "sub/b.dat", "graph.quant"} & set(left)
    assert left["graph.nnef"] == NEW["graph.nnef"]


def test_a_new_file_wins_over_a_foreign_one_of_its_name(tmp_path):
    write_model(tmp_path / "model", OLD)
    (tmp_path / "model" / "c").mkdir()
    (tmp_path / "model" / "c" / "d.dat").write_bytes(b"foreign")
    write_model(tmp_path / "model", NEW)
    with open_model(tmp_path / "model") as files:
        assert (files.tensor("c/d").data == 8).all()


def test_a_folder_that_holds_something_else_is_not_touched(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    before = snapshot(tmp_path)
    with pytest.raises(StorageError, match="not empty, and does not contain a model"):
        write_model(tmp_path / "photos", NEW)
    assert snapshot(tmp_path) == before


def test_a_model_can_be_saved_into_an_empty_folder(tmp_path):
    (tmp_path / "model").mkdir()
    write_model(tmp_path / "model", NEW)
    assert set(snapshot(tmp_path / "model")) >= set(NEW)


def test_the_current_folder_is_not_pulled_from_under_the_process(tmp_path, monkeypatch):
    write_model(tmp_path / "model", OLD)
    (tmp_path / "model" / "inner").mkdir()
    for folder in (tmp_path / "model", tmp_path / "model" / "inner"):
        monkeypatch.chdir(folder)
        with pytest.raises(StorageError, match="current folder"):
            write_model(tmp_path / "model", NEW)
    monkeypatch.chdir(tmp_path)
    write_model("model", NEW)


@pytest.mark.parametrize(
    ("make", "target", "message"),
    [
        (lambda path: (path / "x").write_text("file"), "x", "a file, which cannot"),
        (lambda path: (path / "x.tgz").mkdir(), "x.tgz", "this is a folder"),
        (lambda path: None, "no/where/x", "does not exist"),
        (lambda path: None, "no/where/x.tar", "does not exist"),
        (lambda path: None, "x.tar.xz", "can be read, but not written"),
        (lambda path: None, "x.TBZ2", "can be read, but not written"),
    ],
)
def test_invalid_targets_are_refused(tmp_path, make, target, message):
    make(tmp_path)
    before = snapshot(tmp_path)
    with pytest.raises(StorageError, match=message):
        write_model(tmp_path / target, NEW)
    assert snapshot(tmp_path) == before


def test_links_are_saved_through(tmp_path):
    (tmp_path / "real").mkdir()
    for name in ("m", "m.tgz"):
        write_model(tmp_path / "real" / name, OLD)
        (tmp_path / name).symlink_to(tmp_path / "real" / name)
        write_model(tmp_path / name, NEW)
        assert (tmp_path / name).is_symlink()
        with open_model(tmp_path / "real" / name) as files:
            assert files.text == NEW["graph.nnef"].decode()


def test_files_and_folders_get_the_permissions_of_their_place(tmp_path):
    mask = os.umask(0o027)
    try:
        for name in ("m.tgz", "m"):
            write_model(tmp_path / name, NEW)
        write_tensor(tmp_path / "x.dat", np.ones(3))
    finally:
        os.umask(mask)
    for name, mode in (("m.tgz", 0o640), ("m", 0o750), ("m/a.dat", 0o640), ("x.dat", 0o640)):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["model", "model.tgz"])
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["../evil.dat"], "is not a file name"),
        (["/tmp/evil.dat"], "is not a file name"),
        (["a/../../evil.dat"], "is not a file name"),
        (["..\\evil.dat"], "is not a file name"),
        (["./a.dat"], "is not a file name"),
        (["a\\b.dat"], "is not a file name"),
        (["A.dat", "a.dat"], "'a.dat' and 'A.dat' are the same file"),
        (["a.dat", "a.dat/b.dat"], "'a.dat' would have to be both"),
        (["graph.nnef/x.dat"], "'graph.nnef' would have to be both"),
    ],
)
def test_names_that_clash_are_refused(tmp_path, target, names, message):
    (tmp_path / "place").mkdir()
    with pytest.raises(StorageError, match=message):
        write_model(tmp_path / "place" / target, NEW | dict.fromkeys(names, NEW["c/d.dat"]))
    assert snapshot(tmp_path) == {"place": None}


def test_the_case_of_names_matters_only_for_the_models_own_files(tmp_path):
    write_model(tmp_path / "m.tar", NEW | {"README": b"1", "Readme": b"2"})
    with open_model(tmp_path / "m.tar") as files:
        assert dict(files.extra_files(["a", "c/d"])) == {"README": b"1", "Readme": b"2"}


def test_a_model_can_be_saved_over_the_files_that_it_is_mapped_from(tmp_path):
    for name in NAMES:
        write_model(tmp_path / name, OLD)
        for _ in range(2):
            with open_model(tmp_path / name) as files:
                a, b = files.tensor("a").data, files.tensor("sub/b").data
            write_model(
                tmp_path / name,
                OLD | {"a.dat": tensor_content(a), "sub/b.dat": tensor_content(b + 1)},
            )
            assert (a == 1).all()
        with open_model(tmp_path / name) as files:
            assert (files.tensor("a").data == 1).all()
            assert (files.tensor("sub/b").data == 4).all()


def test_files_to_copy_must_exist(tmp_path):
    for target in ("m", "m.tar"):
        with pytest.raises(StorageError, match="no such file") as caught:
            write_model(tmp_path / target, NEW | {"x.bin": tmp_path / "gone.bin"})
        assert caught.value.diagnostics[0].file == str(tmp_path / "gone.bin")
    assert list(tmp_path.iterdir()) == []


def test_more_files_are_copied_than_can_be_open_at_once(tmp_path):
    resource = pytest.importorskip("resource")
    source = tmp_path / "source.bin"
    source.write_bytes(b"x" * 10_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        write_model(tmp_path / "m.tar", NEW | {f"{k}.bin": source for k in range(400)})
        write_model(tmp_path / "m", NEW | {f"{k}.bin": source for k in range(400)})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (tmp_path / "m" / "399.bin").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("name", ["C:notes.txt", "a\\b.txt", "d\\..\\e.txt"])
def test_files_beside_the_graph_with_names_that_not_every_system_has(tmp_path, name):
    graph = nk.parse("version 1.0; graph g(x) -> (y) { x = external(shape = [2]); y = relu(x); }")
    nk.save(graph, tmp_path / "model")
    try:
        (tmp_path / "model" / name).write_text("notes")
    except OSError:
        pytest.skip("this system has no such name, either")
    loaded = nk.load(tmp_path / "model")
    with pytest.raises(nk.StorageError, match="is not a file name that every system has"):
        nk.save(loaded, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
