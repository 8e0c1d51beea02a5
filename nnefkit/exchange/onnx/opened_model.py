"""Preparation of ONNX models: opening, inlining of functions, input shapes and constants."""

from __future__ import annotations

import operator
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.arguments import refuse_masked, wrong_type
from nnefkit.arrays import Array
from nnefkit.errors import (
    NO_EMPTY_TENSORS,
    InputError,
    StorageError,
    UnknownNameError,
    did_you_mean,
)
from nnefkit.exchange import packages
from nnefkit.exchange.onnx.detached_weights import (
    Weights,
    detached,
    read_bytes,
    read_model,
    tensors_of,
)
from nnefkit.exchange.onnx.functions import inlined
from nnefkit.exchange.onnx.labels import Labels, index_labels
from nnefkit.exchange.onnx.texts import invalid_text, refuse_invalid_text
from nnefkit.storage import check_readable

if TYPE_CHECKING:
    from onnx import ModelProto, TensorShapeProto, TypeProto, ValueInfoProto

Shapes = Mapping[str, Sequence[int]]

OLDEST_OPSET = 6
"""The oldest opset that can be read; from opset 7 on operators have today's broadcasting."""


@dataclass(frozen=True)
class OnnxModel:
    """A model that is ready to be read and to be run."""

    proto: ModelProto
    """Functions are inlined, the given input shapes are set, constant inputs are initializers."""
    name: str
    opset: int
    path: str = ""
    weights: Weights = field(default_factory=dict)
    """The large weights, which `proto` only refers to."""
    loaded: ModelProto | None = field(default=None, repr=False)
    """The model as it was loaded, to open it again with other shapes."""
    labels: Mapping[str, Labels] = field(default_factory=dict)
    """Name of an output -> the labels of its indices or columns."""


def require(package: str = "onnx") -> None:
    """Check that a package is installed.

    Raises:
        MissingPackageError: It is not.
    """
    packages.require(package, "onnx", "ONNX models")


def open_model(
    source: str | os.PathLike[str] | bytes | ModelProto | OnnxModel,
    input_shapes: Shapes | None = None,
    constants: Mapping[str, Any] | None = None,
    *,
    open_shapes: bool = False,
    keep_extents: bool = False,
) -> OnnxModel:
    """Open a model.

    Args:
        source: A path, the bytes of a file, a ModelProto, or a model that is opened again.
        input_shapes: Input name -> shape, for inputs with open dimensions.
        constants: Input name -> values, for inputs that become constants.
        open_shapes: Whether dimensions may stay open, as for a model that is only run.
        keep_extents: Whether extents that the model states must not be replaced by others.

    Raises:
        StorageError: The file cannot be read.
        InputError: It is not an ONNX model, its opset is too old or too new, or an input has open
            dimensions.
        UnknownNameError: The model has no input of a given name.
    """
    require()
    import onnx

    loaded, weights, path = _loaded(source)
    proto = onnx.ModelProto()
    proto.CopyFrom(loaded)
    _refuse_broken(proto, weights, path)
    opset = _opset(proto, path)
    proto = inlined(proto, path)
    if not proto.ir_version:
        # ONNX Runtime refuses a model without it, and the evaluator does not know old operators.
        proto.ir_version = _oldest_ir_version(proto)
    labels = index_labels(proto.graph)
    shapes = _mapping(input_shapes, "input_shapes")
    fixed = _mapping(constants, "constants")
    if keep_extents:
        _refuse_other_extents(proto, shapes)
    _set_inputs(proto, shapes, fixed, path)
    _clear_inferred_shapes(proto)
    if not open_shapes:
        _refuse_open_inputs(proto, path)
    stem = Path(path).stem if path else proto.graph.name
    return OnnxModel(proto, stem or "network", opset, path, weights, loaded, labels)


def _oldest_ir_version(proto: ModelProto) -> int:
    from onnx import helper

    return int(helper.find_min_ir_version_for(list(proto.opset_import), ignore_unknown=True))


