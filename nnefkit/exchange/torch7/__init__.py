"""Conversion of Torch7 networks to graphs.

`serialized_file` reads the objects of a file by `primitives`; `opened_model` finds the network
among them; `modules` reads it module by module; `operators` has a function for each class.
"""

from nnefkit.exchange.torch7.from_torch7 import from_torch7

__all__ = ["from_torch7"]
