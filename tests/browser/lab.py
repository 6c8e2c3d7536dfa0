"""A real JupyterLab that knows nothing of the machine's user, and a browser to see it with."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from pins import ROOT

# Without a display, without a sandbox for root, and without connections to anybody but JupyterLab.
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage "
    "--disable-background-networking --disable-component-update --disable-sync --no-proxy-server"
).split()
TOKEN = "course"
# Where `make browsers` puts puppeteer-core and axe-core.
NODE_MODULES = Path(os.environ.get("VAE_COURSE_NODE_MODULES", ROOT / "build" / "node_modules"))
SCREENSHOTS = ROOT / "build" / "screenshots"
# What would change how JupyterLab, its kernels and the figures in them behave.
FOREIGN = ("JUPYTER", "IPYTHON", "PYTHON", "KERAS", "MPL", "MATPLOTLIB", "VAE_COURSE", "XDG_")


def find_chromium():
    """Return the path of Chromium or Chrome, or None."""
    named = os.environ.get("VAE_COURSE_CHROMIUM")
    names = [named] if named else ["chromium", "chromium-browser", "google-chrome", "chrome"]
    return next(filter(None, map(shutil.which, names)), None)


@contextlib.contextmanager
def serve(folder, data, parameters):
    """Serve the lessons with JupyterLab as it is on its first start, whoever starts it.

    Args:
        folder: An empty folder for copies of the lessons, and for a home with the user's settings.
        data: The `Digits` that the lessons are to use.
        parameters: Values for those parameters of the lessons that have these names.

    Yields:
        The address of JupyterLab, without a slash at its end.
    """
    (folder / "lessons").mkdir()
    for path in (ROOT / "notebooks").glob("*.*"):
        copy = with_parameters(path.read_text(encoding="utf-8"), parameters)
        (folder / "lessons" / path.name).write_text(copy, encoding="utf-8")
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}'  # else a question covers the page
    )
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
        *(f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True"),
        *("--KernelManager.transport_encryption=auto", f"--notebook-dir={folder / 'lessons'}"),
    ]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment(folder, data), stdout=log, stderr=log)
    try:
        yield _address(server, folder)
    finally:
        server.terminate()  # JupyterLab ends its kernels
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()


def with_parameters(lesson, parameters):
    """Replace values in the lines of a notebook file that set parameters: `"epochs = 5  # how often"`."""
    for name, value in parameters.items():
        lesson = re.sub(rf'^( *"{name} = )[\w.]+(  #)', rf"\g<1>{value!r}\2", lesson, flags=re.M)
    return lesson


def environment(folder, data):
    """Return this process's environment with a home of its own, and without what a user's settings change."""
    home = folder / "home"
    home.mkdir()
    kept = {name: text for name, text in os.environ.items() if not name.upper().startswith(FOREIGN)}
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return kept | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "XDG_CACHE_HOME": cache,  # Matplotlib needs seconds to list a machine's fonts anew
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "OMP_NUM_THREADS": "1",  # on a busy machine, threads wait for each other 40 times as long
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "VAE_COURSE_DATASET": "mnist" if data.name == "MNIST" else "digits",
        "VAE_COURSE_DATA": data.source if data.name == "MNIST" else "",
    }


def _address(server, folder):
    """Wait for the file in which a server writes, once it listens, at which port that is."""
    for _ in range(1200):
        log = (folder / "server.log").read_text()
        if server.poll() is not None:
            raise RuntimeError(f"JupyterLab did not start:\n{log}")
        for file in (folder / "runtime").glob("jpserver-*.json"):
            with contextlib.suppress(ValueError):  # not yet written to its end
                return f"http://127.0.0.1:{json.loads(file.read_text())['port']}"
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start within two minutes:\n{log}")
