"""tract as an engine: the inference library that NNEF models are deployed with.

tract runs in a child process, so that a crash becomes an error message. `support` decides
which operations it computes correctly, `tract_graph` writes the model that it reads, `process`
manages the child process, in which `worker` runs, and `tract_model` runs a graph there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from nnefkit.errors import InputError
from nnefkit.execution.engine import Engine, Prepared, installed_version
from nnefkit.execution.engines.tract.support import CLAIMED, CONDITIONAL, objection
from nnefkit.graph import Graph, Operation

TIMEOUT = 300.0
"""Default time limit in seconds, for preparation and for each run."""

_FOREVER = 1_000_000


class TractEngine(Engine):
    """The engine that runs graphs in tract, on one thread of the CPU, in float32.

    Args:
        timeout: Time limit in seconds, for preparation and for each run; None for no limit.

    Raises:
        InputError: The timeout is not a positive number of seconds.
        MissingPackageError: tract is not installed.
    """

    name = "tract"
    computes_integers = True
    options = ("timeout",)

    def __init__(self, timeout: Any = TIMEOUT) -> None:
        self.version = installed_version(self.name, "tract", 'pip install "nnefkit[tract]"')
        self._timeout = _seconds(timeout)

    @property
    def operations(self) -> frozenset[str]:
        """Names of the operations that it can run, at least with some attributes."""
        return CLAIMED

    @property
    def partly(self) -> frozenset[str]:
        """Names of the operations that it can run with some attributes only."""
        return CONDITIONAL

    def unsupported(self, graph: Graph) -> list[Operation]:
        """Return the operations of `graph` that it cannot run, in their order."""
        return [op for op in graph.operations if objection(graph, op)]

    def why_unsupported(self, graph: Graph, operation: Operation) -> str:
        """Return why it cannot run an operation that `unsupported` names."""
        return objection(graph, operation)

    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Prepare `graph` to compute the tensors of `fetch`, and those of `watched`."""
        from nnefkit.execution.engines.tract.tract_model import TractModel

        return TractModel(graph, fetch, watched, self._timeout)


def _seconds(timeout: Any) -> float | None:
    """Return the option ``timeout``, checked."""
    if timeout is None:
        return None
    if not isinstance(timeout, (int, float, np.number)) or isinstance(timeout, bool):
        raise InputError(f"'timeout' must be a number of seconds or None, not {timeout!r}")
    if not 0 < timeout < _FOREVER:
        raise InputError(
            f"'timeout' is {timeout}, but must be positive and less than {_FOREVER:,} seconds",
            hint="timeout=None sets no limit.",
        )
    return float(timeout)
