"""Elementwise operations (4.2), and what changes nothing."""

from __future__ import annotations

from typing import Any

from nnefkit.exchange.reshaping import broadcast, expanded, to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.theano.call import Call, op
from nnefkit.exchange.theano.composites import scalar_results


def scalar_tree(c: Call) -> dict[str, Any]:
    """Return the scalar operation of an operation.

    Raises:
        Refusal: It is missing.
    """
    tree = c.node.record.get("scalar_op")
    if not isinstance(tree, dict):
        c.invalid("its scalar operation is missing")
    return tree


@op("Elemwise")
def elementwise(c: Call) -> list[Value]:
    """Read the scalar operation of each element, or several ones that Theano fused."""
    values = c.all()
    shape = broadcast(c, *(value.shape for value in values))
    dtypes = [c.dtype if each is None or each.dtype is None else each.dtype for each in c.results]
    results = []
    for result in scalar_results(c, scalar_tree(c), values, dtypes):
        if result.shape != shape:
            if result.data is not None:
                c.allowance.take(shape, 8)
            result = expanded(c, result, shape)
        results.append(result)
    return results


@op("ViewOp", "DeepCopyOp", "OutputGuard", "TensorFromScalar", "ScalarFromTensor", "Rebroadcast")
def same(c: Call) -> Value:
    """Read what changes nothing."""
    return c.one()


@op("Assert", "Print", "SpecifyShape", "Unbroadcast")
def checked(c: Call) -> Value:
    """Read the first input, as the check of it changes nothing."""
    return c[0]


@op("IfElse")
def choose(c: Call) -> list[Value]:
    """Read the branch that a constant condition chooses, or `select` between both."""
    count = len(c.results)
    if len(c.inputs) != 1 + 2 * count:
        c.invalid(f"it has {len(c.inputs)} inputs for {count} results")
    condition = c[0]
    pairs = [(c[1 + n], c[1 + count + n]) for n in range(count)]
    if condition.data is not None:
        return [x if condition.data.all() else y for x, y in pairs]
    if condition.rank:
        c.invalid(f"its condition has rank {condition.rank}")
    chosen = c.op("ne", to_scalar(c, condition), 0.0)
    results = []
    for x, y in pairs:
        if x.shape != y.shape:
            c.refuse("the shapes of its branches differ", "Make its condition constant.")
        results.append(c.op("select", chosen, x, y, data_type=x.data_type))
    return results
