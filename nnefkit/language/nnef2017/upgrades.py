"""Conversion of operations of 2017 whose names, attributes, ranks or formulas changed.

`UPGRADES` has a function for each operation of the provisional chapter 4 that differs in 1.0. It
emits operations of 1.0 that compute what the provisional text specifies.
"""

from __future__ import annotations

from typing import Any

from nnefkit.language.nnef2017.provisional_call import ProvisionalCall, UpgradeTarget
from nnefkit.language.nnef2017.window_arguments import (
    convolution,
    filled_factor,
    filled_window,
    known_rank,
)
from nnefkit.registry import Registry

UPGRADES = Registry()
"""The function (target, call) that converts an operation of 2017, by its name."""

_upgrade = UPGRADES.register


def _renamed(
    target: UpgradeTarget, call: ProvisionalCall, old: str, new: str, section: str
) -> None:
    if old in call.given:
        message = f"'{old}' of '{call.name}' is called '{new}' since 1.0"
        target.note(call, message, section, argument=old)


def _successor(target: UpgradeTarget, call: ProvisionalCall, new: str, section: str) -> None:
    target.note(call, f"'{call.name}' is called '{new}' since 1.0", section)


# -- tensor introducing operations (4.1) ---------------------------------------------------------


@_upgrade("external")
def _external(target: UpgradeTarget, call: ProvisionalCall) -> None:
    shape = [*call.arguments["shape"]]
    if 0 in shape[1:]:
        raise target.refuse(
            call,
            "open-extent",
            f"the 0 in the shape {shape} leaves an extent open (section 4.1.1 of the provisional "
            "specification), which has no equivalent since 1.0",
            "shape",
            "Write the extent; infer_shapes accepts other extents later.",
        )
    if shape and shape[0] == 0:
        target.warn(
            call,
            "open-extent",
            f"the 0 in the shape {shape} leaves the batch extent open (section 4.1.1 of the "
            "provisional specification); it is read as 1",
            "shape",
            "Extents are known and positive since 1.0; infer_shapes accepts other extents later.",
        )
        shape[0] = 1
    target.replace(call, "external", shape=shape)


@_upgrade("variable")
def _variable(target: UpgradeTarget, call: ProvisionalCall) -> None:
    label = call.arguments["label"]
    other = target.labels.setdefault(label.lower(), label)
    if other != label:
        raise target.refuse(
            call,
            "label-case",
            f"the labels '{other}' and '{label}' differ only in case: they are two variables in "
            "the provisional specification (section 4.1.3), but one variable since 1.0",
            "label",
            "Give one of the variables and its file another label.",
        )
    target.replace(call, "variable", **call.arguments)


# -- element-wise operations (4.2) ---------------------------------------------------------------


@_upgrade("idn")
def _idn(target: UpgradeTarget, call: ProvisionalCall) -> None:
    _successor(target, call, "copy", "4.2.1")
    target.replace(call, "copy", **call.arguments)


# -- sliding-window operations (4.3, 4.8.2, 4.8.3, 4.8.4) ------------------------------------------


@_upgrade("box", "debox", "argmax_pool", "sample", "desample")
@_upgrade("max_pool_with_index", "max_pool", "avg_pool", "rms_pool")
def _window(target: UpgradeTarget, call: ProvisionalCall) -> None:
    if call.name in ("argmax_pool", "max_pool_with_index"):
        target.note(
            call,
            f"'index' of '{call.name}' is an integer since 1.0: the row-major position in the "
            "window instead of a coordinate",
            "4.3.3",
        )
    target.replace(call, call.name, **filled_window(target, call))


@_upgrade("conv", "deconv", "separable_conv", "separable_deconv")
def _convolution(target: UpgradeTarget, call: ProvisionalCall) -> None:
    target.replace(call, call.name, **convolution(target, call))


@_upgrade("planewise_conv", "planewise_deconv")
def _planewise(target: UpgradeTarget, call: ProvisionalCall) -> None:
    name = call.name.removeprefix("planewise_")
    target.note(call, f"'{call.name}' is '{name}' with groups = 0 since 1.0", "4.3.1")
    target.replace(call, name, **convolution(target, call), groups=0)


@_upgrade("nearest_downsample", "area_downsample", "nearest_upsample", "multilinear_upsample")
def _resampling(target: UpgradeTarget, call: ProvisionalCall) -> None:
    target.replace(call, call.name, **filled_factor(target, call))


