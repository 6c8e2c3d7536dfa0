"""Climb the importance-weighted bound draw by draw, and see which draws hold the weight."""

import matplotlib.pyplot as plt
import numpy as np

from vae_course.explorers.codes import quick_decoder
from vae_course.explorers.explorer import Board, Explorer, choice, digit_on, whole_slider

DRAWS = 1000
STEPS = np.unique(np.geomspace(1, DRAWS, 61).round().astype(int))  # the places of the slider
BARS = 12  # heaviest weights that are shown


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
        super().__init__()
        if len(images) == 0 or len(labels) != len(images):
            raise ValueError(
                f"There are {len(images)} images and {len(labels)} labels: pass one or more images, and one "
                "label for each."
            )
        self._images = np.asarray(images, "float32")
        self._names = [f"image {i}, a {digit}" for i, digit in enumerate(labels)]
        self._decode = quick_decoder(vae.decoder, vae.decoder.input_shape[-1])
        parts = [vae.weighted_draws(self._images, 100) for _ in range(DRAWS // 100)]
        self._z, self._log_w = (
            np.concatenate([np.asarray(part[i]) for part in parts]) for i in range(2)
        )

    def _weights(self, number, k):
        """Return the order of the first k draws of an image, heaviest first, and their shares in it."""
        log_w = self._log_w[:k, number].astype("float64")
        shares = np.exp(log_w - np.logaddexp.reduce(log_w))
        order = np.argsort(-shares)
        return order, shares[order]

    def _bound(self, number):
        """Return the running bound after each draw of an image."""
        log_w = self._log_w[:, number].astype("float64")
        return np.logaddexp.accumulate(log_w) - np.log(np.arange(1, DRAWS + 1))

    def _controls(self):
        self._image = self._watch(choice("image", self._names, self._names[0]))
        self._step = self._watch(whole_slider("step", 1, len(STEPS), 21))
        self._number = None
        self._board = Board(8.6, 3.3, ncols=4, width_ratios=(2.2, 4, 3, 2.2))
        image, stairs, bars, heaviest = self._board.axes
        self._digit, self._heaviest = digit_on(image, "the image"), digit_on(heaviest)
        (self._line,) = stairs.plot([], [], drawstyle="steps-post", color="C0")
        (self._dot,) = stairs.plot([], [], "o", color="#D55E00", markersize=9)
        stairs.set(xscale="log", xlim=(0.9, DRAWS * 1.1), xlabel="draws K", ylabel="nats")
        self._bars = bars.bar(np.arange(1, BARS + 1), np.zeros(BARS), color="C0")
        bars.set(ylim=(0, 1), xlabel="heaviest draws", ylabel="share of the weight")
        self._heads = [ax.set_title(" ", fontsize="medium") for ax in (stairs, bars, heaviest)]
        self._stairs = stairs
        self._board.move(
            self._digit, self._line, self._dot, *self._bars, self._heaviest, *self._heads
        )
        return [[self._image, self._step]]

    def _draw(self):
        number, k = self._names.index(self._image.value), STEPS[self._step.value - 1]
        bound = self._bound(number)
        if number != self._number:
            self._number = number
            self._digit.set_data(self._images[number, ..., 0])
            self._line.set_data(np.arange(1, DRAWS + 1), bound)
            self._stairs.set_ylim(bound.min() - 1, bound.max() + 1)
            self._board.unsettle()
        order, shares = self._weights(number, k)
        effective = 1 / (shares**2).sum()
        self._dot.set_data([k], [bound[k - 1]])
        for i, bar in enumerate(self._bars):
            bar.set_height(shares[i] if i < k else 0)
        self._heaviest.set_data(self._decode(self._z[order[:1], number])[0])
        self._heads[0].set_text(f"K = {k}: bound {bound[k - 1]:.2f}")
        self._heads[1].set_text(f"effective {effective:.1f} of {k}")
        self._heads[2].set_text(f"heaviest: {shares[0]:.0%}")
        return self._board.png(), (
            f"{self._image.value}: with {k} draws the bound is {bound[k - 1]:.2f} nats, the effective sample "
            f"size {effective:.1f}, and the heaviest draw holds {shares[0]:.0%} of the weight."
        )

    def _figure(self):
        fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
        for number in range(min(3, len(self._names))):
            bound = self._bound(number)
            left.step(
                np.arange(1, DRAWS + 1), bound - bound[-1], where="post", label=self._names[number]
            )
            right.plot(np.cumsum(self._weights(number, DRAWS)[1])[:50], label=self._names[number])
        left.set(xscale="log", xlabel="draws K", ylabel=f"bound, less that of {DRAWS} draws")
        right.set(xlabel="heaviest draws", ylabel="share of the weight", ylim=(0, 1))
        left.legend()
        return fig, (
            "Left, running bounds of three images that jump up at heavy draws and sink slowly in between. "
            f"Right, the share of the weight that few of {DRAWS} draws hold."
        )
