"""Real networks in other engines: every tensor is that of the reference."""

import numpy as np
import pytest

from nnefkit.execution import run, trace


@pytest.fixture(params=["torch", "tract"])
def engine(request):
    """The name of an engine that is installed."""
    pytest.importorskip(request.param)
    return request.param


@pytest.mark.parametrize("name", ["efficientnet", "blazeface"])
def test_every_tensor_of_real_networks_is_that_of_the_reference(network, name, engine):
    graph, recorded = network(name)
    image = next(recorded[key] for key in recorded if key.endswith("external1"))
    expected = trace(graph, image)
    traced = trace(graph, image, engine=engine)
    assert list(traced) == list(expected)
    for tensor, array in expected.items():
        scale = np.abs(array).max()
        np.testing.assert_allclose(traced[tensor], array, rtol=0, atol=5e-5 * scale, err_msg=tensor)
    for tensor, array in run(graph, image, engine=engine).items():
        np.testing.assert_allclose(array, traced[tensor], rtol=1e-5, atol=1e-5)


def test_efficientnet_classifies_a_photo_as_pytorch_does(network, engine):
    graph, recorded = network("efficientnet")
    logits = run(graph, recorded["cat_external1"], engine=engine)["linear1"]
    np.testing.assert_allclose(logits, recorded["cat_linear1"], rtol=0, atol=1e-4)
