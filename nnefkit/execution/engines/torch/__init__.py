"""PyTorch as an engine: every standard operation, on the CPU or a GPU.

`operations` has a lowering for each operation, in one module for each section of chapter 4.
`program` turns a graph into steps that call them, `program_runner` runs the steps, and `module` is
a trainable PyTorch module of the same steps. Only `torch` itself is needed, and it is not imported
before a graph is prepared.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from nnefkit.errors import InputError
from nnefkit.execution.engine import (
    Engine,
    Prepared,
    import_package,
    installed_version,
    thread_count,
)
from nnefkit.graph import Graph, Operation
from nnefkit.language import declarations

_INSTALL = 'pip install "nnefkit[torch]"'


class TorchEngine(Engine):
    """The engine that runs every standard operation in eager PyTorch.

    Args:
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or a `torch.device`.
        threads: How many threads of the processor an operation may use; None leaves it to PyTorch.

    Raises:
        InputError: There is no such device here, or `threads` is not a number of threads.
        MissingPackageError: PyTorch is not installed.
    """

    name = "torch"
    computes_integers = True
    options = ("device", "threads")

    def __init__(self, device: Any = "cpu", threads: int | None = None) -> None:
        self.version = installed_version(self.name, "torch", _INSTALL)
        self._threads = thread_count(threads)
        self._device = device
        if device != "cpu":
            self.load()
            self._device = _usable(device)

    def load(self) -> None:
        """Import PyTorch."""
        import_package(self.name, "torch", _INSTALL)

    @property
    def operations(self) -> frozenset[str]:
        """Names of the operations that it can run: all standard operations."""
        return frozenset(declarations())

    def why_unsupported(self, graph: Graph, operation: Operation) -> str:  # noqa: ARG002
        """Return why it cannot run an operation that `unsupported` names."""
        return f"'{operation.name}' is not a standard operation, and PyTorch does not have it."

    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Prepare `graph` to compute the tensors of `fetch`, and those of `watched`."""
        import torch

        from nnefkit.execution.engines.torch.program_runner import ProgramRunner

        return ProgramRunner(graph, fetch, watched, torch.device(self._device), self._threads)


_REASON = 160
"""Maximum length of a reason from PyTorch, in characters; longer ones are cut."""


def _usable(device: Any) -> Any:
    """Return a device of PyTorch, after moving a number there and back."""
    import torch

    try:
        usable = torch.device(device)
        torch.ones(1, device=usable).cpu()
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if len(reason) > _REASON:
            reason = reason[:_REASON].rsplit(maxsplit=1)[0] + " ..."
        raise InputError(
            f"PyTorch has no device {device!r} here: {reason}",
            hint="device='cpu' always works; "
            + ("so does device='cuda'." if torch.cuda.is_available() else "there is no GPU."),
        ) from error
    return usable
