"""Drag along the curve of rate and distortion, and see what a VAE rebuilds and draws at each beta."""

import matplotlib.pyplot as plt
import numpy as np

from vae_course import plotting
from vae_course.explorers.explorer import Board, Explorer, whole_slider

COLUMNS = ("beta", "seed", "reconstruction", "kl", "active_units")
ROWS = ("original", "rebuilt", "original", "rebuilt", "sample", "sample")
SIDE = 4  # pictures in a row


class RateDistortion(Explorer):
    """Choose a beta on the curve of distortion against rate, and see pictures and dimensions in use.

    Each small dot is one training, and the line joins the means of all seeds. The dashed line has the slope
    -1: on it, what is saved in distortion is paid in rate, so the loss at beta = 1 is the same.

    Args:
        table: The runs of the sweep, a list of dictionaries with at least the keys in `COLUMNS`. Distortion
            (`reconstruction`, the sum of squared errors) and rate (`kl`) are in nats, means over test images.
        gallery: Dictionary of arrays with one seed for each of b betas: `beta` `(b,)`, `originals`
            `(8, 28, 28)`, `reconstructions` and `samples` `(b, 8, 28, 28)`, all uint8, and
            `kl_per_dimension` `(b, latent_dim)`, nats.
        lecture: Rate and distortion of the lecture's model, both in nats, or None to leave it out.

    Raises:
        ValueError: If runs or pictures are missing, have another form, are not finite, or belong to
            different betas.

    Source: Alemi et al. (2018), "Fixing a broken ELBO", figure 1; Higgins et al. (2017).
    """

    hint = "curve: click, drag, or use the arrow keys (with Shift: larger steps)"

    def __init__(self, table, gallery, lecture=None):
        super().__init__()
        self._runs = _checked_runs(table)
        self._pictures = _checked_gallery(gallery, np.unique(self._runs["beta"]))
        self._betas = self._pictures["beta"]
        self._lecture = lecture
        if lecture is not None and (np.shape(lecture) != (2,) or not np.isfinite(lecture).all()):
            raise ValueError(
                f"lecture is {lecture!r}: give its rate and its distortion, two numbers, or None."
            )
        columns = "kl", "reconstruction"
        self._means = np.array(
            [[self._of(beta, name).mean() for name in columns] for beta in self._betas]
        )  # (b, 2)
        self._bars = -np.sort(-self._pictures["kl_per_dimension"], axis=1)

    def _of(self, beta, column):
        """Return one column of the runs with this beta."""
        return self._runs[column][self._runs["beta"] == beta]

    def _units(self, number):
        """Tell how many dimensions are active: one number, or the range over the seeds."""
        low, high = (int(end(self._of(self._betas[number], "active_units"))) for end in (min, max))
        return f"{low}" if low == high else f"{low} to {high}"

    def _start(self):
        """Return the place of the beta that is nearest to 1, on a logarithmic scale."""
        return int(np.abs(np.log(self._betas)).argmin())

    def _curve_on(self, ax):
        ax.plot(self._runs["kl"], self._runs["reconstruction"], ".", color="0.55", label="one run")
        ax.plot(*self._means.T, "-", color="C0", label="mean of the seeds")
        if self._lecture is not None:
            style = {"color": "#009E73", "markersize": 13, "markeredgecolor": "white"}
            ax.plot(*self._lecture, "*", label="the lecture's model", **style)
        ax.set(xlabel="rate: KL, nats", ylabel="distortion, nats")
        ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())  # the line of equal loss goes beyond

    def _controls(self):
        self._number = self._watch(
            whole_slider("beta no.", 1, len(self._betas), self._start() + 1), self._go_to_point
        )
        self._board = Board(9.2, 4.3, ncols=3, width_ratios=(3.7, 2.6, 2.4))
        curve, pictures, bars = self._board.axes
        self._curve_on(curve)
        # On the line, distortion + rate is constant.
        (self._line,) = curve.plot([], [], "--", color="#D55E00", label="equal loss at beta = 1")
        (self._dot,) = curve.plot([], [], "o", color="#D55E00", markersize=10)
        curve.legend(fontsize="small")
        blank = np.zeros((len(ROWS) * SIDE, 28, 28))
        self._grid = plotting.image_grid(blank, SIDE, pictures, row_labels=ROWS).images[0]
        pictures.tick_params(labelsize="small")
        self._steps = bars.stairs(self._bars[0], fill=True, color="C0")
        bars.set(
            xlabel="dimensions, by KL", ylabel="KL, nats", ylim=(0, 1.05 * self._bars.max() + 0.01)
        )
        self._heads = [ax.set_title(" ", fontsize="medium") for ax in self._board.axes]
        self._board.move(self._line, self._dot, self._grid, self._steps, *self._heads)
        self._watch(self._picture, self._choose_nearest, "place")
        self._picture.area = self._board.area(curve)
        self._go_to_point()
        return [[self._number]]

    def _go_to_point(self):
        """Let further steps by arrow keys start at the chosen point."""
        point = self._means[self._number.value - 1]
        self._picture.place = list(self._board.to_place(self._board.axes[0], point))

    def _choose_nearest(self):
        """Choose the point of the curve that is nearest in the picture to where the student points."""
        curve, size = self._board.axes[0], self._board.fig.get_size_inches()
        places = np.array([self._board.to_place(curve, point) for point in self._means])
        away = np.linalg.norm((places - self._picture.place) * size, axis=1)
        self._number.value = int(away.argmin()) + 1

    def _draw(self):
        number = self._number.value - 1
        rate, distortion = self._means[number]
        ends = np.array(self._board.axes[0].get_xlim())
        self._line.set_data(ends, rate + distortion - ends)
        self._dot.set_data([rate], [distortion])
        self._grid.set_data(plotting.tile(self._scene(number), SIDE))
        self._steps.set_data(self._bars[number])
        beta, units, dimensions = self._betas[number], self._units(number), self._bars.shape[1]
        heads = (
            f"rate {rate:.1f} + distortion {distortion:.1f} = {rate + distortion:.1f}",
            f"beta = {beta:g}",
            f"active units: {units} of {dimensions}",
        )
        for title, text in zip(self._heads, heads, strict=True):
            title.set_text(text)
        return self._board.png(), (
            f"beta = {beta:g}: {heads[0]} nats, mean of {len(self._of(beta, 'seed'))} seeds; {heads[2]}, "
            f"and the largest KL of a dimension is {self._bars[number, 0]:.2f} nats. Beside the curve, four "
            "and four test images, each above its reconstruction, and eight samples."
        )

    def _scene(self, number):
        """Return originals, reconstructions and samples in the order of `ROWS`."""
        originals = self._pictures["originals"]
        rebuilt, samples = (self._pictures[name][number] for name in ("reconstructions", "samples"))
        parts = originals[:SIDE], rebuilt[:SIDE], originals[SIDE:], rebuilt[SIDE:], samples
        return np.concatenate(parts)

    def _figure(self):
        fig, (left, right) = plt.subplots(1, 2, figsize=(9.2, 4), width_ratios=(4, 5))
        self._curve_on(left)
        shown = np.unique(np.linspace(0, len(self._betas) - 1, 5).round().astype(int))
        for number in shown:
            label = f" {self._betas[number]:g}"
            left.annotate(label, self._means[number], fontsize="small")
        rate, distortion = self._means[self._start()]
        ends = np.array(left.get_xlim())
        left.plot(
            ends, rate + distortion - ends, "--", color="#D55E00", label="equal loss at beta = 1"
        )
        left.legend(fontsize="small")
        rows = [self._scene(number)[[4, 5, 6, 7, 16, 17, 18, 19]] for number in shown]
        names = [f"{self._betas[n]:g}\n{self._units(n)} active" for n in shown]
        plotting.image_grid(np.concatenate(rows), 2 * SIDE, right, row_labels=names)
        right.tick_params(labelsize="small")
        right.set_title("beta: four test images rebuilt, four samples", fontsize="medium")
        return fig, (
            f"Left, distortion falls as the rate grows, for {len(self._betas)} betas, with a line of slope "
            "-1 through one point. Right, reconstructions that grow blurred and samples, for "
            f"beta = {', '.join(f'{self._betas[n]:g}' for n in shown)}."
        )


