"""What each command does, compared with what the library does."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.cli import main
from nnefkit.language import format_document

IMAGE = np.array([[4.0, -5.0]], np.float32)
TEXT = "version 1.0;graph g(x)->(y){x=external(shape=[1]);y=copy(x);}"
BLAZEFACE = Path(__file__).parents[1] / "models" / "blazeface_front"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The values of the input of `model`."""
    path = tmp_path / "image.npy"
    np.save(path, IMAGE)
    return path


# -- validate ----------------------------------------------------------------------------------


def test_validate_tells_what_the_library_tells(broken: Path, nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("validate", broken)
    assert result == (1, f"{nk.validate(broken)}\n", "")
    assert "alpha" in result.out
    assert "Did you mean 'sigmoid'" in result.out


def test_validate_takes_several_models(
    model: Path, broken: Path, nnefkit: Callable[..., Any]
) -> None:
    result = nnefkit("validate", model, broken)
    assert result.status == 1
    assert f"{model}: valid" in result.out
    assert f"{broken}: not valid" in result.out
    assert nnefkit("validate", model).status == 0


def test_validate_writes_json(broken: Path, model: Path, nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("validate", "--json", broken, model)
    assert result.status == 1
    first, second = json.loads(result.out)
    expected = nk.validate(broken)
    assert first["file"] == str(broken)
    assert not first["ok"]
    assert first["errors"] == len(expected.errors) == 2
    for found, diagnostic in zip(first["diagnostics"], expected.diagnostics, strict=True):
        assert found == {
            "code": diagnostic.code,
            "severity": diagnostic.severity,
            "message": diagnostic.message,
            "file": diagnostic.file,
            "line": diagnostic.line,
            "column": diagnostic.column,
            "length": diagnostic.span.end - diagnostic.span.start if diagnostic.span else None,
            "hint": diagnostic.hint,
            "section": diagnostic.section,
        }
    assert (second["ok"], second["diagnostics"]) == (True, [])


def test_warnings_can_be_errors(model: Path, nnefkit: Callable[..., Any]) -> None:
    nk.write_tensor(model / "w.dat", np.array([[np.nan, 3.0]], np.float32))
    assert nnefkit("validate", model).status == 0
    assert nnefkit("validate", model, "--warnings-as-errors").status == 1


def test_unknown_operations_can_be_passed_over(
    broken: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    path = tmp_path / "vendor.nnef"
    path.write_text(broken.read_text().replace("y = relu(x, alpha = 1.0);\n", ""))
    assert nnefkit("validate", path).status == 1
    assert nnefkit("validate", path, "--no-strict").status == 0


# -- info --------------------------------------------------------------------------------------


def test_info_shows_the_graph(model: Path, nnefkit: Callable[..., Any]) -> None:
    assert nnefkit("info", model) == (0, f"{nk.load(model)!r}\n", "")


def test_info_writes_json(nnefkit: Callable[..., Any]) -> None:
    found = json.loads(nnefkit("info", BLAZEFACE / "blazeface_front.nnef", "--json").out)
    assert found["inputs"] == [{"name": "external1", "dtype": "scalar", "shape": [1, 128, 128, 3]}]
    assert found["operations"]["conv"] == 37
    assert found["variables"] == 74
    assert found["parameters"] == 101_390


def test_info_of_a_broken_model_tells_why(broken: Path, nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("info", broken)
    assert (result.status, result.out) == (1, "")
    assert result.err.count("error[") == 2


# -- format ------------------------------------------------------------------------------------

UGLY = "# c\r\nversion 1.0;graph g(x)->(y){x=external(shape=[1]);y=copy(x);}# caf\xe9"


@pytest.fixture
def ugly(tmp_path: Path) -> Path:
    """A document that is not laid out, and not UTF-8 either."""
    path = tmp_path / "graph.nnef"
    path.write_bytes(UGLY.encode("latin-1"))
    return path


def laid_out() -> bytes:
    return format_document(UGLY).encode("latin-1")


def test_format_writes_the_document(ugly: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["format", str(ugly)]) == 0
    assert capfdbinary.readouterr().out == laid_out()
    assert ugly.read_bytes() == UGLY.encode("latin-1")


def test_format_in_place_keeps_the_mode_and_bytes_that_are_no_text(
    ugly: Path, nnefkit: Callable[..., Any]
) -> None:
    ugly.chmod(0o640)
    assert nnefkit("format", "-i", ugly) == (0, "", f"laid out {ugly}\n")
    assert ugly.read_bytes() == laid_out()
    assert ugly.stat().st_mode & 0o777 == 0o640
    before = ugly.stat().st_mtime_ns
    assert nnefkit("format", "-i", ugly.parent) == (0, "", "")
    assert ugly.stat().st_mtime_ns == before
    assert [*ugly.parent.iterdir()] == [ugly]


def test_format_check_tells_what_would_change(ugly: Path, nnefkit: Callable[..., Any]) -> None:
    assert nnefkit("format", "--check", ugly) == (1, "", f"would lay out {ugly}\n")
    ugly.write_bytes(laid_out())
    assert nnefkit("format", "--check", ugly) == (0, "", "")


def test_format_diff_shows_what_would_change(model: Path, nnefkit: Callable[..., Any]) -> None:
    path = model / "graph.nnef"
    path.write_text(path.read_text().replace("mul(image, w)", "mul(image,w)"))
    result = nnefkit("format", "--diff", model)
    assert result.status == 0
    assert "\n-    y = mul(image,w);\n+    y = mul(image, w);\n" in result.out
    assert nnefkit("format", "--diff", "--check", model).status == 1


def test_format_reads_the_standard_input(
    nnefkit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert nnefkit("format", "-", "--indent", "2") == (0, format_document(TEXT, indent=2), "")


def test_a_broken_document_does_not_keep_others_from_being_laid_out(
    ugly: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    wrong = tmp_path / "wrong.nnef"
    wrong.write_text("version 1.0;\ngraph g(x) -> (y) { y = ; }\n")
    result = nnefkit("format", "-i", wrong, ugly)
    assert result.status == 1
    assert f"--> {wrong}:2:" in result.err
    assert ugly.read_bytes() == laid_out()
    assert wrong.read_text() == "version 1.0;\ngraph g(x) -> (y) { y = ; }\n"


def test_archives_are_not_laid_out(
    model: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    for name in ("m.tgz", "m.zip", "m.tar"):
        nnefkit("convert", model, tmp_path / name)
        result = nnefkit("format", "-i", tmp_path / name)
        assert result.status == 1
        assert "this is no text" in result.err


# -- run ---------------------------------------------------------------------------------------


def test_run_shows_the_outputs(model: Path, image: Path, nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("run", model, "--input", f"image={image}")
    assert result.status == 0
    assert result.out.startswith("<Tensor y: scalar 1×2 ")


@pytest.mark.parametrize("ending", ["npy", "npz", "dat"])
@pytest.mark.parametrize("named", [True, False])
def test_run_takes_inputs_of_every_kind(
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


def test_an_output_may_be_called_file(tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    path = tmp_path / "graph.nnef"
    path.write_text(
        "version 1.0; graph g(x) -> (file) { x = external(shape = [1, 2]); file = neg(x); }"
    )
    np.save(tmp_path / "x.npy", IMAGE)
    nnefkit("run", path, "--input", tmp_path / "x.npy", "-o", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as results:
        assert np.array_equal(results["file"], -IMAGE)


def test_run_keeps_a_trace(
    model: Path, image: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    nnefkit("run", model, "--input", image, "--trace", "-o", tmp_path / "trace.npz")
    trace = nk.Trace.load(tmp_path / "trace.npz")
    assert np.array_equal(trace["image"], IMAGE)
    shown = nnefkit("run", model, "--input", image, "--trace").out
    assert shown.startswith("trace  net · numpy")


def test_run_takes_the_fastest_engine_and_tells_which(
    model: Path, image: Path, nnefkit: Callable[..., Any]
) -> None:
    plain = nnefkit("run", model, "--input", image)
    assert plain.err == ""
    fast = nnefkit("run", model, "--input", image, "--engine", "auto", "--fallback", "numpy")
    assert fast.err == "engine: onnxruntime\n"
    assert len(fast.out.splitlines()) == len(plain.out.splitlines())


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([], "input 'image' is missing"),
        (["--input", "imagee={image}"], "has no input 'imagee'"),
        (["--input", "image={image}", "--input", "{image}"], "given twice"),
        (["--input", "image={many}"], "no tensor 'image' among the 2"),
        (["--input", "{many}"], "none of the inputs of the graph (image) is in the file"),
        (["--input", "image={image}", "--engine", "numpi"], "Did you mean 'numpy'?"),
        (["--input", "image={image}", "--fallback", "numpi"], "Did you mean 'numpy'?"),
    ],
)
def test_wrong_inputs_are_told(
    inputs: list[str],
    said: str,
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
    assert said in result.err


def test_a_real_model_gives_what_was_recorded(tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    recorded = BLAZEFACE / "io.npz"
    output = tmp_path / "result.npz"
    model = BLAZEFACE / "blazeface_front.nnef"
    assert nnefkit("run", model, "--input", recorded, "-o", output).status == 0
    assert nnefkit("compare", recorded, output).status == 0


# -- compare -----------------------------------------------------------------------------------


def test_compare_tells_where_runs_part(tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    a, b = tmp_path / "a.npz", tmp_path / "b.npz"
    np.savez(a, x=IMAGE, y=IMAGE)
    np.savez(b, x=IMAGE, y=IMAGE + 1)
    result = nnefkit("compare", a, b)
    assert result == (1, f"{nk.compare(a, b)!r}\n", "")
    assert "They part at y" in result.out
    assert nnefkit("compare", a, a).status == 0
    assert nnefkit("compare", a, b, "--tolerance", "0.5").status == 0


def test_compare_writes_json(tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    a, b = tmp_path / "a.npz", tmp_path / "b.npz"
    np.savez(a, x=IMAGE, y=IMAGE, z=IMAGE)
    np.savez(b, x=IMAGE, y=IMAGE + 1)
    found = json.loads(nnefkit("compare", a, b, "--json").out)
    assert (found["ok"], found["equal"], found["first_divergence"]) == (False, False, "y")
    assert found["only_in_a"] == ["z"]
    assert [row["tensor"] for row in found["tensors"]] == ["x", "y"]
    assert found["tensors"][1]["max_abs"] == 1.0
    # Infinite decibels are no JSON.
    assert found["tensors"][0]["snr_db"] is None


def test_what_cannot_be_compared_is_status_2(tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("compare", tmp_path / "a.npz", tmp_path / "b.npz")
    assert (result.status, result.out) == (2, "")
    assert "there is no such file" in result.err


# -- convert -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["m.nnef.tgz", "m.tgz", "m.tar.gz", "m.tar", "m.zip", "m", "m.nnef"]
)
def test_convert_keeps_every_byte(
    name: str, model: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    assert nnefkit("convert", model, tmp_path / "out" / name).status == 1
    (tmp_path / "out").mkdir()
    assert nnefkit("convert", model, tmp_path / "out" / name) == (0, "", "")
    assert nnefkit("convert", tmp_path / "out" / name, tmp_path / "back/") == (0, "", "")
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "back").iterdir()} == before
    assert sorted(before) == ["graph.nnef", "vendor.txt", "w.dat"]


def test_a_text_by_itself_takes_its_variables_along(
    model: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    nnefkit("convert", model / "graph.nnef", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["graph.nnef", "w.dat"]


def test_what_is_not_valid_is_not_converted(
    model: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    (model / "w.dat").unlink()
    result = nnefkit("convert", model, tmp_path / "out.zip")
    assert result.status == 1
    assert "w.dat" in result.err
    assert not (tmp_path / "out.zip").exists()


def test_other_endings_are_refused_with_what_there_is(
    model: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    for ending, what in ((".pt2", "models of PyTorch ('.pt2')"), (".xyz", "'.xyz'")):
        result = nnefkit("convert", model, tmp_path / f"out{ending}")
        assert result.status == 2
        assert f"{what} cannot be written" in result.err
        assert ".nnef.tgz, .tgz, .tar.gz, .tar, .zip" in result.err
    # A folder that exists may be called as it likes.
    (tmp_path / "v1.2").mkdir()
    assert nnefkit("convert", model, tmp_path / "v1.2").status == 0
