"""Syntax tree to graph: expressions evaluated, fragments expanded, names checked (3.3)."""
