"""The shapes of the inputs of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nnefkit.arguments import wrong_type
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.exchange.keras.architecture import invalid, stated_shape
from nnefkit.exchange.keras.model import KerasModel
from nnefkit.exchange.source_shapes import checked_shape


def input_names(model: KerasModel) -> list[str]:
    """Return the names of the inputs, in order."""
    return [ref.layer for ref in model.network.inputs]


def with_input_shapes(model: KerasModel, shapes: Mapping[str, Sequence[int]] | None) -> KerasModel:
    """Return a model with the shapes of all inputs; an open batch has one element.

    Raises:
        InputError: Other dimensions are open, or a given shape does not fit.
        UnknownNameError: The model has no input of a given name.
    """
    if shapes is not None and not isinstance(shapes, Mapping):
        raise wrong_type("input_shapes", "a mapping of input names to shapes", shapes)
    names = input_names(model)
    for name in shapes or {}:
        if name not in names:
            raise UnknownNameError(
                f"the model has no input '{name}'",
                hint=did_you_mean(str(name), names) or f"Its inputs are {', '.join(names)}.",
                file=model.path,
            )
    known: dict[str, tuple[int, ...]] = dict(model.shapes)
    missing: dict[str, Sequence[int | None] | None] = {}
    for name in names:
        stated = _stated(model, name)
        if shapes and name in shapes:
            rank = None if stated is None else len(stated)
            known[name] = checked_shape(name, shapes[name], rank, model.path)
        elif name not in known:
            extents = (
                None
                if stated is None
                else [1 if i == 0 and n is None else n for i, n in enumerate(stated)]
            )
            if extents is None or None in extents:
                missing[name] = stated
            else:
                known[name] = tuple(extent for extent in extents if extent is not None)
    if missing:
        raise _open_inputs(model, missing)
    return replace(model, shapes=known)


def _stated(model: KerasModel, name: str) -> list[int | None] | None:
    """Return the shape that an input states, with None for what is open; None without one."""
    layer = model.network.layers.get(name)
    if layer is None:
        raise invalid(f"there is no input '{name}'")
    shape: Any = stated_shape(layer.config)
    if shape is None:
        return None
    is_shape = isinstance(shape, list) and all(
        each is None or (isinstance(each, int) and 0 < each < 2**31) for each in shape
    )
    if not is_shape:
        raise invalid(f"the input '{name}' has the shape {shape!r:.60}")
    return [*shape]


def _open_inputs(
    model: KerasModel, missing: Mapping[str, Sequence[int | None] | None]
) -> InputError:
    shapes = ", ".join(
        f"'{name}' "
        + (
            "?"
            if stated is None
            else f"[{', '.join('?' if n is None else str(n) for n in stated)}]"
        )
        for name, stated in missing.items()
    )
    example = {
        name: "..." if stated is None else tuple(1 if n is None else n for n in stated)
        for name, stated in missing.items()
    }
    return InputError(
        f"the model leaves dimensions of its inputs open: {shapes}",
        hint=f"NNEF needs all extents (4.1.1). For example: input_shapes={example}",
        file=model.path,
        section="4.1.1",
    )
