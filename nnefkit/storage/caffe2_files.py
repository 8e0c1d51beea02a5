"""The two files of a Caffe2 network, which are found by their names and contents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from nnefkit.errors import InputError, StorageError

ENDINGS = (".pb", ".pbtxt")
"""Extensions of the files of a net, binary and text."""
_TEXT = re.compile(r"^\s*(op|node|library|versions)\s*:?\s*\{", re.M)
_WEIGHTS = re.compile("(?<![a-z])(init|exec)(?![a-z])")
_COMPUTING = re.compile("(?<![a-z])(predict)(?![a-z])")
"""What the names of the two nets of a network have."""
_HEAD = 1 << 16
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


def is_text(data: bytes) -> bool:
    """Return whether a net is written as text: binary ones have control characters."""
    return _CONTROL.search(data[:_HEAD]) is None


def is_caffe2_net(path: Path) -> bool:
    """Return whether a file seems to be a net of Caffe2, and not a graph of TensorFlow."""
    if path.suffix.lower() not in ENDINGS or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    if is_text(head):
        found = _TEXT.search(head.decode("utf-8", "replace"))
        return found is not None and found[1] == "op"
    return _has_names(head)


def _has_names(data: bytes) -> bool:
    """Return whether a binary message begins with a name, or with a message that does.

    A net begins with its name, or with its first operator, which begins with the name of an input
    or of an output. A graph of TensorFlow begins with a node, which is a message.
    """
    at = 0
    while at < len(data):
        key, start = _varint(data[at : at + 10])
        length, more = _varint(data[at + start : at + start + 10])
        if key & 7 != 2 or not start or not more or key >> 3 not in (1, 2, 7, 8):
            return False
        content = data[at + start + more :][:length]
        if content and key >> 3 == 2:
            return content[0] & 7 == 2 and content[2:3] > b" "
        if content:
            return content[:1] > b" " and _CONTROL.search(content) is None
        at += start + more
    return False


def _varint(data: bytes) -> tuple[int, int]:
    """Return a number and how many bytes it takes; 0 if it does not end."""
    number = 0
    for count, byte in enumerate(data):
        number |= (byte & 127) << (7 * count)
        if byte < 128:
            return number, count + 1
    return 0, 0


def partner(path: Path) -> tuple[Path | None, Path | None]:
    """Return the net of weights and the net that computes, given one of the two.

    They are beside each other, and named alike: ``init_net.pb`` and ``predict_net.pb``,
    ``a_init.pb`` and ``a_predict.pb``, ``model_init.pb`` and ``model.pb``. The first models of
    Caffe2 have ``exec_net.pb`` in place of the former.
    """
    folder, stem, ending = path.parent, path.stem, path.suffix
    if found := _WEIGHTS.search(stem):
        before, after = stem[: found.start(1)], stem[found.end(1) :]
        stems = [f"{before}predict{after}"]
        if before and not after:
            stems.append(before.rstrip("_.-"))
        return path, _existing(folder, stems, ending)
    if found := _COMPUTING.search(stem):
        before, after = stem[: found.start(1)], stem[found.end(1) :]
        stems = [f"{before}{word}{after}" for word in ("init", "exec")]
        return _existing(folder, stems, ending), path
    return _existing(folder, [f"{stem}_init"], ending), path


def _existing(folder: Path, stems: Sequence[str], ending: str) -> Path | None:
    for stem in stems:
        for each in dict.fromkeys((ending, *ENDINGS)):
            if (folder / f"{stem}{each}").is_file():
                return folder / f"{stem}{each}"
    return None


def has_network(folder: Path) -> bool:
    """Return whether a folder has the two nets of a network."""
    try:
        return bool(_pairs(folder))
    except OSError:
        return False


def network_in(folder: Path) -> tuple[Path, Path] | None:
    """Return the two nets of the only network in a folder, or None if there is none.

    Raises:
        InputError: There are several.
        StorageError: The folder cannot be read.
    """
    try:
        pairs = _pairs(folder)
    except OSError as error:
        raise StorageError(
            f"the folder cannot be read: {error.strerror}", file=str(folder)
        ) from error
    if len(pairs) > 1:
        raise InputError(
            f"the folder has {len(pairs)} networks: {', '.join(sorted(pairs))}",
            hint="Give the files of one: nk.from_caffe2(init_net, predict_net).",
            file=str(folder),
        )
    return next(iter(pairs.values()), None)


def _pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Return the two nets of each network in a folder by its name; binary ones come first."""
    pairs: dict[str, tuple[Path, Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in ENDINGS:
            weights, net = partner(path)
            if weights is not None and net is not None:
                pairs.setdefault(net.stem, (weights, net))
    return pairs
