"""Containers (5.1): the same model, whatever its container and however it was packed."""

import io
import mmap
import pickle
import tarfile
import zipfile

import numpy as np
import pytest

from nnefkit.errors import StorageError
from nnefkit.storage import open_model, read_tensor, tensor_content, write_model, write_tensor

TEXT = b"version 1.0;\n"
FILTER = np.arange(2000, dtype=np.float32).reshape(2, 10, 10, 10)
BIAS = np.ones((1, 2), np.float32)


def dat(array, **options):
    return b"".join(map(bytes, tensor_content(array, **options).chunks()))


FILES = {
    "graph.nnef": TEXT,
    "graph.quant": b'"x": f(a = 1);\n',
    "conv1/filter.dat": dat(FILTER),
    "conv1/bias.dat": dat(BIAS),
    "vendor/plan.bin": b"\0\1\2" * 5000,
}


def folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)


def tar(path, files, mode="w", **options):
    with tarfile.open(path, mode, **options) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def zipped(path, files, compression):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


PACKERS = {
    "folder": folder,
    "tar": tar,
    "old tar": lambda path, files: tar(path, files, format=tarfile.USTAR_FORMAT),
    "gnu tar": lambda path, files: tar(path, files, format=tarfile.GNU_FORMAT),
    "tar.gz": lambda path, files: tar(path, files, "w:gz"),
    "tar.bz2": lambda path, files: tar(path, files, "w:bz2"),
    "tar.xz": lambda path, files: tar(path, files, "w:xz"),
    "zip": lambda path, files: zipped(path, files, zipfile.ZIP_STORED),
    "deflated zip": lambda path, files: zipped(path, files, zipfile.ZIP_DEFLATED),
    "zip of bzip2": lambda path, files: zipped(path, files, zipfile.ZIP_BZIP2),
    "zip of lzma": lambda path, files: zipped(path, files, zipfile.ZIP_LZMA),
}
LAYOUTS = {
    "plain": lambda name: name,
    "members with ./": lambda name: f"./{name}",
    "one top folder": lambda name: f"my model/{name}",
    "one top folder with ./": lambda name: f"./my model/{name}",
    "a very long top folder": lambda name: f"{'long' * 35}/{name}",
    "two folders deep": lambda name: f"a/b/{name}",
}


def check(path):
    with open_model(path) as files:
        assert files.text == TEXT.decode()
        assert files.quantization == '"x": f(a = 1);\n'
        assert sorted(files.labels) == ["conv1/bias", "conv1/filter"]
        filter_, bias = files.tensor("conv1/filter"), files.tensor("conv1/bias")
        assert files.tensor("conv1/offset") is None
        extra = files.extra_files(["conv1/filter", "conv1/bias"])
    # Data that was returned stays valid when the archive is closed.
    assert np.array_equal(filter_.data, FILTER)
    assert np.array_equal(bias.data, BIAS)
    assert not filter_.data.flags.writeable
    assert filter_.data.flags.aligned
    assert dict(extra) == {"vendor/plan.bin": FILES["vendor/plan.bin"]}
    assert dict(pickle.loads(pickle.dumps(extra))) == dict(extra)


@pytest.mark.parametrize(
    ("packer", "layout"),
    [(p, lay) for p in PACKERS for lay in LAYOUTS if p != "folder" or lay == "plain"],
)
def test_every_container_has_the_same_files_whatever_its_name(tmp_path, packer, layout):
    path = tmp_path / "model.of.some.kind"
    PACKERS[packer](path, {LAYOUTS[layout](name): data for name, data in FILES.items()})
    check(path)


def test_a_lone_text_finds_its_data_but_has_no_extra_files(tmp_path):
    folder(tmp_path, FILES)
    (tmp_path / "graph.nnef").rename(tmp_path / "net.nnef")
    (tmp_path / "net.quant").write_text("q")
    with open_model(tmp_path / "net.nnef") as files:
        assert files.text == TEXT.decode()
        assert files.quantization == "q"
        assert np.array_equal(files.tensor("conv1/filter").data, FILTER)
        assert len(files.extra_files([])) == 0


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("net.nnef.tgz", "net"),
        ("net.tar.gz", "net"),
        ("net.v2.tar", "net.v2"),
        ("NET.NNEF.ZIP", "NET"),
        ("net.bin", "net.bin"),
    ],
)
def test_the_name_of_a_model_is_that_of_its_archive_without_endings(tmp_path, path, name):
    tar(tmp_path / path, FILES)
    with open_model(tmp_path / path) as files:
        assert files.name == name


def is_mapped(array):
    """Whether an array is a view of a mapped file."""
    base = array
    while isinstance(base, (np.ndarray, memoryview)):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return isinstance(base, mmap.mmap)


def test_members_of_uncompressed_archives_are_mapped(tmp_path):
    for name, pack in [("x.tar", tar), ("x.zip", PACKERS["zip"])]:
        array = np.ones(1 << 16, np.int8)
        pack(tmp_path / name, {"graph.nnef": TEXT, "a.dat": dat(array)})
        with open_model(tmp_path / name) as files:
            assert is_mapped(files.tensor("a").data)


@pytest.mark.parametrize("packer", ["folder", "tar", "zip"])
def test_labels_are_compared_without_regard_to_case(tmp_path, packer):
    path = tmp_path / "model"
    PACKERS[packer](path, {"graph.nnef": TEXT, "Conv1/Filter.dat": dat(FILTER)})
    with open_model(path) as files:
        for label in ("conv1/filter", "CONV1/FILTER", "Conv1/Filter", "conv1\\filter"):
            assert np.array_equal(files.tensor(label).data, FILTER)
        assert dict(files.extra_files(["conv1/filter"])) == {}


