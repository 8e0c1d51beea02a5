"""Runs of models in an installed Keras 3, with the results of their layers."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module, util
from pathlib import Path
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.exchange.keras.input_shapes import input_names
from nnefkit.exchange.keras.model import KerasModel

_BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
"""Backend of Keras -> its package, in the order in which they are tried."""


class NotRunnable(Exception):  # noqa: N818 - it is an answer, not a failure
    """The reason why an installed Keras cannot run a model."""


def installed_keras() -> Any:
    """Return the package keras.

    Raises:
        NotRunnable: It is not installed, or has no backend.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"]
    if not _is_installed("keras"):
        raise NotRunnable("the package keras is not installed")
    with _backend():
        try:
            keras = import_module("keras")
        except Exception as error:
            raise NotRunnable(f"keras cannot be imported ({error})") from error
    if not str(keras.__version__).startswith("3."):
        raise NotRunnable(f"the installed keras is {keras.__version__}, not 3")
    return keras


def _is_installed(package: str) -> bool:
    """Return whether a package is installed; a folder of its name is not one."""
    spec = util.find_spec(package)
    return spec is not None and spec.origin is not None


@contextmanager
def _backend() -> Iterator[None]:
    """Choose an installed backend, if that of the settings is not installed."""
    installed = [name for name, package in _BACKENDS.items() if _is_installed(package)]
    if "KERAS_BACKEND" in os.environ or _stated_backend() in installed or not installed:
        yield
        return
    os.environ["KERAS_BACKEND"] = installed[0]
    try:
        yield
    finally:
        del os.environ["KERAS_BACKEND"]


def _stated_backend() -> str:
    """Return the backend in the settings that Keras keeps in the home folder."""
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        settings = json.loads((folder / "keras.json").read_text())
    except (OSError, ValueError):
        return "tensorflow"
    return str(settings.get("backend")) if isinstance(settings, Mapping) else "tensorflow"


class KerasRunner:
    """Runs a model.

    Args:
        model: The model.

    Raises:
        NotRunnable: The installed Keras cannot load it, or would not compute the same.
    """

    def __init__(self, model: KerasModel) -> None:
        self._model = model
        self.keras = installed_keras()
        self.kinds: dict[str, str] = {}
        """Path of a layer whose result was recorded -> the name of its class."""
        self._network = model.live if model.live is not None else self._loaded()

    @property
    def engine(self) -> str:
        """The name of what runs it."""
        return f"keras ({self.keras.backend.backend()}, source)"

    def _loaded(self) -> Any:
        model = self._model
        if model.is_keras_2:
            raise NotRunnable(
                f"Keras {model.version} wrote it, some of whose layers Keras 3 computes otherwise"
            )
        if not model.path.endswith((".keras", ".h5", ".hdf5")):
            raise NotRunnable("Keras cannot load an architecture and its weights at once")
        try:
            return self.keras.models.load_model(model.path, compile=False)
        except Exception as error:
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise NotRunnable(
                f"Keras {self.keras.__version__} cannot load it ({text:.120})"
            ) from error

    def outputs(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs of a run, under names with their positions.

        Args:
            inputs: Name of an input -> array.

        Raises:
            ExecutionError: The model cannot be run.
        """
        with _running():
            results = self._called(self._network, self._arguments(inputs))
        return {f"{number}": array for number, array in enumerate(results)}

    def everything(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the results of all layers by the path of the layer.

        Args:
            inputs: Name of an input -> array.

        Raises:
            ExecutionError: The model cannot be run.
        """
        recorded = dict(inputs)
        with _running():
            self._record(self._network, self._arguments(inputs), "", recorded)
        return recorded

    def _arguments(self, inputs: Mapping[str, Array]) -> list[Array]:
        return [np.asarray(inputs[name]) for name in input_names(self._model)]

    def _called(self, network: Any, arguments: list[Array]) -> list[Array]:
        """Return the flat results of a functional network, called with its inputs in order."""
        functional = self._functional(network)
        given = self._structured(functional._inputs_struct, iter(arguments))
        results = functional.call(given, training=False)
        return [self._array(each) for each in _flat(results)]

    def _structured(self, structure: Any, arguments: Iterator[Array]) -> Any:
        """Return arrays as tensors in the structure of the inputs of a network."""
        if isinstance(structure, Mapping):
            names = sorted(structure)
            return {name: self._structured(structure[name], arguments) for name in names}
        if isinstance(structure, (list, tuple)):
            return [self._structured(each, arguments) for each in structure]
        return self.keras.ops.convert_to_tensor(next(arguments), dtype=structure.dtype)

    def _functional(self, network: Any) -> Any:
        return getattr(network, "_functional", None) or network

    def _array(self, tensor: Any) -> Array:
        array = np.asarray(self.keras.ops.convert_to_numpy(tensor))
        return array.astype(np.float32) if array.dtype.kind not in "biuf" else array

    def _record(
        self, network: Any, arguments: list[Array], path: str, recorded: dict[str, Array]
    ) -> None:
        """Add the results of all calls of layers to `recorded`; those of networks inside, too."""
        functional = self._functional(network)
        names, tensors, nested = [], [], []
        kept = _nodes(functional)
        for operation in functional.operations:
            name = f"{path}/{operation.name}" if path else operation.name
            own = [node for node in operation._inbound_nodes if node in kept]
            for number, node in enumerate(own):
                if not node.input_tensors:
                    continue
                title = name if number == 0 else f"{name}:{number}"
                if hasattr(operation, "operations") or hasattr(operation, "_functional"):
                    # Its results are those of the layers inside.
                    nested.append((operation, title, list(node.input_tensors)))
                    continue
                for place, tensor in enumerate(node.output_tensors):
                    names.append(title if place == 0 else f"{title}.{place}")
                    tensors.append(tensor)
                    self.kinds[names[-1]] = type(operation).__name__
        inner = [tensor for _, _, given in nested for tensor in given]
        whole = self.keras.Model(functional._inputs_struct, [*tensors, *inner])
        results = self._called(whole, arguments)
        recorded.update(zip(names, results, strict=False))
        rest = results[len(tensors) :]
        for operation, title, given in nested:
            self._record(operation, rest[: len(given)], title, recorded)
            rest = rest[len(given) :]


def _flat(results: Any) -> list[Any]:
    if isinstance(results, Mapping):
        return [each for name in sorted(results) for each in _flat(results[name])]
    if isinstance(results, (list, tuple)):
        return [each for result in results for each in _flat(result)]
    return [results]


def _nodes(functional: Any) -> set[Any]:
    return {node for nodes in functional._nodes_by_depth.values() for node in nodes}


@contextmanager
def _running() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExecutionError(
            f"the Keras model cannot be run: {text}",
            hint="Pass example inputs that fit the model (inputs=...), or read it without "
            "running it (verify=False).",
        ) from error
