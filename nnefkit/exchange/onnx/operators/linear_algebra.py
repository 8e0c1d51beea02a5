"""Products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.onnx.values import binary
from nnefkit.exchange.reshaping import broadcast, reshaped, to_dtype, to_rank, to_scalar, transposed
from nnefkit.exchange.source_graph import Value


@operator("MatMul")
def matmul(c: Call) -> Value:
    """A product of matrices or vectors, batch axes broadcast."""
    dtype = c[0].dtype
    return to_dtype(c, product(c, to_scalar(c, c[0]), to_scalar(c, c[1])), dtype)


def product(c: Call, a: Value, b: Value) -> Value:
    """The product of two tensors by the rules of ONNX, which are NumPy's."""
    shape = [*broadcast(c, a.shape[:-2], b.shape[:-2])]
    shape += [*a.shape[-2:-1]] if a.rank > 1 else []
    shape += [*b.shape[-1:]] if b.rank > 1 else []
    left = reshaped(c, a, (1, *a.shape)) if a.rank == 1 else a
    right = reshaped(c, b, (*b.shape, 1)) if b.rank == 1 else b
    rank = max(left.rank, right.rank)
    result = c.op("matmul", to_rank(c, left, rank), to_rank(c, right, rank))
    return reshaped(c, result, shape)


@operator("Gemm")
def gemm(c: Call) -> Value:
    """``alpha A B + beta C``: `linear` where it is one."""
    a, b = to_scalar(c, c[0]), to_scalar(c, c[1])
    bias = c.get(2)
    alpha, beta = float(c.attribute("alpha", 1.0)), float(c.attribute("beta", 1.0))
    over, under = bool(c.attribute("transA", 0)), bool(c.attribute("transB", 0))
    dtype = c[0].dtype
    rows = b if under else transposed(c, b, [1, 0]) if b.data is not None else None
    row_bias = bias is None or bias.rank == 1 or (bias.rank == 2 and bias.shape[0] == 1)
    width = b.shape[0 if under else 1]
    if rows is not None and alpha == 1 and not over and row_bias and (bias is None or beta == 1):
        biases = []
        if bias is not None and bias.shape[-1] == width:
            biases = [to_rank(c, to_scalar(c, bias), 2)]
        if bias is None or biases:
            return to_dtype(c, c.op("linear", a, rows, *biases), dtype)
    result = c.op("matmul", a, b, transposeA=over, transposeB=under)
    if alpha != 1:
        result = c.op("mul", result, alpha)
    if bias is not None and beta:
        added = to_scalar(c, bias)
        result = binary(c, "add", result, c.op("mul", added, beta) if beta != 1 else added)
    return to_dtype(c, result, dtype)


@operator("MatMulInteger")
def matmul_integer(c: Call) -> Value:
    """A product of codes, computed in scalars: products of bytes are exact there."""
    a, b = to_scalar(c, c[0]), to_scalar(c, c[1])
    if (zero := c.get(2)) is not None:
        zero = to_scalar(c, zero)
        if zero.rank == 1 and zero.shape[0] > 1:
            zero = reshaped(c, zero, (*zero.shape, 1))
        a = binary(c, "sub", a, zero)
    if (zero := c.get(3)) is not None:
        b = binary(c, "sub", b, to_scalar(c, zero))
    return to_dtype(c, product(c, a, b), np.dtype(np.int32))


@operator("Einsum")
def einsum(c: Call) -> Value:
    """Sums of products, as a product of matrices for each pair of tensors."""
    text = c.attribute("equation").replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if "." in text:
        terms, right = _spelled(c, terms, right if arrow else None)
    if not arrow and "." not in text:
        letters = "".join(terms)
        right = "".join(sorted(x for x in set(letters) if letters.count(x) == 1))
    if any(len(set(term)) != len(term) for term in terms):
        c.refuse("it takes a diagonal", "Write the diagonal as a gather.")
    value, term = to_scalar(c, c[0]), terms[0]
    for index in range(1, len(terms)):
        later = "".join(terms[index + 1 :]) + right
        value, term = _contracted(c, (value, term), (to_scalar(c, c[index]), terms[index]), later)
    summed = [axis for axis, letter in enumerate(term) if letter not in right]
    if summed:
        value = c.op("sum_reduce", value, axes=summed)
        value = reshaped(c, value, [n for a, n in enumerate(value.shape) if a not in summed])
        term = "".join(letter for letter in term if letter in right)
    return to_dtype(c, transposed(c, value, [term.index(x) for x in right]), c[0].dtype)


def _spelled(c: Call, terms: list[str], right: str | None) -> tuple[list[str], str]:
    """Ellipses replaced by letters, aligned from the right."""
    free = [x for x in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if x not in "".join(terms)]
    most = 0
    spelled = []
    for index, term in enumerate(terms):
        count = c[index].rank - len(term.replace("...", "")) if "..." in term else 0
        most = max(most, count)
        spelled.append(term.replace("...", "".join(free[:count][::-1])))
    every = "".join(free[:most][::-1])
    if right is None:
        letters = "".join(term.replace("...", "") for term in terms)
        right = "..." + "".join(sorted(x for x in set(letters) if letters.count(x) == 1))
    return spelled, right.replace("...", every)


def _contracted(
    c: Call, one: tuple[Value, str], other: tuple[Value, str], later: str
) -> tuple[Value, str]:
    """The product of two tensors, summed over the letters that nobody asks for later."""
    (x, a), (y, b) = one, other
    batch = [i for i in a if i in b and i in later]
    inner = [i for i in a if i in b and i not in later]
    rows = [i for i in a if i not in b]
    columns = [i for i in b if i not in a]
    extents = dict(zip(a, x.shape, strict=True)) | dict(zip(b, y.shape, strict=True))

    def volume(letters: list[str]) -> int:
        return int(np.prod([extents[i] for i in letters]))

    shape = [extents[i] for i in batch]
    x = transposed(c, x, [a.index(i) for i in batch + rows + inner])
    y = transposed(c, y, [b.index(i) for i in batch + inner + columns])
    x = reshaped(c, x, [*shape, volume(rows), volume(inner)])
    y = reshaped(c, y, [*shape, volume(inner), volume(columns)])
    result: Any = c.op("matmul", x, y)
    letters = batch + rows + columns
    return reshaped(c, result, [extents[i] for i in letters]), "".join(letters)


@operator("Det")
def determinant(c: Call) -> Value:
    """Of 2 by 2 matrices, by the formula."""
    x = c[0]
    if x.shape[-2:] != (2, 2):
        c.refuse("determinants of large matrices have no NNEF", "Compute them outside.")
    flat = reshaped(c, x, (*x.shape[:-2], 4))
    p, q, r, s = c.ops("unstack", flat, axis=flat.rank - 1)
    return c.op("sub", c.op("mul", p, s), c.op("mul", q, r))
