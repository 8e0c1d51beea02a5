"""The functions of Chainer that are read."""

from __future__ import annotations

from nnefkit.exchange.chainer.call import READERS
from nnefkit.exchange.chainer.operators import (  # noqa: F401  (they register their readers)
    activation,
    convolution,
    elementwise,
    indexing,
    linear_algebra,
    normalization,
    pooling,
    recurrent,
    reduction,
    shaping,
)
from nnefkit.exchange.chainer.refused import REFUSED
from nnefkit.exchange.dumped.framework import Framework

CHAINER = Framework("Chainer", "chainer-graph", "from_chainer", READERS, REFUSED)
