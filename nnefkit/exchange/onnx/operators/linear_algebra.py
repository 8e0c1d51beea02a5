"""Products of matrices (4.7, 4.9.2)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from nnefkit.exchange.compositions.integer_range import narrowed, real
from nnefkit.exchange.compositions.linear_algebra import product
from nnefkit.exchange.onnx.call import INVALID, Call, operator
from nnefkit.exchange.reshaping import (
    expanded,
    reshaped,
    to_dtype,
    to_rank,
    to_scalar,
    transposed,
)
from nnefkit.exchange.source_value import Value


@operator("MatMul")
def matmul(c: Call) -> Value:
    """Read a product of matrices or vectors."""
    a, b = to_scalar(c, c[0]), to_scalar(c, c[1])
    result = narrowed(c, product(c, a, b), c[0].dtype, lambda: product(c, real(c, a), real(c, b)))
    return to_dtype(c, result, c[0].dtype)


@operator("Gemm")
def gemm(c: Call) -> Value:
    """Read ``alpha A B + beta C``: `linear`, or `matmul` and `add`."""
    _refuse_uint64(c)
    a, b, bias = to_scalar(c, c[0]), to_scalar(c, c[1]), c.get(2)
    result = _linear(c, a, b, bias)
    if result is None:
        result = _matmul(c, a, b)
        beta = float(c.attribute("beta", 1.0))
        if bias is not None and beta:
            added = to_scalar(c, bias)
            added = c.op("mul", added, beta) if beta != 1 else added
            result = c.elementwise("add", result, added)
    return to_dtype(c, narrowed(c, result, c[0].dtype), c[0].dtype)


def _refuse_uint64(c: Call) -> None:
    """Refuse sums of products that may exceed the integers of NNEF."""
    if c[0].dtype == np.uint64:
        c.refuse("it computes with uint64, and integers of NNEF are signed", "Cast to int64.")


def _linear(c: Call, a: Value, b: Value, bias: Value | None) -> Value | None:
    """Return a product as `linear`, if it has no other effects and its bias is a row."""
    is_filter = bool(c.attribute("transB", 0))
    if c.attribute("transA", 0) or c.attribute("alpha", 1.0) != 1:
        return None
    if not is_filter and b.data is None:
        return None
    filter_ = b if is_filter else transposed(c, b, [1, 0])
    if bias is None:
        return c.op("linear", a, filter_)
    is_row = bias.shape in ((filter_.shape[0],), (1, filter_.shape[0]))
    if not is_row or c.attribute("beta", 1.0) != 1:
        return None
    return c.op("linear", a, filter_, to_rank(c, to_scalar(c, bias), 2))


def _matmul(c: Call, a: Value, b: Value) -> Value:
    """Return ``alpha A B``."""
    a_transposed, b_transposed = (bool(c.attribute(name, 0)) for name in ("transA", "transB"))
    result = c.op("matmul", a, b, transposeA=a_transposed, transposeB=b_transposed)
    alpha = float(c.attribute("alpha", 1.0))
    return result if alpha == 1 else c.op("mul", result, alpha)


@operator("MatMulInteger")
def matmul_integer(c: Call) -> Value:
    """Read a product of codes; it is computed as scalars, in which products of bytes are exact."""
    a, b = to_scalar(c, c[0]), to_scalar(c, c[1])
    a_zero, b_zero = c.get(2), c.get(3)
    if a_zero is not None:
        zero = to_scalar(c, a_zero)
        if zero.rank == 1 and zero.shape[0] > 1:
            zero = reshaped(c, zero, (*zero.shape, 1))
        a = c.elementwise("sub", a, zero)
    if b_zero is not None:
        b = c.elementwise("sub", b, to_scalar(c, b_zero))
    return to_dtype(c, product(c, a, b), np.dtype(np.int32))


# -- Einstein sums ---------------------------------------------------------------------------------


@operator("Einsum")
def einsum(c: Call) -> Value:
    """Read a sum of products, as a product of matrices for each pair of tensors."""
    terms, result_term = _terms(c)
    if any(len(set(term)) != len(term) for term in terms):
        c.refuse("it takes a diagonal", "Write the diagonal as a gather.")
    _refuse_uint64(c)
    tensors = _broadcast(c, terms)
    value, term = tensors[0]
    for index in range(1, len(terms)):
        needed_later = {*"".join(terms[index + 1 :]), *result_term}
        value, term = _contracted(c, (value, term), tensors[index], needed_later)
    summed = [axis for axis, letter in enumerate(term) if letter not in result_term]
    if summed:
        value = c.op("sum_reduce", value, axes=summed)
        value = reshaped(c, value, [n for a, n in enumerate(value.shape) if a not in summed])
        term = "".join(letter for letter in term if letter in result_term)
    return to_dtype(c, transposed(c, value, [*map(term.index, result_term)]), c[0].dtype)


def _terms(c: Call) -> tuple[list[str], str]:
    """Return the letters of the inputs and of the result, with ellipses replaced by letters."""
    left, arrow, result = c.attribute("equation").replace(" ", "").partition("->")
    terms = left.split(",")
    letters = left.replace(",", "").replace("...", "")
    if not arrow:
        once = sorted(letter for letter in set(letters) if letters.count(letter) == 1)
        result = ("..." if "..." in left else "") + "".join(once)
    # The axes of an ellipsis are aligned from the right: their letters are counted from there.
    free = [letter for letter in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if letter not in letters]
    counts = [
        c[index].rank - len(term.replace("...", "")) if "..." in term else 0
        for index, term in enumerate(terms)
    ]
    most = max(counts)
    terms = [
        term.replace("...", _ellipsis(free, count))
        for term, count in zip(terms, counts, strict=True)
    ]
    return terms, result.replace("...", _ellipsis(free, most))


def _ellipsis(free: list[str], count: int) -> str:
    return "".join(reversed(free[:count]))


_Labeled = tuple[Value, str]
"""A tensor, and a letter for each of its axes."""


def _broadcast(c: Call, terms: Sequence[str]) -> list[_Labeled]:
    """Return the inputs with the same extent for each letter; extents of 1 are repeated."""
    values = [to_scalar(c, c[index]) for index in range(len(terms))]
    extents: dict[str, int] = {}
    for value, term in zip(values, terms, strict=True):
        if value.rank != len(term):
            c.refuse(f"its input of shape {[*value.shape]} has other axes than '{term}'", INVALID)
        for letter, extent in zip(term, value.shape, strict=True):
            known = extents.setdefault(letter, extent)
            extents[letter] = max(known, extent)
            if 1 not in (known, extent) and known != extent:
                c.refuse(f"its axis '{letter}' has {known} and {extent} elements", INVALID)
    return [
        (expanded(c, value, [extents[letter] for letter in term]), term)
        for value, term in zip(values, terms, strict=True)
    ]


def _contracted(c: Call, left: _Labeled, right: _Labeled, needed_later: set[str]) -> _Labeled:
    """Return the product of two tensors, summed over the letters that are not needed later."""
    (x, a), (y, b) = left, right
    extents = dict(zip(a, x.shape, strict=True)) | dict(zip(b, y.shape, strict=True))
    common = [letter for letter in a if letter in b]
    batch = [letter for letter in common if letter in needed_later]
    inner = [letter for letter in common if letter not in needed_later]
    rows = [letter for letter in a if letter not in b]
    columns = [letter for letter in b if letter not in a]
    x = _as_matrices(c, left, (batch, rows, inner), extents)
    y = _as_matrices(c, right, (batch, inner, columns), extents)
    letters = batch + rows + columns
    result = reshaped(c, c.op("matmul", x, y), [extents[letter] for letter in letters])
    return result, "".join(letters)


def _as_matrices(
    c: Call,
    tensor: _Labeled,
    groups: tuple[list[str], list[str], list[str]],
    extents: dict[str, int],
) -> Value:
    """Return a tensor with batch axes, and its other axes merged into rows and columns."""
    (x, term), (batch, rows, columns) = tensor, groups
    x = transposed(c, x, [term.index(letter) for letter in batch + rows + columns])
    sizes = [prod(extents[letter] for letter in group) for group in (rows, columns)]
    return reshaped(c, x, [*(extents[letter] for letter in batch), *sizes])


@operator("Det")
def determinant(c: Call) -> Value:
    """Read the determinant of matrices of 2 by 2."""
    x = c[0]
    if x.shape[-2:] != (2, 2):
        c.refuse("NNEF has no determinants of large matrices", "Compute them outside the network.")
    flat = reshaped(c, x, (*x.shape[:-2], 4))
    p, q, r, s = c.ops("unstack", flat, axis=flat.rank - 1)
    return c.op("sub", c.op("mul", p, s), c.op("mul", q, r))
