"""The checks of the exercises: right answers pass, usual mistakes are named, and nothing does harm."""

import ast
import inspect
import json
import re
import sys
import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops
from pins import ROOT
from scipy import integrate, linalg, spatial, stats

from vae_course import exercises, losses
from vae_course.exercises import answers, compare, limits, numbers_due, verdict
from vae_course.models import VAE, Sampling, build_encoder


def told(capsys):
    """Return what was printed, on one line."""
    return " ".join(capsys.readouterr().out.split())


# Right answers, each by another road than the checks' own.


def kl_by_quadrature(mean, variance, prior_mean=0.0, prior_variance=1.0):
    """Integrate q log(q / p)."""
    q = stats.norm(mean, np.sqrt(variance))
    p = stats.norm(prior_mean, np.sqrt(prior_variance))
    low, high = q.ppf([1e-15, 1 - 1e-15])
    return integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), low, high)[0]


def kl_of_each(z_mean, z_log_var):
    """Add up the quadratures of each row."""
    return [
        sum(kl_by_quadrature(m, np.exp(v)) for m, v in zip(means, logs, strict=True))
        for means, logs in zip(np.float64(z_mean), np.float64(z_log_var), strict=True)
    ]


def errors_by_loop(x, x_hat):
    """Add up squares pixel by pixel, in Python."""
    return [
        sum((float(a) - float(b)) ** 2 for a, b in zip(one.flat, other.flat, strict=True))
        for one, other in zip(x, x_hat, strict=True)
    ]


def loss_by_loop(x, x_hat, z_mean, z_log_var, beta):
    """Take the mean of both terms image by image."""
    pairs = zip(errors_by_loop(x, x_hat), kl_of_each(z_mean, z_log_var), strict=True)
    return np.mean([error + beta * kl for error, kl in pairs])


def turned(start, end, t):
    """Turn a direction by the matrix exponential of a rotation in the plane of the two vectors."""
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    side = b - (a @ b) * a
    side /= np.linalg.norm(side)
    angle = np.arctan2(b @ side, b @ a)
    spin = np.outer(side, a) - np.outer(a, side)
    lengths = np.interp(t, [0, 1], [np.linalg.norm(start), np.linalg.norm(end)])
    return np.array(
        [r * linalg.expm(s * angle * spin) @ a for s, r in zip(t, lengths, strict=True)]
    )


def by_symmetric_root(mean, covariance, eps):
    """Use the symmetric root, where the exercise proposes Cholesky's."""
    return mean + eps @ linalg.sqrtm(covariance)


def drawn_by_layer(z_mean, z_log_var):
    """Draw with the package's layer."""
    return Sampling()([z_mean, z_log_var])


def by_counting(side, kernel, stride, padding):
    """Put stamps on a strip and see how far they reach."""
    if padding == "same":
        return len(np.zeros(side).repeat(stride))
    strip = {s * stride + k for s in range(side) for k in range(max(kernel, stride))}
    return len(strip)


def monte_carlo(mean, sigma, n, rng):
    """Draw from q by turning standard normal numbers into it."""
    eps = rng.standard_normal(n)
    z = mean + sigma * eps
    return np.mean(0.5 * (z**2 - eps**2) - np.log(sigma))


def by_grouping(z, labels, amount):
    """Sort each class by amount and halve it."""
    rows = []
    for label in set(labels.tolist()):
        order = [i for i in np.argsort(amount) if labels[i] == label]
        half = (len(order) + 1) // 2
        rows.append(z[order[half:]].mean(axis=0) - z[order[:half]].mean(axis=0))
    return sum(rows) / len(rows)


def encoder(latent_dim, activation=None, padding="same", bias=True, filters=(16, 32), pool=2):
    """Build the encoder of exercise 1, or one with a mistake."""
    image = keras.Input((28, 28, 1))
    x = image
    for n in filters:
        options = {"padding": padding, "activation": "relu", "use_bias": bias}
        x = layers.Conv2D(n, 3, **options)(x)
        x = layers.MaxPooling2D(pool)(x)
    code = layers.Dense(latent_dim, activation=activation)(layers.Flatten()(x))
    return keras.Model(image, code)


