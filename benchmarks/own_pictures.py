"""Measure what lesson 9 says of pictures of one's own: how many of them a VAE needs to do better than PCA.

    python -m benchmarks.own_pictures

It draws coloured shapes, trains the fast recipe of `vae-course train --images` on 200, 2,000 and 20,000 of
them with two weights of the KL term and three seeds, and writes `vae_course/trained/own-pictures.csv`. On two
idle cores it takes about ten minutes.
"""

import itertools
import time

import click
import keras
import numpy as np
from PIL import Image, ImageDraw
from sklearn.decomposition import PCA

from vae_course import training
from vae_course.atomic import write_rows
from vae_course.data import Digits
from vae_course.pretrained import FOLDER

COUNTS, BETAS, SEEDS = (200, 2000, 20_000), (1.0, 0.1), (1, 2, 3)
SIDE, LATENT_DIM, TESTED = 16, 8, 1000


def draw(count, rng):
    """Draw discs and squares of any colour on grey, as lesson 9 does.

    Args:
        count: Number of pictures.
        rng: NumPy's random generator.

    Returns:
        Bytes, shape `(count, SIDE, SIDE, 3)`.
    """
    pictures = []
    for number in range(count):
        page = Image.new("RGB", (96, 96), "gray")
        x, y, r = *rng.uniform(32, 64, 2), rng.uniform(12, 26)
        pen = ImageDraw.Draw(page)
        shape = pen.ellipse if number % 2 else pen.rectangle
        shape([x - r, y - r, x + r, y + r], fill=f"hsl({rng.integers(360)}, 90%, 50%)")
        pictures.append(np.asarray(page.resize((SIDE, SIDE), Image.Resampling.BICUBIC)))
    return np.array(pictures)


def measure(count, beta, seed):
    """Train a VAE on so many pictures, and score it beside the mean image and PCA with as many numbers.

    Args:
        count: Number of training pictures.
        beta: Weight of the KL term.
        seed: Seed of the pictures, and of the training.

    Returns:
        Row of the table, a dictionary. Errors are sums over the pixels of one picture, means over 1,000
        others, of reconstructions from the posterior mean; the KL is in nats.
    """
    rng = np.random.default_rng(seed)
    x_train, x_test = draw(count, rng), np.float32(draw(TESTED, rng) / 255)
    data = Digits(x_train, np.zeros(count), x_test, np.zeros(TESTED), "shapes", "drawn here")
    recipe = training.find("fast", data.name, count)
    model = training.build(recipe, data, latent_dim=LATENT_DIM, beta=beta, seed=seed)
    start = time.perf_counter()
    training.fit(model, recipe, data, seed=seed, validate=False)
    seconds = time.perf_counter() - start
    z_mean, _, _ = model.encoder.predict(x_test, batch_size=500, verbose=0)
    x_hat = model.decoder.predict(z_mean, batch_size=500, verbose=0)
    flat, flat_test = x_train.reshape(count, -1) / 255, x_test.reshape(TESTED, -1)
    pca = PCA(LATENT_DIM, svd_solver="covariance_eigh").fit(flat)
    rebuilt = {
        "mean_image": flat.mean(axis=0),
        "pca": pca.inverse_transform(pca.transform(flat_test)),
        "vae": x_hat.reshape(TESTED, -1),
    }
    errors = {name: np.mean(np.sum((flat_test - y) ** 2, axis=1)) for name, y in rebuilt.items()}
    kl = model.evaluate(x_test, batch_size=500, verbose=0, return_dict=True)["kl"]
    numbers = {**errors, "kl": kl, "seconds": seconds}
    row = {"pictures": count, "beta": beta, "seed": seed}
    return row | {name: float(f"{value:.4g}") for name, value in numbers.items()}


@click.command()
def main():
    """Measure all, and write the table after each run."""
    rows = []
    for seed, count, beta in itertools.product(SEEDS, COUNTS, BETAS):
        keras.utils.clear_session()
        rows.append(measure(count, beta, seed))
        print(rows[-1], flush=True)
        write_rows(FOLDER / "own-pictures.csv", rows)


if __name__ == "__main__":
    main()
