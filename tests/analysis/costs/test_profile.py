"""`nk.profile`: measured time of operations, beside their cost."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.execution import session as session_module

TEXT = """version 1.0;
extension KHR_enable_fragment_definitions;
fragment slow( x: tensor<scalar> ) -> ( y: tensor<scalar> );
graph net( x ) -> ( y )
{
    x = external(shape = [1, 3, 8, 8]);
    w = variable(shape = [4, 3, 3, 3], label = 'w');
    v = transpose(w, axes = [0, 1, 3, 2]);
    c = conv(x, v);
    r = relu(c);
    s = slow(r);
    y = exp(s);
}"""
X = np.ones((1, 3, 8, 8), np.float32)


def made(seconds: float = 0.01, macs: Any = lambda i, o, a: 1000) -> tuple[Any, nk.Graph]:
    def kernel(x: Any) -> Any:
        time.sleep(seconds)
        return x

    custom = nk.CustomOperations()
    custom.register("slow", shape=lambda x: x, kernel=kernel, macs=macs)
    graph = nk.parse(TEXT, custom_operations=custom)
    return custom, graph.with_data({"w": np.ones((4, 3, 3, 3), np.float32)})


def test_the_slow_operation_takes_the_time() -> None:
    custom, graph = made()
    times = nk.profile(graph, X, repeat=5, warmup=1, custom_operations=custom)
    row = times["s"]
    assert 0.01 <= row.seconds_min <= row.seconds_q1 <= row.seconds <= row.seconds_q3
    assert row.share > 0.5
    assert times.seconds > row.seconds
    assert times.seconds_q1 <= times.seconds <= times.seconds_q3
    assert sum(each.share for each in times.operations) == pytest.approx(1)
    assert "s (slow, line 11) takes most" in times.summary
    assert (times.engine, times.repeat, times.warmup) == ("numpy", 5, 1)


def test_rates_are_cost_divided_by_time() -> None:
    custom, graph = made()
    times = nk.profile(graph, X, repeat=3, custom_operations=custom)
    costs = nk.cost(graph, custom_operations=custom)
    row = times["s"]
    assert row.flops == 2000
    assert row.gflops == pytest.approx(2000 / row.seconds / 1e9)
    assert row.bytes == costs["s"].bytes_read + costs["s"].bytes_written
    assert row.gbytes == pytest.approx((row.bytes or 0) / row.seconds / 1e9)
    frame = times.to_frame().set_index("tensor")
    assert frame.loc["s", "gflops"] == pytest.approx(row.gflops)
    assert frame.loc["s", "seconds"] == row.seconds
    assert sum(each.flops or 0 for each in times.operations) == costs.flops


def test_operations_of_one_step_share_its_time() -> None:
    custom, graph = made(0)
    times = nk.profile(graph, X, repeat=3, custom_operations=custom)
    step = times["r"]
    assert step is times["c"]
    assert step.fused == ("c", "r")
    assert step.operation == "conv"
    assert step.flops == 2 * 256 * 27 + 256
    # The result of the convolution stays inside of the step.
    assert step.bytes == 4 * (192 + 108 + 256)
    assert "1 step of numpy does several operations at once" in times.summary
    assert times.to_frame()["fused"].tolist()[0] == "c, r"
    assert "conv + 1" in repr(times)


def test_operations_on_weights_alone_are_not_timed() -> None:
    custom, graph = made(0)
    times = nk.profile(graph, X, repeat=2, custom_operations=custom)
    with pytest.raises(nk.UnknownNameError):
        times["v"]


def test_unknown_costs_leave_times() -> None:
    custom, graph = made(0, macs=None)
    times = nk.profile(graph, X, repeat=2, custom_operations=custom)
    assert times["s"].flops is None
    assert times["s"].gflops is None
    assert "GFLOP/s" not in times.summary
    assert "unknown" in repr(times)
    assert times.to_frame()["flops"].isna().sum() == 1


def test_unknown_shapes_leave_times() -> None:
    custom = nk.CustomOperations()
    custom.register("slow", kernel=lambda x: x)
    graph = nk.parse(TEXT, custom_operations=custom)
    graph = graph.with_data({"w": np.ones((4, 3, 3, 3), np.float32)})
    times = nk.profile(graph, X, repeat=2, custom_operations=custom)
    assert times.cost is None
    assert times["s"].seconds > 0
    assert times["s"].bytes is None


NETWORK = """version 1.0; graph net( x ) -> ( y ) { x = external(shape = [64, 64]);
a = matmul(x, x); b = tanh(a); y = matmul(b, x); }"""


def test_torch_times_each_operation() -> None:
    pytest.importorskip("torch")
    times = nk.profile(nk.parse(NETWORK), np.ones((64, 64)), "torch", repeat=3)
    assert [row.fused for row in times.operations] == [("a",), ("b",), ("y",)]
    assert all(row.seconds > 0 for row in times.operations)


@pytest.mark.parametrize("engine", ["onnxruntime", "tract"])
def test_an_engine_without_times_has_one_for_the_run(engine: str) -> None:
    if engine not in nk.engines().installed:
        pytest.skip(f"needs {engine}")
    times = nk.profile(nk.parse(NETWORK), np.ones((64, 64)), engine, repeat=3, warmup=1)
    (row,) = times.operations
    assert row.fused == ("a", "b", "y")
    assert row.share == 1
    assert 0 < row.seconds <= times.seconds * 1.001
    assert row.flops == 2 * 2 * 64**3 + 64**2
    assert f"{engine} reports no times of single operations" in times.summary


def test_the_rest_of_two_engines_is_one_step() -> None:
    pytest.importorskip("onnxruntime")
    custom, graph = made()
    times = nk.profile(
        graph, X, "onnxruntime", repeat=3, fallback="numpy", custom_operations=custom
    )
    assert times["s"].fused == ("s",)
    assert times["s"].seconds >= 0.01
    assert times["c"].fused == ("c", "r", "y")


def test_variables_are_as_in_the_graph_in_each_run() -> None:
    text = """version 1.0; graph g( x ) -> ( y ) { x = external(shape = [1]);
    s = variable(shape = [1], label = 's'); y = add(x, s); u = update(s, y); }"""
    graph = nk.parse(text).with_data({"s": np.float32([3e38])})
    assert nk.profile(graph, [1e38], repeat=4).repeat == 4
    assert graph.tensors["s"].data is not None
    assert graph.tensors["s"].data[0] == np.float32(3e38)


def test_an_interrupt_keeps_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = nk.parse(NETWORK)
    calls = []
    original = session_module.Session.trace

    def trace(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) > 5:
            raise KeyboardInterrupt
        return original(self, *args, **kwargs)

    monkeypatch.setattr(session_module.Session, "trace", trace)
    times = nk.profile(graph, np.ones((64, 64)), repeat=10, warmup=2)
    assert (times.repeat, times.requested) == (3, 10)
    assert "interrupted before 10 runs were done" in times.summary
    with pytest.raises(KeyboardInterrupt):
        nk.profile(graph, np.ones((64, 64)), repeat=10, warmup=2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"repeat": 0}, "'repeat' must be an integer of at least 1, not 0"),
        ({"repeat": 2.5}, "'repeat' must be an integer"),
        ({"warmup": -1}, "'warmup' must be an integer of at least 0, not -1"),
        ({"engine": "nunpy"}, "Did you mean 'numpy'?"),
        ({"thread": 1}, "Did you mean 'threads'?"),
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(nk.NnefError) as raised:
        nk.profile(nk.parse(NETWORK), np.ones((64, 64)), **options)
    assert words in str(raised.value)


def test_text_and_page_name_the_longest() -> None:
    custom, graph = made()
    times = nk.profile(graph, X, repeat=2, custom_operations=custom)
    for shown in (repr(times), times._repr_html_()):
        assert "A run takes " in shown
        assert "median, lower and upper quartile" in shown
        assert "GFLOP/s" in shown
