"""Convolutions (4.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnefkit.exchange.compositions.shaping import flipped
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.theano.call import Call, op


def _per_axis(c: Call, name: str, count: int) -> list[int]:
    numbers = c.integers(name, [1] * count)
    if len(numbers) != count or min(numbers) < 1:
        c.invalid(f"its parameter '{name}' is {numbers}")
    return numbers


def _pads(c: Call, weight: Value, dilation: Sequence[int]) -> list[tuple[int, int]]:
    """Return the padding of the spatial axes before and after the image."""
    mode = c.param("border_mode", "valid")
    sizes = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilation, strict=True)]
    if isinstance(mode, str):
        pads = {"valid": [0] * len(sizes), "full": [k - 1 for k in sizes]}
        pads["half"] = [k // 2 for k in sizes]
        if mode not in pads:
            c.invalid(f"its border_mode is '{mode}'")
        return [(pad, pad) for pad in pads[mode]]
    listed = mode if isinstance(mode, list) else [mode] * len(sizes)
    pairs = [pad if isinstance(pad, list) else [pad, pad] for pad in listed]
    numbers = [n for pair in pairs for n in pair]
    is_valid = len(pairs) == len(sizes) and all(len(pair) == 2 for pair in pairs)
    if not is_valid or not all(type(n) is int and 0 <= n < 2**31 for n in numbers):
        c.invalid(f"its border_mode is {mode!r:.80}")
    return [(before, after) for before, after in pairs]


def _window(c: Call, weight: Value, rank: int, channels: int) -> tuple[Value, dict[str, Any]]:
    """Return the weights as a correlation has them, and the attributes of the window."""
    if c.flag("unshared", False):
        c.refuse("its weights differ from position to position", "Use unshared=False.")
    if rank < 3 or weight.rank != rank:
        c.invalid(f"its weights have rank {weight.rank} for an image of rank {rank}")
    count = rank - 2
    groups = c.integer("num_groups", 1)
    if groups < 1 or channels % groups or weight.shape[0] % groups:
        c.invalid(f"it has {groups} groups for {channels} channels")
    dilation = _per_axis(c, "filter_dilation", count)
    attributes = {
        "padding": _pads(c, weight, dilation),
        "stride": _per_axis(c, "subsample", count),
        "dilation": dilation,
        "groups": groups,
    }
    # A true convolution turns its weights; the operations of the optimised graph do not.
    turns = c.operator.startswith("Abstract") and c.flag("filter_flip", True)
    return flipped(c, weight, [*range(2, rank)]) if turns else weight, attributes


@op("AbstractConv2d", "AbstractConv3d", "CorrMM", "Corr3dMM")
def convolution(c: Call) -> Value:
    """Read `conv`; a true convolution (``filter_flip``) turns the weights."""
    x, given = c[0], c[1]
    weight, attributes = _window(c, given, x.rank, x.shape[1] if x.rank > 1 else 0)
    groups = attributes["groups"]
    if weight.shape[1] * groups != x.shape[1]:
        c.invalid(f"its weights have the shape {[*weight.shape]} for an image of {[*x.shape]}")
    if groups == x.shape[1] > 1:
        attributes["groups"] = 0  # It stands for depthwise (4.3.1).
    return c.op("conv", x, weight, **attributes)


@op(
    "AbstractConv2d_gradInputs",
    "AbstractConv3d_gradInputs",
    "CorrMM_gradInputs",
    "Corr3dMM_gradInputs",
)
def transposed_convolution(c: Call) -> Value:
    """Read `deconv` of a given size; a true convolution (``filter_flip``) turns the weights."""
    given, x = c[0], c[1]
    weight, attributes = _window(c, given, x.rank, x.shape[1] if x.rank > 1 else 0)
    groups = attributes["groups"]
    if weight.shape[0] != x.shape[1]:
        c.invalid(f"its weights have the shape {[*weight.shape]} for an image of {[*x.shape]}")
    sizes = [n for index in range(2, len(c.inputs)) for n in c.integers_at(index, "size")]
    if len(sizes) != x.rank - 2 or min(sizes) < 1:
        c.invalid(f"the size of its result is {sizes}")
    padding = []
    for n, k, s, d, (before, _), size in zip(
        x.shape[2:],
        weight.shape[2:],
        attributes["stride"],
        attributes["dilation"],
        attributes["padding"],
        sizes,
        strict=True,
    ):
        whole = (n - 1) * s + (k - 1) * d + 1
        padding.append((before, whole - before - size))
    if groups == x.shape[1] > 1 and weight.shape[1] == 1:
        attributes["groups"] = 0
    return c.op("deconv", x, weight, **{**attributes, "padding": padding})


@op("ConvOp")
def older_convolution(c: Call) -> Value:
    """Read `conv` with turned weights, as an older operation of optimized graphs."""
    x, weight = c.two()
    mode, logical = c.param("out_mode", None), c.param("imshp_logical", None)
    is_stretched = any(n is not None for n in logical) if isinstance(logical, list) else False
    if mode not in ("valid", "full") or is_stretched:
        c.refuse(
            "its parameters are not in the file",
            "Dump the graph as it was written: dump(path, inputs, outputs).",
        )
    if x.rank != 4 or weight.rank != 4 or weight.shape[1] != x.shape[1]:
        c.invalid(f"its weights have the shape {[*weight.shape]} for an image of {[*x.shape]}")
    stride = [c.integer("dx", 1), c.integer("dy", 1)]
    if min(stride) < 1:
        c.invalid(f"its stride is {stride}")
    pads = [k - 1 if mode == "full" else 0 for k in weight.shape[2:]]
    padding = [(pad, pad) for pad in pads]
    return c.op("conv", x, flipped(c, weight, [2, 3]), padding=padding, stride=stride)
