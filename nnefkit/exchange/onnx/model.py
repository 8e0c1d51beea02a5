"""ONNX models as they are read: from a file or from memory, functions expanded, inputs fixed."""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import (
    InputError,
    MissingPackageError,
    StorageError,
    UnknownNameError,
    did_you_mean,
)
from nnefkit.exchange.onnx.inlining import inlined
from nnefkit.storage import check_readable

Shapes = Mapping[str, Sequence[int]]

OLDEST = 6
"""The opset from whose successor on operators broadcast as they do today."""


@dataclass(frozen=True)
class Source:
    """A model that is ready to be read and to be run."""

    model: Any
    """The ModelProto, functions expanded, input shapes filled in, fixed inputs turned constant."""
    name: str
    opset: int
    path: str = ""


def require(package: str = "onnx") -> None:
    """Checks that a package is there.

    Raises:
        MissingPackageError: it is not.
    """
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise MissingPackageError(
            f"ONNX models need the package '{package}'", hint='pip install "nnefkit[onnx]"'
        )


def open_source(
    source: Any,
    input_shapes: Shapes | None = None,
    constants: Mapping[str, Any] | None = None,
    *,
    open_shapes: bool = False,
) -> Source:
    """The model of a path, of bytes, or of a ModelProto.

    Args:
        source: One of these.
        input_shapes: For inputs of which the model leaves extents open.
        constants: For inputs that become constants.
        open_shapes: Whether extents may stay open, as for a model that is only run.

    Raises:
        StorageError: the file cannot be read.
        InputError: it is no ONNX model, its opset is too old or too new, or it has inputs whose
            shapes are not known.
        UnknownNameError: there is no input of a name that is given.
    """
    require()
    model, path = _read(source)
    _refuse_broken(model, path)
    opset = _opset(model, path)
    model = inlined(model, path)
    shapes, fixed = _by_name(input_shapes, "input_shapes"), _by_name(constants, "constants")
    model = _complete(model, shapes, fixed, path)
    if not open_shapes:
        _refuse_unknown({info.name: info for info in model.graph.input}, path)
    stem = Path(path).stem if path else model.graph.name
    return Source(model, stem or "network", opset, path)


def _read(source: Any) -> tuple[Any, str]:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    if isinstance(source, onnx.ModelProto):
        model = onnx.ModelProto()
        model.CopyFrom(source)
        return model, ""
    try:
        if isinstance(source, (bytes, bytearray, memoryview)):
            return onnx.load_model_from_string(bytes(source)), ""
        path = os.fspath(source)
    except DecodeError:
        raise InputError("the bytes are no ONNX model") from None
    except TypeError:
        raise InputError(
            f"an ONNX model is a path, bytes or a ModelProto, not of type {type(source).__name__}"
        ) from None
    check_readable(path)
    try:
        return onnx.load(path), path
    except DecodeError:
        raise InputError(
            "the file is no ONNX model",
            hint="Files of more than 2 GiB cannot be read; larger models keep their weights in "
            "files beside them.",
            file=path,
        ) from None
    except (OSError, onnx.checker.ValidationError) as error:
        told = getattr(error, "strerror", None) or str(error)
        raise StorageError(f"the model cannot be read: {told}", file=path) from error


def _refuse_broken(model: Any, path: str) -> None:
    """What is no model at all, or says that its weights are where nobody can tell."""
    from onnx import TensorProto

    if not model.HasField("graph") or not model.graph.output:
        raise InputError("it is no ONNX model: it has no graph with outputs", file=path)
    names = [info.name for info in model.graph.output]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"the model has the output '{name}' twice", file=path)
    if any(t.data_location == TensorProto.EXTERNAL for t in model.graph.initializer):
        raise InputError(
            "weights of the model lie in other files, and nobody can tell where they are",
            hint="Give the path of the model; onnx.load reads such files, too.",
        )


def _by_name(given: Any, what: str) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InputError(
            f"'{what}' is of type {type(given).__name__}, but goes from names to values"
        )
    return dict(given)


def _opset(model: Any, path: str) -> int:
    from onnx import defs

    newest = defs.onnx_opset_version()
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), newest)
    if not OLDEST <= opset <= newest:
        raise InputError(
            f"the model is of opset {opset}; opsets {OLDEST} to {newest} can be read",
            hint="A newer 'onnx' package knows newer opsets."
            if opset > newest
            else "onnx.version_converter.convert_version makes a newer one of it.",
            file=path,
        )
    return int(opset)


