"""Corner cases of the language, a line or two each: valid ones and invalid ones."""

from __future__ import annotations

import pytest

import nnefkit as nk

EXTENSIONS = "extension KHR_enable_fragment_definitions KHR_enable_operator_expressions;"
T = "tensor<scalar>"


def _document(body, fragments="", extensions=""):
    return (
        f"version 1.0; {extensions}\n{fragments.replace('T!', T)}\n"
        "graph g(x) -> (y)\n{\nx = external(shape = [2, 3, 4, 5]);\n" + body + "\n}\n"
    )


FLAT = [
    "y = relu(x);",
    "y = relu(x);\n# comment at the end",
    "y = relu(x)\f;",
    "y = pad(x, padding = [(0,0),(0,0),(1,1),(-1,0)], border = 'reflect', value = 0.0);",
    "y = copy<scalar>(x);",
    "y = constant(shape=[2,2], value=[1.0]);",
    (
        "a = constant<integer>(shape=[2], value=[-1, 9223372036854775807]); "
        "b = constant<logical>(shape=[1], value=[true]); y = relu(x);"
    ),
    "y = clamp(x, 0.0, 6.0);",
    "y = add(1.0, x);",
    "y = min(2.0, 3.0);",
    "scalars = relu(x); iff = relu(x); Graph = relu(x); _ = relu(x); y = add(_, iff);",
    "a = relu(x); y = sum_reduce(a, axes = [3, 0], normalize = true);",
    "y = slice(x, axes = [3,2], begin = [4, 0], end = [-6, 0], stride = [-1, 1]);",
    "y = transpose(x, axes = [1, 0]);",
    "y = stack([x, x], axis = 4);",
    "[a, b] = unstack(x, axis = 0); y = add(a, b);",
    "y = tile(x, repeats = [1,2,1,1]);",
]

