"""Drawn operators of the domain ``ai.onnx.ml``: features, linear models, trees."""

from __future__ import annotations

from typing import Any

import numpy as np
from node_drawing import Draw, Drawn, draws
from onnx import numpy_helper

Array = np.ndarray[Any, Any]
ML = "ai.onnx.ml"
_POST = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO")


def _opset(d: Draw) -> None:
    d.opset = max(min(d.opset, 21), 12)


def rows(d: Draw, features: int, kind: Any = np.float32) -> Array:
    _opset(d)
    shape = (features,) if d.flag(0.15) else (d.int(1, 5), features)
    return d.array(shape, kind=kind)


def numbers(d: Draw, count: int, low: float = -2, high: float = 2) -> list[float]:
    return d.rng.uniform(low, high, count).astype(np.float32).tolist()


@draws(f"{ML}.Scaler")
def scaler(d: Draw) -> Drawn:
    count = d.int(1, 4)
    x = rows(d, count, d.one(np.float32, np.float64, np.int64, np.int32))
    offsets = count if d.flag(0.7) else 1
    scales = count if d.flag(0.7) else 1
    if offsets != scales:
        offsets = scales
    offset = numbers(d, offsets) if d.flag(0.8) else [0.0] * offsets
    return Drawn([x], {"offset": offset, "scale": numbers(d, scales)})


@draws(f"{ML}.Normalizer")
def normalizer(d: Draw) -> Drawn:
    x = rows(d, d.int(1, 4), d.one(np.float32, np.float64, np.int64, np.int32))
    if d.flag(0.3):
        x.reshape(-1, x.shape[-1])[0] = 0
    return Drawn([x], d.some(norm=d.one("MAX", "L1", "L2")))


@draws(f"{ML}.Imputer")
def imputer(d: Draw) -> Drawn:
    count, is_integer = d.int(1, 4), d.flag(0.3)
    x = rows(d, count, np.int64 if is_integer else np.float32)
    length = count if d.flag(0.6) else 1
    if is_integer:
        values = d.array((length,), -5, 5, np.int64).tolist()
        return Drawn([x], {"imputed_value_int64s": values, "replaced_value_int64": d.int(-2, 2)})
    missing = d.one(float("nan"), 0.0, -1.5, 1.0)
    x[d.rng.random(x.shape) < 0.4] = missing
    values = numbers(d, length)
    return Drawn([x], {"imputed_value_floats": values, "replaced_value_float": missing})


@draws(f"{ML}.Binarizer")
def binarizer(d: Draw) -> Drawn:
    return Drawn([rows(d, d.int(1, 4))], d.some(threshold=d.one(0.5, -1.0, 0.3)))


@draws(f"{ML}.ArrayFeatureExtractor")
def array_feature_extractor(d: Draw) -> Drawn:
    _opset(d)
    shape = d.shape(1, 3)
    x = d.array(shape, kind=d.one(np.float32, np.float64, np.int64, np.int32))
    indices = d.array(d.shape(1, 2), 0, shape[-1] - 1, np.int64)
    return Drawn([x, indices], known=(1,) if d.flag() else ())


@draws(f"{ML}.FeatureVectorizer")
def feature_vectorizer(d: Draw) -> Drawn:
    _opset(d)
    kind, count, batch = d.one(np.float32, np.int64), d.int(1, 3), d.int(1, 3)
    sizes = [d.int(1, 4) for _ in range(count)]
    inputs = [d.array((batch, size), kind=kind) for size in sizes]
    given = [max(size + d.int(-1, 1), 1) if d.flag(0.3) else size for size in sizes]
    return Drawn(inputs, {"inputdimensions": given})


@draws(f"{ML}.OneHotEncoder")
def one_hot_encoder(d: Draw) -> Drawn:
    _opset(d)
    x = d.array(d.shape(1, 2), -2, 4, d.one(np.int64, np.float32, np.int32))
    categories = d.rng.permutation(np.arange(-1, 4))[: d.int(1, 4)].tolist()
    return Drawn([x], {"cats_int64s": categories, "zeros": 1})


