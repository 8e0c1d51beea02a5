"""What an engine is, and which there are.

An engine prepares a graph for some wanted tensors and then runs it as often as one likes. It knows
neither names that a user may misspell nor variables that change: `feeds` checks the inputs and
`Session` keeps the state, for all engines alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError, InputError, UnknownNameError, did_you_mean
from nnefkit.graph import Graph, Operation
from nnefkit.operations.registry import KERNELS

Watch = Callable[[tuple[Operation, ...], Mapping[str, Array], float], None]
"""Called with the operations just done (several where they were fused), those of their results
that are watched, and the seconds that they took (NaN where the engine cannot tell)."""


class Prepared(Protocol):
    """A graph that is ready to run."""

    def __call__(self, feeds: Mapping[str, Array], watch: Watch | None = None) -> dict[str, Array]:
        """Runs it.

        Args:
            feeds: A value for each external, and for each variable that the graph updates.
            watch: Told of every operation as it is done.

        Returns:
            The fetched tensors. They share no memory with the feeds or the graph.
        """


class Engine(Protocol):
    """A way to run graphs.

    It may also have: ``options``, the names of what one may choose, with a method ``configured``
    that takes them by keyword; ``partly``, names of operations that it can run with some attributes
    or dtypes only; ``why_not(graph, operation)``, a sentence about what keeps it from an operation;
    ``require()``, which imports the packages that do the work.
    """

    name: str
    version: str
    """Of the package that does the work."""

    @property
    def operations(self) -> frozenset[str]:
        """Names of the operations that it can run."""

    def unsupported(self, graph: Graph) -> list[Operation]:
        """The operations of `graph` that it cannot run, in their order."""

    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Makes `graph`, whose shapes are all known, ready to compute the tensors of `fetch`.

        Args:
            graph: All its operations are supported, all its variables have values.
            fetch: Names of the tensors to return.
            watched: Names of the tensors to show to `watch`; it may keep them.
        """


AUTO = "auto"
"""In the place of an engine's name: the fastest one that is installed and can run the graph."""
ENGINES: dict[str, str] = {
    "numpy": "nnefkit.execution.engines.numpy",
    "onnxruntime": "nnefkit.execution.engines.onnxruntime",
    "torch": "nnefkit.execution.engines.torch",
    "tract": "nnefkit.execution.engines.tract",
}
"""Engine name -> module that has it as ``engine``; imported when it is first asked for."""


@cache
def find_engine(name: str) -> Engine:
    """The engine called `name`.

    Raises:
        UnknownNameError: no engine is called so.
        MissingPackageError: the package that it needs is not installed.
    """
    if name not in ENGINES:
        raise UnknownNameError(
            f"there is no engine '{name}'",
            hint=did_you_mean(name, ENGINES)
            or f"There are: {', '.join(ENGINES)}; '{AUTO}' takes the fastest.",
        )
    engine: Engine = import_module(ENGINES[name]).engine
    return engine


PARAMETERS = ("engine", "fallback", "inputs", "keep", "outputs", "progress", "quantized", "spill")
"""Of the calls that hand on as options all that they do not know: what one may have misspelt."""


def configured(engine: Engine, options: Mapping[str, Any]) -> Engine:
    """The engine with options, such as how many threads it may use, set.

    Raises:
        UnknownNameError: the engine has no such option.
    """
    known: Collection[str] = getattr(engine, "options", ())
    for name in options:
        if name not in known:
            raise UnknownNameError(
                f"the engine '{engine.name}' has no option '{name}'",
                hint=did_you_mean(name, (*known, *PARAMETERS))
                or (f"It has: {', '.join(known)}." if known else "It has none."),
            )
    if not options:
        return engine
    result: Engine = engine.configured(**options)  # type: ignore[attr-defined]
    return result


MOST_THREADS = 1024
"""More are a slip: some engines start every one of them."""


