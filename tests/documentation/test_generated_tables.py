"""The tables in the documentation are those that the tests generate."""

import os
from importlib import import_module
from pathlib import Path

import pytest

import documentation
import nnefkit as nk
from documentation.generated import ROOT, TABLES, committed, places, write

HERE = Path(documentation.__file__).parent
for _module in sorted(HERE.glob("*_table.py")):
    import_module(f"documentation.{_module.stem}")


TOGETHER = ("formats", "onnx_sets")
"""Tables that need the same verdicts, which take long: they are made by one worker."""
GROUPS = [TOGETHER, *((name,) for name in TABLES if name not in TOGETHER)]


@pytest.mark.parametrize("names", GROUPS, ids=" and ".join)
@pytest.mark.skipif(
    len(nk.engines().installed) < len(nk.engines()), reason="not all the engines are installed"
)
def test_the_committed_tables_are_the_generated_ones(names):
    for name in names:
        if os.environ.get("NNEFKIT_WRITE_TABLES"):
            write(name)
        assert committed(name) == TABLES[name].make(), documentation.__doc__


def test_every_place_for_a_table_has_one():
    for file in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
        for name in places(file.read_text(encoding="utf-8")):
            assert TABLES[name].file == file.relative_to(ROOT).as_posix()
