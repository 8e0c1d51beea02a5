"""Activations and biases that an operator applies to its result itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from nnefkit.execution.engines.litert.builder import BuiltOperator, TfliteValue
from nnefkit.execution.engines.litert.operator_table import FUSING

_ACTIVATIONS = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
"""Operator -> number of the activation."""
ACTIVATION = "FusedActivationFunction"


def fused(
    operators: Sequence[BuiltOperator], wanted: Collection[TfliteValue]
) -> list[BuiltOperator]:
    """Return operators with the activations and biases that follow them, where nothing else reads.

    Args:
        operators: In the order of computation; those that no wanted value depends on are left out.
        wanted: Values that are read after the run.
    """
    kept = needed_operators(operators, wanted)
    readers = Counter(id(value) for operator in kept for value in operator.inputs)
    readers.update(id(value) for value in wanted)
    result: list[BuiltOperator] = []
    for operator in kept:
        source = operator.inputs[0].operator if operator.inputs else None
        number = _ACTIVATIONS.get(operator.kind)
        if (
            number is None
            or source is None
            or source.kind not in FUSING
            or source.options.get(ACTIVATION)
            or readers[id(operator.inputs[0])] > 1
            or not operator.inputs[0].is_real
            or operator.inputs[0].line
        ):
            result.append(operator)
            continue
        source.options[ACTIVATION] = number
        source.outputs = operator.outputs
        for value in source.outputs:
            value.operator = source
    return result


def needed_operators(
    operators: Sequence[BuiltOperator], wanted: Collection[TfliteValue]
) -> list[BuiltOperator]:
    """Return the operators that the wanted values depend on."""
    needed = {id(value) for value in wanted}
    kept = []
    for operator in reversed(operators):
        if any(id(value) in needed for value in operator.outputs):
            kept.append(operator)
            needed.update(map(id, operator.inputs))
    kept.reverse()
    return kept