def decoder(latent_dim, kernel=4, last="sigmoid", up=False):
    """Build the decoder of exercise 4, or one with a mistake."""
    z = keras.Input((latent_dim,))
    x = layers.Reshape((7, 7, 32))(layers.Dense(1568, activation="relu")(z))
    for n, activation in (16, "relu"), (1, last):
        x = layers.UpSampling2D(2)(x) if up else x
        options = {"strides": 1 if up else 2, "padding": "same", "activation": activation}
        x = layers.Conv2DTranspose(n, kernel, **options)(x)
    return keras.Model(z, x)


RIGHT = {
    "check_gaussian_kl": kl_of_each,
    "check_log_evidence": lambda a, b, c: np.log(np.exp(a) * np.exp(b) / np.exp(c)),
    "check_kl_normal": kl_by_quadrature,
    "check_kl_monte_carlo": monte_carlo,
    "check_reconstruction_error": errors_by_loop,
    "check_vae_loss": loss_by_loop,
    "check_nearest_distance": lambda places, codes: spatial.cKDTree(codes).query(places)[0],
    "check_interpolate": lambda a, b, t: (
        np.array([np.interp(t, [0, 1], ab) for ab in zip(a, b, strict=True)]).T
    ),
    "check_slerp": turned,
    "check_arithmetic": lambda means, a, b, c: np.eye(4)[[a, c]].sum(0) @ means - means[b],
    "check_property_vector": by_grouping,
    "check_sample": drawn_by_layer,
    "check_score_gradient": lambda values, eps, sigma: [
        v * (sigma * e) / sigma**2 for v, e in zip(values, eps, strict=True)
    ],
    "check_sample_full": by_symmetric_root,
    "check_transposed_side": by_counting,
    "check_up_sample": lambda picture: np.kron(picture, np.ones((2, 2))),
    "check_encoder": encoder,
    "check_decoder": decoder,
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_passes_each_time(name, capsys):
    """By another road than the check's own, on five sets of fresh inputs."""
    for _ in range(1 if "coder" in name else 5):
        found = getattr(exercises, name)(RIGHT[name])
        assert found, told(capsys)
        assert found.points(3) == 3


@pytest.mark.parametrize("name", RIGHT)
def test_a_hard_coded_answer_fails(name, capsys):
    """Who replays what was right once is found out."""
    kept = []

    def recording(*args):
        kept.append(RIGHT[name](*args))
        return kept[-1]

    check = getattr(exercises, name)
    assert check(recording)
    # Of a network, the first one again: the second would fit by chance once in a while.
    played = iter(kept[:1] * 9 if "coder" in name else kept * 9)
    assert not check(lambda *args: next(played)), told(capsys)


def kl(reduce, half=0.5, **change):
    """Make a KL function with a mistake, written with Keras' functions."""
    read = change.get("read", lambda v: (ops.exp(v), v))
    sign = change.get("sign", 1)

    def gaussian_kl(z_mean, z_log_var):
        variance, log = read(ops.convert_to_tensor(z_log_var))
        return sign * half * reduce(variance + ops.square(z_mean) - 1.0 - log)

    return gaussian_kl


def over_dimensions(a):
    return ops.sum(a, axis=-1)


def whole_loss(pixels=ops.sum, latent=ops.sum, batch=ops.mean, half=0.5, beta_on="kl", sign=1):
    """Make a VAE loss with a mistake."""

    def vae_loss(x, x_hat, z_mean, z_log_var, beta):
        error = pixels(ops.square(x - x_hat), axis=(1, 2, 3))
        terms = half * latent(ops.exp(z_log_var) + z_mean**2 - 1 - z_log_var, axis=1)
        weights = {"kl": (1, beta), "error": (beta, 1), "nothing": (1, 1)}[beta_on]
        return batch(weights[0] * error + sign * weights[1] * terms)

    return vae_loss


def sampler(width=lambda v: ops.exp(0.5 * v), shape=ops.shape, shift=0.0, seed=None):
    """Make a sampler with a mistake."""

    def sample(z_mean, z_log_var):
        eps = keras.random.normal(shape(z_mean), seed=seed)
        return z_mean + shift + width(z_log_var) * eps

    return sample


def without_gradient(z_mean, z_log_var):
    return np.random.normal(z_mean, np.exp(0.5 * np.asarray(z_log_var)))


def half_a_gradient(z_mean, z_log_var):
    sigma = ops.stop_gradient(ops.exp(0.5 * z_log_var))
    return z_mean + sigma * keras.random.normal(ops.shape(z_mean))


def uniform(z_mean, z_log_var):
    eps = keras.random.uniform(ops.shape(z_mean), -(3**0.5), 3**0.5)
    return z_mean + ops.exp(0.5 * z_log_var) * eps


NAMED = [
    ("check_gaussian_kl", kl(lambda a: ops.mean(a, axis=-1)), "mean over the latent dimensions"),
    (
        "check_gaussian_kl",
        kl(over_dimensions, read=lambda v: (ops.exp(v / 2), v)),
        "sigma stands where sigma^2 is due",
    ),
    (
        "check_gaussian_kl",
        kl(over_dimensions, read=lambda v: (ops.exp(2 * v), 2 * v)),
        "taken for log sigma",
    ),
    ("check_gaussian_kl", kl(over_dimensions, read=lambda v: (v, v)), "`exp` is missing"),
    ("check_gaussian_kl", kl(over_dimensions, half=1.0), "factor 1/2 is missing"),
    ("check_gaussian_kl", kl(over_dimensions, sign=-1), "the sign is wrong"),
    ("check_gaussian_kl", kl(ops.sum), "all images are summed up"),
    ("check_gaussian_kl", kl(lambda a: ops.sum(a, axis=0)), "the sum runs over the batch"),
    ("check_gaussian_kl", kl(lambda a: a), "nothing is summed"),
    (
        "check_gaussian_kl",
        kl(lambda a: ops.mean(a, axis=-1), half=1.0),
        "where the sum is due; and the factor 1/2 is missing|"
        "factor 1/2 is missing; and the mean over the latent",
    ),
    ("check_vae_loss", whole_loss(pixels=ops.mean), "mean over the pixels"),
    ("check_vae_loss", whole_loss(latent=ops.mean), "mean over the latent dimensions"),
    ("check_vae_loss", whole_loss(batch=ops.sum), "sum over the batch is taken, where the mean"),
    ("check_vae_loss", whole_loss(batch=lambda a: a), "one number for each image is given"),
    ("check_vae_loss", whole_loss(half=1.0), "factor 1/2 is missing"),
    ("check_vae_loss", whole_loss(sign=-1), "the KL term is subtracted"),
    ("check_vae_loss", whole_loss(beta_on="nothing"), "beta is not used"),
    ("check_vae_loss", whole_loss(beta_on="error"), "beta weighs the reconstruction"),
    ("check_vae_loss", whole_loss(latent=ops.mean, batch=ops.sum), "is due; and the sum over the batch"),
    ("check_sample", without_gradient, "without reparameterization: no gradient"),
    ("check_sample", half_a_gradient, "no gradient passes from z to z_log_var"),
    ("check_sample", sampler(shape=lambda m: (1, 3)), "same eps is used for the whole batch"),
    (
        "check_sample",
        sampler(shape=lambda m: (ops.shape(m)[0], 1)),
        "same eps is used for all latent dimensions",
    ),
    ("check_sample", sampler(width=ops.exp), "sigma^2 stands where sigma is due"),
    ("check_sample", sampler(width=lambda v: v), "z_log_var itself is used as the deviation"),
    ("check_sample", sampler(width=lambda v: ops.exp(v / 4)), "halved once too often"),
    ("check_sample", sampler(width=ops.ones_like), "no gradient passes from z to z_log_var"),
    ("check_sample", sampler(seed=1), "noise is the same at every call"),
    ("check_sample", sampler(shift=0.5), "on average z is not z_mean"),
    ("check_sample", lambda m, v: m + 0.0 * v, "there is no noise"),
    ("check_sample", uniform, "the noise is not normal"),
    (
        "check_sample",
        sampler(width=ops.exp, shape=lambda m: (1, 3)),
        "same eps is used for the whole batch",
    ),
    ("check_log_evidence", lambda a, b, c: a + b + c, "stands below the line"),
    ("check_log_evidence", lambda a, b, c: c - a - b, "the sign is wrong"),
    ("check_kl_normal", lambda m, v, m0, v0: kl_by_quadrature(m0, v0, m, v), "are exchanged"),
    (
        "check_kl_normal",
        lambda m, v, m0, v0: kl_by_quadrature(m, v**2, m0, v0**2),
        "squared like deviations",
    ),
    ("check_kl_normal", lambda m, v, m0, v0: 2 * kl_by_quadrature(m, v, m0, v0), "1/2 is missing"),
    ("check_kl_monte_carlo", lambda *a: -monte_carlo(*a), "the sign is wrong"),
    ("check_kl_monte_carlo", lambda *a: monte_carlo(*a) / np.log(2), "bits"),
    ("check_kl_monte_carlo", lambda m, s, n, rng: kl_by_quadrature(m, s**2), "very same number"),
    (
        "check_reconstruction_error",
        lambda x, y: np.mean((x - y) ** 2, axis=(1, 2, 3)),
        "mean over the pixels",
    ),
    ("check_reconstruction_error", lambda x, y: np.sum((x - y) ** 2), "not one sum over the batch"),
    ("check_reconstruction_error", lambda x, y: np.abs(x - y).sum(axis=(1, 2, 3)), "not squared"),
    (
        "check_nearest_distance",
        lambda p, c: spatial.distance.cdist(p, c).mean(axis=1),
        "mean distance",
    ),
    (
        "check_nearest_distance",
        lambda p, c: spatial.distance.cdist(p, c, "sqeuclidean").min(axis=1),
        "root is missing",
    ),
    ("check_interpolate", lambda a, b, t: np.outer(1 - t, b) + np.outer(t, a), "are exchanged"),
    ("check_slerp", lambda a, b, t: np.outer(1 - t, a) + np.outer(t, b), "the straight path"),
    ("check_arithmetic", lambda m, a, b, c: m[a] + m[b] - m[c], "plus and minus are exchanged"),
    (
        "check_property_vector",
        lambda z, y, a: z[a > np.median(a)].mean(axis=0) - z[a <= np.median(a)].mean(axis=0),
        "it is due within each class",
    ),
    ("check_property_vector", lambda *a: -by_grouping(*a), "the sign is wrong"),
    ("check_score_gradient", lambda f, e, s: f * e, "division by sigma is missing"),
    ("check_score_gradient", lambda f, e, s: f * (e**2 - 1) / 2, "score for log sigma^2"),
    ("check_sample_full", lambda m, c, e: m + e @ c, "covariance itself is used"),
    ("check_sample_full", lambda m, c, e: m + e @ np.linalg.cholesky(c), "L is transposed"),
    ("check_sample_full", lambda m, c, e: m + e * np.sqrt(np.diag(c)), "only the diagonal"),
    ("check_transposed_side", lambda i, k, s, p: -(-i // s) if p == "same" else (i - k) // s + 1,
     "after a convolution, not a transposed one|gives another result"),
    ("check_transposed_side", lambda i, k, s, p: i * s if p == "same" else (i - 1) * s + k,
     "smaller than the stride is forgotten"),
    ("check_up_sample", lambda p: np.tile(p, (2, 2)), "the picture is tiled"),
    ("check_up_sample", lambda p: p.repeat(2, axis=0), "only the rows are doubled"),
    ("check_encoder", lambda n: encoder(n, activation="relu"), "the code has an activation"),
    ("check_encoder", lambda n: encoder(n, activation="tanh"), "the code has an activation"),
    ("check_encoder", lambda n: encoder(7), "whatever latent_dim is"),
    ("check_encoder", lambda n: encoder(n, padding="valid"), "a convolution shrinks its picture"),
    ("check_encoder", lambda n: encoder(n, bias=False), "parameters, expected"),
    ("check_encoder", lambda n: encoder(n, filters=(32, 16)), "expected are 16 of 3 x 3"),
    ("check_encoder", lambda n: encoder(n, filters=(16,)), "1 conv2d layers, two are due"),
    ("check_encoder", build_encoder, "ready-made from vae_course"),
    ("check_decoder", lambda n: decoder(7), "whatever latent_dim is"),
    ("check_decoder", lambda n: decoder(n, up=True), "holds an upsampling2d"),
    ("check_decoder", lambda n: decoder(n, kernel=3), "no multiple of the stride"),
    ("check_decoder", lambda n: decoder(n, last=None), "grey values lie between 0 and 1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "function", "words"), NAMED, ids=[f"{n[6:]}-{w[:28]}" for n, _, w in NAMED]
)
def test_a_usual_mistake_is_named(name, function, words, capsys):
    """In words, and each time, whatever the inputs are."""
    for _ in range(1 if "coder" in name else 4):
        found = getattr(exercises, name)(function)
        text = told(capsys)
        assert not found and found.points(5) == 0
        assert any(some.lower() in text.lower() for some in words.split("|")), text


def test_an_unusual_mistake_is_shown_on_an_input(capsys):
    """What it gives, what was expected, and on which numbers: the student can redo it."""
    exercises.check_arithmetic(lambda means, start, minus, plus: means[start] * 0 + 0.123)
    text = capsys.readouterr().out
    assert "gives another result" in text and "yours    = [0.123" in text
    numbers = re.search(r"means = (\[\[.*?\]\])", text, re.S).group(1)
    means = np.array(ast.literal_eval(re.sub(r"(\d)\.(?!\d)", r"\1.0", numbers)))
    a, b, c = (int(re.search(rf"{n} = (\d)", text).group(1)) for n in ("start", "minus", "plus"))
    expected = ast.literal_eval(
        re.sub(r"(\d)\.(?!\d)", r"\1.0", re.search(r"expected = (\[.*\])", text).group(1))
    )
    assert np.allclose(means[a] - means[b] + means[c], expected, atol=1e-3)


def test_an_exception_is_shown_with_the_line_and_the_input(execute):
    """In a kernel, where students work: type, words, their own line, the numbers; no path, no traceback."""
    ran = execute(
        "from vae_course import exercises",
        "def gaussian_kl(z_mean, z_log_var):\n    wrong = [1, 2]\n    return wrong[7]",
        "exercises.check_gaussian_kl(gaussian_kl)",
    )
    (output,) = ran.cells[2].outputs
    assert output.name == "stdout"
    assert "IndexError: list index out of range" in output.text
    assert "in the line: return wrong[7]" in output.text
    assert "z_mean = [[" in output.text and "z_log_var = [[" in output.text
    assert "Traceback" not in output.text and "/" not in output.text


class Refuses:
    """An object that can be used for nothing."""

    def __getattr__(self, name):
        raise RuntimeError("no")

    def __eq__(self, other):
        raise RuntimeError("no")

    __hash__ = None

    def __repr__(self):
        return "Refuses()"


WEIRD = [
    *(None, ..., 3, "text", float("nan"), [], {}, (), np.zeros(3), np.array(["a"]), object()),
    *(Refuses(), lambda: None, lambda *a: "text", lambda *a: None, lambda *a: float("nan")),
    *(lambda *a: {}, lambda *a: [[1], [1, 2]], lambda *a: 1j, lambda *a: sum, lambda *a: Refuses()),
    *(lambda *a: 1 / 0, lambda *a: sys.exit(), lambda *a: keras.Input((3,)), int, keras.Model),
]


@pytest.mark.parametrize("name", RIGHT)
def test_nothing_makes_a_check_raise_or_pass(name, capfd):
    """Whatever it is given, it prints a verdict that is false, on standard output alone."""
    for answer in WEIRD:
        found = getattr(exercises, name)(answer)
        assert isinstance(found, verdict.Verdict) and not found
        text, errors = capfd.readouterr()
        assert text.startswith(("NOT YET", "TO DO")) and not errors


OTHERS = {
    "check_number": lambda answer: exercises.check_number("KL of a posterior", answer),
    "check_choice": lambda answer: exercises.check_choice("direction", answer),
    "check_choices": lambda answer: exercises.check_choices({"bug A": answer}),
    "check_sides": lambda answer: exercises.check_sides({"a": answer, "b": 1, "c": None, "d": 2}),
    "check_prediction": lambda answer: exercises.check_prediction(answer),
    "check_largest_gap": lambda answer: exercises.check_largest_gap(
        answer, answer, np.zeros((2, 2)), np.ones((3, 2))
    ),
    "check_own_images": lambda answer: exercises.check_own_images(
        answer, answer, np.zeros((2, 28, 28, 1))
    ),
    "check_own_vae": lambda answer: exercises.check_own_vae(answer, answer, answer),
}


@pytest.mark.parametrize("name", OTHERS)
def test_no_odd_answer_makes_a_question_raise_or_pass(name, capfd):
    """The same for answers that are no functions."""
    for answer in WEIRD:
        if name == "check_prediction" and answer == 3 if isinstance(answer, int) else False:
            continue
        found = OTHERS[name](answer)
        assert isinstance(found, verdict.Verdict) and not found, answer
        assert not capfd.readouterr().err


def test_every_check_is_tested_here():
    """What the package offers is in the tables above."""
    assert set(exercises.__all__) == set(RIGHT) | set(OTHERS)


def test_kinds_of_numbers_are_taken_as_they_come(capsys):
    """Lists, NumPy's arrays, tensors of Keras: what counts are the numbers."""
    for turn in (list, np.float64, np.float32, ops.convert_to_tensor):
        assert exercises.check_gaussian_kl(lambda m, v, turn=turn: turn(kl_of_each(m, v)))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda *a: print(end=""), "gives back None: is a `return` missing"),
        (lambda *a: "0.5", "the text '0.5': numbers are needed"),
        (lambda m, v: np.log(-np.ones(len(m))), "holds NaN"),
        (lambda m, v: np.full(len(m), np.inf), "an infinite number"),
        (lambda m, v: np.zeros(99), r"gives shape \(99,\), expected \(2,\)"),
        (lambda m, v: {"kl": 1}, "gives back a dict, which is no array"),
        (np.mean, "ready-made from numpy"),
        (losses.gaussian_kl, "ready-made from vae_course"),
        (3.5, "gaussian_kl is a float, not a function"),
        (lambda m: m, "TypeError: .* takes 1 positional argument but 2 were given"),
    ],
)
def test_what_is_no_result_is_told_apart(value, words, capsys):
    """Each gets words of its own."""
    assert not exercises.check_gaussian_kl(value)
    assert re.search(words, told(capsys))


