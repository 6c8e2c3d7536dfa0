r"""Try lesson 9's alarm on three short series of others, by running the lesson's own cells.

Two packages contain the series, which have labelled anomalies. `data/README.md` says why the course does not
contain them. Fetch the packages, and name them:

    pip download --no-deps aeon==1.6.0 sktime==1.2.0
    python -m benchmarks.other_alarms --aeon aeon-1.6.0-py3-none-any.whl \
        --sktime sktime-1.2.0-py3-none-any.whl

It writes `vae_course/trained/alarm-others.csv`, and takes about 4 minutes on 2 idle cores. Each series is
resampled to 100 samples from one heartbeat to the next, so that a window of the lesson holds 1.3 of them, as
it does there. Two thirds of the part without anomalies train the models. The rest chooses the thresholds,
which are the lowest at which nothing sounds there. The lesson's network has two leads, so it gets the only
one twice. Two methods join the lesson's: the nearest window when each is divided by its standard deviation,
and the sharpest bend in a window, which is one line of code.
"""

import hashlib
import io
import types
import zipfile
from math import gcd
from pathlib import Path

import click
import matplotlib
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import resample_poly
from scipy.stats import sem
from sklearn.neighbors import NearestNeighbors

from benchmarks.beyond_digits import run
from vae_course import pretrained
from vae_course.atomic import write_rows

# For each series of others: the package, its files with their SHA-256, the number of samples at the beginning
# that are there to learn from, the samples from one heartbeat to the next, and those from window to window
# after resampling.
SERIES = {
    "InternalBleeding16": (
        "aeon",
        {
            "aeon/datasets/data/KDD-TSAD_135/135_UCR_Anomaly_InternalBleeding16_TEST.csv": (
                "fe26577b94896943e8205d04d56bf2511fe05c008df535a1ec3826adff3597e2"
            )
        },
        (1200, 183, 1),
    ),
    "mitdb": (
        "sktime",
        {
            "sktime/datasets/data/mitdb/mitdb.csv": (
                "d4f2539a5e85e1ac1e7f8bba152b5e60a02356282463a8a1c97848ad3e1bb386"
            )
        },
        (5000, 296, 1),
    ),
    "ecg-diff-count-3": (
        "aeon",
        {
            "aeon/datasets/data/UnitTest/ecg-diff-count-3_TRAIN_NA.csv": (
                "cb45388a065c2f8bd3dd745ad5f93d759d92d48aa9144dcbff5f4e2ffe1b7b73"
            ),
            "aeon/datasets/data/UnitTest/ecg-diff-count-3_TEST.csv": (
                "39794565d99ccb4934f4955e45fc0fbe30397499ca38fd689f43a1d3e2518aec"
            ),
        },
        (10_000, 20, 8),
    ),
}
FETCH = "To fetch both wheels: pip download --no-deps aeon==1.6.0 sktime==1.2.0"
SEEDS = (1, 2, 3)
BEAT = 100  # samples from one heartbeat to the next, after resampling
STEPS = 1200  # of training; 390, as in the lesson, leave a larger loss where thresholds are chosen


def read_series(name, places):
    """Read one of `SERIES`.

    Args:
        name: Its name.
        places: For each package, the path of its wheel, or of a folder with the unpacked package.

    Returns:
        Values and labels (1 is an anomaly), two float64 arrays.

    Raises:
        click.BadParameter: If a file is not there, or is another one.
    """
    package, files, _ = SERIES[name]
    place, parts = places[package], []
    for file, digest in files.items():
        try:
            root = place if place.is_dir() else zipfile.Path(place)
            content = (root / file).read_bytes()
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise click.BadParameter(
                f"{file} is not in {place}, as it is in {package}'s wheel. {FETCH}"
            ) from error
        if (found := hashlib.sha256(content).hexdigest()) != digest:
            raise click.BadParameter(f"{file} in {place} has digest {found}, not {digest}.")
        parts.append(np.genfromtxt(io.BytesIO(content), delimiter=",", skip_header=1))
    return np.concatenate(parts)[:, -2:].T


