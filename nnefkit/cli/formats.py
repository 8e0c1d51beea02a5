"""Model formats by file name extension, and which of them can be read and written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from nnefkit.errors import InputError
from nnefkit.storage import GRAPH
from nnefkit.storage.caffe2_files import has_network, is_caffe2_net

ARCHIVES = (".nnef.tgz", ".tgz", ".tar.gz", ".tar", ".zip")
"""Extensions of the archives that can be written; a name without an extension is a folder."""

NNEF, ONNX, PYTORCH, TFLITE, KERAS = "NNEF", "ONNX", "PyTorch", "TFLite", "Keras"
TENSORFLOW, CAFFE, CHAINER, MXNET, TORCH7 = "TensorFlow", "Caffe", "Chainer", "MXNet", "Torch7"
CAFFE2, THEANO = "Caffe2", "Theano"


class ForeignFormat(NamedTuple):
    """A format of another framework that can be read."""

    format: str
    reader: str
    """The function of `nnefkit.exchange` that reads such a file."""
    parameters: tuple[str, ...] = ()
    """The parameters among ``input_shapes`` and ``constants`` that the function has."""


_MXNET = ForeignFormat(MXNET, "from_mxnet", ("input_shapes",))
_SYMBOL = "-symbol.json"
"""The ending of MXNet's symbols; other ``.json`` are models of Keras."""
_TENSORFLOW = ForeignFormat(TENSORFLOW, "from_tensorflow", ("input_shapes",))
_CAFFE2 = ForeignFormat(CAFFE2, "from_caffe2", ("input_shapes",))
SOURCES = {
    ".h5": ForeignFormat(KERAS, "from_keras", ("input_shapes",)),
    ".hdf5": ForeignFormat(KERAS, "from_keras", ("input_shapes",)),
    ".json": ForeignFormat(KERAS, "from_keras", ("input_shapes",)),
    ".keras": ForeignFormat(KERAS, "from_keras", ("input_shapes",)),
    ".meta": _TENSORFLOW,
    ".net": ForeignFormat(TORCH7, "from_torch7", ("input_shapes",)),
    ".onnx": ForeignFormat(ONNX, "from_onnx", ("input_shapes", "constants")),
    ".pb": _TENSORFLOW,
    ".pbtxt": _TENSORFLOW,
    ".pt2": ForeignFormat(PYTORCH, "from_torch"),
    ".prototxt": ForeignFormat(CAFFE, "from_caffe", ("input_shapes",)),
    ".t7": ForeignFormat(TORCH7, "from_torch7", ("input_shapes",)),
    ".tflite": ForeignFormat(TFLITE, "from_tflite", ("input_shapes",)),
}
"""Extension -> format, for the other formats that can be read."""
_DUMPED = {
    "chainer": ForeignFormat(CHAINER, "from_chainer"),
    "theano": ForeignFormat(THEANO, "from_theano", ("input_shapes",)),
}
"""Framework of a graph that the script of ``nnefkit export-script`` wrote -> format."""
_STATED = re.compile(rb'"format":\s*"(\w+)-graph"')
_HEAD = 1 << 20
TARGETS = {".onnx": ONNX, ".tflite": TFLITE}
"""Extension -> format, for the other formats that can be written."""

_FOREIGN = {
    ".onnx": "ONNX",
    ".pt": "PyTorch",
    ".pth": "PyTorch",
    ".pt2": "PyTorch",
    ".pb": "TensorFlow",
    ".pbtxt": "TensorFlow",
    ".meta": "TensorFlow",
    ".h5": "Keras",
    ".keras": "Keras",
    ".tflite": "TensorFlow Lite",
    ".prototxt": "Caffe",
    ".caffemodel": "Caffe",
    ".t7": "Torch7",
    ".net": "Torch7",
    ".params": "MXNet",
    ".mlmodel": "Core ML",
}
_PROGRAMS = (
    "Programs saved by torch.export.save (.pt2) can be read; in Python, nk.from_torch(module, "
    "inputs) reads a module."
)


def foreign_format(source: Path) -> ForeignFormat | None:
    """Return the format of another framework's model, or None for what is not one.

    The folder of a SavedModel is one, too, and one with the two nets of Caffe2.
    """
    if source.is_dir():
        files = (source / name for name in ("saved_model.pb", "saved_model.pbtxt"))
        if any(file.is_file() for file in files):
            return _TENSORFLOW
        is_ours = (source / GRAPH).is_file()
        return _CAFFE2 if not is_ours and has_network(source) else None
    if is_caffe2_net(source):
        return _CAFFE2
    if source.name.lower().endswith(_SYMBOL):
        return _MXNET
    extension = source.suffix.lower()
    return (_dumped_format(source) if extension == ".json" else None) or SOURCES.get(extension)


def _dumped_format(source: Path) -> ForeignFormat | None:
    """Return the format that a JSON file states, if it is one of a dumped graph."""
    try:
        with source.open("rb") as file:
            stated = _STATED.search(file.read(_HEAD))
    except (OSError, ValueError):
        return None
    return _DUMPED.get(stated[1].decode()) if stated else None


def source_format(source: Path) -> str:
    """Return the format of a model to read.

    Raises:
        InputError: Models with that extension cannot be read.
    """
    extension = source.suffix.lower()
    foreign = foreign_format(source)
    if foreign is not None:
        return foreign.format
    if source.is_dir():
        return NNEF
    if extension == ".caffemodel":
        raise InputError(
            "a '.caffemodel' has the weights of a network, but not all of its layers' parameters",
            hint="Give the .prototxt of the network; the weights of the same name, or the only "
            "ones, beside it are read with it.",
            file=str(source),
        )
    if extension == ".params":
        raise InputError(
            "a '.params' has the parameters of a network of MXNet, but not its operators",
            hint="Give the symbol of the network (net-symbol.json); the parameters of its highest "
            "epoch beside it (net-0012.params) are read with it.",
            file=str(source),
        )
    if extension in _FOREIGN:
        raise InputError(
            f"{_FOREIGN[extension]} models ('{extension}') cannot be read",
            hint=_PROGRAMS
            if _FOREIGN[extension] == PYTORCH
            else "The source must be an NNEF model (a folder with a graph.nnef, a graph.nnef, or "
            "an archive: tar, tgz, zip), an ONNX model (.onnx), a TFLite model (.tflite), a "
            "Keras model (.keras, .h5), a TensorFlow model (.pb, .meta, or a folder with a "
            "saved_model.pb), a Caffe model (.prototxt), a Caffe2 model (predict_net.pb beside "
            "init_net.pb), a Torch7 model (.t7, .net), an MXNet model (-symbol.json), a Chainer "
            "or Theano graph (.json) or an exported PyTorch program (.pt2).",
            file=str(source),
        )
    return NNEF


def target_format(target: str) -> str:
    """Return the format of a model to write.

    Raises:
        InputError: Models with that extension cannot be written.
    """
    name = target.lower()
    if name.endswith((*ARCHIVES, "/", ".nnef")) or Path(target).is_dir() or not Path(name).suffix:
        return NNEF
    extension = Path(name).suffix
    if extension in TARGETS:
        return TARGETS[extension]
    described = (
        f"{_FOREIGN[extension]} models ('{extension}')"
        if extension in _FOREIGN
        else f"'{extension}'"
    )
    raise InputError(
        f"{described} cannot be written",
        hint=f"The target must end with {', '.join((*ARCHIVES, *TARGETS))}; the name of a folder "
        "ends with / or .nnef, or has no extension.",
        file=target,
    )
