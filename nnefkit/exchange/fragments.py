"""Fragments for layers that no standard operation expresses, the same for all front ends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from nnefkit.execution.preparation.runnable_graph import expanded
from nnefkit.graph import Graph
from nnefkit.graph.call_macs import with_macs_of
from nnefkit.language.declarations.custom_declarations import declared
from nnefkit.language.declarations.declaration import Declaration
from nnefkit.operations.shape_inference import infer_shapes


@cache
def fragments() -> Mapping[str, Declaration]:
    """Return the declarations of ``fragments.nnef`` by name."""
    text = (files(__package__) / "fragments.nnef").read_text()
    return declared(re.findall(r"^fragment .*?^}", text, re.M | re.S))


def with_macs(graph: Graph) -> Graph:
    """Return `graph` with MACs; those of a fragment call are the sum over its operations."""
    graph = infer_shapes(graph)
    return with_macs_of(graph, expanded(graph))
