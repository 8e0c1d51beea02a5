"""Convolutions (4.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnefkit.exchange.caffe.call import Call, layer
from nnefkit.exchange.source_value import Value


def spatial(
    c: Call, parameters: Any, name: str, stem: str, count: int, default: int | None
) -> list[int]:
    """Return a number for each spatial axis: all of them alike, each, or height and width."""
    height, width = f"{stem}_h", f"{stem}_w"
    fields = parameters.DESCRIPTOR.fields_by_name
    if height in fields and (parameters.HasField(height) or parameters.HasField(width)):
        given = [getattr(parameters, height), getattr(parameters, width)]
    else:
        given = [*getattr(parameters, name)]
        if len(given) < 2:
            given = (given or ([] if default is None else [default])) * count
    if len(given) != count:
        c.invalid(f"it has {len(given)} numbers '{name}' for {count} spatial axes")
    least = 0 if default == 0 else 1
    if min(given, default=1) < least:
        c.invalid(f"its '{name}' is {given}")
    return [int(number) for number in given]


def _window(c: Call, x: Value, parameters: Any) -> tuple[list[int], dict[str, Any]]:
    """Return the size of the kernel, and the other attributes."""
    if x.rank < 3:
        c.invalid(f"its bottom has rank {x.rank}, not 3 or more")
    if c.axis(parameters.axis, x.rank) != 1:
        c.refuse(f"its channels are axis {parameters.axis}", "Permute them to be axis 1.")
    count = x.rank - 2
    size = spatial(c, parameters, "kernel_size", "kernel", count, None)
    padding = spatial(c, parameters, "pad", "pad", count, 0)
    groups = parameters.group
    if groups < 1 or x.shape[1] % groups or parameters.num_output % groups:
        c.invalid(
            f"it has {groups} groups for {x.shape[1]} channels and {parameters.num_output} outputs"
        )
    return size, {
        "padding": [(pad, pad) for pad in padding],
        "stride": spatial(c, parameters, "stride", "stride", count, 1),
        "dilation": spatial(c, parameters, "dilation", "dilation", count, 1),
        # 0 stands for depthwise (4.3.1).
        "groups": 0 if groups == x.shape[1] > 1 else groups,
    }


def _bias(c: Call, parameters: Any) -> Sequence[Value]:
    if not parameters.bias_term:
        return []
    return [c.weight(1, "bias", (1, parameters.num_output))]


@layer("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution")
def convolution(c: Call) -> list[Value]:
    """Read `conv`, of each input with the same weights."""
    p = c.parameter("convolution_param")
    results = []
    for x in c.inputs:
        size, attributes = _window(c, x, p)
        shape = (p.num_output, x.shape[1] // p.group, *size)
        weight = c.weight(0, "weight", shape)
        results.append(c.op("conv", x, weight, *_bias(c, p), **attributes))
    return results


@layer("Deconvolution")
def deconvolution(c: Call) -> list[Value]:
    """Read `deconv`, of each input with the same weights."""
    p = c.parameter("convolution_param")
    results = []
    for x in c.inputs:
        size, attributes = _window(c, x, p)
        weight = c.weight(0, "weight", (x.shape[1], p.num_output // p.group, *size))
        if attributes["groups"] == 0 and weight.shape[1] != 1:
            attributes["groups"] = p.group
        results.append(c.op("deconv", x, weight, *_bias(c, p), **attributes))
    return results
