"""Readers of TFLite operators, one module per family; importing one registers its readers."""
