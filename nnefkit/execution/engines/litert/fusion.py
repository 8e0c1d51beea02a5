"""Activations and biases that an operator applies to its result itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.litert.builder import BuiltOperator, TfliteValue
from nnefkit.execution.engines.litert.operator_table import CHANNELS, FUSING

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
    return [operator for operator in kept if not _is_taken_over(operator, readers)]


def _is_taken_over(operator: BuiltOperator, readers: Mapping[int, int]) -> bool:
    """Return whether the operator before computes what this one does, too, from now on."""
    computed = [value for value in operator.inputs if value.operator is not None]
    if len(computed) != 1 or len(operator.outputs) != 1:
        return False
    (x,) = computed
    source = x.operator
    if source is None or readers[id(x)] > 1:
        return False
    if _drops_axes(source, operator, x):
        source.options["KeepDims"] = False
        source.outputs = operator.outputs
        source.outputs[0].operator = source
        return True
    if not x.is_real or x.line:
        return False
    if source.options.get(ACTIVATION) or len(source.outputs) != 1:
        return False
    number = _ACTIVATIONS.get(operator.kind)
    if number is not None and source.kind in FUSING:
        source.options[ACTIVATION] = number
    elif not _takes_constant(source, operator, x):
        return False
    source.outputs = operator.outputs
    source.outputs[0].operator = source
    return True


def _drops_axes(source: BuiltOperator, operator: BuiltOperator, x: TfliteValue) -> bool:
    """Return whether an operator only removes the axes that the one before reduced."""
    if operator.kind != "RESHAPE" or not source.options.get("KeepDims"):
        return False
    result, axes = operator.outputs[0], source.inputs[1].data
    if axes is None or (x.line and x.line != result.line):
        return False
    reduced = {int(axis) for axis in axes.reshape(-1)}
    return result.shape == tuple(n for axis, n in enumerate(x.shape) if axis not in reduced)


def _takes_constant(source: BuiltOperator, operator: BuiltOperator, x: TfliteValue) -> bool:
    """Scale the weights, or move the bias, of a layer whose result is scaled, or added to."""
    axis = CHANNELS.get(source.kind)
    if axis is None or operator.kind not in ("MUL", "ADD", "SUB") or operator.inputs[0] is not x:
        return False
    weights, other = source.inputs[1], operator.inputs[1]
    bias = source.inputs[2] if len(source.inputs) > 2 else None
    constants = [value.data for value in (weights, other, bias) if value is not None]
    if any(data is None for data in constants) or any(v.line for v in (weights, other)):
        return False
    if operator.outputs[0].shape != x.shape or weights.data is None or other.data is None:
        return False
    channels = x.shape[-1]
    if other.data.size not in (1, channels) or other.shape[-1:] not in ((), (channels,), (1,)):
        return False
    row = np.broadcast_to(other.data.reshape(-1).astype(np.float64), (channels,))
    added = np.zeros(channels) if bias is None else np.asarray(bias.data, np.float64)
    if operator.kind == "MUL":
        shape = [1] * weights.rank
        shape[axis] = channels
        source.inputs[1] = _changed(weights, weights.data * row.reshape(shape))
        added = added * row
    else:
        added = added + (row if operator.kind == "ADD" else -row)
    changed = _changed(bias if bias is not None else other, added)
    changed.is_weight = changed.is_weight or other.is_weight
    source.inputs[2:] = [changed]
    return True


def _changed(value: TfliteValue, data: Array) -> TfliteValue:
    """Return a constant with other numbers."""
    result = TfliteValue(data.shape, value.dtype, value.name, np.asarray(data, value.dtype))
    result.is_weight = value.is_weight
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
