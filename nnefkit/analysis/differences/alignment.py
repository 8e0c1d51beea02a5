"""The alignment of two graphs: which operation of one is which of the other.

It follows from the structure, not from the names of tensors. Operations whose whole history or
whole future is the same are paired first, so that an insertion changes nothing before or after it.
Then come those whose weights have the same label, neighbors of paired ones, and the longest common
subsequence of what is left. At last come operations of the same name, and of any name, between
paired neighbors: these have changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence

from nnefkit.analysis.differences.edit_script import common_pairs
from nnefkit.analysis.differences.structure import Structure

Key = Callable[[Structure, int], Hashable]
"""What must be equal of two operations so that they may be paired as neighbors of paired ones."""


def _form(structure: Structure, number: int) -> Hashable:
    return structure.forms[number]


def _name(structure: Structure, number: int) -> Hashable:
    return structure.operations[number].name


class GraphAlignment:
    """Pairs of operations of two graphs.

    Args:
        first: The structure of the first graph.
        second: That of the second.
        inputs: Name of an input of the first graph -> name in the second.
        outputs: The same for outputs.
    """

    def __init__(
        self,
        first: Structure,
        second: Structure,
        inputs: dict[str, str],
        outputs: dict[str, str],
    ) -> None:
        self.first, self.second = first, second
        self.forward: dict[int, int] = {}
        """Number of an operation of the first graph -> number in the second."""
        self.backward: dict[int, int] = {}
        self._outputs = outputs
        self._waiting: list[tuple[int, int]] = []
        for a, b in inputs.items():
            self._pair(first.producers[a][0], second.producers[b][0])
        self._by_hash(inputs, outputs)
        self._by_label()
        self._spread(_form)
        self._by_sequence()
        self._spread(_form)
        self._from_outputs()
        self._spread(_name)
        self._by_names()
        self._spread(_name)
        self._replaced()

    def tensor(self, name: str) -> str | None:
        """Return the tensor of the second graph that a tensor of the first one is."""
        if name not in self.first.producers:
            return None
        number, result = self.first.producers[name]
        if number not in self.forward:
            return None
        results = self.second.results[self.forward[number]]
        return results[result] if result < len(results) else None

    def _pair(self, a: int, b: int) -> None:
        if a not in self.forward and b not in self.backward:
            self.forward[a], self.backward[b] = b, a
            self._waiting.append((a, b))

    # -- by history and future ----------------------------------------------------------------

    def _by_hash(self, inputs: dict[str, str], outputs: dict[str, str]) -> None:
        """Pair operations with the same history and future, then with one of these."""
        ends_a = {name: i for i, name in enumerate(outputs)}
        ends_b = {name: i for i, name in enumerate(outputs.values())}
        starts_a = {name: i for i, name in enumerate(inputs)}
        starts_b = {name: i for i, name in enumerate(inputs.values())}
        for labels in (True, False):
            up_a = _histories(self.first, starts_a, labels=labels)
            up_b = _histories(self.second, starts_b, labels=labels)
            down_a = _futures(self.first, ends_a, labels=labels)
            down_b = _futures(self.second, ends_b, labels=labels)
            both = [*zip(up_a, down_a, strict=True)], [*zip(up_b, down_b, strict=True)]
            for keys_a, keys_b in (both, (up_a, up_b), (down_a, down_b)):
                self._equal_keys(keys_a, keys_b)

    def _equal_keys(self, keys_a: Sequence[Hashable], keys_b: Sequence[Hashable]) -> None:
        groups: dict[Hashable, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for a, key in enumerate(keys_a):
            if a not in self.forward:
                groups[key][0].append(a)
        for b, key in enumerate(keys_b):
            if b not in self.backward:
                groups[key][1].append(b)
        for of_a, of_b in groups.values():
            # Several that are alike in all respects: any order is right.
            if len(of_a) == len(of_b):
                for a, b in zip(of_a, of_b, strict=True):
                    self._pair(a, b)

    # -- by labels, neighbors, order and names -------------------------------------------------

    def _by_label(self) -> None:
        labels: dict[str, list[int]] = defaultdict(list)
        for b, op in enumerate(self.second.operations):
            if op.name == "variable" and b not in self.backward:
                labels[self.second.label(b)].append(b)
        for a, op in enumerate(self.first.operations):
            if op.name == "variable" and a not in self.forward:
                for b in labels.get(self.first.label(a), ())[:1]:
                    self._pair(a, b)
                    labels[self.first.label(a)].pop(0)

    def _spread(self, key: Key) -> None:
        """Pair the neighbors of paired operations, where they are alike and the only ones."""
        self._waiting = list(self.forward.items())
        while self._waiting:
            a, b = self._waiting.pop()
            self._spread_back(a, b, key)
            self._spread_on(a, b, key)

    def _spread_back(self, a: int, b: int, key: Key) -> None:
        arguments = dict(self.second.arguments[b])
        for place, tensor in self.first.arguments[a]:
            other = arguments.get(place)
            if tensor in self.first.producers and other in self.second.producers:
                source_a, result_a = self.first.producers[tensor]
                source_b, result_b = self.second.producers[other]
                if result_a == result_b and key(self.first, source_a) == key(self.second, source_b):
                    self._pair(source_a, source_b)

    def _spread_on(self, a: int, b: int, key: Key) -> None:
        readers: dict[Hashable, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        sides = ((0, self.first, a, self.forward), (1, self.second, b, self.backward))
        for side, structure, number, paired in sides:
            for result, reader, place in structure.uses[number]:
                if reader not in paired:
                    readers[result, place, key(structure, reader)][side].append(reader)
        for of_a, of_b in readers.values():
            if len(of_a) == len(of_b) == 1:
                self._pair(of_a[0], of_b[0])

    def _by_sequence(self) -> None:
        """Pair what is in the same order in both graphs, between what is paired already."""
        a = [self._token(n, self.first, self.forward.get(n)) for n in range(len(self.first.forms))]
        b = [
            self._token(n, self.second, n if n in self.backward else None)
            for n in range(len(self.second.forms))
        ]
        for i, j in common_pairs(a, b) or ():
            self._pair(i, j)

    def _token(self, number: int, structure: Structure, pair: int | None) -> Hashable:
        if pair is not None:
            return "pair", pair
        return structure.forms[number], structure.shape(number)

    def _from_outputs(self) -> None:
        for name, other in self._outputs.items():
            a, b = self.first.producers[name][0], self.second.producers[other][0]
            if _name(self.first, a) == _name(self.second, b):
                self._pair(a, b)

    def _by_names(self) -> None:
        names = {results[:1]: b for b, results in enumerate(self.second.results)}
        for a, results in enumerate(self.first.results):
            b = names.get(results[:1])
            if b is not None and _name(self.first, a) == _name(self.second, b):
                self._pair(a, b)

    def _replaced(self) -> None:
        """Pair operations of other names whose arguments and readers are all paired."""
        for a in range(len(self.first.operations)):
            if a in self.forward or self.first.operations[a].is_source:
                continue
            places = set(self._places(a))
            b = places.pop() if len(places) == 1 else None
            if b is not None and b not in self.backward and not self.second.operations[b].is_source:
                self._pair(a, b)

    def _places(self, a: int) -> Iterator[int | None]:
        """Yield the operations of the second graph that are where `a` is in the first.

        They read what the first argument of `a` is, and their results are used where its own are:
        by an operation, or as an output. None stands for something else.
        """
        arguments = self.first.arguments[a]
        other = self.tensor(arguments[0].tensor) if arguments else None
        results = self.first.results[a]
        tensors = [self._outputs[name] for name in results if name in self._outputs]
        for _result, reader, place in self.first.uses[a]:
            counterpart = self.forward.get(reader)
            arguments = () if counterpart is None else self.second.arguments[counterpart]
            tensors.append(dict(arguments).get(place, ""))
        for tensor in tensors:
            source = self.second.producers.get(tensor, (None, 0))[0]
            reads = () if source is None else self.second.arguments[source][:1]
            yield source if [each.tensor for each in reads] == [other] else None


def _histories(structure: Structure, starts: dict[str, int], *, labels: bool) -> list[Hashable]:
    """Return a hash of each operation and of all that it depends on."""
    hashes: list[Hashable] = []
    of_tensor: dict[str, int] = {}
    for number in range(len(structure.operations)):
        own = _own(structure, number, starts, labels=labels)
        read = tuple((place, of_tensor.get(name)) for place, name in structure.arguments[number])
        value = hash((own, read))
        hashes.append(value)
        for place, name in enumerate(structure.results[number]):
            of_tensor[name] = hash((value, place))
    return hashes


def _futures(structure: Structure, ends: dict[str, int], *, labels: bool) -> list[Hashable]:
    """Return a hash of each operation and of all that depends on it."""
    hashes: list[int] = [0] * len(structure.operations)
    for number in range(len(structure.operations) - 1, -1, -1):
        own = _own(structure, number, {}, labels=labels)
        uses = sorted((u.result, hashes[u.reader], u.place) for u in structure.uses[number])
        marks = tuple(ends.get(name, -1) for name in structure.results[number])
        # The weights of a reader tell it apart from others.
        siblings = tuple(sorted({_weights(structure, u.reader) for u in structure.uses[number]}))
        hashes[number] = hash((own, tuple(uses), marks, siblings if labels else ()))
    return [*hashes]


def _own(structure: Structure, number: int, starts: dict[str, int], *, labels: bool) -> Hashable:
    op = structure.operations[number]
    if op.name == "variable":
        label = structure.label(number) if labels else ""
        return "variable", label, structure.shape(number)
    if op.name == "external":
        return "external", starts.get(structure.results[number][0], -1)
    return structure.forms[number]


def _weights(structure: Structure, number: int) -> tuple[str, ...]:
    """Return the labels of the variables that an operation reads."""
    sources = (
        structure.producers[name][0]
        for _, name in structure.arguments[number]
        if name in structure.producers
    )
    return tuple(structure.label(s) for s in sources if structure.operations[s].name == "variable")
