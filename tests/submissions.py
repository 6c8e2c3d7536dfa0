"""Submissions made for the tests: the reference solution, the blank release, and common mistakes."""

import re

import nbformat

# What a student of each kind writes into cells, by exercise and cell; an answer for each cell that is
# not left out.
MISTAKES = {
    "ex01": {
        "count": "encoder_parameters = 7_888  # no biases",
        "encoder": """
def build_encoder(latent_dim):
    image = keras.Input((28, 28, 1))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(image)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    return keras.Model(image, layers.Dense(latent_dim, activation="relu")(layers.Flatten()(x)))
""",
        "error": """
def reconstruction_error(x, x_hat):
    return ops.mean(ops.square(x - x_hat), axis=(1, 2, 3))
""",
        "distance": """
def nearest_distance(places, codes):
    return np.array([np.sqrt(((codes - place) ** 2).sum(axis=1)).min() for place in places])
""",
        "gap": """
far = nearest_distance(places, codes)
gap_centre, gap_radius = places[np.argmax(far)], np.max(far)
""",
        "dims": 'more_dimensions = " C"',
        "odd-answer": "A blank page passes, because it is easy to draw.",
    },
    "ex02": {
        "hand": "kl_by_hand = 2.61",
        "line": """
def log_evidence(log_likelihood, log_prior, log_posterior):
    return log_prior - log_posterior + log_likelihood
""",
        "kl": """
def gaussian_kl(z_mean, z_log_var):
    return -0.5 * ops.mean(1 + z_log_var - z_mean**2 - ops.exp(z_log_var), axis=-1)
""",
        "mc": """
def kl_monte_carlo(mean, sigma, n, rng):
    return rng.no_such_method(n)
""",
        "questions": 'direction, tight_bound = "b", "a"',
        "normal": """
def kl_normal(m, v, m0, v0):
    return 0.5 * (v0 / v + (m - m0) ** 2 / v - 1 - np.log(v0 / v))
""",
    },
    "ex03": {
        "why": 'stopped_gradient = "b"',
        "hand": "gradient_by_hand = -0.75",
        "sample": """
def sample(z_mean, z_log_var):
    return np.random.normal(z_mean, np.exp(0.5 * z_log_var))
""",
        "score": """
def score_gradient(values, eps, sigma):
    return [v * e / sigma for v, e in zip(values, eps)]
""",
        "full": """
def sample_full(mean, covariance, eps):
    return mean + eps @ np.linalg.cholesky(covariance)
""",
    },
    "ex04": {
        "sides": 'sides = {"a": 26, "b": 14, "c": 7, "d": 16}',
        "count": "transposed_parameters = 4608",
        "formula": """
def transposed_side(side, kernel, stride, padding):
    while True:
        side += 1
""",
        "up": """
def up_sample(picture):
    return np.tile(picture, (2, 2))
""",
        "even": 'even_coverage = "b"',
        "decoder": "def build_decoder(latent_dim:\n    return",
    },
    "ex05": {
        "score": "kl_of_the_lecture = 28.197",
        "loss": """
def vae_loss(x, x_hat, z_mean, z_log_var, beta):
    kl = -0.5 * ops.sum(1 + z_log_var - z_mean**2 - ops.exp(z_log_var), axis=-1)
    return ops.sum(ops.sum((x - x_hat) ** 2, axis=(1, 2, 3)) + beta * kl)
""",
        "diagnosis": 'curve_a, curve_b, curve_c = "a", "b", "d"',
        "bugs": 'bug_a, bug_b, bug_c = "b", "e", None',
        "own": """
noise = np.random.default_rng(0).random((400, 28, 28, 1))
my_train, my_test = noise, noise[:100]
""",
        "report-answer": "My images are noise.",
    },
    "ex06": {
        "half": "length_half_way = 3.0",
        "path": """
def interpolate(start, end, t):
    t = t[:, None]
    return t * start + (1 - t) * end
""",
        "predict": "prediction = 8",
        "arithmetic": """
def arithmetic(means, start, minus, plus):
    return means[start] + means[plus] - means[minus]
""",
        "property": """
def property_vector(z, labels, amount):
    upper = amount > np.median(amount)
    return z[upper].mean(axis=0) - z[~upper].mean(axis=0)
""",
        "within": 'within_each_digit = "c"',
    },
    "ex07": {
        "hand": "nats_by_hand = 0.5371",
        "coins": """
def bernoulli_log_likelihood(x, logits):
    p = special.expit(logits)
    return np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=(1, 2, 3))
""",
        "weights": """
def log_weights(log_likelihood, z, mean, sigma):
    return log_likelihood + stats.norm.logpdf(z).sum(axis=1)
""",
        "bound": """
def importance_bound(log_w):
    return log_w.mean(axis=0)
""",
        "questions": 'negative, protocol, few_draws = "a", "c", "b"',
        "own": "My model reached 94 nats.",
    },
    "ex08": {
        "kl": """
def kl_per_dimension(z_mean, z_log_var):
    return 0.5 * (np.exp(z_log_var) + z_mean**2 - 1 - z_log_var).mean(axis=1)
""",
        "units": """
def active_units(z_mean, threshold):
    return np.sum(np.std(z_mean, axis=0) > threshold)
""",
        "diagnosis": 'model_a, model_b, model_c, model_d, model_e = "d", "d", "d", "d", None',
        "rate": """
def beta_for_rate(rate, betas, rates, distortions):
    return np.interp(rate, rates, betas)
""",
        "free": """
def free_bits_kl(kl, free):
    return np.sum(np.mean(kl, axis=0).clip(free, None))
""",
        "layers": "The second layer did nothing.",
    },
    "ex09": {
        "leaks": """
def leaks(train, test, limit):
    differences = test[:, None] - train[None] / 255
    return np.mean(differences**2, axis=(2, 3, 4)).min(axis=1) < limit
""",
        "pca": """
def pca_error(train, test, k):
    pca = PCA(k).fit(test)
    return np.sum((test - pca.inverse_transform(pca.transform(test))) ** 2, axis=1).mean()
""",
        "own": """
from vae_course.models import VAE, build_decoder, build_encoder

pictures = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 3)).astype("u1")
my_train, my_test = pictures[:260], np.float32(pictures[260:] / 255)  # not by lot
my_vae = VAE(build_encoder(2, (8, 8, 3)), build_decoder(2, (8, 8, 3)))
""",
        "effect": """
my_vector = np.zeros(2)


def my_measure(images):
    return images.mean(axis=(1, 2, 3))
""",
        "questions": 'labels, faces, codebook, alarm = "b", "a", "b", "c"',
        "report": "My pictures are noise.",
    },
}
# What these mistakes earn, counted by hand from the points of the tasks that are right.
EARNED = {
    "ex01": {"distance-check": 2, "gap-check": 2, "dims-check": 1},
    "ex02": {"line-check": 2, "questions-check": 1},
    "ex03": {"hand-check": 1, "score-check": 2},
    "ex04": {"sides-check": 3, "even-check": 1},
    "ex05": {"diagnosis-check": 2, "bugs-check": 1},
    "ex06": {"predict-check": 1, "arithmetic-check": 2, "within-check": 1},
    "ex07": {"questions-check": 2},
    "ex08": {"free-check": 3},
    "ex09": {"questions-check": 2},
}


def answers_of(source):
    """Return the reference answers of an exercise by cell, as a student would have written them."""
    notebook = nbformat.read(source, as_version=4)
    return {
        cell.id: re.sub(r" *### (BEGIN|END) SOLUTION\n?", "", cell.source)
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }


def hand_in(release, folder, answers):
    """Write a submission: the released notebook with answers in its cells, and shorter trainings.

    Args:
        release: Path of the released notebook.
        folder: Where the submission goes.
        answers: Sources by cell.

    Returns:
        Path of the submission.
    """
    notebook = nbformat.read(release, as_version=4)
    cells = {cell.id: cell for cell in notebook.cells}
    for cell, source in answers.items():
        cells[cell].source = source.strip()
    cells["parameters"].source = cells["parameters"].source.replace("2000", "200")
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / release.name)
    return folder / release.name
