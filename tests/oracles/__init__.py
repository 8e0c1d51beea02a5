"""References for the results: drawn calls, plain loops, implementations that are not ours.

- `drawn_calls`: for each operation of chapter 4, how a call of it is drawn by hypothesis.
- `one_call`: a drawn call, and the graph that makes it.
- `formulas`: for each operation a loop over single numbers, written from the specification.
- `foreign`: for each operation how PyTorch, ONNX Runtime and the Khronos interpreter compute it.
- `agreement`: whether two results are the same up to rounding.
"""
