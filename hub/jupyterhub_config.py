"""Configure the hub that `make hub` starts for trying out. Do not run a class on it: it separates nobody."""

import json
import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parent / "notebooks"
FOLDER = Path(os.environ["VAE_COURSE_HUB"])  # for all that the hub and its users write
KNOWN = json.loads((FOLDER / "hub.json").read_text(encoding="utf-8"))  # written by start.py
SCRIPTS = Path(sys.executable).parent

c = get_config()  # noqa: F821  (Jupyter defines it here)
c.JupyterHub.bind_url = f"http://127.0.0.1:{KNOWN['port']}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{KNOWN['hub_port']}"
c.JupyterHub.db_url = f"sqlite:///{FOLDER / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(FOLDER / "cookie_secret")
c.JupyterHub.template_vars = {
    "announcement": "This hub is for trying out. All of its users share one account of this machine."
}
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{KNOWN['proxy_port']}"
c.ConfigurableHTTPProxy.command = KNOWN["proxy"]
c.ConfigurableHTTPProxy.pid_file = str(FOLDER / "proxy.pid")

c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = KNOWN["student"]
c.SharedPasswordAuthenticator.admin_password = KNOWN["instructor"]
c.Authenticator.admin_users = {"instructor"}
c.Authenticator.allow_all = True
# It becomes the name of a folder, which `vae-course grade` then takes for the name of a student.
c.Authenticator.username_pattern = r"[^\W_]([\w.-]*[^\W_])?\Z"

c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(FOLDER / "homes" / "{username}")
c.Spawner.cmd = [str(SCRIPTS / "jupyterhub-singleuser")]
c.Spawner.args = ["--allow-root", "--KernelManager.transport_encryption=auto"]
c.Spawner.http_timeout = c.Spawner.start_timeout = 120  # seconds
KEPT = ("VAE_COURSE_DATA", "VAE_COURSE_DATASET", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
c.Spawner.environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {
    "JUPYTER_PREFER_ENV_PATH": "1",
    "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
    "PYTHONNOUSERSITE": "1",
    "PYTHONUTF8": "1",
}
os.environ |= {"VAE_COURSE_SETTINGS": str(HERE), "VAE_COURSE_EXCHANGE": str(FOLDER / "exchange")}
load_subconfig(str(HERE / "course_config.py"))  # noqa: F821
give_role = c.Spawner.pre_spawn_hook


def prepare(spawner):
    """Copy the lessons, to which the exercises' links lead, into a user's home."""
    home = Path(spawner.home_dir)
    home.mkdir(parents=True, exist_ok=True)
    for path in (*NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"), NOTEBOOKS / "rise.css"):
        if not (home / path.name).exists():
            shutil.copyfile(path, home / path.name)
    give_role(spawner)


c.Spawner.pre_spawn_hook = prepare
