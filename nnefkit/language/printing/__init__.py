"""Printing of graphs as NNEF text, and formatting of documents."""