def only_a_docstring(z_mean, z_log_var):
    """Return the KL divergence."""
    # YOUR CODE HERE


def only_a_pass(z_mean, z_log_var):
    pass


@pytest.mark.parametrize("blank", [None, ..., only_a_docstring, only_a_pass])
def test_a_blank_task_is_not_called_wrong(blank, capsys):
    """TO DO, and no points."""
    found = exercises.check_gaussian_kl(blank)
    assert told(capsys).startswith("TO DO") and not found and found.points(3) == 0


def endless(*args):
    while True:
        pass


def endless_that_catches(*args):
    while True:
        try:
            while True:
                time.sleep(0.001)
        except Exception:
            continue


@pytest.mark.parametrize("loop", [endless, endless_that_catches])
def test_an_endless_loop_is_stopped(loop, monkeypatch, capsys):
    """Within the time limit, and nothing of it goes on."""
    monkeypatch.setattr(limits, "SECONDS", 0.5)
    start, before = time.perf_counter(), threading.active_count()
    assert not exercises.check_gaussian_kl(loop)
    assert time.perf_counter() - start < 3
    text = told(capsys)
    assert "had not finished after 0.5 seconds: is there a loop without an end?" in text
    assert "z_mean = [[" in text and "restart" not in text
    assert threading.active_count() == before


