"""The networks of `modules` as NNEF documents, written module by module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

import nnefkit as nk
from networks.modules import Heads, Joined, Matrices, Transposed

LEAVES = (Heads, Joined, Matrices, Transposed)


def nnef_form(module: nn.Module, shape: tuple[int, ...], folded: bool = True) -> nk.Graph:
    """A module as an nnefkit graph.

    Args:
        module: A module that takes one tensor and returns one.
        shape: The shape of its input.
        folded: Whether batch normalizations are folded into the convolutions before them, as
            most exporters do; otherwise they are separate operations.
    """
    traced = _Tracer().trace(module)
    ShapeProp(fx.GraphModule(module, traced)).propagate(torch.zeros(shape))
    writer = _Writer(module, folded)
    writer.lines.append(f"input = external<scalar>(shape = {[*shape]})")
    for node in traced.nodes:
        writer.write(node)
    lines = "".join(f"    {line};\n" for line in writer.lines)
    text = f"version 1.0;\n\ngraph network( input ) -> ( output )\n{{\n{lines}}}\n"
    return nk.parse(text).with_data(writer.data)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, LEAVES) or super().is_leaf_module(m, module_qualified_name)


class _Writer:
    """The lines of a document and the values of its variables."""

    def __init__(self, module: nn.Module, folded: bool) -> None:
        self.modules = dict(module.named_modules())
        self.folded = folded
        self.lines: list[str] = []
        self.data: dict[str, np.ndarray[Any, Any]] = {}
        self.names: dict[Any, str] = {}

    def call(self, name: str, call: str) -> str:
        self.lines.append(f"{name} = {call}")
        return name

    def variable(self, name: str, value: Any, rank: int) -> str:
        """Declare a variable with leading extents of 1 up to `rank`; return its name."""
        array = value.detach().numpy()
        array = np.ascontiguousarray(array.reshape(*[1] * (rank - array.ndim), *array.shape))
        self.data[name] = array
        return self.call(name, f"variable<scalar>(shape = {[*array.shape]}, label = '{name}')")

    def write(self, node: fx.Node) -> None:
        arguments = [self.names[a] for a in node.all_input_nodes]
        if node.op == "placeholder":
            self.names[node] = "input"
        elif node.op == "output":
            self.call("output", f"copy({arguments[0]})")
        elif node.op == "call_function":  # the functions are additions
            self.names[node] = self.call(node.name, f"add({', '.join(arguments)})")
        else:
            self.names[node] = self._module(node, arguments)

    def _module(self, node: fx.Node, arguments: list[str]) -> str:
        part = self.modules[str(node.target)]
        if self.folded and isinstance(part, nn.BatchNorm2d):
            return arguments[0]
        if self.folded and isinstance(part, nn.Conv2d):
            (after,) = node.users
            normalization = self.modules.get(str(after.target))
            if isinstance(normalization, nn.BatchNorm2d):
                part = torch.nn.utils.fuse_conv_bn_eval(part, normalization)
        rank = len(node.all_input_nodes[0].meta["tensor_meta"].shape)
        return WRITERS[type(part)](self, "t" + node.name, part, rank, *arguments)


# -- one function for each kind of module -------------------------------------------------------


def _conv(writer: _Writer, name: str, part: Any, rank: int, x: str) -> str:
    weights = writer.variable(f"{name}_filter", part.weight, rank)
    bias = "0.0" if part.bias is None else writer.variable(f"{name}_bias", part.bias, 2)
    return writer.call(
        name,
        f"conv({x}, {weights}, {bias}, padding = {[(p, p) for p in part.padding]}, "
        f"stride = {[*part.stride]}, dilation = {[*part.dilation]}, groups = {part.groups})",
    )


def _batch_normalization(writer: _Writer, name: str, part: Any, rank: int, x: str) -> str:
    values = {"mean": part.running_mean, "variance": part.running_var}
    values |= {"offset": part.bias, "scale": part.weight}
    names = [writer.variable(f"{name}_{kind}", value, 2) for kind, value in values.items()]
    return writer.call(
        name, f"batch_normalization({x}, {', '.join(names)}, epsilon = {part.eps!r})"
    )


def _layer_normalization(writer: _Writer, name: str, part: Any, rank: int, x: str) -> str:
    mean, variance = f"{name}_mean", f"{name}_variance"
    writer.lines.append(f"{mean}, {variance} = moments({x}, axes = [{rank - 1}])")
    scale = writer.variable(f"{name}_scale", part.weight, rank)
    offset = writer.variable(f"{name}_offset", part.bias, rank)
    centered = writer.call(f"{name}_centered", f"sub({x}, {mean})")
    positive = writer.call(f"{name}_positive", f"add({variance}, {part.eps!r})")
    factor = writer.call(f"{name}_factor", f"rsqrt({positive})")
    divided = writer.call(f"{name}_divided", f"mul({centered}, {factor})")
    scaled = writer.call(f"{name}_scaled", f"mul({divided}, {scale})")
    return writer.call(name, f"add({scaled}, {offset})")


def _linear(writer: _Writer, name: str, part: Any, rank: int, x: str) -> str:
    weights = writer.variable(f"{name}_filter", part.weight, rank)
    bias = writer.variable(f"{name}_bias", part.bias, rank)
    return writer.call(name, f"linear({x}, {weights}, {bias})")


def _max_pool(writer: _Writer, name: str, part: Any, rank: int, x: str) -> str:
    size, stride, padding = part.kernel_size, part.stride, (part.padding, part.padding)
    return writer.call(
        name,
        f"max_pool({x}, size = [1, 1, {size}, {size}], stride = [1, 1, {stride}, {stride}], "
        f"padding = [(0, 0), (0, 0), {padding}, {padding}], border = 'ignore')",
    )


def _plainly(call: str) -> Callable[..., str]:
    def write(writer: _Writer, name: str, part: Any, rank: int, *arguments: str) -> str:
        return writer.call(name, call.format(*arguments, last=rank - 1))

    return write


def _heads(writer: _Writer, name: str, part: Heads, rank: int, x: str) -> str:
    divided = f"reshape({x}, shape = [{part.heads}, -1], axis_start = 2, axis_count = 1)"
    divided = writer.call(f"{name}_divided", divided)
    return writer.call(name, f"transpose({divided}, axes = [0, 2, 1, 3])")


def _joined(writer: _Writer, name: str, part: Joined, rank: int, x: str) -> str:
    turned = writer.call(f"{name}_turned", f"transpose({x}, axes = [0, 2, 1, 3])")
    return writer.call(name, f"reshape({turned}, shape = [-1], axis_start = 2, axis_count = 2)")


def _turned(writer: _Writer, name: str, part: Transposed, rank: int, x: str) -> str:
    turned = writer.call(f"{name}_turned", f"transpose({x}, axes = [0, 1, 3, 2])")
    return writer.call(name, f"mul({turned}, {part.scale!r})")


WRITERS: dict[type[nn.Module], Callable[..., str]] = {
    nn.Conv2d: _conv,
    nn.BatchNorm2d: _batch_normalization,
    nn.LayerNorm: _layer_normalization,
    nn.Linear: _linear,
    nn.ReLU: _plainly("relu({0})"),
    nn.ReLU6: _plainly("clamp({0}, 0.0, 6.0)"),
    nn.GELU: _plainly("gelu({0})"),
    nn.Softmax: _plainly("softmax({0}, axes = [{last}])"),
    nn.MaxPool2d: _max_pool,
    nn.AdaptiveAvgPool2d: _plainly("mean_reduce({0}, axes = [2, 3])"),
    nn.Flatten: _plainly("reshape({0}, shape = [0, -1])"),
    Matrices: _plainly("matmul({0}, {1})"),
    Heads: _heads,
    Joined: _joined,
    Transposed: _turned,
}