def _loaded(source: Any) -> tuple[ModelProto, Weights, str]:
    """Return the model, its large weights, and its path if it came from a file."""
    import onnx
    from google.protobuf.message import DecodeError

    if isinstance(source, OnnxModel) and source.loaded is not None:
        return source.loaded, source.weights, source.path
    try:
        if isinstance(source, onnx.ModelProto):
            return *detached(source), ""
        if isinstance(source, (bytes, bytearray, memoryview)):
            return *read_bytes(bytes(source)), ""
        path = os.fspath(source)
    except DecodeError:
        raise InputError("the bytes are not an ONNX model") from None
    except UnicodeDecodeError:
        raise invalid_text("") from None
    except TypeError:
        raise InputError(
            f"an ONNX model must be a path, bytes or a ModelProto, not {type(source).__name__}"
        ) from None
    check_readable(path)
    try:
        return *read_model(path), path
    except DecodeError:
        raise InputError(
            "the file is not an ONNX model",
            hint="Files larger than 2 GiB cannot be read; larger models store their weights in "
            "separate files.",
            file=path,
        ) from None
    except (OSError, ValueError, OverflowError, onnx.checker.ValidationError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise StorageError(
            f"the model cannot be read: {reason}",
            hint="Copy or export the model again, with the files of its weights in its folder.",
            file=path,
        ) from error
    except TypeError:
        raise invalid_text(path) from None


def _refuse_broken(proto: ModelProto, weights: Weights, path: str) -> None:
    """Refuse files that are not models, and weights in files whose folder is not known."""
    from onnx import TensorProto

    if not proto.HasField("graph") or not proto.graph.output:
        raise InputError("this is not an ONNX model: it has no graph with outputs", file=path)
    refuse_invalid_text(proto, path)
    counts = Counter(info.name for info in proto.graph.output)
    for name in (name for name, count in counts.items() if count > 1):
        raise InputError(f"the model lists the output '{name}' twice", file=path)
    external = [t for t in tensors_of(proto) if t.data_location == TensorProto.EXTERNAL]
    if any(tensor.name not in weights for tensor in external):
        raise InputError(
            "the model stores its weights in other files, and their folder is not known",
            hint="Pass the path of the model, or load it with onnx.load, which reads these files.",
        )


def _mapping(value: Any, argument: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise wrong_type(argument, "a mapping of input names to values", value)
    return dict(value)


def _opset(proto: ModelProto, path: str) -> int:
    from onnx import defs

    newest = defs.onnx_opset_version()
    opset = next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), newest)
    if not OLDEST_OPSET <= opset <= newest:
        raise InputError(
            f"the model uses opset {opset}; opsets {OLDEST_OPSET} to {newest} can be read",
            hint="Install a newer 'onnx' package, which knows newer opsets."
            if opset > newest
            else "Convert it to a newer opset with onnx.version_converter.convert_version.",
            file=path,
        )
    return int(opset)


# -- inputs ----------------------------------------------------------------------------------------


def _set_inputs(
    proto: ModelProto, shapes: Mapping[str, Any], constants: Mapping[str, Any], path: str
) -> None:
    """Set the given input shapes, and turn the given constants into initializers."""
    from onnx import numpy_helper

    graph = proto.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = {info.name: info for info in graph.input if info.name not in weights}
    _check_names(inputs, weights, shapes, constants, path)
    for name, shape in shapes.items():
        extents = _extents(name, shape, inputs[name], path)
        dimensions = inputs[name].type.tensor_type.shape
        del dimensions.dim[:]
        for extent in extents:
            dimensions.dim.add().dim_value = extent
    for name, data in constants.items():
        array = _constant(name, data, inputs.pop(name), path)
        graph.initializer.append(numpy_helper.from_array(array, name))
    remaining = list(inputs.values())
    del graph.input[:]
    graph.input.extend(remaining)


def _refuse_other_extents(proto: ModelProto, shapes: Mapping[str, Any]) -> None:
    """Refuse shapes with other extents than those that the model states."""
    for info in proto.graph.input:
        dimensions = info.type.tensor_type.shape.dim
        for axis, (dimension, extent) in enumerate(
            zip(dimensions, shapes.get(info.name, ()), strict=False)
        ):
            if dimension.dim_value > 0 and dimension.dim_value != extent:
                raise InputError(
                    f"the model fixes axis {axis} of '{info.name}' at {dimension.dim_value}"
                )


def _check_names(
    inputs: Mapping[str, ValueInfoProto],
    weights: set[str],
    shapes: Mapping[str, Any],
    constants: Mapping[str, Any],
    path: str,
) -> None:
    """Check that shapes and constants are given for inputs of the model, and not both for one."""
    for argument, names in (("shape", shapes), ("values", constants)):
        for name in names:
            if name in weights:
                raise InputError(f"'{name}' is a weight; its {argument} cannot be set", file=path)
            if name not in inputs:
                raise UnknownNameError(
                    f"the model has no input '{name}'",
                    hint=did_you_mean(str(name), inputs) or f"Its inputs are {', '.join(inputs)}.",
                    file=path,
                )
            if name in shapes and name in constants:
                raise InputError(f"both a shape and values are given for '{name}'", file=path)


