"""Formats of models by the endings of their names, and what of them can be read and written."""

from __future__ import annotations

from pathlib import Path

from nnefkit.errors import InputError

ARCHIVES = (".nnef.tgz", ".tgz", ".tar.gz", ".tar", ".zip")
"""Endings of the archives that are written; everything without an ending is a folder."""

NNEF, ONNX, PYTORCH = "NNEF", "ONNX", "PyTorch"
SOURCES = {".onnx": ONNX, ".pt2": PYTORCH}
"""Endings of the models of other formats that can be read."""
TARGETS = {".onnx": ONNX}
"""Endings of those that can be written."""

_FOREIGN = {
    ".onnx": "ONNX",
    ".pt": "PyTorch",
    ".pth": "PyTorch",
    ".pt2": "PyTorch",
    ".pb": "TensorFlow",
    ".h5": "Keras",
    ".keras": "Keras",
    ".tflite": "TensorFlow Lite",
    ".prototxt": "Caffe",
    ".caffemodel": "Caffe",
    ".mlmodel": "Core ML",
}
_PROGRAMS = (
    "Programs that torch.export.save wrote (.pt2) can be read; nk.from_torch(module, inputs) reads "
    "modules themselves."
)


def source_format(source: Path) -> str:
    """The format of a model to be read.

    Raises:
        InputError: models of that ending cannot be read.
    """
    ending = source.suffix.lower()
    if source.is_dir():
        return NNEF
    if ending in SOURCES:
        return SOURCES[ending]
    if ending in _FOREIGN:
        raise InputError(
            f"models of {_FOREIGN[ending]} ('{ending}') cannot be read",
            hint=_PROGRAMS
            if _FOREIGN[ending] == PYTORCH
            else "A source is an NNEF model (a folder with a graph.nnef, a graph.nnef, or an "
            "archive: tar, tgz, zip), an ONNX model (.onnx) or an exported PyTorch program (.pt2).",
            file=str(source),
        )
    return NNEF


def target_format(target: str) -> str:
    """The format of a model to be written.

    Raises:
        InputError: models of that ending cannot be written.
    """
    name = target.lower()
    if name.endswith((*ARCHIVES, "/", ".nnef")) or Path(target).is_dir() or not Path(name).suffix:
        return NNEF
    ending = Path(name).suffix
    if ending in TARGETS:
        return TARGETS[ending]
    what = f"models of {_FOREIGN[ending]} ('{ending}')" if ending in _FOREIGN else f"'{ending}'"
    raise InputError(
        f"{what} cannot be written",
        hint=f"The ending of a target is one of {', '.join((*ARCHIVES, *TARGETS))}; folders end "
        "with /, .nnef or nothing.",
        file=target,
    )
