"""The base class of all engines, and support for writing one.

An engine prepares a graph to compute some tensors and then runs it any number of times. It sees
neither misspelled names nor variables that change: for all engines, `preparation.inputs` checks the
inputs and `Session` holds the state.

An engine is a subclass of `Engine`, declared under the entry point group ``nnefkit.engines`` (see
`engine_list`). ``tests/execution/third_party_engine`` is a complete example.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from importlib import import_module, metadata
from importlib.util import find_spec
from threading import Lock
from typing import Any, ClassVar, Protocol

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import Diagnostic, ExecutionError, InputError, MissingPackageError, NnefError
from nnefkit.graph import Graph, Operation

Watch = Callable[[tuple[Operation, ...], Mapping[str, Array], float], None]
"""Called with the operations just done (several where they were fused), those of their results
that are watched, and their duration in seconds (NaN where the engine cannot measure it)."""


class Prepared(Protocol):
    """A graph that is ready to run."""

    def __call__(self, feeds: Mapping[str, Array], watch: Watch | None = None) -> dict[str, Array]:
        """Run the graph.

        Args:
            feeds: A value for each external, and for each variable that the graph updates. Scalars
                are float32 (float64 if a variable of the graph is), integers int64, logicals bool.
            watch: To be called after each operation, in any order that computes inputs first.

        Returns:
            The fetched tensors by name. They share no memory with the feeds or the graph.

        Raises:
            ExecutionError: An operation failed; `failed_operation` creates the error.
        """


class Engine(ABC):
    """A way to run graphs.

    A subclass sets `name` and `version`, returns its `operations` and prepares graphs; everything
    else has a default. One instance without options is created when the engine is first used, so
    ``__init__`` must work without arguments. It should not import the package that does the work
    (`installed_version` finds its version without that): listing the engines creates all of them.
    """

    name: str
    """The name that users pass: ``nk.run(graph, inputs, "name")``."""

    version: str
    """Version of the package that does the work."""

    options: ClassVar[tuple[str, ...]] = ()
    """Names of the keyword arguments of ``__init__`` that users may set:
    ``nk.run(graph, inputs, "name", threads=2)``."""

    computes_integers: bool = False
    """Whether its arithmetic and comparisons compute tensors of data-type integer, too, in 64 bits.

    NNEF casts integers to scalars to compute with them. Such an engine is asked to compute with the
    integers themselves: ``add`` of two int64 tensors, for example, or ``div``, which rounds down.
    """

    annotated: bool = False
    """Whether it reads quantization info (``graph.quant``) itself and computes with the codes.

    Other engines are given operations that round the tensors, if a run is quantized.
    """

    @property
    @abstractmethod
    def operations(self) -> frozenset[str]:
        """Names of the operations that it can run, at least for some attributes and dtypes.

        ``external``, ``variable``, ``constant`` and ``update`` count as operations.
        """

    @property
    def partly(self) -> frozenset[str]:
        """Names of the operations that it can run for some attributes or dtypes only."""
        return frozenset()

    def unsupported(self, graph: Graph) -> list[Operation]:
        """Return the operations of `graph` that it cannot run, in their order.

        By default, these are the ones that are not in `operations`. An engine whose support depends
        on attributes or dtypes overrides this; shapes may not be known yet.
        """
        supported = self.operations
        return [op for op in graph.operations if op.name not in supported]

    def why_unsupported(self, graph: Graph, operation: Operation) -> str:  # noqa: ARG002
        """Return why it cannot run an operation of `unsupported`, as a sentence; empty by default.

        The sentence becomes the hint of the error that names the operation.
        """
        return ""

    def load(self) -> None:
        """Import the packages that do the work, before anything runs; nothing by default.

        `import_package` reports a broken one.

        Raises:
            MissingPackageError: A package cannot be imported.
        """
        return

    def received(self, graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:  # noqa: ARG002
        """Return the inputs of a run as the engine takes them: a trace records these.

        By default, these are the inputs themselves. An engine that computes with codes returns the
        numbers that the nearest codes stand for.

        Args:
            graph: The graph that is run.
            inputs: Checked inputs, or other tensors of the graph, by name.

        Raises:
            ExecutionError: An input has no code.
        """
        return dict(inputs)

    @abstractmethod
    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Prepare `graph` to compute the tensors of `fetch`.

        Args:
            graph: All its operations are supported, its shapes are known (except after custom
                operations without a shape rule), and all its variables have values.
            fetch: Names of the tensors to return.
            watched: Names of the tensors to pass to ``watch``, which may store them.
        """