def cut(values, labels, normal, period, step):
    """Cut a series into windows, as the lesson cuts its recording.

    Args:
        values: The series, shape `(n,)`.
        labels: 1 in anomalies, and 0 elsewhere, shape `(n,)`.
        normal: Number of samples at the beginning that are there to learn from.
        period: Samples from one heartbeat to the next.
        step: Samples from window to window, after resampling to `BEAT`.

    Returns:
        What the lesson's cells assign before they train the VAE, a dictionary from names to values.
    """
    common, scale = gcd(BEAT, period), BEAT / period
    values = resample_poly(values, BEAT // common, period // common, padtype="line")
    normal, length = int(normal * scale), 128
    size = 2 * normal // 3
    centre, deviation = values[:size].mean(), values[:size].std()
    # Half a unit, like half a millivolt, is 1 to the network.
    values = (values - centre) / deviation / 2
    edges = scale * np.flatnonzero(np.diff(labels, prepend=0, append=0))
    begins, ends = np.round(edges).astype(int).reshape(-1, 2).T
    starts = np.arange(0, len(values) - length + 1, step)
    both = np.repeat(values[:, None], 2, axis=1)
    windows = sliding_window_view(both, length, axis=0)[starts]
    windows = windows - np.median(windows, axis=2, keepdims=True)
    x = np.clip(0.5 + windows / 6, 0, 1).transpose(0, 2, 1)[:, :, None].astype("float32")
    train = starts + length <= size
    return dict(
        heart=types.SimpleNamespace(millivolts=both, rate=BEAT),
        **dict(length=length, step=step, starts=starts, windows=windows, x=x, train=train),
        touches=((starts[:, None] < ends) & (starts[:, None] + length > begins)).any(axis=1),
        ordinary=(starts >= size) & (starts + length <= normal),
        test=starts >= normal,
        **dict(beats_there=begins, before=0, after=int(max(ends - begins))),
        heart_epochs=round(STEPS / np.ceil(train.sum() / 2 / 32)),
    )


def alarm_on(name, seed, places):
    """Measure every alarm on one of `SERIES`.

    Args:
        name: Its name.
        seed: Seed of the VAE.
        places: As in `read_series`.

    Returns:
        For each method a dictionary: the anomalies, those found, the true and the false alarms, the share of
        them that is true, the share of normal windows in which an alarm rings, the median delay in samples
        of the series, and whether the highest score of the test is at an anomaly, which needs no threshold.
        Where there is nothing to take a share or a median of, it is nan.
    """
    _, _, numbers = SERIES[name]
    given = cut(*read_series(name, places), *numbers)
    names = run("def encoder_in_time", "judge_alarm", dataset="digits", seed=seed, **given)
    scores, lead = names["scores"], given["windows"][:, 0]
    scaled = (lead - lead.mean(axis=1, keepdims=True)) / (lead.std(axis=1, keepdims=True) + 1e-3)
    nearest = NearestNeighbors(n_neighbors=1).fit(scaled[given["train"]])
    scores["nearest window, scaled"] = nearest.kneighbors(scaled)[0][:, 0]
    scores["sharpest bend"] = abs(np.diff(lead, n=2, axis=1)).max(axis=1)
    if len(given["heart"].millivolts) < 60 * BEAT:
        del scores["z-score, 60 s"]  # longer than the series
    test, touches, rows = given["test"], given["touches"], {}
    for method, score in scores.items():
        threshold = score[given["ordinary"]].max()
        found, true, false, delays = names["judge_alarm"](score, threshold)
        method = method.replace("0 s", "0 beats")
        rows[method] = dict(anomalies=len(given["beats_there"]))
        rows[method] |= dict(found=found, true=true, false=false)
        rows[method] |= dict(
            precision=true / (true + false) if true + false else np.nan,
            ringing=np.mean(score[test & ~touches] > threshold),
            highest=touches[test][np.argmax(score[test])],
            delay=np.median(delays) * numbers[1] if delays else np.nan,
        )
    return rows


def summarise(name, runs):
    """Return one row for each method: means over the seeds and, if it has a seed, their standard errors.

    Args:
        name: Name of the series.
        runs: What `alarm_on` returned for each seed.

    Returns:
        List of dictionaries.
    """
    rows = []
    for method in runs[0]:
        measured = [run[method] for run in runs][: None if method.startswith("VAE") else 1]
        row = dict(series=name, method=method, seeds=len(measured))
        row["anomalies"] = measured[0]["anomalies"]
        for key in ("found", "true", "false", "precision", "ringing", "delay", "highest"):
            values = np.array([one[key] for one in measured], float)
            values = values[np.isfinite(values)]
            row[key] = round(float(values.mean()), 4) if len(values) else ""
            row[f"{key}_error"] = round(float(sem(values)), 4) if len(values) > 1 else ""
        rows.append(row)
    return rows


PLACE = click.Path(exists=True, path_type=Path)


@click.command(epilog=FETCH)
@click.option(
    "--aeon", type=PLACE, required=True, help="Wheel of aeon 1.6.0, or folder that has it."
)
@click.option(
    "--sktime", type=PLACE, required=True, help="Wheel of sktime 1.2.0, or folder that has it."
)
def main(**places):
    """Measure every alarm on three series from the wheels of two packages, and write the table."""
    matplotlib.use("agg")
    for name in SERIES:
        read_series(name, places)  # all of them before the first training
    rows = []
    for name in SERIES:
        rows += summarise(name, [alarm_on(name, seed, places) for seed in SEEDS])
    write_rows(pretrained.FOLDER / "alarm-others.csv", rows)


if __name__ == "__main__":
    main()
