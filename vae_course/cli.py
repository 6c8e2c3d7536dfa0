"""The command line: `vae-course run`, `slides`, `train`, `sweep`, `data`, `student`, `grade`, and more."""

import contextlib
import functools
import json
import os
import signal
import sys
import time
import webbrowser
from pathlib import Path

import click

from vae_course import lesson
from vae_course.atomic import check_writable
from vae_course.checks import LIKELIHOODS, MOST_DRAWS
from vae_course.data import CHOICES
from vae_course.runs.files import DATASETS
from vae_course.runs.settings import RECIPES
from vae_course.self_check import check_machine

PACKAGE = Path(__file__).resolve().parent
# In a clone, the lessons are beside the package. A wheel has them inside of it.
CLONE = PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").is_file() else None
LESSONS = (CLONE or PACKAGE) / "notebooks"


class Place(click.Path):
    """A path that is not empty, as that of a variable which is not set would be."""

    def convert(self, value, param, ctx):
        """Return the path, or end with a message that names the option or argument."""
        if not str(value).strip():
            self.fail("it is empty: name a file or folder, or leave it out.", param, ctx)
        return super().convert(value, param, ctx)


FOLDER = Place(file_okay=False, path_type=Path)
dataset_option = functools.partial(click.option, "--dataset", type=click.Choice(CHOICES))
lessons_argument = click.argument("lessons", nargs=-1)
notebooks_option = click.option(
    "--notebooks",
    type=FOLDER,
    default=LESSONS,
    help="Folder of the lessons; by default those that came with this program.",
)


def out_option(default, text):
    """Make the option that names the folder for results."""
    return click.option("--out", type=FOLDER, default=Path(default), help=text, show_default=True)


def workers_option(work):
    """Make the option that says how many workers share the cores of this machine."""
    text = f"How many {work}; by default one for each core, if the memory suffices."
    return click.option("--workers", type=click.IntRange(1), help=text)


class Command(click.Command):
    """A command that tells of errors which a user can fix in one message, without a traceback."""

    def invoke(self, ctx):
        """Run the command; such an error ends with exit status 1, Ctrl-C and SIGTERM with 130."""
        before = [
            signal.signal(signal.SIGINT, signal.default_int_handler),
            signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT)),
        ]
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            cure = "install the course as described in its README."
            raise click.ClickException(f"{error}: {cure}") from error
        except (OSError, ValueError, RuntimeError) as error:
            homeless = str(error).startswith("Could not determine home")  # says Python
            cure = " Set HOME to a folder that you may write to." if homeless else ""
            raise click.ClickException(f"{error}{cure}") from error
        except KeyboardInterrupt:
            click.echo("Interrupted: no file is left half-written.", err=True)
            sys.exit(130)
        except Exception as error:
            # The second is TensorFlow's.
            if type(error).__name__ not in ("MemoryError", "ResourceExhaustedError"):
                raise
            reason = "There is not enough memory: close other programs, or use a smaller model."
            raise click.ClickException(reason) from error
        finally:
            signal.signal(signal.SIGINT, before[0])
            signal.signal(signal.SIGTERM, before[1])


def _make_folder(out, notebooks):
    """Create the folder for results, or raise an error before anything runs."""
    if out.resolve().is_relative_to(notebooks.resolve()):
        raise ValueError(
            f"{out} is inside the lessons' folder: choose a folder outside {notebooks} with --out."
        )
    check_writable(out)
    out.mkdir(parents=True, exist_ok=True)


def _check_clone(command):
    """Raise an error if the files that a command changes or packs are not there, as in a wheel."""
    if not CLONE:
        raise ValueError(
            f"`vae-course {command}` works in a clone of the course's repository only: see its README."
        )


@click.group()
@click.version_option(package_name="vae-course")
def main():
    """Run, fetch and maintain the course on variational autoencoders."""


main.command_class = Command


