"""Runs of networks in Caffe2, which came with PyTorch up to its version 1.10."""

from __future__ import annotations

from importlib import import_module, util
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Arrays
from nnefkit.errors import ExecutionError
from nnefkit.exchange.caffe2.model import Caffe2Model, Caffe2Operator


def why_not() -> str:
    """Return why Caffe2 cannot run a network; nothing if it can."""
    if util.find_spec("caffe2") is None:
        return "Caffe2 is not installed"
    try:
        import_module("caffe2.python.workspace")
    except Exception:  # noqa: BLE001 - its packages are older than today's and fail in any way
        return "Caffe2 is installed, but cannot be imported"
    return ""


class Caffe2Runner:
    """Runs a network operator by operator.

    Args:
        model: The network.
    """

    def __init__(self, model: Caffe2Model) -> None:
        self._model = model

    def run(self, inputs: Arrays) -> dict[str, Array]:
        """Run the network once.

        Args:
            inputs: Name of an input -> its elements.

        Returns:
            Name of a value -> its elements, for all that operators compute.

        Raises:
            ExecutionError: Caffe2 cannot run it.
        """
        try:
            return self._found(import_module("caffe2.python.workspace"), inputs)
        except Exception as error:
            lines = str(error).splitlines() or [type(error).__name__]
            raise ExecutionError(
                f"Caffe2 cannot run the network: {lines[0]}",
                hint="Read it without running it (verify=False).",
                file=self._model.path,
            ) from error

    def _found(self, workspace: Any, inputs: Arrays) -> dict[str, Array]:
        model, found = self._model, {}
        workspace.ResetWorkspace()
        for number, info in model.inputs.items():
            blob = model.values[number].blob
            array = np.ascontiguousarray(inputs[blob], np.dtype(info.dtype))
            workspace.FeedBlob(blob, array)
            found[blob] = array
        for one in model.operators:
            self._run(workspace, one)
            for number in one.outputs:
                value = model.values[number]
                array = workspace.FetchBlob(value.blob)
                if isinstance(array, np.ndarray):
                    found[value.name] = array
        return found

    def _run(self, workspace: Any, one: Caffe2Operator) -> None:
        if any(number in self._model.inputs for number in one.outputs):
            return  # What fills the place of an input.
        if not workspace.RunOperatorOnce(one.message.SerializeToString()):
            raise RuntimeError(f"the operator {one.type} '{one.name}' failed")
