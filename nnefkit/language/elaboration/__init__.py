"""Elaboration: from assignments of a document to operations and tensors of a graph (3.3).

Each module imports only from those before it: scopes, names, operators, graph_builder, evaluator,
invocations, expansion, assignments; lowering carries out compound operations of a whole graph.
"""
