"""The argument rules of sliding windows (4.3) and regions of interest (4.6)."""

import pytest

from nnefkit.errors import ArgumentError
from nnefkit.operations import COSTS, SHAPE_RULES

FILTERING = {"border": "constant", "padding": [], "stride": [], "dilation": [], "groups": 1}
WINDOW = {"size": [1, 1, 2, 2], "border": "constant", "padding": [], "stride": [], "dilation": []}
REVERSE = {"output_shape": []}

# Valid arguments of each operation: input shapes, and attributes.
VALID = {
    "conv": ([(1, 4, 8, 8), (6, 4, 3, 3), (1, 6)], FILTERING),
    "deconv": ([(1, 6, 8, 8), (6, 4, 3, 3), (1, 4)], {**FILTERING, **REVERSE}),
    "separable_conv": ([(1, 4, 8, 8), (8, 1, 3, 3), (6, 8, 1, 1), (1, 6)], FILTERING),
    "separable_deconv": (
        [(1, 6, 8, 8), (8, 1, 3, 3), (6, 8, 1, 1), (1, 8)],
        {**FILTERING, **REVERSE},
    ),
    "box": ([(1, 4, 8, 8)], {**WINDOW, "normalize": False}),
    "debox": ([(1, 4, 8, 8)], {**WINDOW, **REVERSE, "normalize": False}),
    "avg_pool": ([(1, 4, 8, 8)], WINDOW),
    "rms_pool": ([(1, 4, 8, 8)], WINDOW),
    "max_pool": ([(1, 4, 8, 8)], WINDOW),
    "argmax_pool": ([(1, 4, 8, 8)], WINDOW),
    "max_pool_with_index": ([(1, 4, 8, 8)], WINDOW),
    "sample": ([(1, 4, 8, 8), (1, 4, 8, 8)], WINDOW),
    "desample": ([(1, 4, 8, 8), (1, 4, 8, 8)], {**WINDOW, **REVERSE}),
    "nearest_downsample": ([(1, 4, 8, 8)], {"factor": [2, 2]}),
    "area_downsample": ([(1, 4, 8, 8)], {"factor": [2, 2]}),
    "nearest_upsample": ([(1, 4, 8, 8)], {"factor": [2, 2]}),
    "multilinear_upsample": (
        [(1, 4, 8, 8)],
        {"factor": [2, 2], "method": "symmetric", "border": "replicate"},
    ),
    "avg_roi_pool": ([(1, 4, 8, 8), (5, 4), (5, 1)], {"output_size": [2, 2]}),
    "max_roi_pool": ([(1, 4, 8, 8), (5, 4), (5, 1)], {"output_size": [2, 2]}),
    "roi_resample": (
        [(1, 4, 8, 8), (5, 4), (5, 1)],
        {"output_size": [2, 2], "method": "symmetric"},
    ),
    "avg_roi_align": (
        [(1, 4, 8, 8), (5, 4), (5, 1)],
        {"output_size": [2, 2], "sampling_rate": [2, 2], "resize_method": "symmetric"},
    ),
    "max_roi_align": (
        [(1, 4, 8, 8), (5, 4), (5, 1)],
        {"output_size": [2, 2], "sampling_rate": [2, 2], "resize_method": "symmetric"},
    ),
    "local_mean_normalization": ([(1, 4, 8, 8)], {"size": [1, 3, 1, 1]}),
    "local_response_normalization": (
        [(1, 4, 8, 8)],
        {"size": [1, 3, 1, 1], "alpha": 1.0, "beta": 0.5, "bias": 1.0},
    ),
}
FILTERS = ["conv", "deconv", "separable_conv", "separable_deconv"]
BASIC = ["box", "avg_pool", "rms_pool", "max_pool", "argmax_pool", "max_pool_with_index", "sample"]
WINDOWS = [*BASIC, "debox", "desample"]
REGIONS = ["avg_roi_pool", "max_roi_pool", "roi_resample", "avg_roi_align", "max_roi_align"]


def problems(name, shapes=(), **attribs):
    """Return the diagnostics with some inputs (by position) and attributes replaced."""
    inputs, valid = VALID[name]
    inputs = list(inputs)
    for position, shape in dict(shapes).items():
        inputs[position] = shape
    with pytest.raises(ArgumentError) as caught:
        SHAPE_RULES[name](*inputs, **{**valid, **attribs})
    error = caught.value
    assert all(diagnostic.section for diagnostic in error.diagnostics)
    return dict(zip(error.arguments, error.diagnostics, strict=True))


