"""Every bad input ends in an error with the file, the place and a fix; so do reports."""

import io
import tarfile
import zipfile

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.errors import DocumentError, InputError, NnefError, StorageError

TEXT = """version 1.0;

graph net(input) -> (output)
{
    input = external<scalar>(shape = [1, 3, 8, 8]);
    filter = variable<scalar>(shape = [4, 3, 3, 3], label = 'conv/filter');
    bias = variable<scalar>(shape = [1, 4], label = 'conv/bias');
    conv = conv(input, filter, bias, padding = [(1,1), (1,1)], border = 'constant');
    output = relu(conv);
}
"""


def model(folder, text=TEXT):
    (folder / "conv").mkdir(parents=True)
    (folder / "graph.nnef").write_text(text)
    nk.write_tensor(folder / "conv/filter.dat", np.ones((4, 3, 3, 3), np.float32))
    nk.write_tensor(folder / "conv/bias.dat", np.ones((1, 4), np.float32))
    return folder


def changed(old, new):
    def make(path):
        assert TEXT.count(old) == 1
        return model(path / "net", TEXT.replace(old, new))

    return make


def empty_file(path):
    folder = model(path / "net")
    (folder / "graph.nnef").write_text("")
    return folder


def garbage(path):
    folder = model(path / "net")
    (folder / "graph.nnef").write_bytes(np.random.default_rng(0).bytes(3000))
    return folder


def garbage_alone(path):
    return garbage(path) / "graph.nnef"


def missing_data(path):
    folder = model(path / "net")
    (folder / "conv/filter.dat").rename(folder / "conv/fliter.dat")
    return folder


def truncated_data(path):
    folder = model(path / "net")
    file = folder / "conv/filter.dat"
    file.write_bytes(file.read_bytes()[:-100])
    return folder


def data_without_header(path):
    folder = model(path / "net")
    (folder / "conv/filter.dat").write_bytes(b"\x4e\xef\x01\x00")
    return folder


def garbage_data(path):
    folder = model(path / "net")
    (folder / "conv/filter.dat").write_bytes(np.random.default_rng(1).bytes(560))
    return folder


def other_shape(path):
    folder = model(path / "net")
    nk.write_tensor(folder / "conv/filter.dat", np.ones((4, 3, 5, 5), np.float32))
    return folder


def other_item_type(path):
    folder = model(path / "net")
    nk.write_tensor(folder / "conv/filter.dat", np.ones((4, 3, 3, 3), np.int32))
    return folder


def no_archive(path):
    file = path / "net.nnef.tgz"
    file.write_bytes(np.random.default_rng(2).bytes(5000))
    return file


def truncated_archive(path):
    model(path / "net")
    file = path / "net.nnef.tgz"
    with tarfile.open(file, "w:gz") as archive:
        archive.add(path / "net/graph.nnef", "graph.nnef")
    file.write_bytes(file.read_bytes()[:-60])
    return file


