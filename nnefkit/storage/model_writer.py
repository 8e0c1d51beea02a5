"""Writing of models as folders or archives (5.1): atomic and reproducible."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from nnefkit.display.progress_bar import ProgressBar
from nnefkit.errors import StorageError
from nnefkit.storage.atomic_write import replacing_file, replacing_folder, writing_to
from nnefkit.storage.blob import HEAD
from nnefkit.storage.file_names import DATA, GRAPH, QUANTIZATION, is_plain
from nnefkit.storage.folder import FolderFile
from nnefkit.storage.model_files import ARCHIVE_ENDINGS, MAX_TEXT
from nnefkit.storage.tensor_file import TensorContent
from nnefkit.storage.tensor_header import HEADER_SIZE

Content = bytes | memoryview | Path | FolderFile | TensorContent
"""The source of a file: its bytes, a file to copy, or a tensor."""

_PIECE = 1 << 22
_ALIGNMENT = 64
_ALIGNMENT_FIELD = 0xD935
"""The extra field for padding zip archives, which other tools use, too."""
_LOCAL_HEADER_SIZE = 30
_STRING = re.compile(r"""'([^'\n]*)'|"([^"\n]*)\"""")


class _Sized(Protocol):
    @property
    def size(self) -> int: ...

    def chunks(self) -> Iterator[Any]: ...


class _BytesContent:
    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self.size = self._data.nbytes

    def chunks(self) -> Iterator[Any]:
        for start in range(0, self.size, _PIECE):
            yield self._data[start : start + _PIECE]


class _Copy:
    """A file that is opened when it is written, since not all files can be open at once."""

    def __init__(self, file: FolderFile) -> None:
        self._file = file
        with writing_to(Path(file.path)):
            self.size = file.size

    def chunks(self) -> Iterator[Any]:
        blob = self._file.blob()
        if blob.size != self.size:
            raise StorageError("the file changed while it was copied", file=self._file.path)
        yield from _BytesContent(blob.data).chunks()


def write_model(path: str | os.PathLike[str], files: Mapping[str, Content]) -> None:
    """Write the files of a model; the old model at `path` remains until the new one is complete.

    Args:
        path: An archive if it ends with ``.nnef.tgz``, ``.tgz``, ``.tar.gz``, ``.tar`` or ``.zip``,
            else a folder. Files in the folder of the old model that do not belong to it remain.
        files: The contents by name, with ``/`` between folders; ``graph.nnef`` among them.

    Raises:
        StorageError: A name leads out of the model, names collide, or `path` cannot be written.
    """
    path = Path(path)
    _check_names(files, str(path))
    contents = {name: _sized(files[name]) for name in sorted(files, key=_order)}
    write = _writer(path)
    total = sum(content.size for content in contents.values())
    with ProgressBar(total, f"writing {path.name}", "B", scaled=True) as bar:
        write(path, contents, bar)


_FOREIGN_ENDINGS = re.compile(r"\.(7z|rar|gz|bz2|xz|zst)$", re.IGNORECASE)
"""Endings that cannot be those of a folder."""


def _writer(path: Path) -> Callable[[Path, Mapping[str, _Sized], ProgressBar], None]:
    ending = ARCHIVE_ENDINGS.search(path.name) or _FOREIGN_ENDINGS.search(path.name)
    if ending is None:
        return _write_folder
    writers = {"tar": _write_tar, "tgz": _write_tar_gz, "tar.gz": _write_tar_gz, "zip": _write_zip}
    try:
        return writers[ending[1].lower()]
    except KeyError:
        readable = ARCHIVE_ENDINGS.search(path.name)
        problem = "can be read, but not written" if readable else "cannot be written"
        raise StorageError(
            f"archives of type '{ending[0]}' {problem}",
            hint="Use .nnef.tgz, .tar or .zip.",
            file=str(path),
            section="5.1",
        ) from None


def _order(name: str) -> tuple[bool, bool, str]:
    # The text comes first, for tools that read an archive as a stream.
    return name != GRAPH, name != QUANTIZATION, name


def _check_names(files: Mapping[str, Content], path: str) -> None:
    taken: dict[str, str] = {}
    for name in files:
        if not is_plain(name):
            raise StorageError(
                f"'{name}' is not a file name that every system has",
                hint="Rename it: without '..', '\\' and drives such as 'C:'.",
                file=path,
                section="5.1",
            )
        other = taken.setdefault(name.lower(), name)
        # Files that do not belong to the model are left alone.
        if other != name and any(isinstance(files[n], TensorContent) for n in (name, other)):
            raise StorageError(
                f"'{other}' and '{name}' are the same file on systems that ignore case",
                hint="Give one of them another label.",
                file=path,
                section="4.1.3",
            )
    for name in taken:
        above = name.rpartition("/")[0]
        while above:
            if above in taken:
                raise StorageError(
                    f"'{taken[above]}' would have to be both a file and the folder of "
                    f"'{taken[name]}'",
                    hint="Give one of them another label.",
                    file=path,
                    section="5.1",
                )
            above = above.rpartition("/")[0]


