"""Tree ensembles as tables with a row for each node, from the attributes of a node of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.onnx.call import INVALID, Call
from nnefkit.exchange.refusal import refuse

LESS_EQUAL, LESS, EQUAL, MEMBER = range(4)
"""How the feature of a node is compared."""

_MAX_LEVELS = 512
_MAX_NODES = 2**24
"""Maximum number of nodes: their indices are exact as float32."""
_MAX_SPARSE, _MAX_EMPTY = 1000, 2**20
"""Number of elements of the table of scores for each score, and of any table, against attacks."""

_CYCLE = "a path through its nodes returns to where it was"

_MODES = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ", "MEMBER")
"""The modes of nodes, in the order of their numbers in `TreeEnsemble`."""
_COMPARISONS = {
    "LEQ": LESS_EQUAL,
    "GT": LESS_EQUAL,
    "LT": LESS,
    "GTE": LESS,
    "EQ": EQUAL,
    "NEQ": EQUAL,
    "MEMBER": MEMBER,
}
_SWAPPED = ("GT", "GTE", "NEQ")
"""Modes that are the opposite of their comparison."""


@dataclass(frozen=True)
class Trees:
    """The nodes of all trees; leaves lead to themselves."""

    features: Array
    thresholds: Array
    comparisons: Array
    holds: Array
    """The next node where the comparison is true."""
    fails: Array
    """The next node where it is false."""
    nan_holds: Array
    """Whether NaN counts as a true comparison."""
    sets: Array
    """For nodes that compare with the members of a set, the row of that set in `members`."""
    members: Array
    """The members of sets, padded by repetition."""
    roots: Array
    depth: int
    scores: Array
    """The scores of leaves, of shape [nodes, targets]."""
    has_score: Array
    """Whether a leaf has a score for a target."""
    is_scored: Array
    """Whether all leaves of some tree have a score for a target, and so all examples."""


def trees_of(c: Call, prefix: str, targets: int, feature_count: int, dtype: Any) -> Trees:
    """Return the trees of a `TreeEnsembleClassifier` or `TreeEnsembleRegressor`.

    Args:
        c: The call of the operator.
        prefix: The prefix of the attributes of leaves: ``class`` or ``target``.
        targets: The number of scores.
        feature_count: The number of features of the input.
        dtype: The dtype of the features.
    """
    trees, modes, find, links = _links_by_id(c)
    is_leaf = links.is_leaf
    starts = np.flatnonzero(np.r_[True, trees[1:] != trees[:-1]])
    if len({*trees[starts].tolist()}) != len(starts):
        refuse("the nodes of its trees are not in order", "List the nodes of each tree together.")
    branches = _Branches(
        _ints(c, "nodes_featureids"),
        _floats(c, "nodes_values", dtype),
        np.array(["LEQ" if leaf else mode for mode, leaf in zip(modes, is_leaf, strict=True)]),
        links.true,
        links.false,
        _flags(c, len(modes)),
    )
    owners = _ints(c, f"{prefix}_treeids"), _ints(c, f"{prefix}_nodeids")
    ids, weights = _ints(c, f"{prefix}_ids"), _floats(c, f"{prefix}_weights", dtype)
    if {*map(len, owners), len(ids)} != {len(weights)}:
        refuse("the scores of its leaves do not fit its nodes", INVALID)
    leaves = find(*owners)
    if leaves.min(initial=0) < 0:
        refuse("the scores of its leaves do not fit its nodes", INVALID)
    table = _scores(len(modes), targets, leaves, ids, weights)
    return _joined(branches, starts, table, feature_count, is_leaf, _no_sets(len(modes), dtype))


def trees_of_branches(c: Call, targets: int, feature_count: int, dtype: Any) -> Trees:
    """Return the trees of a `TreeEnsemble`, which lists branches and leaves separately."""
    modes = np.array([_MODES[int(mode)] for mode in np.ravel(c.attribute("nodes_modes"))])
    count, ids = len(modes), _ints(c, "leaf_targetids")
    leaves, links = np.arange(len(ids)) + count, _links_by_row(c)
    weights = _floats(c, "leaf_weights", dtype)
    sets, splits = _sets(c, modes, len(ids), dtype), _floats(c, "nodes_splits", dtype)
    if len(splits) != count:
        refuse(f"it has {count} nodes and {len(splits)} splits", INVALID)
    fill = np.zeros(len(ids), np.int64)
    branches = _Branches(
        np.r_[_ints(c, "nodes_featureids"), fill],
        np.r_[splits, fill].astype(dtype),
        np.r_[modes, np.full(len(ids), "LEQ")],
        links.true,
        links.false,
        np.r_[_flags(c, count), fill != 0],
    )
    if len(ids) != len(weights) or not len(ids):
        refuse("its leaves have different numbers of targets and weights", INVALID)
    table = _scores(count + len(ids), targets, leaves, ids, weights)
    roots = _ints(c, "tree_roots")
    return _joined(branches, roots, table, feature_count, links.is_leaf, sets)


# -- links between nodes ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Links:
    """The next nodes of each node; leaves lead to themselves."""

    true: Array
    false: Array
    is_leaf: Array


def refuse_cycles(c: Call) -> None:
    """Check that no path through the nodes of a node of any of the three operators is endless.

    It depends on the attributes alone, and runtimes follow such a path without an end.

    Raises:
        Refusal: One is, or a node leads to one that does not exist.
    """
    links = _links_by_row(c) if c.operator == "TreeEnsemble" else _links_by_id(c)[-1]
    if _has_cycle(links.true, links.false, links.is_leaf):
        refuse(_CYCLE, INVALID)


def _links_by_id(c: Call) -> tuple[Array, list[str], Callable[[Array, Array], Array], _Links]:
    """Return the tree and the mode of each node, a search for rows, and the links of nodes."""
    trees, nodes = _ints(c, "nodes_treeids"), _ints(c, "nodes_nodeids")
    modes = [str(mode).removeprefix("BRANCH_") for mode in c.attribute("nodes_modes") or []]
    sides = [_ints(c, f"nodes_{side}nodeids") for side in ("true", "false")]
    if {len(trees), len(nodes), *map(len, sides)} != {len(modes)} or not modes:
        refuse("the attributes of its nodes have different lengths", INVALID)
    find = _search(trees, nodes)
    is_leaf = np.array([mode == "LEAF" for mode in modes])
    itself = np.arange(len(modes))

    def rows(ids: Array) -> Array:
        successors = np.where(is_leaf, itself, find(trees, ids))
        if successors.min() < 0:
            refuse("a node leads to a node that does not exist", INVALID)
        return np.asarray(successors)

    return trees, modes, find, _Links(rows(sides[0]), rows(sides[1]), is_leaf)


def _search(trees: Array, nodes: Array) -> Callable[[Array, Array], Array]:
    """Return a function that returns the rows of nodes of trees, -1 where there are none."""
    tree_ids, tree_ranks = np.unique(trees, return_inverse=True)
    node_ids, node_ranks = np.unique(nodes, return_inverse=True)
    keys = tree_ranks * len(node_ids) + node_ranks
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    if (keys[1:] == keys[:-1]).any():
        refuse("it lists a node twice", INVALID)

    def ranks(known: Array, wanted: Array) -> tuple[Array, Array]:
        places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        return places, known[places] == wanted

    def find(some_trees: Array, some_nodes: Array) -> Array:
        of_trees, has_tree = ranks(tree_ids, some_trees)
        of_nodes, has_node = ranks(node_ids, some_nodes)
        places, has_key = ranks(keys, of_trees * len(node_ids) + of_nodes)
        return np.asarray(np.where(has_tree & has_node & has_key, order[places], -1))

    return find


def _links_by_row(c: Call) -> _Links:
    """Return the links of a `TreeEnsemble`, whose leaves follow after its branches."""
    count, leaf_count = np.size(c.attribute("nodes_modes")), len(_ints(c, "leaf_targetids"))

    def rows(side: str) -> Array:
        wanted, is_leaf = _ints(c, f"nodes_{side}nodeids"), _ints(c, f"nodes_{side}leafs") != 0
        if (wanted < 0).any() or (wanted >= np.where(is_leaf, leaf_count, count)).any():
            refuse("a node leads to a node that does not exist", INVALID)
        leaves = np.arange(leaf_count) + count
        return np.concatenate([np.where(is_leaf, wanted + count, wanted), leaves])

    return _Links(rows("true"), rows("false"), np.arange(count + leaf_count) >= count)


def _has_cycle(true: Array, false: Array, is_leaf: Array) -> bool:
    """Whether a path returns to a node that it has left."""
    (branches,) = np.nonzero(~is_leaf)
    if (np.minimum(true, false)[branches] > branches).all():
        # Each node leads to later ones, as most writers list them.
        return False
    entries = np.bincount(np.r_[true[branches], false[branches]], minlength=len(is_leaf))
    ready = branches[entries[branches] == 0].tolist()
    waiting, left = entries.tolist(), len(branches)
    nexts, ends = list(zip(true.tolist(), false.tolist(), strict=True)), is_leaf.tolist()
    while ready:
        left -= 1
        for node in nexts[ready.pop()]:
            waiting[node] -= 1
            if not waiting[node] and not ends[node]:
                ready.append(node)
    return left > 0


@dataclass(frozen=True)
class _Branches:
    features: Array
    thresholds: Array
    modes: Array
    true: Array
    false: Array
    nan_is_true: Array


def _joined(
    b: _Branches,
    roots: Array,
    scores: tuple[Array, Array],
    feature_count: int,
    is_leaf: Array,
    sets: tuple[Array, Array],
) -> Trees:
    """Return the tables, with each mode as one of the four comparisons."""
    lengths = {len(array) for array in (b.features, b.thresholds, b.modes, b.true, b.false)}
    if len(lengths) != 1 or len(b.modes) > _MAX_NODES:
        refuse(f"its nodes are too many, or of different lengths: {sorted(lengths)}", INVALID)
    unknown = {*b.modes.tolist()} - {*_COMPARISONS}
    if unknown:
        refuse(f"its nodes have the unknown mode '{min(unknown)}'", INVALID)
    features = np.where(is_leaf, 0, b.features)
    if features.min() < 0 or features.max() >= feature_count:
        refuse(f"its nodes read features beyond the {feature_count} of its input", INVALID)
    if not len(roots) or roots.min() < 0 or roots.max() >= len(b.modes):
        refuse("the roots of its trees do not exist", INVALID)
    depth, owners = _depth(roots, b.true, b.false, is_leaf)
    is_swapped = np.isin(b.modes, _SWAPPED)
    # NaN equals nothing, and all other comparisons with it are false.
    is_true = b.nan_is_true | (b.modes == "NEQ")
    return Trees(
        features,
        b.thresholds,
        np.array([_COMPARISONS[mode] for mode in b.modes.tolist()]),
        np.where(is_swapped, b.false, b.true),
        np.where(is_swapped, b.true, b.false),
        (is_true != is_swapped) & ~is_leaf,
        *sets,
        roots,
        depth,
        *scores,
        _always_scored(owners, scores[1], is_leaf, len(roots)),
    )


def _depth(roots: Array, true: Array, false: Array, is_leaf: Array) -> tuple[int, Array]:
    """Return the number of levels from the roots to the leaves, and the tree of each node.

    The tree of nodes that no root leads to is -1.
    """
    owners = np.full(len(is_leaf), -1, np.int64)
    owners[roots] = np.arange(len(roots))
    depth, level = 0, np.unique(roots)
    while not is_leaf[level].all():
        level = level[~is_leaf[level]]
        nodes = np.r_[true[level], false[level]]
        owners[nodes] = np.r_[owners[level], owners[level]]
        if (owners[nodes] != np.r_[owners[level], owners[level]]).any():
            refuse("its trees share nodes", "Give each tree its own nodes.")
        level = np.unique(nodes)
        depth += 1
        if depth > min(_MAX_LEVELS, len(is_leaf)):
            if _has_cycle(true, false, is_leaf):
                refuse(_CYCLE, INVALID)
            refuse(
                f"its trees have more than {depth - 1} levels",
                f"Trees of at most {_MAX_LEVELS} levels are unrolled; limit the depth.",
            )
    return depth, owners


def _always_scored(owners: Array, has_score: Array, is_leaf: Array, trees: int) -> Array:
    """Return for each target whether all leaves of some tree have a score."""
    complete = np.ones((trees, has_score.shape[1]), np.bool_)
    leaves = is_leaf & (owners >= 0)
    np.logical_and.at(complete, owners[leaves], has_score[leaves])
    return np.asarray(complete.any(0))


def _scores(
    count: int, targets: int, leaves: Array, ids: Array, weights: Array
) -> tuple[Array, Array]:
    """Return the scores of nodes, and which nodes have one, of shape [nodes, targets]."""
    if ids.size and (ids.min() < 0 or ids.max() >= targets):
        refuse(f"its leaves have scores for targets beyond its {targets}", INVALID)
    if targets < 1 or count * targets > max(_MAX_EMPTY, _MAX_SPARSE * len(weights)):
        refuse(f"it has {targets} targets, but its leaves have only {len(weights)} scores", INVALID)
    has_score = np.zeros((count, targets), np.bool_)
    has_score[leaves, ids] = True
    if len(leaves) != np.count_nonzero(has_score):
        refuse(
            "a leaf has several scores for a target, and runtimes disagree on them",
            "Give each leaf one score for each target.",
        )
    scores = np.zeros((count, targets), weights.dtype)
    scores[leaves, ids] = weights
    return scores, has_score


# -- sets of members -------------------------------------------------------------------------------


def _no_sets(count: int, dtype: Any) -> tuple[Array, Array]:
    return np.zeros(count, np.int64), np.zeros((1, 1), dtype)


def _sets(c: Call, modes: Array, leaves: int, dtype: Any) -> tuple[Array, Array]:
    """Return the row of the set of each node, and the sets."""
    values = _floats(c, "membership_values", dtype)
    ends = np.flatnonzero(np.isnan(values))
    members = [part[~np.isnan(part)] for part in np.split(values, ends)]
    if len(ends) and not len(members[-1]):
        del members[-1]
    is_member = modes == "MEMBER"
    if not is_member.any():
        return _no_sets(len(modes) + leaves, dtype)
    if len(members) != np.count_nonzero(is_member) or not all(map(len, members)):
        refuse("its sets of members do not fit its nodes, or are empty", INVALID)
    longest = max(map(len, members))
    padded = np.stack([np.r_[part, np.repeat(part[:1], longest - len(part))] for part in members])
    rows = np.zeros(len(modes) + leaves, np.int64)
    rows[: len(modes)][is_member] = np.arange(len(members))
    return rows, padded


# -- attributes ------------------------------------------------------------------------------------


def _ints(c: Call, name: str) -> Array:
    return np.asarray(np.ravel(_given(c, name, list)), np.int64)


def _floats(c: Call, name: str, dtype: Any) -> Array:
    """Return numbers that are an attribute, or in double precision a tensor."""
    tensor = c.attribute(f"{name}_as_tensor")
    given = _given(c, name, list) if tensor is None else tensor
    return np.asarray(np.ravel(np.asarray(given)), dtype)


def _given(c: Call, name: str, default: Callable[[], Sequence[float]]) -> Any:
    value = c.attribute(name)
    return default() if value is None else value


def _flags(c: Call, count: int) -> Array:
    """Return for each node whether NaN takes the true branch."""
    flags = _ints(c, "nodes_missing_value_tracks_true")
    return np.zeros(count, np.bool_) if len(flags) != count else flags == 1
