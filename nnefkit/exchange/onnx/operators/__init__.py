"""Readers of ONNX operators, one module per family; importing one registers its readers."""
