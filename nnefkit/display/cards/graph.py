"""The card of a graph: facts, picture, operations, variables and text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from nnefkit.display import charts, numbers
from nnefkit.display.cards import statistics_cells
from nnefkit.display.colors import BLUE
from nnefkit.display.elements import (
    Block,
    Card,
    Cell,
    Column,
    Figure,
    Fold,
    Line,
    Listing,
    Paragraph,
    Phrase,
    Table,
    left_out,
    selection,
)
from nnefkit.display.graph_summary import GraphSummary, Port
from nnefkit.display.operation_table import OperationRow
from nnefkit.display.protocols import GraphLike, TextLike
from nnefkit.display.visible_text import visible
from nnefkit.display.vocabulary import family

PORTS = 8
"""Maximum number of inputs and outputs that are named."""
KINDS = 8
"""Maximum number of operations that are counted by name."""
PACKAGES = 4
"""Maximum number of packages whose versions are named."""
TEXT_LINES, TEXT_WIDTH = 120, 160


def graph_card(graph: GraphLike, *, picture: str | None = None, brief: bool = False) -> Card:
    """Return the card of a graph: its facts, ports, picture, operations, variables and text.

    `picture` is the graph drawn as an SVG document.
    """
    summary = GraphSummary(graph)
    if brief:
        return _card(summary, None, "", brief=True)

    def without_picture() -> Card:
        reason = "The picture would be too large for a notebook."
        return _card(summary, None, reason, brief=False)

    def fewer_rows() -> Card:
        return _card(summary, picture, "", brief=True, smaller=without_picture)

    return _card(summary, picture, "", brief=False, smaller=fewer_rows)


def _card(
    summary: GraphSummary,
    picture: str | None,
    no_picture: str,
    *,
    brief: bool,
    smaller: Callable[[], Card] | None = None,
) -> Card:
    """Return the card with or without a picture; `no_picture` is the reason for leaving it out."""
    graph = summary.graph
    blocks: list[Block] = [Paragraph(tuple(_ports(summary)))]
    if "verified" in graph.provenance:
        blocks.append(Paragraph(tuple(_proof(graph.provenance))))
    if picture:
        blocks.append(_figure(summary, picture))
    elif no_picture:
        blocks.append(Paragraph((Phrase(no_picture, "muted", limit=0),)))
    if summary.computations:
        blocks.append(_operations(summary, brief=brief))
    if graph.variables:
        blocks.append(_variables(summary, brief=brief))
    if graph.source is not None and graph.source.text:
        blocks.append(_text(graph.source, TEXT_LINES // 4 if brief else TEXT_LINES))
    return Card(graph.name, BLUE, tuple(_facts(summary)), tuple(blocks), smaller=smaller)


def _facts(summary: GraphSummary) -> Iterator[str]:
    graph = summary.graph
    yield f"NNEF {graph.version}"
    yield numbers.plural(len(summary.computations), "operation")
    if summary.parameters:
        yield numbers.plural(summary.parameters, "parameter")
        if summary.bytes:
            yield numbers.size(summary.bytes)
    if summary.macs:
        least = "at least " if summary.macs_unknown else ""
        yield f"{least}{numbers.quantity(summary.macs)} MACs"
    if summary.quantized:
        yield f"{numbers.plural(summary.quantized, 'tensor')} quantized"
    if graph.extensions:
        extensions = ", ".join(numbers.shorten(name) for name in graph.extensions[:4])
        yield f"extensions {extensions}"
    if path := str(graph.provenance.get("path", "")):
        yield numbers.shorten_path(path)


def _ports(summary: GraphSummary) -> Iterator[Phrase]:
    yield from _listed(summary.inputs)
    yield Phrase(" → ", "strong")
    yield from _listed(summary.outputs)


def _proof(provenance: Mapping[str, Any]) -> Iterator[Phrase]:
    """Yield the source model of a converted graph, and whether both compute the same."""
    packages = provenance.get("versions", {})
    listed = islice(packages.items(), PACKAGES)
    versions = ", ".join(f"{name} {version}" for name, version in listed)
    yield Phrase(f"from {provenance.get('source', '')}", limit=80)
    yield Phrase(f" ({versions})" if versions else "", "muted", limit=80)
    yield Phrase(" · ", "muted")
    if not provenance["verified"]:
        change = provenance.get("changed_by")
        words = f"not verified since it was changed by {change}" if change else "not verified"
        yield Phrase(words, "warning")
        yield from _unused(provenance)
        return
    yield Phrase("verified", "right")
    difference, tolerance = provenance.get("largest_difference"), provenance.get("tolerance")
    size = numbers.number(difference) if difference else "below 1e-7"
    engine = provenance.get("engine", "")
    yield Phrase(
        f" with {engine}: largest relative difference {size} "
        f"(tolerance {numbers.number(tolerance)})",
        "muted",
        limit=0,
    )
    yield from _unused(provenance)


def _unused(provenance: Mapping[str, Any]) -> Iterator[Phrase]:
    """Yield the inputs that no operation reads."""
    if unused := provenance.get("unused_inputs"):
        listed = ", ".join(numbers.shorten(name) for name in unused[:4])
        more = ", ..." if len(unused) > 4 else ""
        yield Phrase(f" · not read: {listed}{more}", "warning")


def _listed(ports: Sequence[Port]) -> Iterator[Phrase]:
    if not ports:
        yield Phrase("none", "muted")
    for position, port in enumerate(ports[:PORTS]):
        if position:
            yield Phrase(", ")
        yield Phrase(port.name, code=True)
        yield Phrase(f" {numbers.typed_shape(port.dtype, port.shape)}", "muted")
    if len(ports) > PORTS:
        yield Phrase(f" and {len(ports) - PORTS:,} more", "muted")


def _figure(summary: GraphSummary, svg: str) -> Figure:
    inputs = ", ".join(numbers.shorten(port.name) for port in summary.inputs[:PORTS])
    outputs = ", ".join(numbers.shorten(port.name) for port in summary.outputs[:PORTS])
    alt = f"the operations of {numbers.shorten(summary.graph.name)} from {inputs} to {outputs}"
    return Figure(charts.svg_image(svg, alt))


def _operations(summary: GraphSummary, *, brief: bool) -> Fold:
    operations = summary.computations
    chosen = selection(operations, *((10, 2) if brief else (24, 6)))
    counts = " · ".join(
        f"{count:,} {visible(name, 32)}" for name, count in summary.histogram[:KINDS]
    )
    if len(summary.histogram) > KINDS:
        counts += " …"
    lines = any(row is not None and row.line is not None for row in chosen)
    scopes = any(row is not None and row.scope for row in chosen)
    columns = [
        Column("#", "right", 4),
        Column("operation", least=12),
        Column("result", least=16),
        Column("shape", least=12),
        Column("MACs", "right", 7),
        Column("parameters", "right"),
    ]
    if lines:
        columns.append(Column("line", "right", 5))
    if scopes:
        columns.append(Column("scope", least=8))
    rows = tuple(
        None if row is None else tuple(_operation(row, lines=lines, scopes=scopes))
        for row in chosen
    )
    note = left_out(chosen, len(operations), "operations", "graph.to_frame()")
    return Fold(
        (Phrase("Operations "), Phrase(counts, "muted", limit=0)),
        (Table(tuple(columns), rows, note),),
        open=len(operations) <= 12,
    )


def _operation(row: OperationRow, *, lines: bool, scopes: bool) -> Iterator[Cell]:
    results = row.results[0] if row.results else ""
    if len(row.results) > 1:
        results = f"{numbers.shorten(results, 24)} +{len(row.results) - 1}"
    yield Cell(f"{row.number}", "muted")
    yield Cell(row.operation, marker=family(row.operation).color)
    yield Cell(results, code=True)
    yield Cell(numbers.shape(row.shape))
    yield Cell(numbers.quantity(row.macs))
    yield Cell(numbers.count(row.parameters or None))
    if lines:
        yield Cell(numbers.count(row.line), "muted")
    if scopes:
        yield Cell("/".join(row.scope), "muted", limit=24)


def _variables(summary: GraphSummary, *, brief: bool) -> Fold:
    rows = list(zip(summary.graph.variables, summary.examined.statistics, strict=True))
    # Readers look for variables with NaN or Inf.
    bad = [i for i, (_, one) in enumerate(rows) if one is not None and not one.finite][:8]
    chosen = selection(rows, *((4, 2) if brief else (16, 4)), keep=bad)
    columns = (
        Column("variable", least=12),
        Column("label", least=20),
        Column("shape", least=12),
        Column("type"),
        *statistics_cells.COLUMNS,
    )
    cells = tuple(
        None
        if pair is None
        else (
            Cell(pair[0].name, code=True),
            Cell(pair[0].label or "", "muted"),
            Cell(numbers.shape(pair[0].shape)),
            Cell("" if pair[0].data is None else str(pair[0].data.dtype), "muted"),
            *statistics_cells.cells(pair[1], BLUE),
        )
        for pair in chosen
    )
    note = left_out(chosen, len(rows), "variables", "graph.variables")
    return Fold(_variables_title(summary), (Table(columns, cells, note),))


def _variables_title(summary: GraphSummary) -> Line:
    examined = summary.examined
    title = [Phrase("Variables "), Phrase(f"{len(summary.graph.variables):,}", "muted")]
    if examined.available:
        counts = f" · {examined.nan:,} NaN · {examined.infinite:,} Inf"
        bad = examined.nan or examined.infinite
        title.append(Phrase(counts, "wrong" if bad else "muted", limit=0))
    else:
        title.append(Phrase(" · no values", "muted"))
    if examined.examined < examined.available:
        part = f"{numbers.quantity(examined.examined)} of {numbers.quantity(examined.available)}"
        title.append(Phrase(f" in {part} values examined", "muted", limit=0))
    return tuple(title)


def _text(source: TextLike, most: int) -> Fold:
    total = source.text.count("\n") + (not source.text.endswith("\n"))
    # Only the beginning is split into lines: a text may have millions of them.
    start = source.text[: most * TEXT_WIDTH]
    lines = [(Phrase(line.rstrip("\r"), limit=TEXT_WIDTH),) for line in start.split("\n")[:most]]
    blocks: list[Block] = [Listing(tuple(lines))]
    if total > len(lines):
        note = f"{len(lines):,} of {total:,} lines · "
        blocks.append(
            Paragraph((Phrase(note, "muted"), Phrase("print(graph)", "muted", code=True)))
        )
    title = f"{numbers.shorten_path(source.name, 40)}, {numbers.plural(total, 'line')}"
    return Fold((Phrase("Text "), Phrase(title, "muted", limit=0)), tuple(blocks), html_only=True)
