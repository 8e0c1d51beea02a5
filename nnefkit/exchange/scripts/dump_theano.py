"""Write a Theano graph, its weights and one run of it, for nnefkit.

Theano has no file format for graphs. Copy this file to where the model runs (Python 3.6 or newer,
with theano and numpy; nothing else is needed), and call it there:

    from dump_theano import dump
    dump("net", {"image": x}, {"probabilities": y}, {"image": image})   # net.json and net.npz

`x` is an input variable (theano.tensor...), `y` an expression of it, and `image` an example of the
input, a NumPy array. Random numbers do. Then, on any machine:

    graph = nnefkit.from_theano("net.json")        # reads both files, and proves the result

The graph is taken as it was written, before any optimization; nothing is compiled for it. The run
on the example is computed by Theano's own Python implementations of its operations; without an
example there is none, and the graph is read unproved. Expressions of training, such as dropout,
must be those of inference: lasagne.layers.get_output(layer, deterministic=True).

    dump("net", function=f, examples={"image": image})

writes a compiled theano.function instead, as Theano optimized it. That graph has the operations
that Theano chose (Dot22, Composite, ...); nnefkit reads many of them, but prefer the other form.

net.json
    "format": "theano-graph", "version": 1, "theano": the version of Theano
    "inputs", "outputs": {name: id of a value}, in the order "input_order", "output_order"
    "values": {id: {"kind", "name", "dtype", "ndim", "broadcastable", "shape"}}; the kind is one of
        input, shared, constant, computed, inner (an input of the steps of a loop)
        An extent that is not known is null. Other types than arrays have "type"; NoneConst has
        "none": true, and a slice {"slice": [start, stop, step]}.
    "nodes": in topological order: {"op": the class of the operation, "module",
        "params": {attribute: value}, "inputs": [ids], "outputs": [ids]}, and
        "scalar_op": the scalar operation of an Elemwise or CAReduce, {"op", "params"}; a Composite
        also has "inputs", "outputs" (ids "s0", "s1", ...), "values" and "nodes" of its own, of
        which one may be {"op", "inputs", "outputs", "tree": a Composite};
        "inner": the step of a Scan, {"inputs": [ids], "outputs": [ids], "nodes": [...]}.
    The parts of the index of a Subtensor ("idx_list") are numbers, {"slice": [start, stop, step]}
    and {"input": type} for those that are further inputs, in order. A float that is not finite is
    {"float": "nan"}.
net.npz
    id of a value: a constant or a shared variable;
    "inputs/<name>", "outputs/<name>", "tensors/<id>": the run (without record=False).
"""

import json
import math

import numpy as np
import theano
from theano import gof, scalar

VERSION = 1

# Attributes that some operations have besides __props__.
_FURTHER = ("axis", "dtype", "acc_dtype", "idx_list", "set_instead_of_inc", "len_splits", "mode")
_FURTHER += ("ndim", "bool", "openlow", "openhi", "out_mode", "dx", "dy", "imshp_logical")
_SCAN = ("n_seqs", "n_mit_mot", "n_mit_sot", "n_sit_sot", "n_nit_sot", "n_shared_outs")
_SCAN += ("tap_array", "as_while")
_NOT_MEANING = {"scalar_op", "inplace", "inplace_pattern", "openmp", "nfunc_spec", "pre_scalar_op"}
_NOT_MEANING |= {"view"}
_NOTHING = object()


def dump(
    path, inputs=None, outputs=None, examples=None, function=None, record=True, shapes=None
):
    """Write a graph to `path`.json and `path`.npz.

    path: the name of both files, without their endings.
    inputs, outputs: {name: variable}.
    examples: {name of an input: array}; they give the extents of the inputs, and a run.
    function: a compiled theano.function, instead of inputs and outputs.
    record: whether to store the inner tensors of the run, and not only inputs and outputs.
    shapes: {name of an input: shape}, for inputs without examples.

    Returns the outputs for the examples, {name: array}; nothing without examples.
    """
    graph = _GraphDump(inputs, outputs, function)
    examples = {name: graph.example(name, array) for name, array in (examples or {}).items()}
    known = dict(shapes or {}, **{name: array.shape for name, array in examples.items()})
    for name, shape in known.items():
        graph.values[graph.ids[graph.inputs[name]]]["shape"] = [int(n) for n in shape]
    arrays, results = dict(graph.arrays), {}
    if examples:
        missing = sorted(set(graph.inputs) - set(examples))
        if missing:
            raise ValueError("there is no example of the input '%s'" % missing[0])
        results, tensors = graph.run(examples, record)
        arrays.update(("inputs/" + name, array) for name, array in examples.items())
        arrays.update(("outputs/" + name, array) for name, array in results.items())
        arrays.update(("tensors/" + key, array) for key, array in tensors.items())
    with open(path + ".json", "w") as file:
        json.dump(graph.document(), file, indent=1, sort_keys=True)
        file.write("\n")
    np.savez(path + ".npz", **arrays)
    return results


