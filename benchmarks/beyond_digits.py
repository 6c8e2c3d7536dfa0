"""Repeat two measurements of lesson 9 with more seeds, by running the lesson's own cells.

`python -m benchmarks.beyond_digits alarm` takes 5 minutes on 2 cores, and `bias-mnist` and `bias-digits` take
3 each. They write `alarm.csv`, `bias-mnist.csv` and `bias-digits.csv` into `vae_course/trained`, and the
lesson shows them.
"""

import click
import matplotlib
import nbformat
import numpy as np

from benchmarks.bench import ROOT
from vae_course import pretrained
from vae_course.atomic import write_rows

LESSON = ROOT / "notebooks" / "09_beyond_digits.ipynb"


def run(start, end, **parameters):
    """Run the lesson's cells with other parameters: the first two, and those of one part.

    Args:
        start: Beginning of the first cell of the part.
        end: Name after whose assignment it ends.
        **parameters: Values for names of the lesson's cell of parameters, or for what cells before the part
            assign.

    Returns:
        All names that the cells have assigned, a dictionary.
    """
    code = [cell.source for cell in nbformat.read(LESSON, 4).cells if cell.cell_type == "code"]
    first = next(i for i, source in enumerate(code) if source.startswith(start))
    names = {}
    exec(code[0], names)
    names |= parameters
    for source in [code[1], *code[first:]]:
        exec(source, names)
        if end in names:
            return names
    raise ValueError(
        f"No cell of {LESSON} assigns {end!r}: change the name in this benchmark, too."
    )


def alarm(third, seed):
    """Measure every alarm with one third of the recording as the test.

    Args:
        third: 0, 1 or 2.
        seed: Seed of the VAE. Methods without a seed are measured with seed 1 only.

    Returns:
        List of dictionaries, one for each method.
    """
    names = run("heart = ", "results", third=third, seed=seed)
    rows = []
    for method, (found, true, false, delays) in names["results"].items():
        row = dict(method=method, third=third, seed=seed, beats=len(names["beats_there"]))
        row |= dict(found=found, true=true, false=false, hours=round(names["hours"], 4))
        rows.append(row | dict(delay=round(float(np.median(delays)), 3)))
    return [row for row in rows if seed == 1 or row["method"].startswith("VAE")]


def bias(dataset, seed):
    """Measure what each direction from three to eight does to the colour and to the digit.

    Args:
        dataset: "mnist" or "digits".
        seed: Seed of the pictures and of both models.

    Returns:
        List of dictionaries, one for each direction.
    """
    names = run("painted_images = ", "becomes", dataset=dataset, seed=seed)
    return [
        dict(direction=name, seed=seed)
        | {key: round(float(names[key][name][0]), 3) for key in ("shift", "becomes")}
        for name in names["directions"]
    ]


@click.command()
@click.argument("name", type=click.Choice(["alarm", "bias-mnist", "bias-digits"]))
def main(name):
    """Measure NAME and write its table."""
    matplotlib.use("agg")
    if name == "alarm":
        runs = [alarm(third, seed) for seed in (1, 2, 3) for third in range(3)]
    else:
        runs = [bias(name.split("-")[1], seed) for seed in range(1, 6)]
    write_rows(pretrained.FOLDER / f"{name}.csv", [row for rows in runs for row in rows])


if __name__ == "__main__":
    main()
