"""Caffe2 networks that are written operator by operator."""

import numpy as np

import nnefkit as nk

NUMBERS = {"float32": 1, "int32": 2, "uint8": 3, "bool": 5, "int64": 10, "float64": 13}


def operator(kind, inputs=("x",), outputs=("y",), engine="", **arguments):
    """An operator as the text of a net."""
    lines = [f'input: "{name}"' for name in inputs] + [f'output: "{name}"' for name in outputs]
    lines += [f'engine: "{engine}"'] if engine else []
    lines += [_argument(name, value) for name, value in arguments.items()]
    return f'op {{ type: "{kind}" {" ".join(lines)} }}'


def _argument(name, value):
    if isinstance(value, str):
        field = f's: "{value}"'
    elif isinstance(value, (float, np.floating)):
        field = f"f: {float(value)!r}"
    elif isinstance(value, (int, np.integer)):
        field = f"i: {int(value)}"
    elif len(value) and isinstance(value[0], (float, np.floating)):
        field = " ".join(f"floats: {float(each)!r}" for each in value)
    else:
        field = " ".join(f"ints: {int(each)}" for each in value)
    return f'arg {{ name: "{name}" {field} }}'


def net_of(*operators, name="net", inputs=(), outputs=()):
    """The text of a net."""
    listed = [f'external_input: "{each}"' for each in inputs]
    listed += [f'external_output: "{each}"' for each in outputs]
    return "\n".join([f'name: "{name}"', *operators, *listed]).encode()


def place(name, shape, dtype="float32"):
    """A constant fill in the place of an input."""
    value = 0.0 if dtype == "float32" else 0
    return operator("ConstantFill", (), (name,), shape=shape, dtype=NUMBERS[dtype], value=value)


def given(name, array):
    """A fill with the numbers of an array."""
    values = [*np.asarray(array, np.float32).reshape(-1)]
    return operator("GivenTensorFill", (), (name,), shape=[*np.shape(array)], values=values)


def read(init, net, shapes=None, **options):
    return nk.from_caffe2(init, net, shapes, verify=False, progress=False, **options)
