"""Modules compute what PyTorch's operators do, or the formulas of nn in NumPy."""

import numpy as np
import pytest
import torch
from oracles.torch7_files import Longs, Module
from torch.nn import functional as fn
from torch7_networks import computed, numbers

X = numbers(2, 3, 5, 4)
ROWS = numbers(4, 6)
LINE = numbers(2, 7, 3)
VOLUME = numbers(1, 2, 4, 5, 6)
T = torch.from_numpy


def conv(kind="SpatialConvolution", bias=True, **fields):
    """A convolution of 3 channels to 4, 2 high and 3 wide."""
    weight = numbers(4, 3, 2, 3)
    given = {"bias": numbers(4)} if bias else {}
    sizes = {"nInputPlane": 3, "nOutputPlane": 4, "kW": 3, "kH": 2, "dW": 1, "dH": 1}
    return Module(kind, weight=weight, **given, **sizes, **fields)


def of_conv(module, x=X, **options):
    weight, bias = module.fields["weight"], module.fields.get("bias")
    options["bias"] = None if bias is None else T(bias)
    return fn.conv2d(T(x), T(weight).reshape(4, -1, 2, 3), **options)


def full(planes=2, **fields):
    """A transposed convolution of 3 channels, 2 high and 3 wide, by 3 and 2."""
    sizes = {"nInputPlane": 3, "nOutputPlane": planes, "kW": 3, "kH": 2, "dW": 2, "dH": 3}
    return Module(
        "SpatialFullConvolution",
        weight=numbers(3, planes, 2, 3),
        bias=numbers(planes),
        **sizes,
        **fields,
    )


def of_full(module, **options):
    weight, bias = T(module.fields["weight"]), T(module.fields["bias"])
    return fn.conv_transpose2d(T(X), weight, bias, stride=(3, 2), **options)


def pool(kind, **fields):
    return Module(kind, **{"kW": 3, "kH": 2, "dW": 2, "dH": 2, **fields})


def case(module, expected, x=X):
    return module, x, expected


CONV, PLAIN, SIDE = conv(), conv(bias=False), conv(padW=1, padH=0)
SIDE.fields["dW"] = 2
OLD = conv("SpatialConvolutionMM", padding=1)
OLD.fields["weight"] = OLD.fields["weight"].reshape(4, 18)
DILATED = conv("SpatialDilatedConvolution", padW=2, padH=1, dilationW=2, dilationH=3)
GROUPED = Module(
    "cudnn.SpatialConvolution",
    weight=numbers(3, 1, 2, 3),
    nInputPlane=3,
    nOutputPlane=3,
    kW=3,
    kH=2,
    groups=3,
    padW=1,
    padH=1,
)
FULL, FULL_MORE = full(), full(padW=1, padH=1, adjW=1, adjH=2)
VOLUME_CONV = Module(
    "VolumetricConvolution",
    weight=numbers(3, 2, 2, 1, 3),
    bias=numbers(3),
    nInputPlane=2,
    nOutputPlane=3,
    kT=2,
    kH=1,
    kW=3,
    dT=2,
    dH=1,
    dW=1,
    padT=1,
    padH=0,
    padW=1,
)
VOLUME_FULL = Module(
    "VolumetricFullConvolution",
    weight=numbers(2, 3, 2, 1, 3),
    bias=numbers(3),
    nInputPlane=2,
    nOutputPlane=3,
    kT=2,
    kH=1,
    kW=3,
    dT=2,
    dH=1,
    dW=2,
    adjT=1,
)
PAIRS = np.array([[1, 2], [3, 1], [2, 2], [1, 1]], np.float32)
MAP = Module(
    "SpatialConvolutionMap",
    weight=numbers(4, 2, 3),
    bias=numbers(2),
    connTable=PAIRS,
    kW=3,
    kH=2,
    nInputPlane=3,
    nOutputPlane=2,
)
FULL_MAP = Module(
    "SpatialFullConvolutionMap",
    weight=numbers(4, 2, 3),
    bias=numbers(2),
    connTable=PAIRS,
    kW=3,
    kH=2,
    dW=2,
    nInputPlane=3,
    nOutputPlane=2,
)
DENSE = np.zeros((2, 3, 2, 3), np.float32)
DENSE_FULL = np.zeros((3, 2, 2, 3), np.float32)
for place, (source, target) in enumerate(PAIRS.astype(int) - 1):
    DENSE[target, source] += MAP.fields["weight"][place]
    DENSE_FULL[source, target] += FULL_MAP.fields["weight"][place]
