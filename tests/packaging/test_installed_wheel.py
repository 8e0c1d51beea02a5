"""The wheel alone, in a fresh environment outside of the checkout, does what a notebook needs.

With the newest releases of what it requires, and with the oldest that `pyproject.toml` admits. The
sdist builds the same wheel. These tests install packages: `pytest tests/packaging --install`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

pytestmark = [pytest.mark.install, pytest.mark.slow]

USED = """
import sys
import nnefkit as nk
import numpy as np

assert "site-packages" in nk.__file__, nk.__file__
text = '''version 1.0;
graph net(x) -> (y)
{
    x = external(shape = [1, 2, 8, 8]);
    w = variable(shape = [3, 2, 3, 3], label = 'w');
    c = conv(x, w, 0.0);
    y = relu(c);
}
'''
assert nk.validate(text).ok
graph = nk.parse(text).with_data({"w": np.ones((3, 2, 3, 3), np.float32)})
nk.save(graph, "model.nnef.tgz")
graph = nk.load("model.nnef.tgz")
x = np.ones((1, 2, 8, 8), np.float32)
assert nk.run(graph, x)["y"].max() == 18
trace = nk.trace(graph, x)
comparison = nk.compare(trace, trace)
for shown in (graph, graph.operations[0], trace, comparison, nk.validate(text), nk.engines()):
    assert len(repr(shown)) > 10
    assert "<" in shown._repr_html_()
assert nk.plot.heat_map(trace["y"][0, 0]) is not None
assert "export default" in nk.view(graph, trace).get_state()["_esm"]
assert not {"torch", "onnx", "onnxruntime", "tract", "jupyterlab"} & {*sys.modules}
try:
    nk.to_onnx(graph)
except nk.MissingPackageError as error:
    assert 'pip install "nnefkit[onnx]"' in str(error)
else:
    raise AssertionError("ONNX is not installed here")
print("used", np.__version__)
"""


def run(*command: object, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, and the wheel that the sdist builds in `again`."""
    folder = tmp_path_factory.mktemp("built")
    builder = folder / "environment"
    run(sys.executable, "-m", "venv", builder)
    run(builder / "bin/pip", "install", "--quiet", "build")
    run(builder / "bin/python", "-m", "build", "--outdir", folder, ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    pip = builder / "bin/pip"
    run(pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder / "again", sdist)
    return folder


def test_the_sdist_builds_the_same_wheel(built: Path) -> None:
    contents = []
    for folder in (built, built / "again"):
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            contents.append({name: archive.read(name) for name in archive.namelist()})
    assert contents[0] == contents[1]
    for file in ("standard.nnef", "workbench/workbench.js", "workbench/workbench.css"):
        assert any(name.endswith(file) for name in contents[0])
    assert any(name.endswith("py.typed") for name in contents[0])
    assert all(name.startswith("nnefkit") for name in contents[0])


def lowest(requirement: str) -> str:
    """The oldest release that a requirement of the form ``name>=version`` admits."""
    name, version = re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement).groups()  # type: ignore[union-attr]
    return f"{name}=={version}"


@pytest.mark.parametrize("versions", ["newest", "lowest"])
def test_the_wheel_alone_does_what_a_notebook_needs(
    built: Path, tmp_path: Path, versions: str
) -> None:
    (wheel,) = built.glob("*.whl")
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", environment)
    pinned = [lowest(line) for line in PROJECT["dependencies"]] if versions == "lowest" else []
    run(environment / "bin/pip", "install", "--quiet", wheel, *pinned)
    (tmp_path / "used.py").write_text(USED, encoding="utf-8")
    python = environment / "bin/python"
    # Old releases warn of each other.
    strict = ["-W", "error"] if versions == "newest" else []
    assert "used" in run(python, *strict, "used.py", cwd=tmp_path)
    assert "1 error" in run(
        python,
        "-c",
        "import subprocess, sys; print(subprocess.run([sys.argv[1], 'validate', 'bad.nnef'],"
        " capture_output=True, text=True).stdout)",
        environment / "bin/nnefkit",
        cwd=_with_a_bad_document(tmp_path),
    )


def _with_a_bad_document(folder: Path) -> Path:
    text = (
        "version 1.0;\ngraph g(x) -> (y)\n{\n    x = external(shape = [1]);\n    y = rely(x);\n}\n"
    )
    (folder / "bad.nnef").write_text(text, encoding="utf-8")
    return folder
