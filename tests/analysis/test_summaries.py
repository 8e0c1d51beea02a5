"""Every result has a summary in words, which those who call it get, too."""

import inspect
from typing import get_type_hints

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.display.summary_text import Summary

CLASSES = [
    name
    for name in nk.__all__
    if inspect.isclass(getattr(nk, name))
    and isinstance(inspect.getattr_static(getattr(nk, name), "summary", None), property)
]


@pytest.mark.parametrize("name", CLASSES)
def test_a_summary_can_be_called(name: str) -> None:
    prop = inspect.getattr_static(getattr(nk, name), "summary")
    assert get_type_hints(prop.fget)["return"] is Summary


def test_results_of_calls() -> None:
    graph = nk.parse(
        "version 1.0; graph g( x ) -> ( y ) { x = external(shape = [1, 8]); y = exp(x); }"
    )
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 8)
    results = [
        nk.cost(graph),
        nk.profile(graph, x, repeat=2, warmup=0),
        nk.diff(graph, graph),
        nk.compare_many(graph, [x], suspect="numpy"),
        nk.compare(nk.trace(graph, x), nk.trace(graph, x)),
        nk.blame(graph, x, suspect=graph),
    ]
    for result in results:
        words = result.summary
        assert len(words) > 10
        assert "`" not in words
        assert result.summary() == words
