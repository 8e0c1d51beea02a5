"""Graphs that are written node by node."""

import numpy as np

from nnefkit.exchange.tensorflow.messages import DATA_TYPES, FORMAT

NUMBERS = {name: number for number, name in DATA_TYPES.items()}
TYPES = {
    "float32": NUMBERS["FLOAT"],
    "float16": NUMBERS["HALF"],
    "int32": NUMBERS["INT32"],
    "int64": NUMBERS["INT64"],
    "bool": NUMBERS["BOOL"],
}


def message(kind):
    return FORMAT.parsed(kind, b"")


def fill(value, given):
    """Set an `AttrValue`."""
    if isinstance(given, bool):
        value.b = given
    elif isinstance(given, int):
        value.i = given
    elif isinstance(given, float):
        value.f = given
    elif isinstance(given, (str, bytes)):
        value.s = given.encode() if isinstance(given, str) else given
    elif isinstance(given, np.dtype):
        value.type = TYPES[given.name]
    elif isinstance(given, np.ndarray):
        tensor(value.tensor, given)
    elif isinstance(given, tuple):
        for extent in given:
            value.shape.dim.add().size = extent
    elif isinstance(given, dict):
        value.func.name = given["func"]
    else:
        value.list.i.extend(given)


def tensor(proto, array):
    proto.dtype = TYPES[array.dtype.name]
    for extent in array.shape:
        proto.tensor_shape.dim.add().size = extent
    proto.tensor_content = array.tobytes()


def add(nodes, name, op, *inputs, **attributes):
    node = nodes.add(name=name, op=op, input=inputs)
    for key, given in attributes.items():
        fill(node.attr[key], given)


class Written:
    """A graph; `add` adds a node, and constants by themselves."""

    def __init__(self):
        self.graph = message("GraphDef")

    def input(self, name, shape, dtype="float32"):
        self.add(name, "Placeholder", dtype=np.dtype(dtype), shape=shape)
        return name

    def constant(self, name, array, dtype=None):
        array = np.asarray(array, dtype)
        self.add(name, "Const", dtype=array.dtype, value=array)
        return name

    def add(self, name, op, *inputs, **attributes):
        add(self.graph.node, name, op, *inputs, **attributes)
        return name

    def function(self, name, arguments, results):
        """Add a function; `results` maps names to references. Returns a function to add nodes."""
        made = self.graph.library.function.add()
        made.signature.name = name
        for argument in arguments:
            made.signature.input_arg.add(name=argument)
        for result, place in results.items():
            made.signature.output_arg.add(name=result)
            made.ret[result] = place
        return lambda *given, **attributes: add(made.node_def, *given, **attributes)

    def bytes(self):
        return self.graph.SerializeToString()
