"""Local normalizations are the compounds of 4.9.4."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from nnefkit.operations import KERNELS


@pytest.mark.parametrize("size", [3, 5])
def test_response_normalization_over_channels_agrees_with_torch(size):
    x = np.random.default_rng(size).standard_normal((2, 7, 5, 4)).astype(np.float32)
    expected = torch.nn.functional.local_response_norm(
        torch.from_numpy(x), size, alpha=0.3, beta=0.75, k=1.5
    )
    result = KERNELS["local_response_normalization"](
        x, size=[1, size, 1, 1], alpha=0.3, beta=0.75, bias=1.5
    )
    assert result.dtype == np.float32
    assert_allclose(result, expected.numpy(), atol=1e-6)


def test_nothing_divided_by_nothing_is_a_result():
    x = np.zeros((1, 1, 2, 2), np.float32)
    attribs = {"size": [1, 1, 3, 3], "bias": 0.0, "epsilon": 0.0}
    assert np.isnan(KERNELS["local_variance_normalization"](x, **attribs)).all()
    attribs["epsilon"] = 1e-5
    assert_allclose(KERNELS["local_variance_normalization"](x, **attribs), x)
