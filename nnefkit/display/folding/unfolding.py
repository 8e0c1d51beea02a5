"""Unfolding: the groups inside of a group, as a reader wants to see them when it opens."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.display.folding.connections import connections
from nnefkit.display.folding.network import Forms, Group, Network, merged_operations
from nnefkit.display.folding.plain_operation import PlainOperation
from nnefkit.display.folding.stages import BUDGET, fold_network

SMALL = 12
"""Groups of so many operations open to single operations at once."""


def unfolded(
    group: Group, operations: Sequence[PlainOperation], budget: int = BUDGET
) -> Sequence[Group]:
    """Return the groups inside of `group`, in a valid order; none of a single operation.

    Args:
        group: A group of a folded network.
        operations: All operations of the graph, by number.
        budget: Maximum number of groups; more are joined.
    """
    inner = _inside(group, operations, budget)
    while len(inner) == 1 and not is_single(inner[0]):
        inner = _inside(inner[0], operations, budget)
    if len(inner) < 2:
        return ()
    return _joined(inner, budget) if len(inner) > budget else inner


def is_single(group: Group) -> bool:
    """Return whether there is nothing inside of a group: one operation, input or output."""
    return len(group.operations) < 2 and len(group.names) < 2


def _inside(group: Group, operations: Sequence[PlainOperation], budget: int) -> Sequence[Group]:
    if group.kind in ("input", "output"):
        return group.members
    if len(group.operations) <= SMALL and not _has_calls(group, operations):
        return leaves(group)
    if group.members:
        return _instances(group)
    if group.kind == "fragment":
        return _inside_fragment(group, operations, budget)
    return group.parts


def leaves(group: Group) -> list[Group]:
    """Return the single operations inside of a group, in the order of the graph."""
    found: list[Group] = []
    waiting = [group]
    while waiting:
        one = waiting.pop()
        inner = one.members or one.parts
        if inner:
            waiting.extend(inner)
        else:
            found.append(one)
    return sorted(found, key=lambda one: one.operations)


def _has_calls(group: Group, operations: Sequence[PlainOperation]) -> bool:
    """Return whether there are calls of fragments inside, besides those that contain it."""
    scopes = {tuple(operations[number].scope) for number in group.operations}
    return len(scopes) > 1


def _instances(group: Group) -> list[Group]:
    """Return the repetitions of a repeat, or the siblings."""
    members = group.members
    period = max(1, len(members) // group.count)
    pieces = [members[start : start + period] for start in range(0, len(members), period)]
    return [piece[0] if len(piece) == 1 else _chain(piece) for piece in pieces]


def _chain(groups: Sequence[Group]) -> Group:
    first = groups[0]
    return Group("chain", merged_operations(groups), first.form, first.kin, groups)


def _inside_fragment(
    group: Group, operations: Sequence[PlainOperation], budget: int
) -> Sequence[Group]:
    """Fold the operations of a fragment call again, by the calls inside of it."""
    units = leaves(group)
    shared = _shared_depth([operations[number].scope for number in group.operations])
    inner = list(operations)
    for number in group.operations:
        operation = inner[number]
        inner[number] = operation._replace(scope=tuple(operation.scope)[shared:])
    before: list[list[int]] = [[] for _ in units]
    after: list[list[int]] = [[] for _ in units]
    for edge in connections(units, operations, {}):
        before[edge.target].append(edge.source)
        after[edge.source].append(edge.target)
    forms = Forms()
    for unit in units:
        operation = operations[unit.operations[0]]
        unit.form = forms.number(operation.name, operation.attributes)
        unit.kin = forms.number(operation.name)
    return fold_network(Network(units, before, after, forms), inner, budget).groups


def _shared_depth(scopes: Sequence[Sequence[str]]) -> int:
    """Return the number of fragment calls that contain all of some operations."""
    first = scopes[0]
    depth = min(map(len, scopes))
    for scope in scopes:
        while tuple(scope[:depth]) != tuple(first[:depth]):
            depth -= 1
    return depth


def _joined(groups: Sequence[Group], budget: int) -> list[Group]:
    """Join successive groups, so that at most `budget` remain."""
    size = -(-len(groups) // budget)
    pieces = [groups[start : start + size] for start in range(0, len(groups), size)]
    return [piece[0] if len(piece) == 1 else _rest(piece) for piece in pieces]


def _rest(groups: Sequence[Group]) -> Group:
    first = groups[0]
    return Group("rest", merged_operations(groups), first.form, first.kin, groups)
