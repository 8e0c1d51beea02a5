"""Matrix products (4.9.2), and tables of vectors."""

from __future__ import annotations

from math import prod

from nnefkit.exchange.caffe.call import Call, layer
from nnefkit.exchange.reshaping import reshaped, transposed
from nnefkit.exchange.source_value import Value


@layer("InnerProduct")
def inner_product(c: Call) -> Value:
    """Read `linear` of the elements from an axis on."""
    x, p = c.one(), c.parameter("inner_product_param")
    axis = c.axis(p.axis, x.rank)
    rows, count = prod(x.shape[:axis]), prod(x.shape[axis:])
    shape = (count, p.num_output) if p.transpose else (p.num_output, count)
    weight = c.weight(0, "weight", shape)
    if p.transpose:
        weight = transposed(c, weight, [1, 0])
    bias = [c.weight(1, "bias", (1, p.num_output))] if p.bias_term else []
    flat = reshaped(c, x, (rows, count), None, (0,) if axis == 1 else ())
    return reshaped(c, c.op("linear", flat, weight, *bias), (*x.shape[:axis], p.num_output))


@layer("Embed")
def embed(c: Call) -> Value:
    """Read `gather` from a table of vectors, by indices that are stored as scalars."""
    x, p = c.one(), c.parameter("embed_param")
    table = c.weight(0, "weight", (p.input_dim, p.num_output))
    result = c.op("gather", table, c.op("cast", x, data_type="integer"), axis=0)
    if not p.bias_term:
        return result
    return c.op("add", result, c.weight(1, "bias", (*(1,) * x.rank, p.num_output)))
