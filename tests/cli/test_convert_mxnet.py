"""``nnefkit convert`` from MXNet to NNEF."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from oracles.mxnet_references import params, symbol

import nnefkit as nk


def test_a_network_is_converted_with_the_highest_epoch_beside_it(
    tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    source = tmp_path / "net-symbol.json"
    source.write_bytes(symbol("digits"))
    (tmp_path / "net-0012.params").write_bytes(params("digits"))
    (tmp_path / "net-0003.params").write_bytes(b"an older epoch, which is not read")
    (tmp_path / "net-deep-0099.params").write_bytes(b"of another network")
    target = tmp_path / "net.nnef.tgz"
    shape = ("--input-shape", "data=1x1x8x8")
    result = nnefkit("convert", source, target, "--no-verify", *shape)
    assert (result.status, result.err) == (0, "")
    assert nk.load(target).outputs == ("softmax_output",)
    result = nnefkit("convert", source, tmp_path / "other.nnef.tgz", "--no-verify")
    assert result.status == 2
    assert "'data'" in result.err
    result = nnefkit("convert", tmp_path / "net-0012.params", tmp_path / "third.nnef.tgz")
    assert result.status == 2
    assert "net-symbol.json" in result.err
