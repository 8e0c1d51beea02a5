"""One table of all the engines, and of other tools, on all the networks.

``pytest tests/benchmarks/test_engines.py --benchmark-only`` measures the two smallest networks
briefly; environment variables ask for more:

- ``NNEFKIT_NETWORKS``: names of networks with commas between them, or ``all``;
- ``NNEFKIT_RUNNERS``: names of engines and tools with commas between them (default: all installed);
- ``NNEFKIT_THREADS``: numbers of threads with commas between them (default ``1``);
- ``NNEFKIT_ROUNDS``: how often each is run (default 3).

The whole table takes some minutes: ``NNEFKIT_NETWORKS=all NNEFKIT_THREADS=1,2 NNEFKIT_ROUNDS=20``.

All of them take turns, so that what disturbs one disturbs all; ratios are to ONNX Runtime in the
same turns. OpenBLAS chooses its kernels by the processor, unless the environment does: the table
says which run.
"""

import gc
import os
import statistics
from time import perf_counter, sleep

import numpy as np
import pytest
import threadpoolctl
from networks.catalogue import NAMES, prepare
from networks.first_run import first_run
from networks.modules import MODULES, module
from networks.nnef_form import nnef_form
from networks.runners import KINDS, RIVAL, available

import nnefkit as nk
from nnefkit.execution.engine import ENGINES, find_engine


def asked_for(variable, default):
    return [part.strip() for part in os.environ.get(variable, default).split(",")]


NETWORKS = asked_for("NNEFKIT_NETWORKS", "MobileNetV2,BlazeFace")
NETWORKS = [*NAMES] if NETWORKS == ["all"] else NETWORKS
RUNNERS = asked_for("NNEFKIT_RUNNERS", ",".join(available()))
THREADS = [int(number) for number in asked_for("NNEFKIT_THREADS", "1")]
ROUNDS = int(os.environ.get("NNEFKIT_ROUNDS", "3"))
IDLE = 0.05
"""Seconds between two runs: threads that have run out of work spin for some time."""


# -- measuring --------------------------------------------------------------------------------


def in_turns(calls, rounds, threads):
    """Milliseconds of each call in each round."""
    times = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            gc.collect(0)
            if threads > 1:
                sleep(IDLE)
            started = perf_counter()
            call()
            times[name].append((perf_counter() - started) * 1e3)
    return times


class Table:
    """The rows, printed when all the networks are done."""

    HEAD = (
        f"{'network':20}{'thr.':>5}  {'engine or tool':20}{'best':>9}{'median':>9}{'ratio':>7}"
        f"{'captured':>10}{'ratio':>7}{'of plain':>10}{'first run':>11}{'memory':>9}"
    )

    def __init__(self):
        kernels = {pool.get("architecture") for pool in threadpoolctl.threadpool_info()}
        names = ", ".join(sorted(filter(None, kernels)))
        self.lines = [f"OpenBLAS kernels for: {names}; times in ms, memory in MB", self.HEAD]
        self.skipped = []

    def add(self, network, threads, name, plain, captured, first, rivals):
        def ratio(times, to):
            return f"{min(times) / min(to):.2f}" if times and to else "-"

        peak = "-" if first.peak is None else f"{first.peak / 1e6:.0f}"
        best = f"{min(captured):.1f}" if captured else "-"
        self.lines.append(
            f"{network:20}{threads:5}  {name:20}{min(plain):9.1f}{statistics.median(plain):9.1f}"
            f"{ratio(plain, rivals[0]):>7}{best:>10}{ratio(captured, rivals[1]):>7}"
            f"{ratio(captured, plain):>10}{first.seconds * 1e3:11.0f}{peak:>9}"
        )

    def skip(self, network, name, reason):
        self.skipped.append(f"{name} does not run {network}: {reason}")


@pytest.fixture(scope="module")
def table(request):
    result = Table()
    yield result
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\n\n" + "\n".join([*result.lines, *dict.fromkeys(result.skipped)]))


@pytest.fixture(scope="module")
def network(request, tmp_path_factory):
    return prepare(request.param, tmp_path_factory.mktemp("network"))


# -- the table ----------------------------------------------------------------------------------


def opened(network, threads, table):
    """The runners that run a network, and the outputs of each."""
    runners, results = {}, {}
    for name in RUNNERS:
        if not KINDS[name].runs(network, threads):
            continue
        try:
            runners[name] = KINDS[name].open(network, threads)
            results[name] = runners[name].run()
        except Exception as error:
            if name in (RIVAL, "numpy"):
                raise
            runners.pop(name, None)
            table.skip(network.name, name, str(error).strip().splitlines()[0])
    return runners, results


def alike(results):
    """Checks that all have computed the same, as far as the order of sums allows."""
    expected = results.get(RIVAL) or results["numpy"]
    for arrays in results.values():
        for array, other in zip(arrays, expected, strict=True):
            np.testing.assert_allclose(array, other, rtol=0, atol=1e-4 * np.abs(other).max())


@pytest.mark.filterwarnings("ignore")  # the other tools' own
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("network", NETWORKS, indirect=True)
def test_engines_side_by_side(benchmark, table, network, threads):
    with threadpoolctl.threadpool_limits(threads):
        runners, results = opened(network, threads, table)
        alike(results)
        plain = in_turns({name: runner.run for name, runner in runners.items()}, ROUNDS, threads)
        captures = {name: r.capture for name, r in runners.items() if r.capture is not None}
        captured = in_turns(captures, ROUNDS, threads)
        benchmark.pedantic(runners["numpy"].run, rounds=1)
    del runners, captures
    rivals = plain.get(RIVAL), captured.get(RIVAL)
    for name, times in plain.items():
        first = first_run(network, name, threads)
        table.add(network.name, threads, name, times, captured.get(name), first, rivals)


# -- preparing, and overhead --------------------------------------------------------------------


@pytest.mark.parametrize("engine", [name for name in ENGINES if name in available()])
def test_preparing_resnet50(benchmark, tmp_path, engine):
    nk.save(nnef_form(module("ResNet-50"), MODULES["ResNet-50"][1]), tmp_path / "model.nnef")

    def prepare_to_run():
        graph = nk.load(tmp_path / "model.nnef")
        return find_engine(engine).prepare(graph, graph.outputs)

    benchmark.pedantic(prepare_to_run, rounds=3, warmup_rounds=1)


def chain_of_small_operations(count):
    lines = ["version 1.0;", "graph long(x) -> (y)", "{", "x = external<scalar>(shape = [4]);"]
    lines += [
        f"t{i} = {'relu' if i % 2 else 'neg'}({f't{i - 1}' if i else 'x'});"
        for i in range(count - 1)
    ]
    return nk.parse("\n".join([*lines, f"y = neg(t{count - 2});", "}"]))


@pytest.mark.parametrize("kind", ["run", "trace"])
def test_overhead_of_ten_thousand_small_operations(benchmark, capsys, kind):
    session = nk.Session(chain_of_small_operations(10_000))
    x = np.ones(4, np.float32)
    call = getattr(session, kind)
    benchmark.pedantic(lambda: call(x, progress=False), rounds=5, warmup_rounds=1)
    if benchmark.stats:
        each = benchmark.stats.stats.min / 10_000
        with capsys.disabled():
            print(f"\n10,000 small operations, {kind}: {each * 1e6:.1f} us each")
