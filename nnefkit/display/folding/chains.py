"""Folding along chains: helpers join their neighbors, repeats and runs become one box."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence

from nnefkit.display.folding.network import Group, Kind, Network, joined, merged_operations
from nnefkit.display.folding.plain_operation import PlainOperation
from nnefkit.display.vocabulary import OTHERS, PRODUCTS, entry, family

LONGEST_PERIOD = 16
LONGEST_RUN = 6
MAX_PATTERNS = 16
ENDS = frozenset({"input", "output"})


def chains(network: Network) -> Iterator[list[int]]:
    """Yield maximal sequences of nodes in which each node feeds only the next one.

    Only the last node of a chain may have other readers, and only the first one other main sources.
    """
    groups, after = network.groups, network.after
    main = network.main_before()
    follows = [False] * len(network)
    following = [-1] * len(network)
    for node, targets in enumerate(after):
        if len(targets) == 1 and groups[node].kind not in ENDS:
            target = targets[0]
            if main[target] == [node] and groups[target].kind not in ENDS:
                following[node] = target
                follows[target] = True
    for start in range(len(network)):
        if follows[start] or groups[start].kind in ENDS:
            continue
        chain = [start]
        node = following[start]
        while node >= 0:
            sources = network.before[node]
            if len(sources) > 1 and any(
                start < source < node and source != chain[-1] for source in sources
            ):
                yield chain
                chain = []
                start = node
            chain.append(node)
            node = following[node]
        yield chain


def composed(network: Network, nodes: Sequence[int], kind: Kind) -> Group:
    """Return the group of `nodes`; its form includes their connections."""
    parts = [network.groups[node] for node in nodes]
    place = {node: i for i, node in enumerate(nodes)}
    wiring = tuple(
        tuple([place.get(source, -1) for source in network.before[node]]) for node in nodes
    )
    number = network.forms.number
    form = number(kind, wiring, *[part.form for part in parts])
    kin = number(kind, wiring, *[part.kin for part in parts])
    return Group(kind, merged_operations(parts), form, kin, parts)


def absorb_helpers(network: Network, operations: Sequence[PlainOperation]) -> Network:
    """Merge small operations (activations, biases, paddings, transpositions) into neighbors."""
    merges = []
    for chain in chains(network):
        if len(chain) < 2:
            continue
        units = [unit for unit in _units(network, operations, chain) if len(unit) > 1]
        merges += [(unit, composed(network, unit, "unit")) for unit in units]
    return joined(network, merges)


def _units(
    network: Network, operations: Sequence[PlainOperation], chain: Sequence[int]
) -> list[list[int]]:
    units: list[list[int]] = []
    unit: list[int] = []
    heavy = False
    for node in chain:
        if network.groups[node].kind != "unit":
            # A fragment call remains as its author wrote it; nothing is added to it.
            units += [unit, [node]]
            unit, heavy = [], False
            continue
        helps = is_helper(network, operations, node)
        pads = helps and entry(operations[network.groups[node].operations[0]].name).helps == "next"
        if heavy and (not helps or pads):
            units.append(unit)
            unit, heavy = [], False
        unit.append(node)
        heavy = heavy or not helps
    last = units[-1] if units else []
    if not heavy and last and network.groups[last[-1]].kind == "unit":
        last.extend(unit)
    else:
        units.append(unit)
    return units


def join_light_blocks(network: Network, operations: Sequence[PlainOperation]) -> Network:
    """Join successive blocks without products, such as the two halves of a normalization."""
    merges = []
    for chain in chains(network):
        run: list[int] = []
        for node in [*chain, -1]:
            if node >= 0 and _is_light(network.groups[node], operations):
                run.append(node)
                continue
            if len(run) > 1:
                merges.append((run, composed(network, run, "chain")))
            run = []
    return joined(network, merges)


def _is_light(group: Group, operations: Sequence[PlainOperation]) -> bool:
    heavy = (PRODUCTS, OTHERS)
    return group.kind == "block" and not any(
        family(operations[number].name) in heavy for number in group.operations
    )


def is_helper(network: Network, operations: Sequence[PlainOperation], node: int) -> bool:
    """Return whether a node is a small operation on one tensor."""
    group = network.groups[node]
    if group.kind != "unit" or len(group.operations) != 1 or len(network.before[node]) > 1:
        return False
    return entry(operations[group.operations[0]].name).helps != "nothing"


def fold_repeats(
    network: Network, operations: Sequence[PlainOperation], *, loosely: bool = False
) -> Network:
    """Fold repetitions in a row into one.

    First equal successive groups, then sequences of groups. A sequence counts as repeated only if
    its shapes repeat too, so that the stages of a network stay apart; with `loosely`, shapes are
    ignored.
    """
    network = _fold_tandems(network, lambda group: group.form, range(1, 2))
    longer = range(2, LONGEST_PERIOD + 1)
    if loosely:
        return _fold_tandems(network, lambda group: group.form, longer)
    return _fold_tandems(network, lambda group: (group.form, _shape(group, operations)), longer)


def _shape(group: Group, operations: Sequence[PlainOperation]) -> object:
    shapes = operations[group.operations[-1]].shapes
    return tuple(shapes[0]) if shapes and shapes[0] is not None else None


def _fold_tandems(network: Network, token: Callable[[Group], Hashable], periods: range) -> Network:
    merges = []
    for chain in chains(network):
        if len(chain) < 2 * periods.start:
            continue
        tokens = [token(network.groups[node]) for node in chain]
        for start, period, count in tandems(tokens, periods):
            nodes = chain[start : start + period * count]
            merges.append((nodes, _repeat(network, nodes, period, count)))
    return joined(network, merges)


def _repeat(network: Network, nodes: Sequence[int], period: int, count: int) -> Group:
    first = network.groups[nodes[0]]
    if period > 1:
        first = composed(network, nodes[:period], "chain")
    form = network.forms.number("repeat", count, first.form)
    kin = network.forms.number("repeat", first.kin)
    inside = [network.groups[node] for node in nodes]
    return Group("repeat", merged_operations(inside), form, kin, (first,), count, members=inside)


def tandems(tokens: Sequence[Hashable], periods: range) -> list[tuple[int, int, int]]:
    """Immediate repetitions: (start, period, count), from left to right.

    Of those with the same start, the longest is taken; of equally long ones, the one with the
    shortest period.
    """
    size = len(tokens)
    if len(set(tokens)) == size:
        return []
    periods = range(periods.start, min(periods.stop, size // 2 + 1))
    equal: dict[int, list[int]] = {}
    for period in periods:
        run = [0] * (size + 1)
        for i in range(size - period - 1, -1, -1):
            if tokens[i] == tokens[i + period]:
                run[i] = run[i + 1] + 1
        equal[period] = run
    repetitions = []
    start = 0
    while start < size:
        covered, best = 0, (start, 1, 1)
        for period in periods:
            count = equal[period][start] // period + 1
            if count > 1 and count * period > covered:
                covered, best = count * period, (start, period, count)
        if covered:
            repetitions.append(best)
        start += max(covered, 1)
    return repetitions


def fold_runs(network: Network) -> Network:
    """Fold each short run of units that occurs several times between blocks."""
    runs: list[list[int]] = []
    for chain in chains(network):
        run: list[int] = []
        for node in chain:
            if network.groups[node].kind == "unit":
                run.append(node)
            elif run:
                runs.append(run)
                run = []
        if run:
            runs.append(run)
    kin = [tuple([network.groups[node].kin for node in run]) for run in runs]
    patterns = _patterns(kin)
    merges = []
    for run, numbers in zip(runs, kin, strict=True):
        for start, end in _occurrences(numbers, patterns):
            merges.append((run[start:end], composed(network, run[start:end], "chain")))
    return joined(network, merges)


def _patterns(runs: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Patterns: runs that occur again, perhaps within another run, the longest ones first."""
    candidates = Counter(run for run in runs if 1 < len(run) <= LONGEST_RUN)
    patterns = [
        pattern
        for pattern, number in candidates.most_common(MAX_PATTERNS)
        if number > 1 or sum(len(_occurrences(run, [pattern])) for run in runs) > 1
    ]
    return sorted(patterns, key=len, reverse=True)


def _occurrences(run: Sequence[int], patterns: Sequence[tuple[int, ...]]) -> list[tuple[int, int]]:
    """Find patterns in a run, from its end backwards (the beginning may be a stem)."""
    occurrences = []
    end = len(run)
    while end > 1:
        for pattern in patterns:
            if end >= len(pattern) and tuple(run[end - len(pattern) : end]) == pattern:
                occurrences.append((end - len(pattern), end))
                end -= len(pattern)
                break
        else:
            end -= 1
    return occurrences


def fold_chains(network: Network, *, longest: int) -> Network:
    """Fold every chain, in pieces of up to `longest` groups."""
    merges = []
    for chain in chains(network):
        for start in range(0, len(chain), longest):
            piece = chain[start : start + longest]
            if len(piece) > 1:
                merges.append((piece, composed(network, piece, "chain")))
    return joined(network, merges)
