"""Nodes that are not valid, at which a run may end the process or never end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nnefkit.errors import ExecutionError
from nnefkit.exchange.onnx.call import INVALID, ML, Call
from nnefkit.exchange.onnx.operators.tree_tables import refuse_cycles
from nnefkit.exchange.onnx.python_values import attributes_of
from nnefkit.exchange.onnx.signatures import refuse_incomplete
from nnefkit.exchange.refusal import Refusal
from nnefkit.exchange.source_graph import SourceGraph

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

_TREES = ("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor")


def refuse_invalid_nodes(model: ModelProto, *, is_read: bool = False) -> None:
    """Check what can be known of the nodes of a model without the shapes of their inputs.

    Nodes that lack an input may end the process in ONNX Runtime, and it follows cycles of trees
    without an end, as ONNX's evaluator does.

    Args:
        model: A model without functions.
        is_read: Whether a reader has checked the trees of the main graph already.

    Raises:
        ExecutionError: A node is not valid, in the main graph or in one inside of a node.
    """
    named = ((opset.domain, opset.version) for opset in model.opset_import)
    versions = {"" if domain == "ai.onnx" else domain: version for domain, version in named}
    _refuse_in(model.graph, versions, has_checked_trees=is_read)


def _refuse_in(
    graph: GraphProto, versions: Mapping[str, int], *, has_checked_trees: bool = False
) -> None:
    for node in graph.node:
        domain = "" if node.domain == "ai.onnx" else node.domain
        try:
            refuse_incomplete(node, versions.get(domain, 1))
        except Refusal as refusal:
            raise _error(node, f"is incomplete: {refusal.reason}", refusal.hint) from None
        if domain == ML and node.op_type in _TREES and not has_checked_trees:
            _refuse_cyclic_trees(node)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _refuse_in(inner, versions)


def _refuse_cyclic_trees(node: NodeProto) -> None:
    try:
        refuse_cycles(Call(node.op_type, SourceGraph(), [], attributes_of(node), 0, node=node))
    except Refusal as refusal:
        raise _error(node, f"is not valid: {refusal.reason}", refusal.hint) from None
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        reason = f"is not valid: its attributes do not fit each other ({error})"
        raise _error(node, reason, INVALID) from None


def _error(node: NodeProto, reason: str, hint: str) -> ExecutionError:
    name = node.name or next(iter(node.output), "")
    return ExecutionError(
        f"the ONNX model cannot be run: '{node.op_type}' ('{name}') {reason}", hint=hint
    )
