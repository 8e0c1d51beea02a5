"""Compound operations lowered to simpler ones agree with their own kernels (chapter 4)."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nnefkit as nk
from nnefkit import language
from nnefkit.language import declarations

COMPOUND = [name for name, d in declarations().items() if d.body is not None]
EXACT = 1e-9
"""Bound of the error in float64, as a fraction of the largest element."""
APPROXIMATE = {"gelu": 1e-6}
"""Absolute bounds of definitions that only approximate, as operations of the standard must."""


def run(graph, feeds):
    return nk.run(graph, feeds, progress=False)


@pytest.mark.parametrize("name", COMPOUND)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_definition_computes_what_the_kernel_computes(name, calls, data):
    drawn = calls.of(name, strange=False, wild=data.draw(st.booleans()))
    graph, feeds = calls.graph_of(name, data.draw(drawn), True)
    feeds = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in feeds.items()}
    lowered = nk.lower(graph)
    assert not {op.name for op in lowered.operations} & set(COMPOUND)
    assert {op.scope[0].partition(":")[0] for op in lowered.operations if op.scope} <= {name}
    direct, found = run(graph, feeds), run(lowered, feeds)
    for key, wanted in direct.items():
        assert lowered.tensors[key].shape == graph.tensors[key].shape == found[key].shape
        assert_agree(name, found[key], wanted)


def assert_agree(name, found, wanted):
    assert found.dtype == wanted.dtype
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(found, wanted)
        return
    if name.startswith("max_pool"):
        # A window that holds nothing but an ignored border has no maximum that could be fetched.
        nothing = np.isneginf(wanted)
        assert not found[nothing].any()
        found, wanted = found[~nothing], wanted[~nothing]
    scale = np.abs(wanted[np.isfinite(wanted)]).max(initial=0)
    np.testing.assert_allclose(found, wanted, EXACT, APPROXIMATE.get(name, EXACT * scale))


@pytest.mark.parametrize("name", COMPOUND)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_lowered_graph_is_a_document_of_primitives(name, calls, data):
    call = data.draw(calls.of(name, strange=False))
    # Kernels take whole numbers for scalars, documents do not.
    call.inputs = [float(x) if type(x) is int and "zero" not in name else x for x in call.inputs]
    graph, _ = calls.graph_of(name, call)
    lowered = nk.lower(graph)
    again = nk.parse(str(lowered))
    assert str(again) == str(lowered)
    assert {n: t.shape for n, t in again.tensors.items()} == {
        n: t.shape for n, t in lowered.tensors.items()
    }


FRAGMENT = """
version 1.0;
extension KHR_enable_fragment_definitions, KHR_enable_operator_expressions;
fragment normalized( x: tensor<scalar>, times: scalar = 2.0 ) -> ( y: tensor<scalar> )
{
    y = times * softmax(x) + x;
}
fragment unused( x: tensor<scalar> ) -> ( y: tensor<scalar> ) { y = x + 1.0; }
graph net( x ) -> ( z )
{
    x = external<scalar>(shape = [2, 3]);
    y_mul = normalized(x, times = 3.0);
    y = normalized(y_mul);
    z = relu(y);
}
""".replace("definitions, ", "definitions ")


def test_new_tensors_have_unused_names():
    graph = nk.parse(FRAGMENT)
    lowered = nk.lower(graph)
    assert set(graph.tensors) <= set(lowered.tensors)
    names = [name for op in lowered.operations for name in op.output_names]
    assert len(names) == len(set(names))
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_allclose(run(lowered, x)["z"], run(graph, x)["z"], rtol=1e-5)


def test_scopes_remember_fragments_and_what_they_called():
    lowered = nk.lower(nk.parse(FRAGMENT))
    scopes = {op.scope for op in lowered.operations if op.name == "exp"}
    assert {tuple(part.partition(":")[0] for part in scope) for scope in scopes} == {
        ("normalized", "softmax")
    }


def test_lowering_twice_changes_nothing_more():
    lowered = nk.lower(nk.parse(FRAGMENT))
    assert str(nk.lower(lowered)) == str(lowered)


def test_chosen_operations_only():
    graph = nk.parse(FRAGMENT)
    lowered = nk.lower(graph, "relu")
    names = [op.name for op in lowered.operations]
    assert "relu" not in names
    assert {"max", "softmax"} <= set(names)


@pytest.mark.parametrize(
    ("names", "message"),
    [(["conv"], "not a compound operation"), (["sofmax"], "Did you mean 'softmax'")],
)
def test_operations_that_cannot_be_lowered_are_reported(names, message):
    with pytest.raises(nk.NnefError, match=message):
        nk.lower(nk.parse(FRAGMENT), names)


def test_fragment_calls_are_lowered_and_their_definitions_removed():
    kept, diagnostics = language.parse(FRAGMENT, expand=False)
    assert [d for d in diagnostics if d.severity == "error"] == []
    assert "normalized" in {op.name for op in kept.operations}
    lowered = nk.lower(kept)
    assert lowered.declarations == ()
    assert lowered.extensions == ()
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    wanted = run(nk.parse(FRAGMENT), x)["z"]
    np.testing.assert_allclose(run(lowered, x)["z"], wanted, rtol=1e-5)
