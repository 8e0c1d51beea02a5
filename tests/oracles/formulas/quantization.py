"""Quantization (4.9.5), in the order of operations of its definitions."""

import math

from oracles.formulas.elementwise import clamp, each, log, over, power, round_


def min_max(x, min, max, bits, signed, symmetric):
    r = float(2**bits - 1 - int(signed and symmetric))
    z = clamp(x, min, max)
    p = float(2 ** (bits - 1) - int(symmetric)) if signed else 0.0
    q = round_(over(z - min, max - min) * r) - p
    return (q + p) / r * (max - min) + min


def zero_point(x, zero_point, scale, bits, signed, symmetric):
    z = float(zero_point)
    s = round_(over(x, scale)) + z
    r = float(2 ** (bits - 1) - 1 if signed else 2**bits - 1)
    q = clamp(s, 0.0 if not signed else -r if symmetric else -r - 1.0, r)
    return (q - z) * scale


def logarithmic(x, max, bits):
    m = math.ceil(math.log2(max))
    r = float(2**bits - 1)
    magnitude = log(abs(x)) / math.log(2.0)
    nearest = round_(magnitude)
    if abs(magnitude - nearest) < 1e-9:
        magnitude = nearest  # of a power of two, whose logarithm is whole
    q = round_(clamp(magnitude, m - r, m))
    sign = 1.0 if x > 0 else -1.0 if x < 0 else x
    return sign * power(2.0, q)


FORMULAS = {
    "min_max_linear_quantize": each(min_max),
    "linear_quantize": each(
        lambda x, min, max, bits: min_max(x, min, max, bits, signed=False, symmetric=False)
    ),
    "zero_point_linear_quantize": each(zero_point),
    "logarithmic_quantize": each(logarithmic),
}
