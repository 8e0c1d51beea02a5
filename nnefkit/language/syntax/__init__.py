"""The grammar: tokens, expressions, bodies and documents (3.1, 3.2, A.1, A.2)."""
