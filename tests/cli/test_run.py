"""``nnefkit run``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnefkit as nk

IMAGE = np.array([[4.0, -5.0]], np.float32)
BLAZEFACE = Path(__file__).parents[1] / "models" / "blazeface_front"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A file with the values of the input of `model`."""
    path = tmp_path / "image.npy"
    np.save(path, IMAGE)
    return path


def test_run_shows_the_outputs(model: Path, image: Path, nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("run", model, "--input", f"image={image}")
    assert result.status == 0
    assert result.out.startswith("<Tensor y: float32 1×2 ")


@pytest.mark.parametrize("ending", ["npy", "npz", "dat"])
@pytest.mark.parametrize("named", [True, False])
def test_run_reads_inputs_in_every_format(
    ending: str, named: bool, model: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    path = tmp_path / f"some.{ending}"
    if ending == "npy":
        np.save(path, IMAGE)
    elif ending == "npz":
        np.savez(path, image=IMAGE, other=IMAGE + 1)
    else:
        nk.write_tensor(path, IMAGE)
    output = tmp_path / "result.npz"
    argument = f"image={path}" if named else path
    assert nnefkit("run", model, "--input", argument, "-o", output) == (0, "", "")
    with np.load(output) as results:
        assert results.files == ["y"]
        assert np.array_equal(results["y"], [[8.0, -15.0]])


def test_run_writes_a_folder(
    model: Path, image: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    nnefkit("run", model, "--input", image, "--output-dir", tmp_path / "new" / "results")
    assert np.array_equal(np.load(tmp_path / "new" / "results" / "y.npy"), [[8.0, -15.0]])


def test_an_output_can_be_called_file(tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    path = tmp_path / "graph.nnef"
    path.write_text(
        "version 1.0; graph g(x) -> (file) { x = external(shape = [1, 2]); file = neg(x); }"
    )
    np.save(tmp_path / "x.npy", IMAGE)
    nnefkit("run", path, "--input", tmp_path / "x.npy", "-o", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as results:
        assert np.array_equal(results["file"], -IMAGE)


def test_run_saves_a_trace(
    model: Path, image: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    nnefkit("run", model, "--input", image, "--trace", "-o", tmp_path / "trace.npz")
    trace = nk.Trace.load(tmp_path / "trace.npz")
    assert np.array_equal(trace["image"], IMAGE)
    shown = nnefkit("run", model, "--input", image, "--trace").out
    assert shown.startswith("trace  net · numpy")


def test_run_chooses_the_fastest_engine_and_prints_its_name(
    model: Path, image: Path, nnefkit: Callable[..., Any]
) -> None:
    plain = nnefkit("run", model, "--input", image)
    assert plain.err == ""
    fast = nnefkit("run", model, "--input", image, "--engine", "auto", "--fallback", "numpy")
    assert fast.err == "engine: onnxruntime\n"
    assert len(fast.out.splitlines()) == len(plain.out.splitlines())


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "input 'image' is missing"),
        (["--input", "imagee={image}"], "has no input 'imagee'"),
        (["--input", "image={image}", "--input", "{image}"], "given twice"),
        (["--input", "image={many}"], "has 2 tensors, but no 'image'"),
        (["--input", "{many}"], "none of the inputs of the graph (image)"),
        (["--input", "image={image}", "--engine", "numpi"], "Did you mean 'numpy'?"),
        (["--input", "image={image}", "--fallback", "numpi"], "Did you mean 'numpy'?"),
    ],
)
def test_wrong_inputs_are_reported(
    inputs: list[str],
    message: str,
    model: Path,
    image: Path,
    tmp_path: Path,
    nnefkit: Callable[..., Any],
) -> None:
    many = tmp_path / "many.npz"
    np.savez(many, a=IMAGE, b=IMAGE)
    arguments = [argument.format(image=image, many=many) for argument in inputs]
    result = nnefkit("run", model, *arguments)
    assert (result.status, result.out) == (2, "")
    assert message in result.err


def test_a_real_model_reproduces_its_recorded_outputs(
    tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    recorded = BLAZEFACE / "io.npz"
    output = tmp_path / "result.npz"
    model = BLAZEFACE / "blazeface_front.nnef"
    assert nnefkit("run", model, "--input", recorded, "-o", output).status == 0
    assert nnefkit("compare", recorded, output).status == 0
