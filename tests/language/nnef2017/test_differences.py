"""Every difference between the provisional specification and 1.0, one row each.

A row has the section of the provisional text, what was written then, what is written today, and
what the report says about it. Both texts must yield the same graph, and both graphs the same
numbers.
"""

from __future__ import annotations

import numpy as np
import pytest

import nnefkit as nk

SHAPE = [2, 3, 4, 6]

# (section, body of 2017, present body, part of the note)
OPERATIONS = [
    ("3.2.1", "y = relu(x)", "y = relu(x);", "semicolon"),
    ("3.2.2", "z = relu(x); y = relu(z)", "z = relu(x); y = relu(z);", "semicolon"),
    ("3.2.2", "z = relu(x) y = exp(z)", "z = relu(x); y = exp(z);", "(3 places)"),
    (
        "3.2.2",
        "[a, b] = split(x, axis = 0, ratios = [1, 1])\n[c] = split(a, axis = 0, ratios = [1])\n"
        "y = add(b, c)",
        "[a, b] = split(x, axis = 0, ratios = [1, 1]);\n[c] = split(a, axis = 0, ratios = [1]);\n"
        "y = add(b, c);",
        "semicolon",
    ),
    (
        "3.2.2",
        "m, v = moments(x, axes = [2])\n(n, w) = moments(m, axes = [3])\ny = add(v, w)",
        "m, v = moments(x, axes = [2]);\n(n, w) = moments(m, axes = [3]);\ny = add(v, w);",
        "semicolon",
    ),
    (
        "3.1",
        "yield = relu(x)\ninteger = exp(yield)\nversion = neg(integer)\ny = add(version, yield)",
        "yield_ = relu(x);\ninteger_ = exp(yield_);\nversion_ = neg(integer_);\n"
        "y = add(version_, yield_);",
        "'yield' is a keyword since 1.0",
    ),
    ("3.3.1", "y = leaky_relu(alpha = 0.5, x = x)", "y = leaky_relu(x, alpha = 0.5);", "semicolon"),
    (
        "4.1.2",
        "c = constant(shape = [1, 3], value = [0.5])\ny = mul(x, c)",
        "c = constant(shape = [1, 3], value = [0.5]);\ny = mul(x, c);",
        "semicolon",
    ),
    ("4.2.1", "y = idn(x)", "y = copy(x);", "'idn' is called 'copy'"),
    (
        "4.2.3",
        "c = lt(x, 0.0)\ny = select(c, 0.0, x)",
        "c = lt(x, 0.0);\ny = select(c, 0.0, x);",
        "semicolon",
    ),
    (
        "4.3",
        "y = box(x, size = [1, 3])",
        "y = box(x, size = [1, 3, 1, 1]);",
        "omitted ones are filled in",
    ),
    (
        "4.3",
        "y = max_pool(x, size = [1, 1, 2, 3], stride = [1, 1, 2], padding = [(0,0), (0,0), (0,0)])",
        "y = max_pool(x, size = [1, 1, 2, 3], stride = [1, 1, 2, 1],\n"
        "             padding = [(0,0), (0,0), (0,0), (1,1)]);",
        "omitted ones are filled in",
    ),
    (
        "4.3",
        "y = avg_pool(x, size = [1, 1, 2, 2], dilation = [1, 1, 2], border = 'ignore')",
        "y = avg_pool(x, size = [1, 1, 2, 2], dilation = [1, 1, 2, 1], border = 'ignore');",
        "omitted ones are filled in",
    ),
    (
        "4.3",
        "y = debox(x, size = [1, 1, 3, 3], stride = [1, 1, 3], padding = [(0,0), (0,0)])",
        "y = debox(x, size = [1, 1, 3, 3], stride = [1, 1, 3, 1],\n"
        "          padding = [(0,0), (0,0), (0,0), (1,1)]);",
        "omitted ones are filled in",
    ),
    (
        "4.3",
        "y = rms_pool(x, size = [1, 1, 2, 2, 1])",
        "y_unsqueeze = unsqueeze(x, axes = [4]);\n"
        "y = rms_pool(y_unsqueeze, size = [1, 1, 2, 2, 1]);",
        "ranks must match",
    ),
    (
        "4.3.1",
        "f = variable(shape = [4, 3, 3, 3], label = 'f')\n"
        "y = conv(x, f, stride = [2], dilation = [1], padding = [(1, 0)])",
        "f = variable(shape = [4, 3, 3, 3], label = 'f');\n"
        "y = conv(x, f, stride = [2, 1], dilation = [1, 1], padding = [(1, 0), (1, 1)]);",
        "omitted ones are filled in",
    ),
    (
        "4.3.1",
        "f = variable(shape = [4, 3, 3], label = 'f')\n"
        "b = variable(shape = [1, 4, 1, 1], label = 'b')\ny = conv(x, f, b)",
        "f = variable(shape = [4, 3, 3], label = 'f');\n"
        "b = variable(shape = [1, 4, 1, 1], label = 'b');\n"
        "y_unsqueeze = unsqueeze(f, axes = [3]);\ny_squeeze = squeeze(b, axes = [2, 3]);\n"
        "y = conv(x, y_unsqueeze, y_squeeze);",
        "ranks must match",
    ),
    (
        "4.3.1",
        "f = variable(shape = [3, 2, 3, 3], label = 'f')\n"
        "y = deconv(x, f, stride = [2], padding = [(0, 1)])",
        "f = variable(shape = [3, 2, 3, 3], label = 'f');\n"
        "y = deconv(x, f, stride = [2, 1], padding = [(0, 1), (1, 1)]);",
        "omitted ones are filled in",
    ),
    (
        "4.3.3",
        "i = argmax_pool(x, size = [1, 1, 2, 2], stride = [1, 1, 2, 2])\n"
        "s = sample(x, i, size = [1, 1, 2, 2], stride = [1, 1, 2, 2])\n"
        "y = desample(s, i, size = [1, 1, 2, 2], stride = [1, 1, 2, 2])",
        "i = argmax_pool(x, size = [1, 1, 2, 2], stride = [1, 1, 2, 2]);\n"
        "s = sample(x, i, size = [1, 1, 2, 2], stride = [1, 1, 2, 2]);\n"
        "y = desample(s, i, size = [1, 1, 2, 2], stride = [1, 1, 2, 2]);",
        "'index' of 'argmax_pool' is an integer since 1.0",
    ),
    (
        "4.3.4",
        "y = nearest_downsample(x, factor = [2])",
        "y = nearest_downsample(x, factor = [2, 1]);",
        "omitted ones are filled in",
    ),
    (
        "4.3.4",
        "y = multilinear_upsample(x, factor = [2])",
        "y = multilinear_upsample(x, factor = [2, 1]);",
        "omitted ones are filled in",
    ),
    (
        "4.4",
        "y = mean_reduce(x, axes = [2, 3, 4])",
        "y = mean_reduce(x, axes = [2, 3]);",
        "axes must be less than the rank",
    ),
    (
        "4.5.1",
        "y = reshape(x, shape = [0, -1, 2, 0, 0])",
        "y_unsqueeze = unsqueeze(x, axes = [4]);\n"
        "y = reshape(y_unsqueeze, shape = [0, -1, 2, 0, 0]);",
        "ranks must match",
    ),
    (
        "4.5.2",
        "y = transpose(x, perm = [0, 2, 1])",
        "y = transpose(x, axes = [0, 2, 1]);",
        "'perm' of 'transpose' is called 'axes'",
    ),
    (
        "4.5.2",
        "z = reshape(x, shape = [6, 24])\ny = transpose(z, perm = [2, 0, 1])",
        "z = reshape(x, shape = [6, 24]);\ny_unsqueeze = unsqueeze(z, axes = [2]);\n"
        "y = transpose(y_unsqueeze, axes = [2, 0, 1]);",
        "ranks must match",
    ),
    (
        "4.5.3",
        "z = reshape(x, shape = [6, 24])\ny = concat([z, z], axis = 2)",
        "z = reshape(x, shape = [6, 24]);\ny_unsqueeze = unsqueeze(z, axes = [2]);\n"
        "y = concat([y_unsqueeze, y_unsqueeze], axis = 2);",
        "ranks must match",
    ),
    (
        "4.6",
        "z = reshape(x, shape = [6, 24])\ny = matmul(z, z, trA = true, trB = false)",
        "z = reshape(x, shape = [6, 24]);\n"
        "y = matmul(z, z, transposeA = true, transposeB = false);",
        "'trA' of 'matmul' is called 'transposeA'",
    ),
    (
        "4.6",
        "z = reshape(x, shape = [6, 24])\nv = variable(shape = [24], label = 'v')\n"
        "y = matmul(z, v)",
        "z = reshape(x, shape = [6, 24]);\nv = variable(shape = [24], label = 'v');\n"
        "y_unsqueeze = unsqueeze(v, axes = [1]);\ny = matmul(z, y_unsqueeze);",
        "ranks must match",
    ),
    (
        "4.8.2",
        "z = mean_reduce(x, axes = [2, 3])\nf = variable(shape = [5, 3], label = 'f')\n"
        "y = linear(z, f)",
        "z = mean_reduce(x, axes = [2, 3]);\nf = variable(shape = [5, 3], label = 'f');\n"
        "y_squeeze = squeeze(z, axes = [2, 3]);\ny = linear(y_squeeze, f);",
        "ranks must match",
    ),
    (
        "4.7",
        "v = variable(shape = [2, 3], label = 'v')\nz = mean_reduce(x, axes = [2, 3])\n"
        "w = update(v, z)\ny = add(x, v)",
        "v = variable(shape = [2, 3], label = 'v');\nz = mean_reduce(x, axes = [2, 3]);\n"
        "w_squeeze = squeeze(z, axes = [2, 3]);\nw = update(v, w_squeeze);\ny = add(x, v);",
        "ranks must match",
    ),
    ("4.8.1", "y = elu(x)", "y = elu(x, alpha = 1.0);", "semicolon"),
    (
        "4.8.1",
        "z = reshape(x, shape = [144])\ny = softmax(z, axes = [0, 1])",
        "z = reshape(x, shape = [144]);\ny = softmax(z, axes = [0]);",
        "axes must be less than the rank",
    ),
    (
        "4.8.2",
        "f = variable(shape = [6, 1, 3, 3], label = 'f')\n"
        "b = variable(shape = [1, 6], label = 'b')\n"
        "y = planewise_conv(x, f, b, stride = [2, 2])",
        "f = variable(shape = [6, 1, 3, 3], label = 'f');\n"
        "b = variable(shape = [1, 6], label = 'b');\n"
        "y = conv(x, f, b, stride = [2, 2], groups = 0);",
        "'planewise_conv' is 'conv' with groups = 0",
    ),
    (
        "4.8.2",
        "f = variable(shape = [3, 1, 3, 3], label = 'f')\n"
        "y = planewise_deconv(x, f, stride = [2, 2], padding = [(1,0), (1,0)])",
        "f = variable(shape = [3, 1, 3, 3], label = 'f');\n"
        "y = deconv(x, f, stride = [2, 2], padding = [(1,0), (1,0)], groups = 0);",
        "'planewise_deconv' is 'deconv' with groups = 0",
    ),
    (
        "4.8.2",
        "p = variable(shape = [3, 1, 3, 3], label = 'p')\n"
        "q = variable(shape = [4, 3], label = 'q')\ny = separable_conv(x, p, q, stride = [2])",
        "p = variable(shape = [3, 1, 3, 3], label = 'p');\n"
        "q = variable(shape = [4, 3], label = 'q');\ny_unsqueeze = unsqueeze(q, axes = [2, 3]);\n"
        "y = separable_conv(x, p, y_unsqueeze, stride = [2, 1]);",
        "ranks must match",
    ),
    (
        "4.8.2",
        "p = variable(shape = [4, 1, 3, 3], label = 'p')\n"
        "q = variable(shape = [3, 4, 1, 1], label = 'q')\n"
        "y = separable_deconv(x, p, q, padding = [(0, 1)])",
        "p = variable(shape = [4, 1, 3, 3], label = 'p');\n"
        "q = variable(shape = [3, 4, 1, 1], label = 'q');\n"
        "y = separable_deconv(x, p, q, padding = [(0, 1), (1, 1)]);",
        "omitted ones are filled in",
    ),
    (
        "4.8.3",
        "y, i = max_pool_with_index(x, size = [1, 1, 2, 2])",
        "y, i = max_pool_with_index(x, size = [1, 1, 2, 2]);",
        "'index' of 'max_pool_with_index' is an integer",
    ),
    (
        "4.8.4",
        "y = local_response_normalization(x, size = [1, 3], alpha = 0.1, beta = 0.75)",
        "y = local_response_normalization(x, size = [1, 3, 1, 1], alpha = 0.1, beta = 0.75);",
        "omitted ones are filled in",
    ),
    (
        "4.8.4",
        "y = local_variance_normalization(x, size = [1, 1, 3, 3])",
        "y = local_variance_normalization(x, size = [1, 1, 3, 3]);",
        "semicolon",
    ),
    (
        "4.8.4",
        "y = local_variance_normalization(x, size = [1, 1, 3, 3], bias = 0.25)",
        "y_sqr = sqr(x);\ny_box = box(y_sqr, size = [1, 1, 3, 3], normalize = true);\n"
        "y_add = add(y_box, 0.25);\ny_sqrt = sqrt(y_add);\ny = div(x, y_sqrt);",
        "'local_variance_normalization' is written as several operations",
    ),
    (
        "4.8.4",
        "y = local_contrast_normalization(x, size = [1, 1, 3, 3], bias = 0.25)",
        "y_local_mean_normalization = local_mean_normalization(x, size = [1, 1, 3, 3]);\n"
        "y_sqr = sqr(y_local_mean_normalization);\n"
        "y_box = box(y_sqr, size = [1, 1, 3, 3], normalize = true);\n"
        "y_add = add(y_box, 0.25);\ny_sqrt = sqrt(y_add);\n"
        "y = div(y_local_mean_normalization, y_sqrt);",
        "'local_contrast_normalization' is written as several operations",
    ),
    (
        "4.8.4",
        "y = l1_normalization(x, axes = [1], bias = 0.25)",
        "y = l1_normalization(x, axes = [1], bias = 0.25);",
        "semicolon",
    ),
    (
        "4.8.4",
        "y = l1_normalization(x, axes = [1], bias = -99.0)",
        "y_abs = abs(x);\ny_sum_reduce = sum_reduce(y_abs, axes = [1]);\n"
        "y_add = add(y_sum_reduce, -99.0);\ny = div(x, y_add);",
        "'l1_normalization' is written as several operations",
    ),
    (
        "4.8.4",
        "y = l2_normalization(x, axes = [1])",
        "y = l2_normalization(x, axes = [1]);",
        "semicolon",
    ),
    (
        "4.8.4",
        "y = l2_normalization(x, axes = [1], bias = 0.25)",
        "y_sqr = sqr(x);\ny_sum_reduce = sum_reduce(y_sqr, axes = [1]);\n"
        "y_add = add(y_sum_reduce, 0.25);\ny_sqrt = sqrt(y_add);\ny = div(x, y_sqrt);",
        "'l2_normalization' is written as several operations",
    ),
    (
        "4.8.5",
        "y = linear_quantize(x, min = -1.0, max = 1.0, bits = 4)",
        "y = min_max_linear_quantize(x, -1.0, 1.0, bits = 4, signed = false, symmetric = false);",
        "'linear_quantize' is called 'min_max_linear_quantize'",
    ),
    (
        "7.2",
        "z = max_reduce(x, axes = [0, 2, 3])\ny = linear_quantize(x, min = 0.0, max = z, bits = 8)",
        "z = max_reduce(x, axes = [0, 2, 3]);\n"
        "y = min_max_linear_quantize(x, 0.0, z, bits = 8, signed = false, symmetric = false);",
        "'linear_quantize' is called 'min_max_linear_quantize'",
    ),
    (
        "4.8.5",
        "y = logarithmic_quantize(x, max = 5.0, bits = 3)",
        "y_log2 = log2(5.0);\ny_ceil = ceil(y_log2);\ny_pow = pow(2.0, y_ceil);\n"
        "y_sub = sub(y_ceil, 3.0);\ny_pow_2 = pow(2.0, y_sub);\n"
        "y_clamp = clamp(x, y_pow_2, y_pow);\ny_div = div(y_clamp, y_pow_2);\n"
        "y_log2_2 = log2(y_div);\ny_round = round(y_log2_2);\ny = pow(2.0, y_round);",
        "'logarithmic_quantize' is written as several operations",
    ),
]


