"""LiteRT's interpreter of one file, with its default delegate XNNPACK."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError


class LoadedModel:
    """A file that is ready to run.

    Args:
        data: The bytes of the file.
        threads: Number of threads; None for one.

    Raises:
        ExecutionError: LiteRT does not run it.
    """

    def __init__(self, data: bytes, threads: int | None = None) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._data = data
        try:
            with quiet_stderr():
                self._interpreter: Any = Interpreter(model_content=data, num_threads=threads or 1)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise _failure(error) from error
        self._inputs = [each["index"] for each in self._interpreter.get_input_details()]
        self._outputs = [each["index"] for each in self._interpreter.get_output_details()]

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the outputs for inputs, both in the order of the file.

        Raises:
            ExecutionError: LiteRT reports an error.
        """
        try:
            with quiet_stderr():
                for number, array in zip(self._inputs, inputs, strict=True):
                    self._interpreter.set_tensor(number, np.asarray(array))
                self._interpreter.invoke()
                return [np.array(self._interpreter.get_tensor(n)) for n in self._outputs]
        except (ValueError, RuntimeError) as error:
            raise _failure(error) from error


class LitertError(ExecutionError):
    """LiteRT reported an error.

    Args:
        message: What it reported.
        number: The number of the operator that failed; None if it is not known.
    """

    def __init__(self, message: str, number: int | None) -> None:
        super().__init__(f"LiteRT failed: {message}")
        self.message = message
        self.number = number


def _failure(error: Exception) -> LitertError:
    # Threads report the same several times, on one line.
    found = re.match(r"(.*?)\.?\s*Node number (\d+) \(", str(error), re.S)
    if found is not None:
        return LitertError(found[1].strip(), int(found[2]))
    lines = str(error).splitlines() or [type(error).__name__]
    return LitertError(lines[0], None)


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hide what LiteRT's C++ code prints, such as that it has made a delegate."""
    try:
        saved = os.dup(2)
    except OSError:
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)
