"""Element-wise operations (4.2), activations (4.9.1), and others that map element to element."""

import math

import numpy as np

NAN, INF = math.nan, math.inf


def item(array, index):
    """Return the element for `index` of a result: extents of 1 repeat, missing ones trail."""
    return array[
        tuple(i if extent > 1 else 0 for i, extent in zip(index, array.shape, strict=False))
    ].item()


def broadcast(arrays):
    """Return the shape that arrays broadcast to."""
    rank = max((array.ndim for array in arrays), default=0)
    return tuple(
        max((array.shape[axis] for array in arrays if axis < array.ndim), default=1)
        for axis in range(rank)
    )


def array_of(function, shape):
    """The array that has ``function(index)`` at each index."""
    result = np.empty(shape, object)
    for index in np.ndindex(*shape):
        result[index] = function(index)
    return np.array(result.tolist()).reshape(shape)


def each(function):
    """Return the formula that applies a function of numbers to each element."""

    def formula(*inputs, **attribs):
        arrays = [np.asarray(value) for value in inputs]
        shape = broadcast(arrays)
        return array_of(
            lambda index: function(*(item(array, index) for array in arrays), **attribs), shape
        )

    return formula


def real(function, overflow=lambda _: INF):
    """A function of the C library with the results that IEEE 754 has for it."""

    def compute(x):
        try:
            return function(x)
        except OverflowError:
            return overflow(x)
        except ValueError:
            return NAN

    return compute


def over(x, y):
    if y == 0:
        if x == 0 or math.isnan(x):
            return NAN
        return math.copysign(INF, x) * math.copysign(1.0, y)
    return x / y


def power(x, y):
    try:
        return math.pow(x, y)
    except OverflowError:
        return -INF if x < 0 and y % 2 == 1 else INF
    except ValueError:
        if x == 0:
            return math.copysign(INF, x) if y % 2 == 1 else INF
        return NAN


def root(x):
    # x ^ 0.5, and of negative infinity what all negative numbers have: C's pow gives +infinity.
    return NAN if x < 0 else power(x, 0.5)


def exp(x):
    return real(math.exp)(x)


def log(x):
    return math.log(x) if x > 0 else -INF if x == 0 else NAN


def round_(x):
    # x + 0.5 as real numbers: in doubles the sum may itself be rounded.
    if not math.isfinite(x):
        return x
    down = math.floor(x)
    return float(down + 1 if x - down >= 0.5 else down)


def whole(function):
    return lambda x: float(function(x)) if math.isfinite(x) else x


def minimum(x, y):
    return x if x < y else y


def maximum(x, y):
    return x if x > y else y


def clamp(x, a, b):
    return maximum(minimum(x, b), a)


def sigmoid(x):
    return 1.0 / (1.0 + exp(-x))


def elu(x, alpha):
    # exp(x) - 1 in real numbers.
    return alpha * math.expm1(x) if x < 0 else x


def gelu(x):
    return x * math.erfc(-x / math.sqrt(2.0)) / 2


def softplus(x):
    # log(exp(x) + 1) in real numbers: the exponential of a double may overflow.
    return x + math.log1p(math.exp(-x)) if x > 0 else math.log1p(exp(x))


def cast(x, dtype):
    if dtype == "logical":
        return bool(x)
    if dtype == "scalar":
        return float(x)
    if isinstance(x, float) and not math.isfinite(x):
        return 0 if math.isnan(x) else 2**63 - 1 if x > 0 else -(2**63)
    return min(max(math.floor(x), -(2**63)), 2**63 - 1)


def add_n(x):
    def total(items):
        return items[0] + total(items[1:]) if items else 0.0

    arrays = [np.asarray(array) for array in x]
    return array_of(
        lambda index: total([item(array, index) for array in arrays]), broadcast(arrays)
    )


SIGNED_INF = {"overflow": lambda x: math.copysign(INF, x)}

FORMULAS = {
    "neg": each(lambda x: -x),
    "rcp": each(lambda x: over(1.0, x)),
    "exp": each(exp),
    "log": each(log),
    "sin": each(real(math.sin)),
    "cos": each(real(math.cos)),
    "tan": each(real(math.tan)),
    "sinh": each(real(math.sinh, **SIGNED_INF)),
    "cosh": each(real(math.cosh)),
    "tanh": each(math.tanh),
    "asin": each(real(math.asin)),
    "acos": each(real(math.acos)),
    "atan": each(math.atan),
    "asinh": each(math.asinh),
    "acosh": each(real(math.acosh)),
    "atanh": each(lambda x: math.copysign(INF, x) if abs(x) == 1 else real(math.atanh)(x)),
    "abs": each(lambda x: -x if x < 0 else x),
    "sign": each(lambda x: 1.0 if x > 0 else -1.0 if x < 0 else 0.0 if x == 0 else x),
    "not": each(lambda x: not x),
    "floor": each(whole(math.floor)),
    "ceil": each(whole(math.ceil)),
    "round": each(round_),
    "add": each(lambda x, y: x + y),
    "sub": each(lambda x, y: x - y),
    "mul": each(lambda x, y: x * y),
    "div": each(over),
    "pow": each(power),
    "lt": each(lambda x, y: x < y),
    "gt": each(lambda x, y: x > y),
    "le": each(lambda x, y: x <= y),
    "ge": each(lambda x, y: x >= y),
    "eq": each(lambda x, y: x == y),
    "ne": each(lambda x, y: x != y),
    "and": each(lambda x, y: x and y),
    "or": each(lambda x, y: x or y),
    "select": each(lambda condition, x, y: x if condition else y),
    "sqr": each(lambda x: power(x, 2.0)),
    "sqrt": each(root),
    "rsqr": each(lambda x: power(x, -2.0)),
    "rsqrt": each(lambda x: over(1.0, root(x) + 0.0)),
    "log2": each(lambda x: log(x) / math.log(2.0)),
    "min": each(minimum),
    "max": each(maximum),
    "clamp": each(clamp),
    "sigmoid": each(sigmoid),
    "relu": each(lambda x: maximum(x, 0.0)),
    "prelu": each(lambda x, alpha: alpha * x if x < 0 else x),
    "leaky_relu": each(lambda x, alpha: alpha * x if x < 0 else x),
    "elu": each(elu),
    "selu": each(lambda x, **attribs: attribs["lambda"] * elu(x, attribs["alpha"])),
    "gelu": each(gelu),
    "silu": each(lambda x: over(x, 1.0 + exp(-x))),
    "softplus": each(softplus),
    "batch_normalization": each(
        lambda x, mean, variance, offset, scale, epsilon: (
            offset + over(scale * (x - mean), power(variance + epsilon, 0.5))
        )
    ),
    "cast": each(cast),
    "add_n": add_n,
}
