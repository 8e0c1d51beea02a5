"""Formatting changes only white space, and formatting again changes nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timing import assert_linear, assert_quick, least_seconds

from nnefkit.errors import DocumentError, InputError, Source
from nnefkit.io import parse
from nnefkit.language import format_document
from nnefkit.language.syntax.lexer import LITERAL, Tokens

MODELS = sorted((Path(__file__).parents[2] / "models").rglob("graph.nnef"))
EVERYTHING = """\
version 1.0;
extension KHR_enable_fragment_definitions KHR_enable_operator_expressions;

fragment pick<? = scalar>(
    x: tensor<?>,
    weight: tensor<scalar> = 1.0,
    padding: (integer, integer)[] = [],
    label: string = 'a\\'b'
) -> ( z: tensor<scalar>, rest: integer[] )
{
    z = -x + -3 * weight ^ 2.0 if length_of(padding) > 0 && !true else x - -weight;
    rest = [for i in range_of(padding), j in [1, 2] if i >= j yield integer(i) * (j + 1)];
}

fragment opaque( x: tensor<> ) -> ( y: tensor<>[] );
fragment other( x: tensor<scalar>[] ) -> ( y: (tensor<scalar>, tensor<scalar>) );

graph net( input ) -> ( y, z )
{
    input = external<scalar>(shape = [1, 3, 8, 8]);

    a, b = pick(input, 0.5, padding = [(0, 1), (-1, 0)]);
    [c, d] = split(a, axis = 1, ratios = [1, 2]);
    y = copy<scalar>(c)[0:2] if 1 in b[:2] || b[1:] == b[:] else d / 3;
    z = conv(
        input, a,
        border = 'constant',
        padding = [(0, 0), (1, 1)],
        stride = [1, 1],
        dilation = [1, 1],
        groups = 1
    );
}
"""
COMMENTED = """\
# licence

# about the document
version 1.0;  # the version
extension KHR_enable_fragment_definitions;  # one extension

# about f
fragment f(
    # about x
    x: tensor<scalar>,  # behind x
    y: tensor<scalar> = 1.0  # behind y
    # before the end
) -> ( z: tensor<scalar> )
# before the body
{  # begins
    # first
    z = add(
        x,  # why
        y
    );  # done

    # apart
    # last
}  # ended