@draws(f"{ML}.LabelEncoder")
def label_encoder(d: Draw) -> Drawn:
    _opset(d)
    version = d.one(2, 4)
    fields = {"int64s": np.int64, "floats": np.float32}
    keys, values = d.one(*fields), d.one(*fields)
    if keys == values == "int64s" and version == 2 and d.flag():
        values = "floats"
    count = d.int(1, 5)
    kind = fields[keys]
    table = d.rng.permutation(np.arange(-2, 4))[:count].astype(kind)
    if kind == np.float32 and d.flag():
        table[0] = np.nan
    new = d.array((count,), -5, 5, fields[values])
    x = d.array(d.shape(1, 2), -2, 4, kind)
    if kind == np.float32:
        x = np.round(x)
        x.reshape(-1)[0] = np.nan if d.flag() else 1
    attributes: dict[str, Any] = {f"keys_{keys}": table.tolist(), f"values_{values}": new.tolist()}
    if version == 4 and d.flag(0.3) and kind == np.int64:
        doubles = new.astype(np.float64)
        attributes = {
            "keys_tensor": numpy_helper.from_array(table),
            "values_tensor": numpy_helper.from_array(doubles),
            "default_tensor": numpy_helper.from_array(np.array([-7.0])),
        }
    elif d.flag():
        attributes |= {"default_int64": -9} if values == "int64s" else {"default_float": 0.75}
    return Drawn([x], attributes, version=version)


# -- linear models ---------------------------------------------------------------------------------


@draws(f"{ML}.LinearRegressor")
def linear_regressor(d: Draw) -> Drawn:
    features, targets = d.int(1, 4), d.int(1, 3)
    x = rows(d, features)
    attributes = {"coefficients": numbers(d, features * targets), "targets": targets}
    if d.flag(0.7):
        attributes["intercepts"] = numbers(d, targets)
    attributes |= d.some(post_transform=d.one(*_POST))
    if d.flag(0.15):
        # Probabilities, of which PROBIT returns the quantiles.
        x = np.abs(x) / 4 + np.float32(0.05)
        attributes |= {"coefficients": [1.0], "targets": 1, "post_transform": "PROBIT"}
        attributes.pop("intercepts", None)
        x = x[..., :1]
    return Drawn([x], attributes)


@draws(f"{ML}.LinearClassifier")
def linear_classifier(d: Draw) -> Drawn:
    features, classes = d.int(1, 4), d.int(1, 4)
    x = rows(d, features, d.one(np.float32, np.float64, np.int64))
    labels = [*range(classes)] if d.flag() else [3, 7, 5, 9][:classes]
    attributes = {
        "coefficients": numbers(d, features * classes),
        "intercepts": numbers(d, classes),
        "classlabels_ints": [3, 7] if classes == 1 else labels,
    } | d.some(post_transform=d.one(*_POST))
    return Drawn([x], attributes, 2)


def _kernel(d: Draw) -> dict[str, Any]:
    return {
        "kernel_type": d.one("LINEAR", "POLY", "RBF", "SIGMOID"),
        "kernel_params": [d.one(0.5, 0.3), d.one(0.0, 1.0), float(d.one(2, 3))],
    }


@draws(f"{ML}.SVMRegressor")
def svm_regressor(d: Draw) -> Drawn:
    features, count = d.int(1, 4), d.int(0, 4)
    attributes = _kernel(d) | {"rho": numbers(d, 1), "n_supports": count}
    attributes["coefficients"] = numbers(d, count or features)
    if count:
        attributes["support_vectors"] = numbers(d, count * features)
    attributes |= d.some(one_class=d.int(0, 1))
    return Drawn([rows(d, features)], attributes)


