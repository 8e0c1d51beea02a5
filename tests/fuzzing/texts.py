"""Documents: mutated ones and drawn ones, of NNEF 1.0 and of the provisional specification."""

from __future__ import annotations

import pathlib
import re
from functools import cache
from random import Random
from typing import Any

import nnefkit as nk

from .grammar import EXTENSIONS, LITERALS, NUMBERS, Grammar
from .mutation import EDGES, mutated_parts, smaller_text, tokens_of
from .target import (
    READ,
    REFUSED,
    Fault,
    Target,
    attempt,
    check_error,
    chosen,
    expect,
    expect_printable,
    ours_only,
)

FOLDER = pathlib.Path(__file__).parents[1] / "language"
STRANGE = [chr(code) for code in (*range(128), 0x85, 0xE9, 0x2028, 0x202E, 0x2066, 0xFEFF, 0xFFFF)]
STRANGE += ["\ud800", "\U0001f600", "\r\n", "'", '"', "\\", "\\'"]
MAX_PROBLEMS_OF_ONE = 3
"""Largest number of syntax errors that one wrong token may cause."""


@cache
def documents(room: str = "documents") -> list[str]:
    """Return the documents of the tests that are small."""
    files = sorted((FOLDER / room).rglob("*.nnef"))
    texts = [file.read_bytes().decode() for file in files]
    return [text for text in texts if len(text) < 6000]


@cache
def valid_documents() -> list[str]:
    """Return those that have no errors."""
    return [text for text in documents() if nk.validate(f"{text}\n").ok]


@cache
def vocabulary(room: str = "documents") -> list[str]:
    """Return all tokens of the documents, and numbers that are hard to store."""
    found = sorted({token for text in documents(room) for token in tokens_of(text)})
    edges = [str(number) for number in EDGES] + [f"-{number}" for number in EDGES]
    return [*found, *edges, *NUMBERS, *LITERALS]


# -- drawing -------------------------------------------------------------------------------------


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _statements(text: str) -> list[str]:
    return [f"{part};" for part in text.split(";")]


def _spliced(chance: Random) -> str:
    """Return a document with statements of another one in its graph."""
    text, other = chance.choice(documents()), _statements(chance.choice(documents()))
    parts = _statements(text)
    at = chance.randrange(len(parts))
    some = chance.randrange(len(other))
    parts[at:at] = other[some : some + chance.choice((1, 1, 2, 4))]
    joined = "".join(parts).removesuffix(";")
    if "KHR_enable" not in joined and chance.random() < 0.7:
        names = "".join(f"extension {name};\n" for name in EXTENSIONS[:2])
        joined = joined.replace("version 1.0;", f"version 1.0;\n{names}", 1)
    return joined


def _renumbered(chance: Random) -> str:
    """Return a valid document with other numbers and other arguments in a few places."""
    parts = tokens_of(chance.choice(valid_documents()))
    for _ in range(chance.choice((1, 1, 2, 3))):
        places = [k for k, part in enumerate(parts) if re.match(r"[\d'\"]|true|false", part)]
        if not places:
            break
        at = chance.choice(places)
        similar = [part for part in parts if part[0].isdigit() == parts[at][0].isdigit()]
        if parts[at].isdigit() and chance.random() < 0.7:
            parts[at] = str(max(0, int(parts[at]) + chance.choice((-1, 1, 1, 2))))
        else:
            parts[at] = chance.choice([s for s in similar if s[0].isalnum() or s[0] in "'\""])
    return "".join(parts)