def _clear_inferred_shapes(proto: ModelProto) -> None:
    """Remove the shapes that an exporter stored, which may not hold for the given input shapes."""
    del proto.graph.value_info[:]
    for info in proto.graph.output:
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")


def _constant(name: str, data: Any, info: ValueInfoProto, path: str) -> Array:
    """Return the values of an input that becomes a constant."""
    refuse_masked(data, f"the values for '{name}'")
    try:
        array = np.asarray(data, dtype_of(info.type))
    except (TypeError, ValueError) as error:
        raise InputError(f"the values for '{name}' are not an array: {error}", file=path) from None
    tensor = info.type.tensor_type
    if tensor.HasField("shape"):
        expected = [_extent(dimension) for dimension in tensor.shape.dim]
        fits = len(expected) == array.ndim and all(
            not isinstance(e, int) or e == n for e, n in zip(expected, array.shape, strict=True)
        )
        if not fits:
            raise InputError(
                f"the values for '{name}' have the shape {_brackets(array.shape)}, but the model "
                f"expects {_brackets(expected)}",
                file=path,
            )
    return array


def _extents(name: str, shape: Any, info: ValueInfoProto, path: str) -> list[int]:
    """Return the shape that is given for an input."""
    try:
        extents = [operator.index(extent) for extent in shape]
    except TypeError:
        raise InputError(
            f"the shape for '{name}' must be a list of integers, not {shape!r}", file=path
        ) from None
    tensor = info.type.tensor_type
    if tensor.HasField("shape") and len(tensor.shape.dim) != len(extents):
        raise InputError(
            f"the shape for '{name}' has {len(extents)} extents, but the model expects "
            f"{_brackets([_extent(dimension) for dimension in tensor.shape.dim])}",
            file=path,
        )
    if any(extent < 1 for extent in extents):
        raise InputError(
            f"the shape for '{name}' is {_brackets(extents)}",
            hint=NO_EMPTY_TENSORS,
            file=path,
            section="4.1.1",
        )
    return extents


def _refuse_open_inputs(proto: ModelProto, path: str) -> None:
    """Refuse inputs that are empty, or whose shape is not known."""
    unknown: dict[str, list[int | str]] = {}
    for info in proto.graph.input:
        if not info.type.HasField("tensor_type"):
            continue
        tensor = info.type.tensor_type
        if any(d.HasField("dim_value") and not d.dim_value for d in tensor.shape.dim):
            raise InputError(
                f"input '{info.name}' is empty",
                hint=f"{NO_EMPTY_TENSORS} If the model only joins it to others, make it constant: "
                f"constants={{'{info.name}': np.zeros({_shape_of(tensor)})}}.",
                file=path,
                section="4.1.1",
            )
        if not tensor.HasField("shape") or any(d.dim_value <= 0 for d in tensor.shape.dim):
            unknown[info.name] = [_extent(dimension) for dimension in tensor.shape.dim]
    if unknown:
        shapes = ", ".join(f"'{name}' {_brackets(shape)}" for name, shape in unknown.items())
        example = {
            name: tuple(extent if isinstance(extent, int) else 1 for extent in shape)
            for name, shape in unknown.items()
        }
        raise InputError(
            f"the model leaves dimensions of its inputs open: {shapes}",
            hint=f"NNEF needs all extents (4.1.1). For example: input_shapes={example}",
            file=path,
            section="4.1.1",
        )


def _shape_of(tensor: TypeProto.Tensor) -> tuple[int, ...]:
    return tuple(dimension.dim_value for dimension in tensor.shape.dim)


def _extent(dimension: TensorShapeProto.Dimension) -> int | str:
    # Some exporters write -1 for an open dimension.
    return dimension.dim_value if dimension.dim_value > 0 else dimension.dim_param or "?"


def _brackets(shape: Sequence[int | str]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def dtype_of(type_: TypeProto) -> np.dtype[Any] | None:
    """Return the dtype of a tensor type; None for a type that is not a tensor.

    Raises:
        InputError: The element type is unknown.
    """
    from onnx import helper

    if not type_.HasField("tensor_type") or not type_.tensor_type.elem_type:
        return None
    element = type_.tensor_type.elem_type
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(element))
    except KeyError:
        raise InputError(
            f"an input of the model has the unknown element type {element}",
            hint="A newer 'onnx' package may know it, or the file is damaged.",
        ) from None
