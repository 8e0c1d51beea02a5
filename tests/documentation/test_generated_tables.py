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


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.skipif(
    len(nk.engines().installed) < len(nk.engines()), reason="not all the engines are installed"
)
def test_the_committed_table_is_the_generated_one(name):
    if os.environ.get("NNEFKIT_WRITE_TABLES"):
        write(name)
    assert committed(name) == TABLES[name].make(), documentation.__doc__


def test_every_place_for_a_table_has_one():
    for file in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
        for name in places(file.read_text(encoding="utf-8")):
            assert TABLES[name].file == file.relative_to(ROOT).as_posix()
