"""Functions, which are inlined; branches, and loops, which are unrolled."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from nnefkit.exchange.control_flow import branched, repeated
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensorflow.call import Call, Result, operator


@operator("PartitionedCall", "StatefulPartitionedCall")
def call(c: Call) -> list[Result]:
    """Read a function."""
    return c.read_function(str(c.option("f", "")), c.inputs)


@operator("If", "StatelessIf")
def if_(c: Call) -> list[Result]:
    """Read the branch that is taken, or both where the condition is computed at run time."""
    condition, arguments = c[0], c.inputs[1:]
    taken, other = (
        partial(c.read_function, str(c.option(f"{name}_branch", "")), arguments)
        for name in ("then", "else")
    )
    return [*branched(c, condition, taken, other)]


@operator("While", "StatelessWhile")
def while_(c: Call) -> list[Result]:
    """Unroll a loop."""
    condition, body = (str(c.option(name, "")) for name in ("cond", "body"))

    def goes_on(carried: Sequence[Result]) -> Result | Value:
        results = c.read_function(condition, carried)
        if len(results) != 1:
            c.invalid("its condition returns several tensors")
        return results[0]

    return [*repeated(c, goes_on, partial(c.read_function, body), c.inputs)]


@operator("Case", "StatelessCase")
def case(c: Call) -> list[Result]:
    """Read the branch with a constant number; the last one for numbers without a branch."""
    names, number = c.option("branches", []), c.number(0, "number of a branch")
    if not names:
        c.invalid("it has no branches")
    is_known = 0 <= number < len(names)
    return c.read_function(str(names[number if is_known else -1]), c.inputs[1:])
