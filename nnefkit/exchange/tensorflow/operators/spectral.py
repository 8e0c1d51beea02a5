"""Complex numbers, whose parts are separate tensors."""

from __future__ import annotations

from nnefkit.exchange.complex_tensor import Complex
from nnefkit.exchange.tensorflow.call import Call, operator


@operator("Complex")
def complex_of(c: Call) -> Complex:
    """Read a complex tensor of two parts."""
    real, imaginary = c[0], c[1]
    if real.shape != imaginary.shape:
        c.refuse("its parts have different shapes", "Give them one shape.")
    return Complex(real, imaginary)
