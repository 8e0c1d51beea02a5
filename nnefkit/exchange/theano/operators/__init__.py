"""Readers of Theano's operations, by their subject."""
