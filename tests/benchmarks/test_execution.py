"""How fast the numpy engine runs, measured against ONNX Runtime in the same process.

Run with ``pytest tests/benchmarks --benchmark-only``; both sides use the same number of threads.
The engine's promise is at most 8 times the time of ONNX Runtime, and for a full trace at most 1.3
times the time of a plain run.
"""

import gc
import statistics
from pathlib import Path
from time import perf_counter

import numpy as np
import onnxruntime
import pytest

from nnefkit import io
from nnefkit.execution import Session

threadpoolctl = pytest.importorskip("threadpoolctl")

MODELS = Path(__file__).parent.parent / "models"


@pytest.fixture(scope="module")
def efficientnet():
    folder = MODELS / "efficientnet_lite0"
    graph = io.load(folder / "efficientnet_lite0.nnef.tgz")
    return graph, np.load(folder / "io.npz")["cat_external1"]


def onnx_runtime(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def interleaved(rounds, **calls):
    """Milliseconds of each call: the calls take turns, so that disturbances hit all of them."""
    times = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            gc.collect(0)
            started = perf_counter()
            call()
            times[name].append((perf_counter() - started) * 1e3)
    return times


def report(capsys, title, times, ratios):
    with capsys.disabled():
        print(f"\n{title}")
        for name, values in times.items():
            middle = statistics.median(values)
            print(f"  {name:24} {min(values):8.2f} ms at best, {middle:8.2f} ms in the middle")
        for one, other in ratios:
            best = min(times[one]) / min(times[other])
            middle = statistics.median(times[one]) / statistics.median(times[other])
            print(f"  {one} / {other}: {best:.2f} at best, {middle:.2f} in the middle")


@pytest.mark.parametrize("threads", [1, 2])
def test_efficientnet_against_onnx_runtime(benchmark, capsys, efficientnet, as_onnx, threads):
    graph, photo = efficientnet
    rival = onnx_runtime(as_onnx(graph), threads)
    with threadpoolctl.threadpool_limits(threads, "blas"):
        session = Session(graph)
        (expected,) = rival.run(None, {"external1": photo})
        np.testing.assert_allclose(session.run(photo)["linear1"], expected, rtol=0, atol=1e-4)
        times = interleaved(
            40,
            onnxruntime=lambda: rival.run(None, {"external1": photo}),
            numpy=lambda: session.run(photo),
            numpy_trace=lambda: session.trace(photo),
        )
        benchmark.pedantic(session.run, (photo,), rounds=5, warmup_rounds=1)
    kernel = {
        info["architecture"] for info in threadpoolctl.threadpool_info() if "architecture" in info
    }
    ratios = [("numpy", "onnxruntime"), ("numpy_trace", "numpy")]
    report(capsys, f"EfficientNet-Lite0, {threads} thread(s), BLAS for {kernel}", times, ratios)
    for one, other in ratios:
        ratio = min(times[one]) / min(times[other])
        benchmark.extra_info[f"{one} / {other}"] = round(ratio, 2)


def test_blazeface_run_and_trace(benchmark, capsys):
    folder = MODELS / "blazeface_front"
    session = Session(io.load(folder / "blazeface_front.nnef"))
    photo = np.load(folder / "io.npz")["external1"]
    times = interleaved(
        40, numpy=lambda: session.run(photo), numpy_trace=lambda: session.trace(photo)
    )
    benchmark.pedantic(session.run, (photo,), rounds=20, warmup_rounds=2)
    report(capsys, "BlazeFace", times, [("numpy_trace", "numpy")])


def test_overhead_of_ten_thousand_small_operations(benchmark, capsys):
    lines = ["version 1.0;", "graph long(x) -> (y)", "{", "x = external<scalar>(shape = [4]);"]
    lines += [
        f"t{i} = {'relu' if i % 2 else 'neg'}({f't{i - 1}' if i else 'x'});" for i in range(9_999)
    ]
    text = "\n".join([*lines, "y = neg(t9998);", "}"])
    session = Session(io.parse(text))
    x = np.ones(4, np.float32)
    benchmark.pedantic(session.run, (x,), rounds=5, warmup_rounds=1)
    each = benchmark.stats.stats.min / 10_000
    with capsys.disabled():
        print(f"\n10,000 small operations: {each * 1e6:.1f} us each")
