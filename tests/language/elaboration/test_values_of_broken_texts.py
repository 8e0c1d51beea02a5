"""After an error that leaves a name without a value, parsing goes on and ends in a report."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nnefkit.errors import Diagnostic

F = "fragment f( a: tensor<scalar>, n: integer[] ) -> ( b: tensor<scalar> )\n"
F += "{ b = a if n[0] > 0 else relu(a); }"

# (code, body after the external of x)
BROKEN = [
    ("result-mismatch", "[y] = 5;"),
    ("result-mismatch", "[y] = 'five';"),
    ("result-mismatch", "[a, y] = (x, x);"),
    ("undefined-identifier", "[a, b] = range_of(c); y = relu(x);"),
    ("undefined-identifier", "c = constant(shape = [1, 3], value = [d]); y = relu(x);"),
    ("undefined-identifier", "y = f(x, n = c);"),
    ("undefined-identifier", "y = f(x, n = [c]);"),
    ("undefined-identifier", "y = f(x, n = [1] * c);"),
    ("undefined-identifier", "y = reshape(x, shape = [-integer(c)]);"),
    ("undefined-identifier", "y = relu(x) if !logical(c) else x;"),
    ("undefined-identifier", "y = f(x, n = [+integer(c)]);"),
    ("undefined-identifier", "y = x if 'a' in [string(c)] else relu(x);"),
    ("undefined-identifier", "y = f(x, n = [1, 2][integer(c):]);"),
    ("undefined-identifier", "y = relu(rellu(x, c));"),
    ("undefined-identifier", "a = copy_n(x, times = integer(c)); y = relu(x);"),
    ("undefined-identifier", "y = relu(x) if c > 0 else x;"),
    ("undefined-identifier", "y = reshape(x, shape = [for i in c yield i + 1]);"),
]


@pytest.mark.parametrize(("code", "body"), BROKEN)
def test_a_missing_value_is_reported_once(
    code: str, body: str, compositional: Callable[..., tuple[object, list[Diagnostic]]]
) -> None:
    _, found = compositional(body, F)
    assert code in [diagnostic.code for diagnostic in found if diagnostic.severity == "error"]