@main.command()
@lessons_argument
@dataset_option(
    default="auto",
    envvar="VAE_COURSE_DATASET",
    help="Real MNIST, the embedded digits, or (auto) MNIST if available and else the embedded digits.",
)
@click.option(
    "--profile",
    type=click.Choice(["quick", "full"]),
    default="quick",
    help="quick loads the shipped models; full trains those of lessons 1, 5, 6 and 7 anew, for this run.",
)
@out_option("build/course", "Folder for the site made of the executed lessons.")
@click.option("--strict", is_flag=True, help="Fail if a number differs from its expected value.")
@workers_option("lessons run at the same time")
@notebooks_option
def run(lessons, dataset, profile, out, strict, workers, notebooks):
    """Execute LESSONS ("01", "05" ...), or all of them, and report what they measured.

    What they show becomes a web site, which opens by double click and needs no network.
    """
    start = time.perf_counter()
    check_machine()
    from vae_course.data import load_digits
    from vae_course.teaching import report, site
    from vae_course.teaching.notebooks import find_lessons
    from vae_course.teaching.side_by_side import execute_all

    paths = find_lessons(notebooks, lessons)
    data = load_digits(dataset)  # only once, so that all lessons use the same data
    _make_folder(out, notebooks)
    os.environ.pop("VAE_COURSE_DATASET", None)  # each lesson gets it as a parameter
    wanted = {"dataset": DATASETS[data.name]}
    click.echo(f"Data set: {data.name} ({data.source})")
    results = execute_all(paths, out, wanted | {"retrain": profile == "full"}, workers)
    click.echo(f"\n{report.table(results)}\n")
    click.echo(f"{len(results)} lesson(s) in {time.perf_counter() - start:.0f} s")
    for result in results:
        if result.error:
            kept = out / f"{result.name}.ipynb"
            told = f", kept as {kept}" if kept.exists() else ""
            click.echo(f"{result.status} {result.name}{told}\n  {result.error}", err=True)
    differing = report.differing(results)
    if differing:
        click.echo("\n".join(differing), err=True)
    elif any(result.expected for result in results):
        click.echo("All numbers are as expected, up to chance and differences between machines.")
    index, warnings = site.build(results, out, notebooks)
    for warning in warnings:
        click.echo(warning, err=True)
    click.echo(f"Open {index}")
    statuses = {result.status for result in results}
    failed = "FAILED" in statuses or (strict and differing)
    sys.exit(130 if "interrupted" in statuses else 1 if failed else 0)


@main.command()
@lessons_argument
@out_option("build/slides", "Folder for the decks, PDFs and index.")
@notebooks_option
def slides(lessons, out, notebooks):
    """Make slides from LESSONS, or all, as they were last executed: HTML that needs no network, and PDF.

    Explorers are live on the slides of notebooks that `vae-course run` has executed, which it keeps in
    build/course. Elsewhere they are still pictures.
    """
    from vae_course.teaching.notebooks import find_lessons
    from vae_course.teaching.slides import STILLS, build, write_index, write_pdfs

    start = time.perf_counter()
    _make_folder(out, notebooks)
    decks = build(find_lessons(notebooks, lessons), out)
    good = [out / f"{deck.name}.html" for deck in decks if not deck.error]
    printed = write_pdfs(good)
    index = write_index(decks, out)
    for deck in decks:
        if deck.error:
            click.echo(f"FAILED {deck.name}\n  {deck.error}", err=True)
        else:
            click.echo(f"{deck.name}: {len(deck.titles)} slides")
    click.echo(f"{len(good)} deck(s) in {time.perf_counter() - start:.0f} s; {printed}")
    if good and not any(deck.live for deck in decks):
        click.echo(STILLS)
    click.echo(f"Open {index}")
    sys.exit(len(good) < len(decks))


@main.command()
@click.argument("folder", type=FOLDER, default=Path("vae-course"))
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def lab(folder, options):
    """Copy the lessons to FOLDER ("vae-course" if you name none), and open JupyterLab there.

    Whatever you have changed there stays as it is. To begin a lesson afresh, delete or rename your copy, and
    call this command again. OPTIONS after "--" go to JupyterLab: `vae-course lab FOLDER -- --no-browser`.
    """
    from vae_course.teaching import lab

    if str(folder).startswith("-"):  # no folder was named, only options
        folder, options = Path("vae-course"), (str(folder), *options)
    check_writable(folder)
    kept = lab.copy_lessons(LESSONS, folder)
    click.echo(f"Your lessons are in {folder.absolute()}")
    if kept:
        click.echo(f"You have changed these, so they stay as they are: {', '.join(kept)}")
    if files := lab.files_in_the_way(folder):
        click.echo(
            f"These files hide modules of Python, so no kernel may start: rename {', '.join(files)}"
        )
    sys.exit(lab.open_jupyterlab(folder, options))


