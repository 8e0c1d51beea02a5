"""Branches with a constant condition, loops with a constant trip count, and variables (4.8)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from nnefkit.exchange.control_flow import NO_LOOPS, branched, repeated
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tflite.call import Call, Resource, Result, operator


@operator("IF")
def if_(c: Call) -> list[Result]:
    """Read the branch that is taken, or both where the condition is computed at run time."""
    numbers = [int(c.option(f"{name}_subgraph_index", -1)) for name in ("then", "else")]
    condition, arguments = c[0], c.inputs[1:]
    before = dict(c.variables.current)
    taken, other = (partial(c.read_graph, number, arguments) for number in numbers)
    results = branched(c, condition, taken, other)
    if condition.data is None and dict(c.variables.current) != before:
        c.refuse("a branch assigns a variable, and its condition is not constant", NO_LOOPS)
    return [*results]


@operator("WHILE")
def while_(c: Call) -> list[Result]:
    """Unroll a loop."""
    condition, body = (int(c.option(f"{name}_subgraph_index", -1)) for name in ("cond", "body"))

    def goes_on(carried: Sequence[Result]) -> Result:
        (result,) = c.read_graph(condition, carried)
        return result

    return [*repeated(c, goes_on, partial(c.read_graph, body), c.inputs)]


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