@_upgrade("local_response_normalization", "local_mean_normalization")
def _local(target: UpgradeTarget, call: ProvisionalCall) -> None:
    target.replace(call, call.name, **filled_window(target, call))


@_upgrade("local_variance_normalization")
def _local_variance(target: UpgradeTarget, call: ProvisionalCall) -> None:
    arguments = filled_window(target, call)
    if arguments["bias"] == 0.0:
        target.replace(call, call.name, **arguments)
    else:
        _by_local_variance(target, call, arguments["input"], arguments)


@_upgrade("local_contrast_normalization")
def _local_contrast(target: UpgradeTarget, call: ProvisionalCall) -> None:
    arguments = filled_window(target, call)
    if arguments["bias"] == 0.0:
        target.replace(call, call.name, **arguments)
        return
    size = arguments["size"]
    centered = target.intermediate(
        call, "local_mean_normalization", input=arguments["input"], size=size
    )
    _by_local_variance(target, call, centered, arguments)


def _by_local_variance(
    target: UpgradeTarget, call: ProvisionalCall, value: Any, arguments: dict[str, Any]
) -> None:
    squares = target.intermediate(call, "sqr", x=value)
    energy = target.intermediate(call, "box", input=squares, size=arguments["size"], normalize=True)
    _by_root(target, call, value, energy, arguments["bias"])


# -- reductions (4.4) and normalization along axes (4.8.1, 4.8.4, 4.8.6) ---------------------------


@_upgrade("sum_reduce", "min_reduce", "max_reduce", "mean_reduce", "moments", "softmax")
def _reduction(target: UpgradeTarget, call: ProvisionalCall) -> None:
    target.replace(call, call.name, **_inner_axes(target, call))


@_upgrade("l1_normalization")
def _l1_normalization(target: UpgradeTarget, call: ProvisionalCall) -> None:
    arguments = _inner_axes(target, call)
    value, axes, bias = arguments["input"], arguments["axes"], arguments["bias"]
    if bias >= 0.0:
        target.replace(call, call.name, **arguments)
        return
    _written_out(target, call, "may not make the divisor negative")
    norm = target.intermediate(
        call, "sum_reduce", input=target.intermediate(call, "abs", x=value), axes=axes
    )
    target.replace(call, "div", x=value, y=target.intermediate(call, "add", x=norm, y=bias))


@_upgrade("l2_normalization")
def _l2_normalization(target: UpgradeTarget, call: ProvisionalCall) -> None:
    arguments = _inner_axes(target, call)
    value, axes, bias = arguments["input"], arguments["axes"], arguments["bias"]
    if bias == 0.0:
        target.replace(call, call.name, **arguments)
        return
    squares = target.intermediate(call, "sqr", x=value)
    energy = target.intermediate(call, "sum_reduce", input=squares, axes=axes)
    _by_root(target, call, value, energy, bias)


def _by_root(
    target: UpgradeTarget, call: ProvisionalCall, value: Any, energy: Any, bias: float
) -> None:
    """Emit ``value / sqrt(energy + bias)``; 1.0 adds the bias to the square root."""
    _written_out(target, call, "is added after the square root")
    shifted = target.intermediate(call, "add", x=energy, y=bias)
    target.replace(call, "div", x=value, y=target.intermediate(call, "sqrt", x=shifted))


def _written_out(target: UpgradeTarget, call: ProvisionalCall, reason: str) -> None:
    target.note(
        call,
        f"'{call.name}' is written as several operations, since its bias {reason} in 1.0",
        "4.9.4",
        "The results are those of the provisional specification.",
    )


def _inner_axes(target: UpgradeTarget, call: ProvisionalCall) -> dict[str, Any]:
    """Return the arguments without axes beyond the rank of the input, whose extent is 1."""
    arguments = {**call.arguments}
    value = arguments.get("input", arguments.get("x"))
    shape = target.shape(value)
    if shape is not None:
        axes = [axis for axis in arguments["axes"] if axis < len(shape)]
        if len(axes) < len(arguments["axes"]):
            message = "axes must be less than the rank since 1.0; others are removed"
            target.note(call, message, "4.4", argument="axes")
        arguments["axes"] = axes
    return arguments


# -- tensor shape operations (4.5) ---------------------------------------------------------------


@_upgrade("reshape")
def _reshape(target: UpgradeTarget, call: ProvisionalCall) -> None:
    shape = call.arguments["shape"]
    inherited = max((i + 1 for i, extent in enumerate(shape) if extent == 0), default=0)
    value = _raised(target, call, call.arguments["input"], inherited)
    target.replace(call, "reshape", input=value, shape=shape)


