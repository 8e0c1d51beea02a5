"""Python's cycle collector, kept away from graphs while they grow."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

_MANY = 20_000
"""From so many new objects on, a look at all of them takes long enough to be spared."""
_SPARED = 20
_uses = count(1)


@contextmanager
def without_collector() -> Iterator[None]:
    """Keeps the cycle collector from looking again and again at a graph that only ever grows.

    A graph has no reference cycles; on a long text the collector would take half of the time.
    What was made meanwhile counts as old, lest the collector walks through all of it at once.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if gc.get_count()[0] > _MANY and not gc.get_freeze_count():
            # Frozen and thawed again: objects join the oldest generation without a look at them.
            gc.freeze()
            gc.unfreeze()
            if next(_uses) % _SPARED == 0:
                # That also put off the collector's own turn, which somebody may need.
                gc.collect()
        gc.enable()
