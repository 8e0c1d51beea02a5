"""Folding by fragments: the calls of a compositional document become boxes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

from nnefkit.display.folding.network import Group, Network, joined, merged_operations
from nnefkit.display.folding.plain_operation import PlainOperation

FEWEST = 4
"""Calls are opened one level deeper if there would be no more boxes than this."""


def fold_fragments(network: Network, operations: Sequence[PlainOperation]) -> Network:
    """Fold the operations of each fragment call into one group."""
    scopes = [
        tuple(operations[g.operations[0]].scope) if g.operations else () for g in network.groups
    ]
    deepest = max(map(len, scopes), default=0)
    if not deepest:
        return network
    # Two neighbors are in one box up to the depth at which their calls differ.
    splits = [_shared(a, b) + 1 if a and b else 1 for a, b in pairwise(scopes) if a != b or not a]
    depths = sorted(splits)[:FEWEST]
    depth = depths[-1] if len(depths) == FEWEST else deepest
    return _at_depth(network, scopes, depth)


def _shared(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """Return the number of fragment calls that contain two operations."""
    for depth, (one, other) in enumerate(zip(a, b, strict=False)):
        if one != other:
            return depth
    return min(len(a), len(b))


def _at_depth(network: Network, scopes: Sequence[tuple[str, ...]], depth: int) -> Network:
    merges = []
    # Operations of one call are successive, so that no path leads out of them and back.
    for scope, members in groupby(range(len(network)), key=lambda node: scopes[node][:depth]):
        nodes = list(members)
        if scope and len(nodes) > 1:
            parts = [network.groups[node] for node in nodes]
            # A scope also identifies the call: "block:y". Calls of one fragment are alike.
            name = scope[-1].partition(":")[0]
            form = network.forms.number("fragment", name, *[part.form for part in parts])
            kin = network.forms.number("fragment", name)
            group = Group("fragment", merged_operations(parts), form, kin, parts, names=(name,))
            merges.append((nodes, group))
    return joined(network, merges)
