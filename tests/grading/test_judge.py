"""The judge gives the same points as the checks in a notebook, and believes nothing that a kernel says."""

import json
import re
import types

import IPython
import IPython.display
import keras
import nbformat
import numpy as np
import pytest
from keras import layers
from submissions import EARNED, MISTAKES, answers_of

from vae_course.exercises import compare, wire
from vae_course.exercises.verdict import NotYet
from vae_course.grading import clean, judge, models
from vae_course.models import VAE, Sampling, build_decoder, build_encoder
from vae_course.teaching import release

SOURCES = {path.stem[:4]: path for path in sorted(release.EXERCISES.glob("*.ipynb"))}


@pytest.fixture
def kernel(monkeypatch):
    """Give a stand-in for a kernel: its names, and the function that asks it."""
    shell, shown = types.SimpleNamespace(user_ns={}), []
    monkeypatch.setenv("VAE_COURSE_DATASET", "digits")
    monkeypatch.setattr(compare, "SECONDS", 2.0)

    def ask(code):
        shown.clear()
        with monkeypatch.context() as patch:
            patch.setattr(IPython, "get_ipython", lambda: shell)
            patch.setattr(IPython.display, "display", lambda data, raw: shown.append(data))
            eval(code)
        data = json.loads(json.dumps(shown))
        return [nbformat.v4.new_output("display_data", data=one) for one in data]

    return shell.user_ns, ask


def points(outputs):
    """Return what nbgrader makes of the outputs of a test."""
    (result,) = [o for o in outputs if o.output_type != "stream"]
    return 0.0 if result.output_type == "error" else float(result.data["text/plain"])


@pytest.mark.slow
@pytest.mark.parametrize("exercise", SOURCES)
def test_right_answers_get_all_points_and_mistakes_what_they_earn(exercise, kernel, monkeypatch):
    """For every task of every exercise, over the wire."""
    names, ask = kernel
    notebook = nbformat.read(SOURCES[exercise], 4)
    needed = [c for c in notebook.cells if c.id in ("parameters", "setup", "codes")]
    for answers in (answers_of(SOURCES[exercise]), MISTAKES[exercise]):
        names.clear()
        for cell in needed:
            short = {"parameters": ("2000", "200")}.get(cell.id, ("", ""))
            exec(cell.source.replace(*short) if short[0] else cell.source, names)
        earned, most = {}, 0
        judging = judge.Judge(nbformat.writes(notebook), ask)
        for cell in notebook.cells:
            if cell.cell_type == "code" and cell.id in answers:
                try:
                    exec(answers[cell.id], names)
                except SyntaxError:
                    pass
            if clean.is_test(cell):
                outputs, reading = judging.judge(cell.id)
                earned[cell.id] = points(outputs)
                most += cell.metadata.nbgrader.points
                assert not reading
        if answers is MISTAKES[exercise]:
            assert {name: n for name, n in earned.items() if n} == EARNED[exercise]
        else:
            assert sum(earned.values()) == most, earned


def carried(value, kernel):
    """Return a value as the judge sees it."""
    names, ask = kernel
    names["value"] = value
    judging = judge.Judge(nbformat.writes(nbformat.v4.new_notebook()), ask)
    return judging._show("value")


@pytest.mark.parametrize(
    "value",
    [None, True, 3, -2.5, "Ä", [1, [2, "b"]], (1, 2), {"a": None, 3: [0.5]}, ..., np.float32(2.5)],
    ids=repr,
)
def test_plain_values_arrive_as_they_are(value, kernel):
    """With their kinds."""
    found = carried(value, kernel)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "uint8", "bool"])
def test_arrays_and_tensors_arrive_with_shape_and_kind(kind, kernel):
    """Every bit of them."""
    array = np.arange(24).reshape(2, 3, 4).astype(kind)
    for value in (
        array,
        keras.ops.convert_to_tensor(array),
        array[:0],
        array[0, 0, 1:2].reshape(()),
    ):
        found, wanted = carried(value, kernel), np.asarray(value)
        assert found.dtype == wanted.dtype and found.shape == wanted.shape
        assert found.tobytes() == wanted.tobytes()


