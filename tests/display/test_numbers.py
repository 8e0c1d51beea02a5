"""Numbers are written in short form that is never misleading."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnefkit.display import numbers


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (-0.0, "0"),
        (-6.36, "-6.36"),
        (0.113, "0.113"),
        (-0.0788, "-0.0788"),
        (25.24, "25.2"),
        (9.996, "10"),
        (99.96, "100"),
        (1234.4, "1,234"),
        (999_999.4, "999,999"),
        (999_999.6, "1e6"),
        (-1.5e-7, "-1.5e-7"),
        (3.4028e38, "3.4e38"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
        (math.nan, "NaN"),
        (None, ""),
    ],
)
def test_numbers(value, written):
    assert numbers.number(value) == written


@given(st.floats(-1.7e308, 1.7e308))
def test_three_digits_are_right(value):
    read = float(numbers.number(value).replace(",", ""))
    assert math.isclose(read, value, rel_tol=0.0051)


@pytest.mark.parametrize(
    ("function", "value", "written"),
    [
        (numbers.size, 0, "0 B"),
        (numbers.size, 1023, "1,023 B"),
        (numbers.size, 393_216, "384 KiB"),
        (numbers.size, 1_048_575, "1 MiB"),
        (numbers.quantity, 0, "0"),
        (numbers.quantity, 7_370_000, "7.37 M"),
        (numbers.quantity, 999_999, "1 M"),
        (numbers.count, 101_390, "101,390"),
        (numbers.count, None, ""),
        (numbers.duration, 0.00018, "180 µs"),
        (numbers.duration, 0.0241, "24.1 ms"),
        (numbers.duration, 0.99999, "1 s"),
        (numbers.duration, 200, "3 min 20 s"),
        (numbers.shape, (1, 24, 64, 64), "1×24×64×64"),
        (numbers.shape, (), "()"),
        (numbers.shape, None, "?"),
        (numbers.percent, 0.0, "0%"),
        (numbers.percent, 0.00001, "<1%"),
        (numbers.percent, 0.4, "40%"),
        (numbers.percent, 0.99999, ">99%"),
        (numbers.percent, 1.0, "100%"),
        (numbers.percent, math.nan, ""),
    ],
)
def test_units(function, value, written):
    assert function(value) == written


def test_plurals():
    assert [numbers.plural(n, "error") for n in (0, 1, 2)] == ["0 errors", "1 error", "2 errors"]


@given(st.text(), st.integers(3, 50))
def test_shortened_names_keep_both_ends(name, limit):
    short = numbers.shorten(name, limit)
    if len(name) <= limit:
        assert short == name
        return
    tail = (limit - 1) // 2
    assert len(short) == limit
    assert name.startswith(short[: limit - 1 - tail])
    assert name.endswith(short[limit - tail :])


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("models/net.nnef", "models/net.nnef"),
        ("/home/somebody/models/net/net.nnef.tgz", "…/models/net/net.nnef.tgz"),
        ("C:\\Users\\somebody\\models\\net\\net.nnef.tgz", "…/models/net/net.nnef.tgz"),
        ("/somewhere/" + "n" * 40, "…/nnnnnnnnnnnnn…nnnnnnnnnnnnnn"),
    ],
)
def test_long_paths_lose_their_first_folders(path, written):
    assert numbers.shorten_path(path, 30) == written
    assert len(written) <= 30
