"""Scalar operations that Theano fused to one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.exchange.source_value import DTYPES, DType, Value
from nnefkit.exchange.theano.call import Call
from nnefkit.exchange.theano.scalar_call import ScalarOp, applied


def composite(c: Call, tree: Mapping[str, Any], values: Sequence[Value]) -> list[Value]:
    """Return the results of operations that Theano fused to one.

    Args:
        c: The call of the operation.
        tree: The operations, as the script writes them.
        values: The operands.

    Raises:
        Refusal: They are not valid, or NNEF cannot express one of them.
    """
    known = dict(zip(_listed(c, tree, "inputs"), values, strict=False))
    if len(known) != len(values):
        c.invalid(f"it has {len(values)} inputs, not {len(known)}")
    described = tree.get("values")
    if not isinstance(described, dict):
        c.invalid("the values of its operations are missing")
    for node in _listed(c, tree, "nodes"):
        if not isinstance(node, dict):
            c.invalid("one of its operations is not an object")
        operands = [_operand(c, id_, known, described) for id_ in _listed(c, node, "inputs")]
        names = _listed(c, node, "outputs")
        if "nodes" in node:
            node = {"tree": _with_own_ids(c, node)}
        results = scalar_results(c, node, operands, [_dtype(c, described, n) for n in names])
        known.update(zip(names, results, strict=False))
    return [_operand(c, id_, known, described) for id_ in _listed(c, tree, "outputs")]


def _with_own_ids(c: Call, tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Composite inside of another one, whose inputs and outputs have its own ids.

    The first version of the script wrote those of the outer one. Inputs are numbered first, and
    nothing reads the outputs.
    """
    nodes = [node for node in _listed(c, tree, "nodes") if isinstance(node, dict)]
    read = {id_ for node in nodes for id_ in _listed(c, node, "inputs")}
    outputs = [id_ for node in nodes for id_ in _listed(c, node, "outputs") if id_ not in read]
    count = len(_listed(c, tree, "inputs"))
    if len(outputs) != len(_listed(c, tree, "outputs")):
        c.refuse(
            "one of its operations consists of others, which the file does not describe",
            "Dump the graph again, with the present version of the script.",
        )
    return {**tree, "inputs": [f"s{n}" for n in range(count)], "outputs": outputs}


def scalar_results(
    c: Call, tree: Mapping[str, Any], values: Sequence[Value], dtypes: Sequence[DType]
) -> list[Value]:
    """Return the results of a scalar operation, which may consist of others."""
    inner = tree.get("tree")
    if isinstance(inner, dict) or "nodes" in tree:
        results = composite(c, inner if isinstance(inner, dict) else tree, values)
        return [c.to_result(x, dtype) for x, dtype in zip(results, dtypes, strict=False)]
    name, params = tree.get("op"), tree.get("params", {})
    if not isinstance(name, str) or not isinstance(params, dict) or len(dtypes) != 1:
        c.invalid("its scalar operation is not valid")
    return [applied(c, ScalarOp(name, params, values, dtypes[0]))]


def _listed(c: Call, tree: Mapping[str, Any], name: str) -> list[Any]:
    found = tree.get(name)
    if not isinstance(found, list) or (
        name != "nodes" and not all(isinstance(each, str) for each in found)
    ):
        c.invalid(f"the {name} of its operations are not a list")
    return found


def _operand(c: Call, id_: str, known: Mapping[str, Value], described: Mapping[str, Any]) -> Value:
    if id_ in known:
        return known[id_]
    record = described.get(id_)
    number = record.get("data") if isinstance(record, dict) else None
    if isinstance(number, dict) and number.get("float") in ("nan", "inf", "-inf"):
        number = float(number["float"])
    if not isinstance(number, (int, float)) or (abs(number) > 2**63 and math.isfinite(number)):
        c.invalid(f"the value '{id_}' of its operations is missing")
    return c.graph.constant(np.asarray(number, _dtype(c, described, id_)))


def _dtype(c: Call, described: Mapping[str, Any], id_: str) -> DType:
    record = described.get(id_)
    name = record.get("dtype") if isinstance(record, dict) else None
    if not isinstance(name, str) or name not in DTYPES:
        c.invalid(f"the type of the value '{id_}' of its operations is {name!r:.80}")
    return np.dtype(name)