def thread_count(threads: Any) -> int | None:
    """The option ``threads`` of an engine.

    Raises:
        InputError: it is no number of threads.
    """
    if threads is None:
        return None
    if isinstance(threads, (int, np.integer)) and not isinstance(threads, bool):
        if 1 <= threads <= MOST_THREADS:
            return int(threads)
        raise InputError(
            f"'threads' is {threads}, but there must be one at least and {MOST_THREADS:,} at most"
        )
    raise InputError(f"'threads' must be an integer or None, not {threads!r}")


def part(graph: Graph, wanted: Iterable[str]) -> Graph:
    """`graph` with all its inputs, but only with the operations that the `wanted` tensors need.

    Variables of float64 stay too: they decide in which precision all of it is computed.
    """
    wide = (v.name for v in graph.variables if v.data is not None and v.data.dtype == np.float64)
    needed = {id(op) for op in graph.needed({*wanted, *wide})}
    operations = (op for op in graph.operations if op.name == "external" or id(op) in needed)
    return replace(graph, operations=tuple(operations))


def is_runnable(engine: Engine, graph: Graph) -> bool:
    """Whether `engine` can run all of `graph`, and all its variables have values."""
    return not engine.unsupported(graph) and all(v.data is not None for v in graph.variables)


def refuse_unsupported(engine: Engine, graph: Graph, *, fallback: bool = True) -> None:
    """Raises an error that names everything in `graph` that `engine` cannot run.

    Args:
        engine: The engine.
        graph: What is to be run.
        fallback: Whether another engine could help out.

    Raises:
        ExecutionError: there is such an operation, or a variable without values.
    """
    source = graph.source
    diagnostics = []
    reasons = {id(op): _why_not(engine, graph, op, fallback) for op in engine.unsupported(graph)}
    for op, what in _told([op for op in graph.operations if id(op) in reasons], reasons):
        message = f"the engine '{engine.name}' cannot run {what}"
        why = reasons[id(op)]
        diagnostics.append(_diagnostic(graph, op, "unsupported-operation", message, why))
    for op in graph.operations:
        if op.name == "variable" and graph.tensors[op.output_names[0]].data is None:
            label = graph.tensors[op.output_names[0]].label
            message = f"variable '{op.output_names[0]}'"
            message += f" (label '{label}') has no values" if label else " has no values"
            hint = "Load the model with nk.load, or give values: graph.with_data({name: array})."
            diagnostics.append(_diagnostic(graph, op, "missing-values", message, hint))
    if diagnostics:
        raise ExecutionError(diagnostics, file=source.name if source else "")


def _told(
    operations: list[Operation], reasons: Mapping[int, str]
) -> Iterator[tuple[Operation, str]]:
    """Operations with what is said of each; of many with one reason, all is said at the first."""
    alike: dict[str, list[Operation]] = {}
    for op in operations:
        alike.setdefault(reasons[id(op)], []).append(op)
    for op in operations:
        group = alike[reasons[id(op)]]
        if len(group) <= _EACH:
            results = op.output_names
            yield op, f"'{op.name}'" + (f", which computes '{results[0]}'" if results else "")
        elif op is group[0]:
            counts = Counter(each.name for each in group)
            names = ", ".join(f"{name} ({count})" for name, count in counts.items())
            yield op, f"{len(group):,} operations: {names}"


_EACH = 20
"""Up to so many operations that cannot run for one reason are told one by one."""


def _why_not(engine: Engine, graph: Graph, op: Operation, fallback: bool) -> str:
    """Why an engine cannot run an operation, and what would mend it."""
    if fallback and op.name not in KERNELS and not op.is_source:
        return f"nk.register_operation('{op.name}', kernel=...) gives it a kernel for numpy."
    why_not = getattr(engine, "why_not", None)
    reason = why_not(graph, op) if why_not is not None else ""
    return f"{reason} fallback='numpy' runs just that in numpy.".strip() if fallback else reason


def _diagnostic(graph: Graph, op: Operation, code: str, message: str, hint: str = "") -> Any:
    from nnefkit.errors import Diagnostic

    if graph.source is not None:
        return graph.source.diagnostic(code, message, op.span, hint=hint)
    return Diagnostic(code, message, hint=hint)
