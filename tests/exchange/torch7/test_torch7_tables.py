"""Containers, tables, changes of shape, products and distances compute what nn defines."""

import sys

import numpy as np
import pytest
import torch
from oracles.torch7_files import Function, Key, Longs, Module, written
from torch.nn import functional as fn
from torch7_networks import computed, numbers, read

import nnefkit as nk

X = numbers(2, 3, 5, 4)
ROWS, OTHERS = numbers(4, 6), numbers(4, 6)
T = torch.from_numpy
RELU, TANH, IDENTITY = Module("ReLU"), Module("Tanh"), Module("Identity")


def relu(x):
    return np.maximum(x, 0)


def case(module, expected, x=X):
    return module, x, expected


SHAPES = {
    "view": case(Module("View", size=Longs(60)), X.reshape(2, 60)),
    "view_of_one": case(Module("View", size=Longs(60)), X[0].reshape(60), X[:1]),
    "view_kept_batch": case(
        Module("View", size=Longs(60), numInputDims=3), X[:1].reshape(1, 60), X[:1]
    ),
    "view_open": case(Module("View", size=Longs(-1, 4)), X.reshape(30, 4)),
    "view_open_with_batch": case(Module("View", size=Longs(-1), numInputDims=3), X.reshape(2, 60)),
    "view_of_parts": case(Module("View", size=Longs(4), numInputDims=2), X.reshape(30, 4)),
    "reshape": case(Module("Reshape", size=Longs(4, 15)), X.reshape(2, 4, 15)),
    "reshape_whole": case(Module("Reshape", size=Longs(8, 15)), X.reshape(8, 15)),
    "reshape_of_one": case(Module("Reshape", size=Longs(60)), X[:1].reshape(1, 60), X[:1]),
    "reshape_with_batch": case(Module("Reshape", size=Longs(60), batchMode=True), X.reshape(2, 60)),
    "reshape_without_batch": case(
        Module("Reshape", size=Longs(60), batchMode=False), X[:1].reshape(60), X[:1]
    ),
    "collapse": case(Module("Collapse", nInputDim=3), X.reshape(2, 60)),
    "transpose": case(
        Module("Transpose", permutations=[[2, 3], [3, 4]]), X.swapaxes(1, 2).swapaxes(2, 3)
    ),
    "transpose_with_batch": case(
        Module("Transpose", permutations=[[1, 3]], numInputDims=3), X.swapaxes(1, 3)
    ),
    "squeeze": case(Module("Squeeze"), X[:1, :, :1].squeeze(), X[:1, :, :1]),
    "squeeze_kept_batch": case(
        Module("Squeeze", numInputDims=3), X[:1, :, :1].squeeze(2), X[:1, :, :1]
    ),
    "squeeze_one": case(
        Module("Squeeze", dim=2, numInputDims=3), X[:, :, :1].squeeze(2), X[:, :, :1]
    ),
    "squeeze_nothing": case(Module("Squeeze", dim=2), X),
    "unsqueeze": case(Module("Unsqueeze", pos=1, numInputDims=3), X[:, None]),
    "replicate": case(Module("Replicate", nfeatures=3, dim=2, ndim=3), np.stack([X] * 3, 2)),
    "replicate_of_old": case(Module("Replicate", nfeatures=2), np.stack([X] * 2)),
    "narrow": case(Module("Narrow", dimension=-1, index=2, length=-2), X[..., 1:3]),
    "narrow_from_the_end": case(Module("Narrow", dimension=3, index=-1, length=2), X[:, :, :3]),
    "select": case(Module("Select", dimension=-2, index=-1), X[:, :, -1]),
    "padding": case(
        Module("Padding", dim=1, pad=2, nInputDim=3, value=0.5, index=1),
        np.pad(X, [(0, 0), (0, 2), (0, 0), (0, 0)], constant_values=0.5),
    ),
    "padding_in_between": case(
        Module("Padding", dim=3, pad=-2, value=7, index=3),
        np.insert(X, [2, 2], 7, 2),
    ),
    "padding_from_the_end": case(
        Module("Padding", dim=3, pad=1, value=7, index=2), np.insert(X, 4, 7, 2)
    ),
    "zeros": case(
        Module("SpatialZeroPadding", pad_l=1, pad_r=-1, pad_t=-2, pad_b=2),
        fn.pad(T(X), (1, -1, -2, 2)),
    ),
    "reflected": case(
        Module("SpatialReflectionPadding", pad_l=3, pad_r=1, pad_t=2, pad_b=0),
        fn.pad(T(X[0]), (3, 1, 2, 0), "reflect"),
        X[0],
    ),
    "replicated_volume": case(
        Module(
            "VolumetricReplicationPadding", pleft=1, pright=2, ptop=0, pbottom=3, pfront=2, pback=1
        ),
        fn.pad(T(X), (1, 2, 0, 3, 2, 1), "replicate"),
    ),
    "maximum": case(Module("Max", dimension=1, nInputDims=3), X.max(1)),
    "minimum": case(Module("Min", dimension=-1), X.min(3)),
    "mean": case(Module("Mean", dimension=2, squeeze=False), X.mean(1, keepdims=True)),
    "mean_of_old": case(Module("Mean", dimension=2), X.mean(1)),
    "sum": case(Module("Sum", dimension=2, sizeAverage=False), X.sum(1)),
    "sum_of_a_row": case(Module("Sum", dimension=1), ROWS[0].sum(keepdims=True), ROWS[0]),
    "arg_max": case(Module("ArgMax", dim=1, nInputDim=3), X.argmax(1) + 1.0),
    "shaved": case(Module("ShaveImage", size=1), X[:, :, 1:-1, 1:-1]),
    "convert": case(
        Module("Convert", inputShape="bchw", outputShape="bhwc"), X.transpose(0, 2, 3, 1)
    ),
}
BIAS = numbers(60)
ELEMENTWISE = {
    "copy": case(
        Module("Copy", output=np.zeros(1, np.int64), updateOutput=Function()), np.trunc(X)
    ),
    "clip": case(Module("Clip", minval=-0.5, maxval=0.25), X.clip(-0.5, 0.25)),
    "add": case(Module("Add", bias=BIAS), X + BIAS.reshape(3, 5, 4)),
    "add_one": case(Module("Add", bias=np.float32([2]), scalar=True), X + 2),
    "add_to_a_row": case(Module("Add", bias=BIAS[:6]), ROWS[0] + BIAS[:6], ROWS[0]),
    "add_constants": case(Module("AddConstant", constant_scalar=BIAS[:6]), ROWS + BIAS[:6], ROWS),
    "multiply": case(Module("Mul", weight=np.float32([0.5])), X / 2),
    "factors": case(
        Module("CMul", weight=BIAS[:3].reshape(1, 3, 1, 1)), X * BIAS[:3].reshape(3, 1, 1)
    ),
    "factors_of_entries": case(Module("CMul", weight=BIAS), X * BIAS.reshape(3, 5, 4)),
    "factors_of_all": case(Module("CMul", weight=numbers(120).reshape(2, 60)), None),
    "affine": case(
        Module("inn.ConstAffine", a=BIAS[:3], b=BIAS[3:6]),
        X * BIAS[:3].reshape(3, 1, 1) + BIAS[3:6].reshape(3, 1, 1),
    ),
    "mean_image": case(
        Module("inn.MeanSubtraction", mean=BIAS.reshape(3, 5, 4)), X - BIAS.reshape(3, 5, 4)
    ),
    "mean_of_a_batch": case(
        Module("inn.MeanSubtraction", mean=np.stack([BIAS.reshape(3, 5, 4)] * 4)),
        X - BIAS.reshape(3, 5, 4),
    ),
    "constant": case(
        Module("Constant", value=BIAS[:6], nInputDim=1),
        np.stack([BIAS[:6]] * 4) + ROWS,
        ROWS,
    ),
}
factors = ELEMENTWISE["factors_of_all"][0].fields["weight"]
ELEMENTWISE["factors_of_all"] = case(ELEMENTWISE["factors_of_all"][0], X * factors.reshape(X.shape))
constant = ELEMENTWISE["constant"][0]
ELEMENTWISE["constant"] = case(
    Module("Sequential", Module("ConcatTable", constant, IDENTITY), Module("CAddTable")),
    ELEMENTWISE["constant"][2],
    ROWS,
)
MATRIX, VECTORS = numbers(6, 3), numbers(5, 6)
LINEAR = Module("Linear", weight=VECTORS, bias=numbers(5))
BILINEAR = Module("Bilinear", weight=numbers(2, 6, 6), bias=numbers(2))
INDICES = np.float32([[1, 5, 2], [3, 3, 1]])
SQUARES = numbers(2, 4, 6)
PRODUCTS = {
    "linear": case(LINEAR, ROWS @ VECTORS.T + LINEAR.fields["bias"], ROWS),
    "linear_of_a_row": case(Module("Linear", weight=VECTORS), ROWS[0] @ VECTORS.T, ROWS[0]),
    "normalized_linear": case(
        Module("LinearWeightNorm", v=VECTORS, g=BIAS[:5].reshape(5, 1), eps=1e-16, train=True),
        ROWS @ (VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True) * BIAS[:5, None]).T,
        ROWS,
    ),
    "bilinear": case(
        BILINEAR,
        fn.bilinear(T(ROWS), T(OTHERS), T(BILINEAR.fields["weight"]), T(BILINEAR.fields["bias"])),
        [ROWS, OTHERS],
    ),
    "partial": case(
        Module(
            "PartialLinear",
            network=Module(
                "Sequential",
                Module("ParallelTable", IDENTITY, Module("LookupTable", weight=VECTORS)),
            ),
            bias=BIAS[:5].reshape(1, 5),
            partition=np.float32([4, 1]),
        ),
        ROWS @ VECTORS[[3, 0]].T + BIAS[[3, 0]],
        ROWS,
    ),
    "matrices": case(
        Module("MM", transA=True, transB=False),
        SQUARES.swapaxes(1, 2) @ SQUARES,
        [SQUARES, SQUARES],
    ),
    "matrix_and_vector": case(
        Module("MV", trans=False),
        np.einsum("bij,bj->bi", SQUARES, SQUARES[:, 0]),
        [SQUARES, SQUARES[:, 0]],
    ),
    "dots": case(Module("DotProduct"), (ROWS * OTHERS).sum(1), [ROWS, OTHERS]),
    "cosines": case(
        Module("CosineDistance"), fn.cosine_similarity(T(ROWS), T(OTHERS)), [ROWS, OTHERS]
    ),
    "pairs": case(
        Module("PairwiseDistance", norm=3),
        fn.pairwise_distance(T(ROWS), T(OTHERS), 3, 0),
        [ROWS, OTHERS],
    ),
    "euclidean": case(Module("Euclidean", weight=MATRIX), torch.cdist(T(ROWS), T(MATRIX.T)), ROWS),
    "euclidean_of_a_row": case(
        Module("Euclidean", weight=MATRIX), torch.cdist(T(ROWS[:1]), T(MATRIX.T))[0], ROWS[0]
    ),
    "weighted": case(
        Module("WeightedEuclidean", weight=MATRIX, diagCov=MATRIX + 3),
        np.sqrt((((ROWS[:, :, None] - MATRIX) * (MATRIX + 3)) ** 2).sum(1)),
        ROWS,
    ),
    "cosine": case(
        Module("Cosine", weight=VECTORS),
        fn.cosine_similarity(T(ROWS)[:, None], T(VECTORS), 2),
        ROWS,
    ),
    "lookup": case(
        Module("LookupTable", weight=VECTORS), VECTORS[INDICES.astype(int) - 1], INDICES
    ),
    "lookup_of_short": case(
        Module("LookupTable", weight=VECTORS, maxNorm=1, normType=2),
        fn.embedding(T(INDICES.astype(int) - 1), T(VECTORS.copy()), max_norm=1),
        INDICES,
    ),
    "one_hot": case(
        Module("OneHot", outputSize=5),
        np.eye(5, dtype=np.float32)[INDICES.astype(int) - 1],
        INDICES,
    ),
    "index": case(Module("Index", dimension=2), ROWS[:, [2, 0, 2]], [ROWS, np.float32([3, 1, 3])]),
    "mixture": case(
        Module("MixtureTable"),
        ROWS * OTHERS[:, :1] + OTHERS * OTHERS[:, 1:2],
        [OTHERS[:, :2], [ROWS, OTHERS]],
    ),
    "mixture_of_a_tensor": case(
        Module("MixtureTable"),
        np.einsum("ne,nef->nf", OTHERS[:, :2], np.stack([ROWS, OTHERS], 1)),
        [OTHERS[:, :2], np.stack([ROWS, OTHERS], 1)],
    ),
}
BRANCHES = (Module("Narrow", dimension=3, index=1, length=2), RELU)
CONTAINERS = {
    "concat": case(Module("Concat", RELU, IDENTITY, dimension=2), np.concatenate([relu(X), X], 1)),
    "depth": case(
        Module("DepthConcat", *BRANCHES, dimension=2),
        np.concatenate([np.pad(X[:, :, :2], [(0, 0), (0, 0), (1, 2), (0, 0)]), relu(X)], 1),
    ),
    "join": case(
        Module("JoinTable", dimension=1, nInputDims=1),
        np.concatenate([ROWS, OTHERS], 1),
        [ROWS, OTHERS],
    ),
    "join_from_the_end": case(
        Module("JoinTable", dimension=-2), np.concatenate([ROWS, OTHERS], 0), [ROWS, OTHERS]
    ),
    "parallel": case(
        Module("Parallel", RELU, TANH, inputDimension=1, outputDimension=2),
        np.concatenate([relu(SQUARES[0]), np.tanh(SQUARES[1])], 1),
        SQUARES,
    ),
    "maximum": case(Module("CMaxTable"), np.maximum(ROWS, OTHERS), [ROWS, OTHERS]),
    "difference": case(Module("CSubTable"), ROWS - OTHERS, [ROWS, OTHERS]),
    "quotient": case(Module("CDivTable"), ROWS / OTHERS, [ROWS, OTHERS]),
    "select_from_the_end": case(Module("SelectTable", index=-1), OTHERS, [ROWS, OTHERS]),
    "bottle": case(
        Module("Bottle", LINEAR, nInputDim=2, nOutputDim=2),
        SQUARES @ VECTORS.T + LINEAR.fields["bias"],
        SQUARES,
    ),
    "inception": case(Module("Inception", module=RELU), relu(X)),
    "just": case(
        Module("Sequential", Module("nngraph.JustTable"), Module("nngraph.JustElement")), X
    ),
    "decorated": case(Module("Profile", Module("NaN", RELU)), relu(X)),
    "norm_of_weights": case(
        Module(
            "WeightNorm",
            Module("Linear", bias=LINEAR.fields["bias"]),
            v=VECTORS,
            g=BIAS[:5],
            viewOut=Longs(5, 6),
            outputDim=1,
        ),
        ROWS @ (VECTORS / np.sqrt((VECTORS**2).sum(1, keepdims=True) + 1e-4) * BIAS[:5, None]).T
        + LINEAR.fields["bias"],
        ROWS,
    ),
}
TABLES = {
    "split": case(Module("SplitTable", dimension=1, nInputDims=3), [X[:, n] for n in range(3)]),
    "to_each": case(
        Module("CAddTensorTable"), [ROWS + OTHERS, ROWS + ROWS], [ROWS, [OTHERS, ROWS.copy()]]
    ),
    "narrow": case(
        Module("NarrowTable", offset=2, length=2), [OTHERS, SQUARES], [ROWS, OTHERS, SQUARES]
    ),
    "reverse": case(Module("ReverseTable"), [OTHERS, ROWS], [ROWS, OTHERS]),
    "flatten": case(Module("FlattenTable"), [ROWS, OTHERS, SQUARES], [[ROWS, [OTHERS]], SQUARES]),
    "map_of_copies": case(
        Module("MapTable", RELU, TANH),
        [relu(ROWS), np.tanh(OTHERS), relu(ROWS)],
        [ROWS, OTHERS, ROWS.copy()],
    ),
    "map": case(Module("MapTable", RELU), [relu(ROWS), relu(OTHERS)], [ROWS, OTHERS]),
    "parallel": case(
        Module("ParallelTable", RELU, TANH), [relu(ROWS), np.tanh(OTHERS)], [ROWS, OTHERS]
    ),
    "zip": case(
        Module("Sequential", Module("ZipTable"), Module("FlattenTable")),
        [ROWS, SQUARES, OTHERS, X],
        [[ROWS, OTHERS], [SQUARES, X]],
    ),
    "zip_one": case(
        Module("Sequential", Module("ZipTableOneToMany"), Module("FlattenTable")),
        [ROWS, OTHERS, ROWS, SQUARES],
        [ROWS, [OTHERS, SQUARES]],
    ),
}
CASES = {
    f"{theme}_{name}": each
    for theme, cases in (
        ("shape", SHAPES),
        ("elementwise", ELEMENTWISE),
        ("product", PRODUCTS),
        ("container", CONTAINERS),
        ("table", TABLES),
    )
    for name, each in cases.items()
}


