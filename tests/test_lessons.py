"""Every lesson and every exercise with its solutions, executed by papermill with small parameters."""

import re

import nbformat
import papermill
import pytest
from pins import ROOT

from vae_course import pretrained
from vae_course.teaching import notebooks

PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXERCISES = sorted((ROOT / "notebooks" / "exercises").glob("*.ipynb"))
SMALL = {
    "draws": 1010,
    "epochs": 1,
    "images": 10,
    "kernels": 20,
    "most_samples": 1000,
    "pairs": 20,
    "repeats": 10,
    "samples": 200,
    "train_images": 200,
}


@pytest.mark.parametrize("path", PATHS + EXERCISES, ids=lambda path: path.stem)
def test_it_runs_with_small_parameters(path, tmp_path, capfd):
    """No cell fails, nothing warns, in the notebook or on the terminal; key numbers are of the right data.

    On the embedded digits, which are everywhere; nbval runs each lesson with its own parameters on
    whatever `auto` finds.
    """
    result = notebooks.execute(path, tmp_path, SMALL | {"dataset": "digits"})
    assert not result.error
    assert result.dataset == "embedded digits"
    if path in EXERCISES:
        assert result.numbers["checks_solved"] == result.numbers["checks_in_all"] >= 5
    notebook = nbformat.read(tmp_path / path.name, as_version=4)
    errors = [
        o.text for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == "stderr"
    ]
    assert not errors
    without_bar = re.sub(rf"{path.stem}:[^\]\n]*\]", "", capfd.readouterr().err)
    assert not without_bar.strip()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_it_trains_anew_where_it_can(path, tmp_path):
    """`retrain = True` leads through to the end as well, with a model that is not the shipped one."""
    if "retrain" not in papermill.inspect_notebook(str(path)):
        return
    anew = {"dataset": "digits", "retrain": True, "retrain_epochs": 1}
    result = notebooks.execute(path, tmp_path, SMALL | anew)
    assert not result.error
    measured = "loss" if "loss" in result.numbers else "kl"
    kind = "ae-2" if path.stem.startswith("01") else "vae-100"
    _, card = pretrained.load(f"{kind}-digits")
    assert abs(result.numbers[measured] / card["test_scores"][measured] - 1) > 0.2