# fragments, body
COMPOSITIONAL = [
    ("", "y = reshape(x, shape = [length_of([1,2])*60]);"),
    ("", "y = reshape(x, shape = [for i in [120] yield i]);"),
    ("", "y = reshape(x, shape = ([1,2]+[60])[0:]);"),
    ("", "y = reshape(x, shape = ([7] * 0) + [120]);"),
    ("", "y = reshape(x, shape = [2,60] if [1,(2)] in [[1,2],[3]] else [1]) ;"),
    ("", "y = reshape(x, shape = [2,60] if (1,'a') in [(1,'a')] else [1]);"),
    ("", "y = leaky_relu(x, alpha = 1.0 if 1 < 2 && 2.0 >= 2.0 || false else 0.0);"),
    ("", "y = leaky_relu(x, alpha = 2.0 ^ -1.0);"),
    ("", "y = leaky_relu(x, alpha = 2.0 ^ 3.0 ^ 2.0 / 1000.0);"),
    ("", "y = leaky_relu(x, alpha = - - 1.0);"),
    ("", "y = leaky_relu(x, alpha = -(-(1.0)));"),
    ("", "y = leaky_relu(x, alpha = scalar('1e-3') + scalar(true) + scalar(3));"),
    ("", "y = leaky_relu(x, alpha = scalar(integer(-2.5)) + scalar(integer('-7')));"),
    ("", "y = leaky_relu(x, alpha = [0.1, 0.2, 0.3][length_of('ab')]);"),
    ("", "y = leaky_relu(x, alpha = scalar(string(0.1) + '5'));"),
    ("", "y = leaky_relu(x, alpha = scalar(('0.' + '1' * 3)[0:4]));"),
    ("", "y = x if !false else x;"),
    ("", "y = -x ^ 2.0;"),
    ("", "y = 1.0 - x;"),
    ("", "y = 2.0 / x * 3.0;"),
    ("", "a = x < 1.0; y = select(a && !a || true, x, 0.0);"),
    ("", "y = concat([x] * 3, axis = 1);"),
    ("", "y = concat([for a in [x,x], s in [1.0,2.0] if s > 1.0 yield a * s], axis = 0);"),
    ("", "[a,b,c] = split(x, axis = 1, ratios = [1] * 3); y = add_n([a,b,c][1:]);"),
    ("", "a, b = moments(x, axes = [2,3]); y = a + b;"),
    ("", "(a, b) = moments(x, axes = [2,3]); y = a + b;"),
    ("", "(a, b) = (x + 1.0, x * 2.0); y = a - b;"),
    ("", "[a, b] = [x, x * 2.0]; y = a - b;"),
    ("", "[a, b] = [for i in range_of([5,6]) yield x * scalar(i)]; y = a - b;"),
    (
        (
            "fragment f(x: T!) -> (y: T!) { y = g1(x, n = 3); } fragment g1(x: T!, "
            "n: integer) -> (y: T!) { y = relu(g1(x, n = n - 1)) if n > 0 else x; }"
        ),
        "y = f(x);",
    ),
    (
        (
            "fragment f(x: T!) -> (y: T!) { a, [b, c] = h(x); y = a + b + c; "
            "} fragment h(x: T!) -> (p: T!, q: T![]) { p = x; q = [x, x]; }"
        ),
        "y = f(x);",
    ),
    (
        "fragment f<?>(x: tensor<?>) -> (y: tensor<?>) { y = select(x == x, x, x); }",
        "y = f<scalar>(x);",
    ),
    (
        "fragment f<?>(x: tensor<>, n: ?) -> (y: tensor<?>) { y = cast<?>(x); }",
        "y = cast<scalar>(f(x, n = 2));",
    ),
    (
        (
            "fragment f(x: T!, e: integer[] = [], z: (integer, scalar[])[] = [(1, "
            "[2.0])]) -> (y: T!) { a, b = z[0]; y = x * b[0] * scalar(a); }"
        ),
        "y = f(x);",
    ),
    ("fragment f(x: T!, p: (integer,scalar) = (1, 2.0)) -> (y: T!) { y = x * p[1]; }", "y = f(x);"),
    (
        ("fragment f(x: T!, n: integer) -> (y: T!) { y = x * scalar(10 / n) if n != 0 else x; }"),
        "y = f(x, n = 0);",
    ),
    ("fragment f(x: T![]) -> (y: T!) { y = add_n(x) if length_of(x) > 0 else 0.0; }", "y = f([]);"),
    (
        "fragment f(x: T!, z: T![][]) -> (y: T!) { y = x + z[1][1] + z[0][0]; }",
        "y = f(x, [[x], [x, x]]);",
    ),
    (
        "fragment f(x: T!, z: (T!,T!)) -> (y: T!) { a, b = z; y = x + a + z[1]; }",
        "y = f(x, (x, x));",
    ),
    ("", "y = 1.0 if false else x;"),
    ("", "y = x if true else 1.0 if false else 2.0;"),
    ("", "y = x + (1.0 if 2 in [for i in range_of('abc') yield i] else 0.0);"),
    (
        (
            "fragment f(x: T!, a: integer, b: integer) -> (y: T!) { "
            "y = x * scalar(a * b / 2 - -1); }"
        ),
        "y = f(x, a = 1, b = 2);",
    ),
    (
        (
            "fragment f(x: T!) -> (y: T!) { "
            "y = [for i in range_of([1,2,3]) yield x * scalar(i)][2]; }"
        ),
        "y = f(x);",
    ),
    (
        ("fragment f(x: T!) -> (y: T!) { a = [x, x]; b = a + [x]; [c, d, e] = b; y = c + d + e; }"),
        "y = f(x);",
    ),
    (
        (
            "fragment f(x: T!) -> (y: T!) { n = 3; m = [n] * n; k = m[0] if n in m else 0; "
            "y = x * scalar(k); }"
        ),
        "y = f(x);",
    ),
]

