"""Write the graph of a Chainer model, its parameters and one run of it, for nnefkit.

Chainer stores the parameters of a model, but not its graph. Copy this file to where the model
runs (Python 3.6 or newer, with chainer and numpy; nothing else is needed), and call it there:

    from dump_chainer import dump
    dump("net", model, {"image": image})       # writes net.json and net.npz

`image` is an example of the input, a NumPy array of the extents and the dtype that the network is
to be used with: the graph is that of this example. Random numbers do; take at least two different
values. Then, on any machine:

    graph = nnefkit.from_chainer("net.json")   # reads both files, and proves the result

The model runs for inference (chainer.config.train = False), so that dropout disappears and batch
normalization takes the stored statistics. A model on a GPU must be moved first: model.to_cpu().

What Chainer does not record
    Comparisons, F.floor, `.array` and everything else that has no gradient leave no trace in
    Chainer's graph: their results look like constants. The model is therefore run again on other
    inputs, and what differs is marked as "detached"; nnefkit refuses what depends on it. Where the
    other runs compute other functions, the graph is marked as "dynamic". Pass `other` if the inputs
    that are made up here do not suit the model.

net.json
    "format": "chainer-graph", "version": 1, "chainer": the version of Chainer
    "inputs", "outputs": {name: id of a value}, in the order "input_order", "output_order"
    "values": {id: {"kind", "shape", "dtype", "name"}}; the kind is one of
        input, parameter, constant, computed, detached
        Parameters and stored statistics have their names in the files of
        chainer.serializers.save_npz ("conv1/W", "bn1/avg_mean").
    "nodes": in the order of the run: {"op": the class of the function, "label", "module",
        "params": {attribute: value}, "inputs": [ids], "outputs": [ids; null for a result that
        nothing reads]}
    "structure": "static" or "dynamic"
    In "params", an array is {"array": key in the .npz} and, if it depends on the input,
    "detached": true; a dict is {"dict": {...}}, a slice {"slice": [start, stop, step]}, an ellipsis
    {"ellipsis": true}, a dtype {"dtype": name}, a float that is not finite {"float": "nan"}.
net.npz
    id of a value: a parameter or a constant; "node<i>/<attribute>": an array of a function;
    "inputs/<name>", "outputs/<name>", "tensors/<id>": the run (without record=False).
"""

import json
import math

import chainer
import numpy as np

VERSION = 1

_OWN = {
    "inputs",
    "outputs",
    "rank",
    "stack",
    "lazy_grad_sum",
    "node",
    "xp",
    "backward_indexes",
    "forward_indexes",
}
_PRIVATE = {"_alpha", "_beta", "_axis"}
_NOTHING = object()


def dump(path, model, inputs, call=None, output_names=None, other=None, record=True):
    """Run a model, and write `path`.json and `path`.npz.

    path: the name of both files, without their endings.
    model: a chainer.Link; None if `call` has no parameters.
    inputs: {name: array}, in the order of the arguments of the model.
    call: what to call with the inputs by name, instead of the model; it returns a variable, a list
        of them, or a dict {name: variable}.
    output_names: the names of the results of a list.
    other: other inputs {name: array} of the same shapes, to tell constants from what was
        computed outside of Chainer's graph. Made up by default.
    record: whether to store the inputs, outputs and inner tensors of the run.

    Returns the outputs, {name: array}.
    """
    inputs = {name: np.asarray(array) for name, array in inputs.items()}
    run = _ModelRun(model, inputs, call, output_names)
    others = [other] if other is not None else [_others(inputs, 1), _others(inputs, -1)]
    for number, changed in enumerate(others):
        try:
            again = _ModelRun(model, changed, call, output_names)
        except Exception as error:
            if number:
                continue  # The model does not take negative numbers.
            raise ValueError(
                "the model does not run on other inputs, which tell its constants from what "
                "depends on its input (%s); pass some: dump(..., other={...})" % error
            )
        run.compare(again)
    document = run.document()
    with open(path + ".json", "w") as file:
        json.dump(document, file, indent=1, sort_keys=True)
        file.write("\n")
    np.savez(path + ".npz", **dict(run.arrays, **(run.recorded() if record else {})))
    return run.results


def _others(inputs, sign):
    """Return other inputs of the same shapes and dtypes."""
    return {name: _other(array, sign) for name, array in inputs.items()}


def _other(array, sign):
    """Return the elements of an array reversed and, if they are floats, changed."""
    turned = array.reshape(-1)[::-1].reshape(array.shape)
    if array.dtype.kind == "f":
        return (turned * (0.75 * sign) + 0.0625).astype(array.dtype)
    if array.dtype.kind == "b":
        return np.logical_not(array)
    if np.array_equal(turned, array) and array.size:
        # Within the range of the elements, if they are not all the same.
        low, high = array.min(), array.max()
        return (low + high - array if low < high else abs(array - 1)).astype(array.dtype)
    return turned.copy()


