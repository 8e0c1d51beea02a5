"""TFLite models, opened: their bytes, the graph that is read, and the shapes of its inputs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnefkit.arguments import wrong_type
from nnefkit.errors import (
    InputError,
    StorageError,
    UnknownNameError,
    did_you_mean,
)
from nnefkit.exchange import packages
from nnefkit.exchange.source_shapes import checked_shape
from nnefkit.exchange.tflite.model import TfliteModel
from nnefkit.storage import check_readable

IDENTIFIER = b"TFL3"


def require(package: str = "tflite") -> None:
    """Check that a package is installed.

    Raises:
        MissingPackageError: It is not.
    """
    packages.require(package, "tflite", "TFLite models")


def open_model(
    source: str | os.PathLike[str] | bytes | TfliteModel,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    signature: str | None = None,
    *,
    open_shapes: bool = False,
) -> TfliteModel:
    """Open and verify a model.

    Args:
        source: A path, the bytes of a file, or a model that is opened again.
        input_shapes: Input name -> shape, for inputs with open dimensions.
        signature: The key of the signature whose subgraph is read; the first subgraph by default.
        open_shapes: Whether dimensions may stay open, as for a model that is only run.

    Raises:
        StorageError: The file cannot be read, or its structure is broken.
        InputError: It is not a TFLite model, or an input has open dimensions.
        UnknownNameError: The model has no input or signature of a given name.
    """
    if isinstance(source, TfliteModel):
        model = source
    else:
        require()
        require("flatbuffers")
        data, path = _bytes(source)
        if len(data) < 2 * len(IDENTIFIER) or data[4:8] != IDENTIFIER:
            raise InputError(
                "the file is not a TFLite model" if path else "the bytes are not a TFLite model",
                hint="A TFLite model has the letters TFL3 at its fifth byte.",
                file=path,
            )
        model = _verified(data, path)
    if signature is not None:
        model = replace(model, main=_subgraph_of(model, signature), shapes={})
    model = _with_input_shapes(model, input_shapes)
    if not open_shapes:
        _refuse_open_inputs(model)
    return model


def _bytes(source: Any) -> tuple[bytes, str]:
    """Return the bytes of a file, and its path."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), ""
    try:
        path = os.fspath(source)
    except TypeError:
        raise InputError(
            f"a TFLite model must be a path or bytes, not {type(source).__name__}"
        ) from None
    check_readable(path)
    try:
        return Path(path).read_bytes(), path
    except OSError as error:
        raise StorageError(f"the model cannot be read: {error.strerror}", file=path) from error


def _subgraph_of(model: TfliteModel, key: str) -> int:
    for signature in model.signatures:
        if signature.key == key:
            return signature.subgraph
    keys = [signature.key for signature in model.signatures]
    raise UnknownNameError(
        f"the model has no signature '{key}'",
        hint=did_you_mean(key, keys) or f"Its signatures are {', '.join(keys) or 'none'}.",
        file=model.path,
    )


def _verified(data: bytes, path: str) -> TfliteModel:
    # The schema package is imported when the first model is read.
    from nnefkit.exchange.tflite.flat_tables import DamagedFile
    from nnefkit.exchange.tflite.verified_file import ModelCopy

    try:
        return ModelCopy(data, path).model()
    except DamagedFile as damage:
        raise StorageError(
            f"the TFLite model is damaged: {damage}",
            hint="Copy or convert the model again.",
            file=path,
        ) from None


# -- shapes of inputs ------------------------------------------------------------------------------


def _with_input_shapes(
    model: TfliteModel, shapes: Mapping[str, Sequence[int]] | None
) -> TfliteModel:
    """Return a model with the given shapes of inputs."""
    if shapes is None:
        return model
    if not isinstance(shapes, Mapping):
        raise wrong_type("input_shapes", "a mapping of input names to shapes", shapes)
    known = dict(model.shapes)
    for name, shape in shapes.items():
        number = input_number(model, name)
        known[number] = checked_shape(
            name, shape, len(model.graph.tensors[number].shape), model.path
        )
    return replace(model, shapes=known)


def input_number(model: TfliteModel, name: str) -> int:
    """Return the number of an input, given its name in the signature or that of its tensor.

    Raises:
        UnknownNameError: There is no such input.
    """
    names = model.input_names()
    for number, signature_name in names.items():
        if name in (signature_name, model.graph.source_name(number)):
            return number
    raise UnknownNameError(
        f"the model has no input '{name}'",
        hint=did_you_mean(str(name), names.values())
        or f"Its inputs are {', '.join(names.values())}.",
        file=model.path,
    )


def _refuse_open_inputs(model: TfliteModel) -> None:
    """Refuse inputs whose shape is not known."""
    names, shapes, example = model.input_names(), [], {}
    for number in model.graph.inputs:
        tensor = model.graph.tensors[number]
        if number in model.shapes or not tensor.open_axes:
            continue
        stated = tensor.signature or tensor.shape
        shapes.append(f"'{names[number]}' [{', '.join('?' if n < 0 else str(n) for n in stated)}]")
        example[names[number]] = tuple(1 if n < 0 else n for n in stated)
    if shapes:
        raise InputError(
            f"the model leaves dimensions of its inputs open: {', '.join(shapes)}",
            hint=f"NNEF needs all extents (4.1.1). For example: input_shapes={example}",
            file=model.path,
            section="4.1.1",
        )
