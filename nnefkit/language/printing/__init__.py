"""Graphs to NNEF text, and the layout of documents."""
