"""Names of the tensors of the new graph: those of the given graph wherever they are the same."""

from __future__ import annotations

from collections.abc import Collection

from nnefkit.execution.layout.forms import NEW, Form, identity
from nnefkit.execution.layout.network import LayoutNetwork
from nnefkit.graph.unused_names import Names


class StoredNames:
    """The names under which tensors are stored.

    Args:
        network: The network, with the orders that were chosen.
        reordered: The tensors whose elements are in another order along one axis.
    """

    def __init__(self, network: LayoutNetwork, reordered: Collection[str]) -> None:
        self._network = network
        self._graph = network.graph
        self._views = network.views
        self._unused = Names()
        for name in self._graph.tensors:
            self._unused.unused(name)
        self.of: dict[str, str] = {}
        """Root -> name under which it is stored."""
        self._taken: set[str] = set(network.constants)
        for root, stored in network.stored.items():
            if root in reordered:
                name = self.unused(f"{root}_reordered")
            elif stored.producer.op.is_source or stored.producer.op.name == "update":
                name = root
            else:
                name = self._name(root, stored.form)
            self.of[root] = name
            self._taken.add(name)

    def unused(self, name: str) -> str:
        """Return a new name that begins with `name`."""
        return self._unused.unused(name)

    def _name(self, root: str, form: Form) -> str:
        graph, members = self._graph, self._views.members[root]
        shape = graph.tensors[root].shape or ()
        outputs = [name for name in members if name in self._views.outputs]
        for name in outputs:
            demand = self._network.output_demand(self._views.of[name].form)
            if demand.met_by(form, shape) is not None:
                return name
        candidates = [
            name
            for name in members
            if name not in self._views.outputs and self.layout(name, form) is not None
        ]
        # Those that the source has come first, and the operation's own result before its views.
        candidates.sort(key=lambda name: graph.tensors[name].origin is None)
        return candidates[0] if candidates else self.unused(f"{root}_transposed")

    def layout(self, name: str, form: Form) -> Form | None:
        """Return the axes of a tensor in the order of a form of its root; None if some are lost."""
        view = self._views.of[name].form
        if len(view) != len(form) or sorted(view) != sorted(form) or view.count(NEW) > 1:
            return None
        return tuple(view.index(axis) for axis in form)

    def adapted(self, root: str, form: Form, word: str) -> str:
        """Return a name for another form of a stored tensor: that of the view that it is."""
        members = [name for name in self._views.members[root] if name not in self._taken]
        same = [name for name in members if self._views.of[name].form == form]
        same.sort(key=lambda name: name not in self._views.outputs)
        # The same in another order of the axes.
        same += [
            name
            for name in members
            if name not in self._views.outputs
            and self._graph.tensors[name].origin is not None
            and self.layout(name, form) is not None
        ]
        name = same[0] if same else self.unused(f"{self.of.get(root, root)}_{word}")
        self._taken.add(name)
        return name


def is_moved(layout: Form | None) -> bool:
    """Return whether a layout differs from that in the given graph."""
    return layout is not None and layout != identity(len(layout))
