"""The operations of Theano that are read."""

from __future__ import annotations

from nnefkit.exchange.dumped.framework import Framework
from nnefkit.exchange.theano import scalars  # noqa: F401  (it registers their readers)
from nnefkit.exchange.theano.call import READERS
from nnefkit.exchange.theano.operators import (  # noqa: F401  (they register their readers)
    convolution,
    elementwise,
    indexing,
    linear_algebra,
    loops,
    normalization,
    pooling,
    reduction,
    shaping,
)
from nnefkit.exchange.theano.refused import REFUSED

THEANO = Framework("Theano", "theano-graph", "from_theano", READERS, REFUSED)
