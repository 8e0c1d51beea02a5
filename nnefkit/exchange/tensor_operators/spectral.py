"""Fourier transforms, as products with matrices of sines and cosines, and their parts."""

from __future__ import annotations

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.complex_tensor import Complex
from nnefkit.exchange.compositions import elementwise
from nnefkit.exchange.compositions.linear_algebra import along_axis
from nnefkit.exchange.compositions.spectral import waves
from nnefkit.exchange.reshaping import sliced
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensor_call import TensorCall, tensorflow, tflite


@tflite("RFFT2D")
@tensorflow("RFFT", "RFFT2D")
def real_transform(c: TensorCall) -> Complex:
    """Read the transform of the last axes of a real tensor, without the mirrored half."""
    x, lengths = c[0], c.ints(1, "lengths")
    count = 2 if c.operator.endswith("2D") else 1
    if x.rank < count or len(lengths) != count or min(lengths) < 1:
        c.invalid(f"its lengths are {lengths} for an input of rank {x.rank}")
    rows, columns = [1, *lengths][-2:]
    with c.graph.scope("rfft"):
        x = _fitted(c, x, x.rank - 1, columns)
        if count == 2:
            x = _fitted(c, x, x.rank - 2, rows)
        cosine, sine = waves(columns, columns, columns // 2 + 1)
        real = along_axis(c, x, x.rank - 1, _matrix(c, cosine))
        imaginary = along_axis(c, x, x.rank - 1, _matrix(c, -sine))
        if rows == 1:
            return Complex(real, imaginary)
        cosine, sine = waves(rows, rows, rows)
        axis, across, back = x.rank - 2, _matrix(c, cosine), _matrix(c, sine)

        def product(value: Value, matrix: Value) -> Value:
            return along_axis(c, value, axis, matrix)

        return Complex(
            c.op("add", product(real, across), product(imaginary, back)),
            c.op("sub", product(imaginary, across), product(real, back)),
        )


def _matrix(c: TensorCall, data: Array) -> Value:
    return c.graph.constant(data.astype(np.float32), name=f"{c.name}.waves")


def _fitted(c: TensorCall, x: Value, axis: int, length: int) -> Value:
    """Return a tensor cut or padded with zeros to a length along an axis."""
    if length <= x.shape[axis]:
        return sliced(c, x, axis, 0, length)
    padding = [(0, 0)] * x.rank
    padding[axis] = 0, length - x.shape[axis]
    return c.op("pad", x, padding=padding)


@tflite("REAL", "IMAG", "COMPLEX_ABS")
@tensorflow("Real", "Imag", "ComplexAbs")
def parts(c: TensorCall) -> Value:
    """Read a part or the absolute value of a complex tensor."""
    x = c.inputs[0] if c.inputs else None
    if not isinstance(x, Complex):
        c.invalid("its input is not complex")
    if c.operator.upper().endswith("ABS"):
        return elementwise.hypot(c, x.real, x.imaginary)
    return x.real if c.operator.upper() == "REAL" else x.imaginary
