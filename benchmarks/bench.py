"""Measure the course's speed: `make bench`, or `make bench FULL=1`."""

import contextlib
import dataclasses
import importlib.util
import json
import statistics
import sys
import time

import click
import psutil

from benchmarks.conductor import ROOT, Worker, WorkerError, conduct, start
from benchmarks.machine import describe
from benchmarks.report import render
from benchmarks.summary import summarize

LEGACY = {"TF_USE_LEGACY_KERAS": "1"}


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much is measured. The first turn of everything that trains is warm-up, and comes on top."""

    mode: str
    images: int  # in a turn of the contest of epochs, and in a turn for each latent size
    turns: int
    seeds: int  # of the fast recipe
    growth_turns: int
    startups: int
    to_the_end: bool  # the script trains its 50 epochs, the fast recipe all of its own
    passes: int = 5  # evaluations that a score is the mean of
    script_epochs: int = 50
    fast_epochs: int | None = None  # None: the recipe's number
    sizes: tuple = (5_000, 15_000, 60_000)
    latents: tuple = (2, 20, 100, 500)
    dataset: str = "mnist"


SHORT = Plan("short", 12_800, 5, seeds=1, growth_turns=1, startups=3, to_the_end=False)
FULL = Plan("full", 60_000, 7, seeds=3, growth_turns=2, startups=5, to_the_end=True)


def epochs_contest(plan):
    """List who takes part in the contest of epochs: from name to what `conduct` wants."""
    turns = plan.turns + 1
    common = {"images": plan.images, "dataset": plan.dataset}
    script = {**common, "seed": 1, "turns": turns}
    fast = {**common, "recipe": "fast", "turns": turns}
    if plan.to_the_end:
        script |= {"turns": plan.script_epochs, "passes": plan.passes}
        fast |= {"turns": plan.fast_epochs, "passes": plan.passes}
    contest = {
        "script": ("worker_legacy", script, LEGACY),
        "lecture": (
            "worker_course",
            {**common, "recipe": "lecture", "seed": 1, "turns": turns},
            {},
        ),
    }
    for seed in range(1, plan.seeds + 1):
        contest[f"fast-{seed}"] = ("worker_course", {**fast, "seed": seed}, {})
    if importlib.util.find_spec("torch"):
        contest["torch"] = ("worker_torch", {**common, "seed": 1, "turns": turns}, {})
    return contest | {"matmul": ("worker_matmul", {"turns": turns}, {})}


def growth_contest(plan, option, values):
    """Let the fast recipe compete with itself, with other values of one option of its worker."""
    settings = {
        "recipe": "fast",
        "seed": 1,
        "images": plan.images,
        "turns": plan.growth_turns + 1,
        "dataset": plan.dataset,
    }
    return {
        f"{option}={value}": ("worker_course", {**settings, option: value}, {}) for value in values
    }


def measure_growth(plan, option, values, say):
    """Return the median seconds of an epoch for each value of an option, as a list of pairs."""
    facts = conduct(growth_contest(plan, option, values), say)
    seconds = [[turn["seconds"] for turn in worker["turns"][1:]] for worker in facts.values()]
    return [[value, statistics.median(times)] for value, times in zip(values, seconds, strict=True)]


def measure_startup():
    """Return the seconds of a lesson's first steps in a fresh interpreter, and of all of it."""
    with contextlib.ExitStack() as crew:
        worker = Worker("start-up", [sys.executable, "-m", "benchmarks.worker_startup"])
        crew.callback(worker.stop)
        steps = worker.answer()
        return {**steps, "all": time.perf_counter() - worker.started}


def measure_decoding(plan):
    """Return images per second and the milliseconds that decoding one vector takes."""
    few, many = (3, 40) if plan.mode == "short" else (7, 300)
    settings = {"repeats": few, "single_repeats": many, "dataset": plan.dataset}
    with contextlib.ExitStack() as crew:
        worker, _ = start(crew, "decoding", "worker_decode", settings)
        return worker.turn()


def measure(plan, say):
    """Measure everything.

    Args:
        plan: A `Plan`.
        say: Called with a line of progress now and then.

    Returns:
        Dictionary of plain values: what was measured, and `summary`.
    """
    results = {"mode": plan.mode, "images_per_turn": plan.images, "machine": describe()}
    results["startup"] = [measure_startup() for _ in range(plan.startups)]
    results["decoding"] = measure_decoding(plan)
    results["contest"] = conduct(epochs_contest(plan), say)
    results["growth"] = {
        "images": measure_growth(plan, "images", plan.sizes, say),
        "latent_dim": measure_growth(plan, "latent_dim", plan.latents, say),
    }
    return {**results, "summary": summarize(results)}


def require(plan):
    """Say what is missing, before anything is measured; PyTorch may be missing.

    Args:
        plan: A `Plan`.

    Raises:
        click.ClickException: If legacy Keras or MNIST cannot be had.
    """
    from vae_course.data import CorruptedDataError, DataNotFoundError, fetch_mnist

    if not importlib.util.find_spec("tf_keras"):
        raise click.ClickException("tf-keras is missing: run `make bench`, which installs it.")
    if not importlib.util.find_spec("torch"):
        click.echo("PyTorch is not installed: going on without it.", err=True)
    needed = 1.1e9 * len(epochs_contest(plan))  # the workers are alive all at once
    if psutil.virtual_memory().available < needed:
        click.echo(f"Less than {needed / 1e9:.0f} GB of memory are free: close programs.", err=True)
    try:
        fetch_mnist()
    except (CorruptedDataError, DataNotFoundError) as error:
        raise click.ClickException(str(error)) from None


@click.command()
@click.option("--full", is_flag=True, help="Whole epochs and trainings: 35 minutes, 8 GB.")
@click.option("--write", is_flag=True, help="Write benchmarks/RESULTS.md; a full run always does.")
def main(full, write):
    """Measure how fast the course trains, decodes and starts; print it, and keep it in build/bench.json."""
    plan = FULL if full else SHORT
    require(plan)
    try:
        results = measure(plan, lambda line: click.echo(line, err=True))
    except WorkerError as error:
        raise click.ClickException(str(error)) from None
    path = ROOT / "build" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    text = render(results)
    click.echo(text)
    if full or write:
        (ROOT / "benchmarks" / "RESULTS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
