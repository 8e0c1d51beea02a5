"""The work of one operation: its arithmetic, and the elements that it reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from nnefkit.errors import ArgumentError
from nnefkit.graph import Identifier, Operation
from nnefkit.operations.custom import Definition
from nnefkit.operations.flop_rules import elements
from nnefkit.operations.registry import AT_MOST, COSTS, FLOPS, READS, VIEWS


class Work(NamedTuple):
    """What one operation does in a run, derived from shapes alone."""

    macs: int | None
    """Multiply-accumulates; None if they are unknown."""
    flops: int | None
    """Arithmetic operations, two for each multiply-accumulate; None if they are unknown."""
    reads: tuple[int, ...]
    """Elements that it reads of each argument, 0 for literals."""
    is_bound: bool = False
    """True if `flops` is an upper bound, as the number depends on values."""


def work(
    op: Operation, inputs: Sequence[Any], outputs: Sequence[Any], custom: Definition | None = None
) -> Work:
    """Return the work of an operation.

    Args:
        op: The operation; calls of fragments must be expanded.
        inputs: The shape of each argument: ``()`` for a literal, a list for an array of tensors.
        outputs: The shape of each result.
        custom: The definition in effect, if it is not a standard operation. Its FLOPs are twice the
            MACs that it counts; without a count both are unknown.

    Raises:
        ArgumentError: The arguments violate the declaration, or a custom count failed.
    """
    try:
        if op.name not in FLOPS:
            rule = custom.cost if custom is not None else None
            macs = None if rule is None else rule(inputs, outputs, op.attribs)
            if macs is not None and macs < 0:
                raise ArgumentError(
                    f"its cost is {macs:,}, but multiply-accumulates cannot be negative",
                    hint="'macs' must return their number.",
                )
            flops = None if macs is None else 2 * macs
        else:
            given = [_without_zero(*pair) for pair in zip(op.inputs.items(), inputs, strict=True)]
            count = COSTS.get(op.name)
            macs = count(given, outputs, op.attribs) if count else 0
            flops = FLOPS[op.name](given, outputs, op.attribs)
        reads = _reads(op, inputs, outputs)
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise ArgumentError(
            f"the cost of operation '{op.name}' cannot be computed ({error})",
            hint="nk.validate(graph) lists the rules that its arguments violate.",
        ) from error
    return Work(macs, flops, reads, op.name in AT_MOST)


def _without_zero(argument: tuple[str, Any], shape: Any) -> Any:
    """Return the shape of an argument; None for a bias that is the literal 0."""
    name, value = argument
    return None if name == "bias" and not isinstance(value, Identifier) and value == 0 else shape


def _reads(op: Operation, inputs: Sequence[Any], outputs: Sequence[Any]) -> tuple[int, ...]:
    if op.name in VIEWS:
        return (0,) * len(inputs)
    if rule := READS.get(op.name):
        counts: Sequence[int] = rule(inputs, outputs, op.attribs)
    else:
        counts = [elements(shape) for shape in inputs]
    # Literals are part of the operation.
    return tuple(
        0 if _is_literal(value) else count
        for value, count in zip(op.inputs.values(), counts, strict=True)
    )


def _is_literal(value: Any) -> bool:
    return not isinstance(value, (Identifier, list, tuple))
