"""Figures that show themselves in a notebook, and that pyplot does not know.

A figure of pyplot would change its state: the current figure and axes, the backend, and whether it
is interactive. A notebook shows each figure at the end of the cell that drew it, as it shows those
of pyplot.
"""

from __future__ import annotations

import base64
import io
import sys
from os import PathLike
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BUDGET = 300 * 1024
"""Maximum size in bytes of a figure as a PNG file, unless its resolution is given."""
_COLORS = (256, 64, 24)
"""Numbers of colors that are tried for a figure that exceeds the budget."""


class NotebookFigure(Figure):
    """A figure that a notebook shows once, at the end of its cell or where it is displayed."""

    shown = False
    """Whether a notebook has shown it."""

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save the figure like `matplotlib.figure.Figure.savefig`; a PNG file within the budget.

        With the option ``dpi``, the file has all colors of that resolution, whatever its size.
        """
        is_path = isinstance(fname, (str, PathLike))
        ending = Path(fname).suffix[1:] if is_path else ""
        wanted = options.get("format") or ending or "png"
        if wanted.lower() != "png" or "dpi" in options:
            super().savefig(fname, **options)
        elif is_path:
            Path(fname if ending else f"{fname!s}.png").write_bytes(self.png(**options))
        else:
            fname.write(self.png(**options))

    def png(self, **options: Any) -> bytes:
        """Return the figure as a PNG file within the budget."""
        file = io.BytesIO()
        super().savefig(file, **(options | {"format": "png"}))
        content = file.getvalue()
        for colors in _COLORS:
            if len(content) <= BUDGET:
                break
            content = _with_fewer_colors(file, colors)
        return content

    def _ipython_display_(self) -> None:
        self.shown = True
        _publish(self, repr(self))


class NotebookAxes(Axes):
    """Axes that a notebook shows as their figure."""

    def _ipython_display_(self) -> None:
        figure = self.get_figure(root=True)
        if isinstance(figure, NotebookFigure):
            figure.shown = True
            _publish(figure, repr(self))


def notebook_axes(width: float, height: float) -> Axes:
    """Return the axes of a new figure of that size in inches, which a notebook shows."""
    figure = NotebookFigure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    _show_after_cell(figure)
    return figure.add_subplot(axes_class=NotebookAxes)


def _publish(figure: NotebookFigure, text: str) -> None:
    from IPython.display import publish_display_data

    image = base64.b64encode(figure.png(bbox_inches="tight")).decode("ascii")
    publish_display_data({"image/png": image, "text/plain": text})  # type: ignore[no-untyped-call]


_waiting: list[NotebookFigure] = []
"""The figures of the cell that is running."""


def _show_after_cell(figure: NotebookFigure) -> None:
    shell = _kernel_shell()
    if shell is None:
        return
    if _show_waiting not in shell.events.callbacks["post_execute"]:
        shell.events.register("post_execute", _show_waiting)
    _waiting.append(figure)


def _show_waiting() -> None:
    waiting = [figure for figure in _waiting if not figure.shown]
    _waiting.clear()
    for figure in waiting:
        figure._ipython_display_()


def _kernel_shell() -> Any:
    """Return the shell of the kernel of a notebook, or None elsewhere."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if hasattr(shell, "kernel") else None


def _with_fewer_colors(file: io.BytesIO, colors: int) -> bytes:
    from PIL import Image

    file.seek(0)
    image = Image.open(file).convert("RGBA")
    small = image.quantize(colors, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    packed = io.BytesIO()
    small.save(packed, "PNG", optimize=True)
    return packed.getvalue()
