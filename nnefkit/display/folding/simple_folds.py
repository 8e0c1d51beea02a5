"""Folding until a picture fits: simple methods that always succeed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from nnefkit.display.folding.network import Group, Network, joined, merged_operations

FEW = 3
"""Number of equal siblings up to which they remain separate boxes."""


def fold_siblings(network: Network) -> Network:
    """Fold equal groups with the same sources and readers into one."""
    families: dict[tuple[object, ...], list[int]] = {}
    starts = [node for node, sources in enumerate(network.before) if not sources]
    forks = [targets for targets in network.after if len(targets) > FEW]
    for node in dict.fromkeys(chain(starts, *forks)):
        form = network.groups[node].form
        key = (form, tuple(network.before[node]), tuple(network.after[node]))
        families.setdefault(key, []).append(node)
    merges = [(nodes, _alike(network, nodes)) for nodes in families.values() if len(nodes) > FEW]
    return joined(network, merges)


def _alike(network: Network, nodes: Sequence[int]) -> Group:
    groups = [network.groups[node] for node in nodes]
    first = groups[0]
    if first.kind in ("input", "output"):
        return _several(groups)
    form = network.forms.number("siblings", len(nodes), first.form)
    kin = network.forms.number("siblings", first.kin)
    return Group(
        "siblings", merged_operations(groups), form, kin, (first,), len(nodes), members=groups
    )


def _several(groups: Sequence[Group]) -> Group:
    names = tuple([name for group in groups for name in group.names])
    first = groups[0]
    operations = merged_operations(groups)
    return Group(first.kind, operations, first.form, first.kin, names=names, members=groups)


def fold_ends(network: Network, limit: int) -> Network:
    """Fold all inputs into one box if there are more than `limit`; the same for outputs."""
    merges = []
    for kind in ("input", "output"):
        nodes = [node for node, group in enumerate(network.groups) if group.kind == kind]
        if len(nodes) > limit:
            merges.append((nodes, _several([network.groups[node] for node in nodes])))
    return joined(network, merges)


def fold_stretches(network: Network, limit: int) -> Network:
    """Fold successive operations, so that at most `limit` boxes remain."""
    inner = [node for node, group in enumerate(network.groups) if group.kind not in _ENDS]
    ends = len(network) - len(inner)
    room = max(1, limit - ends)
    merges = []
    size = -(-len(inner) // room)
    for start in range(0, len(inner), max(size, 1)):
        nodes = inner[start : start + size]
        if len(nodes) > 1:
            parts = [network.groups[node] for node in nodes]
            form = network.forms.number("rest", *[part.form for part in parts])
            merges.append((nodes, Group("rest", merged_operations(parts), form, form, parts)))
    return joined(network, merges)


_ENDS = frozenset({"input", "output"})