class _GraphDump(object):
    """The values and nodes of a graph."""

    def __init__(self, inputs, outputs, function):
        self.ids = {}
        self.values = {}
        self.arrays = {}
        self._function = function
        self._held = {}
        if function is not None:
            inputs, outputs, order = self._of_function(function)
        else:
            order = gof.graph.io_toposort(list(inputs.values()), list(outputs.values()))
        self.inputs = inputs
        self.outputs = outputs
        self._names = {variable: name for name, variable in inputs.items()}
        for variable in inputs.values():
            self._value(variable)
        self.nodes = [self._node(node) for node in order]
        for variable in outputs.values():
            self._value(variable)

    def _of_function(self, function):
        """Return the inputs, the outputs and the order of a compiled function."""
        maker, inputs = function.maker, {}
        given = zip(maker.fgraph.inputs, maker.expanded_inputs, function.input_storage)
        for number, (variable, described, container) in enumerate(given):
            if getattr(described, "implicit", False):
                self._held[variable] = container.data  # A shared variable.
            else:
                inputs[variable.name or "input%d" % number] = variable
        outputs = {}
        for number, variable in enumerate(maker.fgraph.outputs[: len(maker.outputs)]):
            name = getattr(maker.outputs[number].variable, "name", None)
            if not name or name in outputs or name in inputs:
                name = "output%d" % number
            outputs[name] = variable
        return inputs, outputs, maker.fgraph.toposort()

    # -- values and nodes ---------------------------------------------------------------------

    def _value(self, variable, inner=False):
        """Return the id of a value."""
        if variable not in self.ids:
            key = self.ids[variable] = "v%d" % len(self.values)
            self.values[key] = self._described(key, variable, inner)
        return self.ids[variable]

    def _described(self, key, variable, inner):
        kind = variable.type
        record = {
            "name": self._names.get(variable, variable.name),
            "dtype": getattr(kind, "dtype", None),
            "ndim": getattr(kind, "ndim", None),
        }
        if hasattr(kind, "broadcastable"):
            record["broadcastable"] = [bool(b) for b in kind.broadcastable]
            record["shape"] = [1 if b else None for b in kind.broadcastable]
        else:
            record["type"] = str(kind)
        array = None
        if inner:
            record["kind"] = "inner"
        elif variable in self._names:
            record["kind"] = "input"
        elif variable in self._held:
            record["kind"], array = "shared", np.asarray(self._held[variable])
        elif isinstance(variable, gof.Constant):
            record["kind"] = "constant"
            if variable.data is None:
                record["none"] = True
            elif isinstance(variable.data, slice):
                record["slice"] = _plain(variable.data)["slice"]
            else:
                array = np.asarray(variable.data)
        elif hasattr(variable, "get_value"):
            record["kind"], array = "shared", np.asarray(variable.get_value(borrow=True))
        else:
            record["kind"] = "input" if variable.owner is None else "computed"
        if array is not None:
            self.arrays[key] = array
            record["shape"] = list(array.shape)
        return record

    def _node(self, node):
        op = node.op
        record = {
            "op": type(op).__name__,
            "module": type(op).__module__,
            "params": _params(op),
            "inputs": [self._value(v) for v in node.inputs],
            "outputs": [self._value(v) for v in node.outputs],
        }
        if getattr(op, "scalar_op", None) is not None:
            record["scalar_op"] = _scalar(op.scalar_op)
        if record["op"] == "Scan":
            for name in _SCAN:
                if name in op.info or hasattr(op, name):
                    record["params"][name] = _plain(op.info.get(name, getattr(op, name, None)))
            record["inner"] = self._inner(op.inputs, op.outputs)
        return record

    def _inner(self, inputs, outputs):
        """Return the step of a loop."""
        return {
            "inputs": [self._value(v, inner=True) for v in inputs],
            "nodes": [self._node(node) for node in gof.graph.io_toposort(inputs, outputs)],
            "outputs": [self._value(v) for v in outputs],
        }

    # -- the run ------------------------------------------------------------------------------

    def example(self, name, array):
        """Return an example in the type of its input."""
        if name not in self.inputs:
            raise ValueError("there is no input '%s'" % name)
        return np.asarray(self.inputs[name].type.filter(array, allow_downcast=True))

    def run(self, examples, record):
        """Return the outputs for some examples, and the inner tensors by id."""
        names = list(self.outputs)
        if self._function is not None:
            results = self._function(*[examples[name] for name in self.inputs])
            results = results if isinstance(results, (list, tuple)) else [results]
            return {n: np.asarray(array) for n, array in zip(names, results)}, {}
        wanted = [self.outputs[name] for name in names]
        inner = [
            variable
            for variable, key in self.ids.items()
            if record
            and self.values[key]["kind"] == "computed"
            and hasattr(variable.type, "broadcastable")
            and variable not in wanted
            and self._is_outside(variable)
        ]
        compiled = theano.function(
            list(self.inputs.values()),
            wanted + inner,
            mode=theano.Mode(linker="py", optimizer=None),
            on_unused_input="ignore",
        )
        found = [np.asarray(array) for array in compiled(*[examples[n] for n in self.inputs])]
        tensors = dict(zip([self.ids[variable] for variable in inner], found[len(wanted) :]))
        return dict(zip(names, found)), tensors

    def _is_outside(self, variable):
        """Return whether a value is not one of the steps of a loop."""
        known = getattr(self, "_computed", None)
        if known is None:
            known = self._computed = {key for node in self.nodes for key in node["outputs"]}
        return self.ids[variable] in known

    def document(self):
        return {
            "format": "theano-graph",
            "version": VERSION,
            "theano": theano.__version__,
            "inputs": {name: self.ids[v] for name, v in self.inputs.items()},
            "input_order": list(self.inputs),
            "outputs": {name: self.ids[v] for name, v in self.outputs.items()},
            "output_order": list(self.outputs),
            "values": self.values,
            "nodes": self.nodes,
        }


