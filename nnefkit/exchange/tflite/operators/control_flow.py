"""Branches with a constant condition, loops with a constant trip count, and variables (4.8)."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.exchange.refusal import Refusal
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tflite.call import INVALID, Call, Resource, Result, operator

_MAX_ITERATIONS = 1000
_NO_LOOPS = "NNEF has no loops; only loops whose condition does not depend on inputs are unrolled."


@operator("IF")
def if_(c: Call) -> list[Result]:
    """Read the branch that is taken, or both where the condition is computed at run time."""
    numbers = [int(c.option(f"{name}_subgraph_index", -1)) for name in ("then", "else")]
    condition, arguments = c[0], c.inputs[1:]
    if condition.data is not None:
        if condition.data.size != 1:
            c.refuse("its condition is not one logical", INVALID)
        return c.read_graph(numbers[not bool(condition.data.reshape(-1)[0])], arguments)
    return _selected(c, condition, numbers, arguments)


def _selected(
    c: Call, condition: Value, numbers: Sequence[int], arguments: Sequence[Result]
) -> list[Result]:
    """Return the results of both branches, between which `select` chooses."""
    before = dict(c.variables.current)
    taken, other = (c.read_graph(number, arguments) for number in numbers)
    if dict(c.variables.current) != before:
        c.refuse("a branch assigns a variable, and its condition is not constant", _NO_LOOPS)
    results: list[Result] = []
    for x, y in zip(taken, other, strict=True):
        if not isinstance(x, Value) or not isinstance(y, Value):
            return []
        if x.shape != y.shape or x.data_type != y.data_type:
            c.refuse(
                "its branches return tensors of other shapes, and its condition is not constant",
                "Make the condition constant in the network, and convert it again.",
            )
        results.append(c.op("select", condition, x, y, data_type=x.data_type))
    return results


@operator("WHILE")
def while_(c: Call) -> list[Result]:
    """Unroll a loop."""
    condition, body = (int(c.option(f"{name}_subgraph_index", -1)) for name in ("cond", "body"))
    carried: list[Result] = [*c.inputs]
    for _ in range(_MAX_ITERATIONS):
        (goes_on,) = c.read_graph(condition, carried)
        if not isinstance(goes_on, Value):
            return []
        if goes_on.data is None or goes_on.data.size != 1:
            c.refuse("its condition is computed at run time", _NO_LOOPS)
        if not bool(goes_on.data.reshape(-1)[0]):
            return carried
        carried = c.read_graph(body, carried)
        if len(carried) != len(c.inputs):
            c.refuse("its body returns another number of tensors than it takes", INVALID)
    raise Refusal(f"it repeats more than {_MAX_ITERATIONS} times", _NO_LOOPS)


# -- variables -------------------------------------------------------------------------------------


@operator("VAR_HANDLE")
def var_handle(c: Call) -> Resource:
    """Read the handle of a variable."""
    return Resource(str(c.option("container", "")), str(c.option("shared_name", "")))


@operator("READ_VARIABLE")
def read_variable(c: Call) -> Value:
    """Read `variable`, or what the run has assigned to it."""
    key = c.resource(0)
    return c.variables.read(key, key.name or "variable")


@operator("ASSIGN_VARIABLE")
def assign_variable(c: Call) -> list[Result]:
    """Read `update`."""
    key, value = c.resource(0), c[1]
    if c.variables.is_initializing:
        c.variables.initial[key] = value
    else:
        c.variables.assign(key, value, key.name or "variable")
    return []


@operator("CALL_ONCE")
def call_once(c: Call) -> list[Result]:
    """Read the values with which variables start."""
    with c.variables.initializing():
        c.read_graph(int(c.option("init_subgraph_index", -1)), [])
    return []
