"""Rows of a large table, of which the standard command tests a sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def sampled(rows: Iterable[Any], every: int) -> list[Any]:
    """Return rows for `pytest.mark.parametrize`; all but each `every`-th one are slow tests."""
    return [
        row if number % every == 0 else pytest.param(*_values(row), marks=pytest.mark.slow)
        for number, row in enumerate(rows)
    ]


def _values(row: Any) -> Sequence[Any]:
    return row if type(row) is tuple else (row,)
