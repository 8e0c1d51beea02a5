"""The files of a model, in a folder or an archive, or its text alone (5.1)."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self

from nnefkit.arguments import expected_path
from nnefkit.display.text import brief_repr
from nnefkit.errors import StorageError, did_you_mean
from nnefkit.storage.archive import Archive, FileBytes, MemoryBytes
from nnefkit.storage.blob import HEAD, Blob, open_regular
from nnefkit.storage.decompression import MAGIC as COMPRESSED
from nnefkit.storage.decompression import unpack_tar
from nnefkit.storage.file_names import DATA, GRAPH, QUANTIZATION, data_name
from nnefkit.storage.folder import Folder, FolderFile
from nnefkit.storage.mapped_file import read_at, state_of
from nnefkit.storage.other_models import reading_hint
from nnefkit.storage.system_errors import system_hint, system_message
from nnefkit.storage.tar_archive import is_tar, read_tar
from nnefkit.storage.tensor_file import StoredTensor, open_tensor
from nnefkit.storage.tensor_header import MAGIC as TENSOR_MAGIC
from nnefkit.storage.zip_archive import read_zip

_ATTEMPTS = 6
MAX_TEXT = 1 << 30
"""Maximum size of a text, in bytes."""
ARCHIVE_ENDINGS = re.compile(r"\.(tgz|tar\.gz|tar|zip|tar\.bz2|tbz2?|tar\.xz|txz)$", re.IGNORECASE)


class Container(Protocol):
    """Files by their names."""

    @property
    def place(self) -> str:
        """The name that messages use."""

    def names(self) -> Iterable[str]:
        """Return the names of the files, with ``/`` between folders."""

    def get(self, name: str) -> Blob | None:
        """Return the bytes of a file, or None if there is no such file."""


class ModelFiles:
    """The files of one model: its text, its quantization, the data of its variables.

    A context manager, which closes the archive; arrays from it stay valid.
    """

    def __init__(
        self,
        path: Path,
        container: Container,
        text_name: str = GRAPH,
        resources: contextlib.ExitStack | None = None,
        changed: Callable[[], bool] | None = None,
    ) -> None:
        self.path = path
        self._changed = changed
        self._container = container
        self._root = text_name[: text_name.rfind("/") + 1]
        self._alone = isinstance(container, Folder) and container.path != path
        self._text_file = text_name[len(self._root) :]
        blob = container.get(text_name)
        if blob is None:
            raise _no_graph(path, container)
        self.text_name = blob.name
        """The name of the graph's text that messages use."""
        self.text = _text(blob)
        """The text of ``graph.nnef``."""
        # Not before now: the caller closes them if the text cannot be read.
        self._resources = resources.pop_all() if resources else contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the archive, if it is one."""
        self._resources.close()

    @property
    def changed(self) -> bool:
        """Whether the files were written to, or replaced, since they were opened."""
        return self._changed is not None and self._changed()

    @property
    def name(self) -> str:
        """The name of the model: of the folder or archive, without its endings."""
        named = self.path.parent if self.path.name == GRAPH else self.path
        return re.sub(r"\.nnef$", "", ARCHIVE_ENDINGS.sub("", named.name), flags=re.IGNORECASE)

    @property
    def _quantization_file(self) -> str:
        return f"{self._text_file.removesuffix('.nnef')}.quant"

    @property
    def quantization_name(self) -> str:
        """The name of the quantization file that messages use."""
        return f"{self._container.place}/{self._root}{self._quantization_file}"

    @cached_property
    def quantization(self) -> str | None:
        """The text of ``graph.quant`` (``x.quant`` for a text ``x.nnef``), None if there is none.

        Raises:
            StorageError: It is not text.
        """
        blob = self._container.get(self._root + self._quantization_file)
        return None if blob is None else _text(blob)

    @cached_property
    def names(self) -> list[str]:
        """Names of the files of the model."""
        root = self._root
        return [name[len(root) :] for name in self._container.names() if name.startswith(root)]

    @property
    def labels(self) -> list[str]:
        """The labels for which there are data files."""
        return [name[: -len(DATA)] for name in self.names if name.endswith(DATA)]

    @cached_property
    def _by_folded_name(self) -> dict[str, list[str]]:
        folded: dict[str, list[str]] = {}
        for name in self.names:
            folded.setdefault(name.lower().replace("\\", "/"), []).append(name)
        return folded

    def find(self, label: str) -> str | None:
        """Return the name of the data file of a variable, whatever its case (4.1.3).

        Raises:
            StorageError: The label leads out of the model, or matches several files.
        """
        wanted = data_name(label)
        names = self._by_folded_name.get(wanted.lower(), [])
        if len(names) > 1:
            raise StorageError(
                f"several files match the label '{label}', which is compared without regard "
                f"to case: {', '.join(names)}",
                hint="Remove all but one of them.",
                file=self._container.place,
                section="4.1.3",
            )
        return names[0] if names else None

    def tensor(self, label: str) -> StoredTensor | None:
        """Return the data of a variable, mapped if possible; None if it has no file.

        Raises:
            StorageError: The label leads out of the model, or its file cannot be read.
        """
        blob = self._container.get(self._root + data_name(label))
        if blob is None:
            other = self.find(label)
            blob = None if other is None else self._container.get(self._root + other)
        return None if blob is None else open_tensor(blob)

    def extra_files(self, labels: Iterable[str]) -> ExtraFiles:
        """Return the files that belong to none of these variables, such as those of a vendor (5.1).

        There are none for a text that was loaded by its own path: other files next to it may be
        unrelated.
        """
        if self._alone:
            return ExtraFiles({})
        own = {GRAPH, QUANTIZATION}
        for label in labels:
            with contextlib.suppress(StorageError):
                own.add(data_name(label).lower())
        names = [name for name in self.names if name.lower() not in own]
        if isinstance(self._container, Folder):
            folder = self._container
            files = {name: folder.file(name) for name in names}
            # What a link outside of the folder points to does not belong to the model.
            return ExtraFiles({name: file for name, file in files.items() if file is not None})
        return ExtraFiles({name: self._bytes(name) for name in names})

    def _bytes(self, name: str) -> memoryview:
        blob = self._container.get(self._root + name)
        if blob is None:
            return memoryview(b"")
        return memoryview(blob.data)[blob.start : blob.start + blob.size]


class ExtraFiles(Mapping[str, bytes]):
    """Files of a model that nnefkit does not use: a mapping from names to bytes, read on access."""

    def __init__(self, contents: Mapping[str, Any]) -> None:
        self.contents = dict(contents)
        """Files to be opened, or buffers, by name."""

    def __getitem__(self, name: str) -> bytes:
        content = self.contents[name]
        return content.blob().bytes() if isinstance(content, FolderFile) else bytes(content)

    def __iter__(self) -> Iterator[str]:
        return iter(self.contents)

    def __len__(self) -> int:
        return len(self.contents)

    def __repr__(self) -> str:
        return f"ExtraFiles{brief_repr(tuple(self.contents))}"

    def __reduce__(self) -> tuple[object, ...]:
        # Views of mapped archives cannot be pickled, but their bytes can.
        picklable = {
            name: content if isinstance(content, FolderFile) else bytes(content)
            for name, content in self.contents.items()
        }
        return ExtraFiles, (picklable,)


def open_model(
    path: str | os.PathLike[str], *, copy: bool | None = False, at_once: bool = False
) -> ModelFiles:
    """Open the model at `path`, whose format is determined by its content, never by its name.

    Args:
        path: A folder with a ``graph.nnef``, such a text itself (its folder holds the data), or an
            archive: tar, compressed or not, or zip.
        copy: Whether data is read into memory instead of mapped; None for that of archives.
        at_once: Whether all files of a folder are opened at once.

    Raises:
        InputError: `path` is not a path.
        StorageError: There is no model at `path`, or the archive is damaged or cannot be trusted.
    """
    path = expected_path(path)
    try:
        if path.is_dir():
            return _open_folder(path, path, GRAPH, bool(copy), at_once)
        if not path.exists():
            raise _nothing(path)
    except (OSError, ValueError) as error:
        message = f"the path cannot be read: {system_message(error)}"
        hint = _parse_hint(os.fspath(path)) or system_hint(error)
        raise StorageError(message, hint=hint, file=_shortened(path)) from None
    descriptor = open_regular(str(path))
    with contextlib.ExitStack() as resources:
        resources.callback(os.close, descriptor)
        before = state_of(os.fstat(descriptor))
        head = read_at(descriptor, 0, HEAD)
        archive = _read_archive(descriptor, head, str(path), resources, copy is not False)
        if archive is None:
            _check_text_file(path, head)
            return _open_folder(path, path.parent, path.name, bool(copy), at_once)
        return ModelFiles(
            path,
            archive,
            _graph_name(archive),
            resources,
            lambda: state_of(os.fstat(descriptor)) != before,
        )


def _open_folder(path: Path, folder: Path, text: str, copy: bool, at_once: bool) -> ModelFiles:
    for attempt in range(_ATTEMPTS):
        with contextlib.ExitStack() as resources:
            container = Folder(folder, copy=copy, at_once=at_once or attempt > 0)
            resources.callback(container.close)
            try:
                return ModelFiles(path, container, text, resources, container.is_changed)
            except StorageError:
                # Unless another process has just replaced the folder.
                if attempt == _ATTEMPTS - 1 or not container.is_changed():
                    raise
    raise AssertionError  # pragma: no cover - the last attempt returns or raises


def _read_archive(
    descriptor: int, head: bytes, path: str, resources: contextlib.ExitStack, copy: bool
) -> Archive | None:
    for magic, kind in COMPRESSED.items():
        if head.startswith(magic):
            return read_tar(MemoryBytes(unpack_tar(descriptor, kind, path)), path)
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return read_zip(descriptor, path, resources, copy=copy)
    return read_tar(FileBytes(descriptor, path, copy=copy), path) if is_tar(head) else None


def _graph_name(archive: Archive) -> str:
    """Return the name of the graph: at the top, or in the single folder that contains all files."""
    names = [
        name
        for name in archive.names()
        if name.rpartition("/")[2] == GRAPH and not name.startswith("__MACOSX/")
    ]
    if not names:
        return GRAPH
    depth = min(name.count("/") for name in names)
    nearest = [name for name in names if name.count("/") == depth]
    if len(nearest) > 1:
        raise StorageError(
            f"the archive contains several models: {', '.join(sorted(nearest)[:5])}",
            hint="Unpack it, and load one of the folders.",
            file=archive.path,
            section="5.1",
        )
    return nearest[0]


def _check_text_file(path: Path, head: bytes) -> None:
    if head.startswith(TENSOR_MAGIC):
        raise StorageError(
            "this is a tensor file, not a model",
            hint="nnefkit.read_tensor(path) reads it.",
            file=str(path),
        )
    named_archive = ARCHIVE_ENDINGS.search(path.name)
    if b"\0" in head or (named_archive and not head.lstrip().startswith((b"version", b"#"))):
        raise StorageError(
            "this is neither an archive (tar, tar.gz, zip) nor the text of a graph",
            hint="Copy or download it again if it should be an archive."
            if named_archive
            else reading_hint(path)
            or "nnefkit.load takes a folder with a graph.nnef, a graph.nnef, or an archive.",
            file=str(path),
            section="5.1",
        )


def _text(blob: Blob) -> str:
    if blob.size > MAX_TEXT:
        raise StorageError(
            f"the text has {blob.size:,} bytes, more than can be read", file=blob.name
        )
    data = blob.bytes()
    try:
        if b"\0" in data:
            raise StorageError(
                f"this is not text: there is a zero byte at {data.index(0):,}",
                hint="Copy or export the model again: a graph.nnef is plain text.",
                file=blob.name,
                section="3.1",
            )
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StorageError(
            f"this is not text: byte {error.start:,} ({data[error.start]:#04x}) is not UTF-8",
            hint="NNEF is written in ASCII characters: copy or export the model again.",
            file=blob.name,
            section="3.1",
        ) from None


def _nothing(path: Path) -> StorageError:
    siblings: Collection[str] = ()
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        siblings = [entry.name for entry, _ in zip(entries, range(1000), strict=False)]
    hint = _parse_hint(str(path)) or did_you_mean(path.name, siblings)
    if re.match(r"[a-z]+:/", str(path)):
        hint = "nnefkit does not access the network: download the file, and pass its path."
    if not hint and not path.parent.is_dir():
        hint = f"The folder {_shortened(path.parent)} does not exist, either."
    return StorageError("there is no such file or folder", hint=hint, file=_shortened(path))


def _parse_hint(path: str) -> str:
    return "nnefkit.parse(text) parses a string." if "\n" in path or "{" in path else ""


def _shortened(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path).replace("\n", " ").replace("\0", " ")
    return text if len(text) <= 200 else text[:200] + "…"


def _no_graph(path: Path, container: Container) -> StorageError:
    names = list(container.names())
    texts = [name for name in names if name.lower().endswith(".nnef")]
    usual = "A model is a folder or an archive with a file graph.nnef at its top."
    hint = reading_hint(path) or usual
    archives = sorted(name for name in names if ARCHIVE_ENDINGS.search(name))
    if texts:
        hint = f"There is '{texts[0]}': load it, or move it to graph.nnef at the top."
    elif archives:
        more = f", and {len(archives) - 1:,} more" if len(archives) > 1 else ""
        hint = f"There is the archive '{_shortened(archives[0])}'{more}: load that."
    elif not names:
        hint = "There are no files."
    return StorageError("there is no graph.nnef", hint=hint, file=str(path), section="5.1")
