"""Readers of Chainer's functions, by their subject."""
