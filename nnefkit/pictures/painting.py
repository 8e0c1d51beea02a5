"""Painting: a picture, drawn as SVG, as a PNG or PDF file by Matplotlib, without pyplot.

Only what `nnefkit.display.svg` writes is painted: groups that move, rectangles, paths and texts.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from matplotlib.path import Path
    from matplotlib.transforms import Transform

DPI = 96.0
"""Pixels of SVG in an inch."""
SHARPNESS = 2.0
"""Pixels of a PNG file for a pixel of SVG, in each direction."""
MOST_PIXELS = 60_000_000
"""Maximum number of pixels of a PNG file; larger pictures are less sharp."""
LONGEST_SIDE = 30_000
POINT = 72.0 / DPI
"""Points in a pixel of SVG."""
_NAMESPACE = "{http://www.w3.org/2000/svg}"
_INHERITED = ("fill", "stroke", "font-size", "text-anchor", "stroke-dasharray")
_TOKEN = re.compile(r"[A-Za-z]|-?(?:\d+\.?\d*|\.\d+)")
_COUNTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "Q": 4, "A": 7, "Z": 0}
_ANCHORS: Mapping[str, Literal["left", "center", "right"]] = {
    "start": "left",
    "middle": "center",
    "end": "right",
}


def painted(svg: str, ending: str, title: str = "") -> bytes:
    """Return a picture as the content of a file.

    Args:
        svg: An SVG document of `nnefkit.display.svg`.
        ending: ``".png"`` or ``".pdf"``.
        title: The title of a PDF document.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure

    # The documents are our own; no entity is declared in them.
    root = ET.fromstring(svg)  # noqa: S314
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    sharpness = min(
        SHARPNESS,
        (MOST_PIXELS / (width * height)) ** 0.5,
        LONGEST_SIDE / max(width, height),
    )
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI * sharpness, frameon=False)
    _paint(figure, root, left, top, height)
    file = io.BytesIO()
    # Characters that no font has are shown as boxes, which needs no warning.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        # Unlike savefig, these ignore the settings of a user.
        if ending == ".png":
            FigureCanvasAgg(figure).print_png(file)  # type: ignore[no-untyped-call]
        else:
            # Without a date, equal graphs have equal files.
            metadata = {"Title": title, "CreationDate": None, "Creator": "nnefkit"}
            canvas = FigureCanvasPdf(figure)
            canvas.print_pdf(file, metadata=metadata)  # type: ignore[no-untyped-call]
    return file.getvalue()


def _paint(figure: Figure, root: ET.Element, left: float, top: float, height: float) -> None:
    from matplotlib.transforms import Affine2D

    page = Affine2D().translate(-left, -top - height).scale(1 / DPI, -1 / DPI)
    waiting: list[tuple[ET.Element, tuple[float, float], dict[str, str]]] = [
        (root, (0.0, 0.0), {"fill": "#000000", "stroke": "none"})
    ]
    order = 0
    while waiting:
        element, place, inherited = waiting.pop()
        style = inherited | {k: element.attrib[k] for k in _INHERITED if k in element.attrib}
        if moved := re.match(r"translate\((\S+) (\S+)\)", element.get("transform", "")):
            place = (place[0] + float(moved[1]), place[1] + float(moved[2]))
        tag = element.tag.removeprefix(_NAMESPACE)
        transform = Affine2D().translate(*place) + page + figure.dpi_scale_trans
        style |= {k: v for k, v in element.attrib.items() if k not in _INHERITED}
        order += 1
        if tag == "rect":
            _patch(figure, _rectangle(element), transform, style, order)
        elif tag == "path":
            _patch(figure, _path(element.get("d", "")), transform, style, order)
        elif tag == "text":
            _text(figure, element, transform, style, order)
        kept = {k: style[k] for k in _INHERITED if k in style}
        waiting += [(child, place, kept) for child in reversed(element)]


def _patch(
    figure: Figure, path: Path, transform: Transform, style: Mapping[str, str], order: int
) -> None:
    from matplotlib.colors import to_rgba
    from matplotlib.patches import PathPatch

    def color(name: str) -> Any:
        value = style.get(name, "none")
        return "none" if value == "none" else to_rgba(value, float(style.get(f"{name}-opacity", 1)))

    dashes = [float(each) for each in style.get("stroke-dasharray", "").split()]
    width = float(style.get("stroke-width", 1.0)) * POINT
    patch = PathPatch(
        path,
        facecolor=color("fill"),
        edgecolor=color("stroke"),
        linewidth=width if style.get("stroke", "none") != "none" else 0.0,
        linestyle=(0, [each / float(style.get("stroke-width", 1.0)) for each in dashes])
        if dashes
        else "solid",
        transform=transform,
        zorder=order,
        clip_on=False,
    )
    figure.add_artist(_plain(patch))