@pytest.mark.parametrize("name", VALID)
def test_valid_arguments_have_a_shape(name):
    inputs, attribs = VALID[name]
    assert SHAPE_RULES[name](*inputs, **attribs)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("padding", [(1, 1)], "'padding' has 1 element, but the input has 2 spatial dimensions"),
        ("padding", [(0, 0)] * 4, "'padding' has 4 elements, but the input has 2 spatial"),
        ("stride", [1, 1, 2, 2], "'stride' has 4 elements"),
        ("stride", [2, 0], "'stride' must be strictly positive"),
        ("dilation", [1], "'dilation' has 1 element"),
        ("dilation", [-1, 1], "'dilation' must be strictly positive"),
        ("border", "ignore", "border mode 'ignore' is not allowed here"),
        ("border", "mirror", "border mode 'mirror' is unknown"),
        ("groups", -1, "'groups' is -1, but must not be negative"),
    ],
)
def test_attributes_of_filters_are_checked(name, argument, value, message):
    found = problems(name, **{argument: value})
    assert message in found[argument].message
    assert list(found) == [argument]


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("size", [2, 2], "'size' has 2 elements, but the input has 4 dimensions"),
        ("size", [1, 1, 0, 2], "'size' must be strictly positive"),
        ("padding", [(0, 0)] * 2, "'padding' has 2 elements, but the input has 4 dimensions"),
        ("stride", [2, 2], "'stride' has 2 elements"),
        ("stride", [1, 1, 0, 1], "'stride' must be strictly positive"),
        ("dilation", [1, 1, 1], "'dilation' has 3 elements"),
        ("border", "zero", "border mode 'zero' is unknown"),
    ],
)
def test_attributes_of_windows_are_checked(name, argument, value, message):
    found = problems(name, **{argument: value})
    assert message in found[argument].message
    assert list(found) == [argument]


def test_hints_state_which_dimensions_count():
    assert "it starts with 1, 1" in problems("max_pool", size=[2, 2])["size"].hint
    assert "starts with (0, 0), (0, 0)" in problems("box", padding=[(0, 0)] * 2)["padding"].hint
    assert "do not count here" in problems("conv", stride=[1, 1, 2, 2])["stride"].hint


def test_all_problems_are_reported_at_once():
    shapes = {1: (6, 3, 3, 3), 2: (6,)}
    found = problems("conv", shapes, border="none", padding=[(1, 1)], stride=[0, 1], dilation=[1])
    assert set(found) == {"filter", "bias", "border", "padding", "stride", "dilation"}


@pytest.mark.parametrize(
    ("name", "shapes", "attribs", "argument", "message"),
    [
        ("conv", {1: (6, 4, 3)}, {}, "filter", "rank of 'filter' is 3, but that of the input is 4"),
        ("conv", {0: (5,), 1: (5,)}, {}, "input", "rank 1"),
        ("conv", {}, {"groups": 2}, "filter", "4 channel(s) in each of 2 group(s)"),
        ("conv", {}, {"groups": 4}, "groups", "'groups' is 4, which does not divide the 6"),
        ("conv", {}, {"groups": 0}, "filter", "but the input has 4 channels"),
        ("conv", {1: (6, 1, 3, 3)}, {"groups": 0}, "filter", "6 filters cannot be divided"),
        ("conv", {2: (6,)}, {}, "bias", "[6], of which the only dimension is the batch"),
        ("conv", {2: (1, 4)}, {}, "bias", "does not fit 6 output channels"),
        ("conv", {2: (1, 6, 8, 1)}, {}, "bias", "does not fit 6 output channels"),
        ("conv", {2: (6, 6)}, {}, "bias", "does not fit 6 output channels"),
        ("conv", {2: (1, 6, 1, 1, 1)}, {}, "bias", "rank 5, but the input only 4"),
        ("deconv", {2: (1, 6)}, {}, "bias", "does not fit 4 output channels"),
        ("deconv", {1: (4, 6, 3, 3)}, {}, "filter", "4 filters, but the input has 6 channels"),
        ("deconv", {}, {"groups": 4}, "groups", "4, which does not divide the 6 filters"),
        ("separable_conv", {1: (8, 2, 3, 3)}, {}, "plane_filter", "2 channel(s) in each of 4"),
        ("separable_conv", {2: (6, 4, 1, 1)}, {}, "point_filter", "the input has 8 channels"),
        ("separable_conv", {2: (6, 8, 3, 1)}, {}, "point_filter", "are [3, 1], but must be 1"),
        ("separable_deconv", {1: (6, 1, 3, 3)}, {}, "plane_filter", "6 filters, but"),
        ("separable_deconv", {2: (8, 6, 1, 1)}, {}, "point_filter", "8 filters, but"),
        ("separable_deconv", {3: (1, 6)}, {}, "bias", "does not fit 8 output channels"),
    ],
)
def test_filters_and_bias_fit_the_channels(name, shapes, attribs, argument, message):
    found = problems(name, shapes, **attribs)
    assert message in found[argument].message


