"""The HTML works in untrusted notebooks, escapes all names, and is small and quick."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from timing import assert_quick

from nnefkit.display.html import BUDGET
from nnefkit.display.vocabulary import VOCABULARY

# What JupyterLab's sanitizer allows, as far as displays may use it; checked with JupyterLab 4.
TAGS = {"b", "code", "details", "div", "img", "meter", "pre", "span", "summary"} | {
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
}
ATTRIBUTES = {
    "*": {"style", "title"},
    "details": {"open"},
    "img": {"alt", "height", "src", "width"},
    "td": {"align", "colspan"},
    "th": {"align", "scope"},
}
LENGTH = r"-?\d+(\.\d+)?(px|%)|0"
COLOR = r"#[0-9a-f]{6}"
STYLES = {
    "background": rf"{COLOR}|none",
    "border": "none",
    "border-bottom": rf"\dpx solid {COLOR}",
    "border-collapse": "collapse",
    "border-left": rf"\dpx solid {COLOR}",
    "border-radius": LENGTH,
    "border-top": "0",
    "color": "inherit",
    "cursor": "pointer",
    "display": "inline-block",
    "font-family": "monospace",
    "font-size": LENGTH,
    "font-weight": "bold",
    "height": rf"{LENGTH}|auto",
    "line-height": r"\d(\.\d)?",
    "opacity": r"0\.7",
    "margin": rf"({LENGTH})( ({LENGTH}))*",
    "max-height": LENGTH,
    "max-width": rf"{LENGTH}|none",
    "min-width": LENGTH,
    "overflow-x": "auto",
    "overflow-y": "auto",
    "padding": rf"({LENGTH})( ({LENGTH}))*",
    "table-layout": "auto",
    "text-align": "left|right",
    "vertical-align": "middle",
    "white-space": "nowrap|pre|pre-wrap",
    "width": rf"{LENGTH}|auto",
}
EMPTY = {"img"}
# What the sanitizer removes from parts that scroll, without harm: they scroll by the pointer.
SCROLLING = {"tabindex": "0", "role": "group", "aria-label": "table|text|picture"}


class Judge(HTMLParser):
    """Collects what a sanitizer would remove, and elements that are not closed."""

    def __init__(self, document):
        super().__init__()
        self.faults, self.open, self.pictures = [], [], []
        self.feed(document)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self.open]

    def handle_starttag(self, tag, attributes):
        if tag not in TAGS:
            self.faults.append(f"<{tag}>")
        if tag not in EMPTY:
            self.open.append(tag)
        scrolls = "overflow-x:auto" in (dict(attributes).get("style") or "")
        if scrolls and any(name in SCROLLING for name, _ in attributes):
            for name, pattern in SCROLLING.items():
                if not re.fullmatch(pattern, dict(attributes).get(name) or ""):
                    self.faults.append(f"<{tag}> scrolls without {name}")
            attributes = [pair for pair in attributes if pair[0] not in SCROLLING]
        for name, value in attributes:
            if name not in ATTRIBUTES["*"] | ATTRIBUTES.get(tag, set()):
                self.faults.append(f"<{tag} {name}>")
            if name == "style":
                self._style(value)
            if name == "src":
                self.pictures.append(value)
        if tag == "img" and not dict(attributes).get("alt"):
            self.faults.append("a picture without words")
        if tag == "th" and dict(attributes).get("scope") != "col":
            self.faults.append("a head without scope")

    def _style(self, value):
        for declaration in value.split(";"):
            name, _, wanted = declaration.partition(":")
            if not re.fullmatch(STYLES.get(name, "(?!)"), wanted):
                self.faults.append(f"style {declaration}")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}>")

    def handle_comment(self, data):
        self.faults.append(f"<!-- {data} -->")


def test_an_untrusted_notebook_strips_none_of_it(tame):
    for shown in tame:
        assert Judge(shown.html).faults == [], shown.kind


def test_tables_and_texts_are_scrolled_by_the_keyboard(tame):
    pages = "".join(shown.html for shown in tame)
    for start in re.findall(r"<pre[^>]*>|<div[^>]*><table", pages):
        assert 'tabindex="0" role="group" aria-label="t' in start
    assert 'aria-label="picture"' in pages


def test_no_name_escapes_from_its_element(hostile):
    for shown in hostile:
        page = shown.html
        assert Judge(page).faults == [], shown.kind
        assert "\u202e" not in page
        assert "\x1b" not in page


def test_pictures_are_self_contained_data(tame, hostile):
    kinds = set()
    for shown in tame + hostile:
        for source in Judge(shown.html).pictures:
            found = re.fullmatch(r"data:image/(svg\+xml|png);base64,([A-Za-z0-9+/=]+)", source)
            assert found, source[:80]
            kinds.add(found[1])
            content = base64.b64decode(found[2])
            if found[1] == "png":
                assert content.startswith(b"\x89PNG")
            else:
                assert content.startswith(b"<svg")
                assert b"<script" not in content
                assert b"href" not in content
    assert kinds == {"png", "svg+xml"}


def test_long_names_are_whole_in_their_title(builders):
    long = "a_very_long_scope/" * 8 + "end"
    page = builders["trace"](3, name=lambda i: f"{long}{i}", bad=()).html
    assert f'title="{long}1"' in page


LARGE = {
    "graph": lambda builders: builders["graph"](10_000, name=lambda i: f"some/longer/name_{i}"),
    "trace": lambda builders: builders["trace"](
        10_000, name=lambda i: f"some/longer/name_{i}", bad=range(0, 9000, 7)
    ),
    "comparison": lambda builders: builders["comparison"](
        10_000, name=lambda i: f"some/longer/name_{i}", parts_at=77
    ),
    "report": lambda builders: builders["report"](10_000, word="w" * 3000),
}


@pytest.mark.parametrize("kind", LARGE)
def test_ten_thousand_operations_fit_the_budget(kind, builders):
    shown = LARGE[kind](builders)
    for write in (lambda: shown.html, lambda: shown.text):
        document = assert_quick(write, 0.3)  # 200 ms, more on slow machines
        assert len(document.encode()) <= BUDGET


@pytest.mark.parametrize("shape", [(1000, 1280), (1, 64, 80, 2000), (1, 64, 200, 200)])
def test_pictures_of_noise_fit_the_budget_by_losing_detail(shape, builders):
    noise = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    page = builders["tensor"](noise, "noise").html
    assert len(page.encode()) <= BUDGET
    assert "data:image/png" in page
    smooth = np.linspace(-1, 1, noise.size, dtype=np.float32).reshape(shape)
    full = _sizes(builders["tensor"](smooth, "smooth").html)
    for less, extent in zip(_sizes(page), full, strict=True):
        assert abs(less - extent) <= 0.05 * extent, "as large on the page"


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((30_000, 4096), "1 in 37 rows and 1 in 2 columns drawn"),
        ((120_000_000,), "1 in 40 drawn"),
        ((1, 3, 6000, 6000), "1 in 7 rows and 1 in 6 columns drawn"),
    ],
)
def test_very_large_tensors_are_drawn_in_part(shape, words, tmp_path, builders):
    """Half a gigabyte, of which little is read."""
    values = np.memmap(tmp_path / "large", np.float32, "w+", shape=shape)
    values.reshape(-1)[:1000] = 1
    shown = builders["tensor"](values, "embedding", label="table")
    page = assert_quick(lambda: shown.html, 0.6)  # three times the budget: slow disks
    assert words in page


def _sizes(page):
    """Width and height of the picture of the values."""
    picture = page[page.index("data:image/png") :]
    return [int(extent) for extent in re.findall(r'(?:width|height)="(\d+)"', picture)]


def test_hostile_displays_fit_the_budget_too(hostile):
    for shown in hostile:
        assert len(shown.html.encode()) <= BUDGET


def test_a_picture_that_is_too_large_is_replaced_by_a_sentence(builders):
    picture = '<svg width="9" height="9">' + "<path/>" * 20_000 + "</svg>"
    page = builders["graph"](picture=picture).html
    assert len(page.encode()) <= BUDGET
    assert "too large for a notebook" in page


def _luminance(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a, b):
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
def test_every_color_is_visible_on_white_and_on_black(page, tame):
    """Lines and boxes, that is: words have the color of the page's own (`Judge`)."""
    used = {entry.family.color for entry in VOCABULARY.values()}
    for shown in tame:
        used |= set(re.findall(r"(?:background:|solid )(#[0-9a-f]{6})", shown.html))
    assert len(used) > 6
    for color in used:
        assert _contrast(color, page) >= 3, color


def test_every_column_has_a_head(tame):
    heads = [head for shown in tame for head in re.findall(r"<th[^>]*>([^<]*)</th>", shown.html)]
    assert len(heads) > 50
    assert "" not in heads
