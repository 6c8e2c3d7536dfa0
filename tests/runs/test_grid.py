"""The grid of a sweep: what a recipe may say, and that each mistake is told before anything is trained."""

import pytest

from vae_course import training
from vae_course.runs import grid
from vae_course.runs.settings import DEFAULTS, RECIPES


@pytest.fixture
def read(tmp_path):
    """Give a function that reads a recipe with this text."""

    def read(text):
        path = tmp_path / "recipe.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return grid.read_grid(path)

    return read


def test_a_grid_is_the_product_of_all_lists(read):
    """Values may come in any order, and a number in any form; what is not named has its default."""
    found = read("seed: [2, 1]\nbeta: [10, 1e-2, 1]\ndataset: digits\n")
    assert found == {key: [value] for key, value in DEFAULTS.items()} | {
        "dataset": ["digits"],
        "beta": [0.01, 1.0, 10.0],
        "seed": [1, 2],
    }
    runs = grid.runs_of(found)
    assert [(run["beta"], run["seed"]) for run in runs] == [
        (beta, seed) for beta in (0.01, 1, 10) for seed in (1, 2)
    ]
    assert runs[0] == DEFAULTS | {"dataset": "digits", "beta": 0.01}
    assert grid.varying(found) == ["beta", "seed"]
    names = [grid.name_of(found, run) for run in runs]
    assert names[0] == "beta-0.01_seed-1" and names[-1] == "beta-10_seed-2"
    assert grid.name_of(read("epochs: 2"), DEFAULTS) == "run"


def test_every_setting_can_vary(read):
    """Names of likelihoods, data sets and recipes, too."""
    found = read(
        "recipe: [map, fast]\ndataset: [auto, digits]\nepochs: [1, 2]\nlatent_dim: [2, 3]\n"
        "likelihood: [gaussian, bernoulli]\ndraws: [1, 2]\n"
    )
    assert len(grid.runs_of(found)) == len({str(run) for run in grid.runs_of(found)}) == 64


def test_recipes_are_those_of_the_training():
    """`settings` names them without loading TensorFlow."""
    assert RECIPES == tuple(training.RECIPES)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("beta: [1", r"is no YAML file \(line 1.*Write one setting a line"),
        ("beta: 1\n  seed: 2", r"is no YAML file \(line 2"),
        ("beta: \a", "is no YAML file"),
        ("beta: 1\nbeta: 2", "names a setting twice: put all"),
        (b"beta: \xff", "is no YAML file"),
        ("", "holds no settings but 'None'.*Write one"),
        ("just words", "holds no settings but 'just words'"),
        ("- beta", "holds no settings"),
        ("betas: [1]", "'betas' is no setting: use recipe, dataset"),
        ("1: 2", "1 is no setting"),
        ("beta: []", "beta is an empty list: give it a value"),
        ("beta: [1, 1.0]", "beta lists 1.0 twice: remove one"),
        ("beta: [1, much]", "beta='much' is out of range: use a number"),
        ("beta: -1", "beta=-1.0 is out of range"),
        ("beta: .nan", "beta=nan is out of range"),
        ("beta: true", "beta=True is out of range"),
        ("beta: [[1]]", r"beta=\[1\] is out of range"),
        ("beta: {a: 1}", "beta={'a': 1} is out of range"),
        ("beta:", "beta=None is out of range"),
        ("epochs: 1.5", "epochs=1.5 is out of range: use a whole number"),
        ("epochs: [1, null]", "epochs lists None, no value: remove it"),
        ("seed: x", "seed='x' is out of range"),
        ("latent_dim: [2, 0]", "latent_dim=0 is out of range"),
        ("recipe: slow", "recipe='slow' is unknown: use one of lecture, fast"),
        ("dataset: [digits, cifar]", "dataset='cifar' is unknown: use one of auto"),
        ("likelihood: poisson", "likelihood='poisson' is unknown: choose one of"),
        ("draws: 5\nbeta: [1, 2]", "draws=5 needs beta=1, not 2"),
        (f"seed: {list(range(1001))}", "asks for 1,001 runs: shorten its lists to 1,000"),
    ],
)
def test_mistakes_are_told_with_file_key_value_and_cure(read, text, told):
    """Before anything is trained."""
    with pytest.raises(ValueError, match=rf"(?s)recipe\.yaml.*{told}"):
        read(text)
