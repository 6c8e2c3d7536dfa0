"""Draw a digit by hand, and see it encoded, rebuilt, and dragged into another one."""

import matplotlib.pyplot as plt
import numpy as np

from vae_course import plotting
from vae_course.checks import check_images
from vae_course.data import enlargement
from vae_course.explorers import networks
from vae_course.explorers.codes import check_codes, check_decoder, corners, decode
from vae_course.explorers.explorer import Explorer


class DrawADigit(Explorer):
    """A pad to draw a digit on, what the network makes of it, and its place on the map of codes.

    The drawing is prepared as the images were, since the network knows no other: centred as MNIST's digits,
    or reduced to 8 x 8 pixels as the embedded ones. It is encoded while you draw. On the map, the cross can
    be dragged from there to any other digit. If you cannot draw, start with a test image of each digit.

    Args:
        model: Trained `Autoencoder` or `VAE` with two latent dimensions.
        images: Test images for the map, shape `(n, 28, 28, 1)`, values in [0, 1].
        labels: Their digits, shape `(n,)`.
        title: What the codes on the map are, such as "test images, MNIST".

    Raises:
        ValueError: If the model has not two latent dimensions, or has layers that the browser cannot run, or
            images and labels are no images or do not match.

    Sources: for the preparation, LeCun, Cortes and Burges, "The MNIST database of handwritten digits", and
    Alpaydin and Kaynak, "Optical recognition of handwritten digits" (UCI Machine Learning Repository, 1998).
    """

    def __init__(self, model, images, labels, title):
        if model.decoder.input_shape[-1] != 2:
            raise ValueError(
                f"The model has {model.decoder.input_shape[-1]} latent dimensions, but a map needs 2: use a "
                "model with latent_dim 2."
            )
        check_images(images, (28, 28, 1), "images")
        self._images, self._title = np.asarray(images), title
        self._encoder, self._decoder = model.encoder, check_decoder(model.decoder, 2, digits=True)
        networks.network(model.encoder)
        codes = model.encoder.predict(images, batch_size=500, verbose=0)
        codes = codes[0] if isinstance(codes, list) else codes
        self._codes, self._labels = check_codes(codes, labels)

    def _examples(self):
        """Return the place of the first image of each digit."""
        digits = np.unique(self._labels)
        return {int(digit): int(np.argmax(self._labels == digit)) for digit in digits}

    def _state(self):
        low, high = corners(self._codes[: plotting.MOST_POINTS])
        arrays = {"codes": self._codes, "low": low, "high": high}
        pixels = np.round(255 * self._images[..., 0])
        matrix = enlargement(self._images)
        return {
            "enlargement": None if matrix is None else networks.array(matrix),
            "title": self._title,
            "labels": networks.array(self._labels, "uint8"),
            "encoder": networks.network(self._encoder),
            "decoder": networks.network(self._decoder),
            "examples": [
                {"name": f"a {digit}", "pixels": networks.array(pixels[place], "uint8")}
                for digit, place in self._examples().items()
            ],
            **{name: networks.array(values) for name, values in arrays.items()},
        }

    def _figure(self):
        chosen = list(self._examples().values())[:5]
        fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4), width_ratios=(5, 5))
        rebuilt = decode(self._decoder, self._codes[chosen])
        pictures = np.concatenate([self._images[chosen, ..., 0], rebuilt])
        plotting.image_grid(pictures, len(chosen), left, row_labels=["a digit", "rebuilt"])
        plotting.latent_map(self._codes, self._labels, right)
        cross = {"color": "black", "markersize": 11, "markeredgecolor": "white"}
        right.plot(*self._codes[chosen].T, "P", **cross)
        right.set_title(self._title)
        return fig, (
            f"Left, {len(chosen)} handwritten digits, and below each what the network rebuilds from two "
            "numbers. Right, crosses on the map of codes, one for each of these digits."
        )
