"""Every lesson, and every exercise with its solutions, is executed by papermill with small parameters."""

import re
import subprocess
import sys

import nbformat
import papermill
import pytest
from lessons import SMALL
from pins import ROOT

from vae_course import lesson, pretrained
from vae_course.teaching import notebooks

PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXERCISES = sorted((ROOT / "notebooks" / "exercises").glob("*.ipynb"))


@pytest.fixture(scope="module", autouse=True)
def tensorflow():
    """Load TensorFlow, whose messages would else be those of the first test that needs it."""
    lesson.load_tensorflow()


@pytest.mark.parametrize("path", PATHS + EXERCISES, ids=lambda path: path.stem)
def test_it_runs_with_small_parameters(path, tmp_path, capfd):
    """No cell fails, nothing warns in the notebook or on the terminal, and key numbers are of the right data.

    This runs on the embedded digits, which are everywhere, and trains anew what can be trained; nbval runs
    each notebook with its own parameters and shipped models on whatever `auto` finds.
    """
    anew = "retrain" in papermill.inspect_notebook(str(path))
    wanted = {"dataset": "digits", "retrain": anew, "retrain_epochs": 1}
    result = notebooks.execute(path, tmp_path, SMALL | wanted)
    assert not result.error
    assert result.dataset == "embedded digits"
    numbers = {name: value for name, (value, _) in result.numbers.items()}
    if path in EXERCISES:
        assert numbers["checks_solved"] == numbers["checks_in_all"] >= 5
    if anew:
        measured = "loss" if "loss" in numbers else "kl"
        shipped = {"01": "ae-2-digits", "07": "vae-50-digits-bernoulli"}
        _, card = pretrained.load(shipped.get(path.stem[:2], "vae-100-digits"))
        assert abs(numbers[measured] / card["test_scores"][measured] - 1) > 0.2
    notebook = nbformat.read(tmp_path / path.name, as_version=4)
    errors = [
        o.text for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == "stderr"
    ]
    assert not errors
    without_bar = re.sub(rf"{path.stem}:[^\]\n]*\]", "", capfd.readouterr().err)
    assert not without_bar.strip()


def test_a_thousand_draws_of_a_hundred_images_fit_into_a_laptop():
    """Decoding them all at once would take 15 GB; the self-check promises that a lesson takes up to 2 GB."""
    code = (
        "import resource, sys, tempfile\n"
        "from pathlib import Path\n"
        "from vae_course.teaching import notebooks\n"
        "wanted = dict(dataset='digits', draws=1000, images=100, epochs=1, train_images=200)\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    result = notebooks.execute(Path(sys.argv[1]), folder, wanted)\n"
        "assert not result.error, result.error\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    path = ROOT / "notebooks" / "07_likelihood.ipynb"
    command = [sys.executable, "-c", code, str(path)]
    kilobytes = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert kilobytes < 2_500_000
