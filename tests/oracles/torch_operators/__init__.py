"""Calls of PyTorch's operators, theme by theme: those that are read, and those that are refused."""

from torch import nn

from oracles.torch_operators import (
    activations,
    convolutions,
    elementwise,
    indexing,
    linear_algebra,
    normalizations,
    pooling,
    recurrent,
    reductions,
    resampling,
    shaping,
    spectra,
)

_MODULES = (
    *(activations, convolutions, elementwise, indexing, linear_algebra, normalizations),
    *(pooling, recurrent, reductions, resampling, shaping, spectra),
)
THEMES = {module.__name__.rpartition(".")[2]: module.CASES for module in _MODULES}
"""Theme -> name -> function or module, and its inputs."""
REFUSED = {
    module.__name__.rpartition(".")[2]: getattr(module, "REFUSED", {}) for module in _MODULES
}
"""Theme -> name -> function or module, its inputs, and part of the refusal."""


class Of(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def module_of(thing):
    return thing if isinstance(thing, nn.Module) else Of(thing)
