"""Files in which other programs record tensors."""
