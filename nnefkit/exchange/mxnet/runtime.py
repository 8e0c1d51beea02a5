"""Runs of networks in MXNet, where it can be imported: its releases need an older NumPy."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module, util
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.exchange.mxnet.model import VARIABLE, MxnetModel, NodeOutput

_FUSION = {
    "MXNET_SUBGRAPH_BACKEND": "NONE",
    "MXNET_MKLDNN_ENABLED": "0",
    "MXNET_STORAGE_FALLBACK_LOG_VERBOSE": "0",
}
_WITH_ONEDNN = {**_FUSION, "MXNET_MKLDNN_ENABLED": "1"}
"""Settings for networks with recurrent layers, which do not run without oneDNN."""


def runner_of(model: MxnetModel) -> tuple[MxnetRunner | None, str]:
    """Return what runs a network, or None and why MXNet cannot run it."""
    if util.find_spec("mxnet") is None:
        return None, "MXNet is not installed"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import_module("mxnet")
    except Exception:  # noqa: BLE001 - it fails in several ways with a newer NumPy
        return None, "the installed MXNet cannot be imported beside this version of NumPy"
    if any(model.nodes[entry.node].occurrence > 1 for _, entry in model.outputs):
        return None, "an output has the name of another one"
    try:
        runner = MxnetRunner(model)
        runner.outputs({each.name: np.zeros(each.shape or ()) for each in model.inputs.values()})
    except ExecutionError as error:
        # Some operators run with oneDNN only, and others without it only.
        return None, error.diagnostics[0].message
    return runner, ""


class MxnetRunner:
    """Runs a network.

    Args:
        model: The network.

    Raises:
        ExecutionError: MXNet cannot read it.
    """

    def __init__(self, model: MxnetModel) -> None:
        self._mxnet = import_module("mxnet")
        self._model = model
        self._is_recurrent = any(node.op == "RNN" for node in model.nodes)
        self._executors: dict[tuple[str, ...], Any] = {}
        try:
            symbol = self._mxnet.sym.load_json(model.text.decode("utf-8"))
            self._internals = symbol.get_internals()
        except Exception as error:
            raise _failure(error, model) from error

    def outputs(self, inputs: Mapping[str, Array]) -> list[Array]:
        """Run the network once; see `run`.

        Returns:
            Its outputs.
        """
        names = [_name(self._model, entry) for _, entry in self._model.outputs]
        found = self.run(inputs, tuple(dict.fromkeys(names)))
        return [found[name] for name in names]

    def everything(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the network once; see `run`.

        Returns:
            Name of an output of a node -> its elements, for all nodes.
        """
        known = set(self._internals.list_outputs())
        nodes = [self._model.nodes[number] for number in self._model.needed]
        names = [name for node in nodes if node.op != VARIABLE for name in node.outputs]
        return self.run(inputs, tuple(dict.fromkeys(name for name in names if name in known)))

    def run(self, inputs: Mapping[str, Array], names: tuple[str, ...]) -> dict[str, Array]:
        """Run the network once.

        Args:
            inputs: Name of an input -> its elements.
            names: The outputs of nodes to compute.

        Raises:
            ExecutionError: MXNet cannot run it.
        """
        try:
            with _settings(_WITH_ONEDNN if self._is_recurrent else _FUSION):
                if names not in self._executors:
                    self._executors[names] = self._bound(names)
                executor = self._executors[names]
                for name, array in inputs.items():
                    if name in executor.arg_dict:
                        executor.arg_dict[name][:] = array
                results = [np.array(each.asnumpy()) for each in executor.forward(is_train=False)]
            return dict(zip(names, results, strict=True))
        except Exception as error:
            raise _failure(error, self._model) from error

    def _bound(self, names: Sequence[str]) -> Any:
        mxnet, model = self._mxnet, self._model
        group = mxnet.sym.Group([self._internals[name] for name in names])
        read = set(group.list_inputs())
        inputs = [each for each in model.inputs.values() if each.name in read]
        shapes = {each.name: each.shape for each in inputs}
        types = {each.name: each.dtype for each in inputs}
        executor = group.simple_bind(mxnet.cpu(), grad_req="null", type_dict=types, **shapes)
        stored = mxnet.nd.load_frombuffer(model.data) if model.data else {}
        plain = {name.partition(":")[2] or name: array for name, array in stored.items()}
        for target in (executor.arg_dict, executor.aux_dict):
            for name, array in target.items():
                if name in plain:
                    array[:] = plain[name].astype(array.dtype)
        return executor


def _name(model: MxnetModel, entry: NodeOutput) -> str:
    return model.nodes[entry.node].outputs[entry.place]


@contextmanager
def _settings(wanted: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment that MXNet reads when it runs a network."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _failure(error: Exception, model: MxnetModel) -> ExecutionError:
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return ExecutionError(
        f"MXNet cannot run the network: {lines[-1].strip()}",
        hint="Read it without running it (verify=False).",
        file=model.path,
    )
