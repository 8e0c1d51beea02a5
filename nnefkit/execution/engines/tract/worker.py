"""The child process in which tract runs: a script that needs NumPy and tract only.

Each request is a line of JSON on standard input, and is answered with one line on standard output.
Tensors are passed in a file that both processes map into their memory. The process ends when its
parent does, even in the middle of a run.
"""

from __future__ import annotations

import json
import mmap
import os
import queue
import sys
import threading
import time
from typing import Any

import numpy as np
import tract

_CHECK_SECONDS = 1.0
"""Time between checks whether the parent still runs."""


class Model:
    """A model that is ready to run, and the file for its inputs and results."""

    def __init__(self, folder: str, buffer: str, inputs: list[Any], outputs: list[Any]) -> None:
        self._runnable = tract.nnef().load(folder).into_runnable()
        with open(buffer, "r+b") as file:  # noqa: PTH123  # imports are kept to a minimum
            self._memory = mmap.mmap(file.fileno(), 0)
        self._inputs = [self._place(*place) for place in inputs]
        self._outputs = [self._place(*place) for place in outputs]

    def _place(self, offset: int, dtype: str, shape: list[int]) -> Any:
        count = int(np.prod(shape, dtype=np.int64))
        return np.frombuffer(self._memory, dtype, count, offset).reshape(shape)

    def run(self) -> None:
        """Read the inputs from the file, and write the results to it."""
        results = self._runnable.run(self._inputs)
        for place, result in zip(self._outputs, results, strict=True):
            array = result.to_numpy()
            if array.shape != place.shape or array.dtype != place.dtype:
                raise TypeError(
                    f"a result is {array.dtype}{list(array.shape)} "
                    f"instead of {place.dtype}{list(place.shape)}"
                )
            place[...] = array


class RequestHandler:
    """Carries out requests."""

    def __init__(self) -> None:
        self._models: dict[int, Model] = {}

    def do(self, request: dict[str, Any]) -> None:
        """Carry out one request."""
        number = request["model"]
        if request["do"] == "load":
            self._models[number] = Model(
                request["folder"], request["buffer"], request["inputs"], request["outputs"]
            )
        elif request["do"] == "run":
            self._models[number].run()
        else:
            self._models.pop(number, None)


def _read(lines: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)  # the parent has ended, or closed the pipe


def _watch(parent: int) -> None:
    # A process forked from the parent holds the pipe open after the parent has ended.
    while os.getppid() == parent:
        time.sleep(_CHECK_SECONDS)
    os._exit(0)


def main() -> None:
    """Answer requests until there are no more."""
    # Output of tract itself must not be read as an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    threading.Thread(target=_watch, args=(int(sys.argv[1]),), daemon=True).start()
    worker = RequestHandler()
    print("ready", file=answers, flush=True)
    while True:
        request = json.loads(lines.get())
        problem = ""
        try:
            worker.do(request)
        except Exception as error:  # noqa: BLE001  # reported in the answer
            problem = str(error) or type(error).__name__
        print(json.dumps({"problem": problem}), file=answers, flush=True)


if __name__ == "__main__":
    main()
