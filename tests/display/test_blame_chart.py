"""The labels of the chart of a blame do not cover each other."""

from itertools import pairwise

import pytest

from nnefkit.display.blame_chart import legible
from nnefkit.display.charts import label_span

WIDTH = 760


@pytest.mark.parametrize(
    ("named", "shown"),
    [
        ([(20.0, 300.0, "conv8"), (10.0, 310.0, "conv18")], ["conv18"]),
        ([(20.0, 300.0, "conv8"), (10.0, 500.0, "conv18")], ["conv18", "conv8"]),
        # The labels at the edges begin or end at their bars.
        ([(10.0, 50.0, "a_long_name"), (20.0, 120.0, "conv2")], ["a_long_name"]),
        ([(10.0, 50.0, "short"), (20.0, 120.0, "conv2")], ["short", "conv2"]),
        ([(10.0, 740.0, "a_long_name"), (20.0, 670.0, "conv2")], ["a_long_name"]),
        ([(float(i), 100.0 + 80 * i, "c") for i in range(8)], ["c"] * 4),
    ],
)
def test_the_worst_are_named_without_covering_each_other(named, shown):
    found = legible(named, WIDTH)
    assert [name for _, name in found] == shown
    spans = sorted(label_span(x, name, WIDTH) for x, name in found)
    assert all(a[1] < b[0] for a, b in pairwise(spans))
