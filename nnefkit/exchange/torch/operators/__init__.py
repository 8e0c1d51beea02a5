"""Readers of ATen operators, one module per family; importing one registers its readers."""
