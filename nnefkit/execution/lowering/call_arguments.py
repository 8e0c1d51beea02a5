"""Calls of kernels and lowerings: the arguments of an operation in the form that they take.

Reference kernels and the lowerings of engines are called in the same way: inputs by position in the
order of the declaration (an array of tensors as a list), all attributes by keyword. The attributes
that describe a window are one keyword argument, `window`. The result is a tensor, or a sequence
where the operation has several results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from nnefkit.graph import Graph, Identifier, Operation
from nnefkit.operations.kernel_call import TYPED
from nnefkit.operations.window import Window

Function = Callable[..., Any]
_WINDOW = ("size", "border", "padding", "stride", "dilation")
"""Attributes that describe a window; a convolution has no `size` among them."""
_TENSORS = {Identifier}


class Literals:
    """The literals among the inputs of one operation, as arguments of its kernel or lowering.

    Args:
        graph: The graph of the operation.
        op: The operation.
        scalar: The dtype of the tensors of data-type scalar.
    """

    def __init__(self, graph: Graph, op: Operation, scalar: np.dtype[Any]) -> None:
        self._graph = graph
        self._op = op
        self.scalar = scalar

    @cached_property
    def scalar_inputs(self) -> bool:
        """Whether a tensor of data-type scalar is among the inputs."""
        return self._has_scalar(self._op.input_names)

    @cached_property
    def scalars(self) -> bool:
        """Whether a tensor of data-type scalar is among the inputs or results.

        Integer literals are scalars then.
        """
        return self.scalar_inputs or self._has_scalar(self._op.output_names)

    def _has_scalar(self, names: Sequence[str]) -> bool:
        return any(self._graph.tensors[name].dtype == "scalar" for name in names)

    def dtype(self, value: Any) -> np.dtype[Any]:
        """Return the dtype of a literal."""
        if isinstance(value, str):
            return np.dtype(np.str_)
        if isinstance(value, (bool, np.bool_)):
            return np.dtype(np.bool_)
        if isinstance(value, float) or self.scalars:
            return self.scalar
        return np.dtype(np.int64)

    def argument(self, value: Any) -> Any:
        """Return the argument for a literal in place of a tensor: an array of rank 0."""
        return np.asarray(value, self.dtype(value))

    def element(self, value: Any) -> Any:
        """Return the argument for a literal in a list of tensors."""
        return self.argument(value)


def attributes(op: Operation) -> dict[str, Any]:
    """Return the attributes of a standard operation as keyword arguments.

    Those that describe a window are one argument, ``window``. The generic data-type is another one,
    ``dtype``, where it decides what is computed.
    """
    attribs = dict(op.attribs)
    if "dilation" in attribs:
        described = [name for name in _WINDOW if name in attribs]
        attribs["window"] = Window.of(**{name: attribs.pop(name) for name in described})
    if op.name in TYPED:
        attribs["dtype"] = op.dtype or "scalar"
    return attribs


def bind(op: Operation, function: Function, make_literals: Callable[[], Literals]) -> Function:
    """Return a function of the tensors that `op` reads, with the literals among its inputs bound.

    Args:
        op: The operation.
        function: Its kernel or lowering, with the attributes bound.
        make_literals: Returns the arguments for literals; called only if there are any.

    Returns:
        A function of tensors in the order of ``op.input_names``. It returns what `function` does
        where the operation has one result that is a tensor, else a flat sequence in the order of
        ``op.output_names``.
    """
    if set(map(type, op.inputs.values())) - _TENSORS:
        function = _with_literals(function, [*op.inputs.values()], make_literals())
    if not has_single_result(op) and set(map(type, op.outputs.values())) - _TENSORS:
        function = _flattened(function, len(op.outputs) == 1)
    return function


def has_single_result(op: Operation) -> bool:
    """Return whether `op` has one result that is a tensor, not an array of tensors."""
    return len(op.outputs) == 1 and all(isinstance(r, Identifier) for r in op.outputs.values())


def _with_literals(function: Function, arguments: Sequence[Any], literals: Literals) -> Function:
    # The arguments with None for each tensor, and the positions of the tensors.
    template: list[Any] = []
    slots: list[tuple[int, int | None]] = []
    for i, argument in enumerate(arguments):
        if isinstance(argument, (list, tuple)):
            items = [None if isinstance(a, Identifier) else literals.element(a) for a in argument]
            slots += [(i, j) for j, a in enumerate(argument) if isinstance(a, Identifier)]
            template.append(items)
        elif isinstance(argument, Identifier):
            slots.append((i, None))
            template.append(None)
        else:
            template.append(literals.argument(argument))

    def call(*tensors: Any) -> Any:
        filled = [list(item) if isinstance(item, list) else item for item in template]
        for (i, j), tensor in zip(slots, tensors, strict=True):
            if j is None:
                filled[i] = tensor
            else:
                filled[i][j] = tensor
        return function(*filled)

    return call


def _flattened(function: Function, single: bool) -> Function:
    def call(*tensors: Any) -> list[Any]:
        result = function(*tensors)
        if single:
            return list(result)
        flat: list[Any] = []
        for item in result:
            flat.extend(item if isinstance(item, (list, tuple)) else (item,))
        return flat

    return call
