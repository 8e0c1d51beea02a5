"""The weights of a model: from a hierarchy by layers, or from a list for each layer.

Files of Keras 3 store the variables of each layer under the path of its attributes. Files of the
older form, and models in memory, have a list for each layer: what is trained, then the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nnefkit.arrays import Array
from nnefkit.exchange.hierarchical_file import HierarchicalFile
from nnefkit.exchange.keras.model import LayerInfo, LayerNetwork, NamedArray
from nnefkit.exchange.keras.variable_slots import Slot, slots_of

Variables = dict[str, dict[str, Array]]
"""Path of a layer -> name of a variable -> its elements."""


# -- hierarchies -----------------------------------------------------------------------------------


def variables_of_hierarchy(file: HierarchicalFile, network: LayerNetwork) -> Variables:
    """Return the variables out of a file of Keras 3.

    Raises:
        StorageError: The file is damaged.
    """
    whole = LayerInfo(network.name, "Functional", "Functional", {}, (), network)
    found: Variables = {}
    _read_group(file, file.root, whole, "", found)
    return found


def _read_group(
    file: HierarchicalFile, group: Any, layer: LayerInfo, path: str, found: Variables
) -> None:
    """Read the variables of a layer, and of the layers inside of it."""
    slots = slots_of(layer)
    own = file.child(group, "vars")
    if own is not None and slots.own:
        arrays = {}
        for number, slot in enumerate(slots.own):
            dataset = file.child(own, str(number))
            if dataset is not None:
                arrays[slot.name] = file.array(dataset, f"{path}/vars/{number}")
        found[path] = arrays
    named = _Named(file, group)
    for child in slots.children:
        inner = child_path(path, child.attribute, child.layer, layer.network is not None)
        member = None
        for attribute in (child.attribute, *child.others):
            member = named.member(attribute, child.layer.name, layer.network is not None)
            if member is not None:
                break
        if member is not None:
            _read_group(file, member, child.layer, inner, found)


def child_path(path: str, attribute: str, layer: LayerInfo, is_network: bool) -> str:
    """Return the path of a layer inside of another one."""
    name = layer.name if is_network else attribute
    return f"{path}/{name}" if path else name


class _Named:
    """The layers in a group, which newer files name in an attribute."""

    def __init__(self, file: HierarchicalFile, group: Any) -> None:
        self._file = file
        self._group = group
        self._names: dict[str, dict[str, Any]] = {}

    def member(self, attribute: str, name: str, is_network: bool) -> Any:
        """Return a layer by its path, or by its name if the one at the path has another name."""
        member = self._file.child(self._group, attribute)
        if not is_network or member is None:
            return member
        folder = attribute.partition("/")[0]
        if folder not in self._names:
            self._names[folder] = self._listed(folder)
        names = self._names[folder]
        return names.get(name, member) if names else member

    def _listed(self, folder: str) -> dict[str, Any]:
        members = self._file.child(self._group, folder)
        listed: dict[str, Any] = {}
        for key in self._file.names(members) if self._file.is_group(members) else ():
            member = self._file.child(members, key)
            own = self._file.child(member, "vars")
            name = self._file.text(own, "name") if own is not None else None
            if name is None or name in listed:
                return {}
            listed[name] = member
        return listed


# -- lists -----------------------------------------------------------------------------------------


def arrays_of_lists(file: HierarchicalFile, group: Any) -> dict[str, list[NamedArray]]:
    """Return the weights out of a file of the older form.

    Args:
        file: The file.
        group: Its root, or the group of the weights.

    Returns:
        Name of a layer -> its weights in order.

    Raises:
        StorageError: The file is damaged.
    """
    lists = {}
    for layer in file.strings(group, "layer_names") or ():
        inner = file.child(group, layer)
        names = (file.strings(inner, "weight_names") or []) if inner is not None else []
        lists[layer] = [
            NamedArray(name, file.array(file.child(inner, name), f"{layer}/{name}"))
            for name in names
        ]
    return lists


class _Leaf(NamedTuple):
    path: str
    slot: Slot
    layer: str
    is_trained: bool


def variables_of_lists(
    network: LayerNetwork, lists: Mapping[str, Sequence[NamedArray]]
) -> Variables:
    """Return the variables of the layers of a network, given a list for each of them.

    A list is read in the order of Keras where the names in it agree, and by its names otherwise.
    """
    found: Variables = {}
    for layer in network.layers.values():
        arrays = lists.get(layer.name, ())
        leaves: list[_Leaf] = []
        _collect(layer, layer.name, is_trained=True, leaves=leaves)
        # What is trained comes first.
        ordered = sorted(leaves, key=lambda leaf: not leaf.is_trained)
        for leaf, array in _matched(ordered, arrays):
            found.setdefault(leaf.path, {})[leaf.slot.name] = array.data
    return found


def _collect(layer: LayerInfo, path: str, *, is_trained: bool, leaves: list[_Leaf]) -> None:
    is_trained = is_trained and bool(layer.config.get("trainable", True))
    slots = slots_of(layer)
    leaves += [_Leaf(path, s, layer.name, is_trained and s.trained) for s in slots.own]
    for child in slots.children:
        inner = child_path(path, child.attribute, child.layer, layer.network is not None)
        _collect(child.layer, inner, is_trained=is_trained, leaves=leaves)


def _matched(
    leaves: Sequence[_Leaf], arrays: Sequence[NamedArray]
) -> list[tuple[_Leaf, NamedArray]]:
    if len(leaves) == len(arrays) and all(map(_is_named, leaves, arrays)):
        return [*zip(leaves, arrays, strict=True)]
    pairs = []
    for leaf in leaves:
        candidates = [
            array
            for array in arrays
            if _is_named(leaf, array) and leaf.layer in array.name.split("/")
        ]
        if len(candidates) == 1:
            pairs.append((leaf, candidates[0]))
    return pairs


def _is_named(leaf: _Leaf, array: NamedArray) -> bool:
    last = array.name.rpartition("/")[2].partition(":")[0]
    # Names that are taken in TensorFlow's graph get a number.
    stem = last.rstrip("0123456789").rstrip("_")
    return bool({last, stem} & {leaf.slot.name, leaf.slot.other_name} - {""})
