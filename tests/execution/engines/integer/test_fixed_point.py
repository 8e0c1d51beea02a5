"""Multiplication by a multiplier and a shift is exact arithmetic, rounded as said."""

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnefkit.execution.engines.integer.fixed_point import (
    ROUNDINGS,
    Multiplier,
    divided,
    quotient,
    rescaled,
    rescaled_blocks,
    whole,
)


def half_up(x):
    return floor(x + Fraction(1, 2))


def half_away(x):
    return half_up(x) if x >= 0 else -half_up(-x)


EXACT = {
    "half_away": half_away,
    "half_up": half_up,
    "half_even": round,
    "truncate": lambda x: floor(x) if x >= 0 else ceil(x),
    "floor": floor,
}
SINGLE = sorted(EXACT)


def test_each_rounding_is_tested():
    assert {*SINGLE, "tflite"} == set(ROUNDINGS)


@pytest.mark.parametrize("rounding", SINGLE)
@given(
    x=st.integers(-(2**47), 2**47),
    factor=st.integers(0, 2**31 - 1),
    bits=st.integers(0, 62),
)
def test_a_product_is_rounded_once(rounding, x, factor, bits):
    found = divided(np.asarray(x), np.asarray(factor), np.asarray(bits), rounding)
    exact = EXACT[rounding](Fraction(x * factor, 2**bits))
    assert int(found) == max(-(2**63), min(exact, 2**63 - 1))


@pytest.mark.parametrize("rounding", SINGLE)
@given(st.lists(st.integers(-40, 40), min_size=1, max_size=9), st.integers(1, 4))
def test_ties_of_an_array_are_rounded_alike(rounding, numbers, bits):
    found = divided(np.array(numbers), np.asarray(1), np.asarray(bits), rounding)
    assert found.tolist() == [EXACT[rounding](Fraction(n, 2**bits)) for n in numbers]


@pytest.mark.parametrize("rounding", SINGLE)
@given(st.integers(-(10**6), 10**6), st.integers(1, 999))
def test_a_quotient_is_rounded_once(rounding, x, count):
    found = quotient(np.asarray(x), np.asarray(count), rounding)
    assert int(found) == EXACT[rounding](Fraction(x, count))


@pytest.mark.parametrize("rounding", SINGLE)
@given(st.integers(-(2**20), 2**20))
def test_a_float_is_rounded_once(rounding, quarters):
    found = whole(np.asarray(quarters / 4, np.float32), rounding)
    assert int(found) == EXACT[rounding](Fraction(quarters, 4))


@given(st.floats(2.0**-31, 2.0**20))
def test_a_multiplier_has_31_bits(number):
    by = Multiplier.of(number)
    value = Fraction(int(by.factor)) * Fraction(2) ** int(by.exponent - 31)
    assert abs(value / Fraction(number) - 1) <= Fraction(1, 2**31)
    assert 2**30 <= int(by.factor) < 2**31


@pytest.mark.parametrize("number", [0.0, 2.0**-40])
def test_a_tiny_multiplier_is_zero(number):
    assert Multiplier.of(number) == (0, 0)


@given(x=st.integers(-(2**31), 2**31 - 1), number=st.floats(2.0**-20, 0.999))
def test_the_steps_of_tflite_differ_from_one_step_by_at_most_one(x, number):
    by = Multiplier.of(number)
    once = int(rescaled(np.asarray(x), by, "half_up"))
    for kernel in ("matrix", "plain"):
        assert abs(int(rescaled(np.asarray(x), by, "tflite", kernel)) - once) <= 1


@pytest.mark.parametrize(
    ("kernel", "expected"), [("matrix", [-1, 0, 1, 2]), ("plain", [-2, -1, 1, 2])]
)
def test_kernels_of_tflite_differ_at_ties_below_zero(kernel, expected):
    ties = np.array([-6, -2, 2, 6])
    found = rescaled(ties, Multiplier.of(0.25), "tflite", kernel)
    assert found.tolist() == expected


def test_what_is_left_of_blocks_is_rounded_otherwise():
    x = np.full((2, 10), -2)
    inside = np.arange(10) < 8
    found = rescaled_blocks(x, Multiplier.of(0.25), "tflite", inside)
    assert found.tolist() == [[0] * 8 + [-1] * 2] * 2
