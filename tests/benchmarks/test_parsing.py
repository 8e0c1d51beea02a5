"""Parsing with shapes, compared with the Khronos parser: microseconds for each operation."""

import gc
import time

import nnef
import pytest

from nnefkit import language
from nnefkit.operations.shape_inference import check_shapes

HEAD = "version 1.0;\n{extensions}\ngraph net( x ) -> ( y )\n{{\n{body}    y = copy({last});\n}}\n"


def _document(lines, last, extensions=""):
    body = "".join(f"    {line}\n" for line in lines)
    return HEAD.format(extensions=extensions, body=body, last=last)


def _like_alexnet(count):
    lines, last = ["x = external<scalar>(shape = [1, 8, 32, 32]);"], "x"
    for i in range(count // 4):
        lines += [
            f"kernel{i} = variable<scalar>(shape = [8, 8, 3, 3], label = 'conv{i}/kernel');",
            f"bias{i} = variable<scalar>(shape = [1, 8], label = 'conv{i}/bias');",
            f"conv{i} = conv({last}, kernel{i}, bias{i}, padding = [(1,1), (1,1)], "
            "border = 'constant', stride = [1, 1], dilation = [1, 1], groups = 1);",
            f"relu{i} = relu(conv{i});",
        ]
        last = f"relu{i}"
    return _document(lines, last)


def _like_resnet(count):
    lines, last = ["x = external<scalar>(shape = [1, 8, 32, 32]);"], "x"
    for i in range(count // 6):
        lines += [
            f"w{i} = variable<scalar>(shape = [8, 8, 3, 3], label = 'w{i}');",
            f"m{i} = variable<scalar>(shape = [1, 8], label = 'm{i}');",
            f"c{i} = conv({last}, w{i}, padding = [(1, 1), (1, 1)], stride = [1, 1]);",
            f"n{i} = batch_normalization(c{i}, m{i}, m{i}, m{i}, m{i}, epsilon = 1e-5);",
            f"r{i} = relu(n{i});",
            f"s{i} = add(r{i}, {last});",
        ]
        last = f"s{i}"
    return _document(lines, last)


def _like_inception(count):
    lines, last = ["x = external<scalar>(shape = [1, 8, 16, 16]);"], "x"
    for i in range(count // 5):
        lines += [
            f"w{i} = variable<scalar>(shape = [4, 8, 1, 1], label = 'w{i}');",
            f"a{i} = conv({last}, w{i}, padding = [(0, 0), (0, 0)]);",
            f"b{i} = max_pool(a{i}, size = [1, 1, 3, 3], border = 'ignore', "
            "padding = [(0, 0), (0, 0), (1, 1), (1, 1)], stride = [1, 1, 1, 1]);",
            f"d{i} = concat([a{i}, b{i}], axis = 1);",
            f"[e{i}, f{i}] = split(d{i}, axis = 1, ratios = [1, 1]);",
        ]
        last = f"d{i}"
    return _document(lines, last)


def _like_a_transformer(count):
    lines, last = ["x = external<scalar>(shape = [1, 16, 32]);"], "x"
    for i in range(count // 7):
        lines += [
            f"w{i} = variable<scalar>(shape = [1, 32, 32], label = 'block{i}/weights');",
            f"q{i} = matmul({last}, w{i});",
            f"t{i} = transpose(q{i}, axes = [0, 2, 1]);",
            f"a{i} = matmul(q{i}, t{i});",
            f"s{i} = softmax(a{i}, axes = [2]);",
            f"c{i} = matmul(s{i}, q{i});",
            f"r{i} = add(c{i}, {last});",
        ]
        last = f"r{i}"
    return _document(lines, last)


BLOCK = (
    "extension KHR_enable_fragment_definitions;\nextension KHR_enable_operator_expressions;\n"
    "fragment block( x: tensor<scalar>, w: tensor<scalar> ) -> ( y: tensor<scalar> )\n"
    "{ t = relu(conv(x, w, padding = [(1, 1)] * 2) * 2.0 + 1.0); y = t + x; }"
)


def _compositional(count):
    lines = [
        "x = external<scalar>(shape = [1, 8, 32, 32]);",
        "w = variable<scalar>(shape = [8, 8, 3, 3], label = 'w');",
    ]
    last = "x"
    for i in range(count // 5):
        lines.append(f"b{i} = block({last}, w);")
        last = f"b{i}"
    return _document(lines, last, BLOCK)


MODELS = {
    "alexnet": _like_alexnet,
    "resnet": _like_resnet,
    "inception": _like_inception,
    "transformer": _like_a_transformer,
    "compositional": _compositional,
}


def _ours(text):
    graph, diagnostics = language.parse(text)
    assert diagnostics == []
    inferred, diagnostics = check_shapes(graph)
    assert diagnostics == []
    return len(inferred.operations)


def _theirs(text):
    graph = nnef.parse_string(text, lowered=["block"])
    nnef.infer_shapes(graph)
    return len(graph.operations)


@pytest.mark.parametrize("count", [100, 1000, 10_000, 100_000])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("parser", [_ours, _theirs], ids=["nnefkit", "khronos"])
def test_parsing_and_shapes(benchmark, parser, model, count):
    text = MODELS[model](count)
    gc.collect()
    rounds = {100: 20, 1000: 10, 10_000: 3}.get(count, 1)
    warm = 0 if count == 100_000 else 1  # what takes seconds needs none
    operations = benchmark.pedantic(parser, (text,), rounds=rounds, warmup_rounds=warm)
    seconds = benchmark.stats.stats.min if benchmark.stats else 0.0
    benchmark.extra_info["microseconds an operation"] = round(seconds / operations * 1e6, 1)


def _seconds(parser, text):
    gc.collect()
    before = time.process_time()
    parser(text)
    return time.process_time() - before


def _least_ratio(run, other, *, enough, rounds):
    """Return the ratio of the shortest times: other work of the machine affects both."""
    times = []
    for _ in range(rounds):
        times.append((_seconds(*run), _seconds(*other)))
        ours, theirs = map(min, zip(*times, strict=True))
        if ours < enough * theirs:
            break
    return ours / theirs


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_parsing_and_shapes_take_little_longer_than_khronos(model):
    text = MODELS[model](10_000)
    runs = (_ours, text), (_theirs, text)
    assert _least_ratio(*runs, enough=1.5, rounds=4) < 1.5


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_time_is_linear_in_the_number_of_operations(model):
    few, many = (_ours, MODELS[model](3000)), (_ours, MODELS[model](30_000))
    assert _least_ratio(many, few, enough=17, rounds=2) < 17
