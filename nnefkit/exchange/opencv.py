"""Runs of networks in OpenCV, whose versions up to 4 read files of Caffe and Torch7."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import util
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError


def is_installed(reader: str) -> bool:
    """Return whether a version of OpenCV is installed that reads a format.

    Args:
        reader: The function of `cv2.dnn` that reads it.
    """
    if util.find_spec("cv2") is None:
        return False
    try:
        import cv2
    except ImportError:
        return False
    return hasattr(cv2, "dnn") and hasattr(cv2.dnn, reader)


class OpencvNetwork:
    """A network that OpenCV has read.

    Args:
        read: Reads it.
        path: The path of its file, for messages.

    Raises:
        ExecutionError: OpenCV cannot read it.
    """

    def __init__(self, read: Callable[[], Any], path: str) -> None:
        self._path = path
        try:
            self._net = read()
            self._net.enableFusion(False)
        except Exception as error:
            raise _failure(error, path) from error

    @property
    def outputs(self) -> list[str]:
        """The names of the layers whose results no other layer reads."""
        return [str(name) for name in self._net.getUnconnectedOutLayersNames()]

    def run(self, inputs: Mapping[str, Array], names: Sequence[str]) -> list[Array]:
        """Run the network once.

        Args:
            inputs: Name of an input -> its elements; an empty name if the format has none.
            names: Names of layers.

        Returns:
            What the layers compute.

        Raises:
            ExecutionError: OpenCV cannot run it.
        """
        try:
            for name, array in inputs.items():
                self._net.setInput(np.ascontiguousarray(array), name)
            return [np.array(self._net.forward(name)) for name in names]
        except Exception as error:
            raise _failure(error, self._path) from error


def _failure(error: Exception, path: str) -> ExecutionError:
    lines = str(error).splitlines() or [type(error).__name__]
    return ExecutionError(
        f"OpenCV cannot run the network: {lines[0]}",
        hint="Read it without running it (verify=False).",
        file=path,
    )
