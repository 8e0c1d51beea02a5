"""One table of all the engines, and of other tools, on all the networks.

``pytest tests/benchmarks/test_engines.py --benchmark-only`` measures two small networks briefly;
environment variables ask for more:

- ``NNEFKIT_NETWORKS``: names of networks with commas between them, or ``all``;
- ``NNEFKIT_RUNNERS``: names of engines and tools with commas between them (default: all installed);
- ``NNEFKIT_THREADS``: numbers of threads with commas between them (default ``1``);
- ``NNEFKIT_ROUNDS``: the minimum number of runs of each (default 3); fast ones are run more often;
- ``NNEFKIT_CLOCK``: ``cpu`` counts only the time in which the process computes (default ``wall``),
  for a busy machine: with one thread, and without the engine ``tract``, which works in another
  process.

The whole table takes a quarter of an hour:
``NNEFKIT_NETWORKS=all NNEFKIT_THREADS=1,2 NNEFKIT_ROUNDS=20``.

All of them take turns, in a different order each time, so that disturbances affect all of them;
ratios are relative to ONNX Runtime in the same turns. OpenBLAS chooses its kernels by the
processor, unless the environment does: the table names those that run.

What the engines promise, of the best times of one table:

- ``onnxruntime``: a plain run takes at most 1.05 times as long as ONNX Runtime on the model that
  PyTorch exports;
- ``numpy``: at most 3 times on ResNet-50, 4 times on MobileNetV2, 8 times on EfficientNet-Lite0;
- a run that captures everything takes at most what is allowed: 1.3 times a plain run, and the time
  to copy the captured bytes;
- ``numpy`` needs at most twice the memory of the weights and of the largest set of activations that
  are alive together;
- a graph of 10,000 small operations takes at most 20 microseconds an operation;
- ResNet-50 is ready to run 0.3 s (``numpy``) or 1 s (``onnxruntime``) after its files are opened.
"""

import gc
import os
import random
import statistics
from time import perf_counter, process_time, sleep

import numpy as np
import pytest

threadpoolctl = pytest.importorskip("threadpoolctl")
pytest.importorskip("onnx")
pytest.importorskip("torch")

from networks.catalogue import NAMES, prepare  # noqa: E402  (they import what may be missing)
from networks.first_run import first_run  # noqa: E402
from networks.modules import MODULES, module  # noqa: E402
from networks.nnef_form import nnef_form  # noqa: E402
from networks.runners import KINDS, RIVAL, available  # noqa: E402

import nnefkit as nk  # noqa: E402
from nnefkit.execution.engine_list import BUILT_IN, find_engine  # noqa: E402


def names_in(variable, default):
    return [part.strip() for part in os.environ.get(variable, default).split(",")]


NETWORKS = names_in("NNEFKIT_NETWORKS", "MobileNetV2,BlazeFace")
NETWORKS = [*NAMES] if NETWORKS == ["all"] else NETWORKS
RUNNERS = names_in("NNEFKIT_RUNNERS", ",".join(available()))
THREADS = [int(number) for number in names_in("NNEFKIT_THREADS", "1")]
ROUNDS = int(os.environ.get("NNEFKIT_ROUNDS", "3"))
CLOCK = process_time if os.environ.get("NNEFKIT_CLOCK") == "cpu" else perf_counter
ROUND = 1.0
"""Seconds that a round may take; faster calls are measured in more rounds."""
MOST = 10
"""The largest factor by which the number of rounds is increased."""
IDLE = 0.05
"""Seconds between two runs, since idle threads spin for some time."""


# -- measuring --------------------------------------------------------------------------------


def in_turns(calls, threads):
    """Return the milliseconds of each call in each round."""
    times = {name: [] for name in calls}
    for call in calls.values():
        call()
    shuffler = random.Random(0)
    started = perf_counter()
    for number in range(MOST * ROUNDS):
        if number >= ROUNDS and perf_counter() - started > ROUNDS * ROUND:
            break
        for name in shuffler.sample([*calls], len(calls)):
            gc.collect(0)
            if threads > 1:
                sleep(IDLE)
            before = CLOCK()
            result = calls[name]()
            times[name].append((CLOCK() - before) * 1e3)
            del result  # takes time, too, where it is much
    return times


