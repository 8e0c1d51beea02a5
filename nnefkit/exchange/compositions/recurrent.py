"""Recurrent layers, unrolled over time: a call of a fragment for each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.names import identifier
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, sliced
from nnefkit.exchange.source_value import Argument, Value

MAX_STEPS = 1000
"""Maximum number of steps that are unrolled."""

States = list[Value]
"""The hidden state, and the cell state of an LSTM."""
Step = Callable[[Value, States], States]


def steps(c: OperatorCall, x: Value, axis: int, name: str) -> list[Value]:
    """Return the inputs of the steps along an axis, named after the layer.

    Raises:
        Refusal: There are more than `MAX_STEPS` steps.
    """
    count = x.shape[axis]
    if count > MAX_STEPS:
        refuse(
            f"it has {count} steps, and NNEF has no loops",
            f"At most {MAX_STEPS} steps are unrolled: pass a shorter input, "
            "or export a module that computes a single step.",
        )
    inputs = c.ops("unstack", x, axis=axis)
    for number, value in enumerate(inputs):
        named(c, value, f"{name}.x{number}")
    return inputs


def fragment_step(c: OperatorCall, name: str, weights: Sequence[Argument]) -> Step:
    """Return a step that calls a fragment with the weights of a direction."""

    def step(x: Value, states: States) -> States:
        shapes = [state.shape for state in states]
        return c.graph.fragment(name, [x, *states, *weights], shapes)

    return step


def unrolled(
    c: OperatorCall,
    step: Step,
    inputs: Sequence[Value],
    states: States,
    name: str,
    *,
    backward: bool = False,
) -> tuple[list[Value], States]:
    """Compute one direction of a layer.

    Args:
        c: The call of the operator.
        step: Computes the next states from an input and the states before it.
        inputs: The inputs of the steps.
        states: The states before the first step.
        name: The name of the layer and its direction; results are named after it and the step.
        backward: Whether the steps are computed from the last input to the first.

    Returns:
        The hidden states in the order of the inputs, and the last states.
    """
    hidden = []
    order = [*enumerate(inputs)]
    for number, x in reversed(order) if backward else order:
        states = step(x, states)
        for letter, state in zip("hc", states, strict=False):
            named(c, state, f"{name}_{letter}{number}")
        hidden.append(states[0])
    return hidden[::-1] if backward else hidden, states


def layer(
    c: OperatorCall,
    directions: Sequence[Step],
    inputs: Sequence[Value],
    first: Sequence[Sequence[Value]],
    name: str,
) -> tuple[list[Value], list[States]]:
    """Compute a layer of one direction or two.

    Args:
        c: The call of the operator.
        directions: The step of each direction; the second one goes from the last input on.
        inputs: The inputs of the steps.
        first: The states of each direction before its first step.
        name: The name of the layer.

    Returns:
        The hidden states in the order of the inputs, those of both directions joined, and the last
        states of each direction.
    """
    hidden, last = [], []
    for number, (step, states) in enumerate(zip(directions, first, strict=False)):
        backward = bool(number)
        stem = name + "_reverse" * backward
        outputs, final = unrolled(c, step, inputs, [*states], stem, backward=backward)
        hidden.append(outputs)
        last.append(final)
    if len(hidden) == 1:
        return hidden[0], last
    joined = []
    for place, pair in enumerate(zip(*hidden, strict=True)):
        joined.append(c.op("concat", [*pair], axis=1))
        named(c, joined[-1], f"{name}_h{place}_both")
    return joined, last


def initial_states(c: OperatorCall, given: Value, axis: int = 0) -> list[Value]:
    """Return the parts of a tensor of initial states along an axis, one for each direction."""
    shape = [extent for other, extent in enumerate(given.shape) if other != axis]
    if given.filler and given.data is not None:
        # Parts that repeat one number are the same constant.
        first = reshaped(c, sliced(c, given, axis, 0, 1), shape)
        return [first] * given.shape[axis]
    return [
        reshaped(c, sliced(c, given, axis, number, number + 1), shape)
        for number in range(given.shape[axis])
    ]


def named(c: OperatorCall, value: Value, name: str) -> None:
    """Name a tensor that has no name yet."""
    if value.data is None and not value.name:
        value.name = c.graph.names.unused(identifier(name))
