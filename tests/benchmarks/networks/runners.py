"""One interface to everything that runs the networks, plainly or with intermediates captured."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

import nnefkit as nk
from networks.catalogue import Network

Array = np.ndarray[Any, Any]


class Runner(NamedTuple):
    """A network that is ready to run."""

    run: Callable[[], list[Array]]
    """Returns the outputs."""
    capture: Callable[[], Any] | None
    """Runs and stores every intermediate; None if that is not possible."""


class Kind(NamedTuple):
    """Something that runs networks."""

    package: str
    """The package that must be installed."""
    open: Callable[[Network, int], Runner]
    """Prepares a network for a number of threads. What only `capture` needs is made when it is
    first called."""
    runs: Callable[[Network, int], bool] = lambda network, threads: True


def _engine(engine: str, package: str, threaded: bool = True, most: int = 64) -> Kind:
    def open_network(network: Network, threads: int) -> Runner:
        options: dict[str, Any] = {"threads": threads} if threaded else {}
        session = nk.Session(nk.load(network.folder / "model.nnef"), engine, **options)
        return Runner(
            lambda: [*session.run(network.input, progress=False).values()],
            lambda: session.trace(network.input, progress=False),
        )

    return Kind(package, open_network, lambda network, threads: threads <= most)


def _numpy_normalizing(network: Network, threads: int) -> Runner:
    session = nk.Session(nk.load(network.folder / "unfolded.nnef"))
    return Runner(lambda: [*session.run(network.input, progress=False).values()], None)


def _onnx_runtime(network: Network, threads: int) -> Runner:
    import onnxruntime

    def session(name: str) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(
            network.folder / name, options, providers=["CPUExecutionProvider"]
        )

    plain = session("model.onnx")
    feeds = {plain.get_inputs()[0].name: network.input}
    full: list[onnxruntime.InferenceSession] = []

    def capture() -> Any:
        if not full:
            full.append(session("captured.onnx"))
        return full[0].run(None, feeds)

    return Runner(lambda: list(plain.run(None, feeds)), capture)


def _pytorch(network: Network, threads: int) -> Runner:
    import torch

    from networks.modules import module

    torch.set_num_threads(threads)
    part = module(network.name)
    x = torch.from_numpy(network.input)

    def run() -> list[Array]:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return [part(x).numpy()]

    def capture() -> Any:
        kept: list[Any] = []
        leaves = [leaf for leaf in part.modules() if not [*leaf.children()]]
        # Results that are changed in place, or views, would not be copies; there are none here.
        hooks = [leaf.register_forward_hook(lambda _, __, y: kept.append(y)) for leaf in leaves]
        run()
        for hook in hooks:
            hook.remove()
        return kept

    return Runner(run, capture)


def _khronos(network: Network, threads: int) -> Runner:
    import torch
    from nnef_tools.interpreter.pytorch import NNEFModule

    torch.set_num_threads(threads)
    interpreter = NNEFModule(str(network.folder / "model.nnef"))
    x = torch.from_numpy(network.input)

    def run() -> list[Array]:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return [result.numpy() for result in interpreter(x)]

    def capture() -> Any:
        kept: dict[str, Array] = {}
        interpreter.activation_callback = lambda name, y: kept.update({name: y.numpy().copy()})
        run()
        interpreter.activation_callback = None
        return kept

    return Runner(run, capture)


def _tract(network: Network, threads: int) -> Runner:
    import tract

    def runnable(name: str) -> Any:
        return tract.nnef().load(str(network.folder / name)).into_runnable()

    plain = runnable("model.nnef")
    full: list[Any] = []

    def capture() -> Any:
        if not full:
            full.append(runnable("captured.nnef"))
        return [result.to_numpy() for result in full[0].run([network.input])]

    return Runner(lambda: [y.to_numpy() for y in plain.run([network.input])], capture)


RIVAL = "ONNX Runtime"
KINDS: dict[str, Kind] = {
    RIVAL: Kind("onnxruntime", _onnx_runtime),
    "numpy": _engine("numpy", "numpy", threaded=False),
    "numpy (unfolded)": Kind(
        "numpy", _numpy_normalizing, lambda network, threads: network.is_normalized
    ),
    "onnxruntime": _engine("onnxruntime", "onnxruntime"),
    "torch": _engine("torch", "torch"),
    "tract": _engine("tract", "tract", threaded=False, most=1),
    "PyTorch": Kind("torch", _pytorch, lambda network, threads: network.is_module),
    "Khronos interpreter": Kind("nnef_tools", _khronos),
    "tract directly": Kind("tract", _tract, lambda network, threads: threads == 1),
}
"""Name -> a way to run networks; those in lower case are the engines of nnefkit.

``numpy (unfolded)`` runs the graph with batch normalizations as separate operations.
"""


def available() -> list[str]:
    """Names of those that are installed."""
    return [name for name, kind in KINDS.items() if find_spec(kind.package) is not None]
