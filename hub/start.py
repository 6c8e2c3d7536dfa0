"""Start a JupyterHub on this machine for trying out, with nbgrader's exchange: `make hub` runs this."""

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil

from vae_course.atomic import write_text
from vae_course.runs.files import lock
from vae_course.teaching import release

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "hub"
PROXY = BUILD / "proxy"
NODE = 18  # the oldest that the proxy runs on
SIGNALS = (signal.SIGINT, signal.SIGTERM, *([] if os.name == "nt" else [signal.SIGHUP]))
SECONDS = 120  # for the hub to answer
WORDS = """
JupyterHub is at {address}, for TRYING OUT, and for this machine only.
  The instructor logs in as   instructor   with the password   {instructor}
  Students choose any name    ada, ben ... with the password   {student}
All of them share your account of this machine: each can read and change the files of the others, and yours.
To teach a class, see "On a JupyterHub" in TEACHING.md.
Homes, exchange, grades and logs are in {folder}. They are still there when you start the hub again.
Ctrl-C stops it.
"""


def main():
    """Start the hub, and stop it with all that it has started on Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--folder", type=Path, default=BUILD)
    options = parser.parse_args()
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)
    try:
        run(options.folder.resolve(), options.port)
    except KeyboardInterrupt:
        print("\nThe hub has stopped.")
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"make hub: {error}")


def run(folder, port):
    """Run the hub until it ends or is interrupted.

    Args:
        folder: Path of the folder for all that it writes.
        port: Where on 127.0.0.1 it listens.

    Raises:
        RuntimeError: If something that it needs is missing or taken.
    """
    if os.name == "nt":
        raise RuntimeError("JupyterHub does not run on Windows itself: use WSL, a Mac, or Linux.")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock(folder))
        except BlockingIOError as error:
            raise RuntimeError(
                f"it is running already, in {folder}: use or stop that one."
            ) from error
        check_free(port)
        known = {"proxy": install_proxy(), "port": port, **passwords(folder)}
        known["hub_port"], known["proxy_port"] = free_ports(2)
        write_text(folder / "hub.json", json.dumps(known, indent=1))
        (folder / "hub.json").chmod(0o600)
        print("Releasing the exercises, which takes a minute the first time.", flush=True)
        release.make_zip(folder / "homes" / "instructor")
        (folder / "exchange").mkdir(exist_ok=True)
        (folder / "exchange").chmod(0o777)
        serve(folder, known)


def check_free(port):
    """Raise a `RuntimeError` if something listens at this port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise RuntimeError(
                f"port {port} is taken or out of reach ({error}): choose another one, as in make hub "
                "PORT=8001."
            ) from error


def free_ports(count):
    """Return ports that nothing listens at."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def passwords(folder):
    """Return the passwords of the last time, or new ones."""
    with contextlib.suppress(OSError, ValueError, LookupError):
        known = json.loads((folder / "hub.json").read_text(encoding="utf-8"))
        return {name: known[name] for name in ("student", "instructor")}
    return {"student": secrets.token_hex(4), "instructor": secrets.token_hex(16)}


def install_proxy():
    """Let npm install the hub's proxy, if it is not there as the lock file says; return its command line."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if not node:
        raise RuntimeError(f"the hub's proxy needs Node.js: install node and npm, {NODE} or newer.")
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip()
    if not version[1:].split(".")[0].isdigit() or int(version[1:].split(".")[0]) < NODE:
        raise RuntimeError(
            f"the hub's proxy needs Node.js {NODE} or newer, and {node} is {version}."
        )
    wanted, done = (HERE / "package-lock.json").read_text(), PROXY / "installed.json"
    if not done.exists() or done.read_text() != wanted:
        if not npm:
            raise RuntimeError("the hub's proxy is installed by npm: install npm.")
        PROXY.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, PROXY / name)
        options = ["--prefix", PROXY, "--cache", PROXY / "cache", "--no-audit", "--no-fund"]
        print("Fetching the hub's proxy from npm, 10 MB.", flush=True)
        result = subprocess.run([npm, "ci", *options], capture_output=True, text=True)
        if result.returncode:
            lines = [line for line in result.stderr.splitlines() if "npm error" in line]
            raise RuntimeError(f"npm could not fetch the hub's proxy: {'; '.join(lines[:3])}")
        shutil.rmtree(PROXY / "cache", ignore_errors=True)
        write_text(done, wanted)
    script = PROXY / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
    return [node, str(script)]


def serve(folder, known):
    """Run JupyterHub, tell where it is, and leave no process behind."""
    address, log = f"http://127.0.0.1:{known['port']}", folder / "hub.log"
    command = [sys.executable, "-m", "jupyterhub", "--config", str(HERE / "jupyterhub_config.py")]
    environment = os.environ | {"VAE_COURSE_HUB": str(folder)}
    with log.open("a") as file:
        hub = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,  # so that Ctrl-C reaches only this process, which stops the others
        )
    try:
        wait_until_it_answers(hub, address)
        print(WORDS.format(address=address, folder=folder, **known), flush=True)
        hub.wait()
    finally:
        for number in SIGNALS:  # another Ctrl-C would leave processes behind
            signal.signal(number, signal.SIG_IGN)
        started = []
        with contextlib.suppress(psutil.NoSuchProcess):
            started = psutil.Process(hub.pid).children(recursive=True)
        hub.terminate()  # it stops its users' servers, and they their kernels
        with contextlib.suppress(subprocess.TimeoutExpired):
            hub.wait(timeout=30)
        _, left = psutil.wait_procs(started, timeout=5)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if hub.poll() is None:
            hub.kill()
    raise RuntimeError(f"the hub ended by itself: {log} tells why.")


def wait_until_it_answers(hub, address):
    """Wait until JupyterHub answers behind its proxy."""
    end = time.monotonic() + SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < end and hub.poll() is None:
        with contextlib.suppress(OSError):
            with opener.open(f"{address}/hub/health", timeout=5):
                return
        time.sleep(0.2)
    raise RuntimeError("the hub did not start: hub.log, in its folder, tells why.")


if __name__ == "__main__":
    main()
