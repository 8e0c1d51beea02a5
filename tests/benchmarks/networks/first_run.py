"""Cost of the first run in a separate process: ``python -m networks.first_run ...``.

Arguments are the name of a network, its folder, the name of a runner and the number of threads. The
result is a line of JSON: seconds from the files to the first result, and the largest growth of the
process in bytes, mapped files included. Imports do not count.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import threadpoolctl

import nnefkit as nk
from networks.catalogue import Network
from networks.runners import KINDS


class Cost(NamedTuple):
    """The cost of a first run."""

    seconds: float
    peak: int | None
    """Bytes; None if the system does not report them, or another process does the work."""


def first_run(network: Network, runner: str, threads: int) -> Cost:
    """Measure the cost in a separate process."""
    arguments = [network.name, str(network.folder), runner, str(threads)]
    done = subprocess.run(
        [sys.executable, "-m", "networks.first_run", *arguments],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return Cost(*json.loads(done.stdout.splitlines()[-1]))


def _measure(network: Network, runner: str, threads: int) -> Cost:
    kind = KINDS[runner]
    import_module(kind.package)
    _warm_up(runner)
    before = _memory("VmRSS") if _forget_peak() else None
    with threadpoolctl.threadpool_limits(threads):
        started = perf_counter()
        kind.open(network, threads).run()
        stopped = perf_counter()
    peak = None if runner == "tract" else _memory("VmHWM")
    return Cost(stopped - started, None if peak is None or before is None else peak - before)


def _forget_peak() -> bool:
    """Reset the peak memory, and return whether the system supports it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _warm_up(runner: str) -> None:
    """Import all that is imported lazily."""
    engine = runner.split()[0]
    if engine in ("numpy", "onnxruntime", "torch"):
        tiny = nk.parse(
            "version 1.0; graph tiny(x) -> (y) { x = external<scalar>(shape = [2, 2, 8, 8]);"
            "w = constant<scalar>(shape = [2, 2, 1, 1], value = [1.0, 0.0, 0.0, 1.0]);"
            "c = conv(x, w); y = relu(c); }"
        )
        nk.run(tiny, [[[[1.0] * 8] * 8] * 2] * 2, engine=engine)


def _memory(key: str) -> int | None:
    """Return an entry of Linux's status of this process, in bytes."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    (line,) = (line for line in status.read_text().splitlines() if line.startswith(key + ":"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    name, folder, runner, threads = sys.argv[1:]
    print(json.dumps(_measure(Network(name, Path(folder)), runner, int(threads))))
