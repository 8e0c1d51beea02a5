"""The command ``python -m tests.fuzzing``: search for inputs that break a promise."""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from .journal import Journal  # noqa: E402
from .running import CORPUS, Finding, Tally, drawn, keep, replay, run, smallest  # noqa: E402
from .target import Target  # noqa: E402
from .targets import TARGETS  # noqa: E402

SLICE = 20.0
"""Seconds for one target before the next one."""
SILENCE = 600.0
"""Seconds without a new input after which a process is killed."""
ADDRESSES = 12 << 30
"""Bytes of address space that a separate process may use."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 1 if there are findings."""
    options = _parser().parse_args(arguments)
    if options.replay:
        return _replayed(options.replay)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    options.target = options.target or list(TARGETS)
    if options.minutes is None and options.inputs is None:
        options.minutes = 1.0
    length = f"--minutes {options.minutes:g}" if options.minutes else f"--inputs {options.inputs}"
    names = " ".join(f"--target {name}" for name in options.target)
    if not options.journal:
        command = f"python -m tests.fuzzing {names} --seed {options.seed} {length}"
        print(f"repeat with: {command}", flush=True)
    return _searched(options) if options.in_process else _supervised(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    add = parser.add_argument
    add(
        "--target", action="append", choices=list(TARGETS), help="the kind of input; all by default"
    )
    add("--seed", type=int, help="decides all inputs; random by default")
    add("--minutes", type=float, help="the time for all targets together; 1 by default")
    add("--inputs", type=int, help="the number of inputs of each target, instead of a time")
    add("--first", type=int, default=0, help="the number of the first input")
    add("--corpus", type=Path, default=CORPUS, help="where failing inputs are stored")
    add("--replay", type=Path, nargs="+", metavar="FILE", help="check these inputs of a corpus")
    add("--in-process", action="store_true", help="do not watch over the run from another process")
    add("--journal", type=Path, help=argparse.SUPPRESS)
    return parser


def _replayed(paths: list[Path]) -> int:
    status = 0
    for path in paths:
        try:
            replay(TARGETS[path.absolute().parent.name], path.read_bytes())
        except AssertionError as error:
            print(f"{path}: {error}")
            status = 1
        else:
            print(f"{path}: passes")
    return status


# -- in this process -----------------------------------------------------------------------------


def _searched(options: argparse.Namespace) -> int:
    """Search in this process; return the exit status."""
    journal = Journal(options.journal, options.target) if options.journal else None
    if journal is not None:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    tallies = {name: Tally() for name in options.target}
    firsts = dict.fromkeys(options.target, options.first)
    if journal is not None:
        firsts = {name: max(options.first, journal.next(name)) for name in options.target}

    def found(target: Target, finding: Finding) -> None:
        print(f"\n{target.name}: {finding.kind}\n{finding.message}", flush=True)
        print(f"input: {finding.data[:2000]!r}", flush=True)
        path = keep(target, finding, options.corpus)
        smaller = smallest(target, finding)
        if smaller is not finding:
            path.unlink()
            path = keep(target, smaller, options.corpus)
        print(f"stored in {path}", flush=True)

    begin = journal.begin if journal else lambda target, number: None
    end = time.monotonic() + 60 * options.minutes if options.minutes else None
    while True:
        for name in options.target:
            seconds = SLICE
            if end is not None:
                share = 60 * options.minutes / len(options.target)
                seconds = min(SLICE, share, end - time.monotonic())
            left = None
            if options.inputs is not None:
                left = options.first + options.inputs - firsts[name]
            before = tallies[name].inputs
            run(
                TARGETS[name],
                options.seed,
                first=firsts[name],
                inputs=left,
                seconds=None if end is None else seconds,
                tally=tallies[name],
                begin=begin,
                found=found,
            )
            firsts[name] += tallies[name].inputs - before
            if tallies[name].inputs > before:
                print(f"{name}: {tallies[name]}", flush=True)
        if end is None or time.monotonic() >= end:
            return int(any(tally.findings for tally in tallies.values()))


# -- in another process, which may be killed ------------------------------------------------------


def _supervised(options: argparse.Namespace) -> int:
    """Search in a process that is started again after it was killed; return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal", options.target)
        end = time.monotonic() + 60 * options.minutes if options.minutes else None
        status = 0
        while end is None or time.monotonic() < end - 1:
            code = _watched(_command(options, Path(folder) / "journal", end), journal)
            if code in (0, 1):
                status |= code
                break
            status = 1
            name, number = journal.current
            data, _ = drawn(TARGETS[name], options.seed, number)
            how = "hangs" if code == _HANGS else f"ends the process with status {code}"
            path = keep(TARGETS[name], Finding(how, data, ""), options.corpus)
            print(f"\n{name}: input {number} {how}\nstored in {path}", flush=True)
        counts = {name: journal.next(name) for name in options.target}
    print(f"{sum(counts.values()):,} inputs: {counts}")
    return status


_HANGS = 1000


def _command(options: argparse.Namespace, journal: Path, end: float | None) -> list[str]:
    command = [sys.executable, "-m", "tests.fuzzing", "--in-process", "--journal", str(journal)]
    command += ["--seed", str(options.seed), "--corpus", str(options.corpus.absolute())]
    command += [part for name in options.target for part in ("--target", name)]
    command += ["--first", str(options.first)]
    if end is not None:
        return [*command, "--minutes", str(max(end - time.monotonic(), 1) / 60)]
    return [*command, "--inputs", str(options.inputs)]


def _watched(command: list[str], journal: Journal) -> int:
    """Run a command and return its exit status; kill it when it goes on with no new input."""
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONFAULTHANDLER": "1"})
    last, since = journal.current, time.monotonic()
    try:
        while True:
            try:
                return process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                if journal.current != last:
                    last, since = journal.current, time.monotonic()
                elif time.monotonic() - since > SILENCE:
                    process.kill()
                    process.wait()
                    return _HANGS
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
