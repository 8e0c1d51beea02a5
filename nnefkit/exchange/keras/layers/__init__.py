"""Readers of Keras layers and operations, a module for each family."""
