"""The child process that tract runs in: started when needed, watched, and replaced when it dies.

Existing releases of tract end the process on some documents. In a child, that is an error message
and not the end of a notebook.
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
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from nnefkit.errors import ExecutionError
from nnefkit.execution.engine import ProcessLock

LINGER = 5.0
"""Seconds that the child stays when nobody has a model in it: the next run may follow soon."""
_SCRIPT = Path(__file__).with_name("worker.py")
_START = 60.0
"""Seconds that the child may take to start."""
_END = 2.0
"""Seconds that the child may take to end by itself, when it has closed its pipe."""
_READY = "ready\n"
_READ = 1 << 20
_SAID = 500
"""Characters of what tract said that a message has at most."""
_PANIC = re.compile(
    r"panicked at [^\n]*\n(.*?)(?:\nnote: |\nstack backtrace|\nthread |\Z)", re.DOTALL
)

LOCK = ProcessLock()
"""Held while the child is asked and its answer is taken."""


class ChildError(ExecutionError):
    """The child process ended, or had to be ended, before it answered."""


class Child:
    """One child process, which may be asked one thing at a time."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the child
        self._process = _started(self._said)
        self.models: set[int] = set()
        """Numbers of the models that it has; changed by whoever holds `LOCK`."""
        self.forgotten: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        """Takes the numbers of models that nobody has any more, from wherever that is noticed."""
        self._ready = False
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._tidy, daemon=True).start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked something, by this process."""
        return self.owner == os.getpid() and self._process.poll() is None

    def _read(self) -> None:
        answers = self._process.stdout
        assert answers is not None  # noqa: S101  # it is a pipe
        for line in answers:
            self._answers.put(line)
        self._answers.put("")
        self.forgotten.put(None)

    def _tidy(self) -> None:
        """Frees models that nobody has any more, and ends a process that nobody needs."""
        while True:
            try:
                number = self.forgotten.get(timeout=None if self.models else LINGER)
            except queue.Empty:
                with LOCK.here():  # a model may be on its way
                    if not self.models:
                        self.end()
                        return
                continue
            if number is None:
                return
            with LOCK.here(), suppress(ChildError, ValueError):  # it may be gone by now
                self.models.discard(number)
                if self.alive:
                    self.ask({"do": "forget", "model": number}, _START)

    def ask(self, request: dict[str, Any], timeout: float | None) -> str:
        """What was wrong with the request, or an empty string.

        Raises:
            ChildError: the process ended, or did not answer within `timeout` seconds or what it
                answered was no answer, and it was ended.
        """
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101  # it is a pipe
        try:
            answer = _READY
            pipe.write(json.dumps(request) + "\n")
            pipe.flush()
            if not self._ready:  # its start is not a matter of the request
                answer = self._answers.get(timeout=_START)
                self._ready = answer == _READY
            if self._ready:
                answer = self._answers.get(timeout=timeout)
        except queue.Empty:
            self.end()
            raise ChildError(
                f"tract did not answer within {timeout if self._ready else _START:g} seconds, "
                "and was ended",
                hint="The option timeout=... of nnefkit.Session allows more, None any time.",
            ) from None
        except BrokenPipeError:
            answer = ""
        except BaseException:  # an interrupt: nobody would take the answer when it comes
            self.end()
            raise
        if not answer:
            raise self._ended()
        problem = _problem(answer)
        if problem is None:
            self.end()
            raise ChildError(
                f"the process of tract said {answer[:_SAID].strip()!r}, which is no answer, "
                "and was ended"
            )
        return problem

    def _ended(self) -> ChildError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END)
        code = self._process.poll()
        if code is None:
            how = ", and was ended"
            start = "the process of tract answers no more"
        else:
            how = f" by signal {-code}" if code < 0 else f" with status {code}"
            start = "the process of tract ended"
        words = self._last_words()
        self.end()
        return ChildError(f"{start}{how}", hint=words)

    def _last_words(self) -> str:
        """What tract said when it panicked, else the last that the process said of its end."""
        self._said.seek(0)
        words = self._said.read(_READ).decode("utf-8", "replace").strip()
        panic = _PANIC.search(words)
        if panic is not None:
            words = " ".join(panic[1].split())
        elif words.startswith("Traceback"):
            words = words.splitlines()[-1]
        return f"It said: {words[-_SAID:]}" if words else ""

    def end(self) -> None:
        """Ends the process."""
        if self.owner != os.getpid():
            return
        self._process.kill()
        self._process.wait()
        self._reader.join()  # it comes to the end of what the process wrote
        for stream in (self._process.stdin, self._process.stdout, self._said):
            with suppress(OSError):  # what could not be written is written no more
                stream.close()  # type: ignore[union-attr]


def _started(said: IO[bytes]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(  # noqa: S603  # our own script
            [sys.executable or "python3", "-P", str(_SCRIPT), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            encoding="utf-8",
            errors="replace",
            # What tract says when it panics, without the addresses of its functions.
            env={**os.environ, "RUST_BACKTRACE": "0"},
            # Interrupting a notebook's cell must not interrupt the child in an answer.
            start_new_session=True,
        )
    except OSError as error:
        said.close()
        raise ChildError(
            f"no process can be started for tract: {error.strerror}",
            hint=f"It would run in the interpreter '{sys.executable}'.",
        ) from error


def _problem(answer: str) -> str | None:
    """What a line of the child tells; None if it is no answer."""
    try:
        problem = json.loads(answer)["problem"]
    except (ValueError, TypeError, LookupError):
        return None
    return problem if isinstance(problem, str) else None


class Worker:
    """The child process of this process, a new one if the old one is gone."""

    def __init__(self) -> None:
        self._lock = ProcessLock()
        self._child: Child | None = None

    def child(self) -> Child:
        """A process that can be asked something."""
        with self._lock.here():
            if self._child is None or not self._child.alive:
                self._end()
                self._child = Child()
            return self._child

    def end(self) -> None:
        """Ends the process, if there is one."""
        with self._lock.here():
            self._end()

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


@cache
def worker() -> Worker:
    """The one worker of this process."""
    found = Worker()
    atexit.register(found.end)
    return found
