"""Readers of modules, one function for each class, by theme."""
