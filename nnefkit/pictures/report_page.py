"""The page of a report: one HTML document that needs nothing besides itself."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from nnefkit.display import html
from nnefkit.display.elements import Card
from nnefkit.display.html import escape
from nnefkit.display.visible_text import visible
from nnefkit.pictures.evidence import ViewEvidence
from nnefkit.pictures.folding_picture import THEME, FoldingPicture, folding_picture
from nnefkit.pictures.graph_picture import marks_of
from nnefkit.pictures.known_overlays import NAMES, Overlays
from nnefkit.pictures.legend import LegendEntry, family_entries, scale_entries
from nnefkit.pictures.outline import Outline

LONGEST = 120
"""Maximum length of a title."""


class Section(NamedTuple):
    """A part of a report."""

    title: str
    body: str
    """HTML."""


def page(title: str, facts: str, sections: Sequence[Section], footer: str) -> str:
    """Return a whole page."""
    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    policy = f"{allowed}; script-src 'sha256-{digest}'"
    heading = escape(visible(title, LONGEST))
    links = "".join(
        f'<a href="#s{i}">{escape(visible(each.title, 40))}</a>' for i, each in enumerate(sections)
    )
    parts = [
        f'<section aria-labelledby="s{i}"><h2 id="s{i}">{escape(visible(each.title, LONGEST))}</h2>'
        f"{each.body}</section>"
        for i, each in enumerate(sections)
    ]
    return "".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}"/>'
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
            '<meta name="referrer" content="no-referrer"/>'
            f"<title>{heading}</title><style>{_resource('report.css')}</style></head><body><main>",
            f'<header><h1>{heading}</h1><p class="muted">{escape(facts)}</p></header>',
            f'<nav aria-label="Sections">{links}</nav>' if len(sections) > 1 else "",
            *parts,
            f"<footer>{escape(footer)}</footer></main><script>{script}</script></body></html>\n",
        ]
    )


def card_body(card: Card) -> str:
    """Return a card as part of a page."""
    return html.write(card)


def graph_body(known: ViewEvidence) -> str:
    """Return the picture of a graph, with its tools and legends."""
    shown = known.viewed
    overlays = Overlays(known)
    available = {key: overlays.overlay(key) for key in overlays.available()}
    outline = Outline(shown.operations, shown.inputs, shown.outputs)
    marks = marks_of(outline, known, (), suspects=True)
    drawn = folding_picture(outline, available, marks, f"the operations of {shown.graph.name}")
    default = overlays.default()
    options = "".join(
        f'<option value="{escape(key)}"{" selected" * (key == default)}>{escape(NAMES[key])}'
        "</option>"
        for key in available
    )
    tools = (
        '<div class="tools" hidden="">'
        '<button type="button" data-do="in" aria-label="zoom in">+</button>'
        '<button type="button" data-do="out" aria-label="zoom out">−</button>'
        '<button type="button" data-do="fit">fit</button><output aria-live="off">100 %</output>'
        '<button type="button" data-do="open">open all</button>'
        '<button type="button" data-do="fold">fold all</button>'
        f'<label>color <select><option value="none">kind of operation</option>{options}</select>'
        "</label></div>"
    )
    return (
        f'<figure class="folding" style="margin:0">{tools}<div class="canvas" tabindex="0" '
        f'role="region" aria-label="graph, + and - zoom, 0 fits">{drawn.svg}</div>'
        f"{_legends(known, overlays, drawn)}{_note(drawn)}</figure>"
    )


def _note(drawn: FoldingPicture) -> str:
    words = "A box with + opens by a click, or by Enter; Ctrl and the wheel zoom."
    if drawn.closed:
        which = "block does" if drawn.closed == 1 else "blocks do"
        words += f" {drawn.closed:,} {which} not open in this page: nk.view opens all."
    return (
        f'<figcaption class="muted">{words}</figcaption><noscript><p class="muted">Scripts are '
        "switched off: blocks stay folded.</p></noscript>"
    )


def _legends(known: ViewEvidence, overlays: Overlays, drawn: FoldingPicture) -> str:
    operations = [known.viewed.operations[n].name for n in known.viewed.computations()]
    parts = [_legend(-1, family_entries(operations))]
    for index, (key, scale) in enumerate(drawn.scales.items()):
        parts.append(_legend(index, scale_entries(overlays.overlay(key), scale, THEME)))
    return "".join(parts)


def _legend(index: int, entries: Iterable[LegendEntry]) -> str:
    items = []
    for entry in entries:
        swatches = "".join(
            f'<span class="swatch" style="background:{color};opacity:{entry.opacity}"></span>'
            for color in entry.colors
        )
        items.append(f"<span>{swatches}{escape(entry.words)}</span>")
    hidden = "" if index < 0 else ' hidden=""'
    return f'<div class="legend" data-overlay="{index}"{hidden}>{"".join(items)}</div>'


@cache
def _resource(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8").strip()


def _script() -> str:
    return _resource("report.js")
