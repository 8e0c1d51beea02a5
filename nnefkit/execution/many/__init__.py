"""Runs of a graph on many inputs, spread over threads, processes or machines."""