def _checked_runs(table):
    """Return the columns of a sweep's table as arrays, or raise a `ValueError`."""
    rows = list(table)
    if not rows:
        raise ValueError("table has no rows: give one for each run of the sweep.")
    if missing := [name for name in COLUMNS if any(name not in row for row in rows)]:
        raise ValueError(
            f"table lacks {', '.join(missing)}: each row needs the keys {', '.join(COLUMNS)}."
        )
    runs = {name: np.array([row[name] for row in rows], float) for name in COLUMNS}
    for name, values in runs.items():
        if not np.isfinite(values).all():
            raise ValueError(
                f"The column {name} of table contains {values[~np.isfinite(values)][0]}: leave out runs "
                "that have failed."
            )
    if runs["beta"].min() <= 0:
        raise ValueError(f"table has beta = {runs['beta'].min():g}, but beta must be above 0.")
    return runs


def _checked_gallery(gallery, betas):
    """Return a sweep's pictures, from 0 to 1 and sorted by beta, or raise a `ValueError`."""
    names = "beta", "originals", "reconstructions", "samples", "kl_per_dimension"
    if missing := [name for name in names if name not in gallery]:
        raise ValueError(f"gallery lacks {', '.join(missing)}: it needs {', '.join(names)}.")
    arrays = {name: np.asarray(gallery[name]) for name in names}
    order, count = np.argsort(arrays["beta"]), len(betas)
    if arrays["beta"].shape != (count,) or not np.allclose(arrays["beta"][order], betas):
        raise ValueError(
            f"gallery has the betas {arrays['beta'].tolist()}, but table has {betas.tolist()}: take both "
            "from the same sweep."
        )
    eight = 2 * SIDE, 28, 28
    wanted = {"originals": eight, "reconstructions": (count, *eight), "samples": (count, *eight)}
    for name, shape in wanted.items():
        if arrays[name].shape != shape or arrays[name].dtype != np.uint8:
            raise ValueError(
                f"{name} of gallery has shape {arrays[name].shape} and type {arrays[name].dtype}, expected "
                f"{shape} and uint8."
            )
        arrays[name] = arrays[name] / np.float32(255)
    bars = arrays["kl_per_dimension"]
    if bars.ndim != 2 or len(bars) != count or bars.size == 0 or not np.isfinite(bars).all():
        raise ValueError(
            f"kl_per_dimension of gallery has shape {bars.shape}: give finite numbers of shape "
            f"({count}, latent_dim)."
        )
    for name in set(names) - {"beta", "originals"}:
        arrays[name] = arrays[name][order]
    return {**arrays, "beta": betas}
