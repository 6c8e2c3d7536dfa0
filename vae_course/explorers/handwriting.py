"""Choose a digit and a hand, and see a conditional VAE write the digit in that hand."""

import matplotlib.pyplot as plt
import numpy as np

from vae_course import plotting
from vae_course.checks import check_images
from vae_course.explorers import networks
from vae_course.explorers.codes import check_codes, decode
from vae_course.explorers.explorer import Explorer

EXAMPLES = 2  # test images of each digit whose hand can be taken
LIMIT = 3.0  # how far the map reaches, in standard deviations of the prior


class Handwriting(Explorer):
    """Take the hand of a test image, drag it on a map, and see all ten digits written in it.

    A hand is a code z of the model. The map shows the two directions in which the codes of the images reach
    furthest from 0. A drag moves the hand along these, and leaves all other directions as they are.

    Args:
        model: Trained conditional VAE. Its `encoder` takes images and labels, and gives the mean of z first.
            Its `decoder` takes z and labels. A label has ten places, with a 1 at the digit.
        images: Test images, shape `(n, 28, 28, 1)`, values in [0, 1].
        labels: Their digits, shape `(n,)`.
        title: What the codes on the map are, such as "test images, MNIST".
        judge: scikit-learn's `LogisticRegression`, trained on images of all ten digits as rows of 784
            numbers. It tells how sure it is that a picture shows the digit that was asked for.

    Raises:
        ValueError: If the model is not given labels, has one latent dimension only or layers that the
            browser cannot run, if images and labels are no digits or do not match, or if the judge does not
            take such rows.

    Source: Kingma, Rezende, Mohamed and Welling (2014), "Semi-supervised learning with deep generative
    models", figure 1.
    """

    def __init__(self, model, images, labels, title, judge):
        check_images(images, (28, 28, 1), "images")
        self._images, labels, self._title = np.asarray(images), np.asarray(labels), title
        if labels.shape != self._images.shape[:1] or not np.isin(labels, range(10)).all():
            raise ValueError(
                f"labels has shape {labels.shape} and images {self._images.shape}: pass one digit from 0 to "
                "9 for each image."
            )
        taken = model.encoder.input_shape, model.decoder.input_shape
        if not all(isinstance(shapes, list) and shapes[1:] == [(None, 10)] for shapes in taken):
            raise ValueError(
                f"The encoder takes {taken[0]} and the decoder {taken[1]}, but each should take a label of "
                "shape (None, 10) as its second input: pass a conditional VAE."
            )
        self._codes, self._labels = check_codes(_hands(model, self._images, labels), labels)
        size = self._codes.shape[1]
        if size < 2:
            raise ValueError("The model has 1 latent dimension, but the map of hands needs 2.")
        if np.shape(getattr(judge, "coef_", None)) != (10, 784):
            raise ValueError(
                f"judge is a {type(judge).__name__}: pass a LogisticRegression that is trained on images of "
                "all ten digits, each as a row of 784 numbers."
            )
        self._judge, self._decoder = judge, model.decoder
        networks.network(self._decoder)
        self._write(np.zeros((1, size)))
        _, axes = np.linalg.eigh(self._codes.T @ self._codes)  # by rising eigenvalue
        self._directions = axes[:, :-3:-1].T  # (2, latent_dim)

    def _write(self, hands):
        """Return the ten digits in each hand, shape `(10 n, 28, 28)`, hand by hand."""
        every = np.tile(np.arange(10), len(hands))
        return decode(self._decoder, [np.repeat(hands, 10, axis=0), _one_hot(every)])

    def _examples(self):
        """Return the places of the first test images of each digit."""
        places = [np.flatnonzero(self._labels == digit)[:EXAMPLES] for digit in range(10)]
        return np.concatenate(places)

    def _state(self):
        places = self._examples()
        shown = slice(plotting.MOST_POINTS)
        parts = {"weights": self._judge.coef_.T, "bias": self._judge.intercept_}
        judge = {name: networks.array(values) for name, values in parts.items()}
        return {
            "title": self._title,
            "names": [f"test image {place}, a {self._labels[place]}" for place in places],
            "images": networks.array(np.round(255 * self._images[places, ..., 0]), "uint8"),
            "hands": networks.array(self._codes[places]),
            "directions": networks.array(self._directions),
            "codes": networks.array(self._codes[shown] @ self._directions.T),
            "labels": networks.array(self._labels[shown], "uint8"),
            "limit": LIMIT,
            "judge": [{"kind": "dense", "output": [10], **judge}],
            "decoder": networks.network(self._decoder),
        }

    def _figure(self):
        fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), width_ratios=(4, 7))
        plotting.latent_map(self._codes @ self._directions.T, self._labels, left)
        left.set(xlim=(-LIMIT, LIMIT), ylim=(-LIMIT, LIMIT), title=self._title)
        left.set(xlabel="direction 1 of z", ylabel="direction 2 of z")
        moves = np.array([(0, 0), (-2, 0), (2, 0), (0, -2), (0, 2)])
        names = [f"({a}, {b})".replace("-", "−") for a, b in moves]
        written = self._write(moves @ self._directions)
        plotting.image_grid(written, 10, right, row_labels=names, column_labels=range(10))
        right.set_title("ten digits in five hands, at these places of the map", fontsize="medium")
        return fig, (
            "Left, a map of the codes of test images, with digits as marks. Right, the digits 0 to 9 in five "
            "rows, one for the middle of the map and one for each of its four sides."
        )


def _hands(model, images, labels):
    """Return the mean of z for each image, and draw no noise, so that a later draw stays what it was."""
    import keras

    mean, told = keras.Model(model.encoder.inputs, model.encoder.outputs[0]), _one_hot(labels)
    batches = [slice(start, start + 500) for start in range(0, len(images), 500)]
    # A new model's `predict` would be compiled each time, of which TensorFlow warns.
    return np.concatenate([mean([images[part], told[part]], training=False) for part in batches])


def _one_hot(labels):
    return np.eye(10, dtype="float32")[np.asarray(labels, int)]
