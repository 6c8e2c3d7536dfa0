"""Drag along the curve of rate and distortion, and see what a VAE rebuilds and draws at each beta."""

import matplotlib.pyplot as plt
import numpy as np

from vae_course import plotting
from vae_course.explorers import networks
from vae_course.explorers.explorer import Explorer

COLUMNS = ("beta", "seed", "reconstruction", "kl", "active_units")
PICTURES = ("originals", "reconstructions", "samples")
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

    def __init__(self, table, gallery, lecture=None):
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

    def _state(self):
        floats = {"betas": self._betas, "means": self._means, "bars": self._bars}
        floats["runs"] = np.stack([self._runs["kl"], self._runs["reconstruction"]], axis=1)
        pictures = {name: self._pictures[name] for name in PICTURES}
        seeds = [len(self._of(beta, "seed")) for beta in self._betas]
        return {
            **{name: networks.array(values) for name, values in floats.items()},
            **{name: networks.array(values, "uint8") for name, values in pictures.items()},
            "lecture": None if self._lecture is None else [float(x) for x in self._lecture],
            "units": [self._units(number) for number in range(len(self._betas))],
            "seeds": seeds,
            "start": self._start(),
        }

    def _figure(self):
        fig, (left, right) = plt.subplots(1, 2, figsize=(9.2, 4), width_ratios=(4, 5))
        self._curve_on(left)
        shown = np.unique(np.linspace(0, len(self._betas) - 1, 5).round().astype(int))
        for number in shown:
            label = f" {self._betas[number]:g}"
            left.annotate(label, self._means[number], fontsize="small")
        rate, distortion = self._means[self._start()]
        ends = np.array(left.get_xlim())
        style = {"color": "#D55E00", "label": "equal loss at beta = 1"}
        left.plot(ends, rate + distortion - ends, "--", **style)
        left.legend(fontsize="small")
        rebuilt, samples = (self._pictures[name][shown, :SIDE] for name in PICTURES[1:])
        rows = np.concatenate([rebuilt, samples], axis=1).reshape(-1, 28, 28) / 255
        names = [f"{self._betas[n]:g}\n{self._units(n)} active" for n in shown]
        plotting.image_grid(rows, 2 * SIDE, right, row_labels=names)
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
    """Return a sweep's pictures, sorted by beta, or raise a `ValueError`."""
    names = "beta", *PICTURES, "kl_per_dimension"
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
    bars = arrays["kl_per_dimension"]
    if bars.ndim != 2 or len(bars) != count or bars.size == 0 or not np.isfinite(bars).all():
        raise ValueError(
            f"kl_per_dimension of gallery has shape {bars.shape}: give finite numbers of shape "
            f"({count}, latent_dim)."
        )
    for name in set(names) - {"beta", "originals"}:
        arrays[name] = arrays[name][order]
    return {**arrays, "beta": betas}
