"""Networks of channels-last frameworks, rewritten so that no transposition remains inside of them.

**How to use it.** A reader of a channels-last format (TFLite, Keras, GraphDef) builds an ordinary,
valid graph in which every tensor has the shape that it has in the source, and in which each
operation that NNEF defines for channels-first tensors is written between two transpositions::

    x       = external<scalar>(shape = [1, 8, 6, 3]);             # N H W C, as in the source
    x_nchw  = transpose(x, axes = [0, 3, 1, 2]);
    y_nchw  = conv(x_nchw, filter, bias, ...);                    # the filter is O I H W
    y       = transpose(y_nchw, axes = [0, 2, 3, 1]);             # named as in the source
    z       = relu(y);

and then calls, once, with all shapes known (`emitted` fills them in)::

    graph = channels_first(emitted(source, name, outputs), layout)

before `fragments.with_macs`, `extents.recorded` and the proof. Nothing else is expected of the
reader: it need not look at neighbors, nor avoid any transposition. Weights may be transposed by
operations, too; that is computed once. The result computes the same numbers, to the bit where only
axes are renamed; sums over several axes, and matrix products, may be rounded otherwise.

**What the reader gives, to get good text.** The result of the second transposition has the name of
the tensor in the source, and its ``origin``; the result of the operation itself has any name, and
no origin. Of all transposed forms of one tensor the new graph stores one, under the name of that
with an origin. Quantization info belongs to the tensor that the source quantizes (``y``); it may
have an element for each channel, as ``[[[[a, b, c]]]]`` in the axes of that tensor. Operands that
are broadcast have leading extents of 1, ``[1, 1, 1, C]``, as NNEF aligns shapes from the left.

**What is changed.** Spatial operations (`conv`, `deconv`, pooling, resizing, ...) are computed as
they are. Their layout spreads to all operations that can be computed with their axes in another
order, whose attributes are renamed: elementwise ones with broadcasting, reductions, `softmax` and
other normalizations, `concat`, `split`, `stack`, `unstack`, `slice`, `pad`, `tile`, `gather`,
pooling with a window in other axes, `reshape` that moves whole groups of axes, variables with their
`update`, and nnefkit's own fragments of these kinds. `matmul` reads transposed matrices by
``transposeA`` and ``transposeB``; a layer that multiplies the channels of an image by a matrix
(`linear`, or `matmul` by a weight) becomes a convolution of one element. Axes of extent 1 are moved
by `squeeze`, `unsqueeze` or `reshape` instead of a transposition, and so is an image of 1 x 1. A
flattened image that only weights multiply needs no transposition either: the rows of the weights
are reordered, and the tensor of the features is renamed ``..._reordered``, without origin; likewise
where a layer computes an image as a row.

**What remains.** Everything else is a barrier, which is computed in the order of the source:
operations that are not known here, other fragments, other `linear`, reshapes that mix axes. Where
two layouts meet, the smaller number of transpositions is chosen, then the smaller tensors. Inputs
and outputs have the layout of the source, with one transposition each at most, or are
channels-first with ``layout="nnef"``. If this saves no transposition, the given graph itself is
returned.

**Comparison with the source.** The origin of a tensor is unchanged. Where the graph stores a tensor
of the source in another order, ``provenance["layouts"]`` has the order, name -> axes:
``stored == source.transpose(axes)``. Tools that record the source's own tensors call
``as_stored(graph, name, array)`` for each, so that both sides have the graph's terms;
``source_tensors(graph, arrays)`` does so for arrays by origin, as `SourceRun.everything` returns
them; and ``nnefkit.compare(ours, theirs, axes=layouts(graph))`` compares raw records. A reader that
runs its source with ``layout="nnef"`` passes ``as_in_source(graph, name, array)`` of each input,
and takes ``as_stored`` of each output.
"""

from nnefkit.exchange.layout.rearrangement import (
    Layout,
    as_in_source,
    as_stored,
    channels_first,
    layouts,
    source_tensors,
)

__all__ = [
    "Layout",
    "as_in_source",
    "as_stored",
    "channels_first",
    "layouts",
    "source_tensors",
]
