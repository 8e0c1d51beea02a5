"""nnefkit."""
