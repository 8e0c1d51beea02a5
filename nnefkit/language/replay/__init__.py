"""Replay of repeated assignments, an optional layer around elaboration that only saves time."""
