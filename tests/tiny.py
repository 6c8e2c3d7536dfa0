"""A few blobs in the form of the digits, for tests that train; and a run on them from the command line."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from vae_course.data import Digits

# What a process runs that shall train on the blobs: slowly, so that a signal finds it at work.
PROGRAM = """
import sys, time
from tiny import tiny_digits
from vae_course import cli
from vae_course.runs import settings
settings.load_digits = tiny_digits
sys.argv[0] = "vae-course"
if "--slowly" in sys.argv:
    sys.argv.remove("--slowly")
    from vae_course import lesson
    lesson.load_tensorflow()
    from vae_course.runs import train
    show = train.Follow.on_train_batch_end
    train.Follow.on_train_batch_end = lambda *a, **k: (show(*a, **k), time.sleep(0.5))
cli.main()
"""


def tiny_digits(dataset="digits", name="embedded digits"):
    """Give 96 blobs to train on, and 40 others to test with."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:28, :28]
    centres = rng.uniform(8, 20, (136, 2, 1, 1))
    blobs = np.exp(-((x - centres[:, 0]) ** 2 + (y - centres[:, 1]) ** 2) / 20)
    images, labels = blobs[..., None].astype("float32"), np.arange(136) % 10
    return Digits(images[:96], labels[:96], images[96:], labels[96:], name, "a test")


def start_program(*arguments, **options):
    """Start `vae-course` on the blobs in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
