"""The test sets of the `onnx` package, and the verdict on each case."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import nnefkit as nk
from nnefkit.errors import NnefError


@dataclass(frozen=True)
class Case:
    name: str
    model: Any
    inputs: list[Any]
    outputs: list[Any]
    rtol: float = 1e-3
    atol: float = 1e-7


@dataclass(frozen=True)
class Verdict:
    name: str
    operator: str
    result: str
    """passed, fixed (passed with parameters as constants), refused, wrong or crashed."""
    reason: str = ""


@cache
def node_cases() -> tuple[Case, ...]:
    """Return the cases of single operators; most are repeated in ONNX's own definition of them."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    return tuple(
        Case(
            t.name,
            t.model,
            [_array(value) for value in t.data_sets[0][0]],
            [_array(value) for value in t.data_sets[0][1]],
            t.rtol,
            t.atol,
        )
        for t in cases
        if t.data_sets
    )


def _array(value: Any) -> Any:
    from onnx import TensorProto, numpy_helper

    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    return np.asarray(value) if isinstance(value, np.generic) else value


def stored_cases(folder: str) -> Iterator[Case]:
    """Yield the cases of a folder of models, such as ``pytorch-converted``."""
    import onnx
    from onnx import numpy_helper

    root = Path(onnx.__file__).parent / "backend" / "test" / "data" / folder
    for path in sorted(root.iterdir()):
        model = onnx.load(path / "model.onnx")
        data = path / "test_data_set_0"

        def values(kind: str, infos: Any, data: Path = data) -> list[Any]:
            arrays = []
            for number, info in enumerate(infos):
                file = data / f"{kind}_{number}.pb"
                if not file.exists():
                    break
                if not info.type.HasField("tensor_type"):
                    arrays.append(None)
                    continue
                tensor = onnx.TensorProto.FromString(file.read_bytes())
                arrays.append(numpy_helper.to_array(tensor))
            return arrays

        weights = {tensor.name for tensor in model.graph.initializer}
        inputs = [info for info in model.graph.input if info.name not in weights]
        yield Case(path.name, model, values("input", inputs), values("output", model.graph.output))


@cache
def verdicts(which: str) -> tuple[Verdict, ...]:
    """Return the verdicts on a set: ``node``, or a folder of models."""
    return tuple(map(judge, node_cases() if which == "node" else stored_cases(which)))


def judge(case: Case) -> Verdict:
    """Read a case and run it on its data with NumPy."""
    weights = {tensor.name for tensor in case.model.graph.initializer}
    names = [info.name for info in case.model.graph.input if info.name not in weights]
    given = dict(zip(names, case.inputs, strict=False))
    kinds = list(dict.fromkeys(node.op_type for node in case.model.graph.node))
    operator = kinds[0] if len(kinds) == 1 else ""
    reasons = []
    if any(_exceeds_float32(value) for value in given.values()):
        reason = "the recorded data exceed float32, in which graphs without weights run"
        return Verdict(case.name, operator, "refused", reason)
    for number, fixed in enumerate(_choices(given)):
        try:
            result = _run(case, given, fixed)
        except NnefError as error:
            reasons.append(error.diagnostics[0].message)
            if "could not be read" in reasons[-1]:
                return Verdict(case.name, operator, "crashed", reasons[-1])
            continue
        except Exception as error:  # noqa: BLE001 - a crash is a verdict
            return Verdict(case.name, operator, "crashed", f"{type(error).__name__}: {error}")
        if result:
            return Verdict(case.name, operator, "wrong", result)
        return Verdict(case.name, operator, "fixed" if number else "passed")
    return Verdict(case.name, operator, "refused", reasons[0])


def _exceeds_float32(value: Any) -> bool:
    if not isinstance(value, np.ndarray) or value.dtype != np.float64:
        return False
    finite = np.abs(value[np.isfinite(value)])
    return bool((finite > np.finfo(np.float32).max).any())


def _choices(given: dict[str, Any]) -> list[list[str]]:
    """Return choices of constant inputs: none; integers after the first; all after the first."""
    names = [name for name, value in given.items() if isinstance(value, np.ndarray)]
    whole = [name for name in names[1:] if given[name].dtype.kind in "iub"]
    choices = [[], whole, names[1:], names if names and given[names[0]].dtype.kind in "iub" else []]
    return [choice for number, choice in enumerate(choices) if choice not in choices[:number]]


def _run(case: Case, given: dict[str, Any], fixed: list[str]) -> str:
    shapes = {
        name: value.shape
        for name, value in given.items()
        if name not in fixed and isinstance(value, np.ndarray)
    }
    constants = {name: given[name] for name in fixed}
    graph = nk.from_onnx(case.model, shapes, constants=constants, verify=False)
    if not graph.inputs and given:
        raise NnefError("the result is constant")
    feeds = {name: given[graph.tensors[name].origin or name] for name in graph.inputs}
    actual = nk.run(graph, feeds, progress=False)
    for name, expected in zip(graph.outputs, case.outputs, strict=True):
        problem = _difference(actual[name], expected, case)
        if problem:
            return f"'{name}': {problem}"
    return ""


def _difference(actual: np.ndarray[Any, Any], expected: Any, case: Case) -> str:
    expected = np.asarray(expected)
    if expected.dtype.kind not in "fiub":
        expected = expected.astype(np.float32)
    if actual.shape != expected.shape:
        return f"shape {actual.shape} instead of {expected.shape}"
    kinds = actual.dtype.kind.replace("u", "i"), expected.dtype.kind.replace("u", "i")
    if kinds[0] != kinds[1]:
        return f"{actual.dtype} instead of {expected.dtype}"
    # Half precision has only so many digits.
    half = 2e-3 if expected.dtype == np.float16 else 0.0
    rtol, atol = max(case.rtol, half), max(case.atol, half)
    # The order of a sum changes small elements by the rounding of the large ones.
    finite = expected[np.isfinite(expected)] if expected.dtype.kind == "f" else np.zeros(0)
    atol = max(atol, 2e-7 * float(np.abs(finite).max(initial=0)))
    if not np.allclose(actual, expected, rtol, atol, equal_nan=True):
        return f"differs by {np.nanmax(np.abs(actual.astype(float) - expected.astype(float))):.3g}"
    return ""
