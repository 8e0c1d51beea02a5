"""Keras models, opened: files of Keras 3 and Keras 2, and models in memory."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nnefkit.errors import InputError, StorageError
from nnefkit.exchange.hierarchical_file import SIGNATURE, damaged, opened
from nnefkit.exchange.keras.architecture import UnsupportedModel, network_of
from nnefkit.exchange.keras.input_shapes import with_input_shapes
from nnefkit.exchange.keras.live_model import live_model
from nnefkit.exchange.keras.model import KerasModel, LayerNetwork
from nnefkit.exchange.keras.weights import (
    Variables,
    arrays_of_lists,
    variables_of_hierarchy,
    variables_of_lists,
)
from nnefkit.storage import check_readable
from nnefkit.storage.archive import unpacked_limit

_ZIP = b"PK\x03\x04"
_MAX_TEXT = 2**27
_WEIGHTS = "model.weights.h5"
_KERAS_MODEL = "A Keras model is a file .keras or .h5, or .json with weights beside it."
_SUBCLASSED = (
    "Only functional and sequential models store their architecture. Export it with "
    "model.export(...) to a SavedModel, ONNX or TFLite, or read the part that is functional."
)


def open_model(
    source: Any,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    weights: str | os.PathLike[str] | None = None,
) -> KerasModel:
    """Open a model.

    Args:
        source: A path, a model of an installed Keras, or a model that is opened again.
        input_shapes: Input name -> shape, for inputs with open dimensions.
        weights: The path of the weights of a file with an architecture only.

    Raises:
        StorageError: The file cannot be read, or is damaged.
        InputError: It is not a Keras model, or an input has open dimensions.
        UnknownNameError: The model has no input of a given name.
        MissingPackageError: The package h5py is not installed.
    """
    if isinstance(source, KerasModel):
        return with_input_shapes(source, input_shapes)
    try:
        if isinstance(source, (str, os.PathLike)):
            model = _opened_file(os.fspath(source), weights)
        else:
            model = live_model(source)
    except UnsupportedModel as problem:
        path = os.fspath(source) if isinstance(source, (str, os.PathLike)) else ""
        raise InputError(
            f"the Keras model cannot be read: {problem}", hint=_SUBCLASSED, file=path
        ) from None
    return with_input_shapes(model, input_shapes)


def _opened_file(path: str, weights: Any) -> KerasModel:
    check_readable(path)
    data = _bytes(path)
    if data.startswith(_ZIP):
        parts = _of_archive(data, path)
    elif SIGNATURE in data[:4096]:
        parts = _of_hierarchy(data, path)
    elif data.lstrip()[:1] == b"{":
        parts = _of_text(data, path, weights)
    else:
        raise InputError("the file is not a Keras model", hint=_KERAS_MODEL, file=path)
    return KerasModel(parts.network, parts.variables, parts.version, path, len(data))


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise StorageError(f"the model cannot be read: {error.strerror}", file=path) from error


class _Parts(NamedTuple):
    network: LayerNetwork
    variables: Variables
    version: str


# -- archives --------------------------------------------------------------------------------------


def _of_archive(data: bytes, path: str) -> _Parts:
    """Read a file ``.keras``: an archive of the architecture and the weights."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename: info for info in archive.infolist()}
            if "config.json" not in members:
                raise InputError(
                    "the archive is not a Keras model: it has no config.json",
                    hint=_KERAS_MODEL,
                    file=path,
                )
            config = _member(archive, members["config.json"], _MAX_TEXT, path)
            facts = members.get("metadata.json")
            metadata = _decoded(_member(archive, facts, _MAX_TEXT, path), path) if facts else {}
            stored = members.get(_WEIGHTS)
            weights = _member(archive, stored, unpacked_limit(len(data)), path) if stored else b""
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError) as error:
        raise _damaged_archive(str(error), path) from error
    except (ValueError, RuntimeError, KeyError, IndexError, UnicodeError) as error:
        raise _damaged_archive(str(error), path) from error
    network = network_of(_decoded(config, path))
    if not weights:
        others = [name for name in members if "weights" in name]
        if others:
            raise StorageError(
                f"the weights of the Keras model are in '{others[0]}', which is not read",
                hint="Save it with model.save('model.keras').",
                file=path,
            )
    variables: Variables = {}
    if weights:
        with opened(weights, path) as file:
            variables = variables_of_hierarchy(file, network)
    version = metadata.get("keras_version") if isinstance(metadata, Mapping) else None
    return _Parts(network, variables, str(version or "3"))


def _damaged_archive(reason: str, path: str) -> StorageError:
    return StorageError(
        f"the Keras model is damaged: {reason or 'its archive is cut off'}",
        hint="Copy the file again, or save the model again.",
        file=path,
    )


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int, path: str) -> bytes:
    """Return the bytes of a member, no more than a limit.

    Raises:
        StorageError: It is larger.
    """
    with archive.open(info) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise StorageError(
            f"the member '{info.filename}' is far larger than the archive, which is refused",
            hint="Save the model again with Keras.",
            file=path,
        )
    return data


# -- single files ----------------------------------------------------------------------------------


def _of_hierarchy(data: bytes, path: str) -> _Parts:
    """Read a whole model in an HDF5 file."""
    with opened(data, path) as file:
        config = file.text(file.root, "model_config")
        if config is None:
            raise InputError(
                "the HDF5 file has no architecture: it is not a whole Keras model",
                hint="Pass the architecture, a file .json of model.to_json(), and the weights: "
                "nk.from_keras('model.json', weights='model.weights.h5').",
                file=path,
            )
        network = network_of(_decoded(config.encode("utf-8", "replace"), path))
        group = file.child(file.root, "model_weights")
        if group is None:
            raise damaged("has no weights", path)
        variables = variables_of_lists(network, arrays_of_lists(file, group))
        return _Parts(network, variables, file.text(file.root, "keras_version") or "2")


def _of_text(data: bytes, path: str, weights: Any) -> _Parts:
    """Read an architecture, and its weights in another file."""
    config = _decoded(data, path)
    network = network_of(config)
    beside = os.fspath(weights) if weights is not None else _beside(path)
    check_readable(beside)
    with opened(_bytes(beside), beside) as file:
        group = file.child(file.root, "model_weights") or file.root
        if file.strings(group, "layer_names") is not None:
            variables = variables_of_lists(network, arrays_of_lists(file, group))
        else:
            variables = variables_of_hierarchy(file, network)
    version = config.get("keras_version") if isinstance(config, Mapping) else None
    is_new = isinstance(config, Mapping) and "module" in config
    return _Parts(network, variables, str(version or ("3" if is_new else "2")))


def _beside(path: str) -> str:
    """Return the path of the weights that belong to an architecture."""
    stem = Path(path).with_suffix("")
    for ending in (".weights.h5", ".h5", ".hdf5"):
        beside = stem.with_name(stem.name + ending)
        if beside.exists():
            return str(beside)
    raise InputError(
        "the file has the architecture of a model, but there are no weights beside it",
        hint=f"Pass weights=..., or name them '{stem.name}.weights.h5'.",
        file=path,
    )


def _decoded(data: bytes, path: str) -> Any:
    """Return decoded JSON.

    Raises:
        StorageError: It is not JSON.
    """
    if len(data) > _MAX_TEXT:
        raise StorageError(
            f"the architecture takes {len(data):,} bytes, more than {_MAX_TEXT:,}", file=path
        )
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise StorageError(
            f"the architecture is not JSON: {reason}",
            hint="Copy the file again, or save the model again.",
            file=path,
        ) from None
