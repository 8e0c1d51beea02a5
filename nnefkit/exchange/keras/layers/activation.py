"""Activation functions (4.9.1), as layers, by name, and as parts of other layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nnefkit.exchange.compositions import activation, elementwise
from nnefkit.exchange.compositions.recurrent import named
from nnefkit.exchange.keras.architecture import layer_info
from nnefkit.exchange.keras.call import Call, layer
from nnefkit.exchange.keras.options import INVALID
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, to_rank
from nnefkit.exchange.source_value import Value

_KERAS_2_SLOPE, _KERAS_2_OFFSET = 0.2, 0.5
_SLOPE = 0.2
_THRESHOLD = 0.5


def _plain(name: str) -> Callable[[Call, Value], Value]:
    return lambda c, x: c.op(name, x)


def hard_sigmoid(c: Call, x: Value) -> Value:
    """Return a sigmoid of straight lines, which is another one in Keras 2."""
    if c.is_keras_2:
        return activation.hard_sigmoid(c, x, _KERAS_2_SLOPE, _KERAS_2_OFFSET)
    return activation.hard_sigmoid(c, x)


def glu(c: Call, x: Value, axis: int = -1) -> Value:
    """Return the first half of an axis times the sigmoid of the second one."""
    axis = axis % x.rank
    first, second = c.ops("split", x, axis=axis, ratios=[1, 1])
    return c.op("mul", first, c.op("sigmoid", second))


def squareplus(c: Call, x: Value, b: float = 4.0) -> Value:
    """Return ``(x + sqrt(x x + b)) / 2``."""
    root = c.op("sqrt", c.op("add", c.op("sqr", x), c.decimal(b)))
    return c.op("div", c.op("add", x, root), 2.0)


def log_sigmoid(c: Call, x: Value) -> Value:
    """Return the logarithm of the sigmoid."""
    return c.op("neg", c.op("softplus", c.op("neg", x)))


def _sparse_plus(c: Call, x: Value) -> Value:
    inner = c.op("div", c.op("sqr", c.op("add", x, 1.0)), 4.0)
    above = c.op("select", c.op("ge", x, 1.0), x, inner)
    return c.op("select", c.op("le", x, -1.0), 0.0, above)


def softmax(c: Call, x: Value) -> Value:
    """Return the softmax over the last axis."""
    return c.op("softmax", x, axes=[x.rank - 1])


FUNCTIONS: Mapping[str, Callable[[Call, Value], Value]] = {
    "linear": lambda _, x: x,
    **{name: _plain(name) for name in ("relu", "elu", "selu", "sigmoid", "tanh")},
    "relu6": lambda c, x: c.op("clamp", x, 0.0, 6.0),
    "leaky_relu": lambda c, x: c.op("leaky_relu", x, alpha=_SLOPE),
    "gelu": activation.gelu,
    "silu": activation.swish,
    "swish": activation.swish,
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": activation.hard_swish,
    "hard_swish": activation.hard_swish,
    "hard_tanh": lambda c, x: c.op("clamp", x, -1.0, 1.0),
    "softplus": activation.softplus,
    "softsign": activation.softsign,
    "softmax": softmax,
    "log_softmax": lambda c, x: activation.log_softmax(c, x, [x.rank - 1]),
    "exponential": _plain("exp"),
    "mish": activation.mish,
    "celu": activation.celu,
    "glu": glu,
    "log_sigmoid": log_sigmoid,
    "tanh_shrink": lambda c, x: c.op("sub", x, c.op("tanh", x)),
    "soft_shrink": lambda c, x: activation.shrink(c, x, _THRESHOLD, _THRESHOLD),
    "hard_shrink": lambda c, x: activation.shrink(c, x, _THRESHOLD, 0.0),
    "squareplus": squareplus,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": lambda c, x: c.op("clamp", c.op("div", c.op("add", x, 1.0), 2.0), 0.0, 1.0),
}
"""Name of an activation -> the function."""


def function_name(stated: Any) -> str:
    """Return the name of an activation function.

    Args:
        stated: A name, a serialized function, or None.

    Raises:
        Refusal: It is a custom function, or one that is not read.
    """
    if stated is None:
        return "linear"
    if isinstance(stated, Mapping):
        module, name = str(stated.get("module") or "keras"), stated.get("config")
        if not isinstance(name, str) and "class_name" in stated:
            name = stated["class_name"]
        registered = stated.get("registered_name")
        if not module.startswith(("keras", "builtins")) or (
            isinstance(registered, str) and registered != name
        ):
            refuse(f"its activation '{name}' is a custom function", "Use one of Keras' own.")
        stated = name
    if not isinstance(stated, str):
        refuse("its activation is not a function", INVALID)
    return stated


def activated(c: Call, x: Value, stated: Any, name: str = "") -> Value:
    """Return a tensor with an activation applied, as the layer states it.

    Args:
        c: The call of the layer.
        x: The tensor.
        stated: A name, a serialized function or layer, or None.
        name: The name of the layer; the tensor before the activation is named after it.
    """
    is_layer = isinstance(stated, Mapping) and isinstance(stated.get("config"), Mapping)
    if not is_layer and function_name(stated) == "linear":
        return x
    if name:
        named(c, x, f"{name}_linear")
    if is_layer:
        inner = layer_info(stated, 1)
        return _value(c.read(inner, f"{c.path}/{inner.name}", [x], {}))
    key = function_name(stated)
    if key not in FUNCTIONS:
        refuse(f"its activation '{key:.40}' is not read", "Use one of Keras' other activations.")
    return FUNCTIONS[key](c, x)


def _value(result: Any) -> Value:
    if not isinstance(result, Value):
        refuse("its activation has several results", INVALID)
    return result


# -- layers ----------------------------------------------------------------------------------------


@layer("Activation")
def activation_layer(c: Call) -> Value:
    """Read an activation function by its name."""
    return activated(c, c.x, c.options.get("activation"))


@layer("ReLU")
def relu(c: Call) -> Value:
    """Read `relu`, `clamp`, `leaky_relu`, or a composition with a threshold."""
    slope = c.options.number("negative_slope", 0.0) if _is_set(c, "negative_slope") else 0.0
    threshold = c.options.number("threshold", 0.0) if _is_set(c, "threshold") else 0.0
    limit = c.options.number("max_value", 0.0) if _is_set(c, "max_value") else None
    return rectified(c, c.x, slope, limit, threshold)


def _is_set(c: Call, option: str) -> bool:
    return c.options.get(option) is not None


def rectified(
    c: Call, x: Value, slope: float = 0.0, limit: float | None = None, threshold: float = 0.0
) -> Value:
    """Return a rectified tensor.

    Args:
        c: The call of the layer.
        x: The tensor.
        slope: The factor of the distance below the threshold.
        limit: The largest result; None for none.
        threshold: What is not above is 0.
    """
    if not threshold and limit is None:
        return c.op("leaky_relu", x, alpha=c.decimal(slope)) if slope else c.op("relu", x)
    if not threshold:
        positive = c.op("clamp", x, 0.0, c.decimal(limit or 0.0))
    else:
        above = c.op("gt", x, c.decimal(threshold))
        positive = c.op("select", above, x, 0.0)
        if limit is not None:
            positive = c.op("clamp", positive, 0.0, c.decimal(limit))
    if not slope:
        return positive
    below = c.op("relu", c.op("add", c.op("neg", x), c.decimal(threshold)))
    return c.op("sub", positive, c.op("mul", below, c.decimal(slope)))


@layer("ThresholdedReLU")
def thresholded_relu(c: Call) -> Value:
    """Read the elements above a threshold, and 0 for the others."""
    theta = c.decimal(c.options.number("theta", 1.0))
    return c.op("select", c.op("gt", c.x, theta), c.x, 0.0)


@layer("LeakyReLU")
def leaky_relu(c: Call) -> Value:
    """Read `leaky_relu`; its slope is called alpha in Keras 2."""
    name = "alpha" if "alpha" in c.layer.config else "negative_slope"
    return c.op("leaky_relu", c.x, alpha=c.decimal(c.options.number(name, 0.3)))


@layer("ELU")
def elu(c: Call) -> Value:
    """Read `elu`."""
    alpha = c.decimal(c.options.number("alpha", 1.0))
    return c.op("elu", c.x) if alpha == 1 else c.op("elu", c.x, alpha=alpha)


@layer("PReLU")
def prelu(c: Call) -> Value:
    """Read `prelu`; the slopes have the shape of the input without its batch."""
    c.options.get("shared_axes")
    slopes = c.weight("alpha")
    return activation.prelu(c, c.x, to_rank(c, slopes, c.x.rank))


@layer("Softmax")
def softmax_layer(c: Call) -> Value:
    """Read `softmax` over one or several axes; masked elements do not count."""
    axes = c.options.axes("axis", -1, c.x.rank)
    x, mask = c.x, c.mask_of(None, 1)
    if mask is not None:
        x = masked_scores(c, x, mask)
    result = c.op("softmax", x, axes=axes)
    return result if mask is None else elementwise.where(c, mask, result, c.as_tensor(0.0))


def masked_scores(c: Call, x: Value, mask: Value) -> Value:
    """Return scores with the lowest number in place of those that a logical mask leaves out."""
    lowest = c.graph.constant(np.float32(np.finfo(np.float32).min / 2))
    if mask.rank < x.rank:
        mask = reshaped(c, mask, (*mask.shape, *(1,) * (x.rank - mask.rank)))
    return elementwise.where(c, mask, x, lowest)
