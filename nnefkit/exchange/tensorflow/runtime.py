"""Runs of models in TensorFlow itself, where it is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.exchange.tensorflow.model import TensorflowModel, TensorReference, reference
from nnefkit.exchange.tensorflow.opened_model import META_GRAPH, SAVED_MODEL

_TEXT = (".pbtxt", ".txt", ".prototxt")


def is_installed() -> bool:
    """Return whether TensorFlow can be imported."""
    spec = util.find_spec("tensorflow")
    # A folder of that name is a package without a file.
    return spec is not None and spec.origin is not None


class TensorflowRunner:
    """Runs a model.

    Args:
        model: The model.
    """

    def __init__(self, model: TensorflowModel) -> None:
        self._model = model

    def run(self, inputs: Mapping[str, Array], wanted: Sequence[str] | None = None) -> list[Array]:
        """Run the model once.

        Args:
            inputs: Name of an input tensor in the model -> numbers.
            wanted: Names of tensors to return; the outputs of the model by default.

        Returns:
            The tensors, in order.

        Raises:
            ExecutionError: The model cannot be run.
        """
        model = self._model
        feeds = {reference(name): array for name, array in inputs.items()}
        try:
            if wanted is None and model.signature:
                return self._called(feeds)
            places = [each.tensor for each in model.outputs]
            if wanted is not None:
                places = [reference(name) for name in wanted]
            return self._fetched(feeds, places)
        except Exception as error:
            raise ExecutionError(
                f"TensorFlow cannot run the model: {_first_line(error)}",
                hint="Read it without running it (verify=False).",
                file=model.path,
            ) from error

    def _called(self, feeds: Mapping[TensorReference, Array]) -> list[Array]:
        """Return the outputs of a signature."""
        import tensorflow as tf

        loaded = tf.saved_model.load(self._model.path)
        function = loaded.signatures[self._model.signature]
        given = {
            each.name: tf.constant(feeds[each.tensor], each.data_type)
            for each in self._model.inputs
        }
        results = function(**given)
        return [np.asarray(results[each.name]) for each in self._model.outputs]

    def _fetched(
        self, feeds: Mapping[TensorReference, Array], places: Sequence[TensorReference]
    ) -> list[Array]:
        """Return tensors of the graph, as a session of TensorFlow 1 does."""
        import tensorflow as tf

        model, old = self._model, tf.compat.v1
        with tf.Graph().as_default(), old.Session() as session:
            if model.kind == SAVED_MODEL:
                old.saved_model.load(session, ["serve"], model.path)
            elif model.kind == META_GRAPH:
                saver = old.train.import_meta_graph(model.path, clear_devices=True)
                saver.restore(session, str(Path(model.path).with_suffix("")))
            else:
                old.import_graph_def(self._graph_def(old.GraphDef()), name="")
            graph = session.graph
            given = {graph.get_tensor_by_name(_name(p)): array for p, array in feeds.items()}
            given = {
                tensor: np.asarray(array, tensor.dtype.as_numpy_dtype)
                for tensor, array in given.items()
            }
            results = session.run([graph.get_tensor_by_name(_name(p)) for p in places], given)
            return [np.asarray(each) for each in results]

    def _graph_def(self, message: Any) -> Any:
        model = self._model
        data = Path(model.path).read_bytes() if model.path else model.data
        if model.path.endswith(_TEXT):
            from google.protobuf import text_format

            return text_format.Parse(data.decode("utf-8"), message)
        message.ParseFromString(data)
        return message

    def known(self, names: Sequence[str]) -> list[str]:
        """Return those names that are of tensors of the graph, and not of a function."""
        return [name for name in names if reference(name).node in self._model.nodes]


def _name(place: TensorReference) -> str:
    return f"{place.node}:{place.output}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
