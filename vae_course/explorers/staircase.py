"""Climb the importance-weighted bound draw by draw, and see which draws hold the weight."""

import matplotlib.pyplot as plt
import numpy as np

from vae_course.explorers import networks
from vae_course.explorers.codes import check_decoder
from vae_course.explorers.explorer import Explorer

DRAWS = 1000
STEPS = np.unique(np.geomspace(1, DRAWS, 61).round().astype(int))  # the places of the slider


class Staircase(Explorer):
    """Choose an image and a number of draws, and see weights, effective sample size and bound.

    Args:
        vae: Trained `VAE`.
        images: A few images as its likelihood takes them, shape `(n, 28, 28, 1)`.
        labels: Their digits, shape `(n,)`.

    Raises:
        ValueError: If there is no image, or not one label for each.

    Source: Burda, Grosse and Salakhutdinov (2016), equation 8.
    """

    def __init__(self, vae, images, labels):
        if len(images) == 0 or len(labels) != len(images):
            raise ValueError(
                f"There are {len(images)} images and {len(labels)} labels: pass one or more images, and one "
                "label for each."
            )
        self._images = np.asarray(images, "float32")
        self._names = [f"image {i}, a {digit}" for i, digit in enumerate(labels)]
        self._decoder = check_decoder(vae.decoder, vae.decoder.input_shape[-1], digits=True)
        parts = [vae.weighted_draws(self._images, 100) for _ in range(DRAWS // 100)]
        self._z, self._log_w = map(np.concatenate, zip(*parts, strict=True))

    def _state(self):
        images = [self._image(number) for number in range(len(self._names))]
        decoder = networks.network(self._decoder)
        return {"images": images, "steps": networks.array(STEPS, "int32"), "decoder": decoder}

    def _image(self, number):
        """Pack an image, its weights, and the draws heavier than all before them, with their codes."""
        log_w = self._log_w[:, number]
        heaviest = np.maximum.accumulate(log_w)
        records = np.flatnonzero(np.concatenate([[True], heaviest[1:] > heaviest[:-1]]))
        return {
            "name": self._names[number],
            "pixels": networks.array(self._images[number, ..., 0]),
            "logWeights": networks.array(log_w),
            "records": networks.array(records, "int32"),
            "codes": networks.array(self._z[records, number]),
        }

    def _figure(self):
        fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
        counts = np.arange(1, DRAWS + 1)
        for name, log_w in zip(self._names[:3], self._log_w.T, strict=False):
            bound = np.logaddexp.accumulate(log_w.astype("float64")) - np.log(counts)
            left.step(counts, bound - bound[-1], where="post", label=name)
            shares = np.sort(np.exp(log_w - bound[-1]) / DRAWS)[::-1]
            right.plot(np.arange(1, 51), np.cumsum(shares)[:50], label=name)
        left.set(xscale="log", xlabel="draws K", ylabel=f"bound minus that of all {DRAWS} draws")
        right.set(xlabel="heaviest draws", ylabel="share of the weight", ylim=(0, 1))
        left.legend()
        return fig, (
            "Left, running bounds of three images that jump up at heavy draws and sink slowly in between. "
            f"Right, the share of the weight that few of {DRAWS} draws hold."
        )