DEPTHWISE = Module(
    "SpatialDepthWiseConvolution",
    weight=numbers(2, 3, 2, 3),
    bias=numbers(2, 3),
    nInputPlane=3,
    nOutputPlane=2,
    kW=3,
    kH=2,
)
SQUARE = numbers(2, 3, 5, 5)
LOCAL = Module(
    "SpatialConvolutionLocal",
    weight=numbers(3, 4, 2, 3, 2, 3),
    bias=numbers(2, 3, 4),
    nInputPlane=3,
    nOutputPlane=2,
    iW=4,
    iH=5,
    kW=3,
    kH=2,
    dW=1,
    dH=2,
    padW=1,
    padH=1,
)


def of_local():
    w, padded = LOCAL.fields["weight"], np.pad(X, [(0, 0), (0, 0), (1, 1), (1, 1)])
    result = np.zeros((2, 2, 3, 4), np.float32)
    for i, j in np.ndindex(3, 4):
        part = padded[:, :, 2 * i : 2 * i + 2, j : j + 3]
        result[:, :, i, j] = np.einsum("nchw,ochw->no", part, w[i, j])
    return result + LOCAL.fields["bias"]


CONVOLUTIONS = {
    "conv": case(CONV, of_conv(CONV)),
    "conv_without_batch": case(CONV, of_conv(CONV, X[0]), X[0]),
    "conv_without_bias": case(PLAIN, of_conv(PLAIN)),
    "conv_uneven": case(SIDE, of_conv(SIDE, stride=(1, 2), padding=(0, 1))),
    "conv_old": case(OLD, of_conv(OLD, padding=1)),
    "conv_dilated": case(DILATED, of_conv(DILATED, padding=(1, 2), dilation=(3, 2))),
    "conv_groups": case(GROUPED, fn.conv2d(T(X), T(GROUPED.fields["weight"]), groups=3, padding=1)),
    "full": case(FULL, of_full(FULL)),
    "full_more": case(FULL_MORE, of_full(FULL_MORE, padding=1, output_padding=(2, 1))),
    "full_like": case(
        full_like := full(),
        of_full(full_like, output_padding=(2, 1)),
        [X, numbers(1, 1, 16, 10)],
    ),
    "volume": case(
        VOLUME_CONV,
        fn.conv3d(
            T(VOLUME),
            T(VOLUME_CONV.fields["weight"]),
            T(VOLUME_CONV.fields["bias"]),
            (2, 1, 1),
            (1, 0, 1),
        ),
        VOLUME,
    ),
    "volume_full": case(
        VOLUME_FULL,
        fn.conv_transpose3d(
            T(VOLUME),
            T(VOLUME_FULL.fields["weight"]),
            T(VOLUME_FULL.fields["bias"]),
            (2, 1, 2),
            output_padding=(1, 0, 0),
        ),
        VOLUME,
    ),
    "map": case(MAP, fn.conv2d(T(X), T(DENSE), T(MAP.fields["bias"]))),
    "full_map": case(
        FULL_MAP,
        fn.conv_transpose2d(T(X), T(DENSE_FULL), T(FULL_MAP.fields["bias"]), stride=(1, 2)),
    ),
    "depthwise": case(
        DEPTHWISE,
        fn.conv2d(
            T(SQUARE),
            T(DEPTHWISE.fields["weight"]).transpose(0, 1).reshape(6, 1, 2, 3),
            T(DEPTHWISE.fields["bias"]).t().reshape(-1),
            groups=3,
        ),
        SQUARE,
    ),
    "local": case(LOCAL, of_local()),
}