# -- one run ---------------------------------------------------------------------------------------


class _Tape(chainer.FunctionHook):
    """Records every function with the arrays that it was given, in order."""

    name = "nnefkit-tape"

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward_preprocess(self, function, in_data):
        # Arrays that a function gets only while it runs are its notes, not parameters.
        attributes = getattr(function, "__dict__", {})
        self.calls.append((function, in_data, {k for k in attributes if attributes[k] is not None}))


class _ModelRun:
    """A run of a model: its values, functions and arrays."""

    def __init__(self, model, inputs, call, output_names):
        self.inputs = inputs
        self.arrays = {}
        self.values = {}
        self.nodes = []
        self.structure = "static"
        self._ids = {}
        self._data = {}
        self._variables = {
            name: chainer.Variable(array, requires_grad=array.dtype.kind == "f")
            for name, array in inputs.items()
        }
        self._input_names = {id(v.node): name for name, v in self._variables.items()}
        tape = _Tape()
        with chainer.using_config("train", False), chainer.using_config("enable_backprop", True):
            with tape:
                result = call(**self._variables) if call else model(*self._variables.values())
        self._outputs = _named(result, output_names)
        self._parameters, self._statistics = _names_of(model)
        self._tape = tape
        self._collect()
        self.results = {name: _on_cpu(v.array) for name, v in self._outputs.items()}

    def _collect(self):
        given = {id(_node_of(f)): (data, before) for f, data, before in self._tape.calls}
        for variable in self._variables.values():
            self._value(variable.node, variable.array)
        for number, function in enumerate(self._functions()):
            data, before = given.get(id(function), ([None] * len(function.inputs), set()))
            inner = getattr(function, "function", None) or function
            read = [self._value(n, a) for n, a in zip(function.inputs, data)]
            computed = [reference() for reference in function.outputs]
            self.nodes.append(
                {
                    "op": type(inner).__name__,
                    "label": function.label,
                    "module": type(inner).__module__,
                    "params": self._params(inner, "node%d" % number, before),
                    "inputs": read,
                    "outputs": [None if n is None else self._value(n) for n in computed],
                }
            )
        for variable in self._outputs.values():
            self._value(variable.node, variable.array)

    def _functions(self):
        """Return the functions that the outputs depend on, in the order of the run."""
        found, seen = [], set()
        stack = [v.creator_node for v in self._outputs.values() if v.creator_node is not None]
        while stack:
            function = stack.pop()
            if id(function) not in seen:
                seen.add(id(function))
                found.append(function)
                stack.extend(n.creator_node for n in function.inputs if n.creator_node is not None)
        order = {id(_node_of(call[0])): i for i, call in enumerate(self._tape.calls)}
        return sorted(found, key=lambda function: order.get(id(function), -1))

    def _value(self, node, array=None):
        """Return the id of a value."""
        known = self._ids.get(id(node))
        if known is None:
            known = self._ids[id(node)] = "v%d" % len(self.values)
            self.values[known] = self._described(known, node, array)
        if array is not None:
            self._data[known] = array
        return known

    def _described(self, key, node, array):
        name = None
        if id(node) in self._input_names:
            kind, name = "input", self._input_names[id(node)]
        elif id(node) in self._parameters:
            name, parameter = self._parameters[id(node)]
            kind, array = "parameter", parameter.array
        elif node.creator_node is None:
            kind = "constant"
            array = array if array is not None else node.data
            name = self._statistics.get(id(array), (None, None))[0]
        else:
            kind = "computed"
        if kind in ("parameter", "constant"):
            self.arrays[key] = _on_cpu(array)
        return {
            "kind": kind,
            "shape": list(node.shape),
            "dtype": np.dtype(node.dtype).name,
            "name": name,
        }

    def _params(self, function, key, before):
        """Return what a function does: its attributes, without what it notes while it runs."""
        found = {}
        attributes = getattr(function, "__dict__", {})
        for name in sorted(attributes):
            is_private = name.startswith("_") and name not in _PRIVATE
            if (
                is_private
                or name in _OWN
                or (isinstance(attributes[name], np.ndarray) and name not in before)
            ):
                continue
            value = _plain(attributes[name], self.arrays, "%s/%s" % (key, name))
            if value is not _NOTHING:
                found[name] = value
        return found

    # -- comparing with another run ---------------------------------------------------------------

    def compare(self, other):
        """Mark what differs in a run on other inputs."""
        same = [n["op"] for n in self.nodes] == [n["op"] for n in other.nodes]
        if not same or sorted(self.arrays) != sorted(other.arrays):
            self.structure = "dynamic"
            return
        changed = {
            key for key, array in self.arrays.items() if not _equal(array, other.arrays[key])
        }
        for key in changed & set(self.values):
            self.values[key]["kind"] = "detached"
        for node in self.nodes:
            _mark(node["params"], changed)
        for node, again in zip(self.nodes, other.nodes):
            if _without_marks(node["params"]) != _without_marks(again["params"]):
                self.structure = "dynamic"

    # -- what is written --------------------------------------------------------------------------

    def document(self):
        return {
            "format": "chainer-graph",
            "version": VERSION,
            "chainer": chainer.__version__,
            "structure": self.structure,
            "inputs": {name: self._ids[id(v.node)] for name, v in self._variables.items()},
            "input_order": list(self._variables),
            "outputs": {name: self._ids[id(v.node)] for name, v in self._outputs.items()},
            "output_order": list(self._outputs),
            "values": self.values,
            "nodes": self.nodes,
        }

    def recorded(self):
        """Return the arrays of the run."""
        arrays = {"inputs/" + name: array for name, array in self.inputs.items()}
        arrays.update(("outputs/" + name, array) for name, array in self.results.items())
        outputs = {self._ids[id(v.node)] for v in self._outputs.values()}
        for key, array in self._data.items():
            if self.values[key]["kind"] == "computed" and key not in outputs:
                arrays["tensors/" + key] = _on_cpu(array)
        return arrays


