"""The cycle collector stays away while graphs are made, and comes back."""

from __future__ import annotations

import gc
import weakref

import pytest

from nnefkit import language

TEXT = (
    "version 1.0; graph g(x) -> (y) { x = external(shape = [1]); a0 = relu(x);"
    + "".join(f" a{i} = relu(a{i - 1});" for i in range(1, 4000))
    + " y = relu(a3999); }"
)


class Cycle:
    """Refers to itself."""

    def __init__(self) -> None:
        self.me = self


def test_reading_does_not_retain_other_garbage_forever():
    seen = []
    for _ in range(24):
        seen.append(weakref.ref(Cycle()))
        language.parse(TEXT)
    assert sum(reference() is not None for reference in seen) < 21


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(enabled):
    (gc.enable if enabled else gc.disable)()
    try:
        language.parse(TEXT)
        assert gc.isenabled() == enabled
    finally:
        gc.enable()


def test_foreign_frozen_values_remain_frozen():
    gc.freeze()
    try:
        language.parse(TEXT)
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()