@pytest.mark.parametrize("packer", ["tar", "zip"])
def test_labels_that_several_files_match_are_refused(tmp_path, packer):
    path = tmp_path / "model"
    PACKERS[packer](path, {"graph.nnef": TEXT, "A.dat": dat(BIAS), "a.dat": dat(BIAS + 1)})
    with open_model(path) as files:
        assert np.array_equal(files.tensor("a").data, BIAS + 1)
        assert np.array_equal(files.tensor("A").data, BIAS)
    PACKERS[packer](path, {"graph.nnef": TEXT, "Ab.dat": dat(BIAS), "aB.dat": dat(BIAS)})
    with (
        open_model(path) as files,
        pytest.raises(StorageError, match=r"Ab\.dat, aB\.dat"),
    ):
        files.tensor("ab")


@pytest.mark.parametrize(
    "label",
    [
        "..",
        "../x",
        "a/../../x",
        "/etc/x",
        "\\x",
        "a\\..\\x",
        "C:/x",
        "c:x",
        "./C:/x",
        ".\\c:x",
        "",
        "a/\0",
    ],
)
def test_labels_that_lead_out_of_the_model_are_refused_by_name(tmp_path, label):
    folder(tmp_path / "model", {"graph.nnef": TEXT})
    write_tensor(tmp_path / "x.dat", BIAS)
    with (
        open_model(tmp_path / "model") as files,
        pytest.raises(StorageError) as caught,
    ):
        files.tensor(label)
    assert caught.value.diagnostics[0].section in ("5.1", "4.1.3")


def test_dots_inside_of_labels_are_not_paths(tmp_path):
    labels = ["a..b", "..a", "a..", "...", ".", "./a.b/c", "a//b"]
    files = {f"{'/'.join(p for p in label.split('/') if p)}.dat": dat(BIAS) for label in labels}
    folder(tmp_path, {"graph.nnef": TEXT} | files)
    with open_model(tmp_path) as model:
        for label in labels:
            assert np.array_equal(model.tensor(label).data, BIAS)


def test_links_within_an_archive_are_followed(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name, content in (("graph.nnef", TEXT), ("a/one.dat", dat(BIAS))):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, kind, target in (
            ("two.dat", tarfile.LNKTYPE, "a/one.dat"),
            ("a/three.dat", tarfile.SYMTYPE, "../two.dat"),
            ("a/gone.dat", tarfile.SYMTYPE, "nowhere.dat"),
            ("a/loop.dat", tarfile.SYMTYPE, "loop.dat"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    with open_model(tmp_path / "x.tar") as files:
        for label in ("a/one", "two", "a/three"):
            assert np.array_equal(files.tensor(label).data, BIAS)
        for label in ("a/gone", "a/loop"):
            with pytest.raises(StorageError, match="is a link to"):
                files.tensor(label)


def test_archives_in_pieces_and_with_padding_are_read(tmp_path):
    tar(tmp_path / "x.tgz", FILES, "w:gz")
    tar(tmp_path / "x.tar", FILES)
    whole = (tmp_path / "x.tar").read_bytes()
    import gzip

    pieces = [gzip.compress(whole[start : start + 5000]) for start in range(0, len(whole), 5000)]
    (tmp_path / "pieces").write_bytes(b"".join(pieces) + bytes(1000))
    check(tmp_path / "pieces")


@pytest.mark.parametrize(
    "name", ["m.nnef.tgz", "m.tgz", "m.TAR.GZ", "m.tar", "m.zip", "m", "m.nnef"]
)
def test_written_files_are_read_again_and_by_other_tools(tmp_path, name):
    files = FILES | {"conv1/filter.dat": tensor_content(FILTER)}
    write_model(tmp_path / name, files)
    check(tmp_path / name)
    out = tmp_path / "out"
    kind = name.lower()
    if kind.endswith(("gz", "tar")):
        with tarfile.open(tmp_path / name) as archive:
            archive.extractall(out, filter="data")
    elif kind.endswith("zip"):
        with zipfile.ZipFile(tmp_path / name) as archive:
            assert archive.testzip() is None
            archive.extractall(out)
    else:
        out = tmp_path / name
    for member, content in FILES.items():
        assert (out / member).read_bytes() == content
    assert np.array_equal(read_tensor(out / "conv1" / "filter.dat"), FILTER)


@pytest.mark.parametrize("name", ["m.tgz", "m.tar", "m.zip"])
def test_the_same_model_is_written_as_the_same_archive(tmp_path, name):
    write_model(tmp_path / name, FILES)
    first = (tmp_path / name).read_bytes()
    (tmp_path / "other").mkdir()
    write_model(tmp_path / "other" / name, dict(reversed(FILES.items())))
    assert (tmp_path / "other" / name).read_bytes() == first


def test_tensors_in_a_written_zip_are_aligned_and_mapped(tmp_path):
    names = [f"{'x' * k}.dat" for k in range(1, 20)]
    files = {name: tensor_content(np.ones(2000)) for name in names}
    write_model(tmp_path / "m.zip", {"graph.nnef": TEXT} | files)
    with open_model(tmp_path / "m.zip") as model:
        for name in names:
            data = model.tensor(name.removesuffix(".dat")).data
            assert data.ctypes.data % 64 == 0
            assert is_mapped(data)
