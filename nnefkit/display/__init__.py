"""Static formatting: plain values in; text, HTML, SVG and pictures out.

The ground floor of the house: nothing here knows a class of the model.
"""
