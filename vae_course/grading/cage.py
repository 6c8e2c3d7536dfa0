"""Run the kernel of one submission in a cage, where it can harm nobody and sees nothing that it should not.

In the cage are the system's programs, this Python with its packages, the course's package without the
exercises' answers, MNIST, and a copy of the submission in the memory disk /submission. All but this is
read-only, and there are no network, no other processes, and none of the caller's environment. Linux does this
by bubblewrap, or a container does. Each process is limited by `prlimit`, and all together by `watch.Watch`.
"""

import functools
import os
import random
import subprocess
import sys
from pathlib import Path

import vae_course
from vae_course import mnist
from vae_course.teaching.kernel import KERNEL, THREADS

KINDS = ("bubblewrap", "docker", "podman", "none")
LIMITS = {
    "seconds": 1800,  # for a notebook, in all
    "cell": 180,  # seconds for a cell
    "memory": 6_000_000_000,  # bytes, of all processes together
    "processes": 400,  # and threads, of which TensorFlow starts some for each core
    "file": 500_000_000,  # bytes
    "disk": 1_000_000_000,  # bytes in /submission
    "output": 20_000_000,  # characters that a notebook may print or show
    "answer": 300_000_000,  # characters of one answer on its way to the judge
}
PACKAGE = Path(vae_course.__file__).parent
# What the cage's package holds of `exercises`: from the name there to the file. None of them holds an answer.
OPEN = {name: f"{name}.py" for name in ("compare", "riddles", "verdict", "wire")} | {
    "__init__": "caged.py"
}
# As the first process. Where it is root, it becomes a user who owns nothing, whom the limits bind.
START = """
umask 0
cp -r /submission-given/. /submission && chmod -R a+rwX . && cat "$1" > .connection.json || exit 1
shift
if [ "$(id -u)" = 0 ] && [ -n "$CAGE_USER" ]; then
  exec setpriv --reuid="$CAGE_USER" --regid="$CAGE_USER" --clear-groups --bounding-set=-all --inh-caps=-all \\
    --no-new-privs "$@"
fi
exec "$@"
"""


