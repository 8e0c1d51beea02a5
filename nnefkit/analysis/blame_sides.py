"""The two sides of a blame: what is right, and what is suspected."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from nnefkit.analysis.recordings import Side, Source, side
from nnefkit.arrays import Array, as_array, check_mapped
from nnefkit.errors import InputError
from nnefkit.execution import Session
from nnefkit.graph import Graph, expected_graph

Subject = str | Graph | Source
"""An engine, a graph, or a recorded run."""


@dataclass(frozen=True)
class Suspect:
    """A graph that can be run in parts, and the engine that runs it."""

    graph: Graph
    engine: str
    label: str
    session: Session
    bits: Mapping[str, int]
    """Name of each tensor that is rounded by its quantization info -> number of bits."""

    @classmethod
    def of(cls, suspect: Subject, graph: Graph, engine: str, quantized: bool) -> Suspect:
        """Return the suspect that `blame` was given.

        Raises:
            InputError: It is a recorded run, whose operations cannot be run.
        """
        if isinstance(suspect, Graph):
            session = Session(expected_graph(suspect, data=True), engine, quantized=quantized)
            rounded = _bits(suspect) if quantized else {}
            return cls(session.graph, engine, "suspect", session, rounded)
        if isinstance(suspect, str) and not _is_path(suspect):
            session = Session(graph, suspect, quantized=quantized)
            rounded = _bits(graph) if quantized else {}
            return cls(session.graph, suspect, suspect, session, rounded)
        raise InputError(
            "the suspect must be an engine or a graph, since its operations are run one by one",
            hint="Of two recorded runs, nnefkit.compare(a, b, graph=graph) finds the first "
            "difference. To examine a recorded run, pass it as reference=, and the engine or "
            "graph that should compute the same as suspect=.",
        )

    def run(
        self, graph: Graph, inputs: Mapping[str, Array], outputs: Collection[str]
    ) -> Mapping[str, Array]:
        """Run a part of the graph."""
        with Session(graph, self.engine) as session:
            return session.run(inputs, outputs, progress=False)


def _bits(graph: Graph) -> dict[str, int]:
    lines = {name: tensor.quantization for name, tensor in graph.tensors.items()}
    return {name: int(line.get("bits", 0)) for name, line in lines.items() if line}


def _is_path(name: str) -> bool:
    return any(mark in name for mark in "/\\.")


class Reference:
    """Provides the values of the reference for each input."""

    def __init__(self, reference: Subject, graph: Graph, engine: str, examples: int) -> None:
        self.graph: Graph | None = None
        self.recorded: Side | None = None
        self.session: Session | None = None
        if isinstance(reference, Graph):
            self.graph = expected_graph(reference, data=True)
            self.session = Session(self.graph, engine)
            self.label = "reference"
        elif isinstance(reference, str) and not _is_path(reference):
            self.graph = graph
            self.session = Session(graph, reference)
            self.label = reference
        else:
            self.recorded = side(reference)
            self.graph = self.recorded.graph
            self.label = self.recorded.label or "recorded run"
            if examples > 1:
                raise InputError(
                    f"a recorded run is of one input, but {examples} are given",
                    hint="Call nnefkit.blame for each input with its recorded run.",
                )

    def run(self, example: Any) -> dict[str, Array]:
        """Return the values of the reference for one input, by name."""
        if self.session is not None:
            self.session.reset()
            return dict(self.session.trace(example, progress=False))
        values = {}
        recorded = {} if self.recorded is None else self.recorded.tensors
        for name, value in recorded.items():
            array = as_array(value)
            check_mapped(array)
            values[name] = array
        return values
