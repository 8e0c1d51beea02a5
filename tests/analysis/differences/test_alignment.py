"""The alignment of graphs: sound for any two, complete for renamed and reordered ones."""

from __future__ import annotations

import random
import re

from hypothesis import given
from hypothesis import strategies as st

import nnefkit as nk
from nnefkit.analysis.differences.edit_script import LARGEST, common_pairs

Line = tuple[str, str, tuple[str, ...], str]
"""Result, operation, arguments, attributes."""
UNARY = ("exp", "sin", "relu", "neg")
BINARY = ("add", "sub", "mul")


def drawn(seed: int, count: int) -> list[Line]:
    """Operations on two inputs and two variables."""
    rng = random.Random(seed)
    names = ["x", "y", "v", "w"]
    lines: list[Line] = []
    for i in range(count):
        name = f"t{i}"
        kind = rng.choice((*UNARY, *BINARY, "leaky_relu"))
        # Recent results are read more often, so that there are chains.
        pool = names + names[-3:] * 3
        arguments = tuple(rng.choice(pool) for _ in range(1 + (kind in BINARY)))
        attributes = f", alpha = 0.{rng.randint(1, 2)}" if kind == "leaky_relu" else ""
        lines.append((name, kind, arguments, attributes))
        names.append(name)
    return lines


def graph_of(lines: list[Line], outputs: tuple[str, ...]) -> nk.Graph:
    body = "".join(f"{r} = {op}({', '.join(args)}{more});" for r, op, args, more in lines)
    return nk.parse(
        f"version 1.0; graph g( x, y ) -> ( {', '.join(outputs)} ) {{"
        "x = external(shape = [4]); y = external(shape = [4]);"
        f"v = variable(shape = [4], label = 'v'); w = variable(shape = [4], label = 'w'); {body} }}"
    )


def unread(lines: list[Line]) -> tuple[str, ...]:
    read = {name for _, _, arguments, _ in lines for name in arguments}
    return tuple(name for name, *_ in lines if name not in read)


def mutated(lines: list[Line], seed: int) -> list[Line]:
    """The operations with one to three changes."""
    rng = random.Random(seed)
    lines = list(lines)
    for step in range(rng.randint(1, 3)):
        place = rng.randrange(len(lines))
        name, kind, arguments, more = lines[place]
        before = ["x", "y", "v", "w", *(each[0] for each in lines[:place])]
        change = rng.choice(("insert", "rewire", "replace", "attribute", "swap"))
        if change == "insert":
            lines.insert(place, (f"n{step}", rng.choice(UNARY), (rng.choice(before),), ""))
            new = f"n{step}"
            lines[place + 1] = (name, kind, (new, *arguments[1:]), more)
        elif change == "rewire":
            lines[place] = (name, kind, (rng.choice(before), *arguments[1:]), more)
        elif change == "replace":
            family = BINARY if kind in BINARY else UNARY
            lines[place] = (name, rng.choice(family), arguments, "")
        elif change == "attribute" and more:
            lines[place] = (name, kind, arguments, ", alpha = 0.7")
        elif change == "swap":
            lines[place] = (name, kind, arguments[::-1], more)
    return lines


def renamed(lines: list[Line], seed: int) -> list[Line]:
    """The operations with other names, in another valid order."""
    rng = random.Random(seed)
    names = {name: f"r{i}" for i, name in enumerate(rng.sample([e[0] for e in lines], len(lines)))}
    left = list(lines)
    done: set[str] = {"x", "y", "v", "w"}
    found: list[Line] = []
    while left:
        ready = [line for line in left if done.issuperset(line[2])]
        chosen = rng.choice(ready)
        left.remove(chosen)
        done.add(chosen[0])
        name, kind, arguments, more = chosen
        found.append((names[name], kind, tuple(names.get(a, a) for a in arguments), more))
    return found


def statements(graph: nk.Graph, names: dict[str, str]) -> list[str]:
    """The statements of a graph with other names, in no order."""
    texts = (str(op) for op in graph.operations)
    return sorted(re.sub(r"\b[a-z]\d*\b", lambda m: names.get(m[0], m[0]), text) for text in texts)


@given(st.integers(0, 10**6), st.integers(1, 20))
def test_one_output_and_all_its_history_are_found_in_any_order(seed: int, count: int) -> None:
    lines = drawn(seed, count)
    # What no output needs cannot be told apart by where it leads.
    needed = {lines[-1][0]}
    for name, _, arguments, _ in reversed(lines):
        if name in needed:
            needed.update(arguments)
    lines = [line for line in lines if line[0] in needed]
    outputs = (lines[-1][0],)
    other = renamed(lines, seed + 1)
    (end,) = unread(other)
    found = nk.diff(graph_of(lines, outputs), graph_of(other, (end,)))
    assert not found.operations, found
    assert [port.kind for port in found.ports] in ([], ["renamed"])


@given(st.integers(0, 10**6), st.integers(1, 20))
def test_graphs_that_are_said_to_be_the_same_are(seed: int, count: int) -> None:
    lines = drawn(seed, count)
    outputs = unread(lines)
    first, second = graph_of(lines, outputs), graph_of(mutated(lines, seed), outputs)
    found = nk.diff(first, second)
    assert found.ok == (statements(first, dict(found.pairs)) == statements(second, {}))
    assert len(set(found.pairs.values())) == len(found.pairs)


@given(st.lists(st.integers(0, 3), max_size=25), st.lists(st.integers(0, 3), max_size=25))
def test_the_common_subsequence_is_longest(a: list[int], b: list[int]) -> None:
    pairs = common_pairs(a, b)
    assert pairs is not None
    assert all(a[i] == b[j] for i, j in pairs)
    assert pairs == sorted(pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            longer = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else longer
    assert len(pairs) == table[-1][-1]


def test_the_search_ends_for_sequences_that_have_little_in_common() -> None:
    assert common_pairs(range(LARGEST), range(-LARGEST, 0)) is None
