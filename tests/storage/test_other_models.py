"""Files of other frameworks lead to the functions that read and write them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import nnefkit as nk
from nnefkit.storage.other_models import OTHER_MODELS

GRAPH = nk.parse("version 1.0; graph g(x) -> (y) { x = external(shape = [2]); y = relu(x); }")


@pytest.mark.parametrize("ending", OTHER_MODELS)
def test_a_graph_is_not_saved_under_the_name_of_another_file(ending: str, tmp_path: Path) -> None:
    for name in (f"model{ending}", f"Model{ending.upper()}"):
        with pytest.raises(nk.InputError, match="does not write") as caught:
            nk.save(GRAPH, tmp_path / name)
        assert caught.value.diagnostics[0].hint
    assert list(tmp_path.iterdir()) == []


def test_the_hints_name_functions_that_do_it(tmp_path: Path) -> None:
    with pytest.raises(nk.InputError, match=r"nnefkit\.to_onnx\(graph, path\) writes one"):
        nk.save(GRAPH, tmp_path / "m.onnx")
    for other in OTHER_MODELS.values():
        for name in re.findall(r"nnefkit\.(\w+)", other.reading + other.writing):
            assert hasattr(nk, name)


@pytest.mark.parametrize("name", ["model", "model.nnef", "model.v1", "resnet.50", "net.nnef.tgz"])
def test_other_names_are_written_as_before(name: str, tmp_path: Path) -> None:
    nk.save(GRAPH, tmp_path / name)
    assert str(nk.load(tmp_path / name)) == str(GRAPH)


def test_an_existing_folder_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "model.pb").mkdir()
    nk.save(GRAPH, tmp_path / "model.pb")
    assert nk.load(tmp_path / "model.pb").outputs == ("y",)


def test_loading_them_names_what_reads_them(tmp_path: Path) -> None:
    nk.to_onnx(GRAPH, tmp_path / "m.onnx")
    onnx.load(tmp_path / "m.onnx")
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "m.pt")
    program = torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),))
    torch.export.save(program, tmp_path / "m.pt2")
    np.savez(tmp_path / "m.npz", x=np.zeros(3))
    (tmp_path / "m.tflite").write_bytes(b"\x18\0\0\0TFL3\0\0")
    for name, words in {
        "m.onnx": r"nnefkit\.from_onnx\(path\) reads it",
        "m.pt": r"nnefkit\.from_torch\(module, example_inputs\)",
        "m.pt2": r"nnefkit\.from_torch\(path\) reads it",
        "m.npz": "a file of tensors",
        "m.tflite": "a TensorFlow Lite model",
    }.items():
        with pytest.raises(nk.StorageError, match=words):
            nk.load(tmp_path / name)
        report = nk.validate(tmp_path / name)
        assert not report.ok
        assert re.search(words, report.errors[0].hint)
