"""Cost of a comparison of all the tensors of a real run, and of its displays."""

from pathlib import Path

import numpy as np
import pytest

import nnefkit as nk

MODEL = Path(__file__).parents[1] / "models" / "blazeface_front"


@pytest.fixture(scope="module")
def runs():
    graph = nk.load(MODEL / "blazeface_front.nnef")
    with np.load(MODEL / "io.npz") as recorded:
        inputs = {"external1": recorded["external1"]}
    changed = graph.with_data({"variable15": graph.tensors["variable15"].data * 1.01})
    return nk.trace(graph, inputs), nk.trace(changed, inputs)


def test_compare_two_traces(benchmark, runs):
    assert not benchmark(nk.compare, *runs).ok


def test_compare_a_trace_with_itself(benchmark, runs):
    assert benchmark(nk.compare, runs[0], runs[0]).equal


def test_display_a_comparison(benchmark, runs):
    a, b = runs
    assert benchmark.pedantic(
        lambda comparison: comparison._repr_html_(),
        setup=lambda: ((nk.compare(a, b),), {}),
        rounds=10,
    )
