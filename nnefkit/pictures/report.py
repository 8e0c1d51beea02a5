"""`report`: what is known about a model as one page, for readers without Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from importlib.metadata import version
from os import PathLike
from typing import Any

from nnefkit.analysis import (
    Blame,
    Comparison,
    Cost,
    Diff,
    Profile,
    ValidationReport,
    cost,
    validate,
)
from nnefkit.arguments import expected_path, expected_string, wrong_type
from nnefkit.display.cards.graph import graph_card
from nnefkit.display.displayed import Displayed
from nnefkit.errors import InputError, NnefError
from nnefkit.execution import Trace
from nnefkit.graph import Graph
from nnefkit.pictures.evidence import ViewEvidence, evidence
from nnefkit.pictures.merged_graphs import merged
from nnefkit.pictures.report_page import Section, card_body, graph_body, page
from nnefkit.pictures.viewed_graph import ViewedGraph, viewed
from nnefkit.storage import replacing_file

ENDINGS = (".html", ".htm")
MOST = 60
"""Maximum number of objects in a report."""
_TITLES: Mapping[type[Any], str] = {
    ValidationReport: "Validation",
    Diff: "Differences",
    Comparison: "Comparison",
    Blame: "Blame",
    Cost: "Costs",
    Profile: "Times",
    Trace: "Run",
}
_ORDER = ("Graph", *_TITLES.values())
"""The order of sections by the first word of their titles; others follow."""


def report(obj: Any, path: str | PathLike[str], *, title: str | None = None) -> None:
    """Write a report: one HTML page, which a colleague opens without Python and without a network.

    A graph is drawn, with blocks that open and colors that are chosen in the page, validated, and
    its costs are computed; runs, comparisons, blames and costs of it that are in the list color
    the picture. Any other object of nnefkit with a display is shown as in a notebook.

    Args:
        obj: A `Graph`, a result (`Comparison`, `Blame`, `Trace`, `Cost`, `Profile`, `Diff`,
            `ValidationReport` ...), or a list of them. A result alone draws its own graph.
        path: The file, which ends in ``.html`` and is replaced.
        title: The title of the page; by default the name of the graph.

    Raises:
        InputError: There is nothing to show, `obj` is of another type, or the file has another
            ending.
        StorageError: The file cannot be written; an existing one is left as it was.

    Example:
        >>> graph = nk.parse("version 1.0; graph net( x ) -> ( y ) {"
        ...     "x = external(shape = [1, 8]); y = relu(x); }")
        >>> nk.report([graph, nk.trace(graph, np.ones((1, 8)))], "net.html")
    """
    target = expected_path(path)
    if target.suffix.lower() not in ENDINGS:
        raise InputError(
            f"a report must end with .html, not '{target.suffix}'",
            hint=f"For example: '{target.stem or 'report'}.html'.",
            file=str(path),
        )
    objects = _objects(obj)
    graphs = _graphs(objects)
    sections = [*_about(objects, graphs), *_cards(objects, graphs)]
    if len(graphs) < 2:
        sections.sort(key=lambda each: _place(each.title))
    name = title and expected_string(title, "title")
    heading = name or (graphs[0].name if graphs else type(objects[0]).__name__)
    facts = f"{len(sections)} sections · {date.today().isoformat()}"
    document = page(heading, facts, sections, f"Made by nnefkit {version('nnefkit')}.")
    with replacing_file(target) as file:
        file.write(document.encode())


def _place(title: str) -> int:
    return _ORDER.index(title) if title in _ORDER else len(_ORDER)


def _objects(obj: Any) -> Sequence[Displayed]:
    """Return the objects to show."""
    expected = "a graph or a result of nnefkit, or a list of these"
    if isinstance(obj, Displayed):
        several: Iterable[Any] = [obj]
    elif isinstance(obj, list | tuple):
        several = obj
    else:
        hint = "nnefkit.load(path) opens a model." if isinstance(obj, str | PathLike) else ""
        raise wrong_type("obj", expected, obj, hint)
    objects: list[Displayed] = []
    for each in several:
        if not isinstance(each, Displayed):
            raise wrong_type("obj", expected, each)
        if not any(each is other for other in objects):
            objects.append(each)
    if not objects:
        raise InputError("there is nothing to report", hint="For example: [graph, comparison].")
    if len(objects) > MOST:
        raise InputError(
            f"a report has at most {MOST} objects, not {len(objects):,}",
            hint="Write several reports.",
        )
    return objects


def _graphs(objects: Sequence[Displayed]) -> list[Graph]:
    """Return the graphs to draw: those that are given, otherwise the one of the first result."""
    given = [each for each in objects if isinstance(each, Graph)]
    if given:
        return given
    for each in objects:
        for graph in _own_graphs(each):
            return [graph]
    return []


def _own_graphs(each: Any) -> Iterator[Graph]:
    """Yield the graph of a result, if it has one."""
    if isinstance(each, Profile):
        each = each.cost
    if isinstance(each, ValidationReport) and not each.ok:
        return
    runs = getattr(each, "runs", None) if isinstance(each, Comparison) else None
    for holder in (each, *(runs or ())):
        try:
            graph = holder.graph
        except (AttributeError, NnefError):
            continue
        if isinstance(graph, Graph):
            yield graph
    if isinstance(each, Diff):
        yield each.graphs[0]


def _about(objects: Sequence[Displayed], graphs: Sequence[Graph]) -> Iterator[Section]:
    """Yield the sections about each graph: its picture, validation and costs."""
    for graph in graphs:
        of = f" of {graph.name}" if len(graphs) > 1 else ""
        known = _known(graph, objects)
        yield Section(f"Graph{of}", graph_body(known) + card_body(graph_card(graph)))
        if not any(isinstance(each, ValidationReport) for each in objects):
            yield Section(f"Validation{of}", card_body(validate(graph)._card(brief=False)))
        if not any(isinstance(each, Cost | Profile) for each in objects):
            try:
                found = cost(graph)
            except NnefError:
                continue
            yield Section(f"Costs{of}", card_body(found._card(brief=False)))


def _known(graph: Graph, objects: Sequence[Displayed]) -> ViewEvidence:
    """Return what the other objects know about a graph; those of other graphs are left out."""
    difference = next((each for each in objects if isinstance(each, Diff)), None)
    shown = viewed(graph)
    if difference is not None and graph is difference.graphs[0]:
        shown = merged(*difference.graphs)
    kinds: dict[str, Any]
    kinds = {"trace": Trace, "comparison": Comparison, "cost": Cost | Profile, "blame": Blame}
    found: dict[str, Any] = dict.fromkeys(kinds)
    for name, kind in kinds.items():
        for each in objects:
            if found[name] is None and isinstance(each, kind):
                try:
                    _evidence(shown, dict.fromkeys(kinds) | {name: each})
                except InputError:
                    continue
                found[name] = each
    return _evidence(shown, found)


def _evidence(shown: ViewedGraph, of: Mapping[str, Any]) -> ViewEvidence:
    return evidence(shown, of["trace"], of["comparison"], of["cost"], of["blame"])


def _cards(objects: Sequence[Displayed], graphs: Sequence[Graph]) -> Iterator[Section]:
    for each in objects:
        if not any(each is graph for graph in graphs):
            title = next((t for kind, t in _TITLES.items() if isinstance(each, kind)), "")
            yield Section(title or type(each).__name__, card_body(each._card(brief=False)))