def old_text(body: str) -> str:
    graph = f"graph net( x ) -> ( y )\n{{\nx = external(shape = {SHAPE})\n{body}\n}}\n"
    return f"version 1.0\n{graph}"


def new_text(body: str) -> str:
    graph = f"graph net( x ) -> ( y )\n{{\nx = external(shape = {SHAPE});\n{body}\n}}\n"
    return f"version 1.0;\n{graph}"


def numbers_of(graph: nk.Graph) -> np.ndarray:
    random = np.random.default_rng(0)
    data = {v.name: random.random(v.shape).astype(np.float32) for v in graph.variables}
    x = random.normal(size=SHAPE).astype(np.float32)
    return nk.run(graph.with_data(data), {"x": x})["y"]


@pytest.mark.parametrize(("section", "old", "new", "message"), OPERATIONS)
def test_each_difference_is_converted_to_its_present_form(
    section: str, old: str, new: str, message: str
) -> None:
    assert section
    graph, today = nk.parse(old_text(old)), nk.parse(new_text(new))
    assert str(graph) == str(today)
    assert [t.shape for t in graph.tensors.values()] == [t.shape for t in today.tensors.values()]
    np.testing.assert_array_equal(numbers_of(graph), numbers_of(today))
    report = nk.validate(old_text(old))
    assert report.ok
    assert not report.warnings
    assert {note.code for note in report.notes} == {"provisional"}
    assert all(note.line is not None and note.section for note in report.notes)
    assert any(message in note.message for note in report.notes)
