"""Readers of TensorFlow's operators, one module per family; importing one registers its readers.

Those of operators that TFLite has, too, are in `exchange.tensor_operators`.
"""
