"""Figures that show themselves in a notebook, and that pyplot does not know.

A figure of pyplot would change its state: the current figure and axes, the backend, and whether it
is interactive. A notebook shows each figure at the end of the cell that drew it, as it shows those
of pyplot.
"""

from __future__ import annotations

import base64
import io
import re
import sys
from os import PathLike
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BUDGET = 300 * 1024
"""Maximum size in bytes of a figure as a file, unless its resolution is given."""
_COLORS = (256, 64, 24)
"""Numbers of colors that are tried for a PNG or SVG file that exceeds the budget."""
_RESOLUTIONS = (1.0, 0.7, 0.5, 0.35, 0.25)
"""Resolutions that are tried for a file that exceeds the budget, as shares of the usual one."""
_WITH_WORDS = ("svg", "svgz")
"""Formats whose words may be shapes or words; the second attempt has the same resolution."""
_DRAWINGS = ("svg", "svgz", "pdf", "eps", "ps")
"""Formats with lines and words as shapes; only what is an image has a resolution."""


class NotebookFigure(Figure):
    """A figure that a notebook shows once, at the end of its cell or where it is displayed."""

    shown = False
    """Whether a notebook has shown it."""

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save the figure like `matplotlib.figure.Figure.savefig`, but within the budget.

        If a file would be too large, images in it have fewer colors (PNG, SVG) or fewer points,
        and words in an SVG file are stored as words, not as shapes. With the option ``dpi``, the
        file has all colors and points of that resolution, whatever its size.
        """
        is_path = isinstance(fname, (str, PathLike))
        ending = Path(fname).suffix[1:] if is_path else ""
        wanted = str(options.get("format") or ending or mpl.rcParams["savefig.format"]).lower()
        is_file = is_path or hasattr(fname, "write")
        if wanted not in ("png", *_DRAWINGS) or "dpi" in options or not is_file:
            super().savefig(fname, **options)
            return
        content = self._saved(wanted, options)
        if is_path:
            Path(fname if ending else f"{fname!s}.{wanted}").write_bytes(content)
        elif isinstance(fname, io.TextIOBase):
            fname.write(content.decode())
        else:
            fname.write(content)

    def png(self, **options: Any) -> bytes:
        """Return the figure as a PNG file within the budget."""
        return self._saved("png", options)

    def _saved(self, wanted: str, options: dict[str, Any]) -> bytes:
        """Return the figure as a file of a format, with the highest resolution that fits."""
        usual = mpl.rcParams["savefig.dpi"]
        usual = self.dpi if usual == "figure" else usual
        content = b""
        shares = [1.0, *_RESOLUTIONS] if wanted in _WITH_WORDS else _RESOLUTIONS
        for share in shares:
            file = io.BytesIO()
            settings: Any = {"svg.fonttype": "none"} if content and wanted in _WITH_WORDS else {}
            with mpl.rc_context(settings):
                super().savefig(file, **(options | {"format": wanted, "dpi": share * usual}))
            content = file.getvalue()
            for colors in _COLORS:
                if len(content) <= BUDGET or wanted not in _REDUCERS:
                    break
                content = _REDUCERS[wanted](file.getvalue(), colors)
            if len(content) <= BUDGET:
                break
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


def _with_fewer_colors(png: bytes, colors: int) -> bytes:
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGBA")
    small = image.quantize(colors, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    packed = io.BytesIO()
    small.save(packed, "PNG", optimize=True)
    return packed.getvalue()


def _with_images_of_fewer_colors(svg: bytes, colors: int) -> bytes:
    def reduced(image: re.Match[bytes]) -> bytes:
        small = _with_fewer_colors(base64.b64decode(image[2]), colors)
        return image[1] + base64.b64encode(small)

    return _IMAGE.sub(reduced, svg)


_IMAGE = re.compile(rb"(data:image/png;base64,)([A-Za-z0-9+/=\s]+)")
_REDUCERS = {"png": _with_fewer_colors, "svg": _with_images_of_fewer_colors}
