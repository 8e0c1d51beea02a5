"""Keras: models of Keras 3 and files of Keras 2."""

from nnefkit.exchange.keras.from_keras import from_keras
from nnefkit.exchange.keras.trace_keras import trace_keras

__all__ = ["from_keras", "trace_keras"]
