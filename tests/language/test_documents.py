"""The documents of a corpus, one for each rule of the specification, in `documents/`.

The first line of each names the section; lines ``# expect: code line`` list the diagnostics that
it must get, all of them.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

import nnefkit as nk
from nnefkit.language import format_document

FOLDER = pathlib.Path(__file__).parent / "documents"


def _documents(kind):
    return [pytest.param(path, id=path.stem) for path in sorted((FOLDER / kind).glob("*.nnef"))]


def _text(path):
    # Line ends are preserved.
    return path.read_bytes().decode()


def _expected(text):
    found = re.finditer(r"^# expect: (\S+) (\d+)\r?$", text, re.MULTILINE)
    return [(match[1], int(match[2])) for match in found]


def _same(a, b):
    """Return whether two graphs are equal except for their positions in the text."""

    def content(graph):
        operations = [
            (op.name, dict(op.inputs), dict(op.outputs), repr(dict(op.attribs)), op.dtype)
            for op in graph.operations
        ]
        tensors = {t.name: (t.dtype, t.shape, t.label) for t in graph.tensors.values()}
        return graph.name, graph.inputs, graph.outputs, graph.extensions, operations, tensors

    return content(a) == content(b)


@pytest.mark.parametrize("path", _documents("valid"))
def test_a_valid_document_has_no_errors_and_the_expected_warnings(path):
    text = _text(path)
    report = nk.validate(text)
    assert report.errors == ()
    assert [(d.code, d.line) for d in report.warnings] == _expected(text)


@pytest.mark.parametrize("path", _documents("valid"))
def test_a_valid_document_survives_printing_and_parsing(path):
    graph = nk.parse(_text(path))
    printed = str(graph)
    again = nk.parse(printed)
    assert _same(again, graph)
    assert str(again) == printed


@pytest.mark.parametrize("path", _documents("valid"))
def test_formatting_a_formatted_document_changes_nothing(path):
    text = _text(path)
    laid_out = format_document(text)
    assert format_document(laid_out) == laid_out
    assert _same(nk.parse(laid_out), nk.parse(text))


@pytest.mark.parametrize("path", _documents("invalid"))
def test_an_invalid_document_has_exactly_the_expected_errors(path):
    text = _text(path)
    report = nk.validate(text)
    reported = [d for d in report.diagnostics if d.severity != "note"]
    assert [(d.code, d.line) for d in reported] == _expected(text)
    assert report.errors
    for diagnostic in report.errors:
        assert diagnostic.hint, str(diagnostic)
        assert diagnostic.section, str(diagnostic)
        assert diagnostic.excerpt == re.split("\n", text)[diagnostic.line - 1].rstrip("\r")
    with pytest.raises(nk.NnefError) as raised:
        nk.parse(text)
    assert raised.value.diagnostics == report.errors


def test_every_document_names_its_section_and_every_rule_has_one():
    chapters = set()
    for path in FOLDER.glob("*/*.nnef"):
        match = re.match(r"# ([3-7](?:\.\d)*|A\.\d): \S", _text(path))
        assert match, path
        chapters.add(match[1][0])
    assert chapters == set("3467A") | {"7"}
    assert len(_documents("valid")) >= 170
    assert len(_documents("invalid")) >= 90


# -- the Khronos parser --------------------------------------------------------------------------

DISAGREEMENTS = {
    # It refuses or cannot read valid documents.
    "argmax_pool_and_sample": ("4.3.3", "indices have the shape of the output of 'sample'"),
    "comment_ends_at_form_feed": ("3.1", "a form feed ends a comment"),
    "comparisons_of_tensors": ("3.3.3", "&& and || of tensors"),
    "comprehension_over_tuples": ("3.3.3", "the elements of a tuple"),
    "desample": ("4.3.3", "indices have the shape of the output of 'sample'"),
    "extension_of_a_vendor": ("3.2.4", "an unknown extension"),
    "extensions_with_commas": ("3.2.4", "commas between extensions, with a warning"),
    "extensions_in_one_line": ("3.2.4", "several extensions after one keyword"),
    "fragment_forward_reference": ("3.3.2", "a fragment that is declared later"),
    "fragment_mutually_recursive": ("3.3.3", "a fragment that is declared later"),
    "fragment_tuple_covered_by_a_name": ("3.3.2", "a tuple covered by one identifier"),
    "graph_named_like_an_operation": ("3.2.1", "the name of a graph is not an operation"),
    "if_else_chain": ("3.2.3", "strings compared"),
    "logicals_compared": ("3.3.3", "any primitive types can be compared"),
    "operators_by_precedence": ("3.3.3", "&& of tensors"),
    "operators_of_tensors": ("3.3.3", "a plus sign as an operator"),
    "result_that_is_a_parameter": ("3.2.1", "a parameter as a result"),
    "roi_align": ("4.6.2", "'batch_index' of shape [N,1]"),
    "roi_pooling": ("4.6.1", "'batch_index' of shape [N,1]"),
    "shape_of_a_computed_tensor": ("3.3.3", "shape_of is deprecated, not removed"),
    "shape_of_a_literal": ("3.3.3", "shape_of is deprecated, not removed"),
    "shape_of_an_input": ("3.3.3", "shape_of is deprecated, not removed"),
    "sign_of_an_identifier": ("3.2.3", "a plus sign as an operator"),
    "sign_twice": ("3.2.3", "a plus sign as an operator"),
    "string_with_an_escaped_double_quote": ("3.1", "an escaped quote"),
    "string_with_an_escaped_quote": ("3.1", "an escaped quote"),
    "strings_compared": ("3.3.3", "any primitive types can be compared"),
    "strings_joined_and_repeated": ("3.3.3", "strings are repeated by *"),
    "subscript_of_a_string": ("3.3.3", "a string is sliced like an array"),
    "subscript_of_a_tuple": ("3.3.3", "the elements of a tuple"),
    "subscript_range_that_is_empty": ("3.3.3", "a range that ends before it begins is empty"),
    "version_of_an_unknown_minor": ("3.2.4", "a later minor version"),
    "version_without_a_semicolon": ("3.2.4", "no semicolon after the version, with a warning"),
    # It accepts invalid documents.
    "chaining_not_enabled": ("3.2.3", "the extension that chaining needs"),
    "comprehension_not_enabled": ("3.2.3", "the extension that a comprehension needs"),
    "constant_of_a_wrong_count": ("4.1.2", "as many values as the volume, or one"),
    "conv_bias_of_rank_1": ("4.3.1", "the channels of a bias are its second dimension"),
    "conv_border_ignore": ("4.3.1", "the border modes of convolutions"),
    "conv_border_unknown": ("4.3", "the border modes"),
    "conv_window_larger_than_the_input": ("4.3", "a window within the padded input"),
    "external_of_no_extent": ("4.1.1", "positive extents"),
    "generic_argument_needless": ("3.3.2", "a type argument of an operation that is not generic"),
    "label_empty": ("4.1.3", "the characters of labels"),
    "label_of_two_shapes": ("4.1.3", "one shape for one label"),
    "label_with_a_space": ("4.1.3", "the characters of labels"),
    "left_side_of_an_attribute": ("3.3.2", "identifiers of a graph are tensors"),
    "number_too_large": ("3.1", "numbers beyond the range of floating point"),
    "number_without_fraction": ("3.1", "digits after the point"),
    "parentheses_not_enabled": ("3.2.3", "the extension that parentheses need"),
    "pool_size_zero": ("4.3", "positive sizes"),
    "reduce_axes_repeated": ("4.4", "unique axes"),
    "sample_border_ignore": ("4.3.3", "the border modes of 'sample'"),
    "squeeze_of_an_extent": ("4.5.1", "only singletons are squeezed"),
    "string_not_ascii": ("3.1", "printable ASCII characters"),
    "string_with_an_unknown_escape": ("3.1", "the escapes of strings"),
    "subscript_negative": ("3.3.3", "indices from 0 on"),
    "update_twice": ("4.8", "one update of a variable"),
    "upsample_method_unknown": ("4.3.4", "the methods of up-sampling"),
    "variable_of_a_negative_extent": ("4.1.3", "positive extents"),
    # It crashes the process.
    "division_by_zero": ("3.3.3", "an integer divided by zero"),
    "fragment_recursion_without_an_end": ("3.3.3", "a recursion without an end"),
    "generic_passed_on_from_nothing": ("3.3.2", "<?> outside of a generic fragment"),
    "left_side_an_invocation": ("3.3.2", "an invocation on the left-hand side"),
}
"""Document to the section that decides, and what the Khronos parser does differently."""


def _verdicts(paths):
    """Return the verdicts of the Khronos parser on documents; None where it crashes."""
    script = str(pathlib.Path(__file__).with_name("khronos_verdicts.py"))
    found = {}
    while paths:
        command = [sys.executable, script, *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        lines = [line.partition("\t") for line in done.stdout.splitlines()]
        # Its own messages are on lines without a document.
        verdicts = {name: verdict for name, _, verdict in lines if pathlib.Path(name) in paths}
        assert verdicts, done.stderr
        found |= {pathlib.Path(name): verdict for name, verdict in verdicts.items()}
        paths = [path for path in paths if path not in found]
    return found


def test_the_khronos_parser_differs_only_where_the_specification_decides():
    paths = sorted(FOLDER.glob("*/*.nnef"))
    differing = {
        path.stem
        for path, verdict in _verdicts(paths).items()
        if not verdict.startswith("accepts" if path.parent.name == "valid" else "refuses")
    }
    # With enough memory, it builds even this.
    assert differing - {"result_too_long"} == DISAGREEMENTS.keys()


@pytest.mark.parametrize("name", DISAGREEMENTS)
def test_a_disagreement_names_the_section_of_its_document(name):
    (path,) = FOLDER.glob(f"*/{name}.nnef")
    assert _text(path).startswith(f"# {DISAGREEMENTS[name][0]}: ")
