"""Einstein sums, as products of matrices (4.7)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import expanded, reshaped, transposed
from nnefkit.exchange.source_value import Value


def einstein_sum(c: OperatorCall, equation: str, values: Sequence[Value]) -> Value:
    """Return a sum of products, as a product of matrices for each pair of tensors.

    Args:
        c: The call of the operator.
        equation: The letters of the axes, such as ``"bij,bjk->bik"``.
        values: The tensors, of scalars.

    Raises:
        Refusal: It takes a diagonal, or the axes do not fit.
    """
    terms, result_term = _terms(c, equation, values)
    if any(len(set(term)) != len(term) for term in terms):
        refuse("it takes a diagonal", "Write the diagonal as a gather.")
    tensors = _broadcast(c, terms, values)
    value, term = tensors[0]
    for index in range(1, len(terms)):
        needed_later = {*"".join(terms[index + 1 :]), *result_term}
        value, term = _contracted(c, (value, term), tensors[index], needed_later)
    summed = [axis for axis, letter in enumerate(term) if letter not in result_term]
    if summed:
        value = c.op("sum_reduce", value, axes=summed)
        value = reshaped(c, value, [n for a, n in enumerate(value.shape) if a not in summed])
        term = "".join(letter for letter in term if letter in result_term)
    if sorted(term) != sorted(result_term):
        refuse(f"its equation '{equation}' repeats or invents an axis", c.invalid_hint)
    return transposed(c, value, [*map(term.index, result_term)])


def _terms(c: OperatorCall, equation: str, values: Sequence[Value]) -> tuple[list[str], str]:
    """Return the letters of the inputs and of the result, with ellipses replaced by letters."""
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(values):
        refuse(f"its equation '{equation}' is not for {len(values)} tensors", c.invalid_hint)
    letters = left.replace(",", "").replace("...", "")
    if not arrow:
        once = sorted(letter for letter in set(letters) if letters.count(letter) == 1)
        result = ("..." if "..." in left else "") + "".join(once)
    # The axes of an ellipsis are aligned from the right: their letters are counted from there.
    free = [letter for letter in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if letter not in letters]
    counts = [
        value.rank - len(term.replace("...", "")) if "..." in term else 0
        for value, term in zip(values, terms, strict=True)
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


def _broadcast(c: OperatorCall, terms: Sequence[str], values: Sequence[Value]) -> list[_Labeled]:
    """Return the inputs with the same extent for each letter; extents of 1 are repeated."""
    extents: dict[str, int] = {}
    for value, term in zip(values, terms, strict=True):
        if value.rank != len(term):
            refuse(
                f"its input of shape {[*value.shape]} has other axes than '{term}'", c.invalid_hint
            )
        for letter, extent in zip(term, value.shape, strict=True):
            known = extents.setdefault(letter, extent)
            extents[letter] = max(known, extent)
            if 1 not in (known, extent) and known != extent:
                refuse(f"its axis '{letter}' has {known} and {extent} elements", c.invalid_hint)
    return [
        (expanded(c, value, [extents[letter] for letter in term]), term)
        for value, term in zip(values, terms, strict=True)
    ]


def _contracted(
    c: OperatorCall, left: _Labeled, right: _Labeled, needed_later: set[str]
) -> _Labeled:
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
    c: OperatorCall,
    tensor: _Labeled,
    groups: tuple[list[str], list[str], list[str]],
    extents: dict[str, int],
) -> Value:
    """Return a tensor with batch axes, and its other axes merged into rows and columns."""
    (x, term), (batch, rows, columns) = tensor, groups
    x = transposed(c, x, [term.index(letter) for letter in batch + rows + columns])
    sizes = [prod(extents[letter] for letter in group) for group in (rows, columns)]
    return reshaped(c, x, [*(extents[letter] for letter in batch), *sizes])
