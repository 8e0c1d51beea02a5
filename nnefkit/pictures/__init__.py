"""Pictures of graphs: what is known about each operation, and how it is shown.

The workbench draws from here as well as saved pictures and reports: the `ViewedGraph` with the
`ViewEvidence` about it, its `Overlay`s, and the `Outline` of nested blocks.
"""