@pytest.mark.parametrize("name", CASES)
def test_a_module_computes_what_it_is_defined_to(name):
    module, x, expected = CASES[name]
    found = computed(module, x)
    pairs = zip(found, expected, strict=True) if isinstance(expected, list) else [(found, expected)]
    for array, wanted in pairs:
        assert array.shape == tuple(wanted.shape)
        np.testing.assert_allclose(array, wanted, rtol=2e-5, atol=3e-6)


def test_contrasts_are_normalized_as_nn_does():
    kernel = np.ones((3, 5), np.float32) / 45

    def estimator(*first):
        parts = [Module("SpatialZeroPadding", pad_l=2, pad_r=2, pad_t=1, pad_b=1)]
        weight, bias = np.stack([kernel] * 3)[None], np.zeros(1, np.float32)
        sizes = {"nInputPlane": 3, "nOutputPlane": 1, "kW": 5, "kH": 3}
        parts.append(Module("SpatialConvolution", weight=weight, bias=bias, **sizes))
        parts.append(Module("Replicate", nfeatures=3, dim=1, ndim=3))
        return Module("Sequential", *first, *parts)

    deviation = estimator(Module("Square"))
    deviation.fields["modules"].append(Module("Sqrt"))
    network = Module(
        "SpatialContrastiveNormalization",
        normalizer=Module(
            "Sequential",
            Module("SpatialSubtractiveNormalization", meanestimator=estimator()),
            Module(
                "SpatialDivisiveNormalization",
                meanestimator=estimator(),
                stdestimator=deviation,
                threshold=0.5,
                thresval=2,
            ),
        ),
    )
    weight = T(np.stack([kernel] * 3)[None])

    def around(x):
        return fn.conv2d(x, weight, padding=(1, 2)).numpy()

    share = around(torch.ones(1, 3, 5, 4))
    centered = X - around(T(X)) / share
    size = np.sqrt(around(T(centered**2))) / share
    expected = centered / np.where(size > 0.5, size, 2)
    np.testing.assert_allclose(computed(network, X), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(computed(network, X[0]), expected[0], rtol=1e-4, atol=1e-6)


# -- graphs of nngraph -----------------------------------------------------------------------------


def graph_of(nodes, edges, start, end, inputs=1):
    """A gModule: name -> module or fields of its data, and pairs of names in order."""
    datas = {name: {"module": x} if isinstance(x, Module) else dict(x) for name, x in nodes.items()}
    objects = {name: Module("nngraph.Node", data=data, children=[]) for name, data in datas.items()}
    for data in datas.values():
        data["mapindex"] = {}
    for source, target in edges:
        mapping = datas[target]["mapindex"]
        objects[source].fields["children"].append(objects[target])
        mapping[Key(datas[source])] = len(mapping) + 1
    last = Module(
        "nngraph.Node", data=datas[end], children=[IDENTITY] * len(datas[end]["mapindex"])
    )
    return Module(
        "gModule",
        forwardnodes=[*objects.values()],
        innode=objects[start],
        outnode=last,
        nInputs=inputs,
        fg=Module("graph.Graph", nodes=[*objects.values()]),
    )


def test_graphs_of_modules_are_read_node_by_node():
    network = graph_of(
        {
            "in": {},
            "split": {"nSplitOutputs": 2},
            "first": {"selectindex": 1},
            "second": {"selectindex": 2},
            "relu": RELU,
            "difference": Module("CSubTable"),
            "tanh": TANH,
            "out": {},
        },
        [
            ("in", "split"),
            ("split", "first"),
            ("split", "second"),
            ("second", "relu"),
            ("relu", "difference"),
            ("first", "difference"),
            ("difference", "tanh"),
            ("tanh", "out"),
            ("relu", "out"),
        ],
        "in",
        "out",
        inputs=2,
    )
    found = computed(network, [ROWS, OTHERS])
    np.testing.assert_allclose(found[0], np.tanh(relu(OTHERS) - ROWS), rtol=1e-6)
    np.testing.assert_array_equal(found[1], relu(OTHERS))


def test_long_graphs_of_modules_are_read_without_recursion():
    names = [f"tanh{number}" for number in range(1500)]
    network = graph_of(
        {"in": {}, **{name: Module("Tanh") for name in names}, "out": {}},
        [*zip(["in", *names], [*names, "out"], strict=True)],
        "in",
        "out",
    )
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)  # The writer of the test is recursive.
    try:
        file = written(network)
    finally:
        sys.setrecursionlimit(limit)
    graph = nk.from_torch7(file, ROWS.shape, verify=False, progress=False)
    assert len(graph.operations) == 1501