@_upgrade("transpose")
def _transpose(target: UpgradeTarget, call: ProvisionalCall) -> None:
    _renamed(target, call, "perm", "axes", "4.5.2")
    axes = call.arguments["perm"]
    value = _raised(target, call, call.arguments["input"], len(axes))
    target.replace(call, "transpose", input=value, axes=axes)


@_upgrade("split")
def _split(target: UpgradeTarget, call: ProvisionalCall) -> None:
    arguments = call.arguments
    value = _raised(target, call, arguments["value"], arguments["axis"] + 1)
    target.replace(call, "split", value=value, axis=arguments["axis"], ratios=arguments["ratios"])


@_upgrade("concat")
def _concat(target: UpgradeTarget, call: ProvisionalCall) -> None:
    values, axis = call.arguments["values"], call.arguments["axis"]
    rank = max(known_rank(target, values), axis + 1)
    values = [_raised(target, call, value, rank) for value in values]
    target.replace(call, "concat", values=values, axis=axis)


def _raised(target: UpgradeTarget, call: ProvisionalCall, value: Any, rank: int) -> Any:
    """Return the tensor with at least `rank` dimensions."""
    shape = target.shape(value)
    return value if shape is None or len(shape) >= rank else target.fit(call, value, rank)


# -- matrices and variables (4.6, 4.7, 4.8.2) ------------------------------------------------------


@_upgrade("matmul")
def _matmul(target: UpgradeTarget, call: ProvisionalCall) -> None:
    _renamed(target, call, "trA", "transposeA", "4.7")
    _renamed(target, call, "trB", "transposeB", "4.7")
    arguments = call.arguments
    target.replace(
        call,
        "matmul",
        A=_matrix(target, call, "A"),
        B=_matrix(target, call, "B"),
        transposeA=arguments["trA"],
        transposeB=arguments["trB"],
    )


@_upgrade("linear")
def _linear(target: UpgradeTarget, call: ProvisionalCall) -> None:
    target.replace(
        call,
        "linear",
        input=_matrix(target, call, "input"),
        filter=_matrix(target, call, "filter"),
        bias=call.arguments["bias"],
    )


def _matrix(target: UpgradeTarget, call: ProvisionalCall, argument: str) -> Any:
    value = call.arguments[argument]
    shape = target.shape(value)
    if shape is not None and any(extent != 1 for extent in shape[2:]):
        raise target.refuse(
            call,
            "invalid-argument",
            f"'{argument}' of '{call.name}' must be a matrix (section 4.6 of the provisional "
            f"specification), but its shape is {[*shape]}",
            argument,
            "Reshape the tensor to a matrix.",
        )
    return target.fit(call, value, 2)


@_upgrade("update")
def _update(target: UpgradeTarget, call: ProvisionalCall) -> None:
    variable, value = call.arguments["variable"], call.arguments["value"]
    shape = target.shape(variable)
    if shape is not None:
        value = target.fit(call, value, len(shape))
    target.replace(call, "update", variable=variable, value=value)


# -- quantization (4.8.5) --------------------------------------------------------------------------


@_upgrade("linear_quantize")
def _linear_quantize(target: UpgradeTarget, call: ProvisionalCall) -> None:
    _successor(target, call, "min_max_linear_quantize", "4.9.5")
    name = "min_max_linear_quantize"
    target.replace(call, name, **call.arguments, signed=False, symmetric=False)


@_upgrade("logarithmic_quantize")
def _logarithmic_quantize(target: UpgradeTarget, call: ProvisionalCall) -> None:
    # It counts powers of two upward from the smallest: y = 2 ^ round(log2(clamp(x) / least)).
    target.note(
        call,
        "'logarithmic_quantize' is written as several operations, since its formula changed in 1.0",
        "4.9.5",
        "The results are those of the provisional specification.",
    )
    arguments = call.arguments
    top = target.intermediate(call, "ceil", x=target.intermediate(call, "log2", x=arguments["max"]))
    most = target.intermediate(call, "pow", x=2.0, y=top)
    lowest = target.intermediate(call, "sub", x=top, y=float(arguments["bits"]))
    least = target.intermediate(call, "pow", x=2.0, y=lowest)
    clamped = target.intermediate(call, "clamp", x=arguments["x"], a=least, b=most)
    steps = target.intermediate(
        call, "log2", x=target.intermediate(call, "div", x=clamped, y=least)
    )
    target.replace(call, "pow", x=2.0, y=target.intermediate(call, "round", x=steps))
