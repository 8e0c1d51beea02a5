"""Control of Python's cyclic garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

_MANY_OBJECTS = 20_000
"""Number of new objects from which on scanning them all takes noticeable time."""
_COLLECT_EVERY = 20
_uses = count(1)


@contextmanager
def paused_collector() -> Iterator[None]:
    """Pause the cyclic garbage collector during work that makes many objects but no cycles.

    The collector would scan everything that the process holds, again and again; for large graphs
    that takes as long as the work itself. Objects made meanwhile are moved to the oldest
    generation, so that the collector does not scan all of them as soon as it resumes.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if gc.get_count()[0] > _MANY_OBJECTS and not gc.get_freeze_count():
            # Freezing and unfreezing moves objects to the oldest generation without a scan.
            gc.freeze()
            gc.unfreeze()
            if next(_uses) % _COLLECT_EVERY == 0:
                # It also postpones collections that other code may depend on.
                gc.collect()
        gc.enable()
