"""What `import nnefkit` promises: the public names, quickly and silently."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import nnefkit as nk

HEAVY = (
    *("matplotlib", "PIL", "ipywidgets", "anywidget", "IPython", "jupyterlab"),
    *("onnx", "onnxruntime", "torch", "tract", "tensorflow"),
)


def test_importing_loads_no_optional_and_no_heavy_package_and_prints_nothing() -> None:
    code = f"import sys, nnefkit; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("name", sorted(nk.__all__))
def test_every_public_name_exists_and_is_documented(name: str) -> None:
    assert getattr(nk, name).__doc__


def test_unknown_names_are_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        _ = nk.nothing_of_that_name


def test_the_version_is_the_one_of_the_package() -> None:
    from importlib.metadata import version

    assert nk.__version__ == version("nnefkit")


def test_lazy_rooms_are_listed_for_completion() -> None:
    assert {"plot", "widgets", "load"} <= set(dir(nk))


def test_modules_stay_small() -> None:
    """A file that outgrows its room is told by name; tables of data have a file of their own."""
    package = Path(nk.__file__).parent
    long = {
        str(path.relative_to(package)): lines
        for path in package.rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 450
    }
    assert long == {}


def test_every_public_name_has_a_home_and_nothing_else() -> None:
    assert {*nk._HOMES, "plot", "widgets"} == set(nk.__all__)


def test_importing_takes_no_room_along() -> None:
    code = "import sys, nnefkit; print(sorted(m for m in sys.modules if m.startswith('nnefkit')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['nnefkit']"


def test_using_it_loads_no_optional_and_no_heavy_package() -> None:
    code = (
        "import sys, numpy as np, nnefkit as nk\n"
        "g = nk.parse('version 1.0; graph g(x) -> (y) { x = external(shape = [1, 2]);"
        " y = relu(x); }')\n"
        "t = nk.trace(g, np.ones((1, 2), np.float32)); nk.compare(t, t)\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
