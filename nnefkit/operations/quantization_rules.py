"""The rules for lines of a quantization file, apart from its grammar (5.3, 4.9.5)."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nnefkit.errors import ArgumentError, Diagnostic, Severity
from nnefkit.graph import Tensor
from nnefkit.operations.broadcasting import align
from nnefkit.operations.registry import SHAPE_RULES

ALGORITHMS = (
    "linear_quantize",
    "min_max_linear_quantize",
    "zero_point_linear_quantize",
    "logarithmic_quantize",
)
"""The quantization operations of the standard (4.9.5)."""


def check_quantization(
    tensor: Tensor, file: str = "graph.quant", *, computed: bool = False
) -> Iterator[Diagnostic]:
    """Yield the problems of the quantization of a tensor by a standard operation.

    Args:
        tensor: If its shape is not known, array arguments are not checked against it.
        file: The file that contains the line, for messages.
        computed: Whether the values are computed, so that undefined ones are errors.
    """
    line = tensor.quantization
    if not line or line.get("op-name") not in ALGORITHMS:
        return
    name = line["op-name"]
    if tensor.dtype != "scalar":
        yield Diagnostic(
            "type-mismatch",
            f"'{tensor.name}' is of type {tensor.dtype} and cannot be quantized",
            file=file,
            hint="Only tensors of type scalar can be quantized.",
            section="5.3",
        )
        return
    inputs, attribs, missing = _arguments(name, line)
    if missing:
        yield Diagnostic(
            "missing-argument",
            f"the quantization of '{tensor.name}' by '{name}' lacks {', '.join(missing)}",
            file=file,
            section="5.3",
        )
        return
    problems = [*_broken_rules(tensor, name, inputs, attribs, file)]
    if problems:
        yield from problems
        return
    severity: Severity = "error" if computed else "warning"
    yield from _undefined(tensor, name, inputs, file, severity)
    yield from _without_zero(tensor, name, inputs, attribs, file)
    yield from _beyond(tensor, name, inputs, file)


def _broken_rules(
    tensor: Tensor, name: str, inputs: Mapping[str, Any], attribs: Mapping[str, Any], file: str
) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each rule of 4.9.5 that the arguments violate."""
    try:
        arrays = {key: np.shape(value) for key, value in inputs.items()}
    except ValueError:
        yield _diagnostic(tensor, name, "nested arrays must have equal lengths", file)
        return
    # If the shape is not known, assume that of the argument with the highest rank.
    shape = max(arrays.values(), key=len) if tensor.shape is None else tensor.shape
    try:
        SHAPE_RULES[name](shape, *arrays.values(), **attribs)
    except ArgumentError as error:
        for diagnostic in error.diagnostics:
            yield _diagnostic(tensor, name, diagnostic.message, file, diagnostic.hint)
    except TypeError as error:
        yield _diagnostic(tensor, name, str(error), file)


def _beyond(
    tensor: Tensor, name: str, inputs: Mapping[str, Any], file: str
) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each argument that would enlarge the tensor by broadcasting."""
    shape = tensor.shape
    if shape is None:
        return
    for key, value in inputs.items():
        extents = np.shape(value)
        if len(extents) > len(shape) or any(
            extent not in (1, own) for extent, own in zip(extents, shape, strict=False)
        ):
            yield _diagnostic(
                tensor,
                name,
                f"'{key}' has shape {[*extents]}, which cannot be broadcast to {[*shape]}",
                file,
                "For one value for each channel, the first extent is 1: [[a, b, ...]].",
            )


def _undefined(
    tensor: Tensor, name: str, inputs: Mapping[str, Any], file: str, severity: Severity
) -> Iterator[Diagnostic]:
    """Yield a diagnostic if the formula divides by zero or takes the logarithm of zero."""
    arrays = {key: np.asarray(value, np.float64) for key, value in inputs.items()}
    if "scale" in arrays:
        wrong, rule = ~(arrays["scale"] > 0), "'scale' is not positive"
    elif "min" in arrays:
        low, high = align(arrays["min"], arrays["max"])
        wrong, rule = np.asarray(~(low < high)), "'min' is not less than 'max'"
    else:
        wrong, rule = ~(arrays["max"] > 0), "'max' is not positive"
    if wrong.any():
        yield Diagnostic(
            "undefined-quantization",
            f"{name} of '{tensor.name}': {rule}{_places(wrong)}, so its values are not defined",
            severity,
            file,
            hint="For a channel whose weights are all zero, any other range will do.",
            section="4.9.5",
        )


def _without_zero(
    tensor: Tensor, name: str, inputs: Mapping[str, Any], attribs: Mapping[str, Any], file: str
) -> Iterator[Diagnostic]:
    """Yield a warning if the zero point is not a code, and therefore no code represents 0."""
    if "zero_point" not in inputs:
        return
    low, high = _code_range(**{key: attribs[key] for key in ("bits", "signed", "symmetric")})
    point = np.asarray(inputs["zero_point"])
    wrong = np.asarray((point < low) | (point > high))
    if wrong.any():
        yield Diagnostic(
            "undefined-quantization",
            f"{name} of '{tensor.name}': 'zero_point' is not one of the codes from {low} to {high}"
            f"{_places(wrong)}, so no code represents 0",
            "warning",
            file,
            hint="Check 'signed' and 'bits'.",
            section="4.9.5",
        )


def _places(wrong: Any) -> str:
    return f" at {np.count_nonzero(wrong)} of {wrong.size} places" if wrong.size > 1 else ""


def _code_range(bits: int, signed: bool, symmetric: bool) -> tuple[int, int]:
    """Return the smallest and the largest code of a linear quantization (4.9.5)."""
    if not signed:
        return 0, 2**bits - 1
    return -(2 ** (bits - 1)) + int(symmetric), 2 ** (bits - 1) - 1


def _arguments(
    name: str, line: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Return the tensor arguments, the attributes, and the names of missing arguments."""
    inputs: dict[str, Any] = {}
    attribs = {key: value for key, value in line.items() if key != "op-name"}
    missing = []
    parameters = list(inspect.signature(SHAPE_RULES[name]).parameters.values())
    for parameter in parameters[1:]:
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        if parameter.name not in line:
            missing.append(f"'{parameter.name}'")
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            inputs[parameter.name] = attribs.pop(parameter.name)
    return inputs, attribs, missing


def _diagnostic(tensor: Tensor, name: str, message: str, file: str, hint: str = "") -> Diagnostic:
    return Diagnostic(
        "invalid-quantization",
        f"{name} of '{tensor.name}': {message}",
        file=file,
        hint=hint,
        section="5.3",
    )
