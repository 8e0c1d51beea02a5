"""TFLite models with recorded inputs, outputs and inner tensors, and the verdict on each of them.

They are in ``tests/models/tflite``: single operators and networks as converters of TensorFlow wrote
them, and models that were written field by field. The numbers are those of LiteRT's plain kernels.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import nnefkit as nk
from nnefkit.exchange.layout import as_in_source

FOLDER = Path(__file__).parents[1] / "models" / "tflite"
SETS = ("operators", "networks", "written")
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Verdict:
    name: str
    result: str
    """equal (within 1e-5), codes (of a quantized model), rounded (LiteRT rounds the inputs of its
    layers to codes in each run), refused or wrong."""
    difference: float = 0.0
    """The largest one: relative to the largest element, or in codes."""
    equal: float = 1.0
    """The share of codes that are equal."""
    reason: str = ""


@cache
def _members(name: str) -> Mapping[str, bytes]:
    with zipfile.ZipFile(FOLDER / f"{name}.zip") as archive:
        return {each: archive.read(each) for each in archive.namelist()}


@cache
def names() -> tuple[str, ...]:
    """Return the names of all models: set/path without ending."""
    return tuple(
        f"{each}/{member.removesuffix('.tflite')}"
        for each in SETS
        for member in _members(each)
        if member.endswith(".tflite")
    )


def model(name: str) -> bytes:
    """Return the bytes of a model."""
    group, _, path = name.partition("/")
    return _members(group)[f"{path}.tflite"]


def recorded(name: str) -> dict[str, Any]:
    """Return the recorded tensors of a model: ``inputs/x``, ``outputs/y``, ``tensors/3``."""
    group, _, path = name.partition("/")
    if f"{path}.npz" not in _members(group):
        return {}
    with np.load(io.BytesIO(_members(group)[f"{path}.npz"])) as file:
        return dict(file)


def output_names(name: str) -> Mapping[str, str]:
    """Return the name of an output tensor -> its name in the recorded outputs, if they differ."""
    group, _, path = name.partition("/")
    if group != "operators":
        return {}
    named: Mapping[str, Mapping[str, str]] = json.loads(_members(group)["outputs.json"])
    return named.get(path, {})


class Reference:
    """A model, opened, with its recorded tensors as numbers."""

    def __init__(self, name: str) -> None:
        from nnefkit.exchange.tflite.opened_model import open_model

        self.name = name
        self.recorded = recorded(name)
        opened = open_model(model(name), open_shapes=True)
        names = opened.input_names()
        shapes = {
            names[number]: self._array("inputs", (names[number],)).shape
            for number in opened.graph.inputs
            if opened.graph.tensors[number].open_axes and self.recorded
        }
        self.input_shapes = shapes
        self.opened = open_model(opened, shapes)

    def graph(self) -> nk.Graph:
        return nk.from_tflite(model(self.name), self.input_shapes, verify=False, progress=False)

    @property
    def calls(self) -> list[str]:
        """The suffixes of the calls that were recorded in turn."""
        return sorted({key.partition("@")[2] for key in self.recorded if "@" in key}) or [""]

    @property
    def is_quantized(self) -> bool:
        """Whether the model computes with codes."""
        return any(t.is_quantized and t.data is None for t in self.opened.graph.tensors)

    @property
    def is_rounded(self) -> bool:
        """Whether LiteRT rounds the inputs of layers, whose weights alone are codes."""
        return any(t.is_quantized for t in self.opened.graph.tensors) and not self.is_quantized

    def inputs(self, graph: nk.Graph, call: str = "") -> dict[str, Any]:
        """Return the inputs of a call as numbers, by the names of the graph."""
        model_graph, names = self.opened.graph, self.opened.input_names()
        numbers = {model_graph.source_name(n): n for n in model_graph.inputs}
        feeds = {}
        for name in graph.inputs:
            origin = graph.tensors[name].origin or name
            number = numbers[origin]
            array = self._array("inputs", (names[number], origin, name), call)
            feeds[name] = self.as_numbers(number, array)
        return feeds

    def outputs(self, call: str = "") -> list[Any]:
        """Return the outputs of a call as numbers, in order."""
        other = output_names(self.name)
        results = []
        for name, number in self.opened.output_names():
            candidates = (name, self.opened.graph.source_name(number), other.get(name, name))
            results.append(self.as_numbers(number, self._array("outputs", candidates, call)))
        return results

    def codes(self, number: int, numbers: Any) -> Any:
        """Return the codes of numbers in a tensor of the model."""
        from nnefkit.exchange.tflite.constants import codes

        tensor = self.opened.graph.tensors[number]
        assert tensor.quantization is not None
        return codes(np.asarray(numbers), tensor.quantization, tensor.dtype).astype(np.int64)

    def as_numbers(self, number: int, array: Any) -> Any:
        """Return what a tensor of the model holds as numbers."""
        from nnefkit.exchange.tflite.constants import real

        tensor = self.opened.graph.tensors[number]
        if tensor.quantization is not None and tensor.is_quantized and array.dtype.kind in "iu":
            return real(array, tensor.quantization)
        return array

    def _array(self, kind: str, candidates: tuple[str, ...], call: str = "") -> Any:
        suffix = f"@{call}" if call else ""
        for candidate in candidates:
            if (key := f"{kind}/{candidate}{suffix}") in self.recorded:
                return self.recorded[key]
        raise KeyError(f"{self.name}: {candidates} of {[*self.recorded]}")


@cache
def verdict(name: str) -> Verdict:
    """Return whether the graph of a model computes what was recorded."""
    try:
        reference = Reference(name)
        graph = reference.graph()
    except nk.NnefError as error:
        return Verdict(name, "refused", reason=error.diagnostics[0].message)
    if reference.is_quantized:
        return _in_codes(reference, graph)
    session = nk.Session(graph)
    largest = 0.0
    for call in reference.calls:
        outputs = session.run(reference.inputs(graph, call))
        for array, expected in zip(outputs.values(), reference.outputs(call), strict=True):
            largest = max(largest, _difference(np.asarray(array), expected))
    if largest <= TOLERANCE:
        return Verdict(name, "equal", largest)
    return Verdict(name, "rounded" if reference.is_rounded else "wrong", largest)


def _difference(array: Any, expected: Any) -> float:
    if array.shape != expected.shape:
        return float("inf")
    a, b = array.astype(np.float64), expected.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        distance = np.where(same, 0.0, np.abs(a - b))
    scale = max(1.0, float(np.abs(b[np.isfinite(b)]).max(initial=0.0)))
    worst = float(distance.max(initial=0.0)) / scale
    return float("inf") if np.isnan(worst) else worst


def own_differences(name: str) -> dict[str, float]:
    """Return the largest difference of each tensor, in codes, with what was recorded.

    Each operation reads what LiteRT recorded for its inputs, so that no difference of another one
    is in it.
    """
    reference = Reference(name)
    graph = reference.graph()
    layouts = graph.provenance.get("layouts", {})
    numbers = {
        reference.opened.graph.source_name(number): number
        for number, tensor in enumerate(reference.opened.graph.tensors)
        if tensor.is_quantized and f"tensors/{number}" in reference.recorded
    }
    found = {}
    steps = nk.step(graph, reference.inputs(graph), quantized=True)
    for step in steps:
        for name_, array in step.outputs.items():
            tensor = graph.tensors.get(name_)  # or the numbers before they are rounded
            number = None if tensor is None else numbers.get(tensor.origin or "")
            if tensor is None or number is None or not tensor.quantization:
                continue
            expected = reference.as_numbers(number, reference.recorded[f"tensors/{number}"])
            expected = expected.transpose(layouts.get(name_, range(expected.ndim)))
            distance = np.abs(np.asarray(array, np.float64) - expected).max()
            found[name_] = float(distance / tensor.quantization["scale"])
            steps.replace(name_, expected)
    return found


def _in_codes(reference: Reference, graph: nk.Graph) -> Verdict:
    """Compare the codes of all recorded tensors of a run with quantization info."""
    trace = nk.trace(graph, reference.inputs(graph), quantized=True)
    model_graph = reference.opened.graph
    named = {t.origin: n for n, t in graph.tensors.items() if t.origin and n in trace}

    def numbers(name: str) -> Any:
        return as_in_source(graph, name, trace[name])

    pairs = []
    for number, tensor in enumerate(model_graph.tensors):
        name = named.get(model_graph.source_name(number))
        key = f"tensors/{number}"
        if name is None or key not in reference.recorded or not tensor.is_quantized:
            continue
        codes = reference.codes(number, numbers(name))
        pairs.append((codes, reference.recorded[key].astype(np.int64)))
    outputs = zip(reference.opened.output_names(), graph.outputs, reference.outputs(), strict=True)
    for (_, number), name, expected in outputs:
        if model_graph.tensors[number].is_quantized:
            pairs.append(
                (reference.codes(number, numbers(name)), reference.codes(number, expected))
            )
    if any(codes.shape != expected.shape for codes, expected in pairs):
        return Verdict(reference.name, "wrong", float("inf"), reason="another shape")
    distances = np.concatenate([np.abs(a - b).reshape(-1) for a, b in pairs])
    share = float((distances == 0).mean())
    return Verdict(reference.name, "codes", float(distances.max()), share)
