"""Runs of TFLite models in LiteRT, by its plain kernels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.exchange.tflite.constants import codes, real
from nnefkit.exchange.tflite.model import TensorInfo, TfliteModel
from nnefkit.exchange.tflite.opened_model import require

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter


class TfliteRunner:
    """Runs a model that was verified, with variables as they start.

    Args:
        model: The model.
    """

    def __init__(self, model: TfliteModel) -> None:
        self._model = model

    def run(
        self, inputs: Mapping[str, Array], *, everything: bool = False, delegated: bool = False
    ) -> dict[str, Array]:
        """Run the model once.

        Args:
            inputs: Name of an input tensor in the model -> numbers; those of a quantized tensor are
                rounded to its codes.
            delegated: Whether to run it by XNNPACK, as LiteRT does by default, instead of its plain
                kernels.
            everything: Whether to return all tensors of the graph, not only the outputs.

        Returns:
            Name of a tensor -> numbers. Without `everything`, one element for each output, in
            order, under a name with its position.

        Raises:
            ExecutionError: The model cannot be run.
        """
        require("ai_edge_litert")
        model, graph = self._model, self._model.graph
        numbers = {graph.source_name(number): number for number in graph.inputs}
        feeds = {numbers[name]: array for name, array in inputs.items()}
        try:
            with _quiet_stderr():
                interpreter = self._run(feeds, everything, delegated)
                wanted = range(len(graph.tensors)) if everything else graph.outputs
                read = {n: _read(interpreter, n, model.main) for n in wanted}
        except (ValueError, RuntimeError) as error:
            raise ExecutionError(
                f"the TFLite model cannot be run: {_first_line(error)}",
                hint="Pass example inputs that fit the model (inputs=...), or read it without "
                "running it (verify=False).",
            ) from error
        results = {n: _numbers(graph.tensors[n], a) for n, a in read.items() if a is not None}
        if everything:
            return {graph.source_name(n): array for n, array in results.items()}
        return {f"{place}: {name}": results[n] for place, (name, n) in enumerate(self._outputs())}

    def _outputs(self) -> list[tuple[str, int]]:
        return self._model.output_names()

    def _run(self, feeds: Mapping[int, Array], everything: bool, delegated: bool) -> Interpreter:
        """Return the interpreter after a run."""
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        model, tensors = self._model, self._model.graph.tensors
        elements = {n: _elements(tensors[n], array) for n, array in feeds.items()}
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        kernels = OpResolverType.AUTO if delegated else plain
        interpreter = Interpreter(
            model_content=model.data,
            experimental_op_resolver_type=kernels,
            experimental_preserve_all_tensors=everything,
            num_threads=1,
        )
        if model.main:
            # Only signatures give access to other graphs than the first one.
            signature = model.signature
            runner = interpreter.get_signature_runner(signature.key if signature else None)
            names = model.input_names()
            runner(**{names[number]: array for number, array in elements.items()})
            return interpreter
        for number, array in elements.items():
            if array.shape != tensors[number].shape:
                interpreter.resize_tensor_input(number, [*array.shape])
        interpreter.allocate_tensors()
        for number, array in elements.items():
            interpreter.set_tensor(number, array)
        interpreter.invoke()
        return interpreter


def _read(interpreter: Any, number: int, graph: int) -> Array | None:
    """Return a tensor of the last run; None for one that has no elements, such as a handle."""
    try:
        return np.array(interpreter.get_tensor(number, graph))
    except ValueError:
        return None


def _elements(tensor: TensorInfo, array: Array) -> Array:
    """Return numbers as the elements of a tensor of the model."""
    if tensor.quantization is not None and tensor.is_quantized and array.dtype.kind == "f":
        return codes(array, tensor.quantization, tensor.dtype or np.dtype(np.int8))
    return np.asarray(array, tensor.dtype)


def _numbers(tensor: TensorInfo, array: Array) -> Array:
    """Return the elements of a tensor of the model as numbers."""
    if tensor.quantization is not None and tensor.is_quantized:
        return real(array, tensor.quantization)
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Discard what LiteRT writes to the standard error stream of the process."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