@main.command()
@lessons_argument
@out_option("build/site", "Folder for the site.")
@notebooks_option
def site(lessons, out, notebooks):
    """Make a web site from LESSONS, or all, as they were last executed. It needs no network.

    Explorers are live on the pages of notebooks that `vae-course run` has executed, which it keeps in
    build/course together with a site of its own. Elsewhere they are still pictures.
    """
    from vae_course.teaching import site
    from vae_course.teaching.notebooks import find_lessons, stored

    start = time.perf_counter()
    _make_folder(out, notebooks)
    # What `vae-course run` left has neither exercises nor expected numbers beside it.
    home = notebooks if (notebooks / "numbers.json").exists() else LESSONS
    results = [stored(path, out, home) for path in find_lessons(notebooks, lessons)]
    for result in results:
        if result.error:
            click.echo(f"{result.status} {result.name}\n  {result.error}", err=True)
    index, warnings = site.build(results, out, home)
    for warning in warnings:
        click.echo(warning, err=True)
    failed = [result for result in results if result.error]
    good = len(results) - len(failed)
    click.echo(f"{good} lesson(s) in {time.perf_counter() - start:.0f} s")
    if home == notebooks:
        click.echo(
            "Its explorers are still pictures. `vae-course run` makes a site with live ones."
        )
    click.echo(f"Open {index}")
    sys.exit(bool(failed))


@main.command()
@click.option(
    "--recipe",
    type=click.Choice(RECIPES),
    help="The lecture's recipe, a fast one (the default), the best one, which takes an hour on MNIST, or one "
    "for 2-D maps.",
)
@dataset_option(help="MNIST, the embedded digits, or (auto, the default) MNIST if it can be found.")
@click.option(
    "--images",
    type=Place(),
    metavar="PLACE",
    help="Train on your own pictures instead: a folder with its subfolders, or an .npy or .npz file.",
)
@click.option(
    "--side",
    type=int,
    help="Pixels of a side, a multiple of 4; by default the median of your pictures' shorter sides, but at "
    "most 64.",
)
@click.option("--epochs", type=int, help="Number of epochs; by default that of the recipe.")
@click.option("--latent-dim", type=int, help="Number of latent dimensions; 100 by default.")
@click.option("--beta", type=float, help="Weight of the KL term; 1 by default.")
@click.option(
    "--likelihood",
    type=click.Choice(LIKELIHOODS),
    help="What a pixel is, given z: the lecture's (gaussian, the default), normal with a learned variance, "
    "0 or 1 (bernoulli: each pixel is made black or white by lot, white as often as its grey value says), or "
    "between (continuous-bernoulli).",
)
@click.option(
    "--draws",
    type=int,
    help="Draws of z for each image: 1, the default, trains by the ELBO, and more, with a beta of 1, by the "
    "importance-weighted bound.",
)
@click.option("--seed", type=int, help="Seed for weights, noise and image order; 1 by default.")
@click.option(
    "--out",
    type=Place(path_type=Path),
    help="Folder for the run; by default build/train/RECIPE-LATENT_DIM-DATA, followed by the likelihood "
    "if it is not gaussian. No other setting is in its name.",
)
@click.option("--resume", is_flag=True, help="Resume the run in that folder with its own settings.")
def train(out, resume, images, side, **wanted):
    """Train a VAE.

    Ctrl-C leaves a usable model, and on the same machine --resume continues to exactly the same result.
    """
    from vae_course.runs import report, settings

    check_machine()
    out, card, data = settings.choose(out, wanted, resume, images, side)
    if data:
        click.echo(f"Data set: {data.name} ({data.source})")
        if hasattr(data, "left_out"):
            click.echo(report.of_pictures(data))
        lesson.load_tensorflow()
        from vae_course.runs import train

        card = train.train(out, card, data)
    else:
        click.echo("This run is already complete.")
    click.echo(report.of_training(card, out), err=card["status"] == "diverged")
    sys.exit({"complete": 0, "interrupted": 130, "diverged": 1}[card["status"]])