# -- in place --------------------------------------------------------------------------------------

IN_PLACE = Module("ReLU", inplace=True)


def test_a_branch_after_one_that_overwrites_reads_what_was_written():
    network = Module("ConcatTable", Module("Tanh"), IN_PLACE, IDENTITY)
    before, overwritten, after = computed(network, X)
    np.testing.assert_allclose(before, np.tanh(X), rtol=1e-6)
    np.testing.assert_array_equal(overwritten, relu(X))
    np.testing.assert_array_equal(after, relu(X))
    assert read(network, X).provenance["rewritten"] == ("module2",)


def test_copies_are_not_overwritten():
    dropped = Module("Sequential", Module("Dropout", p=0.5, v2=True), IN_PLACE)
    first, second = computed(Module("ConcatTable", dropped, IDENTITY), X)
    np.testing.assert_array_equal(first, relu(X))
    np.testing.assert_array_equal(second, X)


def test_reading_a_part_that_was_overwritten_is_refused():
    part = Module(
        "Sequential", Module("SplitTable", dimension=2), Module("SelectTable", index=1), IN_PLACE
    )
    with pytest.raises(nk.DocumentError, match="has overwritten a part of its input"):
        read(Module("ConcatTable", part, Module("Tanh")), X)
    (found,) = computed(Module("ConcatTable", part), X)
    np.testing.assert_array_equal(found, relu(X[:, 0]))


def test_sums_in_place_overwrite_their_first_term():
    twice = Module("ConcatTable", RELU, IDENTITY)
    total = Module("Sequential", twice, Module("CAddTable", inplace=True))
    np.testing.assert_allclose(computed(total, X), relu(X) + X)
    both = Module("ConcatTable", Module("CAddTable", inplace=True), Module("SelectTable", index=1))
    found = computed(both, [ROWS, OTHERS])
    np.testing.assert_allclose(found[0], ROWS + OTHERS)
    np.testing.assert_allclose(found[1], ROWS + OTHERS)


def test_a_module_in_two_places_has_one_variable():
    tower = Module("Linear", weight=VECTORS, bias=numbers(5))
    shared = Module("Linear", weight=VECTORS, bias=tower.fields["bias"])
    network = Module("ParallelTable", tower, tower, shared)
    graph = read(network, [ROWS, OTHERS, ROWS[:2]])
    assert sum(op.name == "variable" for op in graph.operations) == 2
    assert [op.name for op in graph.operations].count("linear") == 3
