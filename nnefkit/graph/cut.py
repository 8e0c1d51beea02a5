"""Cutting a part out of a graph: its operations and its new inputs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from nnefkit.errors import InputError
from nnefkit.graph.frozen import FrozenDict
from nnefkit.graph.operation import Identifier, Operation
from nnefkit.graph.tensor import Tensor


def needed_operations(
    operations: Sequence[Operation], outputs: Iterable[str], cut: Collection[str] = ()
) -> list[Operation]:
    """Return the operations that `outputs` depend on, in their order.

    Args:
        operations: In a valid order.
        outputs: Names of tensors.
        cut: Names of tensors that are given, so that no operation is needed to compute them.
    """
    names = set(outputs).difference(cut)
    needed = []
    for op in reversed(operations):
        if not names.isdisjoint(op.output_names):
            needed.append(op)
            names.update(set(op.input_names).difference(cut) if cut else op.input_names)
    return needed[::-1]


def needed_with_updates(operations: Sequence[Operation], outputs: Iterable[str]) -> list[Operation]:
    """Return the operations that `outputs` depend on in this run and in later ones.

    These include the updates of the variables that are read, and all that the updates depend on.
    """
    wanted = set(outputs)
    while True:
        needed = needed_operations(operations, wanted)
        read = wanted.union(*(op.input_names for op in needed))
        updates = {
            name
            for op in operations
            if op.name == "update" and op.inputs.get("variable") in read
            for name in op.output_names
        }
        if updates <= wanted:
            return needed
        wanted |= updates


def check_cut(operations: Iterable[Operation], cut: Collection[str]) -> None:
    """Check that no operation computes both a tensor of `cut` and another one that is needed.

    Raises:
        InputError: There is such an operation.
    """
    for op in operations:
        for name in op.output_names:
            if name in cut:
                raise InputError(
                    f"'{name}' cannot become an input: '{op.name}' computes it together with "
                    "another tensor that is needed",
                    hint=f"Cut at all results of '{op.name}', or at its inputs.",
                )


def external(tensor: Tensor) -> Operation:
    """Return the operation that turns a tensor into an input of a graph.

    Raises:
        InputError: Its shape is not known.
    """
    if tensor.shape is None:
        raise InputError(
            f"'{tensor.name}' cannot become an input: its shape is not known",
            hint="nnefkit.infer_shapes(graph) fills in the shapes.",
        )
    return Operation(
        "external",
        FrozenDict(),
        FrozenDict(output=Identifier(tensor.name)),
        FrozenDict(shape=list(tensor.shape)),
        dtype=tensor.dtype,
    )
