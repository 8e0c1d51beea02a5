"""What `import nnefkit` promises: the public names, quickly and silently."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nnefkit as nk

HEAVY = (
    *("matplotlib", "PIL", "ipywidgets", "anywidget", "IPython", "jupyterlab"),
    *("onnx", "onnxruntime", "torch", "tract", "tensorflow", "cv2"),
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
    assert {"compat", "plot", "widgets", "load"} <= set(dir(nk))


def _private_names(path: Path) -> Iterator[str]:
    """Names of the package that begin with an underscore, as a test uses them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nnefkit"):
            imported |= {alias.asname or alias.name for alias in node.names}
            yield from (alias.name for alias in node.names if _is_private(alias.name))
        if isinstance(node, ast.Import):
            imported |= {
                alias.asname or "nnefkit"
                for alias in node.names
                if alias.name.partition(".")[0] == "nnefkit"
            }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_private(node.attr):
            root: ast.expr = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id in imported:
                yield ast.unparse(node)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".setattr", ".object")):
            for argument in node.args[:2]:
                value = getattr(argument, "value", "")
                if isinstance(value, str) and any(map(_is_private, value.split("."))):
                    yield ast.unparse(node)


def _is_private(name: str) -> bool:
    hooks = ("_repr_html_", "_repr_mimebundle_", "_card")  # called by notebooks, and by displays
    return name.startswith("_") and not name.startswith("__") and name not in hooks


def test_no_test_uses_private_names() -> None:
    tests = Path(__file__).parent
    used = {
        str(path.relative_to(tests)): names
        for path in tests.rglob("*.py")
        if (names := sorted(_private_names(path)))
    }
    assert used == {}


def test_modules_stay_small() -> None:
    """A file that is too long is reported by name; tables of data are in separate files."""
    package = Path(nk.__file__).parent
    long = {
        str(path.relative_to(package)): lines
        for path in package.rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 450
    }
    assert long == {}


PARALLEL = {"Call"}
"""Both front ends derive a class of this name from `nnefkit.exchange.call.OperatorCall`."""
KHRONOS = {"Graph", "Operation", "Session", "Tensor"}
"""`nnefkit.compat` has the names of another package."""


def test_no_two_classes_have_the_same_name() -> None:
    """A name says what a class holds; an underscore alone does not make a difference."""
    package = Path(nk.__file__).parent
    places: dict[str, list[str]] = {}
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name.strip("_"), []).append(str(path.relative_to(package)))
    repeated = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert set(repeated) == PARALLEL | KHRONOS, repeated


def test_importing_nnefkit_loads_no_room() -> None:
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
