"""Measure the course's speed: `make bench`, or `make bench FULL=1`."""

import contextlib
import dataclasses
import datetime
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
import psutil

from benchmarks.report import render
from benchmarks.turns import ENVIRONMENT, WorkerError, conduct

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("vae-course", "tensorflow", "keras", "tf-keras", "torch", "numpy")
COURSE = "benchmarks.worker_course"
STARTUP = """
import json, time
times = [time.perf_counter()]
import vae_course
times.append(time.perf_counter())
from vae_course.lesson import begin
begin(1)
times.append(time.perf_counter())
from vae_course import pretrained
pretrained.load("vae-100-mnist")
times.append(time.perf_counter())
print(json.dumps([after - before for before, after in zip(times, times[1:])]))
"""
STEPS = ("import vae_course", "begin(1)", "load the checkpoint")


@dataclasses.dataclass(frozen=True)
class Plan:
    """Hold how much is measured; each contestant takes one more turn before, as a warm-up."""

    mode: str
    images: int  # in a turn
    turns: int
    seeds: int  # of the fast recipe
    startups: int
    decodings: tuple  # repeats with many images, and with one
    whole: bool  # whether the script trains its 50 epochs, and the fast recipe all of its own


SHORT = Plan("short", 12_800, 5, seeds=1, startups=3, decodings=(3, 40), whole=False)
FULL = Plan("full", 60_000, 7, seeds=3, startups=5, decodings=(7, 300), whole=True)


def epochs_contest(plan):
    """List who takes part in the contest of epochs, in the form that `conduct` takes."""
    common = {"images": plan.images, "seed": 1, "turns": plan.turns + 1}
    script, fast = common, {**common, "recipe": "fast"}
    if plan.whole:
        script = {**script, "turns": 50, "passes": 5}
        fast |= {"turns": None, "passes": 5}
    legacy = {"TF_USE_LEGACY_KERAS": "1"}
    contest = {
        "script": ("benchmarks.worker_legacy", "train", script, legacy),
        "lecture": (COURSE, "train", {**common, "recipe": "lecture"}),
    }
    for seed in range(1, plan.seeds + 1):
        contest[f"fast-{seed}"] = (COURSE, "train", {**fast, "seed": seed})
    if importlib.util.find_spec("torch"):
        contest["torch"] = ("benchmarks.worker_torch", "train", common)
    return contest | {"matmul": (COURSE, "matmul", {"turns": plan.turns + 1})}


def measure_startup():
    """Return the seconds of each of a lesson's first steps in a fresh interpreter, and of all together."""
    start = time.perf_counter()
    environment = {**os.environ, **ENVIRONMENT}
    command = [sys.executable, "-c", STARTUP]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    steps = dict(zip(STEPS, json.loads(done.stdout.splitlines()[-1]), strict=True))
    return {**steps, "all": time.perf_counter() - start}


def measure(plan, say):
    """Measure everything and return plain values; call `say` with a line of progress now and then."""
    few, many = plan.decodings
    decoding = (COURSE, "decode", {"repeats": few, "single_repeats": many})
    return {
        "mode": plan.mode,
        "images_per_turn": plan.images,
        "machine": describe(),
        "startup": [measure_startup() for _ in range(plan.startups)],
        "decoding": conduct({"decoding": decoding})["decoding"]["turns"][0],
        "contest": conduct(epochs_contest(plan), say),
    }


def describe():
    """Return hardware, versions and date as plain values, but not the name of the machine."""
    cpu, cpuinfo = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    system = f"{platform.system()} {platform.release()}"
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        cpu, system = (models or [cpu])[0], platform.freedesktop_os_release()["PRETTY_NAME"]
    elif platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        cpu = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    return {
        "cpu": cpu,
        "cores": psutil.cpu_count(logical=False) or psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": system,
        "python": platform.python_version(),
        "versions": versions,
        "date": datetime.date.today().isoformat(),
    }


def require(plan):
    """Stop before anything is measured if something other than PyTorch is missing.

    Raises:
        click.ClickException: If legacy Keras or MNIST is missing.
    """
    from vae_course.mnist import CorruptedDataError, DataNotFoundError, fetch_mnist

    if not importlib.util.find_spec("tf_keras"):
        raise click.ClickException("tf-keras is missing. Run `make bench`, which installs it.")
    needed = 1.1e9 * len(epochs_contest(plan))  # because all workers are alive at once
    if psutil.virtual_memory().available < needed:
        words = f"Less than {needed / 1e9:.0f} GB of memory are free. Close other programs."
        click.echo(words, err=True)
    try:
        fetch_mnist()
    except (CorruptedDataError, DataNotFoundError) as error:
        raise click.ClickException(str(error)) from None


@click.command()
@click.option("--full", is_flag=True, help="Measure whole epochs and trainings (30 minutes, 8 GB).")
@click.option("--write", is_flag=True, help="Write benchmarks/RESULTS.md; a full run always does.")
def main(full, write):
    """Measure how fast the course trains, decodes and starts, print it, and save it in build/bench.json."""
    plan = FULL if full else SHORT
    require(plan)
    try:
        results = measure(plan, lambda line: click.echo(line, err=True))
    except (WorkerError, subprocess.CalledProcessError) as error:
        raise click.ClickException(str(error)) from None
    path = ROOT / "build" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1, default=float) + "\n", encoding="utf-8")
    text = render(results)
    click.echo(text)
    if full or write:
        (ROOT / "benchmarks" / "RESULTS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
