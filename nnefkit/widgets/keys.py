"""The keys of a widget: they act on what has the focus, and not on the cells of the notebook."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets


class Keys(anywidget.AnyWidget):
    """An invisible part of a widget that keeps JupyterLab's commands away from its controls."""

    _esm = Path(__file__).parent / "keys.js"
    owner = traitlets.Unicode(help="CSS class of the widget").tag(sync=True)
