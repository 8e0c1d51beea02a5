"""A JupyterLab server of our own for the browser tests: fresh settings, loopback, no network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SETTINGS = {
    # No look-ups of news and updates on the network.
    "apputils-extension/notification": {"checkForUpdates": False, "fetchNews": "false"},
    # All cells are in the page, not only those in view.
    "notebook-extension/tracker": {"windowingMode": "none", "autoStartDefaultKernel": False},
}


def environment(folder: Path, theme: str = "JupyterLab Light") -> dict[str, str]:
    """Environment variables that keep all that Jupyter writes inside of `folder`."""
    settings = folder / "settings" / "@jupyterlab"
    themes = {"apputils-extension/themes": {"theme": theme, "adaptive-theme": False}}
    for name, values in (SETTINGS | themes).items():
        path = settings / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    return os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_PLATFORM_DIRS": "1",
    }


@contextmanager
def lab_server(root: Path, env: dict[str, str]) -> Iterator[str]:
    """Serve the folder `root`; yield the address of the server."""
    log = Path(env["JUPYTER_CONFIG_DIR"]).parent / "server.log"
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
        *("--port=0", "--IdentityProvider.token=", f"--notebook-dir={root}"),
        *("--LabApp.news_url=", "--LabApp.extension_manager=readonly"),
    ]
    with log.open("w") as stream:
        process = subprocess.Popen(command, env=env, stdout=stream, stderr=subprocess.STDOUT)
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait(120)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found:
            try:
                urllib.request.urlopen(f"{found[0]}/api", timeout=5).read()
                return found[0]
            except urllib.error.URLError:
                pass
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")
