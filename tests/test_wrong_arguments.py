"""A wrong argument of a public call raises one `NnefError`, which names it, with a hint."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

import nnefkit as nk

GRAPH = nk.parse(
    """version 1.0;
    graph net(input) -> (output)
    {
        input = external<scalar>(shape = [1, 3, 8, 8]);
        filter = variable<scalar>(shape = [4, 3, 3, 3], label = 'filter');
        conv = conv(input, filter);
        output = relu(conv);
    }"""
).with_data({"filter": np.ones((4, 3, 3, 3), np.float32)})
X = np.zeros((1, 3, 8, 8), np.float32)
FEEDS = {"input": X}
TRACE = nk.trace(GRAPH, FEEDS)
SESSION = nk.Session(GRAPH)
COMPARISON = nk.compare(TRACE, TRACE)

CALLS = {
    "load-none": (lambda: nk.load(None), "'path' must be a path"),
    "load-bytes": (lambda: nk.load(b"model"), "'path' must be a path"),
    "load-graph": (lambda: nk.load(GRAPH), "not of type Graph"),
    "load-nothing": (lambda: nk.load(""), "'path' is an empty string"),
    "load-address": (lambda: nk.load("https://example.org/a.nnef.tgz"), "download the file"),
    "parse-none": (lambda: nk.parse(None), "'text' must be a str, not None"),
    "parse-bytes": (lambda: nk.parse(b"version 1.0;"), ".decode()"),
    "parse-path": (lambda: nk.parse(Path("model")), "nnefkit.load(path)"),
    "parse-quantization": (lambda: nk.parse(str(GRAPH), 5), "'quantization' must be a str"),
    "parse-letter": (
        lambda: nk.parse("version 1.0; graph g(größe) -> (y) {}"),
        "only ASCII letters, digits, _",
    ),
    "parse-quotes": (
        lambda: nk.parse("version 1.0; graph g(x) -> (y) { y = conv(x, border = “same”); }"),
        "straight quotes",
    ),
    "format-none": (lambda: nk.format(None), "'text' must be a str, not None"),
    "read-tensor": (lambda: nk.read_tensor(None), "'path' must be a path"),
    "write-tensor": (lambda: nk.write_tensor(X, "a.dat"), "not of type ndarray"),
    "save-graph": (lambda: nk.save("model", GRAPH), "'graph' must be a Graph, not of type str"),
    "save-path": (lambda: nk.save(GRAPH, None), "'path' must be a path"),
    "save-kind": (lambda: nk.save(GRAPH, "net.7z"), "Use .nnef.tgz, .tar or .zip"),
    "to-text": (lambda: nk.to_text(None), "'graph' must be a Graph, not None"),
    "run-path": (lambda: nk.run("model", FEEDS), "nnefkit.load(path)"),
    "run-none": (lambda: nk.run(GRAPH, None), "input 'input' is None"),
    "run-input-none": (lambda: nk.run(GRAPH, {"input": None}), "of shape [1, 3, 8, 8]"),
    "run-texts": (lambda: nk.run(GRAPH, {"input": [["a"]]}), "floating-point numbers, not <U1"),
    "run-masked": (lambda: nk.run(GRAPH, np.ma.masked_array(X, X == 0)), ".filled(value)"),
    "run-outputs": (lambda: nk.run(GRAPH, X, outputs=3), "'outputs' must be a name"),
    "run-outputs-none": (lambda: nk.run(GRAPH, X, outputs=[None]), "'outputs' must be a name"),
    "run-option": (lambda: nk.run(GRAPH, X, ouputs=["conv"]), "Did you mean 'outputs'?"),
    "run-engine": (lambda: nk.run(GRAPH, X, engine=None), "There are: numpy"),
    "session": (lambda: nk.Session(None), "'graph' must be a Graph"),
    "session-outputs": (lambda: SESSION.run(X, outputs=3), "'outputs' must be a name"),
    "session-reset": (lambda: SESSION.reset(3), "no variable '3'"),
    "trace-keep": (lambda: nk.trace(GRAPH, X, keep=5), "'keep' must be a name"),
    "trace-keep-al": (lambda: nk.trace(GRAPH, X, keep="al"), "Did you mean 'all'?"),
    "trace-spill": (lambda: nk.trace(GRAPH, X, spill=3), "'spill' must be a path"),
    "trace-save": (lambda: TRACE.save(None), "'path' must be a path"),
    "trace-load": (lambda: nk.Trace.load(None), "'path' must be a path"),
    "trace-name": (lambda: TRACE[None], "has no tensor 'None'"),
    "step": (lambda: nk.step(None, X), "'graph' must be a Graph"),
    "infer-shapes": (lambda: nk.infer_shapes(None), "'graph' must be a Graph"),
    "infer-shape": (lambda: nk.infer_shapes(GRAPH, input=None), "input=(1, 3, 8, 8)"),
    "infer-nan": (lambda: nk.infer_shapes(GRAPH, input=(1, np.nan, 8, 8)), "positive integers"),
    "lower": (lambda: nk.lower(None), "'graph' must be a Graph"),
    "lower-names": (lambda: nk.lower(GRAPH, 3), "'operations' must be a name"),
    "to-onnx": (lambda: nk.to_onnx(None), "'graph' must be a Graph"),
    "from-onnx": (lambda: nk.from_onnx("nowhere.onnx"), "Check the path."),
    "from-torch": (lambda: nk.from_torch("nowhere.pt2"), "Check the path."),
    "from-torch-text": (lambda: nk.from_torch(__file__), "torch.export.save"),
    "validate": (lambda: nk.validate(3), "Pass a path, the text of a graph, or a Graph"),
    "compare": (lambda: nk.compare(X, X), "a mapping from tensor names to arrays"),
    "compare-labels": (lambda: nk.compare(TRACE, TRACE, labels=("a",)), "two strings"),
    "compare-names": (lambda: nk.compare(TRACE, TRACE, names=3), "'names' must be a mapping"),
    "compare-nothing": (lambda: nk.compare("", TRACE), "empty str"),
    "compare-worst": (lambda: COMPARISON.worst(-3), "at least 0, not -3"),
    "tolerance": (lambda: nk.Tolerance("a"), "must be a number of at least 0, not 'a'"),
    "with-data": (lambda: GRAPH.with_data([1]), "'data' must be a mapping"),
    "with-data-input": (lambda: GRAPH.with_data({"input": X}), "'input' is not a variable"),
    "with-data-text": (lambda: GRAPH.with_data({"filter": "a"}), "floating-point numbers"),
    "with-data-shape": (lambda: GRAPH.with_data({"filter": np.ones((3, 4, 3, 3))}), "reshape"),
    "with-outputs": (lambda: GRAPH.with_outputs(None), "'outputs' must be a name"),
    "between": (lambda: GRAPH.between(3, "output"), "'inputs' must be a name"),
    "tensor": (lambda: GRAPH.tensor("zzz"), "graph.tensors"),
    "tensors": (lambda: GRAPH.tensors["ouput"], "Did you mean 'output'?"),
    "attribs": (lambda: GRAPH.operations[2].attribs["bordr"], "Did you mean 'border'?"),
    "rename": (lambda: setattr(GRAPH, "name", "x"), "dataclasses.replace"),
    "rename-operation": (lambda: setattr(GRAPH.operations[0], "name", "x"), "changed copy"),
    "forget": (lambda: delattr(GRAPH.tensors["conv"], "shape"), "cannot be changed in place"),
    "plot-comparison": (lambda: nk.plot.comparison(None), "nnefkit.compare(...)"),
    "plot-timings": (lambda: nk.plot.timings("a"), "nnefkit.trace(...)"),
    "plot-limit": (lambda: nk.plot.feature_maps(X, limit=0), "limit must be at least 1"),
    "plot-item": (lambda: nk.plot.feature_maps(X, item=1), "no item 1"),
    "plot-axis": (lambda: nk.plot.feature_maps(X, axis=0), "channels last"),
    "plot-bins": (lambda: nk.plot.histogram(X, bins=0), "bins must be at least 1"),
    "browse": (lambda: nk.widgets.tensor_browser(GRAPH), "'trace' must be a trace"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_reported_with_a_hint(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, words = CALLS[name]
    with pytest.raises(nk.NnefError) as raised:
        call()
    assert words in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_values_that_a_mapping_is_browsed_by_may_be_lists():
    pytest.importorskip("ipywidgets")
    browser = nk.widgets.tensor_browser({"a": [[1.0, 2.0], [3.0, 4.0]]})
    with pytest.raises(nk.InputError):
        browser.index = (0, 0, 0)


@pytest.fixture
def folder(tmp_path):
    nk.save(GRAPH, tmp_path / "net")
    return tmp_path / "net"


def _pipe(path):
    path.unlink()
    os.mkfifo(path)


def _loop(path):
    path.unlink()
    path.symlink_to(path.name)


def _folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes and links")
@pytest.mark.parametrize("file", ["graph.nnef", "filter.dat"])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_pipe, ["a pipe or a device", "Give the path of a regular file"]),
        (_loop, ["symbolic link", "leads back to itself"]),
        (_folder, ["this is a folder", "Give the path of a regular file"]),
    ],
)
def test_a_path_that_is_not_a_file_is_refused_with_a_hint(folder, file, spoil, words):
    spoil(folder / file)
    with pytest.raises(nk.StorageError) as raised:
        nk.load(folder)
    for word in [*words, str(folder / file)]:
        assert word in str(raised.value)


@pytest.mark.parametrize("file", ["graph.nnef", "filter.dat"])
def test_a_forbidden_file_names_the_permissions(folder, file, monkeypatch):
    """Root may read anything, so the error of the system is simulated."""
    opened = os.open

    def refusing(path, *args, **kwargs):
        if str(path).endswith(file):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(nk.StorageError) as raised:
        nk.load(folder)
    for word in ["ermission denied", "Change its permissions", str(folder / file)]:
        assert word in str(raised.value)


def test_places_that_cannot_be_written_are_refused_and_left_as_they_are(tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    for call in (
        lambda: nk.trace(GRAPH, X, spill=taken),
        lambda: nk.save(GRAPH, taken),
        lambda: nk.save(GRAPH, taken / "net.zip"),
        lambda: TRACE.save(taken / "trace.npz"),
        lambda: nk.write_tensor(taken / "a.dat", X),
    ):
        with pytest.raises(nk.StorageError) as raised:
            call()
        assert str(taken) in str(raised.value)
        assert raised.value.diagnostics[0].hint
    assert taken.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_an_encrypted_archive_says_how_to_open_it(tmp_path):
    import zipfile

    path = tmp_path / "net.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("graph.nnef", str(GRAPH))
    content = bytearray(path.read_bytes())
    # The flag "encrypted" of the member and of its entry in the directory.
    content[6] |= 1
    content[content.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(nk.StorageError, match="password"):
        nk.load(path)


def test_a_label_that_no_file_can_be_called_by_is_named(tmp_path):
    label = "a" * 300
    text = str(GRAPH).replace("label = 'filter'", f"label = '{label}'")
    graph = nk.parse(text).with_data({label: np.ones((4, 3, 3, 3), np.float32)})
    with pytest.raises(nk.StorageError) as raised:
        nk.save(graph, tmp_path / "net")
    assert "Give a shorter name" in str(raised.value)
    assert f"{label}.dat" in raised.value.diagnostics[0].file
    assert not list(tmp_path.iterdir())
    nk.save(graph, tmp_path / "net.zip")
    assert nk.load(tmp_path / "net.zip").variables[0].label == label


def test_an_unreadable_folder_is_not_reported_as_an_empty_one(folder, monkeypatch):
    """Root may enter any folder, so the error of the system is simulated."""

    def refusing(path, *args, **kwargs):
        if str(path).startswith(str(folder)) or kwargs.get("dir_fd") is not None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return before[0](path, *args, **kwargs)

    for name, call in (
        ("lstat", lambda: nk.load(folder)),
        ("scandir", lambda: nk.compare(folder, TRACE)),
    ):
        before = [getattr(os, name)]
        with monkeypatch.context() as patched:
            patched.setattr(os, name, refusing)
            patched.setattr(f"nnefkit.analysis.recordings.{name}", refusing, raising=False)
            with pytest.raises(nk.StorageError, match="permission denied") as raised:
                call()
        assert "Change its permissions" in str(raised.value)
