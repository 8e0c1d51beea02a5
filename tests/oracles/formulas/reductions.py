"""Reductions (4.4), and what is defined by them: 4.7, 4.9.1, 4.9.2, 4.9.4, 4.9.6."""

import math

import numpy as np

from oracles.formulas.elementwise import array_of, each, exp, item, maximum, over, power


def reduced(function):
    """Return the formula of a function of the elements along `axes`, in row-major order."""

    def formula(input, axes):
        shape = tuple(1 if k in axes else extent for k, extent in enumerate(input.shape))
        volume = tuple(extent if k in axes else 1 for k, extent in enumerate(input.shape))

        def at(index):
            places = (
                tuple(i + j for i, j in zip(index, inner, strict=True))
                for inner in np.ndindex(*volume)
            )
            return function([input[place].item() for place in places])

        return array_of(at, shape)

    return formula


def total(items):
    result = 0.0
    for value in items:
        result += value
    return result


def first(better):
    """Return the position of the first best element; NaN is better than all numbers."""

    def position(items):
        best = 0
        for j, value in enumerate(items):
            if math.isnan(items[best]):
                break
            if math.isnan(value) or better(value, items[best]):
                best = j
        return best

    return position


largest, smallest = first(lambda x, y: x > y), first(lambda x, y: x < y)
sums = reduced(total)
means = reduced(lambda items: total(items) / len(items))


def sum_reduce(input, axes, normalize):
    return means(input, axes) if normalize else sums(input, axes)


def softmax(x, axes):
    highest = reduced(lambda items: items[largest(items)])(x, axes)
    weights = each(lambda x, m: exp(x - m))(x, highest)
    return each(over)(weights, sums(weights, axes))


def moments(input, axes):
    mean = means(input, axes)
    return [mean, means(each(lambda x, m: power(x - m, 2.0))(input, mean), axes)]


def normalized(term, root):
    def formula(input, axes, bias, epsilon):
        norm = each(lambda s: maximum(root(s) + bias, epsilon))(sums(each(term)(input), axes))
        return each(over)(input, norm)

    return formula


def matmul(A, B, transposeA, transposeB):
    a = A.swapaxes(-1, -2) if transposeA else A
    b = B.swapaxes(-1, -2) if transposeB else B
    batch = tuple(max(m, n) for m, n in zip(a.shape[:-2], b.shape[:-2], strict=True))

    def at(index):
        *outer, i, j = index
        return total(item(a, (*outer, i, k)) * item(b, (*outer, k, j)) for k in range(a.shape[-1]))

    return array_of(at, (*batch, a.shape[-2], b.shape[-1]))


def linear(input, filter, bias):
    return each(lambda x, y: x + y)(matmul(input, filter, False, True), bias)


FORMULAS = {
    "sum_reduce": sum_reduce,
    "mean_reduce": means,
    "max_reduce": reduced(lambda items: items[largest(items)]),
    "min_reduce": reduced(lambda items: items[smallest(items)]),
    "argmax_reduce": reduced(largest),
    "argmin_reduce": reduced(smallest),
    "all_reduce": reduced(lambda items: all(items)),
    "any_reduce": reduced(lambda items: any(items)),
    "softmax": softmax,
    "moments": moments,
    "l1_normalization": normalized(abs, lambda s: s),
    "l2_normalization": normalized(lambda x: x * x, lambda s: power(s, 0.5)),
    "matmul": matmul,
    "linear": linear,
}
