"""Pages of the tutorials: the notebooks of `notebooks/`, copied as they are stored.

The notebooks are next to their models, where JupyterLab opens them; Sphinx reads pages from below
`docs/` only. The copies are build products and ignored by git.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def copy_notebooks(app: Sphinx) -> None:
    """Copy the notebooks and their pictures to `docs/tutorials`."""
    source = Path(app.srcdir).parent / "notebooks"
    target = Path(app.srcdir) / "tutorials"
    for old in target.glob("*.ipynb"):
        old.unlink()
    for notebook in sorted(source.glob("*.ipynb")):
        text = notebook.read_text(encoding="utf-8")
        # Links between the notebooks work as they are; others lead to files that are not pages.
        text = re.sub(r"\]\((support|models)/[^)]*\)", "]", text)
        (target / notebook.name).write_text(text, encoding="utf-8")
    shutil.copytree(source / "images", target / "images", dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("builder-inited", copy_notebooks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
