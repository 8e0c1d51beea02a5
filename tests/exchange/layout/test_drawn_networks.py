"""Random channels-last networks compute the same without their transpositions."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

import nnefkit as nk
from nnefkit import Graph
from nnefkit.exchange.layout import as_in_source, as_stored, channels_first
from tests.exchange.layout.drawn_networks import networks
from tests.exchange.layout.naive_networks import example_inputs


def _transpositions(graph: Graph) -> int:
    return sum(op.name == "transpose" for op in graph.operations)


@given(networks())
@settings(max_examples=60)
def test_equal_numbers_from_fewer_transpositions(graph: Graph) -> None:
    changed = channels_first(graph)
    inputs = example_inputs(graph)
    assert changed is graph or _transpositions(changed) < _transpositions(graph)
    assert (changed.inputs, changed.outputs) == (graph.inputs, graph.outputs)
    expected, results = nk.run(graph, inputs), nk.run(changed, inputs)
    for name, array in expected.items():
        np.testing.assert_allclose(results[name], array, rtol=1e-11, atol=1e-11)
    again = nk.infer_shapes(nk.parse(str(changed)))
    assert {n: t.shape for n, t in again.tensors.items()} == {
        n: t.shape for n, t in changed.tensors.items()
    }


@given(networks())
@settings(max_examples=30)
def test_channels_first_inputs_and_outputs(graph: Graph) -> None:
    changed = channels_first(graph, layout="nnef")
    inputs = example_inputs(graph)
    expected = nk.run(graph, inputs)
    results = nk.run(changed, {n: as_stored(changed, n, a) for n, a in inputs.items()})
    assert _transpositions(changed) <= _transpositions(channels_first(graph))
    for name, array in expected.items():
        ours = as_in_source(changed, name, results[name])
        np.testing.assert_allclose(ours, array, rtol=1e-11, atol=1e-11)
