"""Text to a syntax tree: tokens, expressions, bodies, documents (3.1, 3.2, A.1, A.2)."""