# -- operations ------------------------------------------------------------------------------------


def _params(op):
    """Return what an operation does, without its generated code."""
    found = {}
    for name in tuple(getattr(op, "__props__", None) or ()) + _FURTHER:
        if name in found or name in _NOT_MEANING or not hasattr(op, name):
            continue
        value = _plain(getattr(op, name))
        if value is not _NOTHING:
            found[name] = value
    return found


def _scalar(op):
    """Return a scalar operation as a tree."""
    tree = {"op": type(op).__name__, "params": _params(op)}
    if isinstance(op, scalar.Composite):
        ids, values = {}, {}

        def scalar_id(variable):
            if variable not in ids:
                key = ids[variable] = "s%d" % len(ids)
                values[key] = {"dtype": getattr(variable.type, "dtype", None)}
                if isinstance(variable, gof.Constant):
                    values[key]["data"] = _plain(np.asarray(variable.data))
            return ids[variable]

        tree["inputs"] = [scalar_id(v) for v in op.fgraph.inputs]
        tree["nodes"] = []
        for node in op.fgraph.toposort():
            inner = _scalar(node.op)
            if "nodes" in inner:
                inner = {"op": inner["op"], "tree": inner}
            inner["inputs"] = [scalar_id(v) for v in node.inputs]
            inner["outputs"] = [scalar_id(v) for v in node.outputs]
            tree["nodes"].append(inner)
        tree["outputs"] = [scalar_id(v) for v in op.fgraph.outputs]
        tree["values"] = values
    if isinstance(op, scalar.Cast):
        tree["params"]["to"] = op.o_type.dtype
    return tree


def _plain(value):
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
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return _plain(value.item())
    if isinstance(value, slice):
        return {"slice": [_plain(v) for v in (value.start, value.stop, value.step)]}
    if isinstance(value, gof.Type):
        return {"input": str(value)}
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, dict):
        items = {str(k): _plain(v) for k, v in value.items()}
        return {k: v for k, v in items.items() if v is not _NOTHING}
    if isinstance(value, (list, tuple)):
        items = [_plain(v) for v in value]
        return _NOTHING if any(v is _NOTHING for v in items) else items
    return _NOTHING
