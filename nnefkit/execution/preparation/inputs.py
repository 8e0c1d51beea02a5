"""Checks of the inputs of a run: each wrong name, shape and dtype is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.arguments import UNMASK
from nnefkit.arrays import Array, as_array, has_masked
from nnefkit.errors import Diagnostic, InputError, did_you_mean
from nnefkit.execution.dtypes import numpy_dtype
from nnefkit.graph import Graph, Tensor

_DTYPE_KINDS = {"scalar": "f", "integer": "iu", "logical": "b"}
_EXPECTED = {"scalar": "floating-point numbers", "integer": "integers", "logical": "bools"}


def check_feeds(graph: Graph, inputs: Any, scalar: np.dtype[Any]) -> dict[str, Array]:
    """Return the inputs of `graph` as arrays of the dtypes that it computes in.

    Floating-point numbers of any width are accepted for scalar tensors, integers of any width for
    integer tensors. Nothing else is converted: integers where floating-point numbers are expected
    are usually pixels that were not normalized.

    Args:
        graph: Its externals define the expected inputs.
        inputs: Input name -> array-like; or one array-like, if the graph has one input.
        scalar: `scalar_dtype` of the graph.

    Raises:
        InputError: With one diagnostic for each input that is missing, unknown or wrong.
    """
    named = _by_name(graph, inputs)
    problems = [_unknown(graph, name, named) for name in named if name not in graph.inputs]
    missing = [name for name in graph.inputs if name not in named]
    problems += [_missing(graph, name) for name in missing]
    feeds: dict[str, Array] = {}
    for name in graph.inputs:
        if name in named:
            array = _checked(graph.tensors[name], named[name], problems)
            if array is not None:
                dtype = numpy_dtype(graph.tensors[name].dtype, scalar)
                feeds[name] = np.ascontiguousarray(array, dtype).reshape(array.shape)
    if problems:
        raise InputError(problems)
    return feeds


def _by_name(graph: Graph, inputs: Any) -> Mapping[str, Any]:
    if isinstance(inputs, Mapping):
        return inputs
    if len(graph.inputs) == 1:
        return {graph.inputs[0]: inputs}
    names = ", ".join(f"'{name}': ..." for name in graph.inputs)
    raise InputError(
        f"graph '{graph.name}' has {len(graph.inputs)} inputs, so they must be given by name",
        hint=f"Give a dictionary: {{{names}}}.",
    )


def _unknown(graph: Graph, name: Any, named: Mapping[str, Any]) -> Diagnostic:
    free = [known for known in graph.inputs if known not in named]
    hint = did_you_mean(str(name), free or graph.inputs) or _inputs(graph)
    return Diagnostic("unknown-input", f"graph '{graph.name}' has no input '{name}'", hint=hint)


def _missing(graph: Graph, name: str) -> Diagnostic:
    return Diagnostic(
        "missing-input", f"input '{name}' is missing", hint=_expected(graph.tensors[name])
    )


def _missing_value(tensor: Tensor) -> Diagnostic:
    return Diagnostic("wrong-input", f"input '{tensor.name}' is None", hint=_expected(tensor))


def _expected(tensor: Tensor) -> str:
    return f"It must be {_EXPECTED[tensor.dtype]} of shape {_shape(tensor.shape)}."


def _inputs(graph: Graph) -> str:
    if not graph.inputs:
        return "It has no inputs."
    return f"Its inputs are {', '.join(graph.inputs)}."


def _checked(tensor: Tensor, value: Any, problems: list[Diagnostic]) -> Array | None:
    if value is None:
        problems.append(_missing_value(tensor))
        return None
    if has_masked(value):
        problems.append(
            Diagnostic(
                "wrong-input",
                f"input '{tensor.name}' has masked elements, which have no value",
                hint=UNMASK,
            )
        )
        return None
    try:
        array = as_array(value)
    except ValueError as error:
        hint = str(error)
        problems.append(
            Diagnostic(
                "wrong-input", f"input '{tensor.name}' cannot be converted to an array", hint=hint
            )
        )
        return None
    before = len(problems)
    if array.dtype.kind not in _DTYPE_KINDS[tensor.dtype]:
        problems.append(_wrong_dtype(tensor, array))
    elif array.dtype == np.uint64 and array.size and array.max() >= 2**63:
        problems.append(
            Diagnostic(
                "wrong-input",
                f"input '{tensor.name}' has {array.max():,}, which exceeds 64-bit integers",
                hint=f"Integers of NNEF end at {2**63 - 1:,}.",
            )
        )
    if tensor.shape is not None and array.shape != tensor.shape:
        problems.append(_wrong_shape(tensor.name, tensor.shape, array.shape))
    return array if len(problems) == before else None


def _wrong_dtype(tensor: Tensor, array: Array) -> Diagnostic:
    hint = _expected(tensor)
    if tensor.dtype == "scalar" and array.dtype.kind in "iub":
        hint = (
            "Scale it as the network expects, then convert it: array.astype(np.float32). Integers "
            "are not converted silently, since they are often images that were not normalized."
        )
    elif tensor.dtype == "integer" and array.dtype.kind in "fb":
        hint = "array.astype(np.int64) converts it to integers."
    elif tensor.dtype == "logical" and array.dtype.kind in "fiu":
        hint = "array != 0 converts it to bools."
    return Diagnostic(
        "wrong-dtype",
        f"input '{tensor.name}' must be {_EXPECTED[tensor.dtype]}, not {array.dtype}",
        hint=hint,
    )


def _wrong_shape(name: str, expected: tuple[int, ...], given: tuple[int, ...]) -> Diagnostic:
    return Diagnostic(
        "wrong-shape",
        f"input '{name}' must have shape {_shape(expected)}, not {_shape(given)}",
        hint=_shape_hint(name, expected, given),
        section="4.1.1",
    )


def _shape_hint(name: str, expected: tuple[int, ...], given: tuple[int, ...]) -> str:
    if 0 in given:
        return "The array is empty."
    if (1, *given) == expected:
        return "The batch dimension is missing: array[np.newaxis] adds it."
    if len(given) == len(expected) == 4:
        for axes in ((0, 3, 1, 2), (0, 2, 3, 1)):
            if tuple(given[axis] for axis in axes) == expected:
                return f"The order of axes differs: array.transpose{axes} moves the channels."
    if len(given) == len(expected):
        shape = ", ".join(map(str, given))
        shape += "," if len(given) == 1 else ""
        return (
            "To run the graph for this shape: "
            f"nk.infer_shapes(graph, {name}=({shape})) returns a graph that accepts it."
        )
    return ""


def _shape(shape: Sequence[int] | None) -> str:
    return "[" + ", ".join(map(str, shape or ())) + "]"
