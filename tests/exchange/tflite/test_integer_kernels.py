"""Single operators of TFLite have the codes of LiteRT in the engine `integer`, at drawn corners."""

import zlib

import numpy as np
import pytest
from written_models import Model, run

import nnefkit as nk

LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}
ACTIVATIONS = (0, 1, 2, 3)
ALL, BYTES, SIGNED = ("int8", "uint8", "int16"), ("int8", "uint8"), ("int8", "int16")
SEEDS = range(4)


class Draw:
    """A model of one operator under construction, and its inputs."""

    def __init__(self, seed, dtype):
        self.model = Model()
        self.graph = self.model.graph()
        self.rng = np.random.default_rng(seed)
        self.dtype = dtype
        self.codes = []

    def scale(self, low=-2, high=0):
        return float(np.float32(10 ** self.rng.uniform(low, high)))

    def times(self, scale, low, high):
        return float(np.float32(scale * np.exp(self.rng.uniform(low, high))))

    def point(self, dtype=""):
        low, high = LIMITS[dtype or self.dtype]
        if high > 255:
            return 0
        return int(
            self.rng.choice([low, high, (low + high + 1) // 2, self.rng.integers(low, high)])
        )

    def grid(self, low=-2, high=0):
        return self.scale(low, high), self.point()

    def input(self, shape, grid=None):
        grid = grid or self.grid()
        number = self.graph.input(shape, self.dtype, quantization=([grid[0]], [grid[1]], 0))
        low, high = LIMITS[self.dtype]
        codes = self.rng.integers(low, high + 1, shape)
        self.codes.append(np.where(self.rng.random(shape) < 0.1, low, codes).astype(self.dtype))
        return number, grid

    def constant(self, data, dtype, scale, point=0, axis=0):
        scales = np.atleast_1d(scale).tolist()
        return self.graph.constant(
            data, dtype, quantization=(scales, [int(point)] * len(scales), axis)
        )

    def weights(self, shape, channels, axis, scale):
        """Return weights, and a bias in the steps of their products with an input."""
        steps = np.exp(self.rng.uniform(-6, -2, channels)).astype(np.float32)
        filters = self.constant(self.rng.integers(-127, 128, shape), "int8", steps, axis=axis)
        bias = self.rng.integers(-(2**13), 2**13, shape[axis])
        dtype = "int64" if self.dtype == "int16" else "int32"
        return filters, self.constant(bias, dtype, np.float32(scale) * steps)

    def output(self, shape, grid=None, dtype=""):
        scale, point = grid or self.grid()
        number = self.graph.tensor(
            shape, dtype or self.dtype, "y", quantization=([scale], [point], 0)
        )
        self.graph.outputs.append(number)
        return number

    def activation(self):
        return int(self.rng.choice(ACTIVATIONS))


def same(extents, size, stride, padding):
    """Return the extents after windows."""
    pairs = zip(extents, size, stride, strict=True)
    return [-(-n // s) if padding == 0 else -(-(n - k + 1) // s) for n, k, s in pairs]


def convolution(d):
    channels, filters = int(d.rng.choice([1, 3, 8])), int(d.rng.choice([1, 5, 12, 20, 24]))
    size, stride = d.rng.integers(1, 4, 2).tolist(), d.rng.integers(1, 3, 2).tolist()
    padding, dilation = int(d.rng.integers(2)), [1, 1] if max(stride) > 1 else [2, 1]
    wide = [(k - 1) * n + 1 for k, n in zip(size, dilation, strict=True)]
    x, (scale, _) = d.input((1, 7, 6, channels))
    per_channel = bool(d.rng.integers(2))
    shape = (filters, *size, channels)
    w, b = d.weights(shape, filters if per_channel else 1, 0, scale)
    y = d.output((1, *same((7, 6), wide, stride, padding), filters))
    d.graph.call(
        *("CONV_2D", [x, w, b], [y], "Conv2DOptions"),
        padding=padding,
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        fusedActivationFunction=d.activation(),
    )


def depthwise(d):
    channels, times = int(d.rng.choice([3, 8, 12, 20])), int(d.rng.integers(1, 3))
    size, stride, padding = d.rng.integers(1, 4, 2).tolist(), [2, 2], int(d.rng.integers(2))
    x, (scale, _) = d.input((1, 7, 6, channels))
    w, b = d.weights((1, *size, channels * times), channels * times, 3, scale)
    y = d.output((1, *same((7, 6), size, stride, padding), channels * times))
    d.graph.call(
        *("DEPTHWISE_CONV_2D", [x, w, b], [y], "DepthwiseConv2DOptions"),
        padding=padding,
        strideH=2,
        strideW=2,
        depthMultiplier=times,
        dilationHFactor=1,
        dilationWFactor=1,
        fusedActivationFunction=d.activation(),
    )


def transposed(d):
    filters, stride = int(d.rng.choice([3, 8, 12])), int(d.rng.integers(1, 3))
    shape = d.graph.constant(np.array([1, 5 * stride, 4 * stride, filters]), "int32")
    x, (scale, _) = d.input((1, 5, 4, 3))
    w, b = d.weights((filters, *d.rng.integers(2, 4, 2).tolist(), 3), filters, 0, scale)
    y = d.output((1, 5 * stride, 4 * stride, filters))
    options = {"padding": 0, "strideH": stride, "strideW": stride}
    d.graph.call("TRANSPOSE_CONV", [shape, w, x, b], [y], "TransposeConvOptions", **options)


def fully_connected(d):
    count, filters = int(d.rng.integers(1, 40)), int(d.rng.choice([1, 5, 12]))
    x, (scale, _) = d.input((2, count))
    w, b = d.weights((filters, count), filters if d.rng.integers(2) else 1, 0, scale)
    y = d.output((2, filters))
    inputs = [x, w, b if d.rng.integers(2) else -1]
    kind = d.activation()
    d.graph.call(
        "FULLY_CONNECTED", inputs, [y], "FullyConnectedOptions", fusedActivationFunction=kind
    )


def matrix_product(d):
    x, (first, _) = d.input((2, 3, 4, 9))
    z, (second, _) = d.input((2, 3, 9, 5))
    y = d.output((2, 3, 4, 5), (d.times(first * second, 2, 6), d.point()))
    d.graph.call("BATCH_MATMUL", [x, z], [y], "BatchMatMulOptions", adjX=False, adjY=False)


def binary(name, options):
    def draw(d):
        x, (scale, _) = d.input((2, 3, 4, 5))
        other = [(2, 3, 4, 5), (1, 1, 1, 5), (1, 3, 4, 1), (5,)][int(d.rng.integers(4))]
        z, (second, _) = d.input(other)
        largest = max(scale, second)
        step = d.times(scale * second, 0, 6) if name == "MUL" else d.times(largest, -2, 2)
        y = d.output((2, 3, 4, 5), (step, d.point()))
        more = {} if name == "MUL" else {"potScaleInt16": False}
        kind = d.activation()
        d.graph.call(name, [x, z], [y], options, fusedActivationFunction=kind, **more)

    return draw


def with_a_number(name, options):
    """Return an operation whose second input is a constant of one code."""

    def draw(d):
        x, (scale, _) = d.input((2, 3, 4, 5))
        shape = [(), (1,), (1, 1, 1, 1)][int(d.rng.integers(3))]
        second, low = d.scale(), LIMITS[d.dtype][0]
        code = d.rng.integers(low, LIMITS[d.dtype][1] + 1, shape)
        z = d.constant(code, d.dtype, second, d.point())
        step = d.times(scale * second, 2, 6) if name == "MUL" else d.times(scale, -1, 1)
        y = d.output((2, 3, 4, 5), (step, d.point()))
        more = {} if name == "MUL" else {"potScaleInt16": False}
        d.graph.call(name, [x, z], [y], options, fusedActivationFunction=0, **more)

    return draw


def choice(name):
    def draw(d):
        x, grid = d.input((2, 3, 4, 5))
        z, _ = d.input((1, 1, 1, 5), grid)
        d.graph.call(name, [x, z], [d.output((2, 3, 4, 5), grid)], "MaximumMinimumOptions")

    return draw


def squared_difference(d):
    x, (first, _) = d.input((2, 3, 4, 5))
    z, (second, _) = d.input((1, 1, 1, 5))
    y = d.output((2, 3, 4, 5), (d.times(max(first, second) ** 2, 3, 6), d.point()))
    d.graph.call("SQUARED_DIFFERENCE", [x, z], [y])


def pool(name):
    def draw(d):
        channels, padding = int(d.rng.choice([3, 20])), int(d.rng.integers(2))
        size, stride = d.rng.integers(1, 4, 2).tolist(), d.rng.integers(1, 3, 2).tolist()
        x, grid = d.input((1, 7, 6, channels))
        y = d.output((1, *same((7, 6), size, stride, padding), channels), grid)
        d.graph.call(
            *(name, [x], [y], "Pool2DOptions"),
            padding=padding,
            strideH=stride[0],
            strideW=stride[1],
            filterHeight=size[0],
            filterWidth=size[1],
            fusedActivationFunction=d.activation(),
        )

    return draw


def reduction(name):
    def draw(d):
        x, grid = d.input((2, 5, 4, int(d.rng.choice([3, 20]))))
        axes = [[1, 2], [2], [3], [0, 1, 2, 3], [2, 3]][int(d.rng.integers(5))]
        keep = bool(d.rng.integers(2))
        shape = list(d.codes[0].shape)
        out = [1 if n in axes else extent for n, extent in enumerate(shape)]
        out = out if keep else [extent for n, extent in enumerate(shape) if n not in axes]
        if name in ("MEAN", "SUM"):
            count = np.prod([shape[axis] for axis in axes]) ** 0.5 if name == "SUM" else 1
            grid = d.times(grid[0] * count, -2, 1), d.point()
        numbers = d.graph.constant(np.array(axes), "int32")
        d.graph.call(name, [x, numbers], [d.output(out, grid)], "ReducerOptions", keepDims=keep)

    return draw


def resize(name, options):
    def draw(d):
        x, grid = d.input((1, 5, 4, 3))
        size, mode = d.rng.integers(1, 12, 2), int(d.rng.integers(3))
        y = d.output((1, *size.tolist(), 3), grid)
        more = {"alignCorners": mode == 1, "halfPixelCenters": mode == 2}
        d.graph.call(name, [x, d.graph.constant(size, "int32")], [y], options, **more)

    return draw


def padding(d):
    x, grid = d.input((1, 3, 4, 2))
    pairs = d.graph.constant(np.array([[0, 0], [1, 2], [0, 3], [1, 0]]), "int32")
    value = d.constant(np.array([d.rng.integers(*LIMITS[d.dtype])]), d.dtype, *grid)
    y = d.output((1, 6, 7, 3), grid)
    if d.rng.integers(2):
        d.graph.call("PADV2", [x, pairs, value], [y], "PadV2Options")
    else:
        d.graph.call("PAD", [x, pairs], [y], "PadOptions")


def concatenation(d):
    x, grid = d.input((1, 3, 4, 2))
    z, _ = d.input((1, 3, 4, 5), grid)
    d.graph.call(
        "CONCATENATION", [x, z], [d.output((1, 3, 4, 7), grid)], "ConcatenationOptions", axis=3
    )


def slopes(d):
    x, (scale, _) = d.input((1, 3, 4, 5))
    numbers = d.rng.integers(-128, 128, (1, 1, 5))
    alpha = d.constant(numbers, "int8", d.scale(-3, -1), d.rng.integers(-128, 128))
    d.graph.call("PRELU", [x, alpha], [d.output((1, 3, 4, 5), (d.times(scale, -1, 1), d.point()))])


def other_grid(d):
    x, (scale, _) = d.input((2, 3, 4, 5))
    dtype = str(d.rng.choice(SIGNED if d.dtype == "int16" else BYTES))
    y = d.output((2, 3, 4, 5), (d.times(scale, -2, 2), d.point(dtype)), dtype)
    d.graph.call("QUANTIZE", [x], [y], "QuantizeOptions")


def softmax(d):
    x, _ = d.input((3, int(d.rng.integers(2, 20))), d.grid(-3, 0))
    y = d.output(d.codes[0].shape, shares(d, 0))
    d.graph.call("SOFTMAX", [x], [y], "SoftmaxOptions", beta=1.0)


def shares(d, _):
    return {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)}[d.dtype]


def symmetric_shares(d, _):
    return {"int8": (1 / 128, 0), "uint8": (1 / 128, 128), "int16": (1 / 32768, 0)}[d.dtype]


def unary(name, options="", low=-2, high=0, low16=-5, high16=-3, out=None, point=None, **values):
    def draw(d):
        grid = d.grid(low16, high16) if d.dtype == "int16" else d.grid(low, high)
        x, (scale, _) = d.input((2, 3, 4, 5), grid if point is None else (grid[0], point))
        result = out(d, scale) if out else (d.times(scale, -2, 2), d.point())
        call = [name, [x], [d.output((2, 3, 4, 5), result)]]
        d.graph.call(*call, *([options] if options else []), **values)

    return draw


def own(low, high, point=None):
    return lambda d, _: (d.scale(low, high), d.point() if point is None else point)


KERNELS = {
    "CONV_2D": (convolution, SIGNED),
    "DEPTHWISE_CONV_2D": (depthwise, SIGNED),
    "TRANSPOSE_CONV": (transposed, SIGNED),
    "FULLY_CONNECTED": (fully_connected, SIGNED),
    "BATCH_MATMUL": (matrix_product, SIGNED),
    "ADD": (binary("ADD", "AddOptions"), ALL),
    "SUB": (binary("SUB", "SubOptions"), ALL),
    "MUL": (binary("MUL", "MulOptions"), ALL),
    "ADD, a number": (with_a_number("ADD", "AddOptions"), ALL),
    "SUB, a number": (with_a_number("SUB", "SubOptions"), ALL),
    "MUL, a number": (with_a_number("MUL", "MulOptions"), ALL),
    "MAXIMUM": (choice("MAXIMUM"), ALL),
    "MINIMUM": (choice("MINIMUM"), ALL),
    "SQUARED_DIFFERENCE": (squared_difference, ("int8",)),
    "AVERAGE_POOL_2D": (pool("AVERAGE_POOL_2D"), ALL),
    "MAX_POOL_2D": (pool("MAX_POOL_2D"), ALL),
    "MEAN": (reduction("MEAN"), ALL),
    "SUM": (reduction("SUM"), ALL),
    "REDUCE_MAX": (reduction("REDUCE_MAX"), BYTES),
    "RESIZE_BILINEAR": (resize("RESIZE_BILINEAR", "ResizeBilinearOptions"), SIGNED),
    "RESIZE_NEAREST_NEIGHBOR": (
        resize("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
        ALL,
    ),
    "PAD": (padding, ALL),
    "CONCATENATION": (concatenation, ALL),
    "PRELU": (slopes, ("int8",)),
    "QUANTIZE": (other_grid, ALL),
    "SOFTMAX": (softmax, ALL),
    "LOGISTIC": (unary("LOGISTIC", low=-3, out=shares), ALL),
    "TANH": (unary("TANH", low=-3, out=symmetric_shares), ALL),
    "RELU": (unary("RELU"), ALL),
    "RELU6": (unary("RELU6"), BYTES),
    "RELU_N1_TO_1": (unary("RELU_N1_TO_1"), BYTES),
    "LEAKY_RELU": (unary("LEAKY_RELU", "LeakyReluOptions", alpha=0.3), ALL),
    "HARD_SWISH": (unary("HARD_SWISH"), BYTES),
    "ABS": (unary("ABS"), SIGNED),
    "EXP": (unary("EXP", "ExpOptions", low=-3, high=-1.5, high16=-4), SIGNED),
    "LOG": (unary("LOG", out=own(-2, -1)), SIGNED),
    "ELU": (unary("ELU"), ("int8",)),
    "GELU": (unary("GELU", "GeluOptions", approximate=True), ALL),
    "RSQRT": (unary("RSQRT", low=-3, point=-128, out=own(-2, 0, -128)), ("int8",)),
    "SQRT": (unary("SQRT", low=-3, point=-128, out=own(-2, 0, -128)), ("int8",)),
}
CASES = [(name, dtype) for name, (_, dtypes) in KERNELS.items() for dtype in dtypes]


def numbers(graph, name, codes):
    line = graph.tensors[name].quantization
    centered = codes.astype(np.int64) - line["zero_point"]
    return (centered * np.float64(np.float32(line["scale"]))).astype(np.float32)


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_an_operator_has_the_codes_of_litert(name, dtype):
    for seed in SEEDS:
        draw = Draw(zlib.crc32(f"{name} {dtype} {seed}".encode()), dtype)
        KERNELS[name][0](draw)
        data = draw.model.bytes()
        ((expected,),) = run(data, draw.codes)
        graph = nk.from_tflite(data, verify=False, progress=False)
        inputs = {n: numbers(graph, n, c) for n, c in zip(graph.inputs, draw.codes, strict=True)}
        (result,) = nk.run(graph, inputs, "integer").values()
        np.testing.assert_array_equal(result, numbers(graph, graph.outputs[0], expected))
