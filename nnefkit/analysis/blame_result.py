"""The result of `blame`, its sentences and displays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Literal

from nnefkit.analysis.blamed_operation import BlamedOperation, BlamedOperations, decibels
from nnefkit.analysis.bug_report import Evidence, write_bug_report
from nnefkit.analysis.compared_tensor import listed
from nnefkit.arguments import expected_path
from nnefkit.display.cards.blame import BlameRow, BlameSummary, blame_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card, code
from nnefkit.display.graph_drawing import draw_graph
from nnefkit.display.numbers import percent, plural
from nnefkit.display.summary_text import Summary, in_words
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.graph import Graph

if TYPE_CHECKING:
    import pandas as pd

_NAMED = 3


@dataclass(frozen=True, repr=False)
class Blame(Displayed):
    """The operations of a suspect and the errors that they introduce, from `nnefkit.blame`.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [2]); y = mul(x, 2.0); }")
        >>> nk.blame(graph, np.array([1.0, 2.0]), suspect=graph).ok
        True
    """

    operations: tuple[BlamedOperation, ...] = field(repr=False)
    """All operations that were examined, the guiltiest first."""
    graph: Graph = field(repr=False)
    """The graph of the suspect; of the reference, if the suspect was recorded."""
    labels: tuple[str, str] = ("reference", "suspect")
    unchecked: tuple[str, ...] = ()
    """Results of operations that were not examined: the reference, or a suspect that was recorded,
    has no value after them."""
    engine: str = "numpy"
    """The engine that ran the operations."""
    _evidence: Mapping[str, Evidence] = field(default_factory=dict, repr=False)
    paired_by_values: Mapping[str, tuple[str, float]] = field(default_factory=dict, repr=False)
    """Tensor -> its name in the reference and the confidence from 0 to 1, of the tensors that were
    paired by their values."""
    is_recorded: bool = False
    """Whether the suspect was recorded: the operations of the reference were run on its values."""

    @property
    def ok(self) -> bool:
        """Whether no operation introduces an error out of tolerance."""
        return not self.guilty

    @property
    def guilty(self) -> BlamedOperations:
        """The operations whose own error is out of tolerance, the guiltiest first."""
        return BlamedOperations(each for each in self.operations if each.verdict == "guilty")

    @property
    def summary(self) -> Summary:
        """The result in words: who is guilty, of how much, and how many only pass it on."""
        return in_words(*self._answer)

    @cached_property
    def _answer(self) -> tuple[str, str]:
        guilty = self.guilty
        if not guilty:
            return "No operation is guilty.", self._innocence()
        names = [code(each.tensor) for each in guilty[:_NAMED]]
        rest = len(guilty) - len(names)
        if rest:
            listed = f"{', '.join(names)} and {rest:,} more are"
        elif len(names) == 1:
            listed = f"{names[0]} is"
        else:
            listed = f"{', '.join(names[:-1])} and {names[-1]} are"
        return f"{listed} guilty.", self._extent()

    def _innocence(self) -> str:
        count = plural(len(self.operations), "operation")
        sentence = (
            f"On the {self._fed}'s inputs, the result of each of {count} is within tolerance."
        )
        wrong = [code(each.tensor) for each in self.operations if each.verdict != "clean"]
        if wrong:
            sentence += f" Small errors add up: {plural(len(wrong), 'result')} of the whole run"
            sentence += f" {'is' if len(wrong) == 1 else 'are'} out of tolerance."
        return f"{sentence}{self._left_out()}"

    def _extent(self) -> str:
        guilty = self.guilty
        measured = [each for each in guilty[:_NAMED] if each.share is not None]
        verb = "accounts for" if self.is_recorded else "removes"
        parts = [
            f"{code(each.tensor)} alone{f' {verb}' if not i else ''} "
            f"{percent(max(each.share or 0.0, 0.0))}"
            f"{' of the error of the outputs' if not i else ''}"
            for i, each in enumerate(measured)
        ]
        first = "The own error of" if self.is_recorded else "Fixing"
        sentences = [f"{first} {', '.join(parts)}."] if parts else []
        inheriting = sum(each.verdict == "passes it on" for each in self.operations)
        if inheriting:
            verb = "operation only passes" if inheriting == 1 else "operations only pass"
            sentences.append(f"{inheriting:,} {verb} it on.")
        if guilty and len(guilty[0].by_input) > 1:
            sentences.append(_spread(guilty[0]))
        sentences += [_together(group, self._fed) for group in _groups(guilty)[:_NAMED]]
        sentences += [
            f"{code(each.tensor)}: {each.cause}." for each in guilty[:_NAMED] if each.cause
        ]
        return f"{' '.join(sentences)}{self._left_out()}".lstrip()

    def _left_out(self) -> str:
        return f"{self._paired()}{self._unexamined()}"

    def _paired(self) -> str:
        if not self.paired_by_values:
            return ""
        pairs = self.paired_by_values.items()
        name, (other, confidence) = min(pairs, key=lambda item: item[1][1])
        count = len(self.paired_by_values)
        return (
            f" {plural(count, 'tensor')} {'was' if count == 1 else 'were'} paired with the "
            f"{self._fed} by values, not by name; the least confident pair, {percent(confidence)}, "
            f"is {code(name)} with {code(other)}."
        )

    def _unexamined(self) -> str:
        if not self.unchecked:
            return ""
        return (
            f" {plural(len(self.unchecked), 'operation')} not examined: the {self._fed} has no "
            "value after them."
        )

    @property
    def _fed(self) -> Literal["reference", "suspect"]:
        """The side whose values the operations were run on."""
        return "suspect" if self.is_recorded else "reference"

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each operation, the guiltiest first.

        ``own_snr`` and ``inherited_snr`` are in dB, shares at most 1.
        """
        return BlamedOperations(self.operations).to_frame()

    def minimal(self, path: str | PathLike[str], tensor: str | None = None) -> None:
        """Save a guilty operation as a model that can be run, with its inputs and both results.

        The folder is a bug report: a model of the one operation (or of those between two tensors
        that the reference knows), ``inputs.npz``, ``expected.npz``, ``result.npz``, a script that
        shows the fault, and a ``README.md``.

        Args:
            path: A folder that does not exist yet, or is empty.
            tensor: The result of the operation; None is the guiltiest one.

        Raises:
            InputError: No operation is guilty, or not this one.
            StorageError: The folder is not empty, or cannot be written.
        """
        guilty = {each.tensor: each for each in self.guilty}
        name = next(iter(guilty), None) if tensor is None else tensor
        if name is None or name not in guilty:
            raise InputError(
                f"'{name}' is not guilty" if name else "no operation is guilty",
                hint=did_you_mean(name or "", guilty) or "blame.guilty lists those that are.",
            )
        write_bug_report(
            expected_path(path),
            self.graph,
            guilty[name],
            self._evidence[name],
            self.engine,
            self.labels,
            is_recorded=self.is_recorded,
        )

    def __getitem__(self, tensor: str) -> BlamedOperation:
        for each in self.operations:
            if each.tensor == tensor:
                return each
        raise UnknownNameError(
            f"the operation of '{tensor}' was not examined",
            hint=did_you_mean(tensor, [each.tensor for each in self.operations]),
        )

    def _picture(self) -> str:
        marks = {each.number: each.tensor for each in self.guilty}
        return draw_graph(self.graph, marks)

    def _card(self, *, brief: bool) -> Card:
        headline, sentence = self._answer
        summary = BlameSummary(
            title=f"{self.labels[0]} against {self.labels[1]}",
            graph=self.graph.name,
            ok=self.ok,
            headline=headline,
            sentence=sentence,
            examined=len(self.operations),
            unchecked=len(self.unchecked),
            rows=tuple(
                BlameRow(
                    each.number,
                    each.operation,
                    each.tensor,
                    each.line,
                    each.verdict,
                    each.own_snr,
                    each.inherited_snr,
                    each.share,
                    each.cause,
                    each.output,
                )
                for each in self.operations
            ),
            picture=self._picture,
            fed=self._fed,
        )
        return blame_card(summary, brief=brief)


