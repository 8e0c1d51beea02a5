"""The child process that tract runs in: started when needed, and replaced when it dies.

Existing releases of tract abort the process on some documents. In a child process, that becomes an
error message instead of the end of a notebook.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from nnefkit.errors import ExecutionError
from nnefkit.execution.engine import ProcessLock

LINGER = 5.0
"""Seconds that the child waits without any model before it ends: the next run may follow soon."""
SCRIPT = Path(__file__).with_name("worker.py")
START_SECONDS = 60.0
"""Seconds that the child may take to start."""
END_SECONDS = 2.0
"""Seconds that the child may take to end after it has closed its pipe."""
WAKE_SECONDS = 0.2
"""Longest uninterrupted wait for an answer: an interrupt may have reached another thread."""
_READY = "ready\n"
_READ = 1 << 20
_QUOTED = 500
"""Length at which the output of tract in a message is cut, in characters."""
_PANIC = re.compile(
    r"panicked at [^\n]*\n(.*?)(?:\nnote: |\nstack backtrace|\nthread |\Z)", re.DOTALL
)

LOCK = ProcessLock()
"""Held from a request to the child until its answer."""


class ChildError(ExecutionError):
    """The child process ended, or had to be killed, before it answered."""


class Child:
    """One child process, which answers one request at a time."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the child
        self._process = _started(self._output)
        self.models: set[int] = set()
        """Numbers of the models that it has loaded; changed only while `LOCK` is held."""
        self.forgotten: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        """Queue of the numbers of models that are no longer used; any thread may add to it."""
        self._ready = False
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._tidy, daemon=True).start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether this process can send it requests."""
        return self.owner == os.getpid() and self._process.poll() is None

    def _read(self) -> None:
        answers = self._process.stdout
        assert answers is not None  # noqa: S101  # it is a pipe
        for line in answers:
            self._answers.put(line)
        self._answers.put("")
        self.forgotten.put(None)

    def _tidy(self) -> None:
        """Free models that are no longer used, and end the process when it has none."""
        while True:
            try:
                number = self.forgotten.get(timeout=None if self.models else LINGER)
            except queue.Empty:
                with LOCK.here():  # a model may be about to be loaded
                    if not self.models:
                        self.end()
                        return
                continue
            if number is None:
                return
            with LOCK.here(), suppress(ChildError, ValueError):  # it may have ended by now
                self.models.discard(number)
                if self.alive:
                    self.ask({"do": "forget", "model": number}, START_SECONDS)

    def ask(self, request: dict[str, Any], timeout: float | None) -> str:
        """Send a request; return what went wrong, or an empty string.

        Raises:
            ChildError: The process ended, or it was killed because it did not answer within
                `timeout` seconds, or its answer was not valid.
        """
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101  # it is a pipe
        try:
            answer = _READY
            pipe.write(json.dumps(request) + "\n")
            pipe.flush()
            if not self._ready:  # the time to start does not count
                answer = self._answer(START_SECONDS)
                self._ready = answer == _READY
            if self._ready:
                answer = self._answer(timeout)
        except queue.Empty:
            self.end()
            seconds = timeout if self._ready else START_SECONDS
            raise ChildError(
                f"tract did not answer within {seconds:g} seconds, and was stopped",
                hint="Set a longer timeout=... (seconds), or timeout=None for no limit.",
            ) from None
        except BrokenPipeError:
            answer = ""
        except BaseException:  # an interrupt: the answer would be read by the next request
            self.end()
            raise
        if not answer:
            raise self._ended()
        problem = _problem(answer)
        if problem is None:
            self.end()
            raise ChildError(
                f"the process of tract sent an invalid answer, {answer[:_QUOTED].strip()!r}, "
                "and was stopped"
            )
        return problem

    def _answer(self, timeout: float | None) -> str:
        """Return the next line of the process; raise `queue.Empty` after `timeout` seconds.

        The operating system may hand a signal to any thread. Python handles it in the main thread,
        which notices it only when its wait ends: therefore many short waits.
        """
        until = float("inf") if timeout is None else time.monotonic() + timeout
        while (left := until - time.monotonic()) > WAKE_SECONDS:
            with suppress(queue.Empty):
                return self._answers.get(timeout=WAKE_SECONDS)
        return self._answers.get(timeout=max(left, 0.0))

    def _ended(self) -> ChildError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        code = self._process.poll()
        if code is None:
            how = ", and was stopped"
            start = "the process of tract does not answer"
        else:
            how = f" by signal {-code}" if code < 0 else f" with status {code}"
            start = "the process of tract ended"
        words = self._last_words()
        self.end()
        return ChildError(f"{start}{how}", hint=words)

    def _last_words(self) -> str:
        """Return the message of a panic of tract, else the end of what the process printed."""
        self._output.seek(0)
        words = self._output.read(_READ).decode("utf-8", "replace").strip()
        panic = _PANIC.search(words)
        if panic is not None:
            words = " ".join(panic[1].split())
        elif words.startswith("Traceback"):
            words = words.splitlines()[-1]
        return f"Its last output: {words[-_QUOTED:]}" if words else ""

    def end(self) -> None:
        """End the process."""
        if self.owner != os.getpid():
            return
        self._process.kill()
        self._process.wait()
        self._reader.join()  # until the end of what the process wrote
        for stream in (self._process.stdin, self._process.stdout, self._output):
            with suppress(OSError):  # unsent requests do not matter any more
                stream.close()  # type: ignore[union-attr]


def _started(output: IO[bytes]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(  # noqa: S603  # our own script
            [sys.executable or "python3", "-P", str(SCRIPT), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            encoding="utf-8",
            errors="replace",
            # Messages of panics without the addresses of functions.
            env={**os.environ, "RUST_BACKTRACE": "0"},
            # Interrupting a notebook's cell must not interrupt the child while it answers.
            start_new_session=True,
        )
    except OSError as error:
        output.close()
        raise ChildError(
            f"the process of tract cannot be started: {error.strerror}",
            hint=f"It runs in the interpreter '{sys.executable}'.",
        ) from error


def _problem(answer: str) -> str | None:
    """Return the problem in an answer of the child; None if the answer is not valid."""
    try:
        problem = json.loads(answer)["problem"]
    except (ValueError, TypeError, LookupError):
        return None
    return problem if isinstance(problem, str) else None


class WorkerProcess:
    """The child process of this process, replaced when it ends."""

    def __init__(self) -> None:
        self._lock = ProcessLock()
        self._child: Child | None = None

    def child(self) -> Child:
        """Return the running child, started if needed."""
        with self._lock.here():
            if self._child is None or not self._child.alive:
                self._end()
                self._child = Child()
            return self._child

    def end(self) -> None:
        """End the process, if there is one."""
        with self._lock.here():
            self._end()

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


@cache
def worker() -> WorkerProcess:
    """Return the one worker of this process."""
    single = WorkerProcess()
    atexit.register(single.end)
    return single
