"""Chains of operations that become one step: a convolution and operations on its result.

Operations are fused only if no other operation reads the intermediate tensors, and if these are
neither fetched nor watched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from nnefkit.execution.engines.numpy.elementwise import affine_of
from nnefkit.execution.engines.numpy.resolved_convolution import Epilogue
from nnefkit.execution.engines.numpy.specialization import CallSite
from nnefkit.graph import Operation

FindSite = Callable[[Operation], CallSite | None]
FindReader = Callable[[str], Operation | None]
"""Returns the only operation that reads a tensor, unless the tensor is visible outside."""


class Chain(NamedTuple):
    """A convolution and operations that follow it."""

    operations: tuple[Operation, ...]
    epilogue: Epilogue
    addend: tuple[str, ...] = ()
    """Name of the tensor that is added, if any."""

    @property
    def name(self) -> str:
        """Name of the result."""
        return self.operations[-1].output_names[0]


def chains(
    op: Operation, find_site: FindSite, find_reader: FindReader, available: Collection[str]
) -> list[Chain]:
    """Return the chains that begin with `op`, the longest first and `op` alone at the end.

    Args:
        op: A convolution.
        find_site: Returns what a specializer needs to know of an operation.
        find_reader: Returns the only reader of a tensor.
        available: Names of the tensors that are computed before `op` and can therefore be added.
    """
    site = find_site(op)
    result = [Chain((op,), Epilogue())]
    steps = (_normalized, _added, _clipped)
    while site is not None:
        last = result[-1]
        reader = find_reader(last.name)
        read = None if reader is None else find_site(reader)
        if reader is None or read is None or read.shape != site.shape:
            break
        longer = (step(last, reader, read, available) for step in steps)
        chain = next((chain for chain in longer if chain is not None), None)
        if chain is None:
            break
        result.append(chain)
    return result[::-1]


def _normalized(chain: Chain, op: Operation, site: CallSite, _: Collection[str]) -> Chain | None:
    """Return the chain with a batch normalization appended, if `op` is one."""
    if op.name != "batch_normalization" or chain.epilogue != Epilogue():
        return None
    affine = affine_of(site) if op.input_names[0] == chain.name else None
    return None if affine is None else Chain((*chain.operations, op), Epilogue(affine))


def _added(chain: Chain, op: Operation, site: CallSite, available: Collection[str]) -> Chain | None:
    """Return the chain with the addition of another tensor appended, if `op` is one."""
    if op.name != "add" or chain.epilogue.added or chain.epilogue.bounds is not None:
        return None
    shapes = [argument.shape for argument in site.arguments]
    addend = tuple(name for name in op.input_names if name != chain.name)
    if len(addend) != 1 or addend[0] not in available or shapes != [site.shape] * 2:
        return None
    return Chain((*chain.operations, op), chain.epilogue._replace(added=True), addend)


def _clipped(chain: Chain, op: Operation, site: CallSite, _: Collection[str]) -> Chain | None:
    """Return the chain with a rectifier or clamp appended, if `op` is one."""
    bounds = site.bounds() if op.input_names[:1] == (chain.name,) else None
    if bounds is None or chain.epilogue.bounds is not None:
        return None
    epilogue = chain.epilogue._replace(bounds=bounds)
    return Chain((*chain.operations, op), epilogue, chain.addend)