def choose(kind=None, trust=False):
    """Return the kind of cage to use, once it is known to work here.

    Args:
        kind: One of `KINDS`, or None for bubblewrap.
        trust: Whether to run submissions without a cage where there is none.

    Returns:
        One of `KINDS`.

    Raises:
        RuntimeError: If this kind does not work here, or none is wanted without trust.
    """
    reason = "--cage none runs the students' code with all of your rights"
    if kind != "none":
        command = [*_command(kind or "bubblewrap", Path("/tmp"), Path("/tmp"), LIMITS), "/bin/true"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            reason = done.returncode and (done.stderr.strip() or "it fails").splitlines()[0]
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = str(error)
    if not reason:
        return kind or "bubblewrap"
    if trust and kind in (None, "none"):
        return "none"
    raise RuntimeError(
        f"There is no cage for the students' code here ({reason}). Install bubblewrap (on Debian and "
        "Ubuntu: apt install bubblewrap), choose --cage docker or podman, or, if you have read their code or "
        "would let them use your account, add --trust-students."
    )


def kernel_spec(kind, given, limits, folder):
    """Return what Jupyter needs to know to start the kernel of a submission in a cage.

    Args:
        kind: One of `KINDS`, except "none".
        given: Path of the folder with the submission's files.
        limits: Dictionary with the keys of `LIMITS`.
        folder: Path of the folder for the kernel's connection file and sockets.

    Returns:
        Dictionary with "argv" and "interrupt_mode".
    """
    folder.chmod(0o777)
    inside = ["/bin/sh", "-c", START, "sh", "{connection_file}"]
    bounds = {"as": 4 * limits["memory"], "nproc": limits["processes"], "fsize": limits["file"]}
    inside += ["prlimit", *(f"--{name}={most}" for name, most in bounds.items()), "--core=0"]
    inside += ["timeout", "-k", "5", str(limits["seconds"] + 60)]
    kernel = [sys.executable, *KERNEL, "/submission/.connection.json"]
    argv = [*_command(kind, given, folder, limits), *inside, *kernel]
    return {"argv": argv, "interrupt_mode": "message"}


def _command(kind, given, folder, limits):
    """Return the beginning of a command line, up to what runs in the cage."""
    places = _places()
    places |= {"/submission-given": given}
    environment = _environment() | {"CAGE_USER": str(random.randrange(20_000, 60_000))}
    if kind == "bubblewrap":
        command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
        if os.geteuid() == 0:  # limits bind no root, so it must be able to change its user
            command = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
            command += ["--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
            for name in ("SETUID", "SETGID", "SETPCAP"):
                command += ["--cap-add", f"CAP_{name}"]
        command += ["--proc", "/proc", "--dev", "/dev"]
        for name in ("bin", "sbin", "lib", "lib32", "lib64"):
            if os.path.islink(link := f"/{name}"):
                command += ["--symlink", os.readlink(link), link]
            elif os.path.isdir(link):
                command += ["--ro-bind", link, link]
        command += ["--perms", "1777", "--size", "100000000", "--tmpfs", "/tmp"]
        command += ["--perms", "1777", "--size", "100000000", "--tmpfs", "/dev/shm"]
        parents = {parent for path in [*places, folder] for parent in Path(path).parents}
        for parent in sorted(parents - {Path("/"), Path("/tmp")}):
            command += ["--perms", "0755", "--dir", str(parent)]  # or only root could enter it
        for there, here in places.items():
            command += ["--tmpfs", there] if here is None else ["--ro-bind", str(here), there]
        for name, value in environment.items():
            command += ["--setenv", name, value]
        command += ["--bind", str(folder), str(folder)]
        disk = ["--perms", "0777", "--size", str(limits["disk"]), "--tmpfs", "/submission"]
        return [*command, *disk, "--chdir", "/submission"]
    command = [kind, "run", "--rm", "--init", "--network=none", "--read-only", "--cap-drop=ALL"]
    command += [f"--cap-add={name}" for name in ("SETUID", "SETGID", "SETPCAP")]
    command += [f"--memory={limits['memory']}", f"--pids-limit={limits['processes']}"]
    command += [f"--name={name_of(folder)}", "--user=0", "--workdir=/submission"]
    command += [f"--tmpfs=/submission:mode=0777,exec,size={limits['disk']}"]
    command += ["--tmpfs=/tmp:size=100000000", f"--volume={folder}:{folder}"]
    for there, here in places.items():
        command.append(f"--tmpfs={there}" if here is None else f"--volume={here}:{there}:ro")
    command += [f"--env={name}={value}" for name, value in environment.items()]
    return [*command, os.environ.get("VAE_COURSE_IMAGE", "debian:stable-slim")]


def name_of(folder):
    """Return the name of the container with the sockets in this folder."""
    return "vae-course-" + "-".join(folder.parts[-2:])


@functools.cache
def _mnist():
    """Return the path of MNIST on this machine, or None."""
    return next((place.path for place in mnist.check_mnist() if place.ok), None)


def _places():
    """List what is in the cage, outer folders first: from its path there to its path here, None if empty."""
    places = {"/usr": "/usr"}
    for path in ("/etc/ld.so.cache", "/etc/fonts", "/etc/localtime", "/etc/alternatives"):
        places |= {path: path} if os.path.exists(path) else {}
    for path in (sys.base_prefix, sys.prefix, str(PACKAGE)):
        places[path] = path
    places[str(PACKAGE / "exercises")] = None
    for name, file in OPEN.items():
        places[str(PACKAGE / "exercises" / f"{name}.py")] = PACKAGE / "exercises" / file
    if path := _mnist():
        places[f"/submission-data/{path.name}"] = path
    return places


def _environment():
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": "/submission",
        "LANG": "C.UTF-8",
        "IPYTHONDIR": "/submission/.ipython",
        "MPLCONFIGDIR": "/submission/.matplotlib",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "VAE_COURSE_MIRRORS": "",  # there is no network to wait for
    }
    if path := _mnist():
        environment["VAE_COURSE_DATA"] = f"/submission-data/{path.name}"
    # There are as many workers as cores, and so one thread for each.
    environment |= dict.fromkeys(THREADS, "1")
    kept = ("VAE_COURSE_DATASET", *THREADS)
    return environment | {name: os.environ[name] for name in kept if name in os.environ}
