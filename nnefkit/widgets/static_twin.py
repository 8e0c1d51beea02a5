"""What is left of a widget where there is no kernel: its last view, as a static display."""

from __future__ import annotations

from typing import Any

from ipywidgets import HTML, VBox

from nnefkit.widgets.keys import Keys

_STORED = """<style>body:has(.nk-live-{0}) .nk-stored-{0} {{ display: none; }}</style>
<div class="nk-stored nk-stored-{0}">{1}</div>"""


class StaticTwin(VBox):  # type: ignore[misc]
    """A widget whose view is HTML that also stands alone, in exported and untrusted notebooks."""

    def __init__(self, children: Any) -> None:
        self._view = HTML()
        keys = Keys()
        super().__init__([*children, self._view, keys])
        keys.owner = f"nk-live-{self.model_id}"
        self.add_class(keys.owner)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle = dict(super()._repr_mimebundle_(**kwargs) or {})
        bundle["text/html"] = self._view.value
        bundle["text/plain"] = repr(self)
        return bundle

    def _ipython_display_(self, **kwargs: Any) -> None:
        """Display the widget, and after it its twin, which a page hides while the widget lives.

        A page prefers the widget of an output with both, also where it is gone with its kernel.
        """
        from IPython.display import publish_display_data

        bundle = self._repr_mimebundle_(**kwargs)
        twin = {"text/html": _STORED.format(self.model_id, bundle.pop("text/html"))}
        for each in (bundle, twin):
            publish_display_data(each)  # type: ignore[no-untyped-call]
