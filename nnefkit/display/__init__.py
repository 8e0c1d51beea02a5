"""Static displays: plain text, HTML, SVG and pictures.

Nothing here imports a class of the model; cards read objects through `nnefkit.display.protocols`.
"""