# code, body
FLAT_BROKEN = [
    ("invalid-argument", "y = reshape(x, shape = [0, 0, 0, 0, -1, -1]);"),
    ("shape-mismatch", "y = reshape(x, shape = [7]);"),
    ("invalid-argument", "y = transpose(x, axes = [0, 0]);"),
    ("invalid-argument", "y = transpose(x, axes = [1, 2]);"),
    ("undeduced-type", "y = concat([], axis = 0);"),
    ("shape-mismatch", "y = squeeze(x, axes=[0]);"),
    ("invalid-argument", "y = unsqueeze(x, axes=[6]);"),
    ("invalid-argument", "y = slice(x, axes=[0], begin=[2], end=[1]);"),
    ("invalid-argument", "y = slice(x, axes=[0,0], begin=[0,0], end=[1,1]);"),
    ("invalid-argument", "y = slice(x, axes=[0], begin=[0], end=[1], stride=[0]);"),
    ("invalid-argument", "y = tile(x, repeats=[1,2]);"),
    ("invalid-argument", "y = pad(x, padding=[(0,0)]);"),
    ("shape-mismatch", "y = matmul(x, x);"),
    ("invalid-argument", "y = softmax(x, axes=[4]);"),
    ("invalid-argument", "y = argmax_reduce(x, axes=[1,1]);"),
    (
        "shape-mismatch",
        ("y = max_pool(x, size=[1,1,9,9], border='ignore', padding=[(0,0),(0,0),(0,0),(0,0)]);"),
    ),
    ("shape-mismatch", "y = max_pool(x, size=[1,1,2]);"),
    ("invalid-argument", "y = max_pool(x, size=[1,1,2,2], stride=[1,1,0,1]);"),
    ("invalid-argument", "y = nearest_upsample(x, factor=[0,2]);"),
    ("shape-mismatch", "y = nearest_downsample(x, factor=[3,3]);"),
    ("shape-mismatch", "y = nearest_upsample(x, factor=[2]);"),
    ("invalid-argument", "y = constant(shape=[2], value=[1.0,2.0,3.0]);"),
    ("invalid-argument", "y = variable(shape=[2], label='');"),
    ("invalid-argument", "y = variable(shape=[2], label='a b');"),
    ("invalid-argument", "y = update(x, x);"),
    ("shape-mismatch", "y = local_response_normalization(x, size=[1,2]);"),
    ("type-mismatch", "y = gather(x, x, axis=0);"),
    ("undeduced-type", "y = cast(x);"),
    (
        "invalid-argument",
        "y = min_max_linear_quantize(x, 0.0, 1.0, bits=0, signed=true, symmetric=false);",
    ),
]

