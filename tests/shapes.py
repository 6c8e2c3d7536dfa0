"""Pictures made by NumPy: circles and squares of varying hue, size and place, in a folder or in an array."""

import numpy as np
from PIL import Image


def draw_shapes(count=60, side=32, seed=0):
    """Draw shapes on white.

    Args:
        count: Number of pictures.
        side: Pixels of a side.
        seed: Of the dice.

    Returns:
        uint8 pictures, shape `(count, side, side, 3)`, and labels "circles" or "squares".
    """
    dice = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] + 0.5
    pictures, labels = [], np.array(["circles", "squares"])[np.arange(count) % 2]
    for label in labels:
        radius = dice.uniform(0.15, 0.35) * side
        right, down = np.abs([x, y] - dice.uniform(radius, side - radius, (2, 1, 1)))
        away = np.hypot(right, down) if label == "circles" else np.maximum(right, down)
        inside = np.clip(radius + 0.5 - away, 0, 1)[..., None]
        hue = 0.5 + 0.5 * np.cos(2 * np.pi * (dice.random() + np.array([0, 1, 2]) / 3))
        pictures.append(np.round(255 * (1 - inside * (1 - hue))))
    return np.array(pictures, "uint8"), labels


def write_shapes(folder, count=60, side=32, seed=0):
    """Write shapes as PNG into a subfolder for each kind, and return the folder."""
    for number, (picture, label) in enumerate(zip(*draw_shapes(count, side, seed), strict=True)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / label / f"{number:03}.png")
    return folder