def _text(
    figure: Figure, element: ET.Element, transform: Transform, style: Mapping[str, str], order: int
) -> None:
    from matplotlib.text import Text

    x, y = transform.transform((float(element.get("x", 0)), float(element.get("y", 0))))
    inches = figure.dpi_scale_trans.inverted().transform((x, y))
    text = Text(
        inches[0],
        inches[1],
        element.text or "",
        transform=figure.dpi_scale_trans,
        color=style["fill"],
        fontfamily=_families(),
        fontsize=float(style.get("font-size", 12)) * POINT,
        fontweight=style.get("font-weight", "normal"),
        fontstyle="normal",
        horizontalalignment=_ANCHORS[style.get("text-anchor", "start")],
        verticalalignment="baseline",
        parse_math=False,
        usetex=False,
        zorder=order,
    )
    figure.add_artist(_plain(text))


def _plain(artist: Artist) -> Artist:
    """Return an artist without what the settings of a user add to all of them."""
    artist.set_sketch_params(None)
    artist.set_path_effects([])
    return artist


def _families() -> list[str]:
    """Return the fonts that are tried, in their order: one that Matplotlib brings comes first."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _OTHER_FONTS if name in installed)]


_OTHER_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "MS Gothic",
    "Arial Unicode MS",
)


def _rectangle(element: ET.Element) -> Path:
    from matplotlib.path import Path

    x, y = float(element.get("x", 0)), float(element.get("y", 0))
    width, height = float(element.get("width", 0)), float(element.get("height", 0))
    r = min(float(element.get("rx", 0)), width / 2, height / 2)
    right, bottom = x + width, y + height
    corners = [
        ((x + r, y), (right - r, y), (right, y), (right, y + r)),
        ((right, y + r), (right, bottom - r), (right, bottom), (right - r, bottom)),
        ((right - r, bottom), (x + r, bottom), (x, bottom), (x, bottom - r)),
        ((x, bottom - r), (x, y + r), (x, y), (x + r, y)),
    ]
    points = [corners[0][0]]
    codes = [int(Path.MOVETO)]
    for _, end, corner, after in corners:
        points += [end, corner, after]
        codes += [int(Path.LINETO), int(Path.CURVE3), int(Path.CURVE3)]
    return Path([*points, points[0]], [*codes, int(Path.CLOSEPOLY)])


def _path(data: str) -> Path:
    """Return the path of SVG path data; quarters of circles become parabolas."""
    from matplotlib.path import Path

    points: list[tuple[float, float]] = []
    codes: list[int] = []
    x = y = 0.0
    start = (0.0, 0.0)
    for command, values in _commands(data):
        kind = command.upper()
        dx, dy = (x, y) if command.islower() else (0.0, 0.0)
        if kind == "Z":
            points.append(start)
            codes.append(int(Path.CLOSEPOLY))
            x, y = start
            continue
        if kind == "H":
            new = [(values[0] + dx, y)]
        elif kind == "V":
            new = [(x, values[0] + dy)]
        elif kind == "A":
            end = (values[5] + dx, values[6] + dy)
            new = [(end[0], y), end]
        else:
            new = [(values[i] + dx, values[i + 1] + dy) for i in range(0, len(values), 2)]
        code = {"M": Path.MOVETO, "C": Path.CURVE4, "Q": Path.CURVE3, "A": Path.CURVE3}
        points += new
        codes += [int(code.get(kind, Path.LINETO))] * len(new)
        x, y = new[-1]
        if kind == "M":
            start = (x, y)
    return Path(points, codes) if points else Path([(0.0, 0.0)])


def _commands(data: str) -> Iterator[tuple[str, list[float]]]:
    """Yield the commands of path data with their numbers; repeated ones have their own letter."""
    tokens = _TOKEN.findall(data)
    i = 0
    while i < len(tokens):
        command = tokens[i]
        count = _COUNTS[command.upper()]
        yield command, [float(token) for token in tokens[i + 1 : i + 1 + count]]
        i += 1 + count