def _extreme(chance: Random) -> str:
    """Return a document with a part that is long, deep or large."""
    parts = tokens_of(chance.choice(documents()))
    places = [k for k, part in enumerate(parts) if part[0].isalnum() or part[0] in "'\"["]
    if not places:
        return "".join(parts)
    at = chance.choice(places)
    count = chance.choice((2, 9, 40, 400))
    token = parts[at]
    forms = (
        "9" * (count * 12), f"[{', '.join([token] * count)}]", f"[{token}] * {count * 1000}",
        "(" * count + token + ")" * count, "[" * count + token + "]" * count,
        " + ".join([token] * count), "-" * count + token, f"{token}{'[0]' * count}",
        " ".join([token] * count), token * count, f"copy({token}{', ' * count})",
        f"[for i in range_of([0] * {count}), j in [1] yield {token}]",
        " if true else ".join([token] * count), "e".join(["1"] * min(count, 4)),
        f"{token}{';' * count}", f"'{token * count}'", f"{count}{'0' * count}",
    )  # fmt: skip
    parts[at] = chance.choice(forms)
    return "".join(parts)


def draw_text(chance: Random) -> bytes:
    """Draw a document of NNEF 1.0."""
    match chance.randrange(20):
        case 0 | 1:
            return _encoded(_renumbered(chance))
        case 2 | 3 | 4 | 5 | 6:
            parts = tokens_of(chance.choice(documents()))
            return _encoded("".join(mutated_parts(parts, vocabulary(), chance)))
        case 7 | 8 | 9:
            return _encoded(_spliced(chance))
        case 10 | 11 | 12 | 13 | 14:
            return _encoded(Grammar(chance).document())
        case 15:
            parts = tokens_of(Grammar(chance).document())
            return _encoded("".join(mutated_parts(parts, vocabulary(), chance)))
        case 16:
            return _encoded("".join(mutated_parts(chance.choice(documents()), STRANGE, chance)))
        case 17 | 18:
            return _encoded(_extreme(chance))
        case _:
            count = chance.randrange(80)
            return _encoded(" ".join(chance.choice(vocabulary()) for _ in range(count)))


def draw_one_fault(chance: Random) -> bytes:
    """Draw a valid document with one wrong token."""
    parts = tokens_of(chance.choice(valid_documents()))
    places = [k for k, part in enumerate(parts) if not part.isspace() and part[0] != "#"]
    at = chance.choice(places)
    match chance.randrange(3):
        case 0:
            parts[at] = ""
        case 1:
            parts[at] = f" {parts[at]} {parts[at]} "
        case _:
            parts[at] = f" {chance.choice([*',;:=()[]{}<>!', '->', 'x', '1', 'in', 'fragment'])} "
    return _encoded("".join(parts))


def draw_provisional(chance: Random) -> bytes:
    """Draw a document of the provisional specification of 2017."""
    room = "nnef2017"
    text = chance.choice(documents(room))
    if chance.random() < 0.8:
        return _encoded("".join(mutated_parts(tokens_of(text), vocabulary(room), chance)))
    other = tokens_of(chance.choice(documents("documents")))
    return _encoded("".join(mutated_parts(tokens_of(text), other, chance)))


# -- promises ------------------------------------------------------------------------------------


def check_text(data: bytes, chance: Any) -> str:
    """Check the promises for any text."""
    text = data.decode("utf-8", "surrogatepass")
    return ours_only(lambda: _check(text, chance))


def check_provisional(data: bytes, chance: Any) -> str:
    """Check the promises for a text of the provisional specification, which is not formatted."""
    text = data.decode("utf-8", "surrogatepass")
    return ours_only(lambda: _check(text, chance, formatted=False))


def _check(text: str, chance: Any, *, formatted: bool = True) -> str:
    report = nk.validate(text if "\n" in text else f"{text}\n")
    for diagnostic in report.errors:
        expect(bool(diagnostic.hint), "error without a hint", diagnostic)
        # NNEF 1.0.5 has no section about what only the provisional specification allows.
        stated = diagnostic.section or not formatted
        expect(bool(stated), "error without a section", diagnostic)
    graph, _ = attempt(nk.parse, text)
    expect(report.ok == (graph is not None), "validate and parse disagree", report)
    if chosen(chance, 0.1):
        check_displays(report, text)
    if chosen(chance, 0.1):
        _check_lenient(text, graph)
    if graph is None:
        return REFUSED
    check_graph(graph, chance)
    if formatted and chosen(chance, 0.1):
        tidy, problem = attempt(nk.format, text)
        expect(problem is None, "a valid document is not formatted", problem)
        expect_same(nk.parse(tidy), graph, "formatting changes the graph")
        expect(nk.format(tidy) == tidy, "formatting twice changes the text", tidy)
    return READ