def _named(result, names):
    """Return the results of a model by name."""
    if isinstance(result, dict):
        results = dict(result)
    elif isinstance(result, (list, tuple)):
        results = dict(zip(names or ["output%d" % (i + 1) for i in range(len(result))], result))
        if len(results) != len(result):
            raise ValueError("there are %d results for the names %r" % (len(result), names))
    else:
        results = {(names or ["output"])[0]: result}
    for name, value in results.items():
        if not isinstance(value, chainer.Variable):
            raise ValueError(
                "the result '%s' is a %s, not a Variable" % (name, type(value).__name__)
            )
    return results


def _names_of(model):
    """Return the names of parameters by ids of nodes, and of statistics by ids of arrays."""
    parameters, statistics = {}, {}
    if model is not None:
        for name, parameter in model.namedparams():
            parameters[id(parameter.node)] = name.strip("/"), parameter
        for path, link in model.namedlinks():
            for name in getattr(link, "_persistent", ()):
                array = getattr(link, name, None)
                if array is not None and hasattr(array, "dtype") and array.shape:
                    statistics[id(array)] = (path + "/" + name).strip("/"), array
    return parameters, statistics


def _node_of(function):
    # An old Function is wrapped; the hook gets the inner one.
    return getattr(function, "node", None) or function


def _on_cpu(array):
    return chainer.backends.cuda.to_cpu(array)


# -- attributes ------------------------------------------------------------------------------------


def _plain(value, arrays, key):
    """Return an attribute as JSON, or _NOTHING."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        value = float(value)
        return value if math.isfinite(value) else {"float": repr(value)}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, slice):
        return {"slice": [_plain(v, arrays, key) for v in (value.start, value.stop, value.step)]}
    if isinstance(value, np.dtype):
        return {"dtype": value.name}
    if isinstance(value, type) and issubclass(value, np.generic):
        return {"dtype": np.dtype(value).name}
    if isinstance(value, chainer.Variable):
        value = value.array
    if isinstance(value, np.ndarray):
        arrays[key] = value
        return {"array": key}
    return _of_several(value, arrays, key)


def _of_several(value, arrays, key):
    if isinstance(value, dict):
        items = {str(k): _plain(v, arrays, "%s/%s" % (key, k)) for k, v in value.items()}
        return _NOTHING if any(v is _NOTHING for v in items.values()) else {"dict": items}
    if isinstance(value, (list, tuple, range)):
        items = [_plain(v, arrays, "%s/%d" % (key, i)) for i, v in enumerate(value)]
        return _NOTHING if any(v is _NOTHING for v in items) else items
    return _NOTHING


def _equal(array, other):
    if array.shape != other.shape or array.dtype != other.dtype:
        return False
    return bool(np.all((array == other) | ((array != array) & (other != other))))


def _mark(value, changed):
    """Mark the arrays of attributes that depend on the input."""
    if isinstance(value, dict):
        if value.get("array") in changed:
            value["detached"] = True
        for item in value.values():
            _mark(item, changed)
    elif isinstance(value, list):
        for item in value:
            _mark(item, changed)


def _without_marks(value):
    if isinstance(value, dict):
        return {k: _without_marks(v) for k, v in value.items() if k != "detached"}
    return [_without_marks(v) for v in value] if isinstance(value, list) else value
