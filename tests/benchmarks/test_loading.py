"""Time to open models, compared with the Khronos package in the same run."""

from pathlib import Path

import nnef
import numpy as np
import pytest

from nnefkit import io
from nnefkit.storage import read_tensor, tensor_content, write_model, write_tensor

MODELS = Path(__file__).parents[1] / "models"
SMALL = MODELS / "blazeface_front" / "blazeface_front.nnef"
ARCHIVE = MODELS / "efficientnet_lite0" / "efficientnet_lite0.nnef.tgz"


@pytest.fixture(scope="module")
def hundred_megabytes(tmp_path_factory):
    """A folder of 25 variables of 4 MB."""
    shape = (64, 64, 25, 10)
    names = [f"v{k}" for k in range(25)]
    lines = [f"{n} = variable<scalar>(shape = {[*shape]}, label = '{n}');\n" for n in names]
    text = (
        "version 1.0;\ngraph g(x) -> (v0)\n{\nx = external(shape = [1]);\n" + "".join(lines) + "}"
    )
    path = tmp_path_factory.mktemp("large") / "model"
    weights = tensor_content(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    write_model(path, {"graph.nnef": text.encode()} | {f"{n}.dat": weights for n in names})
    return path


@pytest.mark.benchmark(group="open a folder with 100 MB of weights")
def test_nnefkit_opens_a_large_folder(benchmark, hundred_megabytes):
    benchmark(io.load, hundred_megabytes)


@pytest.mark.benchmark(group="open a folder with 100 MB of weights")
def test_khronos_opens_a_large_folder(benchmark, hundred_megabytes):
    benchmark(nnef.load_graph, str(hundred_megabytes))


@pytest.mark.benchmark(group="open a folder with 74 small files")
def test_nnefkit_opens_a_small_folder(benchmark):
    benchmark(io.load, SMALL)


@pytest.mark.benchmark(group="open a folder with 74 small files")
def test_khronos_opens_a_small_folder(benchmark):
    benchmark(nnef.load_graph, str(SMALL))


@pytest.mark.benchmark(group="open an archive of 17 MB")
def test_nnefkit_opens_an_archive(benchmark):
    benchmark(io.load, ARCHIVE)


@pytest.mark.benchmark(group="save a model of 19 MB")
@pytest.mark.parametrize("name", ["m.nnef", "m.tar", "m.zip", "m.nnef.tgz"])
def test_nnefkit_saves(benchmark, tmp_path, name):
    graph = io.load(ARCHIVE)
    benchmark.pedantic(io.save, (graph, tmp_path / name), rounds=3)


@pytest.mark.benchmark(group="items of 12 bits, 1 M of them")
@pytest.mark.parametrize("action", ["write", "read"])
def test_nnefkit_packs_and_unpacks(benchmark, tmp_path, action):
    path, array = tmp_path / "x.dat", np.arange(1 << 20, dtype=np.uint16) % 4096
    write_tensor(path, array, bits=12)
    if action == "write":
        benchmark(write_tensor, path, array, bits=12)
    else:
        benchmark(read_tensor, path)
