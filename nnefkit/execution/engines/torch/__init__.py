"""PyTorch as an engine: every standard operation, on the CPU or a GPU.

`registry` and the modules of the sections of chapter 4 say how each operation is computed,
`lowering` binds an operation's arguments, `program` orders the steps, `prepared` runs them and
`module` makes a module of them that can be trained. Only `torch` itself is needed, and it is not
imported before a graph is prepared.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from nnefkit.errors import InputError
from nnefkit.execution.engine import Prepared, thread_count
from nnefkit.execution.packages import installed_version, require
from nnefkit.graph import Graph, Operation
from nnefkit.language import declarations


class TorchEngine:
    """Runs every standard operation in eager PyTorch."""

    name = "torch"
    options = ("device", "threads")

    def __init__(self, device: Any = "cpu", threads: int | None = None) -> None:
        self.version = installed_version(self.name, "torch", "torch")
        self._device = device
        self._threads = threads

    def require(self) -> None:
        """Imports PyTorch."""
        require(self.name, "torch", "torch")

    @property
    def operations(self) -> frozenset[str]:
        """Names of the operations that it can run: all of the standard."""
        return frozenset(declarations())

    def unsupported(self, graph: Graph) -> list[Operation]:
        """The operations of `graph` that it cannot run, in their order."""
        known = self.operations
        return [op for op in graph.operations if op.name not in known]

    def why_not(self, _graph: Graph, op: Operation) -> str:
        """Why it cannot run an operation that `unsupported` names."""
        return f"'{op.name}' is no operation of the standard, and not known in PyTorch."

    def configured(self, *, device: Any = "cpu", threads: int | None = None) -> TorchEngine:
        """The engine on another device, or with another number of threads.

        Args:
            device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or a `torch.device`.
            threads: How many of the processor's threads an operation may use; None leaves it to
                PyTorch.

        Raises:
            InputError: there is no such device here.
        """
        threads = thread_count(threads)
        self.require()
        return TorchEngine(_usable(device), threads)

    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Makes `graph` ready to compute the tensors of `fetch`, and those of `watched`."""
        import torch

        from nnefkit.execution.engines.torch.program_runner import PreparedGraph

        return PreparedGraph(graph, fetch, watched, torch.device(self._device), self._threads)


_REASON = 160
"""Characters of PyTorch's own words that an error has at most."""


def _usable(device: Any) -> Any:
    """A device of PyTorch to which numbers can be brought, and from which they come back."""
    import torch

    try:
        found = torch.device(device)
        torch.ones(1, device=found).cpu()
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if len(reason) > _REASON:
            reason = reason[:_REASON].rsplit(maxsplit=1)[0] + " ..."
        raise InputError(
            f"PyTorch has no device {device!r} here: {reason}",
            hint="device='cpu' is always there; "
            + ("device='cuda' too." if torch.cuda.is_available() else "there is no GPU."),
        ) from error
    return found


engine = TorchEngine()
