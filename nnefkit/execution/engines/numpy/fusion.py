"""Chains of operations that become one step: a convolution and what is done to its result.

Only where nobody else reads, or wants to see, what flows between them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from nnefkit.execution.engines.numpy.elementwise import affine_of
from nnefkit.execution.engines.numpy.resolved_convolution import Epilogue
from nnefkit.execution.engines.numpy.specialization import Site
from nnefkit.graph import Operation

FindSite = Callable[[Operation], Site | None]
FindReader = Callable[[str], Operation | None]
"""The only operation that reads a tensor, unless the tensor is to be seen."""


class Chain(NamedTuple):
    """A convolution and operations that follow it."""

    operations: tuple[Operation, ...]
    epilogue: Epilogue
    addend: tuple[str, ...] = ()
    """Name of the tensor that is added, if any."""

    @property
    def name(self) -> str:
        """Of the result."""
        return self.operations[-1].output_names[0]


def chains(
    op: Operation, find_site: FindSite, find_reader: FindReader, made: Collection[str]
) -> list[Chain]:
    """Chains that begin with `op`, the longest first and `op` alone at the end.

    Args:
        op: A convolution.
        find_site: What a lowering must know of an operation.
        find_reader: Who reads a tensor.
        made: Names of the tensors that are there already, which can be added.
    """
    site = find_site(op)
    found = [Chain((op,), Epilogue())]
    steps = (_normalized, _added, _clipped)
    while site is not None:
        last = found[-1]
        reader = find_reader(last.name)
        read = None if reader is None else find_site(reader)
        if reader is None or read is None or read.shape != site.shape:
            break
        longer = (step(last, reader, read, made) for step in steps)
        chain = next((chain for chain in longer if chain is not None), None)
        if chain is None:
            break
        found.append(chain)
    return found[::-1]


def _normalized(chain: Chain, op: Operation, site: Site, _: Collection[str]) -> Chain | None:
    """Followed by a batch normalisation."""
    if op.name != "batch_normalization" or chain.epilogue != Epilogue():
        return None
    affine = affine_of(site) if op.input_names[0] == chain.name else None
    return None if affine is None else Chain((*chain.operations, op), Epilogue(affine))


def _added(chain: Chain, op: Operation, site: Site, made: Collection[str]) -> Chain | None:
    """Followed by the addition of another tensor."""
    if op.name != "add" or chain.epilogue.added or chain.epilogue.bounds is not None:
        return None
    shapes = [argument.shape for argument in site.arguments]
    addend = tuple(name for name in op.input_names if name != chain.name)
    if len(addend) != 1 or addend[0] not in made or shapes != [site.shape] * 2:
        return None
    return Chain((*chain.operations, op), chain.epilogue._replace(added=True), addend)


def _clipped(chain: Chain, op: Operation, site: Site, _: Collection[str]) -> Chain | None:
    """Followed by a rectifier or clamp."""
    bounds = site.bounds() if op.input_names[:1] == (chain.name,) else None
    if bounds is None or chain.epilogue.bounds is not None:
        return None
    epilogue = chain.epilogue._replace(bounds=bounds)
    return Chain((*chain.operations, op), epilogue, chain.addend)
