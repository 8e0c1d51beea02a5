"""Damaged and hostile archives and folders are refused by name, in bounded memory (5.1)."""

import gzip
import io
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnefkit.errors import StorageError
from nnefkit.storage import archive as archive_module
from nnefkit.storage import open_model, tensor_content
from nnefkit.storage.archive import MemoryBytes
from nnefkit.storage.tar_archive import read_tar

TEXT = b"version 1.0;\n"
DATA = b"".join(map(bytes, tensor_content(np.arange(3000, dtype=np.float32)).chunks()))


def member(name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    padding = bytes(-len(content) % 512)
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + content + padding


def tar(*members):
    return b"".join((member("graph.nnef", TEXT), *members, bytes(1024)))


def pax(**records):
    """An extended header with these records."""
    content = b""
    for key, value in records.items():
        rest = f" {key.replace('_', '.')}={value}\n".encode()
        length = len(rest) + len(str(len(rest) + 2))
        content += str(length).encode() + rest
    return member("pax", content, type=tarfile.XHDTYPE)


def zipped(*members, compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in (("graph.nnef", TEXT), *members):
            archive.writestr(name, content)
    return buffer.getvalue()


def zip_member(name, mode):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    return info


def patched(content, what, by):
    assert content.count(what) >= 1
    return content.replace(what, by)


def with_size(content, size):
    """A zip archive whose directory states that its first member has `size` bytes."""
    content = bytearray(content)
    struct.pack_into("<I", content, content.index(b"PK\1\2") + 24, size)
    return bytes(content)


GOOD_ZIP = zipped(("a.dat", DATA))
DAMAGED = {
    "parent folder": (tar(member("../evil.dat", DATA)), r"'\.\./evil\.dat' leads out"),
    "drive behind a dot": (tar(member("./C:/evil.dat")), "leads out of the archive"),
    "parent folder within": (tar(member("a/../../evil.dat")), "leads out of the archive"),
    "absolute path": (tar(member("/etc/passwd")), "'/etc/passwd' leads out"),
    "drive of Windows": (tar(member("C:/evil.dat")), "leads out"),
    "backslashes": (tar(member("a\\..\\..\\evil.dat")), "leads out"),
    "folder outside": (tar(member("../x/", type=tarfile.DIRTYPE)), "leads out"),
    "extended name": (tar(pax(path="../evil.dat"), member("good.dat")), "leads out"),
    "link to outside": (
        tar(member("a.dat", type=tarfile.SYMTYPE, linkname="../../etc/passwd")),
        "leads out",
    ),
    "absolute link": (
        tar(member("a.dat", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
        "leads out",
    ),
    "hard link to outside": (
        tar(member("a.dat", type=tarfile.LNKTYPE, linkname="../x")),
        "leads out",
    ),
    "device": (tar(member("a.dat", type=tarfile.CHRTYPE)), "'a.dat' is a device"),
    "block device": (tar(member("a.dat", type=tarfile.BLKTYPE)), "is a device"),
    "named pipe": (tar(member("a.dat", type=tarfile.FIFOTYPE)), "is a named pipe"),
    "sparse file": (tar(member("a.dat", type=tarfile.GNUTYPE_SPARSE)), "is a sparse file"),
    "sparse file by extension": (tar(pax(GNU_sparse_major=1), member("a")), "is a sparse file"),
    "two members of a name": (tar(member("a.dat"), member("./a.dat")), "two members 'a.dat'"),
    "two graphs": (tar(member("graph.nnef", b"other")), "two members 'graph.nnef'"),
    "several models": (
        member("a/graph.nnef", TEXT) + member("b/graph.nnef", TEXT) + bytes(1024),
        "several models: a/graph.nnef, b/graph.nnef",
    ),
    "no graph": (member("a.dat", DATA) + bytes(1024), "no graph.nnef"),
    "graph of another name": (member("net.nnef", TEXT) + bytes(1024), "There is 'net.nnef'"),
    "size beyond the end": (tar(member("a.dat", size=10**12)), "ends within the member 'a.dat'"),
    "size of 8 exabytes": (tar(member("a.dat", size=2**63)), "ends within the member"),
    "negative size": (tar(pax(size="-5"), member("a.dat")), "no valid size"),
    "size that is not a number": (tar(pax(size="many"), member("a.dat")), "no valid size"),
    "size of many digits": (tar(pax(size="9" * 5000), member("a.dat")), "no valid size"),
    "long name of many bytes": (
        tar(member("././@LongLink", b"x" * 70_000, type=tarfile.GNUTYPE_LONGNAME), member("a")),
        "more than names need",
    ),
    "long name beyond the end": (
        tar(member("././@LongLink", size=2**40, type=tarfile.GNUTYPE_LONGNAME)),
        "ends within",
    ),
    "broken extended header": (
        tar(member("pax", b"999 path=x\n", type=tarfile.XHDTYPE), member("a")),
        "broken extended header",
    ),
    "damaged header": (
        patched(tar(member("aaaaaaaa.dat", DATA)), b"aaaaaaaa.dat", b"aaaaXaaa.dat"),
        "is damaged at byte 1,024: bad checksum",
    ),
    "cut off": (tar(member("a.dat", DATA))[:-8000], "ends within the member 'a.dat'"),
    "gzip cut off": (gzip.compress(tar(member("a.dat", DATA)))[:-30], "gzip archive is truncated"),
    "gzip of nothing": (gzip.compress(b""), "does not contain a tar archive"),
    "gzip header only": (b"\x1f\x8b", "is truncated"),
    "gzip of garbage": (gzip.compress(b"garbage" * 200), "does not contain a tar archive"),
    "gzip of a text": (gzip.compress(TEXT), "does not contain a tar archive"),
    "gzip and garbage": (gzip.compress(tar()) + b"garbage", "gzip archive is broken"),
    "gzip with a wrong checksum": (
        gzip.compress(tar())[:-8] + b"\0" * 8,
        "gzip archive is broken.*incorrect data check",
    ),
    "zip: parent folder": (zipped(("../evil.dat", DATA)), "leads out"),
    "zip: absolute path": (zipped(("/evil.dat", DATA)), "leads out"),
    "zip: backslashes": (zipped(("..\\evil.dat", DATA)), "leads out"),
    "zip: link to outside": (zipped((zip_member("a", 0o120777), b"../../etc")), "leads out"),
    "zip: long link": (zipped((zip_member("a", 0o120777), b"x" * 5000)), "leads out"),
    "zip: named pipe": (zipped((zip_member("a", 0o010644), b"")), "not a regular file"),
    "zip: cut off": (GOOD_ZIP[:-30], "zip archive is broken"),
    "zip: no end": (GOOD_ZIP[:2000], "zip archive is broken"),
    "zip: encrypted": (
        GOOD_ZIP.replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0"),
        "is encrypted",
    ),
    "zip: stored size differs": (
        with_size(zipped(compression=zipfile.ZIP_STORED), 999),
        "truncated",
    ),
    "zip: deflated size differs": (with_size(GOOD_ZIP, 999), "size does not match|Bad CRC"),
    "empty zip": (b"PK\5\6" + bytes(18), "no graph.nnef"),
    "tensor file": (DATA, "is a tensor file, not a model"),
    "binary file": (bytes(range(256)) * 8, "neither an archive"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "neither an archive"),
    "Latin-1 text": ("version 1.0; # größe".encode("latin-1"), "is not UTF-8"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_refused(tmp_path, name):
    content, message = DAMAGED[name]
    path = tmp_path / "model.nnef"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=message) as caught:
        open_model(path)
    assert all(str(path) in d.file for d in caught.value.diagnostics)
    assert list(tmp_path.iterdir()) == [path]


def test_two_members_of_a_name_in_a_zip_are_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        (tmp_path / "x.zip").write_bytes(zipped(("a.dat", b"1"), ("a.dat", b"2")))
    with pytest.raises(StorageError, match=r"two members 'a\.dat'"):
        open_model(tmp_path / "x.zip")


def test_a_text_named_like_an_archive_is_reported_as_not_an_archive(tmp_path):
    for content in (b"", b"hello", b"<html>not found</html>"):
        (tmp_path / "x.nnef.tgz").write_bytes(content)
        with pytest.raises(StorageError, match=r"neither an archive.*nor the text of a graph"):
            open_model(tmp_path / "x.nnef.tgz")
    (tmp_path / "x.nnef.tgz").write_bytes(TEXT)
    with open_model(tmp_path / "x.nnef.tgz") as files:
        assert files.text == TEXT.decode()


def test_a_missing_path_is_reported_with_the_nearest_name(tmp_path):
    (tmp_path / "efficientnet.nnef").mkdir()
    with pytest.raises(StorageError, match=r"Did you mean 'efficientnet\.nnef'\?"):
        open_model(tmp_path / "eficientnet.nnef")
    with pytest.raises(StorageError, match="does not exist, either"):
        open_model(tmp_path / "nowhere" / "x")
    with pytest.raises(StorageError, match=r"parse\(text\)"):
        open_model("version 1.0;\ngraph g(x) -> (y) {}")
    with pytest.raises(StorageError, match=r"parse|no such file"):
        open_model("version 1.0; graph g(x) -> (y) {" + "x" * 10_000)
    for nonsense in ("a\0b", "x" * 5000):
        with pytest.raises(StorageError):
            open_model(nonsense)
    with pytest.raises(StorageError, match=r"no graph\.nnef.*[\s\S]*There are no files"):
        open_model(tmp_path / "efficientnet.nnef")


def test_a_damaged_member_of_a_zip_is_refused_when_it_is_read(tmp_path):
    content = bytearray(zipped(("a.dat", DATA)))
    middle = content.index(b"a.dat") + 400
    content[middle : middle + 8] = b"\xff" * 8
    (tmp_path / "x.zip").write_bytes(content)
    with (
        open_model(tmp_path / "x.zip") as files,
        pytest.raises(StorageError, match="cannot be unpacked"),
    ):
        files.tensor("a")


# -- bombs ---------------------------------------------------------------------------------------


def bombs(size):
    zeros = bytes(size)
    yield gzip.compress(tar(member("a.dat", zeros)))
    yield zipped(("a.dat", zeros))


def test_archives_that_grow_too_much_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_module, "MIN_LIMIT", 1 << 20)
    for content in bombs(8 << 20):
        (tmp_path / "bomb").write_bytes(content)
        with pytest.raises(StorageError, match=r"unpacks to more than [\d,]+ MiB"):
            open_model(tmp_path / "bomb")


def test_archives_of_countless_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_module, "MAX_MEMBERS", 1000)
    (tmp_path / "x.tar").write_bytes(tar(*[member(str(k)) for k in range(1000)]))
    with pytest.raises(StorageError, match="more than 1,000 members"):
        open_model(tmp_path / "x.tar")


def test_members_that_overlap_count_with_their_full_size(tmp_path, monkeypatch):
    # Every entry of the directory of the archive points to the same bytes.
    monkeypatch.setattr(archive_module, "MIN_LIMIT", 1 << 20)
    content = zipped(("a0.dat", bytes(500_000)))
    start = content.index(b"PK\1\2", content.index(b"PK\1\2") + 1)
    end = content.index(b"PK\5\6")
    entry = content[start:end]
    entries = b"".join(entry.replace(b"a0.dat", b"a%d.dat" % k) for k in range(10))
    tail = bytearray(content[end:])
    directory = content[content.index(b"PK\1\2") : start] + entries
    tail[8:16] = struct.pack("<HHI", 11, 11, len(directory))
    (tmp_path / "x.zip").write_bytes(content[: content.index(b"PK\1\2")] + directory + tail)
    with pytest.raises(StorageError, match="unpacks to more than"):
        open_model(tmp_path / "x.zip")


BOMB_SCRIPT = """
import resource, sys
from nnefkit.errors import StorageError
from nnefkit.storage import open_model
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    open_model(sys.argv[1])
except StorageError as error:
    assert "unpacks to more than" in str(error), error
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_a_bomb_of_four_gigabytes_is_read_in_bounded_memory(tmp_path):
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    with (tmp_path / "bomb.tgz").open("wb") as file:
        head = member("graph.nnef", TEXT) + member("a.dat", size=4 << 30)
        file.write(packer.compress(head))
        # The stream repeats itself: deflating 4 GB of zeros would take longer than the test.
        for _ in range(512):
            file.write(packer.compress(bytes(1 << 20)))
        file.write(packer.flush())
    run = subprocess.run(
        [sys.executable, "-c", BOMB_SCRIPT, str(tmp_path / "bomb.tgz")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(run.stdout) < 400 << 10  # KiB


# -- fuzzing -------------------------------------------------------------------------------------

SEEDS = [
    tar(
        pax(path="b/c.dat"),
        member("x", DATA[:700]),
        member("y", type=tarfile.SYMTYPE, linkname="b"),
    ),
    gzip.compress(tar(member("a.dat", DATA[:300]))),
    zipped(("a.dat", DATA[:300])),
    zipped(("a.dat", DATA[:300]), compression=zipfile.ZIP_STORED),
]


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=8)), max_size=4),
    st.integers(0, 6000),
)
@settings(max_examples=400, deadline=None)
def test_every_archive_is_read_or_raises_a_storage_error(tmp_path_factory, seed, edits, length):
    content = bytearray(seed[: max(length, 40)])
    for position, noise in edits:
        position %= len(content)
        content[position : position + len(noise)] = noise
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(content)
    try:
        with open_model(path) as files:
            assert "graph.nnef" not in dict(files.extra_files(()))  # reads all of them
    except StorageError as error:
        problem = error
    else:
        return
    assert problem.diagnostics


@given(st.binary(max_size=3000))
@settings(max_examples=200, deadline=None)
def test_the_tar_reader_survives_any_bytes_after_a_good_member(noise):
    content = memoryview(member("a", b"x") + noise)
    try:
        archive = read_tar(MemoryBytes(content), "x.tar")
    except StorageError as error:
        problem = error
    else:
        assert "a" in archive.members
        return
    assert problem.diagnostics


def test_members_without_a_name_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("graph.nnef", TEXT)
        archive.writestr("#", "y")
    content = bytearray((tmp_path / "x.zip").read_bytes())
    # The name of the second member is removed from both of its headers.
    local, central = content.rfind(b"PK\3\4"), content.rfind(b"PK\1\2")
    end = content.rfind(b"PK\5\6")
    size, offset = struct.unpack_from("<II", content, end + 12)
    struct.pack_into("<II", content, end + 12, size - 1, offset - 1)
    struct.pack_into("<H", content, central + 28, 0)
    struct.pack_into("<H", content, local + 26, 0)
    del content[central + 46]
    del content[local + 30]
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(StorageError, match="without a name"):
        open_model(tmp_path / "x.zip")
    for name in ("", ".", "./."):
        with tarfile.open(tmp_path / "x.tar", "w") as archive:
            for member, data in (("graph.nnef", TEXT), (name, b"y")):
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        with pytest.raises(StorageError, match="without a name"):
            open_model(tmp_path / "x.tar")
