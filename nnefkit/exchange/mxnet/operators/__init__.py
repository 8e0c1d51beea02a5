"""Readers of MXNet's operators, by their subject."""
