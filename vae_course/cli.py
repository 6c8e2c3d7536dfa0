"""The command line: `vae-course run`, `data`, `refresh`, `tidy`."""

import contextlib
import os
import sys
import time
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
notebooks_option = click.option(
    "--notebooks",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "notebooks",
    help="Folder of the lessons; by default the one beside the package.",
)


@contextlib.contextmanager
def _told_without_traceback():
    """Turn what a user can mend into one message and exit status 1."""
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error


@click.group()
@click.version_option(package_name="vae-course")
def main():
    """Run, fetch and maintain the course on variational autoencoders."""


@main.command()
@click.argument("lessons", nargs=-1)
@click.option(
    "--dataset",
    type=click.Choice(["auto", "mnist", "digits"]),
    default="auto",
    envvar="VAE_COURSE_DATASET",
    help="Real MNIST, the embedded digits, or (auto) the first of the two that is to be had.",
)
@click.option(
    "--profile",
    type=click.Choice(["quick", "full"]),
    default="quick",
    help="quick loads shipped models, full trains them anew.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("build/course"),
    help="Folder for executed notebooks, pages and the index.",
)
@notebooks_option
def run(lessons, dataset, profile, out, notebooks):
    """Execute LESSONS ("01", "05" ...), or all of them, in order."""
    from vae_course import course, pages
    from vae_course.data import load_digits

    with _told_without_traceback():
        paths = course.find_lessons(notebooks, lessons)
        data = load_digits(dataset)  # asked once: the lessons take what was found here
        out.mkdir(parents=True, exist_ok=True)
    os.environ.pop("VAE_COURSE_DATASET", None)  # every lesson is told by its parameter
    wanted = {
        "dataset": "digits" if data.name == "embedded digits" else "mnist",
        "retrain": profile == "full",
    }
    click.echo(f"Data set: {data.name} ({data.source})")
    start = time.perf_counter()
    results = [course.execute(path, out, wanted) for path in paths]
    click.echo(f"\n{pages.table(results)}\n")
    click.echo(f"{len(results)} lesson(s) in {time.perf_counter() - start:.0f} s")
    click.echo(f"Open {pages.write_index(results, out)}")
    failed = [result for result in results if result.error]
    for result in failed:
        click.echo(f"FAILED {result.name}, kept as {out / result.name}.ipynb", err=True)
        click.echo(f"  {result.error}", err=True)
    sys.exit(1 if failed else 0)


@main.command()
@click.option("--check", is_flag=True, help="Only verify what is there; download nothing.")
def data(check):
    """Fetch MNIST ahead of class, and say where it is."""
    from vae_course.data import check_mnist, fetch_mnist

    if not check:
        with _told_without_traceback():
            click.echo(f"MNIST is at {fetch_mnist()}")
        return
    good = []
    for place, path, message, ok in check_mnist():
        click.echo(f"{place}: {path or '-'}: {message}")
        good += [ok] if path else []
    if not good:
        raise click.ClickException("MNIST is in none of these places. Fetch it: vae-course data")
    sys.exit(0 if all(good) else 1)


@main.command()
@click.argument("lessons", nargs=-1)
@notebooks_option
def refresh(lessons, notebooks):
    """Execute LESSONS, or all, on MNIST and store their clean outputs in them."""
    from vae_course import course

    os.environ["VAE_COURSE_DATASET"] = "mnist"
    with _told_without_traceback():
        for path in course.find_lessons(notebooks, lessons):
            course.refresh(path)


@main.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def tidy(files):
    """Remove execution noise from notebook FILES, and keep their outputs."""
    from vae_course import course

    with _told_without_traceback():
        changed = [file for file in files if course.tidy(file)]
    for file in changed:
        click.echo(f"tidied {file}")
    sys.exit(1 if changed else 0)  # as pre-commit expects of a hook that changes files
