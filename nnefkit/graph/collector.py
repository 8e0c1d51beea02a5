"""Python's cycle collector, kept away from graphs while they grow."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
        if not gc.get_freeze_count():
            # Frozen and thawed again: objects join the oldest generation without a look at them.
            gc.freeze()
            gc.unfreeze()
        gc.enable()