def test_hints_state_what_would_fit():
    assert problems("conv", {2: (6,)})["bias"].hint.startswith("Give it the shape [1, 6]")
    found = problems("conv", {1: (6, 2, 3, 3)})
    assert found["filter"].hint == "This filter fits with groups = 2."
    assert "start with output channels" in problems("conv", {1: (4, 6, 3, 3)})["filter"].hint


@pytest.mark.parametrize("name", [*BASIC, "conv", "separable_conv"])
def test_a_window_must_fit_into_the_padded_input(name):
    rank = 2 if "conv" in name else 4
    size = {"conv": "filter", "separable_conv": "plane_filter"}.get(name, "size")
    attribs = {"padding": [(0, 0)] * rank}
    message = "window spans 9 in dimension 2, but the padded input has an extent of 8"
    if "conv" in name:
        wide = (*VALID[name][0][1][:2], 9, 1)
        found = problems(name, {1: wide}, **attribs)
    else:
        found = problems(name, size=[1, 1, 9, 1], **attribs)
    assert found[size].message == message
    dilated = {**attribs, "dilation": [1] * (rank - 2) + [4, 4], "padding": [(-1, 0)] * rank}
    if "conv" not in name:
        dilated["size"] = [1, 1, 3, 1]
    found = problems(name, **dilated)
    assert "spans 9 (3 entries, dilated)" in found[size].message


@pytest.mark.parametrize("name", ["deconv", "debox", "desample"])
def test_an_output_shape_must_scale_down_to_the_input(name):
    batch, channels, *_ = VALID[name][0][0]
    channels = 4
    stride = [2, 2] if name == "deconv" else [1, 1, 2, 2]
    size = [3, 3] if name == "deconv" else [2, 2]
    inputs, valid = VALID[name]
    for extent, fits in [(14, False), (15, True), (16, True), (17, False)]:
        wanted = [batch, channels, extent, 16]
        attribs = {**valid, "stride": stride, "output_shape": wanted}
        if fits:
            assert SHAPE_RULES[name](*inputs, **attribs) == tuple(wanted)
        else:
            found = problems(name, stride=stride, output_shape=wanted)["output_shape"]
            assert f"extent {extent} of 'output_shape' in dimension 2" in found.message
            assert found.hint == "Those from 15 to 16 do."
    padding = [(0, 0)] * (2 if name == "deconv" else 4)
    only = 7 * 2 + size[0]
    found = problems(name, stride=stride, padding=padding, output_shape=[batch, channels, 3, 3])
    assert f"Those from {only} to {only + 1} do." in found["output_shape"].hint


@pytest.mark.parametrize(
    ("name", "output_shape", "message"),
    [
        ("deconv", [8, 8], "'output_shape' has 2 elements, but the input has rank 4"),
        ("deconv", [2, 4, 8, 8], "has the batch extent 2, but the output has 1"),
        ("deconv", [1, 5, 8, 8], "has the channel extent 5, but the output has 4"),
        ("deconv", [1, 4, 8, 0], "extent 0 of 'output_shape' in dimension 3"),
        ("debox", [8, 8], "'output_shape' has 2 elements"),
        ("debox", [1, 5, 8, 8], "extent 5 of 'output_shape' in dimension 1"),
        ("desample", [1], "'output_shape' has 1 element,"),
        ("separable_deconv", [1, 6, 8, 8], "has the channel extent 6, but the output has 8"),
    ],
)
def test_an_output_shape_is_the_whole_shape(name, output_shape, message):
    assert message in problems(name, output_shape=output_shape)["output_shape"].message


