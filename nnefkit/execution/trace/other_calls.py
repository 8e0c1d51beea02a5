"""What people look for in a trace, and what to call instead."""

OTHER_CALLS = {
    "tensors": "list(trace), trace[name]",
    "names": "list(trace)",
    "shape": "trace[name].shape",
    "shapes": "trace.to_frame()",
    "weights": "trace.graph.variables",
    "mean": "trace.statistics[name].mean",
    "min": "trace.statistics[name].minimum",
    "max": "trace.statistics[name].maximum",
    "std": "trace.statistics[name].deviation",
    "stats": "trace.statistics",
    "times": "trace.seconds",
    "timings": "trace.seconds, trace.plot()",
    "compare": "nnefkit.compare(trace, other)",
    "diff": "nnefkit.compare(trace, other)",
    "browse": "nnefkit.widgets.tensor_browser(trace)",
    "show": "the name of the trace as last line of a cell",
    "view": "nnefkit.view(graph, trace)",
}
"""What is often looked for in a trace -> the call or attribute that does it."""
