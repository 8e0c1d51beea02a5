"""The stages of folding: from all operations of a graph to the boxes of its picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from nnefkit.arrays import Shape
from nnefkit.display.folding.blocks import fold_blocks
from nnefkit.display.folding.chains import (
    absorb_helpers,
    fold_chains,
    fold_repeats,
    fold_runs,
    join_light_blocks,
)
from nnefkit.display.folding.connections import connections, shapes_by_name
from nnefkit.display.folding.fragment_folds import fold_fragments
from nnefkit.display.folding.labels import make_box
from nnefkit.display.folding.network import Group, Network, build_network
from nnefkit.display.folding.picture import Picture
from nnefkit.display.folding.plain_operation import PlainOperation
from nnefkit.display.folding.simple_folds import fold_ends, fold_siblings, fold_stretches
from nnefkit.operation_names import SOURCES

BUDGET = 120
"""Default maximum number of boxes of a picture; its SVG then has less than 60 KiB."""
COMFORTABLE = 48
"""Number of boxes that a reader can take in at a glance, below which nothing is folded further."""
BLOCK = 40
"""Maximum number of operations (with their helpers) of a block folded because it is repeated."""
LARGEST_BLOCK = 200
LARGE = 2_000
"""Number of boxes from which on only simple methods are tried."""
LEVEL = 12
"""Maximum number of boxes that one level of a nested graph joins."""
EDGES = 2
"""Number of edges for each box that a reader can follow."""
PASSED = 4
"""Number of layers passed by edges, for each box, that a reader can follow."""
NESTED = 1.2
"""Average number of long edges that pass a layer from which on each level becomes one box."""
ROUNDS = 8


def fold_graph(
    operations: Iterable[PlainOperation],
    inputs: Sequence[str],
    outputs: Sequence[str],
    budget: int = BUDGET,
) -> Picture:
    """Return the boxes and edges of the picture of a graph, at most `budget` boxes.

    Parameters have no boxes; operations that act only on them belong to their readers. Then, as far
    as it makes the picture clearer: fragment calls become boxes, small operations join their
    neighbors, repeated blocks and repetitions in a row become one box.

    Args:
        operations: All operations in a valid order.
        inputs: Names of the input tensors of the graph.
        outputs: Names of its output tensors.
        budget: At least 3: an input, an output and something between them.
    """
    operations = [*operations]
    folded = fold_network(build_network(operations, inputs, outputs), operations, budget)
    return picture_of(folded.groups, operations, shapes_by_name(operations))


def picture_of(
    groups: Sequence[Group],
    operations: Sequence[PlainOperation],
    shape_of: Mapping[str, Shape | None],
) -> Picture:
    """Return the picture of the groups of a whole graph, one box for each."""
    boxes = [make_box(group, operations, shape_of) for group in groups]
    shown = sum(len(box.operations) for box in boxes if box.kind == "operation")
    given = sum(1 for operation in operations if operation.name in SOURCES)
    edges = connections(groups, operations, shape_of)
    drawn = edges
    if any(group.kind == "rest" for group in groups):
        drawn = [edge for edge in edges if not edge.skips]
    return Picture(boxes, drawn, shown, len(operations) - shown - given, len(edges) - len(drawn))


def fold_network(whole: Network, operations: Sequence[PlainOperation], budget: int) -> Network:
    """Fold until the picture is clear, and on until it has at most `budget` boxes."""
    comfortable = min(COMFORTABLE, budget)
    folded = absorb_helpers(fold_fragments(fold_ends(whole, budget // 2), operations), operations)
    folded = _fold_repeated(folded, operations)
    for limit in (8, 24, BLOCK, 2 * BLOCK) if len(folded) < LARGE else (2 * BLOCK,):
        if _size(folded, budget) > comfortable:
            folded = fold_blocks(folded, limit=limit, only_repeated=False)
            folded = fold_siblings(fold_repeats(folded, operations, loosely=True))
    for _ in range(ROUNDS):
        size = _size(folded, budget)
        if size <= budget:
            return folded
        folded = fold_chains(folded, longest=max(2, int(size / comfortable) + 1))
        folded = fold_blocks(folded, limit=LARGEST_BLOCK, only_repeated=False)
        folded = fold_siblings(fold_repeats(folded, operations, loosely=True))
        if _size(folded, budget) > 0.8 * size:
            break
    if len(folded) > budget:
        folded = fold_ends(folded, max(1, budget // 8))
    room = budget
    while _size(folded, budget) > budget and room > 2:
        folded = fold_stretches(folded, room)
        room = room * 2 // 3
    return folded


def _size(folded: Network, budget: int) -> float:
    """Size of a picture: its boxes, or its edges if these are very many or very long."""
    boxes = len(folded)
    if boxes > budget:
        return boxes
    edges = sum(map(len, folded.after))
    return max(boxes, edges / EDGES, _passed(folded)[0] / PASSED)


def _passed(folded: Network) -> tuple[int, int]:
    """Count the layers that all edges together pass, and all layers."""
    level = [0] * len(folded)
    passed = 0
    for node, sources in enumerate(folded.before):
        if sources:
            level[node] = 1 + max([level[source] for source in sources])
            passed += sum([level[node] - 1 - level[source] for source in sources])
    return passed, max(level, default=0) + 1


def _fold_repeated(folded: Network, operations: Sequence[PlainOperation]) -> Network:
    for _ in range(ROUNDS):
        size = len(folded)
        folded = fold_blocks(folded, limit=BLOCK, only_repeated=True)
        folded = fold_siblings(fold_repeats(folded, operations))
        # Of a large graph, another round must be worth its time.
        if len(folded) == size or len(folded) > max(LARGE, 0.8 * size):
            break
    folded = fold_repeats(fold_runs(join_light_blocks(folded, operations)), operations)
    if len(folded) < LARGE and _is_nested(folded):
        folded = fold_repeats(fold_chains(folded, longest=LEVEL), operations)
    return folded


def _is_nested(folded: Network) -> bool:
    """Return whether long edges run side by side, as in a U-Net; each level is then one box."""
    passed, layers = _passed(folded)
    return passed > NESTED * layers
