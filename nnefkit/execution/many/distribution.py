"""Work on many inputs, here or spread over an executor; results come in the order of the inputs."""

from __future__ import annotations

import os
import pickle
import uuid
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sized
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from nnefkit.errors import ExecutionError, InputError, NnefError
from nnefkit.execution.engine import ProcessLock

CHUNK = 4
"""Number of inputs that are sent together; the graph is sent with them."""
_IN_FLIGHT = 2
"""Number of chunks that wait or are worked on, for each worker."""


class Task(Protocol):
    """Work on one input; it can be pickled."""

    def __call__(self, number: int, example: Any) -> Any:
        """Return the result for an input, whose number is `number`, from 0."""


def expected_examples(inputs: Any) -> Iterable[Any]:
    """Return an iterable of inputs, checked.

    Raises:
        InputError: It is one input, not several.
    """
    if isinstance(inputs, (str, bytes, Mapping)) or not isinstance(inputs, Iterable):
        raise InputError(
            f"the inputs must be a list or another iterable of inputs, not a "
            f"{type(inputs).__name__}",
            hint="Each of them is what nnefkit.run accepts: [{'x': first}, {'x': second}].",
        )
    if isinstance(inputs, np.ndarray) or hasattr(inputs, "__array__"):
        raise InputError(
            "an array is one input, not several",
            hint="Split it: [array[i : i + 1] for i in range(len(array))].",
        )
    return inputs


def size_of(inputs: Iterable[Any]) -> int | None:
    """Return the number of inputs; None if it is not known before the end."""
    return len(inputs) if isinstance(inputs, Sized) else None


def spread(task: Task, inputs: Iterable[Any], executor: Any) -> Generator[Any, None, None]:
    """Yield the results of a task for each input, in their order.

    Few inputs are held at a time. Closing the iterator cancels what has not begun.

    Args:
        task: The work.
        inputs: The inputs, which may be computed as they are needed.
        executor: A `concurrent.futures.Executor`, a client of Dask, or None to work here.

    Raises:
        InputError: An input is wrong, or `executor` cannot submit work.
        ExecutionError: An operation, or a worker, failed.
    """
    if executor is None:
        for number, example in enumerate(inputs):
            yield numbered(task, number, example)
        return
    if not callable(getattr(executor, "submit", None)):
        raise InputError(
            f"a {type(executor).__name__} cannot spread work",
            hint="Pass a concurrent.futures.Executor, such as ProcessPoolExecutor(), or a "
            "dask.distributed.Client.",
        )
    shipment: Any = _Shipment(task)
    options: dict[str, Any] = {}
    if hasattr(executor, "scatter"):
        # The client of Dask: workers receive the graph once. Equal calls are not one call.
        shipment = executor.scatter(shipment, broadcast=True, hash=False)
        options = {"pure": False}
    most = _IN_FLIGHT * _workers(executor)
    waiting: deque[Any] = deque()
    try:
        for chunk in _chunks(inputs):
            waiting.append(executor.submit(_work, shipment, chunk, **options))
            if len(waiting) >= most:
                yield from _results(waiting.popleft())
        while waiting:
            yield from _results(waiting.popleft())
    finally:
        for future in waiting:
            future.cancel()


def _workers(executor: Any) -> int:
    known = getattr(executor, "_max_workers", None)
    return known if isinstance(known, int) and known > 0 else os.cpu_count() or 1


def _chunks(inputs: Iterable[Any]) -> Iterator[list[tuple[int, Any]]]:
    chunk: list[tuple[int, Any]] = []
    for pair in enumerate(inputs):
        chunk.append(pair)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _results(future: Any) -> list[Any]:
    try:
        results: list[Any] = future.result()
    except NnefError:
        raise
    except Exception as error:
        raise ExecutionError(
            f"a worker failed: {type(error).__name__}: {error}",
            hint="Without executor=, the work is done in this process, and shows the reason.",
        ) from error
    return results


class _Shipment:
    """A task that is pickled once, and unpickled once in each process."""

    def __init__(self, task: Task) -> None:
        self.token = uuid.uuid4().hex
        self._task: Task | None = task
        self._data: bytes | None = None

    def __getstate__(self) -> dict[str, Any]:
        if self._data is None:
            try:
                self._data = pickle.dumps(self._task)
            except NnefError:
                raise
            except Exception as error:
                raise InputError(
                    f"the work cannot be sent to other processes: {error}",
                    hint="Use a ThreadPoolExecutor, or custom operations at the top of a module.",
                ) from error
        return {"token": self.token, "_data": self._data, "_task": None}

    def task(self) -> Task:
        """Return the task."""
        if self._task is not None:
            return self._task
        with _LOCK.here():
            if self.token not in _RECEIVED:
                _RECEIVED.clear()
                _RECEIVED[self.token] = pickle.loads(self._data or b"")  # noqa: S301 - ours
            return _RECEIVED[self.token]


_LOCK = ProcessLock()
_RECEIVED: dict[str, Task] = {}
"""The last task that this process received."""


def _work(shipment: _Shipment, chunk: list[tuple[int, Any]]) -> list[Any]:
    task = shipment.task()
    return [numbered(task, number, example) for number, example in chunk]


def numbered(task: Task, number: int, example: Any) -> Any:
    """Return the result of a task for an input; errors name its number."""
    try:
        return task(number, example)
    except NnefError as error:
        first, *rest = error.diagnostics
        first = replace(first, message=f"input {number:,}: {first.message}")
        raise type(error)([first, *rest]) from None
