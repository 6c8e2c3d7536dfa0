"""What the models refuse, before any training starts."""

import numpy as np
import pytest


def spoiled(images, value):
    """Return the images with one pixel replaced."""
    images = images.copy()
    images[3, 5, 5, 0] = value
    return images


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x[..., 0], r"shape \(96, 28, 28\), expected \(n, 28, 28, 1\)"),
        (lambda x: x[:0], r"shape \(0, 28, 28, 1\)"),
        (lambda x: x * 255, r"values from \S+ to 2\d\d.*divide grey values"),
        (lambda x: spoiled(x, -0.5), "values from -0.5"),
        (lambda x: spoiled(x, np.nan), "1 NaN"),
        (lambda x: spoiled(x, np.inf), r"values from \S+ to inf"),
    ],
)
@pytest.mark.parametrize("where", ["fit", "validation_data", "evaluate", "target"])
def test_images_that_cannot_be_right_are_refused_before_training(
    vae, images, spoil, message, where
):
    """The error names what is wrong and its cure, and no weight has moved."""
    bad, before = spoil(images), vae.get_weights()
    calls = {
        "fit": lambda: vae.fit(bad, verbose=0),
        "validation_data": lambda: vae.fit(images, validation_data=bad, verbose=0),
        "evaluate": lambda: vae.evaluate(bad, verbose=0),
        "target": lambda: vae.fit(images, bad, verbose=0),
    }
    with pytest.raises(ValueError, match=message):
        calls[where]()
    for ours, theirs in zip(before, vae.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_labels_as_target_are_refused(vae, images):
    """The commonest mistake after classifiers: fit(x_train, y_train)."""
    with pytest.raises(ValueError, match="its target is an image, not a label"):
        vae.fit(images, np.zeros(96, "int64"), verbose=0)


def test_weights_of_images_are_refused(vae, images):
    """What the loss would silently ignore is not accepted."""
    with pytest.raises(ValueError, match="sample_weight is not supported"):
        vae.fit(images, sample_weight=np.ones(96), verbose=0)
    with pytest.raises(ValueError, match="validation_data has weights"):
        vae.fit(images, validation_data=(images, images, np.ones(96)), verbose=0)
