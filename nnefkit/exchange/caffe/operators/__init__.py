"""Readers of Caffe's layers, by their subject."""