scheduler_option = click.option(
    "--scheduler",
    metavar="tcp://HOST:PORT",
    help="Use the Dask cluster with this scheduler; by default, this machine's cores.",
)


def _check_places(scheduler, workers):
    if scheduler is not None and workers:
        raise ValueError(
            f"--workers {workers} is for this machine, and {scheduler} has its own: leave out one option."
        )


@main.command()
@click.argument("recipe", type=Place(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=FOLDER, help="Folder of the sweep; by default build/sweep/RECIPE.")
@scheduler_option
@workers_option("processes work on this machine")
def sweep(recipe, out, scheduler, workers):
    """Train the grid of models in RECIPE, a YAML file, and write one table of their scores.

    RECIPE has a value or a list of values, as in `beta: [0.1, 1, 10]`, for some of these settings: recipe,
    dataset, epochs, latent_dim, beta, likelihood, draws and seed. The same command goes on where it was
    stopped, and trains no run twice. The table has nan for runs that diverged.
    """
    from vae_course.runs import grid, sweep

    check_machine()
    _check_places(scheduler, workers)
    out = out or Path("build", "sweep", recipe.stem)
    wanted = grid.read_grid(recipe)
    try:
        table, troubles = sweep.sweep(wanted, out, scheduler, workers)
    except KeyboardInterrupt:
        click.echo(
            f"{out} keeps the finished runs: the same command goes on with the others.", err=True
        )
        raise
    for name, reason in troubles.items():
        click.echo(f"{name}: {reason}", err=True)
    missing = len(grid.runs_of(wanted)) - len(table)
    if table:
        click.echo(f"{len(table)} run(s) are in {out / 'table.csv'}")
    if missing:
        click.echo(f"{missing} run(s) failed: the same command tries them again.", err=True)
    sys.exit(missing > 0)


place_option = click.option(
    "--images",
    "place",
    type=Place(),
    metavar="PLACE",
    help="Where the pictures of a run are now, if they were moved.",
)


@main.command()
@click.argument("model", type=Place())
@dataset_option(help="Which test images to use; by default those of the model's own data set.")
@click.option(
    "--log-likelihood",
    "draws",
    type=click.IntRange(1, MOST_DRAWS),
    metavar="K",
    help="Estimate log p(x), too, by K draws for each image; 5000 in the papers, which takes half an hour on "
    "MNIST.",
)
@click.option(
    "--first",
    type=click.IntRange(2),  # one image has no standard error
    help="For log p(x), use only this many test images, from the first on.",
)
@place_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def evaluate(model, dataset, draws, first, place, as_json):
    """Score MODEL: a .keras file, a folder written by train, or a shipped model such as vae-100-mnist."""
    if first and not draws:
        raise click.UsageError("--first is for log p(x): add --log-likelihood, or leave it out.")
    if place and dataset:
        raise click.UsageError(
            "--images and --dataset name two different data sets: leave one out."
        )
    from vae_course.data import load_digits
    from vae_course.runs.report import of_scores
    from vae_course.runs.settings import data_of

    with contextlib.redirect_stdout(sys.stderr):
        lesson.load_tensorflow()
        from vae_course.runs import evaluate, load

        opened, card = load.open_model(model)
        own = place or (card and not dataset)
        data = data_of(card or {}, place) if own else load_digits(dataset or "auto")
        report = {"model": model, **evaluate.report(opened, card, data, draws=draws, images=first)}
    click.echo(json.dumps(report) if as_json else f"{model}: {of_scores(report)}")


@main.command()
@click.argument("model", type=Place())
@place_option
@click.option(
    "--out",
    type=Place(path_type=Path, dir_okay=False),
    help="The page; by default explore.html in the folder of the run, or in build.",
)
@click.option("--no-browser", is_flag=True, help="Only write the page, and print its path.")
def explore(model, place, out, no_browser):
    """Open the explorers on MODEL: a .keras file, a folder written by train, or a shipped model.

    They are one web page, which needs neither Python nor a network.
    """
    from vae_course.runs.settings import data_of

    folder = Path(model) if Path(model).is_dir() else Path("build")
    out = out or folder / "explore.html"
    check_writable(out.parent)
    lesson.load_tensorflow()
    from vae_course.data import load_digits
    from vae_course.runs import explore, load

    opened, card = load.open_model(model)
    data = data_of(card or {}, place) if card or place else load_digits()
    out.parent.mkdir(parents=True, exist_ok=True)
    explore.write_page(out, opened, data, model)
    click.echo(f"Open {out}")
    if not no_browser:
        webbrowser.open(out.resolve().as_uri())


@main.command()
@click.option("--check", is_flag=True, help="Only check existing files; download nothing.")
def data(check):
    """Download MNIST ahead of class, and say where it is."""
    from vae_course.mnist import check_mnist, fetch_mnist

    if not check:
        click.echo(f"MNIST is at {fetch_mnist()}")
        return
    places = check_mnist()
    for place, path, message, _ in places:
        click.echo(f"{place}: {path or '-'}: {message}")
    good = [ok for _, path, _, ok in places if path]
    if not good:
        raise ValueError("MNIST is in none of these places. To download it: vae-course data")
    sys.exit(not all(good))


@main.command()
@out_option("build/student", "Folder for the zip.")
def student(out):
    """Release the exercises: one zip without solutions, with the package and instructions."""
    _check_clone("student")
    from vae_course.teaching import release

    click.echo(f"For students: {release.make_zip(out)}")
    click.echo(f"For grading with nbgrader: {out / 'nbgrader'}")


@main.command()
@click.argument("submissions", type=Place(exists=True, path_type=Path))
@out_option("build/student/nbgrader", "nbgrader's folder with its gradebook, made by student.")
@click.option(
    "--cage",
    type=click.Choice(["bubblewrap", "docker", "podman", "none"]),
    help="What separates the students' code from this machine; bubblewrap by default.",
)
@click.option(
    "--trust-students", is_flag=True, help="Run their code without a cage if there is none."
)
@scheduler_option
@workers_option("processes work on this machine")
@click.option(
    "--feedback", is_flag=True, help="Also write a page for each notebook, for its student."
)
def grade(submissions, out, cage, trust_students, scheduler, workers, feedback):
    """Grade SUBMISSIONS: a folder with one folder for each student, or what Moodle or Canvas gave you.

    Each notebook runs in a cage, without network, and sees only its own files and the course.
    """
    check_machine()
    _check_places(scheduler, workers)
    from vae_course.grading import grade, report

    rows = grade.grade(submissions, out, grade.EXERCISES, cage, trust_students, scheduler, workers)
    click.echo(report.table(rows))
    if any(row["problem"] == grade.INTERRUPTED for row in rows):
        raise KeyboardInterrupt
    report.write_tables(rows, out)
    click.echo(f"Written to {out / 'grades.csv'} and {out / 'tasks.csv'}")
    failed = report.write_feedback(rows, out) if feedback else []
    for line in failed:
        click.echo(line)
    sys.exit(any(row["problem"] for row in rows) or bool(failed))


@main.command()
@lessons_argument
@notebooks_option
def refresh(lessons, notebooks):
    """Execute LESSONS and exercises ("01", "ex01" ...), or all, and store their outputs on MNIST.

    Lessons are executed on the embedded digits, too. What they measure is stored in numbers.json, and the
    numbers cited in the texts are updated.
    """
    if notebooks == LESSONS:
        _check_clone("refresh")
    os.environ["VAE_COURSE_DATASET"] = "mnist"
    check_machine()
    from vae_course.teaching.notebooks import cite, find_lessons, refresh

    for path in find_lessons(notebooks, lessons, exercises=True):
        refresh(path)
    cite(notebooks)


@main.command()
@click.argument("files", nargs=-1, type=Place(exists=True, dir_okay=False, path_type=Path))
def tidy(files):
    """Remove execution noise from notebook FILES, and keep their outputs."""
    from vae_course.teaching import notebooks

    changed = False
    for file in files:
        if notebooks.tidy(file):
            click.echo(f"tidied {file}")
            changed = True
    sys.exit(changed)  # as pre-commit expects of a hook that changes files
