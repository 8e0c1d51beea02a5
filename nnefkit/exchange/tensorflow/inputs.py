"""The shapes of the inputs of a model, which the graph states, or the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nnefkit.arguments import wrong_type
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.exchange.source_shapes import checked_shape
from nnefkit.exchange.tensorflow.element_types import shape_of
from nnefkit.exchange.tensorflow.model import NamedTensor, TensorflowModel, reference


def stated(model: TensorflowModel, tensor: NamedTensor) -> tuple[tuple[int, ...] | None, int]:
    """Return the shape of an input in the graph, with -1 for open extents, and its type."""
    node = model.nodes.get(tensor.tensor.node)
    shape, number = tensor.shape, tensor.data_type
    if node is None or tensor.tensor.output:
        return shape, number
    if number == 0:
        given = [node.attributes[name].type for name in ("dtype", "T") if name in node.attributes]
        number = given[0] if given else 1
    if shape is None and "shape" in node.attributes and node.operator.startswith("Placeholder"):
        shape = shape_of(node.attributes["shape"].shape)
    if shape is None and "_output_shapes" in node.attributes:
        listed = node.attributes["_output_shapes"].list.shape
        shape = shape_of(listed[0]) if len(listed) else None
    return shape, number


def input_shape(model: TensorflowModel, tensor: NamedTensor) -> tuple[tuple[int, ...], int]:
    """Return the shape of an input, all of whose extents are known, and the number of its type."""
    shape, number = stated(model, tensor)
    return model.shapes.get(tensor.name, shape or ()), number


def with_input_shapes(
    model: TensorflowModel, shapes: Mapping[str, Sequence[int]] | None
) -> TensorflowModel:
    """Return a model with the given shapes of inputs.

    Raises:
        InputError: A shape is not valid, or an input has open extents that no shape fixes.
        UnknownNameError: There is no such input.
    """
    if shapes is None:
        shapes = {}
    if not isinstance(shapes, Mapping):
        raise wrong_type("input_shapes", "a mapping of input names to shapes", shapes)
    known = dict(model.shapes)
    for name, shape in shapes.items():
        tensor = input_of(model, name)
        expected = stated(model, tensor)[0]
        rank = None if expected is None else len(expected)
        known[tensor.name] = checked_shape(name, shape, rank, model.path)
    model = replace(model, shapes=known)
    _refuse_open_inputs(model)
    return model


def input_of(model: TensorflowModel, name: str) -> NamedTensor:
    """Return an input, given its name in the graph or that of its tensor.

    Raises:
        UnknownNameError: There is no such input.
    """
    for tensor in model.inputs:
        if name == tensor.name or reference(str(name)) == tensor.tensor:
            return tensor
    names = [tensor.name for tensor in model.inputs]
    raise UnknownNameError(
        f"the model has no input '{name}'",
        hint=did_you_mean(str(name), names) or f"Its inputs are {', '.join(names) or 'none'}.",
        file=model.path,
    )


def _refuse_open_inputs(model: TensorflowModel) -> None:
    """Refuse inputs whose shape is not known."""
    shapes, example = [], {}
    for tensor in model.inputs:
        shape, _ = stated(model, tensor)
        if tensor.name in model.shapes or (shape is not None and min(shape, default=0) >= 0):
            continue
        written = "..." if shape is None else ", ".join("?" if n < 0 else str(n) for n in shape)
        shapes.append(f"'{tensor.name}' [{written}]")
        example[tensor.name] = (
            (1, 224, 224, 3) if shape is None else tuple(1 if n < 0 else n for n in shape)
        )
    if shapes:
        raise InputError(
            f"the model leaves dimensions of its inputs open: {', '.join(shapes)}",
            hint=f"NNEF needs all extents (4.1.1). For example: input_shapes={example}",
            file=model.path,
            section="4.1.1",
        )
