"""A real JupyterLab, and a page of it in a real browser."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

from pins import ROOT

# Without a display, without a sandbox for root, and without connections to anybody but JupyterLab.
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()
TOKEN = "course"
SCREENSHOTS = ROOT / "build" / "screenshots"


def find_chromium():
    """Return the path of Chromium or Chrome, or None."""
    named = os.environ.get("VAE_COURSE_CHROMIUM")
    names = [named] if named else ["chromium", "chromium-browser", "google-chrome", "chrome"]
    return next(filter(None, map(shutil.which, names)), None)


@contextlib.contextmanager
def serve(folder, theme="JupyterLab Light"):
    """Serve the notebooks of a folder with JupyterLab as it is on its first start.

    Args:
        folder: An empty folder; copies of the lessons go there, and JupyterLab's settings.
        theme: "JupyterLab Light" or "JupyterLab Dark".

    Yields:
        The address of JupyterLab, without a slash at its end.
    """
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": theme}))
    (settings / "notification.jupyterlab-settings").write_text(
        json.dumps(
            {"fetchNews": "false", "checkForUpdates": False}
        )  # else a question covers the page
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
        *(f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"),
        *("--KernelManager.transport_encryption=auto", "--LabApp.expose_app_in_browser=True"),
        f"--notebook-dir={folder / 'notebooks'}",
    ]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(server, address, folder / "server.log")
        yield address
    finally:
        server.terminate()  # JupyterLab ends its kernels
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()


def _wait_until_it_answers(server, address, log):
    for _ in range(240):
        if server.poll() is not None:
            raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=5)
            return
        time.sleep(0.25)
    raise RuntimeError(f"JupyterLab did not answer within a minute:\n{log.read_text()}")
