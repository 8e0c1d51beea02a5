"""Operators on codes: networks with quantization info as TFLite's integer kernels compute them.

`grids` finds the grid of each value, `kinds` knows what the kernels need, and `coded_operators`
replaces operators on numbers by operators on codes. Where there is no kernel for codes, or the
grids do not fit it, the operator computes with numbers between DEQUANTIZE and QUANTIZE, which is
what the quantization info says.
"""
