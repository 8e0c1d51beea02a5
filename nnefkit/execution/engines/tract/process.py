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
from collections import deque
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from nnefkit.errors import ExecutionError

_SCRIPT = Path(__file__).with_name("worker.py")
_START = 60.0
"""Seconds that the child may take to start."""
_READ = 1 << 20
_SAID = 500
"""Characters of what tract said that a message has at most."""
_PANIC = re.compile(
    r"panicked at [^\n]*\n(.*?)(?:\nnote: |\nstack backtrace|\nthread |\Z)", re.DOTALL
)


class ChildError(ExecutionError):
    """The child process ended, or had to be ended, before it answered."""


class Child:
    """One child process, which may be asked one thing at a time."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the child
        self._process = subprocess.Popen(  # noqa: S603  # our own script
            [sys.executable, "-P", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            encoding="utf-8",
            # What tract says when it panics, without the addresses of its functions.
            env={**os.environ, "RUST_BACKTRACE": "0"},
            # Interrupting a notebook's cell must not interrupt the child in an answer.
            start_new_session=True,
        )
        self.forgotten: deque[int] = deque()
        """Numbers of models that nobody has any more; it is told of them with the next request."""
        self._ready = False
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

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

    def ask(self, request: dict[str, Any], timeout: float | None) -> str:
        """What was wrong with the request, or an empty string.

        Raises:
            ChildError: the process ended, or did not answer within `timeout` seconds and was ended.
        """
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101  # it is a pipe
        try:
            forget = [self.forgotten.popleft() for _ in range(len(self.forgotten))]
            pipe.write(json.dumps({**request, "forget": forget}) + "\n")
            pipe.flush()
            if not self._ready:  # its start is not a matter of the request
                self._ready = self._answers.get(timeout=_START) != ""
            answer = self._answers.get(timeout=timeout) if self._ready else ""
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
            self._process.wait()
            raise ChildError(f"the process of tract ended{self._how()}", hint=self._last_words())
        problem: str = json.loads(answer)["problem"]
        return problem

    def _how(self) -> str:
        code = self._process.returncode
        return f" by signal {-code}" if code is not None and code < 0 else f" with status {code}"

    def _last_words(self) -> str:
        """What tract said when it panicked, else the last that the process said."""
        self._said.seek(0)
        words = self._said.read(_READ).decode("utf-8", "replace").strip()
        panic = _PANIC.search(words)
        if panic is not None:
            words = " ".join(panic[1].split())
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


class Worker:
    """The child process of this process, a new one if the old one is gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: Child | None = None

    def child(self) -> Child:
        """A process that can be asked something."""
        with self._lock:
            if self._child is None or not self._child.alive:
                self._end()
                self._child = Child()
            return self._child

    def end(self) -> None:
        """Ends the process, if there is one."""
        with self._lock:
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


LOCK = threading.Lock()
"""Held while the child is asked and its answer is taken."""
