"""Choice of the orders: the layout of spatial operations spreads, then boundaries are moved.

Spatial operations need channels-first tensors. From them the order spreads in both directions, to
operations that can be computed in any order, so that regions of equal layout form. Where two of
them meet, a tensor is transposed. Sweeps through the network then move these boundaries to where
they cost less. All of this is linear in the number of operations.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from nnefkit.execution.layout.forms import Form
from nnefkit.execution.layout.network import LayoutNetwork, LayoutNode

_ROUNDS = 2


def choose_orders(network: LayoutNetwork) -> int:
    """Choose the order of each operation; return the cost of the network."""
    _spread(network)
    best, orders = network.cost(), _orders(network)
    for _ in range(_ROUNDS):
        if not best:
            return best
        for sweep in (_forward, _backward):
            sweep(network)
            cost = network.cost()
            if cost < best:
                best, orders = cost, _orders(network)
    _restore(network, orders)
    _polish(network)
    return network.cost()


def _orders(network: LayoutNetwork) -> list[Form]:
    return [node.order for node in network.nodes]


def _restore(network: LayoutNetwork, orders: Sequence[Form]) -> None:
    for node, order in zip(network.nodes, orders, strict=True):
        if node.order != order:
            network.detach(node)
            network.reorder(node, order)


# -- the layout of spatial operations --------------------------------------------------------------


def _spread(network: LayoutNetwork) -> None:
    """Decide the operations around spatial ones, the nearest first."""
    waiting = deque(node for node in network.nodes if node.is_spatial)
    for node in waiting:
        node.is_decided = True
    while waiting:
        node = waiting.popleft()
        for other, order in [*_after(network, node), *_before(network, node)]:
            if other.is_decided or order is None:
                continue
            other.is_decided = True
            network.detach(other)
            network.reorder(other, order)
            waiting.append(other)


def _after(network: LayoutNetwork, node: LayoutNode) -> Iterable[tuple[LayoutNode, Form | None]]:
    for name in node.results:
        for other, number in network.stored[name].readers:
            if not other.is_decided:
                yield other, network.order_from(other, number)


def _before(network: LayoutNetwork, node: LayoutNode) -> Iterable[tuple[LayoutNode, Form | None]]:
    for root, demand in network.demands(node, node.order):
        producer = network.stored[root].producer
        if not producer.is_decided and demand.first is None:
            yield producer, network.order_for(producer, root, demand.forms[0])


# -- sweeps ----------------------------------------------------------------------------------------


def _forward(network: LayoutNetwork) -> None:
    """Compute each operation in the order in which its tensors are stored, if nothing is lost."""

    def suggested(node: LayoutNode) -> list[Form]:
        return [*_from_operands(network, node), node.order, *_for(network, node)]

    _sweep(network, network.nodes, suggested)


def _backward(network: LayoutNetwork) -> None:
    """Compute each operation in the order in which its results are read, if nothing is lost."""

    def suggested(node: LayoutNode) -> list[Form]:
        return [*_for(network, node), node.order, *_from_operands(network, node)]

    _sweep(network, network.nodes[::-1], suggested)


def _polish(network: LayoutNetwork) -> None:
    """Compute each operation in another order only where something is gained."""

    def suggested(node: LayoutNode) -> list[Form]:
        return [node.order, *_from_operands(network, node), *_for(network, node)]

    _sweep(network, network.nodes, suggested)


def _sweep(
    network: LayoutNetwork,
    nodes: Sequence[LayoutNode],
    suggested: Callable[[LayoutNode], list[Form]],
) -> None:
    """Compute each operation in the order that costs least, or the first of several."""
    for node in nodes:
        orders = dict.fromkeys(suggested(node))
        if len(orders) < 2:
            continue
        network.detach(node)
        best = min(orders, key=partial(network.local_cost, node))
        network.reorder(node, best)


def _from_operands(network: LayoutNetwork, node: LayoutNode) -> list[Form]:
    orders = (
        network.order_from(node, number)
        for number, operand in enumerate(node.operands)
        if operand.root in network.stored
    )
    return [order for order in orders if order is not None]


def _for(network: LayoutNetwork, node: LayoutNode) -> list[Form]:
    return [
        order for number in range(len(node.results)) for order in network.orders_for(node, number)
    ]
