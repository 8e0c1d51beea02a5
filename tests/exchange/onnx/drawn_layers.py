"""Drawn convolutions, pooling, products and normalization."""

from __future__ import annotations

from typing import Any

import numpy as np
from node_drawing import Draw, Drawn, draws, since, window

Array = np.ndarray[Any, Any]


@draws("Conv")
def conv(d: Draw) -> Drawn:
    count = d.int(1, 3)
    groups = d.one(1, 1, 2, 3)
    cin, cout = groups * d.int(1, 2), groups * d.int(1, 2)
    kernel = [d.int(1, 3) for _ in range(count)]
    extents = [d.int(1, 7) for _ in range(count)]
    attributes = window(d, extents, kernel)
    if attributes.get("auto_pad", "").startswith("SAME") and "dilations" in attributes:
        del attributes["dilations"]
    if groups > 1:
        attributes["group"] = groups
    attributes |= d.some(kernel_shape=kernel)
    bias = d.array((cout,)) if d.flag() else None
    x = d.array((d.int(1, 2), cin, *extents))
    return Drawn([x, d.array((cout, cin // groups, *kernel)), bias], attributes)


@draws("ConvTranspose")
def conv_transpose(d: Draw) -> Drawn:
    count = d.int(1, 3)
    groups = d.one(1, 1, 2, 3)
    cin, cout = groups * d.int(1, 2), d.int(1, 2)
    kernel = [d.int(1, 3) for _ in range(count)]
    extents = [d.int(1, 4) for _ in range(count)]
    attributes = window(d, extents, kernel)
    strides = attributes.get("strides", [1] * count)
    if groups > 1:
        attributes["group"] = groups
    if d.flag(0.3):
        attributes["output_padding"] = [d.int(0, max(s - 1, 0)) for s in strides]
    bias = d.array((cout * groups,)) if d.flag() else None
    x = d.array((d.int(1, 2), cin, *extents))
    attributes["kernel_shape"] = kernel
    spread = attributes.get("dilations", [1] * count)
    if d.flag(0.2) and "auto_pad" not in attributes:
        attributes.pop("pads", None)
        extra = attributes.get("output_padding", [0] * count)
        attributes["output_shape"] = [
            max(s * (n - 1) + (k - 1) * g + 1 + e - d.int(0, 2), 1)
            for s, n, k, g, e in zip(strides, extents, kernel, spread, extra, strict=True)
        ]
    return Drawn([x, d.array((cin, cout, *kernel)), bias], attributes)


@draws("MaxPool", "AveragePool", "LpPool")
def pool(d: Draw, name: str) -> Drawn:
    count = d.int(1, 3)
    kernel = [d.int(1, 3) for _ in range(count)]
    extents = [d.int(1, 7) for _ in range(count)]
    dilated = d.opset >= {"MaxPool": 10, "AveragePool": 19, "LpPool": 18}[name]
    attributes = window(d, extents, kernel, dilated=dilated)
    attributes["kernel_shape"] = kernel
    if (
        d.opset >= {"MaxPool": 10, "AveragePool": 10, "LpPool": 18}[name]
        and "auto_pad" not in attributes
    ):
        attributes |= d.some(ceil_mode=d.int(0, 1))
    if name == "AveragePool":
        attributes |= d.some(count_include_pad=d.int(0, 1))
    outputs = 1
    if name == "LpPool":
        attributes |= d.some(p=d.int(1, 3))
    elif name == "MaxPool" and d.opset >= 8 and d.flag(0.4):
        outputs = 2
        attributes |= d.some(storage_order=d.int(0, 1))
    x = d.rng.permutation(int(np.prod((2, 2, *extents)))).reshape(2, 2, *extents).astype(np.float32)
    return Drawn([x - 20], attributes, outputs)


@draws("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(d: Draw, name: str) -> Drawn:
    return Drawn([d.array(d.shape(3, 5))], d.some(p=d.int(1, 3)) if name == "GlobalLpPool" else {})


@draws("Upsample")
def upsample(d: Draw) -> Drawn:
    d.opset = d.one(7, 8, 9)
    mode = d.one("nearest", "linear")
    shape = d.shape(4, 4) if mode == "linear" else d.shape(1)
    scales = [float(d.one(1.0, 1.5, 2.0, 3.0)) for _ in shape]
    if mode == "linear":
        scales[:2] = [1.0, 1.0]
    x = d.array(shape)
    if d.opset < 9:
        return Drawn([x], {"mode": mode, "scales": scales})
    return Drawn([x, np.array(scales, np.float32)], {"mode": mode}, known=(1,))


_COORDINATES = {
    "tf_half_pixel_for_nn": range(11, 13),
    "half_pixel_symmetric": range(19, 99),
    **dict.fromkeys(
        ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"), range(11, 99)
    ),
}
"""Coordinate transformation -> the opsets that have it."""


@draws("Resize")
def resize(d: Draw) -> Drawn | None:
    since(d, "Resize")
    mode = d.one("nearest", "linear", *(["cubic"] if d.opset >= 11 else []))
    shape = (d.int(1, 2), d.int(1, 2), d.int(1, 6), d.int(1, 6))
    if mode == "nearest" and d.flag(0.3):
        shape = d.shape(1)
    scales = [float(d.one(1.0, 1.5, 2.0, 3.0, 0.5, 0.7)) for _ in shape]
    if mode != "nearest" or d.flag():
        scales[:2] = [1.0] * min(2, len(scales))
    if any(int(np.floor(n * s)) < 1 for n, s in zip(shape, scales, strict=True)):
        return None
    x = d.array(
        shape,
        kind=np.float32 if mode == "cubic" else d.one(np.float32, np.float32, np.int32, np.uint8),
    )
    if d.opset < 11:
        return Drawn([x, np.array(scales, np.float32)], {"mode": mode}, known=(1,))
    attributes: dict[str, Any] = {"mode": mode}
    coordinates = [name for name, opsets in _COORDINATES.items() if d.opset in opsets]
    attributes |= d.some(coordinate_transformation_mode=d.one(*coordinates))
    if mode == "nearest":
        attributes |= d.some(
            nearest_mode=d.one("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
        )
    if mode == "cubic":
        attributes |= d.some(cubic_coeff_a=d.one(-0.5, -0.75), exclude_outside=d.int(0, 1))
    if d.opset >= 18 and mode != "nearest" and d.flag(0.3):
        attributes["antialias"] = 1
    return _resized(d, x, scales, attributes)


def _resized(d: Draw, x: Array, scales: list[float], attributes: dict[str, Any]) -> Drawn:
    """A call by scales or to sizes, of all axes or of some."""
    sizes = [int(np.floor(n * s)) for n, s in zip(x.shape, scales, strict=True)]
    by_sizes = d.flag(0.4)
    if d.opset >= 18 and d.flag():
        # ONNX Runtime ignores the policy for negative axes.
        policy = d.one("stretch", "not_larger", "not_smaller") if by_sizes else "stretch"
        axes = sorted(d.rng.permutation(x.ndim)[: d.int(1, x.ndim)].tolist())
        if attributes["mode"] != "nearest":
            axes = [axis for axis in axes if axis >= 2] or [2]
        scales, sizes = [scales[axis] for axis in axes], [sizes[axis] for axis in axes]
        attributes["axes"] = [
            a - x.ndim if policy == "stretch" and d.flag(0.3) else a for a in axes
        ]
        if policy != "stretch":
            attributes["keep_aspect_ratio_policy"] = policy
            sizes = [size + d.int(0, 4) for size in sizes]
    empty = np.zeros(0, np.float32) if d.opset < 13 else None
    given = [empty, np.array(sizes, np.int64)] if by_sizes else [np.array(scales, np.float32)]
    return Drawn([x, empty, *given], attributes, known=(1, 2, 3))


@draws("GridSample")
def grid_sample(d: Draw) -> Drawn:
    since(d, "GridSample")
    d.opset = min(d.opset, 22)
    names = ("bilinear", "nearest", "bicubic") if d.opset < 20 else ("linear", "nearest", "cubic")
    mode = d.one(*names)
    count = 3 if d.opset >= 20 and "cubic" not in mode and d.flag(0.3) else 2
    batch, channels = d.int(1, 2), d.int(1, 3)
    x = d.array((batch, channels, *(d.int(1, 5) for _ in range(count))))
    grid = d.rng.uniform(-1.7, 1.7, (batch, *(d.int(1, 4) for _ in range(count)), count))
    attributes = {"mode": mode} | d.some(
        padding_mode=d.one("zeros", "border", "reflection"), align_corners=d.int(0, 1)
    )
    return Drawn([x, grid.astype(np.float32)], attributes)


@draws("MatMul")
def matmul(d: Draw) -> Drawn:
    batch = d.shape(0, 2, 3)
    m, k, n = d.int(1, 4), d.int(1, 4), d.int(1, 4)
    kind = d.one(np.float32, np.float32, np.int32) if d.opset >= 9 else np.float32
    a, b = (*d.near(batch), m, k), (*batch, k, n)
    if d.flag(0.2):
        a = (k,)
    elif d.flag(0.2):
        b = (k,)
    return Drawn([d.array(a, kind=kind), d.array(b, kind=kind)])


@draws("Gemm")
def gemm(d: Draw) -> Drawn:
    m, k, n = d.int(1, 4), d.int(1, 4), d.int(1, 4)
    over, under = d.int(0, 1), d.int(0, 1)
    c: Any = d.array(d.one((m, n), (n,), (1, n), (m, 1), (1,), (1, 1), ()))
    if d.opset >= 11 and d.flag(0.2):
        c = None
    a, b = (k, m) if over else (m, k), (n, k) if under else (k, n)
    return Drawn(
        [d.array(a), d.array(b), c],
        {
            "transA": over,
            "transB": under,
            **d.some(alpha=d.one(0.5, 1.0), beta=d.one(0.0, 0.3, 2.0)),
        },
    )


@draws("Einsum")
def einsum(d: Draw) -> Drawn:
    since(d, "Einsum")
    text = d.one(
        "ij,jk->ik",
        "ij,jk",
        "bij,bjk->bik",
        "ij->ji",
        "ij->i",
        "i,j->ij",
        "bij,bkj->bik",
        "ij,ij->",
        "...ij,...jk->...ik",
        "...i->...",
        "ij,kj->ik",
        "abc,cd->abd",
        "bhqd,bhkd->bhqk",
        "ij,j",
        "ab,bc,cd->ad",
        "bij,jk->bik",
        "ij->",
    )
    extents = {letter: d.int(1, 4) for letter in "abcdhijkq"}
    shapes = [
        [extents[x] for x in term.replace("...", "")] for term in text.split("->")[0].split(",")
    ]
    rest = d.shape(0, 2)
    arrays = [d.array([*(rest if "..." in text else ()), *shape]) for shape in shapes]
    return Drawn(arrays, {"equation": text})


@draws("Attention")
def attention(d: Draw) -> Drawn:
    since(d, "Attention")
    batch, heads, queries, keys, size = (d.int(1, top) for top in (2, 2, 4, 5, 3))
    shared, length = d.one(1, 1, 2), d.int(1, 3)
    attributes = d.some(scale=d.one(0.3, 1.0), is_causal=d.int(0, 1))
    if d.flag(0.2):
        attributes["softcap"] = 2.0
    if d.opset >= 25 and d.flag(0.5):
        attributes["left_window_size"] = d.int(-1, 2)
    if d.flag():
        shapes = [(batch, shared * heads, queries, size), (batch, heads, keys, size)]
        shapes.append((batch, heads, keys, length))
    else:
        attributes |= {"q_num_heads": shared * heads, "kv_num_heads": heads}
        shapes = [(batch, queries, shared * heads * size), (batch, keys, heads * size)]
        shapes.append((batch, keys, heads * length))
    mask = None
    if d.flag():
        shape = d.one((queries, keys), (1, 1, queries, keys), (batch, 1, queries, keys))
        mask = d.array(shape, kind=d.one(np.float32, np.bool_))
        if mask.dtype == np.bool_:
            # Runtimes disagree on queries without keys.
            mask[..., 0] = True
    return Drawn([*map(d.array, shapes), mask], attributes)


@draws("Det")
def determinant(d: Draw) -> Drawn:
    since(d, "Det")
    return Drawn([d.array((*d.shape(0, 2), 2, 2))])


@draws("BatchNormalization")
def batch_normalization(d: Draw) -> Drawn:
    shape = d.shape(2, 5)
    c = shape[1]
    attributes = d.some(epsilon=d.one(1e-3, 1e-5), momentum=0.5)
    if d.opset < 9:
        attributes |= d.some(spatial=1)
    parameters = [d.array((c,)), d.array((c,)), d.array((c,)), d.array((c,), 0.1, 2)]
    return Drawn([d.array(shape), *parameters], attributes)


@draws("InstanceNormalization")
def instance_normalization(d: Draw) -> Drawn:
    shape = (*d.shape(2, 2), *d.shape(1, 3, 5))
    return Drawn(
        [d.array(shape), d.array(shape[1:2]), d.array(shape[1:2])],
        d.some(epsilon=d.one(1e-2, 1e-5)),
    )


@draws("LayerNormalization", "RMSNormalization")
def layer_normalization(d: Draw, name: str) -> Drawn:
    since(d, name)
    shape = d.shape(1, 4, 6)
    axis = d.axis(len(shape)) if d.flag(0.6) else -1
    attributes = {"axis": axis} if axis != -1 or d.flag() else {}
    rest = shape[axis:]
    bias = d.array(rest) if d.flag() and name == "LayerNormalization" else None
    return Drawn(
        [d.array(shape), d.array(rest), *([bias] if name == "LayerNormalization" else [])],
        attributes | d.some(epsilon=d.one(1e-2, 1e-5)),
        d.one(1, 1, 3) if name == "LayerNormalization" else 1,
    )


@draws("GroupNormalization")
def group_normalization(d: Draw) -> Drawn:
    since(d, "GroupNormalization")
    groups, each = d.int(1, 3), d.int(1, 3)
    c = groups * each
    return Drawn(
        [d.array((d.int(1, 2), c, *d.shape(1, 2, 4))), d.array((c,)), d.array((c,))],
        {"num_groups": groups, **d.some(epsilon=0.01)},
    )


@draws("MeanVarianceNormalization")
def mean_variance(d: Draw) -> Drawn:
    since(d, "MeanVarianceNormalization")
    x = d.rng.permutation(48).reshape(2, 3, 2, 4).astype(np.float32)
    return Drawn([x], d.some(axes=d.one([0, 2, 3], [2, 3], [0, 1, 2, 3])))


@draws("LRN")
def lrn(d: Draw) -> Drawn:
    return Drawn(
        [d.array((2, d.int(1, 7), *d.shape(2, 2)))],
        {"size": d.one(1, 3, 5), **d.some(alpha=d.one(0.01, 2.0), beta=0.5, bias=2.0)},
    )


@draws("LpNormalization")
def lp(d: Draw) -> Drawn:
    shape = d.shape(1)
    return Drawn([d.array(shape)], d.some(axis=d.axis(len(shape)), p=d.int(1, 2)))


# -- spectra ---------------------------------------------------------------------------------------


@draws("DFT")
def transform(d: Draw) -> Drawn:
    d.opset = max(d.opset, 17)
    shape = (*d.shape(1, 3, 6), d.int(1, 2))
    axis = d.int(0, len(shape) - 2)
    attributes: dict[str, Any] = {}
    if shape[-1] == 1:
        attributes |= d.some(onesided=d.int(0, 1))
    if not attributes.get("onesided"):
        attributes |= d.some(inverse=d.int(0, 1))
    length = np.array(d.int(1, 8), np.int64) if d.flag() else None
    inputs: list[Any] = [d.array(shape), length]
    if d.opset < 20:
        attributes["axis"] = axis
    else:
        inputs.append(np.array(axis, np.int64))
    return Drawn(inputs, attributes, known=(1, 2))


@draws("STFT")
def short_time_transform(d: Draw) -> Drawn:
    d.opset = max(d.opset, 17)
    length, step = d.int(2, 8), d.int(1, 4)
    signal = d.array((d.int(1, 2), d.int(length, 24), 1))
    window = d.array((length,), 0.1, 1) if d.flag() else None
    frame = np.array(length, np.int64) if window is None or d.flag() else None
    inputs = [signal, np.array(step, np.int64), window, frame]
    return Drawn(inputs, d.some(onesided=d.int(0, 1)), known=(1, 2, 3))