def test_a_function_runs_in_its_kernel_and_new_draws_are_new(kernel):
    """Errors come back as words, with the student's line."""
    function = carried(lambda x, rng: x + rng.random(), kernel)
    rng = np.random.default_rng(0)
    found = [compare.call(function, "f", {"x": 1.0, "rng": rng}) for _ in range(2)]
    assert all(1 < value < 2 for value in found) and found[0] != found[1]
    with pytest.raises(NotYet, match="f: it raised ZeroDivisionError"):
        compare.call(carried(lambda x: x / 0, kernel), "f", {"x": 1.0})
    assert carried(len, kernel).__module__ == "builtins"

    def blank(x):
        """Do something."""

    assert carried(blank, kernel).empty and not carried(lambda x: x, kernel).empty


def test_models_arrive_with_their_weights(kernel):
    """A VAE, and a model in sequence."""
    x = np.random.default_rng(0).random((2, 28, 28, 1)).astype("float32")
    vae = VAE(build_encoder(3), build_decoder(3), beta=2.0)
    found = carried(vae, kernel)
    assert isinstance(found, VAE) and found is not vae and found.beta == 2
    np.testing.assert_allclose(found.encoder(x)[0], vae.encoder(x)[0], rtol=1e-5, atol=1e-6)
    plain = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(2)])
    np.testing.assert_allclose(carried(plain, kernel)(x), plain(x), rtol=1e-5, atol=1e-6)


def test_a_vae_of_a_students_own_class_is_named(kernel):
    """Even if it is called as ours, it need not have what ours has."""
    for name in ("VAE", "Mine"):
        own = type(name, (keras.Model,), {})()
        assert type(carried(own, kernel)).__name__ == name
    subclass = type("VAE", (VAE,), {})(build_encoder(3), build_decoder(3), beta=np.float32(2))
    assert isinstance(carried(subclass, kernel), VAE)


class Own(layers.Layer):
    """A student's own layer."""

    def call(self, x):
        return 2 * x


@pytest.mark.parametrize("layer", [Own(), layers.Lambda(lambda x: x)], ids=["own", "lambda"])
def test_a_model_with_foreign_code_waits_for_a_person(layer, kernel):
    """It is not built, and earns nothing by itself."""
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layer(inputs))
    source = "layers_of = model.layers\n### BEGIN HIDDEN TESTS\n1.0\n### END HIDDEN TESTS"
    mine = {"grade": True, "grade_id": "test", "solution": False, "points": 1}
    cells = [nbformat.v4.new_code_cell(source, metadata={"nbgrader": mine})]
    answer = nbformat.v4.new_code_cell("model = None", metadata={"nbgrader": {"solution": True}})
    notebook = nbformat.v4.new_notebook(cells=[answer, *cells])
    kernel[0]["model"] = model
    outputs, reading = judge.Judge(nbformat.writes(notebook), kernel[1]).judge("test")
    assert reading and points(outputs) == 0
    assert "needs a person" in outputs[0].text


HOSTILE = {
    "module": {"class_name": "system", "module": "os", "config": {}},
    "function": {"class_name": "function", "module": "builtins", "config": "eval"},
    "nested": {
        "class_name": "Dense",
        "module": "keras.layers",
        "config": {"activation": {"class_name": "run", "module": "subprocess", "config": {}}},
    },
    "lambda": {"class_name": "__lambda__", "config": {"value": ["", None, None]}},
    "lambda layer": {"class_name": "Lambda", "module": "keras.layers", "config": {}},
    "ops": {"class_name": "get_file", "module": "keras.src.ops.numpy", "config": {}},
}


@pytest.mark.parametrize("config", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_configuration_names_no_code(config):
    """Nothing is imported or run for it."""
    with pytest.raises(ValueError, match="is not a layer of Keras itself"):
        models.check_harmless({"config": [config]})


@pytest.mark.parametrize(
    "raw",
    [
        {"array": "<f8", "shape": [10**12], "data": ""},
        {"array": "<f8", "shape": [-1], "data": ""},
        {"array": "|O", "shape": [1], "data": ""},
        {"array": "<f8", "shape": [2], "data": "eJwDAAAAAAE="},
        {"list": 3},
        {"unknown": 1},
        [1],
    ],
    ids=lambda raw: re.sub(r"\W+", "-", str(raw))[:40],
)
def test_what_is_no_value_is_refused(raw):
    """Instead of filling the memory, or being taken for something else."""
    with pytest.raises((ValueError, TypeError)):
        wire.unpack(raw)


def test_our_own_layer_is_known(kernel):
    """A VAE needs it."""
    mean = keras.Input((2,))
    found = carried(keras.Model(mean, Sampling()([mean, mean])), kernel)
    assert isinstance(found.layers[-1], Sampling)
