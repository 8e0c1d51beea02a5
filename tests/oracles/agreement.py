"""Check that two results are the same up to rounding."""

import numpy as np

TOLERANCES = {"f2": 2e-3, "f4": 1e-6, "f8": 1e-13}
"""Allowed differences, as fractions of the largest element of a tensor."""


def assert_agree(found, expected, dtype, spread=1.0, where="", least=1e-3):
    """Check that results agree with a formula: shapes, kinds of dtypes, NaN, infinities, numbers.

    Args:
        found: Arrays whose real numbers are of `dtype`.
        expected: Arrays of doubles, integers or logicals.
        dtype: Determines the tolerance.
        spread: The factor by which the tolerance is wider.
        where: Part of the message if they differ.
        least: The tolerance is relative to this size where all elements are smaller.
    """
    assert len(found) == len(expected)
    for mine, wanted in zip(found, expected, strict=True):
        assert mine.shape == wanted.shape, where
        if mine.dtype.kind != "f":
            assert mine.dtype.kind == wanted.dtype.kind, where
            np.testing.assert_array_equal(mine, wanted, err_msg=str(where))
            continue
        assert mine.dtype == dtype, where
        with np.errstate(over="ignore"):
            wanted = wanted.astype(np.float64)
            rounded = wanted.astype(dtype).astype(np.float64)
        # What overflows the narrower dtype is infinite there.
        wanted = np.where(np.isinf(rounded), rounded, wanted)
        finite = np.abs(wanted[np.isfinite(wanted)])
        scale = max(float(finite.max(initial=0)), least)
        tolerance = TOLERANCES[np.dtype(dtype).str[1:]] * spread
        np.testing.assert_allclose(
            mine.astype(np.float64),
            wanted,
            rtol=tolerance * 4,
            atol=tolerance * scale,
            err_msg=str(where),
        )
