"""Files of other frameworks, and the functions that read and write them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from nnefkit.errors import InputError


class OtherModel(NamedTuple):
    """A kind of file."""

    what: str
    reading: str = ""
    """How it is read; empty if nnefkit does not read it."""
    writing: str = ""
    """How it is written; empty if nnefkit does not write it."""


_PICKLE = OtherModel(
    "a PyTorch file",
    "nnefkit.from_torch(module, example_inputs) converts the module that it holds.",
    "torch.save(nnefkit.to_torch(graph), path) writes the graph as a module.",
)
_TENSORS = OtherModel(
    "a file of tensors", "", "nnefkit.trace(graph, inputs).save(path) writes the tensors of a run."
)
_TENSORFLOW = OtherModel(
    "a TensorFlow graph, or a net of Caffe2",
    "nnefkit.from_tensorflow(path) or nnefkit.from_caffe2(init_net, predict_net) reads it.",
)
_CAFFE = OtherModel("a Caffe model", "nnefkit.from_caffe(prototxt, caffemodel) reads it.")
_TORCH7 = OtherModel("a Torch7 network", "nnefkit.from_torch7(path, input_shapes) reads it.")
_MXNET = OtherModel("an MXNet file", "nnefkit.from_mxnet(symbol_json, params) reads a network.")
OTHER_MODELS = {
    ".onnx": OtherModel(
        "an ONNX model",
        "nnefkit.from_onnx(path) reads it.",
        "nnefkit.to_onnx(graph, path) writes one.",
    ),
    ".pt2": OtherModel(
        "a PyTorch program",
        "nnefkit.from_torch(path) reads it.",
        "nnefkit.to_torch(graph) makes a module, which torch.export.export exports.",
    ),
    ".pt": _PICKLE,
    ".pth": _PICKLE,
    ".tflite": OtherModel("a TensorFlow Lite model", "nnefkit.from_tflite(path) reads it."),
    ".pb": _TENSORFLOW,
    ".pbtxt": _TENSORFLOW,
    ".meta": _TENSORFLOW,
    ".keras": OtherModel("a Keras model", "nnefkit.from_keras(path) reads it."),
    ".h5": OtherModel("a Keras model", "nnefkit.from_keras(path) reads it."),
    ".prototxt": _CAFFE,
    ".caffemodel": _CAFFE,
    ".t7": _TORCH7,
    ".net": _TORCH7,
    ".params": _MXNET,
    ".npz": _TENSORS,
    ".safetensors": _TENSORS,
}
"""Ending of the file -> what it is."""
_OURS = "nnefkit.save writes a folder, or an archive: model.nnef.tgz, model.tar or model.zip."


def reading_hint(path: Path) -> str:
    """Return how a file of another framework is read; empty if that is not known."""
    other = OTHER_MODELS.get(path.suffix.lower())
    if other is None:
        return ""
    return f"This seems to be {other.what}. {other.reading}".rstrip()


def refuse_other_target(path: Path) -> None:
    """Check that the name of a model to be written is not that of another framework's file.

    Raises:
        InputError: It is.
    """
    other = OTHER_MODELS.get(path.suffix.lower())
    if other is not None and not path.is_dir():
        raise InputError(
            f"'{path.name}' is the name of {other.what}, which nnefkit.save does not write",
            hint=other.writing or _OURS,
        )