def _spread(each: BlamedOperation) -> str:
    """Say for which of several inputs an operation introduces the largest error."""
    low, high = (decibels(end(each.by_input)) for end in (min, max))
    return (
        f"Of {len(each.by_input):,} inputs, {code(each.tensor)} is worst for input "
        f"{each.worst_input:,}: its own error has {low} there, {high} for the best one, and "
        f"{decibels(each.own_snr)} over all."
    )


def _groups(guilty: BlamedOperations) -> list[list[BlamedOperation]]:
    """Return guilty operations that were run with others before them, as few faults explain them.

    Those of one group have operations in common, one of which may have the only fault.
    """
    groups: list[tuple[set[str], list[BlamedOperation]]] = []
    for each in guilty:
        if not each.before:
            continue
        for common, group in groups:
            if not common.isdisjoint(each.candidates):
                common.intersection_update(each.candidates)
                group.append(each)
                break
        else:
            groups.append(({*each.candidates}, [each]))
    return [group for _, group in groups]


def _together(group: list[BlamedOperation], fed: str) -> str:
    """Say that the fault may be in an operation before a tensor, which was not recorded."""
    first, *others = group
    if not others:
        before = first.before
        verb = "is" if len(before) == 1 else "are"
        return (
            f"The fault is in the operation of {code(first.tensor)} or before it: {listed(before)} "
            f"{verb} not in the {fed}."
        )
    shared = [n for n in first.candidates if all(n in each.candidates for each in others)]
    results = [code(each.tensor) for each in group]
    results = results[:_NAMED] + [f"{len(results) - _NAMED:,} more"] * (len(results) > _NAMED)
    return (
        f"One fault may explain {', '.join(results[:-1])} and {results[-1]}, in what they have in "
        f"common: {listed(shared)}."
    )
