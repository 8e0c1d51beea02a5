"""``nnefkit convert`` from Caffe2 to NNEF."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oracles.caffe2_references import init_net, predict_net

import nnefkit as nk

pytest.importorskip("google.protobuf")


@pytest.mark.parametrize("source", ["", "predict_net.pb", "init_net.pb"])
def test_a_network_is_converted_from_its_folder_or_one_of_its_nets(
    tmp_path: Path, nnefkit: Callable[..., Any], source: str
) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "init_net.pb").write_bytes(init_net("digits"))
    (folder / "predict_net.pb").write_bytes(predict_net("digits"))
    target = tmp_path / "net.nnef.tgz"
    shape = "data=2x1x8x8"
    result = nnefkit("convert", folder / source, target, "--no-verify", "--input-shape", shape)
    assert (result.status, result.err) == (0, "")
    assert "not verified" in result.out
    graph = nk.load(target)
    assert graph.outputs == ("prob",)
    assert graph.tensors["prob"].shape == (2, 10)


def test_nets_and_graphs_of_tensorflow_are_told_apart(tmp_path: Path) -> None:
    from nnefkit.storage.caffe2_files import is_caffe2_net

    contents = {
        "net.pb": predict_net("digits"),
        "init.pb": init_net("digits"),
        "unnamed.pb": b"\x12\x0c\x0a\x01x\x12\x01y\x22\x04Relu",
        "net.pbtxt": b'name: "net"\nop { type: "Relu" }',
    }
    others = {
        "graph.pb": b"\n\x0b\n\x01x\x12\x06Square",
        "graph.pbtxt": b'node { name: "x" op: "Square" }',
        "empty.pb": b"",
        "net.txt": b'op { type: "Relu" }',
    }
    for name, data in {**contents, **others}.items():
        (tmp_path / name).write_bytes(data)
        assert is_caffe2_net(tmp_path / name) == (name in contents), name
