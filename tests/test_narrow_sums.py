"""Sums of float32 arrays by rows are those of double precision, nearly."""

import numpy as np
import pytest

from nnefkit.narrow_sums import ROW, has_narrow_squares, narrow_dot, narrow_sum


@pytest.mark.parametrize("size", [0, 1, ROW - 1, ROW, ROW + 1, 10 * ROW + 7, 100_000])
@pytest.mark.parametrize("scale", [2e-12, 1e-3, 1.0, 7e14])
def test_sums_and_products(size: int, scale: float) -> None:
    generator = np.random.default_rng(size)
    x, y = (generator.uniform(-scale, scale, size).astype(np.float32) for _ in range(2))
    wide, other = x.astype(np.float64), y.astype(np.float64)
    assert has_narrow_squares(scale)
    assert narrow_sum(x) == pytest.approx(wide.sum(), abs=1e-7 * float(np.abs(wide).sum()))
    assert narrow_dot(x, x) == pytest.approx(wide @ wide, rel=3e-7)
    digits = 3e-7 * float(np.abs(wide * other).sum())
    assert narrow_dot(x, y) == pytest.approx(wide @ other, abs=digits)


@pytest.mark.parametrize("largest", [0.0, 1e-20, 1e16, 3e38, float("inf"), float("nan")])
def test_other_magnitudes_need_double_precision(largest: float) -> None:
    assert not has_narrow_squares(largest)
