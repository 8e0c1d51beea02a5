"""PyTorch as an engine: every standard operation, on the CPU or a GPU.

`registry` and the modules of the sections of chapter 4 say how each operation is computed,
`lowering` binds an operation's arguments, `program` orders the steps, `prepared` runs them and
`module` makes a module of them that can be trained. Only `torch` itself is needed, and it is not
imported before a graph is prepared.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib import metadata
from importlib.util import find_spec
from typing import Any

from nnefkit.errors import InputError, MissingPackageError
from nnefkit.execution.engine import Prepared
from nnefkit.graph import Graph, Operation
from nnefkit.language import declarations


class TorchEngine:
    """Runs every standard operation in eager PyTorch."""

    name = "torch"
    options = ("device", "threads")

    def __init__(self, device: Any = "cpu", threads: int | None = None) -> None:
        self._device = device
        self._threads = threads

    @property
    def version(self) -> str:
        """Of PyTorch."""
        return metadata.version("torch")

    @property
    def operations(self) -> frozenset[str]:
        """Names of the operations that it can run: all of the standard."""
        return frozenset(declarations())

    def unsupported(self, graph: Graph) -> list[Operation]:
        """The operations of `graph` that it cannot run, in their order."""
        known = self.operations
        return [op for op in graph.operations if op.name not in known]

    def configured(self, *, device: Any = "cpu", threads: int | None = None) -> TorchEngine:
        """The engine on another device, or with another number of threads.

        Args:
            device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or a `torch.device`.
            threads: How many of the processor's threads an operation may use; None leaves it to
                PyTorch.

        Raises:
            InputError: there is no such device here.
        """
        _check_device(device)
        if threads is not None and threads < 1:
            raise InputError(f"'threads' is {threads}, but there must be one at least")
        return TorchEngine(device, threads)

    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Makes `graph` ready to compute the tensors of `fetch`, and those of `watched`."""
        import torch

        from nnefkit.execution.engines.torch.prepared import PreparedGraph

        return PreparedGraph(graph, fetch, watched, torch.device(self._device), self._threads)


def _check_device(device: Any) -> None:
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        raise InputError(
            f"PyTorch has no device '{device}' here: {str(error).splitlines()[0]}",
            hint="device='cpu' is always there; "
            + ("device='cuda' too." if torch.cuda.is_available() else "there is no GPU."),
        ) from None


if find_spec("torch") is None:
    raise MissingPackageError(
        "the engine 'torch' needs PyTorch, which is not installed",
        hint='pip install "nnefkit[torch]"',
    )
engine = TorchEngine()
