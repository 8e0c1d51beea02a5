"""Configuration of the documentation; `sphinx-build -W docs docs/_build/html` builds it."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "nnefkit"
author = "The nnefkit developers"
copyright = "The nnefkit developers"  # noqa: A001 - the name that Sphinx reads
release = version = installed_version("nnefkit")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_nb",
    "sphinx_copybutton",
    "diagnostic_pages",
    "notebook_pages",
    "public_api",
]
exclude_patterns = ["_build", "extensions"]
default_role = "code"
suppress_warnings = ["myst.header"]

# Notebooks are stored with their outputs and executed by the tests, not here.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_admonition_for_examples = False

html_theme = "pydata_sphinx_theme"
html_title = f"nnefkit {release}"
html_static_path = ["_static"]
html_css_files = ["nnefkit.css"]
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "show_prev_next": True,
    # Elsewhere tables and displays take the room.
    "secondary_sidebar_items": {
        "develop/**": ["page-toc"],
        "reference/api/**": ["page-toc"],
        "reference/refused_files": ["page-toc"],
    },
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}
html_show_sourcelink = False