def check_graph(graph: nk.Graph, chance: Any) -> None:
    """Check the promises for every graph: its text is the graph, and all that is done with it."""
    printed = str(graph)
    calls = not any(text.rstrip().endswith("}") for text in graph.declarations)
    again, error = attempt(nk.parse, printed, expand=calls)
    expect(again is not None, "a printed graph is refused", error)
    expect_same(again, graph, "printing changes the graph")
    if chosen(chance, 0.1):
        check_displays(graph, printed)
        for options in ({"defaults": False}, {"shapes": True}):
            text = nk.to_text(graph, **options)
            expect_same(nk.parse(text, expand=calls), graph, f"printing with {options}")
    if chosen(chance, 0.1):
        lowered, problem = attempt(nk.lower, graph)
        expect(problem is None, "a valid graph is not lowered", problem)
        for name, tensor in graph.tensors.items():
            expect(lowered.tensors[name].shape == tensor.shape, "lowering changes shapes", name)
        expect(str(nk.parse(str(lowered))) == str(lowered), "printing a lowered graph changes it")


def _check_lenient(text: str, graph: nk.Graph | None) -> None:
    """Unknown operations are accepted, and fragments that remain calls are the same graph."""
    lenient, _ = attempt(nk.parse, text, strict=False)
    if graph is None:
        return
    expect(lenient is not None, "strict=False refuses more")
    calls, error = attempt(nk.parse, text, expand=False)
    expect(calls is not None, "a document is refused where fragments remain calls", error)
    again, error = attempt(nk.parse, str(calls), expand=False)
    expect(again is not None, "a printed graph with calls is refused", error)
    expect(str(again) == str(calls), "printing a graph with calls changes it", str(calls))
    expanded, error = attempt(nk.parse, str(calls))
    expect(expanded is not None, "a printed graph with calls cannot be expanded", error)
    for name in graph.outputs:
        expect(expanded.tensors[name].shape == graph.tensors[name].shape, "calls change shapes")


def expect_same(found: nk.Graph, expected: nk.Graph, kind: str) -> None:
    """Expect the same text, apart from white space in declarations, and the same shapes."""
    if str(found) != str(expected):
        same = nk.format(str(found)) == nk.format(str(expected))
        expect(same, kind, f"{expected}\n{found}")
    for name, tensor in expected.tensors.items():
        expect(found.tensors[name].shape == tensor.shape, f"{kind}: shapes", name)


def check_displays(shown: Any, text: str) -> None:
    """Displays have no control characters, no pieces of broken characters, and bounded sizes."""
    plain, page = repr(shown), shown._repr_html_()
    expect_printable(plain, "display")
    expect(len(page) <= 100 << 10, "a display above 100 KiB", len(page))
    try:
        page.encode()
    except UnicodeEncodeError as error:
        raise Fault("a page that cannot be encoded", error) from error
    expect(len(plain) < 20_000, "a representation above 20,000 characters", len(plain))


def check_one_fault(data: bytes, chance: Any) -> str:
    """Check that a document with one wrong token has few errors, besides all other promises."""
    outcome = check_text(data, chance)
    errors = nk.validate(f"{data.decode()}\n").errors
    syntax = [d for d in errors if d.code == "syntax"]
    details = "\n\n".join(map(str, syntax))
    expect(len(syntax) <= MAX_PROBLEMS_OF_ONE, "one wrong token is many errors", details)
    return outcome


TARGETS = [
    Target("text", ".nnef", draw_text, check_text, smaller_text),
    Target("one_fault", ".nnef", draw_one_fault, check_one_fault, lambda data: iter(())),
    Target("provisional", ".nnef", draw_provisional, check_provisional, smaller_text),
]

__all__ = ["TARGETS", "check_error", "check_graph"]
