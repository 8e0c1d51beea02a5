"""What becomes of the operations of 2017 whose names, attributes, ranks or formulae changed.

`UPGRADES` has those of chapter 4 of the provisional specification that are not the same in 1.0, one
function each; they emit operations of 1.0 that compute the numbers of the provisional text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnefkit.language.nnef2017.provisional_call import Builder, Call
from nnefkit.language.nnef2017.window_arguments import (
    convolution,
    filled_factor,
    filled_window,
    known_rank,
)

Upgrade = Callable[[Builder, Call], None]
UPGRADES: dict[str, Upgrade] = {}


def _upgrade(*names: str) -> Callable[[Upgrade], Upgrade]:
    def add(function: Upgrade) -> Upgrade:
        UPGRADES.update(dict.fromkeys(names, function))
        return function

    return add


def _renamed(builder: Builder, call: Call, old: str, new: str, section: str) -> None:
    if old in call.given:
        message = f"'{old}' of '{call.name}' is called '{new}' since 1.0"
        builder.tell(call, message, section, argument=old)


def _successor(builder: Builder, call: Call, new: str, section: str) -> None:
    builder.tell(call, f"'{call.name}' is called '{new}' since 1.0", section)


# -- tensor introducing operations (4.1) ---------------------------------------------------------


@_upgrade("external")
def _external(builder: Builder, call: Call) -> None:
    shape = [*call.arguments["shape"]]
    if 0 in shape[1:]:
        raise builder.refuse(
            call,
            "open-extent",
            f"the shape {shape} leaves an extent open by a 0 (section 4.1.1 of the provisional "
            "specification), which has no equivalent since 1.0",
            "shape",
            "Write the extent; infer_shapes takes others later.",
        )
    if shape and shape[0] == 0:
        builder.warn(
            call,
            "open-extent",
            f"the shape {shape} leaves the batch extent open by a 0 (section 4.1.1 of the "
            "provisional specification); it is read as 1",
            "shape",
            "Extents are known and positive since 1.0; infer_shapes takes others later.",
        )
        shape[0] = 1
    builder.put(call, "external", shape=shape)


@_upgrade("variable")
def _variable(builder: Builder, call: Call) -> None:
    label = call.arguments["label"]
    other = builder.labels.setdefault(label.lower(), label)
    if other != label:
        raise builder.refuse(
            call,
            "label-case",
            f"the labels '{other}' and '{label}' differ only in case: two variables then (section "
            "4.1.3 of the provisional specification), one variable since 1.0",
            "label",
            "Give one of the variables and its file another label.",
        )
    builder.put(call, "variable", **call.arguments)


# -- element-wise operations (4.2) ---------------------------------------------------------------


@_upgrade("idn")
def _idn(builder: Builder, call: Call) -> None:
    _successor(builder, call, "copy", "4.2.1")
    builder.put(call, "copy", **call.arguments)


# -- sliding-window operations (4.3, 4.8.2, 4.8.3, 4.8.4) ------------------------------------------


@_upgrade("box", "debox", "argmax_pool", "sample", "desample")
@_upgrade("max_pool_with_index", "max_pool", "avg_pool", "rms_pool")
def _window(builder: Builder, call: Call) -> None:
    if call.name in ("argmax_pool", "max_pool_with_index"):
        builder.tell(
            call,
            f"'index' of '{call.name}' is an integer since 1.0, the row-major position in the "
            "window, and no coordinate",
            "4.3.3",
        )
    builder.put(call, call.name, **filled_window(builder, call))


@_upgrade("conv", "deconv", "separable_conv", "separable_deconv")
def _convolution(builder: Builder, call: Call) -> None:
    builder.put(call, call.name, **convolution(builder, call))


@_upgrade("planewise_conv", "planewise_deconv")
def _planewise(builder: Builder, call: Call) -> None:
    name = call.name.removeprefix("planewise_")
    builder.tell(call, f"'{call.name}' is '{name}' with groups = 0 since 1.0", "4.3.1")
    builder.put(call, name, **convolution(builder, call), groups=0)


@_upgrade("nearest_downsample", "area_downsample", "nearest_upsample", "multilinear_upsample")
def _resampling(builder: Builder, call: Call) -> None:
    builder.put(call, call.name, **filled_factor(builder, call))


@_upgrade("local_response_normalization", "local_mean_normalization")
def _local(builder: Builder, call: Call) -> None:
    builder.put(call, call.name, **filled_window(builder, call))


@_upgrade("local_variance_normalization")
def _local_variance(builder: Builder, call: Call) -> None:
    arguments = filled_window(builder, call)
    if arguments["bias"] == 0.0:
        builder.put(call, call.name, **arguments)
    else:
        _by_local_variance(builder, call, arguments["input"], arguments)


@_upgrade("local_contrast_normalization")
def _local_contrast(builder: Builder, call: Call) -> None:
    arguments = filled_window(builder, call)
    if arguments["bias"] == 0.0:
        builder.put(call, call.name, **arguments)
        return
    size = arguments["size"]
    centered = builder.step(call, "local_mean_normalization", input=arguments["input"], size=size)
    _by_local_variance(builder, call, centered, arguments)


def _by_local_variance(builder: Builder, call: Call, value: Any, arguments: dict[str, Any]) -> None:
    squares = builder.step(call, "sqr", x=value)
    energy = builder.step(call, "box", input=squares, size=arguments["size"], normalize=True)
    _by_root(builder, call, value, energy, arguments["bias"])


# -- reductions (4.4) and normalization along axes (4.8.1, 4.8.4, 4.8.6) ---------------------------


@_upgrade("sum_reduce", "min_reduce", "max_reduce", "mean_reduce", "moments", "softmax")
def _reduction(builder: Builder, call: Call) -> None:
    builder.put(call, call.name, **_inner_axes(builder, call))


@_upgrade("l1_normalization")
def _l1_normalization(builder: Builder, call: Call) -> None:
    arguments = _inner_axes(builder, call)
    value, axes, bias = arguments["input"], arguments["axes"], arguments["bias"]
    if bias >= 0.0:
        builder.put(call, call.name, **arguments)
        return
    _written_out(builder, call, "may not make the divisor negative")
    norm = builder.step(call, "sum_reduce", input=builder.step(call, "abs", x=value), axes=axes)
    builder.put(call, "div", x=value, y=builder.step(call, "add", x=norm, y=bias))


@_upgrade("l2_normalization")
def _l2_normalization(builder: Builder, call: Call) -> None:
    arguments = _inner_axes(builder, call)
    value, axes, bias = arguments["input"], arguments["axes"], arguments["bias"]
    if bias == 0.0:
        builder.put(call, call.name, **arguments)
        return
    squares = builder.step(call, "sqr", x=value)
    energy = builder.step(call, "sum_reduce", input=squares, axes=axes)
    _by_root(builder, call, value, energy, bias)


def _by_root(builder: Builder, call: Call, value: Any, energy: Any, bias: float) -> None:
    """``value / sqrt(energy + bias)``, where 1.0 adds the bias to the root."""
    _written_out(builder, call, "is added behind the square root")
    shifted = builder.step(call, "add", x=energy, y=bias)
    builder.put(call, "div", x=value, y=builder.step(call, "sqrt", x=shifted))


def _written_out(builder: Builder, call: Call, reason: str) -> None:
    builder.tell(
        call,
        f"'{call.name}' is written out, since its bias {reason} in 1.0",
        "4.9.4",
        "The numbers are those of the provisional specification.",
    )


def _inner_axes(builder: Builder, call: Call) -> dict[str, Any]:
    """The arguments without the axes behind the rank of the input, along which it has one item."""
    arguments = {**call.arguments}
    value = arguments.get("input", arguments.get("x"))
    shape = builder.shape(value)
    if shape is not None:
        axes = [axis for axis in arguments["axes"] if axis < len(shape)]
        if len(axes) < len(arguments["axes"]):
            message = "axes are less than the rank since 1.0: others are left out"
            builder.tell(call, message, "4.4", argument="axes")
        arguments["axes"] = axes
    return arguments


# -- tensor shape operations (4.5) ---------------------------------------------------------------


@_upgrade("reshape")
def _reshape(builder: Builder, call: Call) -> None:
    shape = call.arguments["shape"]
    inherited = max((i + 1 for i, extent in enumerate(shape) if extent == 0), default=0)
    value = _raised(builder, call, call.arguments["input"], inherited)
    builder.put(call, "reshape", input=value, shape=shape)


@_upgrade("transpose")
def _transpose(builder: Builder, call: Call) -> None:
    _renamed(builder, call, "perm", "axes", "4.5.2")
    axes = call.arguments["perm"]
    value = _raised(builder, call, call.arguments["input"], len(axes))
    builder.put(call, "transpose", input=value, axes=axes)


@_upgrade("split")
def _split(builder: Builder, call: Call) -> None:
    arguments = call.arguments
    value = _raised(builder, call, arguments["value"], arguments["axis"] + 1)
    builder.put(call, "split", value=value, axis=arguments["axis"], ratios=arguments["ratios"])


@_upgrade("concat")
def _concat(builder: Builder, call: Call) -> None:
    values, axis = call.arguments["values"], call.arguments["axis"]
    rank = max(known_rank(builder, values), axis + 1)
    values = [_raised(builder, call, value, rank) for value in values]
    builder.put(call, "concat", values=values, axis=axis)


def _raised(builder: Builder, call: Call, value: Any, rank: int) -> Any:
    """The tensor with `rank` dimensions or more."""
    shape = builder.shape(value)
    return value if shape is None or len(shape) >= rank else builder.fit(call, value, rank)


# -- matrices and variables (4.6, 4.7, 4.8.2) ------------------------------------------------------


@_upgrade("matmul")
def _matmul(builder: Builder, call: Call) -> None:
    _renamed(builder, call, "trA", "transposeA", "4.7")
    _renamed(builder, call, "trB", "transposeB", "4.7")
    arguments = call.arguments
    builder.put(
        call,
        "matmul",
        A=_matrix(builder, call, "A"),
        B=_matrix(builder, call, "B"),
        transposeA=arguments["trA"],
        transposeB=arguments["trB"],
    )


@_upgrade("linear")
def _linear(builder: Builder, call: Call) -> None:
    builder.put(
        call,
        "linear",
        input=_matrix(builder, call, "input"),
        filter=_matrix(builder, call, "filter"),
        bias=call.arguments["bias"],
    )


def _matrix(builder: Builder, call: Call, argument: str) -> Any:
    value = call.arguments[argument]
    shape = builder.shape(value)
    if shape is not None and any(extent != 1 for extent in shape[2:]):
        raise builder.refuse(
            call,
            "invalid-argument",
            f"'{argument}' of '{call.name}' must be a matrix (section 4.6 of the provisional "
            f"specification), but its shape is {[*shape]}",
            argument,
            "Reshape it.",
        )
    return builder.fit(call, value, 2)


@_upgrade("update")
def _update(builder: Builder, call: Call) -> None:
    variable, value = call.arguments["variable"], call.arguments["value"]
    shape = builder.shape(variable)
    if shape is not None:
        value = builder.fit(call, value, len(shape))
    builder.put(call, "update", variable=variable, value=value)


# -- quantization (4.8.5) --------------------------------------------------------------------------


@_upgrade("linear_quantize")
def _linear_quantize(builder: Builder, call: Call) -> None:
    _successor(builder, call, "min_max_linear_quantize", "4.9.5")
    name = "min_max_linear_quantize"
    builder.put(call, name, **call.arguments, signed=False, symmetric=False)


@_upgrade("logarithmic_quantize")
def _logarithmic_quantize(builder: Builder, call: Call) -> None:
    # It counts powers of two from the least one up: y = 2 ^ round(log2(clamp(x) / least)).
    builder.tell(
        call,
        "'logarithmic_quantize' is written out, since it has another formula in 1.0",
        "4.9.5",
        "The numbers are those of the provisional specification.",
    )
    arguments = call.arguments
    top = builder.step(call, "ceil", x=builder.step(call, "log2", x=arguments["max"]))
    most = builder.step(call, "pow", x=2.0, y=top)
    lowest = builder.step(call, "sub", x=top, y=float(arguments["bits"]))
    least = builder.step(call, "pow", x=2.0, y=lowest)
    clamped = builder.step(call, "clamp", x=arguments["x"], a=least, b=most)
    steps = builder.step(call, "log2", x=builder.step(call, "div", x=clamped, y=least))
    builder.put(call, "pow", x=2.0, y=builder.step(call, "round", x=steps))
