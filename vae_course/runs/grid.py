"""Read the grid of a sweep from a YAML file, and check all of its runs before the first is trained."""

import contextlib
import math
from itertools import product
from pathlib import Path

import yaml

from vae_course.data import CHOICES
from vae_course.runs import files
from vae_course.runs.settings import DEFAULTS, RECIPES

MOST_RUNS = 1000
EXAMPLE = "Write one setting a line, such as `beta: [0.1, 1, 10]` or `epochs: 6`."


def read_grid(path):
    """Read the settings of a sweep from a YAML file, and check all of its runs.

    Args:
        path: Path of a YAML file with some of the settings of `vae-course train`, each a value or a list.

    Returns:
        Dictionary from each key of `settings.DEFAULTS` to a sorted list of values.

    Raises:
        ValueError: If the file is no YAML, has an unknown or a missing key, or a run's settings are out of
            range.
        OSError: If the file cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        found, lines = yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = getattr(error, "problem_mark", None)
        told = f"line {place.line + 1}: {error.problem}" if place else error
        raise ValueError(f"{path} is no YAML file ({told}). {EXAMPLE}") from error
    if not isinstance(found, dict) or not found:
        raise ValueError(f"{path} holds no settings but {str(found)[:50]!r}. {EXAMPLE}")
    try:
        for key in found.keys() - DEFAULTS.keys():
            raise ValueError(f"{key!r} is no setting: use {', '.join(DEFAULTS)}.")
        if len(lines.value) > len(found):  # YAML takes the last of them
            raise ValueError("it names a setting twice: put all of its values into one list.")
        grid = {key: _values(key, found.get(key, value)) for key, value in DEFAULTS.items()}
        if (count := math.prod(map(len, grid.values()))) > MOST_RUNS:
            raise ValueError(f"it asks for {count:,} runs: shorten its lists to {MOST_RUNS:,}.")
        for run in runs_of(grid):
            _check(run)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return {key: sorted(values) if len(values) > 1 else values for key, values in grid.items()}


def _values(key, found):
    values = found if isinstance(found, list) else [found]
    if key == "beta":
        values = [_number(value) for value in values]
    if not values:
        raise ValueError(f"{key} is an empty list: give it a value, or leave it out.")
    if twice := [value for i, value in enumerate(values) if value in values[:i]]:
        raise ValueError(f"{key} lists {twice[0]!r} twice: remove one.")
    if len(values) > 1 and None in values:
        raise ValueError(f"{key} lists {None!r}, no value: remove it.")
    return values


def _number(value):
    """Return a number as a float; YAML takes 1e-2, which lacks a point, for a text."""
    with contextlib.suppress(ValueError):
        return float(value) if type(value) in (int, float, str) else value
    return value


def _check(run):
    for key, choices in ("recipe", RECIPES), ("dataset", CHOICES):
        if run[key] not in choices:
            raise ValueError(f"{key}={run[key]!r} is unknown: use one of {', '.join(choices)}.")
    files.check_settings(run)


def runs_of(grid):
    """List the settings of every run of a grid.

    Args:
        grid: What `read_grid` returned.

    Returns:
        List of dictionaries, sorted by the keys of `settings.DEFAULTS`, in their order.
    """
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def name_of(grid, run):
    """Name a run by its settings that vary.

    Args:
        grid: As in `runs_of`.
        run: One of its runs.

    Returns:
        Text, such as "beta-0.1_seed-2"; "run" if no setting varies.
    """
    return "_".join(f"{key}-{told(run[key])}" for key in varying(grid)) or "run"


def varying(grid):
    """List the settings that vary from run to run.

    Args:
        grid: As in `runs_of`.

    Returns:
        Those keys of it that have several values.
    """
    return [key for key, values in grid.items() if len(values) > 1]


def told(value):
    """Write a setting as a person would.

    Args:
        value: The setting.

    Returns:
        Text; a beta of 1.0 is 1.
    """
    return str(value).removesuffix(".0")
