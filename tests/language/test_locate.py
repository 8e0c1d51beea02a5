"""The positions of arguments in the text of an assignment."""

from __future__ import annotations

import pytest

from nnefkit.errors import Source, Span
from nnefkit.language import locate

PLACES = [
    ("y = conv(a, b, stride = [1, 1])", "stride", "stride = [1, 1]"),
    ("y = conv(a, b, stride = [1, 1])", "filter", "b"),
    ("y = conv(a, b, stride = [1, 1])", "input", "a"),
    ("y = conv(a, b, stride = [1, 1])", "bias", "conv"),
    ("y = conv(a, b, stride = [1, 1])", "output", "y"),
    ("y = conv(a, b, stride = [1, 1])", "nothing", "conv"),
    ("y = conv(a, b, stride = [1, 1])", "", "conv"),
    ("[p, q] = split(a, axis = 1, ratios = [1, 2])", "values", "[p, q]"),
    ("[p, q] = split(a, axis = 1, ratios = [1, 2])", "ratios", "ratios = [1, 2]"),
    ("m, v = moments(a, axes = [1])", "variance", "v"),
    ("(m, v) = moments(a, axes = [1])", "mean", "m"),
    ("y = concat([a, b, c], axis = 0)", "values", "[a, b, c]"),
    ("y = concat([a, b, c], axis = 0)", "axis", "axis = 0"),
    ("y = pad(a, padding = [(1, 2), (3, 4)])", "padding", "padding = [(1, 2), (3, 4)]"),
    ("y = pad(a, border = 'x, y', value = 1.0)", "border", "border = 'x, y'"),
    ("y = constant<integer>(shape = [1], value = [2])", "value", "value = [2]"),
    ("y = vendor(a, n = 3)", "n", "n = 3"),
    ("y = vendor(a, n = 3)", "m", "vendor"),
    ("y = relu(tanh(a))", "x", "tanh(a)"),
    ("a + b", "x", "a + b"),
    ("y = a < b", "y", "y = a < b"),
    ("y = copy<integer>(a)", "x", "a"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "argument", "place"), PLACES)
@pytest.mark.parametrize("before", ["", "version 1.0; # é\n"])
def test_arguments_are_located(text, argument, place, before):
    source = Source(before + text + "; z = relu(y); }")
    span = Span(len(before), len(before) + len(text))
    found = locate(source, span, argument)
    assert source.text[found.start : found.end] == place
    assert span.start <= found.start < found.end <= span.end
