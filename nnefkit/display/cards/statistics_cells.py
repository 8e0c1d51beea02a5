"""Statistics of a tensor in one line, and as cells of a table."""

from __future__ import annotations

from nnefkit.display import charts, numbers
from nnefkit.display.elements import Cell, Column, Image, Line, Phrase
from nnefkit.display.statistics import Statistics

COLUMNS = (
    Column("min", "right", 7),
    Column("values", "left", 12),
    Column("max", "right", 7),
    Column("mean", "right", 7),
    Column("σ", "right", 6),
    Column("zeros", "right", 5),
)
"""Heads of `cells`."""


def line(statistics: Statistics, color: str, *, logical: bool = False) -> Line:
    """``[-6.36 ▁▂▅█▂ 5.31]  μ 0.113  σ 0.785  zeros 0%  finite``.

    Of `logical` values, the true ones are counted.
    """
    if not statistics.count:
        return (Phrase("no elements", "muted"),)
    if not statistics.examined:
        return (Phrase("not numeric", "muted"),)
    if logical:
        true = statistics.examined - statistics.zeros
        parts = [Phrase(f"{true:,} true ({numbers.percent(1 - statistics.zero_share)})")]
        return (*parts, *_sample(statistics))
    return (*_values(statistics, color), *finiteness(statistics), *_sample(statistics))


def _values(statistics: Statistics, color: str) -> tuple[Phrase | Image, ...]:
    low, high = numbers.number(statistics.minimum), numbers.number(statistics.maximum)
    zeros = Phrase(f"zeros {numbers.percent(statistics.zero_share)}  ", code=True)
    if not statistics.histogram.counts:
        return (Phrase("no finite values  ", "wrong"),)
    if len(statistics.histogram.counts) == 1:
        return (Phrase(f"all values {low}  " if statistics.finite else f"{low}  ", code=True),)
    return (
        Phrase(f"[{low} ", code=True),
        charts.histogram(statistics.histogram.counts, color),
        Phrase(f" {high}]  ", code=True),
        Phrase(f"μ {numbers.number(statistics.mean)}  ", code=True),
        Phrase(f"σ {numbers.number(statistics.deviation)}  ", code=True),
        zeros,
    )


def finiteness(statistics: Statistics) -> Line:
    """``finite``, or the numbers of NaN and Inf."""
    if statistics.finite:
        return (Phrase("finite", "equal"),)
    return (Phrase(_bad(statistics), "wrong", limit=0),)


def _bad(statistics: Statistics) -> str:
    counted = ((statistics.nan, "NaN"), (statistics.infinite, "Inf"))
    return " · ".join(f"{n:,} {name}" for n, name in counted if n)


def _sample(statistics: Statistics) -> Line:
    if not statistics.sampled:
        return ()
    return (
        Phrase(
            f"  in a sample of {statistics.examined:,} of {statistics.count:,} values",
            "muted",
            limit=0,
        ),
    )


def cells(statistics: Statistics | None, color: str) -> tuple[Cell, ...]:
    """Cells of one row below `COLUMNS`; counts of NaN and Inf take the place of the histogram."""
    if statistics is None or not statistics.examined:
        return (Cell(),) * len(COLUMNS)
    counts = statistics.histogram.counts
    bars = Cell(charts.bars(counts), picture=charts.histogram(counts, color, width=72, height=13))
    if not statistics.finite:
        bars = Cell(_bad(statistics), "wrong")
    return (
        Cell(_known(statistics.minimum)),
        bars,
        Cell(_known(statistics.maximum)),
        Cell(_known(statistics.mean)),
        Cell(_known(statistics.deviation)),
        Cell(numbers.percent(statistics.zero_share)),
    )


def _known(value: float) -> str:
    # Here NaN means that there is no finite value.
    return "" if value != value else numbers.number(value)