def escaping_tar(path):
    file = path / "net.tar"
    with tarfile.open(file, "w") as archive:
        for name, content in (("graph.nnef", TEXT), ("../escaped.dat", "x")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
    return file


def escaping_zip(path):
    file = path / "net.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("graph.nnef", TEXT)
        archive.writestr("../../escaped.dat", "x")
    return file


def archive_without_graph(path):
    file = path / "net.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("net.txt", "hello")
    return file


def nothing_there(path):
    model(path / "net")
    return path / "nett"


def empty_folder(path):
    (path / "net").mkdir()
    return path / "net"


def folder_of_an_archive(path):
    (path / "net").mkdir()
    (path / "net" / "readme.txt").write_text("The model is in the archive.")
    (path / "net" / "model.nnef.tgz").write_bytes(b"")
    return path / "net"


CASES = [
    # how it is made, kind of error, the file it names, line and column, words of message or hint
    (empty_file, DocumentError, "graph.nnef", (1, 1), ["version"]),
    (garbage, StorageError, "graph.nnef", None, ["not text"]),
    (garbage_alone, StorageError, "graph.nnef", None, ["text"]),
    (missing_data, StorageError, "net", None, ["conv/filter.dat", "Did you mean 'conv/fliter'"]),
    (truncated_data, StorageError, "filter.dat", None, ["bytes"]),
    (data_without_header, StorageError, "filter.dat", None, ["128"]),
    (garbage_data, StorageError, "filter.dat", None, ["not a tensor file"]),
    (
        other_shape,
        StorageError,
        "graph.nnef",
        (6, 5),
        ["[4, 3, 3, 3]", "[4, 3, 5, 5]", "filter.dat", "another"],
    ),
    (other_item_type, StorageError, "graph.nnef", (6, 5), ["filter.dat", "scalar", "signed"]),
    (
        changed("relu(conv)", "reluu(conv)"),
        DocumentError,
        "graph.nnef",
        (9, 14),
        ["'reluu'", "Did you mean 'relu'?"],
    ),
    (
        changed("border =", "bordr ="),
        DocumentError,
        "graph.nnef",
        (8, 64),
        ["'bordr'", "Did you mean 'border'?"],
    ),
    (
        changed("'constant'", "'constnat'"),
        DocumentError,
        "graph.nnef",
        (8, 64),
        ["'constnat'", "'constant'"],
    ),
    (
        changed("[1, 4], l", "[1, 5], l"),
        DocumentError,
        "graph.nnef",
        (7, 5),
        ["bias.dat", "[1, 5]", "[1, 4]", "conv: 'bias'"],
    ),
    (no_archive, StorageError, "net.nnef.tgz", None, ["archive"]),
    (truncated_archive, StorageError, "net.nnef.tgz", None, ["again"]),
    (escaping_tar, StorageError, "net.tar", None, ["../escaped.dat"]),
    (escaping_zip, StorageError, "net.zip", None, ["../../escaped.dat"]),
    (archive_without_graph, StorageError, "net.zip", None, ["no graph.nnef", "archive"]),
    (nothing_there, StorageError, "nett", None, ["no such file", "Did you mean 'net'?"]),
    (empty_folder, StorageError, "net", None, ["no graph.nnef", "no files"]),
    (
        folder_of_an_archive,
        StorageError,
        "net",
        None,
        ["no graph.nnef", "'model.nnef.tgz'", "load"],
    ),
]
IDS = [f"{i}-{case[0].__qualname__.split('.')[0]}" for i, case in enumerate(CASES)]


@pytest.mark.parametrize(("make", "kind", "file", "place", "words"), CASES, ids=IDS)
def test_load_reports_the_file_the_place_and_a_fix(tmp_path, make, kind, file, place, words):
    path = make(tmp_path)
    with pytest.raises(NnefError) as raised:
        nk.load(path)
    assert type(raised.value) is kind
    message = str(raised.value)
    assert file in message
    for word in words:
        assert word in message
    first = raised.value.diagnostics[0]
    assert first.hint, "nothing says how to fix it"
    assert ((first.line, first.column) if first.line else None) == place
    assert "^" in message or not first.excerpt


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(("make", "kind", "file", "place", "words"), CASES, ids=IDS)
def test_a_report_and_the_error_have_the_same_text(
    tmp_path, make, kind, file, place, words, as_text
):
    path = make(tmp_path)
    with pytest.raises(NnefError) as raised:
        nk.load(path)
    report = nk.validate(str(path) if as_text else path)
    assert not report.ok
    assert report.errors == raised.value.diagnostics
    for diagnostic in report.errors:
        assert str(diagnostic) in str(report)
        assert diagnostic.message in report._repr_html_().replace("&#x27;", "'")
    with pytest.raises(DocumentError) as again:
        report.raise_for_errors()
    assert again.value.diagnostics == report.errors


def test_nothing_is_written_outside_of_an_archive(tmp_path):
    inner = tmp_path / "a/b"
    inner.mkdir(parents=True)
    for make in (escaping_tar, escaping_zip):
        nk.validate(make(inner))
    assert not list(tmp_path.rglob("escaped.dat"))


RUNS = [
    ({"input": np.zeros((1, 3, 9, 8), np.float32)}, ["'input'", "(1, 3, 8, 8)", "(1, 3, 9, 8)"]),
    ({"input": np.zeros((3, 8, 8), np.float32)}, ["'input'", "(1, 3, 8, 8)", "(3, 8, 8)"]),
    ({"input": np.zeros((1, 3, 8, 8), np.uint8)}, ["'input'", "uint8", "array.astype"]),
    ({"inptu": np.zeros((1, 3, 8, 8), np.float32)}, ["'inptu'", "Did you mean 'input'?"]),
    ({}, ["'input'", "missing", "(1, 3, 8, 8)"]),
]


@pytest.mark.parametrize("call", [lambda *a: nk.run(*a), lambda *a: nk.trace(*a)])
@pytest.mark.parametrize(("inputs", "words"), RUNS)
def test_inputs_that_do_not_fit_are_refused_by_name(tmp_path, call, inputs, words):
    graph = nk.load(model(tmp_path / "net"))
    with pytest.raises(InputError) as raised:
        call(graph, inputs)
    message = str(raised.value).replace("[", "(").replace("]", ")").replace("×", ", ")
    for word in words:
        assert word in message


SEVEN = """version 1.0;

graph net(input) -> (output)
{
    input = external<scalar>(shape = [1, 3, 8, 8]);
    filter = variable<scalar>(shape = [4, 3, 3, 3], label = 'conv 1/filter');
    conv1 = conv(input, filter, bordr = 'ignore');
    relu1 = reluu(conv1);
    pool1 = max_pool(input, size = [1, 1, 2, 2], stride = [1, 1, 2.5, 2]);
    pool2 = max_pool(inptu, size = [1, 1, 2, 2]);
    bad = transpose(input, axes = [0, 2, 2, 1]);
    input = relu(input);
    half = mul(input, 0.5;
    output = softmax(input, axes = [1]);
}
"""
ERRORS = [
    # line, what the caret marks, a word of the message or the hint
    (6, "label =", "label"),
    (7, "bordr", "Did you mean 'border'?"),
    (8, "reluu", "Did you mean 'relu'?"),
    (9, "[1, 1, 2.5, 2]", "integer"),
    (10, "inptu", "Did you mean 'input'?"),
    (11, "axes =", "permutation"),
    (12, "input", "defined already"),
    (13, ";", "')'"),
]


def test_unrelated_errors_are_all_reported_each_at_its_place():
    report = nk.validate(SEVEN)
    assert [d.line for d in report.errors] == [line for line, _, _ in ERRORS]
    for diagnostic, (line, marked, word) in zip(report.errors, ERRORS, strict=True):
        excerpt = SEVEN.splitlines()[line - 1]
        assert diagnostic.excerpt == excerpt
        assert excerpt[diagnostic.column - 1 :].startswith(marked), str(diagnostic)
        assert word in diagnostic.message + diagnostic.hint, str(diagnostic)
        assert diagnostic.hint, str(diagnostic)
        assert diagnostic.section, str(diagnostic)
        assert "^" in str(diagnostic)
    with pytest.raises(DocumentError) as raised:
        nk.parse(SEVEN)
    assert raised.value.diagnostics == report.errors
