"""Record and replay of assignments that repeat an earlier one with other names."""
