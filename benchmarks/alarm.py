"""Compare the alarms of lesson 9 on all three thirds of the recording, with three seeds for the VAE.

Run it with `python -m benchmarks.alarm`, which takes about 5 minutes on 2 cores. It runs the cells of the
lesson and writes `vae_course/trained/alarm.csv`, which the lesson shows.
"""

import matplotlib
import nbformat
import numpy as np

from benchmarks.bench import ROOT
from vae_course import pretrained
from vae_course.atomic import write_rows

LESSON = ROOT / "notebooks" / "09_part_A.ipynb"
SEEDS = (1, 2, 3)


def measure(third, seed):
    """Run the lesson's cells until they have judged every method.

    Args:
        third: Which third of the recording is the test: 0, 1 or 2.
        seed: Seed of the VAE.

    Returns:
        List of dictionaries, one for each method.
    """
    names = {}
    for cell in nbformat.read(LESSON, 4).cells:
        if cell.cell_type != "code":
            continue
        exec(cell.source, names)
        if "parameters" in cell.metadata.tags:
            names |= dict(third=third, seed=seed)
        if "results" in names:
            break
    rows = []
    for method, (found, true, false, delays) in names["results"].items():
        row = dict(method=method, third=third, seed=seed, beats=len(names["beats_there"]))
        row |= dict(found=found, true=true, false=false, hours=round(names["hours"], 4))
        rows.append(row | dict(delay=round(float(np.median(delays)), 3)))
    return rows


def main():
    """Measure all of them, and keep one row of a method that has no seed."""
    matplotlib.use("agg")
    runs = [measure(third, seed) for seed in SEEDS for third in range(3)]
    rows = [
        r for run in runs for r in run if r["seed"] == SEEDS[0] or r["method"].startswith("VAE")
    ]
    rows.sort(key=lambda row: not row["method"].startswith("VAE"))
    write_rows(pretrained.FOLDER / "alarm.csv", rows)


if __name__ == "__main__":
    main()
