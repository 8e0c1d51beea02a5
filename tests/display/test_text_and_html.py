"""Text and HTML of a display state the same facts."""

import re
import unicodedata
from html.parser import HTMLParser


class Reader(HTMLParser):
    """The words of an HTML document, including the descriptions of its pictures."""

    def __init__(self, document):
        super().__init__()
        self.words = []
        self.feed(document)

    def handle_starttag(self, tag, attributes):
        self.words += [value for key, value in attributes if key in ("alt", "title") and value]
        if tag in ("td", "th", "div", "summary", "tr", "pre"):
            self.words.append("\n")

    def handle_data(self, data):
        self.words.append(data)

    @classmethod
    def read(cls, document):
        return "".join(cls(document).words)


def facts(line):
    """The words and numbers of a line of text."""
    # The counts of rows differ, as the number of rows does.
    line = re.sub(r"[\d,]+ of ([\d,]+ (operations|variables|tensors|diagnostics))", r"\1", line)
    return [word for word in re.split(r"[\s|│]+", line) if word not in ("⋮", "")]


def test_every_fact_of_the_text_is_in_the_html(tame):
    for shown in tame:
        plain, page = shown.text, shown.html
        words = Reader.read(page)
        missing = [fact for line in plain.splitlines() for fact in facts(line) if fact not in words]
        assert not missing, (shown.kind, missing)


def test_every_word_of_the_head_is_in_both(tame):
    for shown in tame:
        plain, page = shown.text, shown.html
        head = Reader.read(page.split("</div>")[0])
        assert facts(head) == facts(plain.splitlines()[0])


def rows(shown):
    """The rows of the tables of text and of HTML, as words in their order."""
    plain, page = shown.text, shown.html
    in_text = [facts(line) for line in plain.splitlines() if re.match(r"\s+\d+  ", line)]
    in_html = [
        facts(" ".join(Reader.read(cell) for cell in re.findall(r"<td.*?</td>", row)))
        for row in re.findall(r"<tr.*?</tr>", page)
    ]
    return in_text, [[w for w in row if w not in ("■", "histogram")] for row in in_html]


def test_a_row_of_the_text_is_a_row_of_the_html(builders):
    for kind in ("graph", "trace", "comparison"):
        in_text, in_html = rows(builders[kind]())
        assert len(in_text) >= 6
        for row in in_text:
            assert row in in_html, (kind, row)


def test_text_has_no_control_characters_no_trailing_blanks_and_no_colors(tame, hostile):
    for shown in tame + hostile:
        for line in shown.text.split("\n"):
            assert line.isprintable(), line
            assert line == line.rstrip()


def test_the_same_object_has_the_same_text_and_html(tame):
    for shown in tame:
        assert (shown.text, shown.html) == (shown.text, shown.html)


def test_columns_of_text_are_aligned(builders):
    lines = builders["trace"]().text.splitlines()
    head = next(line for line in lines if "operation" in line and "tensor" in line)
    starts = [head.index(word) for word in ("operation", "tensor", "shape")]
    rows = [line for line in lines if re.match(r"\s+\d+  \w", line)]
    assert len(rows) > 10
    for row in rows:
        assert all(row[start - 1] == " " != row[start] for start in starts)


def test_one_more_row_does_not_move_the_columns(builders):
    first = builders["trace"](8, bad=(), every=0).text.splitlines()
    second = builders["trace"](9, bad=(), every=0).text.splitlines()
    assert first[1:9] == second[1:9]
    # One row without values is below those that have some.
    first = builders["trace"](8, bad=(), every=20).text.splitlines()
    second = builders["trace"](9, bad=(), every=20).text.splitlines()
    assert first[2:10] == second[2:10]


def test_tensors_with_nan_or_inf_are_always_shown(builders):
    shown = builders["trace"](2000, bad=(1111,))
    for document in (shown.text, shown.html):
        assert "tensor1111" in document
        assert "1 NaN · 1 Inf" in document


def test_the_first_difference_is_always_shown(builders):
    shown = builders["comparison"](2000, parts_at=1234)
    for document in (shown.text, shown.html):
        assert "tensor1234" in document
        assert "introduces" in document
        assert "tensor1999" in document


def test_tables_state_what_they_leave_out_and_how_to_get_it(builders):
    shown = builders["graph"](500)
    for document in (shown.text, shown.html):
        assert re.search(r"\d+ of 500 operations", document)
        assert "graph.to_frame()" in document
    few = builders["graph"](3)
    for document in (few.text, few.html):
        assert " of 3 operations" not in document


def test_a_hint_and_a_caret_are_below_each_diagnostic(builders):
    shown = builders["report"](3)
    for document in (shown.text, shown.html):
        words = Reader.read(document) if document.startswith("<") else document
        assert words.count("^^^^^") == 3
        assert words.count("Did you mean") == 3
        assert words.count("section 3.3.2") == 3
        assert "1 error, 1 warning, 1 note" in words


def test_carets_are_below_what_they_mark(builders):
    page = Reader.read(builders["report"](2).html)
    lines = page.splitlines()
    marks = [i for i, line in enumerate(lines) if line.endswith("^^^^^")]
    assert marks
    for i in marks:
        start = lines[i].index("^")
        assert lines[i - 1][start : start + 5] == "bordr"
        assert all(unicodedata.category(c) != "Cc" for c in lines[i])
