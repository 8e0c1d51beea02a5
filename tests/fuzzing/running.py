"""Runs of fuzzers: inputs by seed and number, bounded in time and memory, and what they find."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import re
import resource
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from .target import Fault, Target, kind_of

CORPUS = Path(__file__).parent / "corpus"
"""Inputs that ever failed, in one folder for each target."""
SLOWER = 5 if sys.gettrace() is not None else 1
"""How much more time inputs may take while coverage is measured."""
SMALLER_SECONDS = 20.0
"""Time to look for a smaller input that fails in the same way."""


@dataclass(frozen=True)
class Finding:
    """An input that breaks a promise."""

    kind: str
    data: bytes
    message: str


@dataclass
class Tally:
    """What a run has seen so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    findings: dict[str, Finding] = field(default_factory=dict)
    """The first finding of each kind."""
    again: Counter[str] = field(default_factory=Counter)
    """Inputs of each kind of finding."""
    seconds: float = 0.0
    slowest: float = 0.0

    @property
    def inputs(self) -> int:
        """The number of inputs."""
        return self.outcomes.total()

    def __str__(self) -> str:
        outcomes = ", ".join(f"{count:,} {name}" for name, count in self.outcomes.most_common())
        rate = self.inputs / self.seconds if self.seconds else 0
        return (
            f"{self.inputs:,} inputs ({outcomes}), {rate:,.0f} a second, the slowest"
            f" {self.slowest:.2f} s, {len(self.findings)} kinds of faults"
        )


class TooLong(BaseException):
    """Raised in the middle of an input that takes too long; nobody catches it by accident."""


def drawn(target: Target, seed: int, number: int) -> tuple[bytes, Random]:
    """Return an input, and what chooses among the expensive promises for it."""
    chance = Random(f"{target.name} {seed} {number}")
    return target.draw(chance), chance


def peak_memory() -> int:
    """Return the largest resident size of the process so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@contextlib.contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise `TooLong` in code that takes more seconds of the processor.

    Waiting forever takes none: the process that watches over this one ends that.
    """

    def ring(number: int, frame: Any) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def allowed_seconds(target: Target, data: bytes) -> float:
    """Return the largest processor time of an input."""
    return SLOWER * (target.seconds + target.seconds_per_byte * len(data))


def try_input(target: Target, data: bytes, chance: Any = None) -> tuple[str, Finding | None, float]:
    """Check one input.

    Args:
        target: The target.
        data: The input.
        chance: A `random.Random` that chooses among expensive promises; None checks all of them.

    Returns:
        The outcome, the finding, if there is one, and the seconds of the processor.
    """
    allowed = allowed_seconds(target, data)
    before = peak_memory()
    state = chance.getstate() if chance is not None else None
    began = time.thread_time()
    try:
        with alarm(20 * allowed + target.patience), warnings.catch_warnings():
            # What a user is told, as about headers of 2018, is no fault.
            warnings.simplefilter("ignore", UserWarning)
            outcome = target.check(data, chance)
    except TooLong:
        return "too long", Finding("endless", data, "it was stopped"), time.thread_time() - began
    except Exception as error:  # noqa: BLE001 - any exception is what the fuzzer looks for
        message = f"{type(error).__name__}: {str(error)[:2000]}"
        return "fault", Finding(kind_of(error), data, message), time.thread_time() - began
    seconds = time.thread_time() - began
    grown = (peak_memory() - before) >> 10
    if grown > target.mebibytes:
        return outcome, Finding("memory", data, f"the process grew by {grown:,} MiB"), seconds
    if seconds > allowed:
        if chance is not None:
            chance.setstate(state)
        gc.collect()
        began = time.thread_time()
        with contextlib.suppress(Exception):
            target.check(data, chance)
        seconds = min(seconds, time.thread_time() - began)
        if seconds > allowed:
            return outcome, Finding("slow", data, f"it took {seconds:.2f} s"), seconds
    return outcome, None, seconds


def run(
    target: Target,
    seed: int,
    *,
    first: int = 0,
    inputs: int | None = None,
    seconds: float | None = None,
    tally: Tally | None = None,
    begin: Callable[[str, int], None] = lambda target, number: None,
    found: Callable[[Target, Finding], None] = lambda target, finding: None,
) -> Tally:
    """Try inputs until their number or the time is used up.

    Args:
        target: The target.
        seed: Decides all inputs, together with their numbers.
        first: The number of the first input.
        inputs: The number of inputs.
        seconds: The time.
        tally: Counts to continue.
        begin: Called before each input.
        found: Called with the first finding of each kind.
    """
    tally = Tally() if tally is None else tally
    began = time.monotonic()
    number = first
    while (inputs is None or number < first + inputs) and (
        seconds is None or time.monotonic() - began < seconds
    ):
        begin(target.name, number)
        data, chance = drawn(target, seed, number)
        outcome, finding, used = try_input(target, data, chance)
        if note(tally, outcome, finding, used):
            assert finding is not None
            found(target, finding)
        number += 1
    tally.seconds += time.monotonic() - began
    return tally


def note(tally: Tally, outcome: str, finding: Finding | None, seconds: float) -> bool:
    """Count one input; return whether it fails in a new way."""
    tally.outcomes[outcome] += 1
    tally.slowest = max(tally.slowest, seconds)
    if finding is None:
        return False
    tally.again[finding.kind] += 1
    return tally.findings.setdefault(finding.kind, finding) is finding


def smallest(target: Target, finding: Finding, seconds: float = SMALLER_SECONDS) -> Finding:
    """Return a smaller input that fails in the same way, as small as the time allows."""
    end = time.monotonic() + seconds
    _, thorough, _ = try_input(target, finding.data)
    if thorough is None or thorough.kind != finding.kind:
        return finding
    progress = True
    while progress:
        progress = False
        for data in target.smaller(finding.data):
            if time.monotonic() > end:
                return finding
            if len(data) > len(finding.data):
                continue
            _, other, _ = try_input(target, data)
            if other is not None and other.kind == finding.kind:
                finding, progress = other, True
                break
    return finding


def keep(target: Target, finding: Finding, corpus: Path = CORPUS) -> Path:
    """Write an input to the corpus; return its path."""
    words = re.sub(r"[^a-z0-9]+", "_", finding.kind.lower()).strip("_")[:60]
    digest = hashlib.sha256(finding.data).hexdigest()[:8]
    path = corpus / target.name / f"{words}_{digest}{target.suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(finding.data)
    return path


def replay(target: Target, data: bytes) -> None:
    """Check all promises for an input of the corpus.

    Raises:
        Fault: It breaks one.
    """
    _, finding, _ = try_input(target, data)
    if finding is not None:
        raise Fault(finding.kind, finding.message)