def test_an_endless_loop_is_stopped_off_the_main_thread(monkeypatch, capsys):
    """No signals are used, which only the main thread of Unix gets."""
    monkeypatch.setattr(limits, "SECONDS", 0.5)
    found = []
    thread = threading.Thread(target=lambda: found.append(exercises.check_sample(endless)))
    thread.start()
    thread.join(5)
    assert len(found) == 1 and not found[0]
    assert "loop without an end" in told(capsys)


def test_the_time_limit_uses_no_signal():
    """Windows has no SIGALRM."""
    source = inspect.getsource(limits)
    assert "import signal" not in source and "alarm" not in source


def test_what_cannot_be_stopped_does_not_stop_the_check(monkeypatch, capsys):
    """A call that sleeps in C holds on; the student is told to restart the kernel."""
    monkeypatch.setattr(limits, "SECONDS", 0.2)
    start = time.perf_counter()
    assert not exercises.check_gaussian_kl(lambda *args: time.sleep(4))
    assert time.perf_counter() - start < 3
    assert "restart the kernel" in told(capsys)


def test_an_endless_loop_in_a_kernel_leaves_it_working(execute):
    """The check comes back, prints below its cell, and the next cell runs."""
    ran = execute(
        "from vae_course import exercises\nfrom vae_course.exercises import limits\nlimits.SECONDS = 1",
        "def up_sample(picture):\n    print('I was here')\n    while True:\n        pass",
        "exercises.check_up_sample(up_sample)",
        "print(1 + 1)",
    )
    text = "".join(output.text for output in ran.cells[2].outputs)
    assert "I was here" in text and "loop without an end" in text
    assert ran.cells[3].outputs[0].text == "2\n"


