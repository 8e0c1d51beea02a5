"""Depthwise and separable convolutions equal the calls that define them (4.3.1, 4.9.2)."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nnefkit.operations import KERNELS, SHAPE_RULES

ZERO = np.zeros((), np.float64)


def attributes(rank, **given):
    return {
        "border": "constant",
        "padding": [(0, 0)] * rank,
        "stride": [],
        "dilation": [],
        "groups": 1,
        **given,
    }


def test_depthwise_deconv_reverses_a_channel_multiplier_where_the_output_shape_says_so():
    random = np.random.default_rng(0)
    y, w = random.standard_normal((1, 6, 5, 5)), random.standard_normal((6, 1, 3, 3))
    attribs = attributes(2, groups=0)
    back = KERNELS["deconv"](y, w, ZERO, **attribs, output_shape=[1, 3, 7, 7])
    assert back.shape == (1, 3, 7, 7)
    attribs["groups"] = 3
    assert_allclose(back, KERNELS["deconv"](y, w, ZERO, **attribs, output_shape=[]), atol=1e-12)


@pytest.mark.parametrize("groups", [1, 2])
def test_separable_operations_are_their_compounds(groups):
    random = np.random.default_rng(groups)
    x = random.standard_normal((2, 4, 7, 8))
    plane = random.standard_normal((8, 1, 3, 2))
    point = random.standard_normal((6, 8 // groups, 1, 1))
    bias = random.standard_normal((1, 6))
    given = {"border": "reflect", "padding": [(2, 1), (1, 0)], "stride": [2, 1], "dilation": [1, 2]}
    attribs = {**given, "groups": groups}
    result = KERNELS["separable_conv"](x, plane, point, bias, **attribs)
    filtered = KERNELS["conv"](x, plane, ZERO, **given, groups=0)
    pointed = attributes(2, groups=groups)
    assert_allclose(result, KERNELS["conv"](filtered, point, bias, **pointed), atol=1e-12)
    rule = SHAPE_RULES["separable_conv"]
    shapes = [a.shape for a in (x, plane, point, bias)]
    assert rule(*shapes, **attribs) == result.shape

    bias = random.standard_normal((1, 4))
    back = KERNELS["separable_deconv"](
        result, plane, point, bias, **attribs, output_shape=[*x.shape]
    )
    filtered = KERNELS["deconv"](result, point, ZERO, **pointed, output_shape=[])
    expected = KERNELS["deconv"](filtered, plane, bias, **given, groups=0, output_shape=[*x.shape])
    assert_allclose(back, expected, atol=1e-12)
    shapes = [a.shape for a in (result, plane, point, bias)]
    rule = SHAPE_RULES["separable_deconv"]
    assert rule(*shapes, **attribs, output_shape=[*x.shape]) == back.shape
