"""Cards as HTML that looks the same wherever a notebook is shown.

It uses only what untrusted notebooks do not strip: tables, details, images as data, literal styles.
Text and background have the colors of the page, so that light and dark pages get the same HTML: no
color has a contrast of 4.5 : 1 on both. Colors are lines below words, and small boxes before them.
The ``align`` attributes are for pages that drop all styles.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

from nnefkit.display.colors import AMBER, GRAY, GREEN, RED
from nnefkit.display.elements import (
    LONGEST_FACT,
    Block,
    Card,
    Cell,
    Column,
    Figure,
    Fold,
    Image,
    Line,
    Listing,
    Paragraph,
    Phrase,
    Table,
    Tone,
)
from nnefkit.display.visible_text import LONGEST, printable, visible

BUDGET = 100 * 1024
"""Maximum size of a display in bytes."""
TITLE = 200
"""Maximum length of the title of a shortened text."""
MUTED = "opacity:0.7"
"""Style of less important words: a mixture of the colors of text and page, 5 : 1 and more."""
MONOSPACE = "font-family:monospace"
TONES: dict[Tone, str] = {
    "plain": "",
    "muted": MUTED,
    "strong": "font-weight:bold",
    "wrong": f"font-weight:bold;border-bottom:2px solid {RED}",
    "right": f"font-weight:bold;border-bottom:2px solid {GREEN}",
    "warning": f"font-weight:bold;border-bottom:2px solid {AMBER}",
    "equal": f"border-bottom:2px solid {GREEN}",
}
# Code inherits the colors of its surroundings; notebooks would change its background.
_CODE = f"{MONOSPACE};font-size:95%;background:none;padding:0;color:inherit"
_LEFT = "text-align:left;padding:1px 10px 1px 0"
_RIGHT = "text-align:right;padding:1px 10px 1px 0"


def write(card: Card) -> str:
    """Return the HTML of `card`, or of a smaller version if it exceeds the budget."""
    page = _page(card)
    while _exceeds_budget(page) and card.smaller is not None:
        card = card.smaller()
        page = _page(card)
    return page


def write_all(cards: Iterable[Card]) -> str:
    """Return the HTML of several cards, as many as fit into the budget of one display."""
    pages: list[str] = []
    room = BUDGET
    for card in cards:
        page = write(card)
        room -= len(page.encode())
        if room < 0 and pages:
            break
        pages.append(page)
    return "".join(pages)


def _exceeds_budget(page: str) -> bool:
    return len(page) > BUDGET or len(page.encode()) > BUDGET


def _page(card: Card) -> str:
    return "".join([_head(card), *_blocks(card.blocks), "</div>"])


def _head(card: Card) -> str:
    facts = escape(card.fact_line)
    title = phrase(Phrase(card.title, card.tone, limit=80))
    return (
        f'<div style="border-left:3px solid {card.color};padding:2px 0 2px 14px;margin:6px 0;'
        f'font-size:13px;line-height:1.5;overflow-x:auto">'
        f'<div><span style="font-size:16px">{title}</span> '
        f'<span style="{MUTED}">{facts}</span></div>'
    )


def _blocks(blocks: Iterable[Block]) -> Iterable[str]:
    return (_block(block) for block in blocks)


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            # Spaces separate the parts of a line of numbers.
            above = 12 if block.apart else 2
            style = f"margin:{above}px 0 2px 0;white-space:pre-wrap"
            return f'<div style="{style}">{line(block.line)}</div>'
        case Listing():
            return _listing(block)
        case Table():
            return _table(block)
        case Fold():
            state = " open" if block.open else ""
            inner = "".join(_blocks(block.blocks))
            above = 12 if block.apart else 2
            return (
                f'<details{state} style="margin:{above}px 0 2px 0">'
                f'<summary style="cursor:pointer;white-space:pre-wrap">'
                f"{line(block.title)}</summary>"
                f'<div style="margin:2px 0 6px 14px">{inner}</div></details>'
            )
        case Figure():
            below = f"<div>{line(block.caption)}</div>" if block.caption else ""
            shown = picture(block.picture)
            scrolls = _scrolling("picture") if block.picture.legible else ""
            return (
                f'<div style="margin:6px 0"><div{scrolls} style="overflow-x:auto">{shown}</div>'
                f"{below}</div>"
            )


def _scrolling(name: str) -> str:
    """Return the attributes of a part that may be too wide: the keyboard reaches and scrolls it."""
    return f' tabindex="0" role="group" aria-label="{name}"'


def _listing(block: Listing) -> str:
    rule = f"border-left:2px solid {GRAY};padding:0 0 0 10px;" if block.ruled else "padding:0;"
    body = "\n".join(line(each) for each in block.lines)
    return (
        # JupyterLab would wrap long lines, and so separate carets from what they point at.
        f'<pre{_scrolling("text")} style="white-space:pre;margin:4px 0;{rule}{MONOSPACE};'
        f"font-size:12px;line-height:1.4;color:inherit;background:none;border-top:0;overflow-x:auto;"
        f'max-height:420px;overflow-y:auto">{body}</pre>'
    )


def _table(table: Table) -> str:
    heads = "".join(map(_head_cell, table.columns))
    rows = "".join(_row(row, table.columns) for row in table.rows)
    note = f"<div>{line(table.note)}</div>" if table.note else ""
    return (
        f'<div{_scrolling("table")} style="overflow-x:auto">'
        '<table style="border-collapse:collapse;border:none;'
        'margin:2px 0;table-layout:auto;width:auto;font-size:12px">'
        f'<thead><tr style="background:none">{heads}</tr></thead><tbody>{rows}</tbody></table>'
        f"</div>{note}"
    )


def _head_cell(column: Column) -> str:
    align = f' align="{column.align}"' if column.align == "right" else ""
    style = _RIGHT if column.align == "right" else _LEFT
    return (
        f'<th scope="col"{align} style="{style};font-weight:bold;white-space:nowrap;'
        f'border-bottom:1px solid {GRAY}">{escape(column.head)}</th>'
    )


def _row(row: tuple[Cell, ...] | None, columns: tuple[Column, ...]) -> str:
    if row is None:
        return (
            f'<tr style="background:none"><td colspan="{len(columns)}" '
            f'style="{_LEFT};{MUTED}">⋮</td></tr>'
        )
    cells = "".join(map(_cell, row, columns))
    return f'<tr style="background:none">{cells}</tr>'


def _cell(cell: Cell, column: Column) -> str:
    align = ' align="right"' if column.align == "right" else ""
    style = _RIGHT if column.align == "right" else _LEFT
    if cell.marker or not cell.text.isalnum():
        style += ";white-space:nowrap"
    if cell.code:
        style += f";{MONOSPACE}"
    text, title = shortened(cell.text, cell.limit)
    if cell.picture is not None:
        text = picture(cell.picture, shrinks=False)
    elif cell.bar is not None:
        text = _box(RED, round(90 * cell.bar), 8)
    elif text and TONES[cell.tone]:
        # Not the style of the cell, whose line would be as long as the cell is wide.
        text = f'<span style="{TONES[cell.tone]}">{text}</span>'
    if cell.marker:
        text = f"{_box(cell.marker, 9, 9)} {text}"
    return f'<td{align} style="{style}"{title}>{text}</td>'


def _box(color: str, width: int, height: int) -> str:
    size = f"width:{width}px;height:{height}px"
    style = f"display:inline-block;{size};background:{color};border-radius:2px"
    return f'<span style="{style}"></span>' if width else ""


def line(parts: Line) -> str:
    """Return the HTML of some phrases and small pictures."""
    return "".join(
        picture(part, shrinks=False) if isinstance(part, Image) else phrase(part) for part in parts
    )


def phrase(one: Phrase) -> str:
    """Return the HTML of one phrase."""
    if one.link:
        return f'<a href="{escape(one.link)}">{phrase(one._replace(link=""))}</a>'
    text, title = shortened(one.text, one.limit)
    style = TONES[one.tone]
    if one.code:
        style = f"{_CODE};{style}" if style else _CODE
        return f'<code style="{style}"{title}>{text}</code>'
    if style:
        return f'<span style="{style}"{title}>{text}</span>'
    return f"<span{title}>{text}</span>" if title else text


def picture(one: Image, *, shrinks: bool = True) -> str:
    """Return the HTML of a picture; outside of tables it shrinks to the width of the page."""
    style = "max-width:100%;height:auto" if shrinks else "max-width:none"
    if one.legible:
        style += f";min-width:{round(one.width * one.legible)}px"
    alt = visible(one.alt, 2 * LONGEST_FACT)
    return (
        f'<img src="{escape(one.make())}" alt="{escape(alt)}" width="{one.width}" '
        f'height="{one.height}" style="{style};vertical-align:middle;margin:0">'
    )


def shortened(text: str, limit: int) -> tuple[str, str]:
    """`text`, escaped and at most `limit` long, and a ``title`` attribute for shortened text."""
    limit = limit or LONGEST
    if len(text) <= limit:
        return html.escape(visible(text, limit)), ""
    title = html.escape(visible(text, TITLE))
    if len(title) > 2 * TITLE:
        # Nearly all of it is quotes and brackets.
        title = html.escape(visible(text, TITLE // 4))
    return html.escape(visible(text, limit)), f' title="{title}"'


def escape(text: str) -> str:
    """`text`, safe in an element or an attribute, with control characters made visible."""
    return html.escape(printable(text))