@draws(f"{ML}.SVMClassifier")
def svm_classifier(d: Draw) -> Drawn:
    features, classes = d.int(1, 4), d.int(2, 4)
    counts = [d.int(1, 3) for _ in range(classes)]
    if classes > 2 and d.flag(0.2):
        counts = []
    attributes = _kernel(d) | d.some(post_transform=d.one(*_POST))
    attributes["classlabels_ints"] = [4, 2, 8, 6][:classes]
    if counts:
        attributes |= {
            "vectors_per_class": counts,
            "support_vectors": numbers(d, sum(counts) * features),
            "coefficients": numbers(d, sum(counts) * (classes - 1)),
            "rho": numbers(d, classes * (classes - 1) // 2),
        }
    else:
        attributes |= {"coefficients": numbers(d, classes * features), "rho": numbers(d, 1)}
    return Drawn([rows(d, features, d.one(np.float32, np.float64))], attributes, 2)


# -- trees -----------------------------------------------------------------------------------------

_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")


def _features(d: Draw, count: int, kind: Any) -> Array:
    """Examples whose features are often equal to thresholds, or missing."""
    _opset(d)
    x = d.array((d.int(1, 5), count), kind=kind)
    if x.dtype.kind == "f":
        x = np.asarray(np.round(x * 2) / 2, x.dtype)
        x[d.rng.random(x.shape) < 0.15] = np.nan
    return x


def _grown(d: Draw, features: int, modes: tuple[str, ...]) -> list[dict[str, Any]]:
    """The nodes of a random tree, in a random order after the root."""
    nodes: list[dict[str, Any]] = [{"depth": 0}]
    for node in nodes:
        is_leaf = node["depth"] >= 4 or (d.flag(0.3) and node["depth"] > 0) or d.flag(0.05)
        node["mode"] = "LEAF" if is_leaf else d.one(*modes)
        node["feature"] = d.int(0, features - 1)
        node["value"] = d.int(-4, 4) / 2
        node["missing"] = int(d.flag(0.4))
        if not is_leaf:
            for side in ("true", "false"):
                node[side] = len(nodes)
                nodes.append({"depth": node["depth"] + 1})
    return nodes


def ensemble(d: Draw, prefix: str, features: int, ids: list[int], kind: Any) -> dict[str, Any]:
    """The attributes of an ensemble whose leaves have scores for some of `ids`."""
    modes = _MODES if d.flag(0.4) else (d.one(*_MODES),)
    columns: dict[str, list[Any]] = {}

    def add(**values: Any) -> None:
        for name, value in values.items():
            columns.setdefault(name, []).append(value)

    low = 0 if d.flag() else -2
    for tree in range(d.int(1, 4)):
        nodes = _grown(d, features, modes)
        for number, node in enumerate(nodes):
            add(
                nodes_treeids=tree, nodes_nodeids=number, nodes_featureids=node["feature"],
                nodes_modes=node["mode"], nodes_values=node["value"],
                nodes_truenodeids=node.get("true", 0), nodes_falsenodeids=node.get("false", 0),
                nodes_missing_value_tracks_true=node["missing"],
            )  # fmt: skip
            if node["mode"] == "LEAF":
                some = [i for i in ids if len(ids) == 1 or d.flag(0.8)] or ids[:1]
                for target in some:
                    add(**{
                        f"{prefix}_treeids": tree, f"{prefix}_nodeids": number,
                        f"{prefix}_ids": target,
                        f"{prefix}_weights": float(np.float32(d.rng.uniform(low, 2))),
                    })  # fmt: skip
    attributes: dict[str, Any] = {**columns}
    if d.flag():
        del attributes["nodes_missing_value_tracks_true"]
    if kind == np.float64:
        for name in ("nodes_values", f"{prefix}_weights"):
            tensor = np.array(attributes.pop(name), np.float64)
            attributes[f"{name}_as_tensor"] = numpy_helper.from_array(tensor)
    return attributes


@draws(f"{ML}.TreeEnsembleRegressor")
def tree_ensemble_regressor(d: Draw) -> Drawn:
    features, targets = d.int(1, 3), d.int(1, 3)
    kind = d.one(np.float32, np.float32, np.float64)
    attributes = ensemble(d, "target", features, [*range(targets)], kind)
    attributes |= {"n_targets": targets} | d.some(
        aggregate_function=d.one("SUM", "AVERAGE", "MIN", "MAX"), post_transform=d.one(*_POST)
    )
    # ONNX Runtime drops the base value of a target without a score.
    if d.flag() and targets == 1:
        base = numbers(d, targets)
        if kind == np.float64:
            attributes["base_values_as_tensor"] = numpy_helper.from_array(np.array(base))
        else:
            attributes["base_values"] = base
    return Drawn([_features(d, features, kind)], attributes, version=3)


@draws(f"{ML}.TreeEnsembleClassifier")
def tree_ensemble_classifier(d: Draw) -> Drawn:
    features, classes = d.int(1, 3), d.int(2, 4)
    kind = d.one(np.float32, np.float32, np.float64, np.int64)
    first = d.int(0, 1)
    ids = [first] if classes == 2 else [*range(classes)]
    attributes = ensemble(d, "class", features, ids, kind)
    attributes["classlabels_int64s"] = [4, 2, 8, 6][:classes]
    attributes |= d.some(post_transform=d.one(*_POST))
    if kind != np.float64 and d.flag() and not (classes == 2 and first):
        attributes["base_values"] = numbers(d, 1 if classes == 2 else classes)
    return Drawn([_features(d, features, kind)], attributes, 2, version=3)


@draws(f"{ML}.TreeEnsemble")
def tree_ensemble(d: Draw) -> Drawn:
    features, targets = d.int(1, 3), d.int(1, 3)
    kind = d.one(np.float32, np.float64)
    numbers_of = {f"BRANCH_{m}": i for i, m in enumerate(("LEQ", "LT", "GTE", "GT", "EQ", "NEQ"))}
    modes = [*numbers_of.values(), 6] if d.flag() else [d.one(*numbers_of.values(), 6)]
    table: dict[str, list[Any]] = {
        name: [] for name in ("feature", "mode", "split", "true", "false", "true_leaf",
                              "false_leaf", "missing", "target", "weight", "members", "root")
    }  # fmt: skip

    def branch(depth: int) -> int:
        row = len(table["mode"])
        mode = d.one(*modes)
        for name, value in (("feature", d.int(0, features - 1)), ("mode", mode),
                            ("split", d.int(-4, 4) / 2), ("missing", int(d.flag(0.4))),
                            ("true", 0), ("false", 0), ("true_leaf", 1),
                            ("false_leaf", 1)):  # fmt: skip
            table[name].append(value)
        if mode == 6:
            table["members"] += [*range(d.int(1, 3), d.int(4, 6)), np.nan]
        for side in ("true", "false"):
            if depth < 3 and d.flag(0.6):
                table[f"{side}_leaf"][row] = 0
                table[side][row] = branch(depth + 1)
            else:
                table[side][row] = len(table["weight"])
                table["target"].append(d.int(0, targets - 1))
                table["weight"].append(d.rng.uniform(-2, 2))
        return row

    for _ in range(d.int(1, 3)):
        table["root"].append(branch(0))
    attributes: dict[str, Any] = {
        "n_targets": targets, "nodes_featureids": table["feature"],
        "nodes_modes": numpy_helper.from_array(np.array(table["mode"], np.uint8)),
        "nodes_splits": numpy_helper.from_array(np.array(table["split"], kind)),
        "nodes_truenodeids": table["true"], "nodes_falsenodeids": table["false"],
        "nodes_trueleafs": table["true_leaf"], "nodes_falseleafs": table["false_leaf"],
        "leaf_targetids": table["target"],
        "leaf_weights": numpy_helper.from_array(np.array(table["weight"], kind)),
        "tree_roots": table["root"],
    } | d.some(aggregate_function=d.int(0, 3), post_transform=d.one(0, 3))  # fmt: skip
    if d.flag():
        attributes["nodes_missing_value_tracks_true"] = table["missing"]
    if table["members"]:
        members = np.array(table["members"], kind)
        attributes["membership_values"] = numpy_helper.from_array(members)
    x = _features(d, features, kind)
    # Members are integers from 1 on in ONNX Runtime.
    return Drawn([np.round(x + 3) if 6 in table["mode"] else x], attributes, version=5)