def _complete(model: Any, shapes: dict[str, Any], constants: dict[str, Any], path: str) -> Any:
    """Fixes the inputs that are given, and the shapes of the others."""
    from onnx import numpy_helper

    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = {info.name: info for info in graph.input if info.name not in weights}
    for name in (*shapes, *constants):
        if name in shapes and name in weights:
            raise InputError(f"'{name}' is a weight, whose shape is known", file=path)
        if name not in inputs and name not in weights:
            raise UnknownNameError(
                f"the model has no input '{name}'",
                hint=did_you_mean(str(name), inputs) or f"Its inputs are {', '.join(inputs)}.",
                file=path,
            )
    for name, data in constants.items():
        if name in weights:
            raise InputError(f"'{name}' is a weight, whose values are known", file=path)
        array = _items(name, data, inputs.pop(name), path)
        graph.initializer.append(numpy_helper.from_array(array, name))
    for name, shape in shapes.items():
        if name in constants:
            raise InputError(f"both a shape and values are given for '{name}'", file=path)
        extents = _extents(name, shape, inputs[name], path)
        dimensions = inputs[name].type.tensor_type.shape
        del dimensions.dim[:]
        for extent in extents:
            dimensions.dim.add().dim_value = extent
    kept = list(inputs.values())
    del graph.input[:]
    graph.input.extend(kept)
    # What an exporter said of shapes between may not hold for those that were given.
    del graph.value_info[:]
    for info in graph.output:
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")
    return model


def _items(name: str, data: Any, info: Any, path: str) -> Array:
    """The values of an input that becomes a constant."""
    try:
        array = np.asarray(data, item_type(info.type))
    except (TypeError, ValueError) as error:
        raise InputError(f"the values for '{name}' are no array: {error}", file=path) from None
    kind = info.type.tensor_type
    if kind.HasField("shape"):
        wanted = [_extent(d) for d in kind.shape.dim]
        fits = len(wanted) == array.ndim and all(
            not isinstance(w, int) or w == n for w, n in zip(wanted, array.shape, strict=True)
        )
        if not fits:
            raise InputError(
                f"the values for '{name}' have the shape {_brackets(array.shape)}, but the model "
                f"wants {_brackets(wanted)}",
                file=path,
            )
    return array


def _extents(name: str, shape: Any, info: Any, path: str) -> list[int]:
    """The shape that is given for an input."""
    try:
        extents = [operator.index(extent) for extent in shape]
    except TypeError:
        raise InputError(
            f"the shape for '{name}' is {shape!r}, but it is a list of whole numbers", file=path
        ) from None
    kind = info.type.tensor_type
    if kind.HasField("shape") and len(kind.shape.dim) != len(extents):
        raise InputError(
            f"the shape for '{name}' has {len(extents)} extents, but the model wants "
            f"{_brackets([_extent(d) for d in kind.shape.dim])}",
            file=path,
        )
    if any(extent < 1 for extent in extents):
        raise InputError(
            f"the shape for '{name}' is {_brackets(extents)}",
            hint="NNEF has no empty tensors: extents are positive (4.1.1).",
            file=path,
            section="4.1.1",
        )
    return extents


def _refuse_unknown(inputs: Mapping[str, Any], path: str) -> None:
    unknown = {}
    for name, info in inputs.items():
        kind = info.type.tensor_type
        if info.type.HasField("tensor_type") and (
            not kind.HasField("shape") or any(d.dim_value <= 0 for d in kind.shape.dim)
        ):
            if any(d.HasField("dim_value") and not d.dim_value for d in kind.shape.dim):
                raise InputError(
                    f"input '{name}' is empty",
                    hint="NNEF has no empty tensors: extents are positive (4.1.1).",
                    file=path,
                    section="4.1.1",
                )
            unknown[name] = [_extent(d) for d in kind.shape.dim]
    if unknown:
        told = ", ".join(f"'{n}' {_brackets(shape)}" for n, shape in unknown.items())
        example = {
            name: tuple(e if isinstance(e, int) and e > 0 else 1 for e in shape)
            for name, shape in unknown.items()
        }
        raise InputError(
            f"the model leaves extents of its inputs open: {told}",
            hint=f"NNEF wants all of them (4.1.1). For example: input_shapes={example}",
            file=path,
            section="4.1.1",
        )


def _extent(dimension: Any) -> Any:
    # Some exporters write -1 for an extent that is open.
    return dimension.dim_value if dimension.dim_value > 0 else dimension.dim_param or "?"


def _brackets(shape: Sequence[Any]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def item_type(kind: Any) -> np.dtype[Any] | None:
    """The NumPy dtype of a TypeProto of a tensor; None for anything else."""
    from onnx import helper

    if not kind.HasField("tensor_type") or not kind.tensor_type.elem_type:
        return None
    return np.dtype(helper.tensor_dtype_to_np_dtype(kind.tensor_type.elem_type))
