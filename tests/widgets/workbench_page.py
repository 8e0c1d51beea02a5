"""A page with the workbench alone: its module with a model that answers from this process.

It is much faster than JupyterLab, and everything can be measured.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, Route

import nnefkit.widgets.workbench as room
from nnefkit.widgets.workbench import View

FOLDER = Path(room.__file__).parent
HOME = "http://workbench.test/"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>workbench</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none';
script-src 'self' 'unsafe-eval'; style-src 'self'; img-src data:; connect-src 'none'">
<link rel="stylesheet" href="workbench.css"><link rel="stylesheet" href="page.css"></head>
<body><main id="host"></main><script type="module" src="page.js"></script></body></html>"""
STYLE = "body { margin: 8px; background: %s; }"
SCRIPT = """
import workbench from "./workbench.js";
const listeners = {};
const state = JSON.parse(await window.stateOf());
window.sent = []; window.received = []; window.frames = []; window.unanswered = 0;
const draw = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (act) => draw((now) => {
  const start = performance.now(); act(now); window.frames.push(performance.now() - start);
});
const pass = (text) => {
  window.received.push(text.length);
  for (const act of listeners["msg:custom"] || []) act(JSON.parse(text), []);
};
window.pass = pass;
const answered = async (texts) => {
  window.unanswered += 1;
  try { (await texts).forEach(pass); } finally { window.unanswered -= 1; }
};
const model = {
  get: (name) => state[name],
  set: (name, value) => { state[name] = value; },
  save_changes: () => answered(window.saved(JSON.stringify({ selection: state.selection }))),
  on: (name, act) => (listeners[name] ||= []).push(act),
  off: (name, act) => { listeners[name] = listeners[name].filter((other) => other !== act); },
  send: (message) => {
    window.sent.push(message);
    answered(window.answer(JSON.stringify(message)));
  },
};
const start = performance.now();
window.remove = workbench.render({ model, el: document.getElementById("host") });
draw(() => draw(() => { window.first = performance.now() - start; window.ready = true; }));
"""


class WorkbenchPage:
    """A page with a view, and what went wrong on it."""

    def __init__(self, page: Page, view: View) -> None:
        self.page = page
        self.view = view
        self.faults: list[str] = []

    def settle(self) -> None:
        """Wait until all messages are answered and everything is drawn."""
        self.page.wait_for_function("window.ready === true")
        self.page.evaluate(
            """async () => {
              for (let quiet = 0, last = -1; quiet < 3;) {
                await new Promise((done) => setTimeout(done, 40));
                const now = window.sent.length + window.received.length + window.frames.length;
                quiet = now === last && window.unanswered === 0 ? quiet + 1 : 0;
                last = now;
              }
            }"""
        )

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.settle()

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()


@contextmanager
def workbench_page(
    browser: Browser, view: View, *, width: int = 1280, height: int = 800, dark: bool = False
) -> Iterator[WorkbenchPage]:
    """Open a page with a view; messages are answered by the view in this process."""
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    shown = WorkbenchPage(page, view)
    files = {
        "": ("text/html", PAGE),
        "page.js": ("text/javascript", SCRIPT),
        "page.css": ("text/css", STYLE % ("#111418" if dark else "#ffffff")),
        "workbench.js": ("text/javascript", (FOLDER / "workbench.js").read_text()),
        "workbench.css": ("text/css", (FOLDER / "workbench.css").read_text()),
    }

    def serve(route: Route) -> None:
        name = route.request.url.removeprefix(HOME)
        if name in files:
            kind, body = files[name]
            route.fulfill(content_type=kind, body=body)
        elif name == "favicon.ico":
            route.fulfill(status=204)
        else:
            shown.faults.append(f"request of {route.request.url}")
            route.abort()

    def saved(text: str) -> list[str]:
        before = view.selection
        for name, value in json.loads(text).items():
            setattr(view, name, value)
        return [] if view.selection == before else answers({"ask": "hello"})

    def answers(message: Any) -> list[str]:
        return [json.dumps(each) for each in view.answer(message)]

    page.route("**/*", serve)
    page.on("pageerror", lambda error: shown.faults.append(str(error)))
    page.on("console", lambda m: shown.faults.append(m.text) if m.type == "error" else None)
    page.expose_function("answer", lambda text: answers(json.loads(text)))
    page.expose_function("saved", saved)
    page.expose_function(
        "stateOf", lambda: json.dumps({"height": view.height, "_first": view.get_state()["_first"]})
    )
    try:
        page.goto(HOME)
        shown.settle()
        yield shown
    finally:
        page.close()


def pixels(shown: WorkbenchPage, selector: str = ".nk-canvas") -> np.ndarray:
    """The colors on a canvas, as an array (height, width, 4)."""
    url = shown.page.locator(selector).evaluate("canvas => canvas.toDataURL('image/png')")
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
        return np.asarray(picture.convert("RGBA"))
