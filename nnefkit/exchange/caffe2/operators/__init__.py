"""Readers of Caffe2's operators, by their subject."""