graph g( x ) -> ( y )
{
    x = external(shape = [1]);
    y =  # inside
        f(x);
    # at the end
}
# after everything
"""


def strings_in_tests() -> list[str]:
    """Return every document in the tests of the language."""
    found = []
    for path in sorted(Path(__file__).parents[1].rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and all(w in value for w in ("version", "graph", "{")):
                found.append(value)
    return found


def standard_fragments() -> str:
    """Return the declarations of all standard operations as a document."""
    text = (files("nnefkit.language.declarations") / "standard.nnef").read_text()
    return f"version 1.0;\n{text}\ngraph g(x) -> (y) {{ y = copy(x); }}\n"


def documents() -> list[str]:
    """Return documents that follow the grammar."""
    found = [EVERYTHING, COMMENTED, standard_fragments()]
    for text in strings_in_tests():
        try:
            format_document(text)
        except DocumentError:
            continue
        found.append(text)
    return found


DOCUMENTS = documents()


def meaning(text: str) -> list[str]:
    """Return the tokens of a text, with quotes and signs normalized."""
    tokens = Tokens(Source(text))
    found: list[str] = []
    for token in tokens.texts[: tokens.count]:
        if tokens.kinds[token] == LITERAL and token[0] in "'\"":
            found.append(repr(tokens.values[token]))
        elif token == ">=":
            found += ">="
        elif token[0] == "-" and token != "->":
            found += filter(None, ("-", token[1:]))
        else:
            found.append(token)
    return found


def comments(text: str) -> list[str]:
    """Return the comments of a text in their order."""
    without_strings = re.sub(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"", "''", text)
    return [found.rstrip() for found in re.findall(r"#[^\n\f]*", without_strings)]


def check(text: str, **options: int) -> str:
    """Check the promises for every formatted document."""
    laid_out = format_document(text, **options)
    assert meaning(laid_out) == meaning(text)
    assert comments(laid_out) == comments(text)
    assert format_document(laid_out, **options) == laid_out
    assert laid_out.endswith("\n")
    assert not laid_out.endswith("\n\n")
    assert not re.search(r"[ \t]\n|\n\n\n", laid_out)
    return laid_out


@pytest.mark.parametrize("text", [EVERYTHING, COMMENTED], ids=["everything", "commented"])
def test_the_style(text: str) -> None:
    assert format_document(text) == text


@pytest.mark.parametrize("text", DOCUMENTS)
def test_only_white_space_changes(text: str) -> None:
    for width in (100, 40, 1):
        check(text, width=width)


def test_there_are_many_documents() -> None:
    assert len(DOCUMENTS) > 5


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.parent.name)
def test_formatted_real_models_have_the_same_meaning(path: Path) -> None:
    text = path.read_text()
    laid_out = check(text)
    assert str(parse(laid_out)) == str(parse(text))
    assert max(map(len, laid_out.splitlines())) <= 100


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.parent.name)
def test_printed_graphs_are_formatted_except_for_long_lines(path: Path) -> None:
    printed = str(parse(path.read_text()))
    assert format_document(printed, width=10_000) == printed


# Every white space of the grammar, and comments, between any two tokens.
SPACES = (
    "",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\f",
    "\v",
    "\n\n\n",
    " # a\n",
    "\n# b = 'c;'\n",
    "#\n",
    "#d\f",
)


@settings(max_examples=120, deadline=None)
@given(
    st.randoms(use_true_random=True),
    st.lists(st.sampled_from(SPACES), min_size=1),
    st.floats(0, 1),
    st.sampled_from([100, 60, 20, 1]),
)
def test_any_white_space_and_comments_are_formatted(
    random: Random, spaces: list[str], share: float, width: int
) -> None:
    tokens = Tokens(Source(EVERYTHING))
    pieces: list[str] = []
    for before, token in zip(["", *tokens.texts], tokens.texts[: tokens.count], strict=False):
        space = random.choice(spaces) if random.random() < share else ""
        words = before[-1:].isalnum() or before[-1:] == "_"
        if not space and words and (token[0].isalnum() or token[0] == "_"):
            space = " "
        pieces += (space, token)
    respaced = "".join([*pieces, random.choice(spaces)])
    laid_out = check(respaced, width=width)
    if "#" not in respaced:
        assert squeezed(laid_out) == squeezed(format_document(EVERYTHING, width=width))


def squeezed(text: str) -> str:
    """Return a text without its blank lines."""
    return re.sub(r"\n+", "\n", text.replace("\r\n", "\n")).strip()


@pytest.mark.parametrize(
    ("written", "laid_out"),
    [
        ("y=f(x,a=-3,b=- 3,c=[-1,+2]);", "y = f(x, a = -3, b = -3, c = [-1, +2]);"),
        ("y=-x*(-3)^-a- -b+!c;", "y = -x * (-3) ^ -a - -b + !c;"),
        ("y=a<b&&c>d||e>=f;", "y = a < b && c > d || e >= f;"),
        ("y=cast<integer>(x)[1:]+z[ :2]+z[a+1:b];", None),
        ('y=f("a","it\'s","\\"");', 'y = f(\'a\', "it\'s", "\\"");'),
        ("y=1.50E-05+007;", "y = 1.50E-05 + 007;"),
        ("(a,[b,c])=f(x);", "(a, [b, c]) = f(x);"),
        ("y=[for i in a yield[i]];", "y = [for i in a yield [i]];"),
        ("y=a if b else(c);", "y = a if b else (c);"),
    ],
)
def test_spacing(written: str, laid_out: str | None) -> None:
    laid_out = laid_out or "y = cast<integer>(x)[1:] + z[:2] + z[a + 1:b];"
    assert body(written) == [laid_out]


def body(assignments: str, **options: int) -> list[str]:
    """Return the lines of the body of a graph, without their indentation."""
    extension = "extension KHR_enable_operator_expressions;"
    text = f"version 1.0; {extension} graph g(x) -> (y) {{ {assignments} }}"
    lines = format_document(text, **options).split("{\n", 1)[1].splitlines()[:-1]
    return [line[4:] for line in lines]


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        # Arguments without a name share lines, those with a name do not.
        (
            "y = conv(input, filter, 0.0, border = 'constant', groups = 1);",
            [
                "y = conv(",
                "    input, filter, 0.0,",
                "    border = 'constant',",
                "    groups = 1",
                ");",
            ],
        ),
        # Long literals fill lines.
        (
            "v = f([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);",
            ["v = f([", "    1.0, 2.0, 3.0, 4.0, 5.0, 6.0,", "    7.0, 8.0", "]);"],
        ),
        # Operators move to the next line, those that bind loosest first.
        (
            "y = aaaaaaaaaa * bbbbbbbbb + cccccccccc * ddddd;",
            ["y = aaaaaaaaaa * bbbbbbbbb", "    + cccccccccc * ddddd;"],
        ),
        (
            "y = aaaaaaaaaaaaaa if bbbbbbbbbb else ccccccccccc;",
            ["y = aaaaaaaaaaaaaa if bbbbbbbbbb", "    else ccccccccccc;"],
        ),
        # Results without brackets.
        (
            "aaaaaaaaa, bbbbbbbbb, ccccccccc, ddddddddd = f(x);",
            ["aaaaaaaaa, bbbbbbbbb, ccccccccc,", "    ddddddddd = f(x);"],
        ),
        # Comprehensions.
        (
            "y = [for i in aaaaaaaaaaaa if i > 0 yield f(i)];",
            ["y = [", "    for i in aaaaaaaaaaaa", "    if i > 0", "    yield f(i)", "];"],
        ),
    ],
)
def test_long_statements(written: str, lines: list[str]) -> None:
    assert body(written, width=40) == lines


def test_at_most_one_blank_line_is_preserved() -> None:
    assert body("a = f(x);\n\n\n\nb = f(x);\nc = f(x);") == [
        "a = f(x);",
        "",
        "b = f(x);",
        "c = f(x);",
    ]


def test_line_ends_of_the_text_are_preserved() -> None:
    windows = COMMENTED.replace("\n", "\r\n")
    assert format_document(windows) == windows


def test_a_byte_order_mark_is_removed() -> None:
    assert format_document("\ufeff" + EVERYTHING) == EVERYTHING


def test_indentation() -> None:
    laid_out = check(EVERYTHING, indent=2)
    assert "\n  z = conv(\n    input, a,\n" in laid_out


def test_all_syntax_errors_are_reported() -> None:
    text = (
        "version 1.0;\ngraph g(x) -> (y)\n{\n  x = external(shape = [1]\n  y = ;\n  y = f(§);\n}\n"
    )
    with pytest.raises(DocumentError) as caught:
        format_document(text, name="mine.nnef")
    assert [d.line for d in caught.value.diagnostics] == [5, 6]
    assert {d.file for d in caught.value.diagnostics} == {"mine.nnef"}


@pytest.mark.parametrize("options", [{"width": 0}, {"indent": -1}, {"indent": 101}])
def test_impossible_options_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(InputError):
        format_document(EVERYTHING, **options)


@pytest.mark.parametrize(
    "deep",
    [
        lambda n: "f(" * n + "x" + ")" * n,
        lambda n: "f(a, x = " * n + "x" + ")" * n,
        lambda n: "f(" + "[" * n + "x" + "]" * n + ")",
        lambda n: "(a + " * n + "x" + ")" * n,
        lambda n: "x" + " + x * x" * n,
        lambda n: "f(#c\n" * n + "x" + ")" * n,
        lambda n: "f(" + "a, # c\n" * n + "x)",
        lambda n: "x" + " if c else y" * n,
    ],
)
def test_depth_and_length_cost_linear_time(deep: Callable[[int], str]) -> None:
    def seconds(size: int) -> float:
        text = "version 1.0; extension KHR_enable_operator_expressions; "
        text += f"graph g(x) -> (y) {{ y = {deep(size)}; }}"
        laid_out = format_document(text)
        assert max(map(len, laid_out.splitlines())) <= 100
        assert format_document(laid_out) == laid_out
        return least_seconds(lambda: format_document(text), tries=3)

    assert_linear(seconds, 1000, factor=8, most=30)


@pytest.mark.slow
def test_ten_megabytes_in_one_line() -> None:
    line = "t%d = conv(t%d, v%d, border='constant', padding=[(0,0),(1,1)], stride=[1,1], groups=1);"
    statements = "".join(line % (i, i - 1, i) for i in range(115_000))
    text = f"version 1.0; graph g(t0) -> (t1) {{ {statements} }}"
    assert len(text) > 10_000_000
    laid_out = assert_quick(lambda: format_document(text), 60, tries=1)
    assert laid_out.count("\n") > 115_000
