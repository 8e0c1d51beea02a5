"""Branches and loops of other formats, which NNEF does not have.

Branches with a constant condition are chosen, others are computed both, and `select` chooses
between their results; loops whose condition does not depend on inputs are unrolled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.refusal import UNREAD, Refusal, Unread, refuse
from nnefkit.exchange.reshaping import to_logical
from nnefkit.exchange.source_value import Value

NO_LOOPS = "NNEF has no loops; only loops whose condition does not depend on inputs are unrolled."
_MAX_ITERATIONS = 1000

Results = Sequence[Any]


def branched(
    c: OperatorCall,
    condition: Value,
    taken: Callable[[], Results],
    other: Callable[[], Results],
) -> Results:
    """Return the results of one of two branches.

    Args:
        c: The call of the operator.
        condition: The condition, one logical.
        taken: Reads the branch of a true condition.
        other: Reads that of a false one.

    Raises:
        Refusal: The condition is computed at run time, and the results differ in shape or type.
    """
    if condition.data is None:
        return [chosen(c, condition, x, y) for x, y in zip(taken(), other(), strict=True)]
    if condition.data.size != 1:
        refuse("its condition is not one logical", c.invalid_hint)
    return taken() if bool(condition.data.reshape(-1)[0]) else other()


def chosen(c: OperatorCall, condition: Value, x: Any, y: Any) -> Any:
    """Return `x` where a condition is true at run time, else `y`.

    Raises:
        Refusal: They differ in shape or type.
    """
    if x is y:
        return x
    if isinstance(x, Unread) or isinstance(y, Unread):
        return UNREAD  # An earlier refusal is the cause.
    is_same = (
        isinstance(x, Value)
        and isinstance(y, Value)
        and x.shape == y.shape
        and x.data_type == y.data_type
    )
    if not is_same:
        refuse(
            "its branches return tensors of other shapes, and its condition is not constant",
            "Make the condition constant in the network, and convert it again.",
        )
    return c.op("select", to_logical(c, condition), x, y, data_type=x.data_type)


def repeated(
    c: OperatorCall,
    condition: Callable[[Results], Any],
    body: Callable[[Results], Results],
    carried: Results,
) -> Results:
    """Return what a loop carries after its last round.

    Args:
        c: The call of the operator.
        condition: Reads whether the loop goes on with what it carries.
        body: Reads a round.
        carried: What it carries first.

    Raises:
        Refusal: The condition is computed at run time, or the loop has no end.
    """
    count = len(carried)
    for _ in range(_MAX_ITERATIONS):
        goes_on = condition(carried)
        if not isinstance(goes_on, Value):
            return [UNREAD] * count
        if goes_on.data is None or goes_on.data.size != 1:
            refuse("its condition is computed at run time", NO_LOOPS)
        if not bool(goes_on.data.reshape(-1)[0]):
            return carried
        carried = body(carried)
        if len(carried) != count:
            refuse("its body returns another number of tensors than it takes", c.invalid_hint)
    raise Refusal(f"it repeats more than {_MAX_ITERATIONS} times", NO_LOOPS)
