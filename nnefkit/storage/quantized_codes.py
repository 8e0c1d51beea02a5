"""Codes of real numbers in quantized items (5.2, 7.1).

The algorithm comes from ``graph.quant`` or, deprecated, from the tensor file itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import StorageError
from nnefkit.storage.tensor_header import Header, ItemType

_MAX_BITS = 64
_MAX_ENCODED = 32
_LINEAR = ("linear_quantize", "min_max_linear_quantize")
_BY_ZERO_POINT = "zero_point_linear_quantize"
_ARGUMENT = re.compile(r"\b(\w+)\s*=\s*([-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)")


def encode_linear(values: Array, minimum: float, maximum: float, bits: int) -> Array:
    """Return the codes of `values` by the deprecated linear quantization of tensor files (5.2)."""
    steps = 2.0**bits - 1
    share = np.clip((values.astype(np.float64) - minimum) / (maximum - minimum), 0.0, 1.0)
    codes = np.floor(share * steps + 0.5)
    if bits < 64:
        return codes.astype(np.uint64)
    # 2.0**64 itself is beyond the largest integer, which rounds up to it.
    top = codes >= 2.0**64
    return np.where(top, np.uint64(2**64 - 1), np.where(top, 0.0, codes).astype(np.uint64))


def encode(values: Array, algorithm: Mapping[str, Any] | None) -> tuple[Array, int] | None:
    """Return the codes of `values` by a linear algorithm (4.9.5), and their bits.

    None if there are none: for other algorithms, for more than 32 bits, whose codes are beyond the
    digits of numbers in floating point, for arguments that are not valid, and for NaN.
    """
    name = str((algorithm or {}).get("op-name", ""))
    if algorithm is None or name not in (*_LINEAR, _BY_ZERO_POINT):
        return None
    try:
        bits = int(algorithm["bits"])
        if not 1 <= bits <= _MAX_ENCODED or np.isnan(values).any():
            return None
        _check_arguments(algorithm, values.ndim)
        signed, symmetric = bool(algorithm.get("signed")), bool(algorithm.get("symmetric"))
        low, high = _code_range(bits, signed, symmetric)
        if name == _BY_ZERO_POINT:
            steps = values.astype(np.float64) / _parameter32(algorithm["scale"], values.ndim)
            codes = np.floor(steps + 0.5) + _parameter(algorithm["zero_point"], values.ndim)
        else:
            minimum, maximum = (_parameter(algorithm[key], values.ndim) for key in ("min", "max"))
            share = (np.clip(values, minimum, maximum) - minimum) / (maximum - minimum)
            codes = np.floor(share * (high - low) + 0.5) + low
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    if np.isnan(codes).any():
        return None  # a range or a step of 0
    return np.clip(codes, low, high).astype(np.int64 if signed else np.uint64), bits


def dequantize(
    codes: Array, header: Header, algorithm: Mapping[str, Any] | None, file: str
) -> Array:
    """Return the real numbers (float32) that the codes of a tensor file represent.

    The range in the file takes precedence (7.1); `algorithm` is the tensor's line
    in ``graph.quant`` (``{"op-name": ..., **arguments}``).

    Raises:
        StorageError: Neither defines the codes, or the definition is not valid.
    """
    if header.range is not None:
        values = _by_own_range(codes, header, *header.range, file)
    elif header.algorithm:
        values = _by_own_algorithm(codes, header, file)
    elif algorithm is not None:
        values = _by_algorithm(codes, header, algorithm, file)
    else:
        raise StorageError(
            "the items are quantized codes, but nothing defines their values",
            hint="Add a line for the tensor to graph.quant, such as "
            '"name": min_max_linear_quantize(min = -1.0, max = 1.0, bits = 8, '
            "signed = false, symmetric = false);",
            file=file,
            section="5.2.1",
        )
    result: Array = np.asarray(values, np.float32).reshape(codes.shape)
    result.flags.writeable = False
    return result


def _by_own_range(codes: Array, header: Header, minimum: float, maximum: float, file: str) -> Array:
    if not (np.isfinite(minimum) and np.isfinite(maximum) and minimum < maximum):
        raise StorageError(
            f"the quantization range of the file, {minimum:g} to {maximum:g}, is not valid",
            file=file,
            section="5.2",
        )
    if header.item is ItemType.QUANTIZED_UNSIGNED:
        return _linear(codes, minimum, maximum, 2.0**header.bits - 1, 0.0)
    if minimum not in (0.0, -maximum):
        raise StorageError(
            "logarithmic quantization needs min = 0 or min = -max, "
            f"but the file has min = {minimum:g} and max = {maximum:g}",
            file=file,
            section="5.2",
        )
    return _logarithmic(codes, np.asarray(maximum), header.bits, signed=minimum < 0)


def _by_algorithm(codes: Array, header: Header, algorithm: Mapping[str, Any], file: str) -> Array:
    name = str(algorithm.get("op-name", ""))
    try:
        bits = int(algorithm.get("bits", header.bits))
        if has_invalid_bits({"bits": bits}):
            raise ValueError(f"'bits' is {bits}, not from 1 to {_MAX_BITS}")
        signed = bool(algorithm.get("signed", False))
        symmetric = bool(algorithm.get("symmetric", False))
        is_logarithmic = name == "logarithmic_quantize"
        _check_codes(codes, bits, header.item.signed if is_logarithmic else signed, symmetric)
        _check_arguments(algorithm, codes.ndim)
        if name in _LINEAR:
            return _linear(
                codes,
                _parameter(algorithm["min"], codes.ndim),
                _parameter(algorithm["max"], codes.ndim),
                2.0**bits - 1 - (signed and symmetric),
                2.0 ** (bits - 1) - symmetric if signed else 0.0,
            )
        if name == _BY_ZERO_POINT:
            zero_point = _parameter(algorithm["zero_point"], codes.ndim)
            return (codes - zero_point) * _parameter32(algorithm["scale"], codes.ndim)
        if name == "logarithmic_quantize":
            maximum = _parameter(algorithm["max"], codes.ndim)
            return _logarithmic(codes, maximum, bits, signed=header.item.signed)
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"the items cannot be decoded by '{name}' with the arguments in graph.quant: {error}",
            file=file,
            section="5.3",
        ) from None
    raise StorageError(
        f"the items are quantized codes of the algorithm '{name}', which cannot be decoded",
        file=file,
        section="5.3",
    )


def has_invalid_bits(algorithm: Mapping[str, Any] | None) -> bool:
    """Return whether an algorithm has an invalid number of bits."""
    bits = (algorithm or {}).get("bits", 1)
    return isinstance(bits, int) and not 1 <= bits <= _MAX_BITS


def _code_range(bits: int, signed: bool, symmetric: bool) -> tuple[int, int]:
    """Return the smallest and the largest code (4.9.5)."""
    if not signed:
        return 0, 2**bits - 1
    return -(2 ** (bits - 1)) + int(symmetric), 2 ** (bits - 1) - 1


def _check_codes(codes: Array, bits: int, signed: bool, symmetric: bool) -> None:
    """Check that codes are in the range that an algorithm quantizes to (4.9.5).

    Raises:
        ValueError: Some are not.
    """
    low, high = _code_range(bits, signed, symmetric)
    smallest, largest = int(codes.min()), int(codes.max())
    if smallest < low or largest > high:
        wrong = largest if largest > high else smallest
        raise ValueError(f"the file has the code {wrong}, but its codes range from {low} to {high}")


def _check_arguments(algorithm: Mapping[str, Any], rank: int) -> None:
    """Check that the codes have defined values.

    Raises:
        ValueError: The range is reversed, or an argument is negative or not a finite number.
    """
    given = {
        key: _parameter(algorithm[key], rank)
        for key in ("min", "max", "scale", "zero_point")
        if key in algorithm
    }
    for key, value in given.items():
        if not np.isfinite(value).all():
            raise ValueError(f"'{key}' is not a finite number")
    if "scale" in given and (given["scale"] < 0).any():
        raise ValueError("'scale' is negative")
    if "min" in given and "max" in given and (given["min"] > given["max"]).any():
        raise ValueError("'min' is greater than 'max'")
    if algorithm.get("op-name") == "logarithmic_quantize" and (given["max"] <= 0).any():
        raise ValueError("'max' is not positive")


def _by_own_algorithm(codes: Array, header: Header, file: str) -> Array:
    """Decode by the algorithm in a file of the provisional specification, ``f(min = 0.0, ...)``."""
    name, _, arguments = header.algorithm.partition("(")
    name = name.strip()
    if name == "logarithmic_quantize":
        # Its codes are exponents (provisional specification, 4.8.5), which version 1.0 shifted.
        return np.exp2(codes.astype(np.float64))
    given = {key: float(value) for key, value in _ARGUMENT.findall(arguments)}
    # Section 7.1 of the provisional specification calls the operation of 4.8.5 by another name.
    name = "linear_quantize" if name == "quantize_linear" else name
    return _by_algorithm(codes, header, {"op-name": name, **given}, file)


def _parameter(value: Any, rank: int) -> Array:
    array = np.asarray(value, np.float64)
    # Missing trailing extents are 1, as in NNEF's broadcasting.
    return array.reshape(array.shape + (1,) * (rank - array.ndim))


def _parameter32(value: Any, rank: int) -> Array:
    """Return an argument as the engines have it, of the numbers that float32 holds."""
    return _parameter(np.asarray(value, np.float32), rank)


def _linear(codes: Array, minimum: Any, maximum: Any, steps: float, shift: float) -> Array:
    result: Array = (codes.astype(np.float64) + shift) / steps * (maximum - minimum) + minimum
    return result


def _logarithmic(codes: Array, maximum: Array, bits: int, *, signed: bool) -> Array:
    unsigned = codes.astype(np.uint64) & np.uint64(2**bits - 1)
    sign = np.ones(codes.shape)
    if signed:
        # The most significant bit is the sign; the others encode the absolute value.
        bits -= 1
        sign = np.where(unsigned >> np.uint64(bits), -1.0, 1.0)
        unsigned = unsigned & np.uint64(2**bits - 1)
    top = np.ceil(np.log2(maximum))
    result: Array = sign * np.exp2(unsigned.astype(np.float64) + (top - (2.0**bits - 1)))
    return result
