"""Fuzzers: random inputs of every kind that nnefkit reads, and what it promises for each of them.

``python -m tests.fuzzing --help`` runs them; `tests/README.md` describes them.
"""