def test_padding_must_leave_something_of_an_upscaled_output():
    found = problems("deconv", padding=[(5, 5), (0, 0)])
    assert "padding (5, 5) crops all of the output in dimension 2" in found["padding"].message


@pytest.mark.parametrize("name", ["sample", "desample"])
def test_there_is_one_position_for_each_window(name):
    found = problems(name, {1: (1, 4, 4, 4)})
    assert "'index' has the shape [1, 4, 4, 4], but the" in found["index"].message


@pytest.mark.parametrize("border", ["ignore", "replicate", "reflect", "reflect-even"])
def test_desample_has_a_constant_border_only(border):
    assert "not allowed here" in problems("desample", border=border)["border"].message


def test_sample_cannot_ignore_its_border():
    assert "not allowed here" in problems("sample", border="ignore")["border"].message


@pytest.mark.parametrize(
    "name", ["nearest_downsample", "area_downsample", "nearest_upsample", "multilinear_upsample"]
)
def test_factors_are_checked(name):
    found = problems(name, factor=[2])
    assert "'factor' has 1 element, but the input has 2 spatial" in found["factor"].message
    assert "strictly positive" in problems(name, factor=[2, 0])["factor"].message
    if "down" in name:
        found = problems(name, factor=[2, 3])
        assert found["factor"].message == "factor 3 does not divide the extent 8 of dimension 3"


def test_methods_are_checked():
    found = problems("multilinear_upsample", method="symetric", border="ignore")
    assert found["method"].hint.startswith("Did you mean 'symmetric'?")
    assert "not allowed here" in found["border"].message
    assert "unknown" in problems("roi_resample", method="linear")["method"].message
    found = problems("avg_roi_align", resize_method="linear", sampling_rate=[2])
    assert set(found) == {"resize_method", "sampling_rate"}


@pytest.mark.parametrize("name", REGIONS)
def test_regions_are_checked(name):
    found = problems(name, {1: (5, 2)}, output_size=[2, 2, 2])
    assert "'rois' has the shape [5, 2], but each region has 4" in found["rois"].message
    assert "'output_size' has 3 elements, but" in found["output_size"].message
    for shape in [(4, 1), (5, 2), (), (1, 5)]:
        assert "for 5 regions" in problems(name, {2: shape})["batch_index"].message
    assert "strictly positive" in problems(name, output_size=[0, 1])["output_size"].message


@pytest.mark.parametrize("name", ["local_mean_normalization", "local_response_normalization"])
def test_local_sizes_are_checked(name):
    assert "'size' has 1 element, but the input has 4" in problems(name, size=[3])["size"].message
    assert "strictly positive" in problems(name, size=[1, 0, 1, 1])["size"].message


@pytest.mark.parametrize(
    ("name", "shapes", "output", "expected"),
    [
        ("conv", [(2, 4, 8, 8), (6, 4, 3, 3), (1, 6)], (2, 6, 8, 8), 2 * 6 * 64 * 4 * 9),
        ("conv", [(2, 4, 8, 8), (8, 1, 3, 3), (1, 8)], (2, 8, 4, 4), 2 * 8 * 16 * 9),
        ("deconv", [(2, 6, 8, 8), (6, 4, 3, 3), ()], (2, 4, 16, 16), 2 * 6 * 64 * 4 * 9),
        (
            "separable_conv",
            [(2, 4, 8, 8), (8, 1, 3, 3), (6, 8, 1, 1), ()],
            (2, 6, 4, 4),
            2 * 16 * (8 * 9 + 6 * 8),
        ),
        (
            "separable_deconv",
            [(2, 6, 4, 4), (8, 1, 3, 3), (6, 8, 1, 1), ()],
            (2, 8, 8, 8),
            2 * 16 * (6 * 8 + 8 * 9),
        ),
    ],
)
def test_multiply_accumulates_are_counted(name, shapes, output, expected):
    assert COSTS[name](shapes, [output], {}) == expected
