"""Traces: every tensor of a run, recorded, saved and loaded."""