def copying(arrays):
    """Return a call that copies arrays to memory that is already allocated."""
    pairs = [(np.empty_like(array), array) for array in arrays]

    def call():
        for target, array in pairs:
            np.copyto(target, array)

    return call


class Table:
    """The rows, printed when all the networks are done."""

    HEAD = (
        f"{'network':20}{'thr.':>5}  {'engine or tool':20}{'best':>9}{'median':>9}{'ratio':>7}"
        f"{'captured':>10}{'ratio':>7}{'of allowed':>12}"
        f"{'first run':>11}{'memory':>8}{'of need':>9}"
    )

    def __init__(self):
        kernels = {pool.get("architecture") for pool in threadpoolctl.threadpool_info()}
        names = ", ".join(sorted(filter(None, kernels)))
        clock = "CPU" if CLOCK is process_time else "wall"
        self.lines = [
            f"OpenBLAS kernels for: {names}; times in ms ({clock}), memory in MB",
            self.HEAD,
        ]
        self.skipped = []

    def add(self, network, threads, name, times, first):
        def best(kind, runner=name):
            return min(times.get((runner, kind), [np.nan]))

        plain, captured, rival = best("plain"), best("captured"), best("plain", RIVAL)
        allowed = 1.3 * plain + best("copied", "")
        peak = np.nan if first.peak is None else first.peak
        cells = [
            f"{network.name:20}{threads:5}  {name:20}{plain:9.2f}",
            f"{statistics.median(times[name, 'plain']):9.2f}{plain / rival:7.2f}",
            f"{captured:10.2f}{captured / best('captured', RIVAL):7.2f}{captured / allowed:12.2f}",
            f"{first.seconds * 1e3:11.0f}{peak / 1e6:8.0f}{peak / network.need:9.2f}",
        ]
        self.lines.append("".join(cells).replace("nan", "  -"))

    def skip(self, network, name, error):
        # tract reports the cause last, before a list of its functions.
        lines = str(error).partition("Stack backtrace")[0].strip().splitlines() or [repr(error)]
        whole = len(lines) == 1 or isinstance(error, nk.NnefError)
        reason = lines[0] if whole else f"{lines[0]} ... {lines[-1].strip()}"
        self.skipped.append(f"{name} does not run {network.name}: {reason}")


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
        elsewhere = name == "tract" and CLOCK is process_time
        if elsewhere or not KINDS[name].runs(network, threads):
            continue
        try:
            runners[name] = KINDS[name].open(network, threads)
            results[name] = runners[name].run()
        except Exception as error:
            if name in (RIVAL, "numpy"):
                raise
            runners.pop(name, None)
            table.skip(network, name, error)
    return runners, results


def alike(results):
    """Check that all results are the same, as far as the order of sums allows."""
    expected = results.get(RIVAL) or next(iter(results.values()))
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
        calls = {(name, "plain"): runner.run for name, runner in runners.items()}
        for name, runner in runners.items():
            if runner.capture is not None:
                calls[name, "captured"] = runner.capture
        trace = nk.trace(network.graph, network.input, progress=False)
        calls["", "copied"] = copying(trace.values())
        times = in_turns(calls, threads)
        benchmark.pedantic(next(iter(runners.values())).run, rounds=1)
    del runners, calls
    for name, kind in times:
        if kind == "plain":
            table.add(network, threads, name, times, first_run(network, name, threads))


# -- preparing, and overhead --------------------------------------------------------------------


@pytest.mark.parametrize("engine", [name for name in BUILT_IN if name in available()])
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
@pytest.mark.parametrize(
    "engine", [name for name in BUILT_IN if name in available() and name != "tract"]
)
def test_overhead_of_ten_thousand_small_operations(benchmark, capsys, engine, kind):
    session = nk.Session(chain_of_small_operations(10_000), engine)
    x = np.ones(4, np.float32)
    call = getattr(session, kind)
    benchmark.pedantic(lambda: call(x, progress=False), rounds=5, warmup_rounds=1)
    if benchmark.stats:
        each = benchmark.stats.stats.min / 10_000
        with capsys.disabled():
            print(f"\n10,000 small operations, {engine}, {kind}: {each * 1e6:.1f} us each")