# -- packages -------------------------------------------------------------------------------------


def installed_version(engine: str, package: str, install: str, *distributions: str) -> str:
    """Return the version of a package without importing it; ``"unknown"`` if it has none.

    Args:
        engine: Name of the engine that needs it.
        package: Its name in an import statement.
        install: The command that installs it, such as ``pip install "nnefkit[torch]"``.
        *distributions: Names of the distributions that contain it, if its own name is not the only
            one.

    Raises:
        MissingPackageError: It is not installed.
    """
    spec = find_spec(package)
    # A folder next to a notebook may have the same name as the package.
    if spec is None or spec.origin is None:
        raise MissingPackageError(
            f"the engine '{engine}' needs the package '{package}', which is not installed",
            hint=install,
        )
    for name in (package, *distributions):
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return "unknown"


def import_package(engine: str, package: str, install: str) -> None:
    """Import a package that an engine needs.

    Args:
        engine: Name of the engine.
        package: Its name in an import statement.
        install: The command that installs it, such as ``pip install "nnefkit[torch]"``.

    Raises:
        MissingPackageError: It is installed, but broken.
    """
    try:
        import_module(package)
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        again = install.replace("pip install", "pip install --force-reinstall", 1)
        raise MissingPackageError(
            f"the engine '{engine}' needs the package '{package}', which is installed but cannot "
            f"be imported: {lines[0]}",
            hint=f"{again} installs it again.",
        ) from error


# -- options --------------------------------------------------------------------------------------

MAX_THREADS = 1024
"""A larger number is a mistake; some engines would start that many threads."""


def thread_count(threads: Any) -> int | None:
    """Return the option ``threads`` of an engine, checked; None leaves the number to the engine.

    Raises:
        InputError: It is not a number of threads.
    """
    if threads is None:
        return None
    if isinstance(threads, (int, np.integer)) and not isinstance(threads, bool):
        if 1 <= threads <= MAX_THREADS:
            return int(threads)
        raise InputError(f"'threads' must be from 1 to {MAX_THREADS:,}, not {threads}")
    raise InputError(f"'threads' must be an integer or None, not {threads!r}")


# -- running --------------------------------------------------------------------------------------


_OUT_OF_RANGE = "integer_out_of_range"


def failed_operation(
    graph: Graph, op: Operation, shapes: Mapping[str, Sequence[int]], error: BaseException
) -> ExecutionError:
    """Return an error that names the failed operation, its line, its inputs and the reason.

    Args:
        graph: The graph that is run.
        op: The operation that failed.
        shapes: Shapes of the tensors that it read, by name, as far as they are known.
        error: The exception that was raised.
    """
    known = [name for name in dict.fromkeys(op.input_names) if name in shapes]
    names = ", ".join(f"{name} {list(shapes[name])}" for name in known)
    # Integers that scalars are computed from are named after them.
    computed = next((name.partition(".")[0] for name in op.output_names), "")
    result = f", which computes '{computed}'," if computed else ""
    reason, hint = _reason(error)
    if _OUT_OF_RANGE in computed and op.name == "gather":
        # A reader of other formats makes the run fail there (`integers_in_range`).
        reason = "an integer is outside of the range of its type"
        hint = "What it becomes depends on the runtime. Use smaller numbers or floating-point ones."
    message = f"operation '{op.name}'{result} failed: {reason}"
    hint = " ".join(filter(None, [hint, f"Its inputs were {names}." if names else ""]))
    if graph.source is None or op.span is None:
        return ExecutionError(Diagnostic("failed-operation", message, hint=hint))
    return ExecutionError(graph.source.diagnostic("failed-operation", message, op.span, hint=hint))


def _reason(error: BaseException) -> tuple[str, str]:
    """Return why an operation failed, and a hint, which may be empty."""
    if isinstance(error, NnefError):
        return error.diagnostics[0].message, error.diagnostics[0].hint
    reason = str(error)
    kind = type(error).__name__
    if isinstance(error, MemoryError):
        kind = "there is not enough memory"
    return f"{kind}: {reason}" if reason else kind, ""


class ProcessLock:
    """One lock for each process: ``with lock.here(): ...``.

    A forked process has a copy of every lock, but not the thread that would release it.
    """

    def __init__(self) -> None:
        self._locks: dict[int, Lock] = {}

    def here(self) -> Lock:
        """Return the lock of this process."""
        # A lock of the interpreter itself: no interrupt occurs between acquiring it and the block.
        return self._locks.setdefault(os.getpid(), Lock())
