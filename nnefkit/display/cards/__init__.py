"""The contents of the displays: one module for each kind of object, which makes its card."""