# code, fragments, body
BROKEN = [
    ("type-mismatch", "", "y = leaky_relu(x, alpha = 1.0 + 1);"),
    ("type-mismatch", "", "y = leaky_relu(x, alpha = 1 / 2);"),
    ("type-mismatch", "", "y = x if 1 else x;"),
    ("type-mismatch", "", "y = x if x > 1.0 else x;"),
    ("type-mismatch", "", "y = reshape(x, shape = [2] + 3);"),
    ("type-mismatch", "", "y = reshape(x, shape = 2 * [3]);"),
    ("type-mismatch", "", "y = reshape(x, shape = [1.5] if false else [120]);"),
    ("type-mismatch", "", "y = x && true;"),
    ("type-mismatch", "", "y = !x;"),
    ("type-mismatch", "", "y = x + 1;"),
    ("type-mismatch", "", "y = x == 'a';"),
    ("type-mismatch", "", "y = leaky_relu(x, alpha = -'a');"),
    ("type-mismatch", "", "y = leaky_relu(x, alpha = [1.0] + ['a']);"),
    ("index-out-of-range", "", "y = leaky_relu(x, alpha = [1.0][1]);"),
    ("index-out-of-range", "", "y = leaky_relu(x, alpha = [1.0][-1]);"),
    ("tuple-subscript", "", "y = leaky_relu(x, alpha = (1.0, 2.0)[0+1]);"),
    ("index-out-of-range", "", "y = leaky_relu(x, alpha = (1.0, 2.0)[2]);"),
    ("index-out-of-range", "", "y = reshape(x, shape = [120][0:2]);"),
    ("invalid-cast", "", "y = leaky_relu(x, alpha = scalar('x'));"),
    ("invalid-cast", "", "y = leaky_relu(x, alpha = scalar('.5'));"),
    ("invalid-cast", "", "y = leaky_relu(x, alpha = scalar(integer('1.5')));"),
    ("invalid-cast", "", "y = leaky_relu(x, alpha = scalar(' 1'));"),
    ("length-mismatch", "", "y = concat([for a in [x,x], s in [1.0] yield a * s], axis = 0);"),
    ("type-mismatch", "", "y = concat([for a in x yield a], axis = 0);"),
    ("invalid-chaining", "", "y = moments(x, axes=[1]) + 1.0;"),
    ("invalid-chaining", "", "y = relu(split(x, axis=0, ratios=[1,1]));"),
    ("result-mismatch", "", "a, b = x; y = a;"),
    ("result-mismatch", "", "(a, b) = [x, x]; y = a;"),
    ("result-mismatch", "", "[a, b] = (x, x); y = a;"),
    ("result-mismatch", "", "[a, b] = [x]; y = a;"),
    ("not-a-tensor", "", "y = [x, x];"),
    ("not-a-tensor", "", "z = [1,2]; y = x;"),
    ("redefined-identifier", "", "y = relu(x); y = relu(x);"),
    ("redefined-identifier", "", "x = relu(x); y = x;"),
    ("undefined-identifier", "", "y = z; z = x;"),
    ("assigned-parameter", "fragment f(x: T!) -> (y: T!) { x = relu(x); y = x; }", "y = f(x);"),
    ("unassigned-result", "fragment f(x: T!) -> (y: T!) { z = relu(x); }", "y = f(x);"),
    ("redefined-identifier", "fragment f(x: T!) -> (y: T!) { y = relu(x); y = x; }", "y = f(x);"),
    ("undefined-identifier", "fragment f(x: T!) -> (y: T!) { y = relu(z); z = x; }", "y = f(x);"),
    (
        "operation-in-fragment",
        "fragment f(x: T!) -> (y: T!) { y = variable(shape=[1],label='a'); }",
        "y = f(x);",
    ),
    (
        "operation-in-fragment",
        "fragment f(x: T!) -> (y: T!) { e = external(shape=[1]); y = x + e; }",
        "y = f(x);",
    ),
    ("parameter-order", "fragment f(n: integer, x: T!) -> (y: T!) { y = x; }", "y = f(x, n=1);"),
    ("result-type", "fragment f(x: T!) -> (y: integer) { y = 1; }", "y = f(x);"),
    ("result-type", "fragment f(x: T!) -> (y: tensor<>) { y = x; }", "y = f(x);"),
    ("type-mismatch", "fragment f(x: T!, n: integer = 1.0) -> (y: T!) { y = x; }", "y = f(x);"),
    ("type-mismatch", "fragment f(x: T!, n: integer = 'a') -> (y: T!) { y = x; }", "y = f(x);"),
    ("needlessly-generic", "fragment f<?>(x: T!) -> (y: T!) { y = x; }", "y = f(x);"),
    ("not-generic", "fragment f(x: tensor<?>) -> (y: T!) { y = x; }", "y = f(x);"),
    ("mixed-tuple", "fragment f(x: T!, t: (integer, T!)) -> (y: T!) { y = x; }", "y = f(x);"),
    ("endless-recursion", "fragment f(x: T!) -> (y: T!) { y = f(x); }", "y = f(x);"),
    ("type-mismatch", "fragment f(x: T!) -> (y: tensor<integer>) { y = x; }", "y = f(x);"),
    (
        "redefined-operation",
        "fragment f(x: T!) -> (y: T!) { y = x; } fragment f(x: T!) -> (y: T!) { y = x; }",
        "y = f(x);",
    ),
    ("not-a-tensor", "fragment f(x: T!) -> (y: T![]) { y = [x]; }", "y = f(x);"),
    (
        "result-mismatch",
        ("fragment f(x: T!) -> (a: T!, y: T![]) { a = x; y = split(x, axis=0, ratios=[1,1]); }"),
        "a, y = f(x);",
    ),
    ("syntax", "fragment f(x: T! = 1.0) -> (y: T!) { y = x; }", "y = f();"),
    ("not-generic", "", "y = relu<scalar>(x);"),
    ("type-mismatch", "", "y = copy<integer>(x);"),
    ("type-mismatch", "", "y = select(x, x, x);"),
    ("type-mismatch", "", "y = add(x, 1);"),
    (
        "ambiguous-type",
        "fragment f<?>(x: tensor<?>, z: tensor<?>) -> (y: tensor<?>) { y = x; }",
        "y = f(x, 1);",
    ),
]


@pytest.mark.parametrize(
    ("fragments", "body", "extensions"),
    [("", body, "") for body in FLAT] + [(*row, EXTENSIONS) for row in COMPOSITIONAL],
)
def test_valid_corner_cases_survive_printing_and_parsing(fragments, body, extensions):
    text = _document(body, fragments, extensions)
    assert nk.validate(text).errors == ()
    graph = nk.parse(text)
    assert "y" in graph.producers
    assert str(nk.parse(str(graph))) == str(graph)
    assert str(nk.parse(nk.format(text))) == str(graph)


@pytest.mark.parametrize(
    ("code", "fragments", "body", "extensions"),
    [(code, "", body, "") for code, body in FLAT_BROKEN] + [(*row, EXTENSIONS) for row in BROKEN],
)
def test_invalid_corner_cases_are_reported_with_code_and_hint(code, fragments, body, extensions):
    report = nk.validate(_document(body, fragments, extensions))
    assert {diagnostic.code for diagnostic in report.errors} == {code}
    for diagnostic in report.errors:
        assert diagnostic.hint
        assert diagnostic.section