UNPOOLED = pool("SpatialMaxPooling", dW=3, padH=1, ceil_mode=True)
POOLED = fn.max_pool2d(T(X), (2, 3), (2, 3), (1, 0), ceil_mode=True, return_indices=True)
RELU = Module("ReLU")
AVERAGE = "SpatialAveragePooling"
POOLING = {
    "max_ceil": case(
        pool("SpatialMaxPooling", padW=1, padH=1, ceil_mode=True),
        fn.max_pool2d(T(X), (2, 3), 2, 1, ceil_mode=True),
    ),
    "max_old": case(pool("SpatialMaxPooling"), fn.max_pool2d(T(X), (2, 3), 2)),
    "max_without_batch": case(pool("SpatialMaxPooling"), fn.max_pool2d(T(X[0]), (2, 3), 2), X[0]),
    "max_dilated": case(
        pool("SpatialDilatedMaxPooling", padW=1, dilationW=2, dilationH=3, dW=1),
        fn.max_pool2d(T(X), (2, 3), (2, 1), (0, 1), (3, 2)),
    ),
    "max_of_inn": case(
        pool("inn.SpatialMaxPooling"), fn.max_pool2d(T(X), (2, 3), 2, ceil_mode=True)
    ),
    "average_ceil": case(
        pool(AVERAGE, padW=1, padH=1, ceil_mode=True, count_include_pad=True, divide=True),
        fn.avg_pool2d(T(X), (2, 3), 2, 1, ceil_mode=True),
    ),
    "average_of_elements": case(
        pool(AVERAGE, padW=1, padH=1, ceil_mode=True, count_include_pad=False),
        fn.avg_pool2d(T(X), (2, 3), 2, 1, ceil_mode=True, count_include_pad=False),
    ),
    "average_of_old": case(pool(AVERAGE), fn.avg_pool2d(T(X), (2, 3), 2)),
    "sum": case(pool(AVERAGE, divide=False), 6 * fn.avg_pool2d(T(X), (2, 3), 2)),
    "average_of_cudnn": case(
        pool("cudnn.SpatialAveragePooling", ceil_mode=True),
        fn.avg_pool2d(fn.pad(T(X), (0, 1, 0, 1)), (2, 3), 2),
    ),
    "volume_max": case(
        Module("VolumetricMaxPooling", kT=2, kW=3, kH=2, dT=2, dW=2, dH=1, padT=1, padW=1, padH=0),
        fn.max_pool3d(T(VOLUME), (2, 2, 3), (2, 1, 2), (1, 0, 1)),
        VOLUME,
    ),
    "volume_average": case(
        Module("VolumetricAveragePooling", kT=2, kW=3, kH=2, dT=2, dW=2, dH=1),
        fn.avg_pool3d(T(VOLUME), (2, 2, 3), (2, 1, 2)),
        VOLUME,
    ),
    "adaptive_max": case(
        Module("SpatialAdaptiveMaxPooling", W=3, H=2), fn.adaptive_max_pool2d(T(X), (2, 3))
    ),
    "adaptive_average": case(
        Module("SpatialAdaptiveAveragePooling", W=3, H=2),
        fn.adaptive_avg_pool2d(T(X[1]), (2, 3)),
        X[1],
    ),
    "pyramid": case(
        Module(
            "inn.SpatialPyramidPooling",
            *(
                Module(
                    "Sequential",
                    Module("SpatialAdaptiveMaxPooling", W=n, H=n),
                    Module("View", size=Longs(-1), numInputDims=3),
                )
                for n in (2, 1)
            ),
            dimension=1,
        ),
        torch.cat([fn.adaptive_max_pool2d(T(X), n).flatten(1) for n in (2, 1)], 1),
    ),
    "features": case(
        Module("FeatureLPPooling", width=2, stride=1, power=2, batch_mode=True),
        torch.sqrt(T(ROWS)[:, :-1] ** 2 + T(ROWS)[:, 1:] ** 2),
        ROWS,
    ),
    "unpooled": case(
        Module("Sequential", UNPOOLED, RELU, Module("SpatialMaxUnpooling", pooling=UNPOOLED)),
        fn.max_unpool2d(
            torch.relu(POOLED[0]), POOLED[1], (2, 3), (2, 3), (1, 0), output_size=(5, 4)
        ),
    ),
    "sub_sampling": case(
        sub := Module(
            "SpatialSubSampling",
            nInputPlane=3,
            kW=3,
            kH=2,
            dW=1,
            dH=2,
            weight=numbers(3),
            bias=numbers(3),
        ),
        6 * fn.avg_pool2d(T(X), (2, 3), (2, 1)) * T(sub.fields["weight"])[:, None, None]
        + T(sub.fields["bias"])[:, None, None],
    ),
}
POSITIVE = np.abs(X) + 0.1
ACTIVATIONS = {
    "threshold": case(Module("Threshold", threshold=0.5, val=-2), fn.threshold(T(X), 0.5, -2)),
    "hard_tanh_of_old": case(Module("HardTanh"), fn.hardtanh(T(X))),
    "clamp": case(Module("Clamp", min_val=-0.5, max_val=0.25), T(X).clamp(-0.5, 0.25)),
    "clipped": case(Module("cudnn.ClippedReLU", ceiling=1), T(X).clamp(0, 1)),
    "rrelu": case(Module("RReLU", lower=0.1, upper=0.3), fn.leaky_relu(T(X), 0.2)),
    "prelu": case(
        Module("PReLU", nOutputPlane=3, weight=np.float32([0.1, 0.2, 0.3])),
        fn.prelu(T(X), torch.tensor([0.1, 0.2, 0.3])),
    ),
    "prelu_of_sequences": case(
        Module("PReLU", nOutputPlane=7, weight=np.arange(7, dtype=np.float32)),
        fn.prelu(T(LINE), torch.arange(7.0)),
        LINE,
    ),
    "prelu_of_a_row": case(
        Module("PReLU", nOutputPlane=6, weight=np.arange(6, dtype=np.float32)),
        np.where(ROWS[0] > 0, ROWS[0], ROWS[0] * np.arange(6)),
        ROWS[0],
    ),
    "crelu": case(Module("CReLU", nInputDims=3), fn.relu(torch.cat([T(X), -T(X)], 1))),
    "crelu_without_batch": case(
        Module("CReLU", nInputDims=3), fn.relu(torch.cat([T(X[0]), -T(X[0])], 0)), X[0]
    ),
    "elu": case(Module("ELU", alpha=0.5), fn.elu(T(X), 0.5)),
    "log_sigmoid": case(Module("LogSigmoid"), fn.logsigmoid(T(X))),
    "softplus": case(Module("SoftPlus", beta=2, threshold=1), fn.softplus(T(X), 2, 1)),
    "tanh_shrink": case(Module("TanhShrink"), fn.tanhshrink(T(X))),
    "soft_shrink": case(Module("SoftShrink", **{"lambda": 0.25}), fn.softshrink(T(X), 0.25)),
    "hard_shrink": case(Module("HardShrink", **{"lambda": 0.25}), fn.hardshrink(T(X), 0.25)),
    "softmax_of_images": case(Module("SoftMax"), fn.softmax(T(X), 1)),
    "softmax_of_an_image": case(Module("SoftMax"), fn.softmax(T(X[0]), 0), X[0]),
    "softmax_of_a_row": case(Module("SoftMax"), fn.softmax(T(ROWS[0]), 0), ROWS[0]),
    "softmin": case(Module("SoftMin"), fn.softmin(T(ROWS), 1), ROWS),
    "volume_softmax": case(Module("cudnn.VolumetricSoftMax"), fn.softmax(T(VOLUME), 1), VOLUME),
    "log_softmax": case(Module("SpatialLogSoftMax"), fn.log_softmax(T(X), 1)),
    "gated": case(Module("GatedLinearUnit"), fn.glu(T(X), 3)),
    "gated_rows": case(Module("GatedLinearUnit", dim=2), fn.glu(T(ROWS), 1), ROWS),
    "power": case(Module("Power", pow=-0.5), T(POSITIVE) ** -0.5, POSITIVE),
    "log": case(Module("Log"), T(POSITIVE).log(), POSITIVE),
}
CHANNEL = np.float32([0.5, -2.0, 3.0])
BATCH_NORM = {"running_mean": CHANNEL, "eps": 0.25}
VARIANCE = np.float32([1, 2, 3])
NORMALIZATION = {
    "batch": case(
        rows_ := Module(
            "BatchNormalization", running_mean=numbers(6), running_var=np.abs(numbers(6)) + 0.1
        ),
        fn.batch_norm(T(ROWS), T(rows_.fields["running_mean"]), T(rows_.fields["running_var"])),
        ROWS,
    ),
    "batch_of_old": case(
        Module(
            "SpatialBatchNormalization",
            running_std=(VARIANCE + 0.25).astype(np.float32) ** -0.5,
            weight=CHANNEL,
            bias=VARIANCE,
            **BATCH_NORM,
        ),
        fn.batch_norm(T(X), T(CHANNEL), T(VARIANCE), T(CHANNEL), T(VARIANCE), eps=0.25),
    ),
    "batch_without_batch": case(
        Module("SpatialBatchNormalization", running_var=VARIANCE, affine=False, **BATCH_NORM),
        fn.batch_norm(T(X[:1]), T(CHANNEL), T(VARIANCE), eps=0.25)[0],
        X[0],
    ),
    "lrn": case(
        Module("SpatialCrossMapLRN", size=3, alpha=0.5, beta=0.25, k=2),
        fn.local_response_norm(T(X), 3, 0.5, 0.25, 2),
    ),
    "instances": case(
        Module("InstanceNormalization", weight=CHANNEL, bias=VARIANCE, eps=0.5),
        fn.instance_norm(T(X), weight=T(CHANNEL), bias=T(VARIANCE), eps=0.5),
    ),
    "normalize": case(
        Module("Normalize", p=3, eps=0.5),
        ROWS / ((np.abs(ROWS) ** 3).sum(1, keepdims=True) + 0.5) ** (1 / 3),
        ROWS,
    ),
    "normalize_most": case(
        Module("Normalize", p=float("inf"), eps=0.5),
        ROWS[0] / (np.abs(ROWS[0]).max() + 0.5),
        ROWS[0],
    ),
    "dropout": case(Module("Dropout", p=0.25, v2=True), X),
    "dropout_of_old": case(Module("Dropout", p=0.25), 0.75 * X),
    "dropout_of_channels": case(Module("SpatialDropout", p=0.25), 0.75 * X),
    "noise": case(Module("WhiteNoise", mean=0.5, std=2), X + 0.5),
}
FRAMES = Module(
    "TemporalConvolution",
    weight=numbers(4, 6),
    bias=numbers(4),
    kW=2,
    dW=2,
    inputFrameSize=3,
    outputFrameSize=4,
)
OVER = T(LINE).transpose(1, 2)
SEQUENCES = {
    "frames": case(
        FRAMES,
        fn.conv1d(
            OVER,
            T(FRAMES.fields["weight"]).reshape(4, 2, 3).transpose(1, 2),
            T(FRAMES.fields["bias"]),
            2,
        ).transpose(1, 2),
        LINE,
    ),
    "frames_without_batch": case(
        FRAMES,
        fn.conv1d(
            OVER[:1],
            T(FRAMES.fields["weight"]).reshape(4, 2, 3).transpose(1, 2),
            T(FRAMES.fields["bias"]),
            2,
        )[0].t(),
        LINE[0],
    ),
    "rows": case(
        rows := Module(
            "TemporalRowConvolution",
            weight=numbers(3, 1, 2),
            bias=numbers(3),
            kW=2,
            dW=1,
            inputFrameSize=3,
        ),
        fn.conv1d(OVER, T(rows.fields["weight"]), T(rows.fields["bias"]), groups=3).transpose(1, 2),
        LINE,
    ),
    "rows_first": case(
        first := Module(
            "TemporalRowConvolution",
            weight=numbers(7, 1, 2),
            kW=2,
            dW=1,
            inputFrameSize=7,
            featFirst=True,
        ),
        fn.conv1d(T(LINE), T(first.fields["weight"]), groups=7),
        LINE,
    ),
    "frames_max": case(
        Module("TemporalMaxPooling", kW=3, dW=2), fn.max_pool1d(OVER, 3, 2).transpose(1, 2), LINE
    ),
    "frames_sums": case(
        sums := Module(
            "TemporalSubSampling", weight=numbers(3), bias=numbers(3), kW=3, dW=2, inputFrameSize=3
        ),
        3 * fn.avg_pool1d(OVER, 3, 2).transpose(1, 2) * T(sums.fields["weight"])
        + T(sums.fields["bias"]),
        LINE,
    ),
    "k_max": case(
        Module("TemporalDynamicKMaxPooling", minK=1, factor=0), LINE.max(1)[:, None], LINE
    ),
}
RESIZING = {
    "bilinear_size": case(
        Module("SpatialUpSamplingBilinear", oheight=7, owidth=3),
        fn.interpolate(T(X), (7, 3), mode="bilinear", align_corners=True),
    ),
    "bilinear_one": case(
        Module("SpatialUpSamplingBilinear", oheight=1, owidth=6),
        fn.interpolate(T(X), (1, 6), mode="bilinear", align_corners=True),
    ),
    "bilinear_without_batch": case(
        Module("SpatialUpSamplingBilinear", scale_factor=3),
        fn.interpolate(T(X[:1]), scale_factor=3, mode="bilinear", align_corners=True)[0],
        X[0],
    ),
    "nearest": case(
        Module("SpatialUpSamplingNearest", scale_factor=2), X.repeat(2, 2).repeat(2, 3)
    ),
    "trilinear": case(
        Module("UpSampling", mode="linear", odepth=3, oheight=5, owidth=11),
        fn.interpolate(T(VOLUME), (3, 5, 11), mode="trilinear", align_corners=True),
        VOLUME,
    ),
    "nearest_of_volumes": case(
        Module("UpSampling", mode="nearest", scale_factor=2),
        fn.interpolate(T(VOLUME), scale_factor=2),
        VOLUME,
    ),
    "shuffle": case(
        Module("PixelShuffle", upscaleFactor=2),
        fn.pixel_shuffle(T(numbers_ := numbers(1, 8, 2, 3)), 2),
        numbers_,
    ),
}
CASES = {**CONVOLUTIONS, **POOLING, **ACTIVATIONS, **NORMALIZATION, **SEQUENCES, **RESIZING}


@pytest.mark.parametrize("name", CASES)
def test_a_module_computes_what_it_is_defined_to(name):
    module, x, expected = CASES[name]
    found = computed(module, x)
    assert found.shape == tuple(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