def test_a_function_that_changes_its_inputs_is_judged_by_what_was_given(capsys):
    """It works on copies."""

    def arithmetic(means, start, minus, plus):
        result = means[start] + means[minus] - means[plus]
        means[:] = 0
        return result

    assert not exercises.check_arithmetic(arithmetic)
    assert "plus and minus are exchanged" in told(capsys)


def reference_lines():
    """List the lines of all solutions of the exercises that hold a piece of code."""
    for path in sorted((ROOT / "notebooks" / "exercises").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            for part in re.findall(r"BEGIN SOLUTION\n(.*?)### END", source, re.S):
                yield from (line.strip() for line in part.splitlines() if len(line.strip()) > 12)


def test_no_message_tells_a_solution(capsys):
    """None of all these verdicts holds a line of a solution or its formula."""
    for name, function, _ in NAMED:
        getattr(exercises, name)(function)
    for name in RIGHT:
        getattr(exercises, name)(None)
    text = told(capsys)
    lines = {re.sub(r"^return ", "", line.split("  #")[0]) for line in reference_lines()}
    assert len(lines) > 40
    assert not [line for line in lines if line in text]


CHOICES = json.loads(
    (ROOT / "vae_course" / "exercises" / "choices.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("question", CHOICES)
def test_each_option_of_a_question_has_its_answer(question, capsys):
    """One is right; every other has a hint of its own; capitals and spaces do not matter."""
    options = CHOICES[question]["options"]
    rights = [letter for letter in options if exercises.check_choice(question, letter)]
    assert len(rights) == 1
    assert exercises.check_choice(question, f" {rights[0].upper()} ")
    capsys.readouterr()
    hints = set()
    for letter in set(options) - set(rights):
        assert not exercises.check_choice(question, letter)
        hints.add(told(capsys))
    assert len(hints) == len(options) - 1 and "NOT YET not that one." not in hints
    assert not exercises.check_choice(question, "z") and "is no option" in told(capsys)
    codes = {answers.digest(question, letter) for letter in options}
    assert {CHOICES[question]["right"], *CHOICES[question]["hints"]} == codes


def test_the_file_of_choices_tells_no_answer():
    """Digests only: no key or value is a letter."""
    text = (ROOT / "vae_course" / "exercises" / "choices.json").read_text(encoding="utf-8")
    assert not re.search(r'"right": "[a-f]"', text)
    assert all(re.fullmatch(r"[0-9a-f]{10}", c["right"]) for c in CHOICES.values())


# Worked out by hand, or with the package's own networks.
NUMBERS = {
    "encoder parameters": 160 + 4640 + 3138,
    "KL of a posterior": kl_by_quadrature(1.0, 4.0),
    "gradient of one draw": -0.75,
    "transposed parameters": 4624,
    "KL of the lecture": 28.217 - 15.51536,
    "length half-way": np.linalg.norm(np.array([3.0, 3.0]) / 2),
}


@pytest.mark.parametrize("question", numbers_due.NUMBERS)
def test_each_number_and_each_usual_mistake_is_known(question, capsys):
    """The number by hand passes; each mistake is told apart from it and from every other."""
    assert exercises.check_number(question, NUMBERS[question])
    assert not exercises.check_number(question, NUMBERS[question] * 1.05 + 3)
    assert "too large" in told(capsys)
    _, tolerance, mistakes = numbers_due.NUMBERS[question]()
    assert len(mistakes) >= 4
    for text, value in mistakes.items():
        assert not exercises.check_number(question, value), text
        assert text in told(capsys)
    values = sorted([*mistakes.values(), NUMBERS[question]])
    assert np.diff(values).min() > 2 * tolerance


def test_what_is_no_number_is_told_apart(capsys):
    """NaN and infinity are neither too small nor too large."""
    for answer in (float("nan"), float("inf"), np.float64("nan")):
        assert not exercises.check_number("KL of a posterior", answer)
        assert "no finite number" in told(capsys)


def test_the_encoders_number_is_that_of_the_network():
    """Counted by Keras."""
    assert encoder(2).count_params() == NUMBERS["encoder parameters"]


def test_several_choices_earn_their_share(capsys):
    """One of two right is half the points, as a float that nbgrader can read; blank earns nothing."""
    found = exercises.check_choices({"direction": "b", "tight bound": None})
    assert found.points(3) == 1.5 and not found
    assert "bound: still blank" in told(capsys)
    assert exercises.check_choices({"direction": None, "tight bound": None}).state == "to do"
    sides = exercises.check_sides({"a": 26, "b": 14, "c": 14, "d": None})
    assert float(repr(sides.points(4))) == 3
    assert type(sides.points(np.int64(4))) is float


def test_the_largest_gap_is_recognised(capsys):
    """Against a case that can be seen: three codes in a row, places between them."""
    codes = np.array([[0.0, 0.0], [1.0, 0.0], [4.0, 0.0]])
    places = np.array([[0.5, 0.0], [2.5, 0.0], [3.0, 0.0]])
    check = exercises.check_largest_gap
    assert check(places[1], 1.5, places, codes)
    capsys.readouterr()
    for centre, radius, words in [
        (places[2], 1.0, "more room"),
        (places[1], 1.0, "the nearest code is 1.5 away"),
        ([9.0, 9.0], 1.5, "none of the given places"),
        (places[1], [1.5, 1], "one number are due"),
        (None, 1.5, "TO DO"),
    ]:
        assert not check(centre, radius, places, codes)
        assert words in told(capsys)


def own(n, seed=0):
    """Make pictures of bars, each another one."""
    dice = np.random.default_rng(seed)
    return dice.uniform(0, 1, (n, 28, 1, 1)) * np.ones((1, 1, 28, 1))


def test_images_of_ones_own_are_looked_at(capsys):
    """Form, number, range, variety; test images among the training images; the course's digits."""
    course = own(500, seed=3).astype("float32")
    check = exercises.check_own_images
    assert check(own(300), own(60, seed=1), course)
    capsys.readouterr()
    for train, test, words in [
        (own(300), own(300)[:60], "60 images of my_test are in my_train"),
        (own(300)[..., 0], own(60, seed=1), r"due is (n, 28, 28, 1)"),
        (own(20), own(60, seed=1), "holds 20 images: 200 or more"),
        (255 * own(300), own(60, seed=1), "runs from 0.0"),
        (np.zeros((300, 28, 28, 1)), own(60), "same picture over and over"),
        (course, own(60, seed=1), "the course's own digits"),
        (own(300) * np.nan, own(60, seed=1), "NaN"),
        (None, None, "TO DO"),
        ("doodles.png", own(60), "a NumPy array of images is due"),
    ]:
        assert not check(train, test, course)
        assert words in told(capsys).replace("runs from 0 ", "runs from 0.0 "), words


def test_a_vae_of_ones_own_must_have_learned(images, vae, capsys):
    """Untrained it fails; trained for a while it rebuilds new images better than their mean."""
    check = exercises.check_own_vae
    assert not check(vae, images[:64], images[64:])
    vae.compile(optimizer=keras.optimizers.Adam(1e-3))
    vae.fit(np.tile(images[:64], (10, 1, 1, 1)), batch_size=16, epochs=8, verbose=0)
    assert check(vae, images[:64], images[64:]), told(capsys)
    collapsed = VAE(vae.encoder, vae.decoder, beta=1e6)
    collapsed.compile(optimizer=keras.optimizers.Adam(1e-2))
    collapsed.fit(images, epochs=40, verbose=0)
    assert not check(collapsed, images[:64], images[64:])


def test_a_verdict_prints_itself_once(execute):
    """As the last line of a cell it is not shown a second time."""
    ran = execute("from vae_course import exercises", "exercises.check_prediction(None)")
    assert [o.output_type for o in ran.cells[1].outputs] == ["stream"]
    assert ran.cells[1].outputs[0].text.count("TO DO") == 1


def test_the_words_of_a_check_are_those_of_a_friend():
    """No check blames: its texts hold no capitals but names, no exclamation marks."""
    for path in Path(exercises.__file__).parent.glob("*.py"):
        strings = [
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        assert not [s for s in strings if "!" in s or "WRONG" in s or "stupid" in s]


def test_inputs_are_fresh(monkeypatch):
    """Two checks in a row draw different numbers."""
    seen = []

    def up_sample(picture):
        seen.append(picture)
        return np.kron(picture, np.ones((2, 2)))

    assert exercises.check_up_sample(up_sample) and exercises.check_up_sample(up_sample)
    assert not np.array_equal(seen[0], seen[3])
    assert compare.fresh().random() != compare.fresh().random()


def test_nbgraders_validate_button_finds_what_is_not_solved(monkeypatch, capsys):
    """It looks for errors alone: without one it would tell a blank notebook that all is well."""
    from nbgrader.validator import Validator

    assert "NBGRADER_EXECUTION='validate'" in inspect.getsource(Validator)
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    with pytest.raises(AssertionError, match="TO DO"):
        exercises.check_prediction(None)
    assert exercises.check_prediction(3)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert not exercises.check_prediction(None)
