"""The place where runs of real networks diverge is found, and real networks are valid."""

from pathlib import Path

import numpy as np
import pytest

import nnefkit as nk

MODELS = Path(__file__).parents[1] / "models"
BLAZEFACE = MODELS / "blazeface_front" / "blazeface_front.nnef"
EFFICIENTNET = MODELS / "efficientnet_lite0" / "efficientnet_lite0.nnef.tgz"


@pytest.fixture(scope="module")
def graph():
    return nk.load(BLAZEFACE)


@pytest.fixture(scope="module")
def inputs():
    with np.load(BLAZEFACE.parent / "io.npz") as recorded:
        return {"external1": recorded["external1"]}


@pytest.fixture(scope="module")
def trace(graph, inputs):
    return nk.trace(graph, inputs)


def downstream(graph, name):
    """Return all tensors that depend on `name`."""
    found, waiting = set(), [name]
    while waiting:
        for op in graph.consumers[waiting.pop()]:
            waiting += set(op.output_names) - found
            found.update(op.output_names)
    return found


@pytest.mark.parametrize("path", [BLAZEFACE, BLAZEFACE / "graph.nnef", EFFICIENTNET])
def test_real_networks_are_valid(path):
    report = nk.validate(path)
    assert report.diagnostics == ()
    assert nk.validate(report.graph).diagnostics == ()


def test_rounded_weights_are_the_cause_and_their_spread_is_reported(graph, inputs, trace):
    weights = graph.tensors["variable15"].data
    step = np.abs(weights).max() / 7
    rounded = graph.with_data({"variable15": np.round(weights / step) * step})
    found = nk.compare(trace, nk.trace(rounded, inputs), labels=("float", "4 bits"))

    assert [row.name for row in found.introducing] == ["conv8"]
    first = found.first_divergence
    assert (first.name, first.causes) == ("conv8", ("variable15",))
    expected = trace["conv8"].astype(np.float64)
    error = np.abs(expected - nk.trace(rounded, inputs)["conv8"])
    assert first.metrics.max_abs == error.max()
    ratio = 10 * np.log10((expected**2).sum() / (error**2).sum())
    assert first.metrics.snr == pytest.approx(ratio, rel=1e-9)
    differing = {row.name for row in found.differing} - {"conv8"}
    assert differing == {row.name for row in found if row.verdict == "inherits"}
    assert differing <= downstream(graph, "conv8")
    assert set(graph.outputs) <= differing
    assert f"{len(differing)} tensors inherit the difference" in found.summary
    assert "The runs diverge at conv8 (conv, line 106)" in found.summary
    assert "Its weight variable15 differs; its input does not." in found.summary


def test_recordings_of_another_engine_are_within_the_tolerance(trace):
    found = nk.compare(trace, BLAZEFACE.parent / "io.npz")
    assert found.ok
    assert [row.name for row in found] == ["external1", "concat1", "concat2"]
    assert not found.equal


def test_a_saved_trace_is_as_good_as_the_trace(trace, tmp_path):
    trace.save(tmp_path / "run.trace")
    found = nk.compare(trace, tmp_path / "run.trace")
    assert found.equal
    assert len(found) == len(trace)
    assert found.labels == ("numpy", "run.trace")


def test_another_layout_of_a_whole_run_is_found(trace):
    moved = {name: x.transpose(0, 2, 3, 1) if x.ndim == 4 else x for name, x in trace.items()}
    assert not nk.compare(trace, moved).ok
    found = nk.compare(trace, moved, axes="auto")
    assert found.equal
    assert found["conv1"].axes == (0, 3, 1, 2)
