"""Python's collector of cyclic garbage, kept from looking while there is none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collector() -> Iterator[None]:
    """For work that makes many small objects, which live shortly and form no cycles.

    The collector would look through all that the process holds, again and again; on large graphs
    that takes as long as the work itself.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
