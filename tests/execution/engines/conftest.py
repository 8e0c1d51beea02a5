"""Calls of every standard operation, run by an engine and by the reference."""

from pathlib import Path

import numpy as np
import pytest
from oracles.drawn_calls import CALLS
from oracles.one_call import calls_of, graph_of

from nnefkit import io
from nnefkit.execution import Session

TOLERANCES = {"f2": 4e-3, "f4": 2e-6, "f8": 1e-13}
"""Allowed differences of results, as fractions of the largest element of a tensor."""


def assert_close(results, expected, spread=1.0, where="", least=1e-3):
    """Check that results agree in names, dtypes, shapes and, within the tolerance, in values."""
    assert list(results) == list(expected)
    for name, wanted in expected.items():
        found = results[name]
        assert found.dtype == wanted.dtype, (where, name)
        assert found.shape == wanted.shape, (where, name)
        if wanted.dtype.kind != "f":
            np.testing.assert_array_equal(found, wanted, err_msg=where)
            continue
        finite = np.abs(wanted[np.isfinite(wanted)])
        scale = max(float(finite.max()) if finite.size else 0.0, least)
        tolerance = TOLERANCES[wanted.dtype.str[1:]] * spread
        np.testing.assert_allclose(
            found, wanted, rtol=tolerance * 4, atol=tolerance * scale, err_msg=f"{where} {name}"
        )


class Calls:
    """The functions of this module for the tests of engines."""

    names = frozenset(CALLS)
    graph_of = staticmethod(graph_of)
    assert_close = staticmethod(assert_close)
    of = staticmethod(calls_of)

    @staticmethod
    def check(engine, name, call, *, wide=False, **options):
        """Check that an engine computes a call as the reference does."""
        graph, feeds = graph_of(name, call, wide)
        if wide:
            feeds = {
                n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in feeds.items()
            }
        expected = Session(graph).run(feeds)
        results = Session(graph, engine, **options).run(feeds)
        assert_close(results, expected, call.spread, f"{call.attribs}", call.least)


MODELS = Path(__file__).parents[2] / "models"
NETWORKS = {
    "efficientnet": "efficientnet_lite0/efficientnet_lite0.nnef.tgz",
    "blazeface": "blazeface_front/blazeface_front.nnef",
}


@pytest.fixture(scope="session")
def network():
    """A function that loads a network by name, with recorded inputs and outputs."""

    def load(name):
        path = MODELS / NETWORKS[name]
        return io.load(path), np.load(path.parent / "io.npz")

    return load


@pytest.fixture(scope="session")
def calls():
    """Calls of every standard operation."""
    return Calls


def pytest_generate_tests(metafunc):
    if "standard_operation" in metafunc.fixturenames:
        metafunc.parametrize("standard_operation", CALLS)