def _sized(content: Content) -> _Sized:
    if isinstance(content, TensorContent):
        return content
    if isinstance(content, Path):
        content = FolderFile(str(content), os.path.realpath(content.parent))
    if isinstance(content, FolderFile):
        return _Copy(content)
    return _BytesContent(content)


# -- folders -----------------------------------------------------------------------------------


def _write_folder(path: Path, contents: Mapping[str, _Sized], bar: ProgressBar) -> None:
    old = Path(os.path.realpath(path))
    with writing_to(path):
        replaced = _replaceable_files(old)
    with replacing_folder(path) as new:
        for name, content in contents.items():
            file_path = new / name
            with writing_to(path / name):
                file_path.parent.mkdir(parents=True, exist_ok=True)
                file = file_path.open("xb")
            with file:
                write_content(content, file, bar)
        if old.is_dir():
            _keep_foreign(old, new, replaced)


def _replaceable_files(folder: Path) -> set[str]:
    """Return the names (in lower case) of the files that make up the model in `folder`.

    Raises:
        StorageError: The folder is not empty, and does not contain a model.
    """
    graph = folder / GRAPH
    if not folder.is_dir() or not any(folder.iterdir()):
        return set()
    if not graph.is_file():
        raise StorageError(
            "the folder is not empty, and does not contain a model that could be replaced",
            hint="Save to a new folder or to an archive.",
            file=str(folder),
        )
    # Treat any string in the text as a label, which finds the data even if the text is broken.
    text = graph.read_bytes()[:MAX_TEXT].decode("utf-8", "replace")
    labels = {single or double for single, double in _STRING.findall(text)}
    names = {label.replace("\\", "/").lower() + DATA for label in labels}
    return names | {GRAPH, QUANTIZATION}


def _keep_foreign(old: Path, new: Path, replaced: set[str]) -> None:
    """Copy the files of the old folder that do not belong to its model to the new one."""
    for folder, folders, files in os.walk(old):
        below = Path(folder).relative_to(old)
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in (*files, *links):
            target = new / below / name
            if (below / name).as_posix().lower() in replaced or os.path.lexists(target):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(Path(folder, name), target)
        if not folders and not files:
            (new / below).mkdir(parents=True, exist_ok=True)


def _link_or_copy(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    try:
        target.hardlink_to(source)
    except (OSError, NotImplementedError):
        shutil.copy2(source, target)


def write_content(content: _Sized, file: Any, bar: ProgressBar) -> None:
    """Write the chunks of one file, and count them in a progress bar."""
    for chunk in content.chunks():
        file.write(chunk)
        bar.update(len(chunk))


# -- archives ----------------------------------------------------------------------------------


def _write_tar(path: Path, contents: Mapping[str, _Sized], bar: ProgressBar) -> None:
    with replacing_file(path) as file:
        _pour_tar(contents, file, bar)


def _write_tar_gz(path: Path, contents: Mapping[str, _Sized], bar: ProgressBar) -> None:
    with (
        replacing_file(path) as file,
        # Without name and time, the same model is written as the same bytes.
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed,
    ):
        _pour_tar(contents, packed, bar)


def _pour_tar(contents: Mapping[str, _Sized], file: Any, bar: ProgressBar) -> None:
    written = 0
    for name, content in contents.items():
        info = tarfile.TarInfo(name)
        info.size = content.size
        header = info.tobuf(tarfile.PAX_FORMAT)
        file.write(header)
        write_content(content, file, bar)
        padding = -content.size % tarfile.BLOCKSIZE
        file.write(bytes(padding))
        written += len(header) + content.size + padding
    end = 2 * tarfile.BLOCKSIZE
    file.write(bytes(end + -(written + end) % tarfile.RECORDSIZE))


def _write_zip(path: Path, contents: Mapping[str, _Sized], bar: ProgressBar) -> None:
    with replacing_file(path) as file:
        packed = zipfile.ZipFile(file, "w")
        try:
            for name, content in contents.items():
                _write_member(packed, name, content, bar, file.tell())
        except BaseException:
            # The file is deleted. Closing the archive within a member would raise another error.
            packed.fp = None
            raise
        packed.close()


def _write_member(
    packed: zipfile.ZipFile, name: str, content: _Sized, bar: ProgressBar, offset: int
) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise StorageError(
            f"a zip archive cannot hold the file {name!r}: its name is not UTF-8",
            hint="Save the model as a folder or as .nnef.tgz.",
        ) from None
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    if isinstance(content, TensorContent) and content.size > HEAD:
        # Stored and aligned, so that it can be mapped in the archive.
        info.extra = _alignment(offset, len(name.encode()))
    else:
        info.compress_type = zipfile.ZIP_DEFLATED
    with packed.open(info, "w", force_zip64=content.size >= 1 << 31) as member:
        write_content(content, member, bar)


def _alignment(offset: int, name_length: int) -> bytes:
    data = offset + _LOCAL_HEADER_SIZE + name_length + 4 + HEADER_SIZE
    padding = -data % _ALIGNMENT
    return struct.pack("<HH", _ALIGNMENT_FIELD, padding) + bytes(padding)
